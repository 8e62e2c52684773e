//! Durable commits of one key with its audit event.

use std::time::Instant;

use latchbook::key_store::KeyStore as _;
use latchbook::model::ChangeSet;

use crate::engine::{Engine, commit_at_once};
use crate::{Failure, data, line};

const ROUNDS: usize = 7;
/// Changes of one caller in a round.
const ALONE: u64 = 200;
const CALLERS: u64 = 64;
/// Changes of each of the callers in a round.
const EACH: u64 = 20;
const DEVELOPERS: u64 = 100;

pub fn run<E: Engine>(engine: &E) -> Result<(), Failure> {
    // Every change makes another key.
    let mut next = 10_000_000..;
    let mut make = |count: u64, developer: &dyn Fn(u64) -> u64| -> Result<Vec<ChangeSet>, Failure> {
        (0..count).map(|one| data::creation(next.next().unwrap_or_default(), developer(one))).collect()
    };
    let mut rates = [const { Vec::new() }; 5];
    let mut bare_sets = Vec::new();
    for _ in 0..ROUNDS {
        bare_sets.extend(make(ALONE, &|one| DEVELOPERS + one % DEVELOPERS)?);
        bare_sets.extend(make(CALLERS * EACH, &|one| DEVELOPERS + one / EACH)?);
    }
    // The audit chains go on from round to round.
    let mut bare = engine.rows(bare_sets)?.into_iter();
    for _ in 0..ROUNDS {
        let rows: Vec<_> = bare.by_ref().take(usize::try_from(ALONE)?).collect();
        rates[0].push(rate(ALONE, || engine.write_bare(rows.into_iter().map(|one| vec![one]).collect()))?);
        let sets = make(ALONE, &|one| one % DEVELOPERS)?;
        rates[1].push(rate(ALONE, || one_by_one(engine, sets))?);

        let callers = usize::try_from(CALLERS)?;
        let each = usize::try_from(EACH)?;
        let mut by_caller: Vec<Vec<_>> = (0..callers).map(|_| bare.by_ref().take(each).collect()).collect();
        rates[2].push(rate(CALLERS * EACH, || {
            if E::BATCHES {
                let batches = (0..each).map(|_| by_caller.iter_mut().filter_map(|rows| pop_front(rows)).collect());
                engine.write_bare(batches.collect())
            } else {
                engine.write_bare_at_once(by_caller)
            }
        })?);
        let sets = make(CALLERS * EACH, &|one| one / EACH)?;
        rates[3].push(rate(CALLERS * EACH, || at_once(engine, sets))?);
        let sets = make(CALLERS * EACH, &|_| 99)?;
        rates[4].push(rate(CALLERS * EACH, || at_once(engine, sets))?);
    }
    let [bare_alone, alone, bare_together, together, one_chain] = rates.map(|mut rates| {
        rates.sort_by(f64::total_cmp);
        rates[ROUNDS / 2]
    });
    println!("  commits a second, one caller: engine {bare_alone:.0}, store {alone:.0}");
    println!("  commits a second, 64 callers: engine {bare_together:.0}, store {together:.0}");
    println!("  commits a second, 64 callers of one developer (one audit chain): store {one_chain:.0}");
    line("commits, one caller, store over engine", alone / bare_alone, "at least 0.8");
    if E::BATCHES {
        line("commits, 64 callers, over the engine in batches of 64", together / bare_together, "at least 0.8");
        line("commits, 64 callers over one", together / alone, "at least 2.5");
    } else {
        line("commits, 64 callers, over 64 callers of the engine", together / bare_together, "at least 0.8");
    }
    Ok(())
}

fn pop_front<T>(rows: &mut Vec<T>) -> Option<T> {
    (!rows.is_empty()).then(|| rows.remove(0))
}

fn rate(count: u64, run: impl FnOnce() -> Result<(), Failure>) -> Result<f64, Failure> {
    let began = Instant::now();
    run()?;
    Ok(count as f64 / began.elapsed().as_secs_f64())
}

fn one_by_one<E: Engine>(engine: &E, sets: Vec<ChangeSet>) -> Result<(), Failure> {
    engine.wait(async {
        for set in sets {
            engine.store().commit(set).await?;
        }
        Ok(())
    })
}

/// Every caller commits its changes one after the other.
fn at_once<E: Engine>(engine: &E, sets: Vec<ChangeSet>) -> Result<(), Failure> {
    let mut sets = sets.into_iter();
    let callers: Vec<Vec<_>> = (0..CALLERS).map(|_| sets.by_ref().take(EACH as usize).collect()).collect();
    commit_at_once(engine, callers)
}
