//! From nothing to the first look-up, after a clean stop and after `kill -9`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use futures_executor::block_on;
use latchbook::key_store::KeyStore;
use latchbook::{RedbStore, SqliteStore};

use crate::engine::Engine;
use crate::{Failure, data};

const ROUNDS: usize = 11;

/// The word by which this program holds a store open, and commits, until it is killed.
pub const HOLD: &str = "hold-open";

pub fn run<E: Engine>(folder: &Path, keys: u64) -> Result<(), Failure> {
    let ending = match E::NAME {
        "redb" => "redb",
        "SQLite" => "sqlite",
        // Its server is there all the time.
        _ => return Ok(()),
    };
    drop(E::filled(folder, keys)?);
    let path = folder.join(format!("opening.{ending}"));
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(folder.join(format!("opening.{ending}{end}")));
    }
    std::fs::copy(folder.join(format!("{keys}.{ending}")), &path)?;
    let mut clean = Vec::new();
    let mut killed = Vec::new();
    for round in 0..ROUNDS as u64 {
        clean.push(ready(&path, keys)?);
        let mut holder = Command::new(std::env::current_exe()?)
            .args([HOLD, path.to_str().ok_or("a path in UTF-8")?, &(20_000_000 + round * 1_000_000).to_string()])
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(holder.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        std::thread::sleep(std::time::Duration::from_millis(50 + 7 * round));
        holder.kill()?;
        holder.wait()?;
        killed.push(ready(&path, keys)?);
    }
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(folder.join(format!("opening.{ending}{end}")));
    }
    for (what, mut times) in [("a clean stop", clean), ("kill -9", killed)] {
        times.sort_by(f64::total_cmp);
        let (median, most) = (times[ROUNDS / 2], times[ROUNDS - 1]);
        println!("  ready with {keys} keys after {what}: {median:.1} ms, at most {most:.1} ms   (at most 10 ms)");
    }
    Ok(())
}

/// Milliseconds until a key is found.
fn ready(path: &Path, keys: u64) -> Result<f64, Failure> {
    let name = data::name(keys / 2, data::developers(keys))?;
    let began = Instant::now();
    let store = open(path)?;
    let found = block_on(store.get(&[name]))?;
    let time = began.elapsed().as_secs_f64() * 1e3;
    if found.first().is_none_or(Option::is_none) { Err("a key is missing".into()) } else { Ok(time) }
}

fn open(path: &Path) -> Result<Box<dyn KeyStore>, Failure> {
    let is_redb = path.extension().is_some_and(|ending| ending == "redb");
    Ok(if is_redb { Box::new(RedbStore::open(path)?) } else { Box::new(SqliteStore::open(path)?) })
}

/// Commits one change after the other until the process is killed.
pub fn hold(words: &[String]) -> Result<(), Failure> {
    let [path, first] = words else { return Err("a path and a number are needed".into()) };
    let store = open(Path::new(path))?;
    let mut out = std::io::stdout();
    for number in first.parse::<u64>()?.. {
        block_on(store.commit(data::creation(number, number % 100)?))?;
        writeln!(out, "committed")?;
        out.flush()?;
    }
    Ok(())
}
