//! Measures guards of routes, in process: an open route beside a guarded one, and beside other crates' guards.
//!
//! Run `cargo run --release --bin routes` in this folder. Words after `--` run the cases alone whose name has one of them;
//! `--operations N NAME` runs one case N times, for a profiler. Read the ratios.

use latchbook_bench::harness::Mode;
use latchbook_bench::routes::PARTS;

fn main() {
    let mode = Mode::from_arguments();
    PARTS.iter().for_each(|part| part.run(&mode));
}
