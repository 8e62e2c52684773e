//! Measures guards of routes over sockets, beside other crates' guards. Needs wrk and taskset.
//!
//! Run `cargo run --release --bin guards` in this folder. Words after `--` run the rows alone whose name has one of them.
//! Read the ratios.

use std::error::Error;

use latchbook_bench::routes::sockets;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.as_slice() {
        [word, row] if word == "serve" => sockets::serve(row),
        _ => sockets::run(&words),
    }
}
