//! Look-ups of a key by its id, of keys in no order.

use std::sync::Arc;
use std::time::Instant;

use latchbook::key_store::KeyStore;
use latchbook::model::RecordKey;

use crate::engine::Engine;
use crate::{Failure, data, line};

const ROUNDS: u64 = 31;
const BATCH: u64 = 2_000;

/// The store by its own type and behind a pointer, beside the engine.
pub fn run<E: Engine>(engine: &E, keys: u64) -> Result<(), Failure> {
    let pointer: Arc<dyn KeyStore> = Arc::<E::Store>::clone(engine.store());
    let (own, pointer) = (&**engine.store(), &*pointer);
    let mut times = [const { Vec::new() }; 3];
    for round in 0..ROUNDS {
        // Other keys for each, so that none finds in memory what the one before it has read.
        for (part, times) in (0..).zip(&mut times) {
            let names = names(keys, (round * 3 + part) * BATCH, BATCH)?;
            let began = Instant::now();
            match part {
                0 => engine.read_bare(&names)?,
                1 => read(engine, own, &names)?,
                _ => read(engine, pointer, &names)?,
            }
            times.push(began.elapsed().as_secs_f64() * 1e9 / BATCH as f64);
        }
    }
    let [bare, store, pointer] = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    });
    println!("  a look-up of {keys} keys: engine {bare:.0} ns, store {store:.0} ns, behind a pointer {pointer:.0} ns");
    line("look-ups, store over engine", bare / store, asked::<E>());
    line("look-ups, store behind a pointer over engine", bare / pointer, asked::<E>());
    Ok(())
}

fn asked<E: Engine>() -> &'static str {
    if E::NAME == "SQLite" { "at least 0.6" } else { "at least 0.9" }
}

/// Keys in no order.
fn names(keys: u64, first: u64, count: u64) -> Result<Vec<RecordKey>, Failure> {
    let developers = data::developers(keys);
    (first..first + count).map(|number| data::name(data::scattered(number, 3) % keys, developers)).collect()
}

fn read<E: Engine>(engine: &E, store: &(impl KeyStore + ?Sized), names: &[RecordKey]) -> Result<(), Failure> {
    engine.wait(async {
        for name in names {
            let found = store.get(std::slice::from_ref(name)).await?;
            if found.first().is_none_or(Option::is_none) {
                return Err("a key is missing".into());
            }
        }
        Ok(())
    })
}

/// The 99th of a hundred look-ups, in microseconds, once each key was read: of the store, and of the engine alone.
pub fn slow_ones<E: Engine>(engine: &E, keys: u64) -> Result<(f64, f64), Failure> {
    for names in warming::<E>(keys)? {
        read(engine, &**engine.store(), &names)?;
        engine.read_bare(&names)?;
    }
    let names = names(keys, 1 << 32, SAMPLES as u64)?;
    let slow = |mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[SAMPLES * 99 / 100]
    };
    let times = engine.wait(async {
        let mut times = Vec::with_capacity(SAMPLES);
        for name in &names {
            let began = Instant::now();
            let found = engine.store().get(std::slice::from_ref(name)).await?;
            times.push(began.elapsed().as_secs_f64() * 1e6);
            if found.first().is_none_or(Option::is_none) {
                return Err(Failure::from("a key is missing"));
            }
        }
        Ok(times)
    })?;
    let mut bare = Vec::with_capacity(SAMPLES);
    for name in &names {
        let began = Instant::now();
        engine.read_bare(std::slice::from_ref(name))?;
        bare.push(began.elapsed().as_secs_f64() * 1e6);
    }
    Ok((slow(times), slow(bare)))
}

/// Every key once; of a server, which has all in its memory since it was filled, some.
fn warming<E: Engine>(keys: u64) -> Result<Vec<Vec<RecordKey>>, Failure> {
    let developers = data::developers(keys);
    let every = if E::BATCHES { 1 } else { (keys / 20_000).max(1) };
    let names = (0..keys).step_by(usize::try_from(every)?).map(|number| data::name(number, developers));
    let names = names.collect::<Result<Vec<_>, _>>()?;
    Ok(names.chunks(10_000).map(<[_]>::to_vec).collect())
}

const SAMPLES: usize = 50_000;
