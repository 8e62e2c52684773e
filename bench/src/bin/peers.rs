//! Measures latchbook beside bare primitives and the crates that people use instead.
//!
//! Run `cargo run --release --bin peers` in this folder, or with a word after `--` for a part: `tokens` are verified,
//! issued, seen before and refused; `routes` are guarded, in process; `guards` are routes over sockets, which needs wrk and
//! taskset. More words run the cases alone whose name has one of them (`threads` is one, of `tokens`).
//! `--operations N NAME` runs one case N times, for a profiler. Read the ratios; single figures move with the machine.

use std::error::Error;

use latchbook_bench::harness::Mode;
use latchbook_bench::routes::sockets;
use latchbook_bench::tables::threads;
use latchbook_bench::{routes, tables};

fn main() -> Result<(), Box<dyn Error>> {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    if let [sockets::SERVE, row] = words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        return sockets::serve(row);
    }
    let part = words.first().filter(|word| PARTS.contains(&word.as_str())).cloned();
    if part.is_some() {
        words.remove(0);
    }
    let mode = Mode::of(&words)?;
    let wants = |name: &str| part.as_deref().is_none_or(|part| part == name);
    if wants("tokens") {
        tables::PARTS.iter().for_each(|part| part.run(&mode));
        if mode.wants("threads") {
            threads::run();
        }
    }
    if wants("routes") {
        routes::PARTS.iter().for_each(|part| part.run(&mode));
    }
    if wants("guards") { sockets::run(&mode) } else { Ok(()) }
}

const PARTS: [&str; 3] = ["tokens", "routes", "guards"];
