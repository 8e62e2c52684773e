//! Measures `ledger-axum`: from its start to `listening on` over a store that is there, and its memory when idle.
//!
//! Build it in the repository's root with `cargo build --release --bin ledger-axum`, then run in this folder
//! `cargo run --release --bin startup -- ../target/release/ledger-axum`. Memory is read from `/proc`, on Linux alone.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use latchbook_bench::Failure;
use latchbook_bench::figure::{Asked, figure};
use latchbook_bench::running::Running;

const ROUNDS: usize = 20;
/// What is aimed at.
const GOAL_MILLISECONDS: f64 = 100.0;
const GOAL_MEGABYTES: f64 = 30.0;

fn main() -> Result<(), Failure> {
    let program = env::args_os().nth(1).map_or_else(|| PathBuf::from("../target/release/ledger-axum"), PathBuf::from);
    let program = program.canonicalize().map_err(|error| format!("{}: {error}", program.display()))?;
    let folder = env::temp_dir().join(format!("latchbook-startup-{}", std::process::id()));
    fs::create_dir(&folder)?;
    let measured = measure(&program, &folder);
    fs::remove_dir_all(&folder)?;
    measured
}

fn measure(program: &Path, folder: &Path) -> Result<(), Failure> {
    let first = Running::start(program, folder, &[])?;
    println!("{:<40} {:>8.1} ms", "first start, the store is made", first.milliseconds);
    first.open_sandbox()?;
    first.end(true)?;
    for (name, cleanly) in [("start, after a clean stop", true), ("start, after kill -9", false)] {
        let mut times = Vec::with_capacity(ROUNDS);
        for _ in 0..=ROUNDS {
            let running = Running::start(program, folder, &[])?;
            times.push(running.milliseconds);
            running.end(cleanly)?;
        }
        // The first of them followed another kind of end.
        let mut times = times.split_off(1);
        times.sort_by(f64::total_cmp);
        let at = |place: usize| times.get(place).copied().unwrap_or_default();
        let (median, worst) = ((at(ROUNDS / 2 - 1) + at(ROUNDS / 2)) / 2.0, at(ROUNDS - 1));
        println!("{name:<40} {median:>8.1} ms, worst {worst:.1}");
        figure(format!("ledger-axum: {name}"), Asked::AtMost(GOAL_MILLISECONDS), median, "ms");
    }
    let idle = Running::start(program, folder, &[])?;
    sleep(Duration::from_secs(3));
    for (name, file, row) in
        [("idle memory, resident", "status", "VmRSS"), ("idle memory, its share", "smaps_rollup", "Pss")]
    {
        match idle.megabytes(file, row) {
            Some(megabytes) => figure(format!("ledger-axum: {name}"), Asked::AtMost(GOAL_MEGABYTES), megabytes, "MB"),
            None => println!("{name:<40} skipped: no /proc here"),
        }
    }
    idle.end(true)
}
