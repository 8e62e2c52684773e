//! Random lists of operations, played on a store and on [`MemoryStore`](crate::key_store::MemoryStore): same answers, same contents.

mod lists;
mod play;
mod pool;

use std::env;

use proptest::strategy::{Strategy as _, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::{Failure, Problem};
use crate::key_store::{KeyStore, StoreError};
use lists::Step;

/// Plays `cases` random lists of operations, or as many as the environment variable `LATCHBOOK_MODEL_CASES` says, each on
/// a store that `fresh` makes, empty, and on a [`MemoryStore`](crate::key_store::MemoryStore). Every answer must be the
/// same, every error of the same kind, and so must everything that the two hold in the end.
///
/// The lists are the same in every run, each found by its number: more cases are more lists. Where one fails, a shorter
/// one that still does is looked for, and told.
///
/// # Errors
/// [`Failure`] of the first list on which the two differ, or where the environment variable is no number.
pub async fn model<S: KeyStore>(fresh: impl AsyncFn() -> Result<S, StoreError>, cases: u32) -> Result<(), Failure> {
    let failed = |what: String| Failure { check: "it_answers_as_the_model_does", what };
    let cases = match env::var(CASES) {
        Ok(text) => text.parse().map_err(|_| failed(format!("`{CASES}` is no number: `{text}`")))?,
        Err(env::VarError::NotPresent) => cases,
        Err(error) => return Err(failed(format!("`{CASES}`: {error}"))),
    };
    for number in 1..=cases {
        let mut list = random_list(number).map_err(&failed)?;
        if let Err(problem) = play::play(&fresh, &list.current()).await {
            let (steps, problem) = shortened(&fresh, &mut list, problem).await;
            return Err(failed(format!("list {number}: {} after {steps:#?}", problem.0)));
        }
    }
    Ok(())
}

const CASES: &str = "LATCHBOOK_MODEL_CASES";

/// How many shorter lists are tried where one failed.
const TRIES: u32 = 500;

fn random_list(number: u32) -> Result<impl ValueTree<Value = Vec<Step>>, String> {
    let mut seed = [0; 32];
    seed.iter_mut().zip(number.to_be_bytes()).for_each(|(to, from)| *to = from);
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    lists::lists().new_tree(&mut runner).map_err(|reason| reason.to_string())
}

/// The shortest list found that still fails, and how.
async fn shortened<S: KeyStore>(
    fresh: &impl AsyncFn() -> Result<S, StoreError>,
    list: &mut impl ValueTree<Value = Vec<Step>>,
    problem: Problem,
) -> (Vec<Step>, Problem) {
    let mut least = (list.current(), problem);
    let mut is_left = list.simplify();
    for _ in 0..TRIES {
        if !is_left {
            break;
        }
        let steps = list.current();
        is_left = match play::play(fresh, &steps).await {
            Err(problem) => {
                least = (steps, problem);
                list.simplify()
            }
            Ok(()) => list.complicate(),
        };
    }
    least
}
