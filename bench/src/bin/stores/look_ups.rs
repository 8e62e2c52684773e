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

/// The 99th of a hundred look-ups, in microseconds.
pub fn slow_ones<E: Engine>(engine: &E, keys: u64) -> Result<f64, Failure> {
    let developers = data::developers(keys);
    let mut times = engine.wait(async {
        let mut times = Vec::with_capacity(SAMPLES);
        for number in 0..SAMPLES as u64 + WARM {
            let name = data::name(data::scattered(number, 4) % keys, developers)?;
            let began = Instant::now();
            let found = engine.store().get(&[name]).await?;
            let time = began.elapsed();
            if found.first().is_none_or(Option::is_none) {
                return Err(Failure::from("a key is missing"));
            }
            if number >= WARM {
                times.push(time.as_secs_f64() * 1e6);
            }
        }
        Ok(times)
    })?;
    times.sort_by(f64::total_cmp);
    Ok(times[SAMPLES * 99 / 100])
}

const SAMPLES: usize = 50_000;
const WARM: u64 = 5_000;
