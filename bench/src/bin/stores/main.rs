//! Measures each store beside the bare engine that it stands on: look-ups, durable commits, opening and disk.
//!
//! Run `cargo run --release --bin stores` in this folder. Words after `--` choose among `redb`, `sqlite`, `postgres`,
//! `look-ups`, `commits`, `exchange`, `opening` and `disk`; a number is how many keys the large store has, 1,000,000 by default.
//! Filled stores are kept in `target/stores`. Read the ratios; single figures move with the machine.

mod commits;
mod engine;
mod exchange;
mod look_ups;
mod opening;
mod postgres_engine;
mod redb_engine;
#[path = "../../../../storage-postgres/tests/support/server.rs"]
#[expect(clippy::all, reason = "shared with tests")]
mod server;
mod sqlite_engine;

use std::fs;
use std::path::{Path, PathBuf};

use engine::Engine;
use latchbook::key_store::KeyStore;
use latchbook_bench::{Failure, data};
use postgres_engine::Postgres;
use redb_engine::Redb;
use sqlite_engine::Sqlite;

fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == opening::HOLD) {
        return opening::hold(&words[1..]);
    }
    let keys = words.iter().find_map(|word| word.parse().ok()).unwrap_or(1_000_000);
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/stores");
    fs::create_dir_all(&folder)?;
    let among = |word: &str, all: &[&str]| {
        words.iter().any(|given| given == word) || !words.iter().any(|given| all.contains(&given.as_str()))
    };
    let engine = |word| among(word, &["redb", "sqlite", "postgres"]);
    let parts = Parts {
        look_ups: among("look-ups", PARTS),
        commits: among("commits", PARTS),
        exchange: among("exchange", PARTS),
        opening: among("opening", PARTS),
        disk: among("disk", PARTS),
    };
    if engine("redb") {
        measure::<Redb>(&folder, keys, &parts)?;
    }
    if engine("sqlite") {
        measure::<Sqlite>(&folder, keys, &parts)?;
    }
    if engine("postgres") {
        measure::<Postgres>(&folder, keys, &parts)?;
    }
    Ok(())
}

const PARTS: &[&str] = &["look-ups", "commits", "exchange", "opening", "disk"];

struct Parts {
    look_ups: bool,
    commits: bool,
    exchange: bool,
    opening: bool,
    disk: bool,
}

fn measure<E: Engine>(folder: &Path, keys: u64, parts: &Parts) -> Result<(), Failure> {
    println!("\n{}", E::NAME);
    if parts.look_ups || parts.disk {
        let small = if parts.look_ups { Some(look_ups::slow_ones(&E::filled(folder, 1_000)?, 1_000)?) } else { None };
        let large = E::filled(folder, keys)?;
        if let Some(small) = small {
            let ((slow, slow_bare), (small, small_bare)) = (look_ups::slow_ones(&large, keys)?, small);
            look_ups::run(&large, keys)?;
            println!("  p99 of a look-up: {small:.1} us of 1,000 keys, {slow:.1} us of {keys}");
            println!("  the same of the engine alone: {small_bare:.1} us, {slow_bare:.1} us");
            line("p99, large store over small", slow / small, "at most 3");
        }
        if parts.disk {
            let (bare, store) = large.disk(folder)?;
            let each = |bytes: u64| bytes as f64 / keys as f64;
            println!("  disk per key: {:.0} bytes, the engine alone {:.0}", each(store), each(bare));
            line("disk per key, store over engine", each(store) / each(bare), "at most 1.2");
        }
    }
    if parts.commits {
        commits::run(&E::filled(folder, 10_000)?)?;
        // What they wrote is not part of a filled store.
        forget(folder, 10_000);
    }
    if parts.exchange && E::BATCHES {
        exchange::run(&E::filled(folder, 10_000)?, folder)?;
        forget(folder, 10_000);
    }
    if parts.opening {
        opening::run::<E>(folder, keys)?;
    }
    Ok(())
}

/// Loads the rows of a store with `keys` keys.
async fn fill(store: &impl KeyStore, keys: u64) -> Result<(), Failure> {
    let mut rows = data::rows(keys).peekable();
    while rows.peek().is_some() {
        store.load(rows.by_ref().take(5_000).collect::<Result<_, _>>()?).await?;
    }
    Ok(())
}

fn forget(folder: &Path, keys: u64) {
    for end in ["redb", "sqlite", "sqlite-wal", "sqlite-shm"] {
        let _ = fs::remove_file(folder.join(format!("{keys}.{end}")));
    }
}

fn line(what: &str, ratio: f64, asked: &str) {
    println!("  {what:<58} {ratio:>6.2} x   ({asked})");
}
