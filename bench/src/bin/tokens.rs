//! Measures tokens beside bare primitives and the crates that people use instead: verify, issue, seen before, refused.
//!
//! Run `cargo run --release --bin tokens` in this folder. Words after `--` run the cases alone whose name has one of them
//! (`threads` is a word too); `--operations N NAME` runs one case N times, for a profiler. Read the ratios.

use latchbook_bench::harness::Mode;
use latchbook_bench::tables::{PARTS, threads};

fn main() {
    let mode = Mode::from_arguments();
    for part in PARTS {
        part.run(&mode);
    }
    if mode.wants("threads") {
        threads::run();
    }
}
