//! Exchanges of sixteen callers at once, beside the bare engine's durable commits of the rows that an exchange writes.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use futures_executor::block_on;
use futures_util::future::try_join_all;
use latchbook::authority::{Exchange, Limits};
use latchbook::model::{ChangeSet, SecretText};
use latchbook::program::master_key;
use latchbook::{Authority, Source};
use latchbook_bench::figure::{Asked, figure};
use latchbook_bench::median;
use latchbook_bench::prepared::{ISSUER, Kind, Member, Prepared};
use tokio::runtime::{Builder, Runtime};

use crate::engine::{Engine, commit_at_once};
use crate::{Failure, data};

/// Many and short, since what else the disk does falls on some of them.
const ROUNDS: u64 = 21;
const CALLERS: u64 = 16;
/// Exchanges of each of the callers in a round.
const EACH: u64 = 40;
const DEVELOPERS: u64 = 100;

pub fn run<E: Engine>(engine: &E, folder: &Path) -> Result<(), Failure> {
    let kind = if E::NAME == "redb" { Kind::Redb } else { Kind::Sqlite };
    let prepared = Prepared::make_anew(folder, kind, 10_000)?;
    let authority = open(&prepared)?;
    let members: Arc<[Member]> = prepared.members.clone().into();
    let runtime = Builder::new_multi_thread().worker_threads(2).build()?;
    let mut next = 40_000_000..;
    // Callers of each moment are of several developers, as those of the exchanges are.
    let mut make = || -> Result<Vec<ChangeSet>, Failure> {
        let numbers = next.by_ref().take((CALLERS * EACH) as usize);
        numbers.map(|number| data::issue(number, number % DEVELOPERS)).collect()
    };
    let sets = (0..ROUNDS).map(|_| make()).collect::<Result<Vec<_>, _>>()?;
    let mut bare = engine.rows(sets.into_iter().flatten().collect())?.into_iter();

    let mut rates = [const { Vec::new() }; 3];
    for round in 0..ROUNDS {
        let batches = (0..EACH).map(|_| bare.by_ref().take(CALLERS as usize).collect()).collect();
        rates[0].push(rate(|| engine.write_bare(batches))?);
        let sets = make()?;
        rates[1].push(rate(|| at_once(engine, sets))?);
        rates[2].push(rate(|| exchange_at_once(&runtime, &authority, &members, round))?);
    }
    let over = |one: &[f64], other: &[f64]| median(one.iter().zip(other).map(|(one, other)| one / other).collect());
    let (whole_over_bare, store_over_bare) = (over(&rates[2], &rates[0]), over(&rates[1], &rates[0]));
    let [bare, store, whole] = rates.map(median);
    println!(
        "  exchanges a second, {CALLERS} callers: {whole:.0}; commits of the same rows: engine {bare:.0}, store {store:.0}"
    );
    let what =
        format!("exchange, {CALLERS} callers, {}: over the bare engine's durable commits of the same rows", E::NAME);
    figure(what, Asked::AtLeast(0.8), whole_over_bare, "x");
    let what = format!("the store's commits of the same rows, {CALLERS} callers, {}: over the bare engine's", E::NAME);
    figure(what, Asked::Nothing, store_over_bare, "x");
    // Whatever it wrote is no part of a measurement to come.
    drop(authority);
    std::fs::remove_dir_all(&prepared.folder)?;
    Ok(())
}

fn open(prepared: &Prepared) -> Result<Authority, Failure> {
    let path = prepared.path();
    let builder = Authority::builder()
        .shared_store(prepared.kind.open(&path)?)
        .issuer(ISSUER)
        .master_key(master_key::beside(&path)?.key)
        .limits(Limits::OFF);
    Ok(block_on(builder.build())?)
}

fn rate(run: impl FnOnce() -> Result<(), Failure>) -> Result<f64, Failure> {
    let began = Instant::now();
    run()?;
    Ok((CALLERS * EACH) as f64 / began.elapsed().as_secs_f64())
}

/// Every caller commits its changes one after the other.
fn at_once<E: Engine>(engine: &E, sets: Vec<ChangeSet>) -> Result<(), Failure> {
    let mut callers: Vec<Vec<_>> = (0..CALLERS).map(|_| Vec::new()).collect();
    for (place, set) in sets.into_iter().enumerate() {
        callers[place % CALLERS as usize].push(set);
    }
    commit_at_once(engine, callers)
}

/// Every caller exchanges one key after the other, each on a task of its own as a server has it.
fn exchange_at_once(
    runtime: &Runtime,
    authority: &Authority,
    members: &Arc<[Member]>,
    round: u64,
) -> Result<(), Failure> {
    runtime.block_on(async {
        let callers = (0..CALLERS).map(|caller| {
            let (authority, members) = (authority.clone(), Arc::clone(members));
            runtime.spawn(async move {
                for turn in 0..EACH {
                    let number = (round * EACH + turn) * CALLERS + caller;
                    let member = &members[usize::try_from(number)? % members.len()];
                    let exchange = Exchange {
                        developer: member.developer.as_str(),
                        api_key: &SecretText::new(member.text.clone()),
                        entity: None,
                        scope: None,
                        lifetime: None,
                        source: Source::UNKNOWN,
                    };
                    authority.exchange(&exchange).await?;
                }
                Ok::<(), Failure>(())
            })
        });
        for caller in try_join_all(callers).await? {
            caller?;
        }
        Ok(())
    })
}
