//! Counts what each case allocates, and what a remembered token keeps. Apart from the timing, which counting disturbs.
//!
//! Run `cargo run --release --bin allocations` in this folder. Words after `--` run the cases alone whose name has one of
//! them (`memory` is a word too).

use std::cell::RefCell;

use dhat::{HeapStats, Profiler};
use latchbook_bench::figure::{Asked, figure};
use latchbook_bench::harness::{Mode, Part, Work, run};
use latchbook_bench::keys::Algorithm;
use latchbook_bench::world::{Provider, ROOM, authenticate, authority, tokens};
use latchbook_bench::{routes, tables};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// How many times each case runs, at most.
const TIMES: usize = 32;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let mode = Mode::Time(words);
    let counts = RefCell::new(Vec::new());
    for part in tables::PARTS.iter().chain(routes::PARTS) {
        count(part, &mode, &counts);
    }
    figures(&counts.into_inner());
    if mode.wants("memory") {
        memory("of 1,000 keys", 1_000, Asked::AtMost(250.0));
        memory("each of its own key", LIVE, Asked::Nothing);
    }
}

/// Allocations of an operation, and their bytes, by the case's name.
type Counts = Vec<(String, f64, f64)>;

fn count(part: &Part, mode: &Mode, counts: &RefCell<Counts>) {
    let mut title = Some(part.title);
    part.table(mode).each(|name, work| {
        if let Some(title) = title.take() {
            println!("\n{title:<72} {:>12} {:>14}", "allocations", "bytes");
        }
        // The first may make what stays.
        run(work, 3);
        let (blocks, bytes) = allocations(work);
        println!("  {name:<70} {blocks:>12.1} {bytes:>14.0}");
        counts.borrow_mut().push((name.to_owned(), blocks, bytes));
    });
}

fn allocations(work: &mut dyn Work) -> (f64, f64) {
    let times = TIMES.min(work.chunk());
    work.prepare();
    let _profiler = Profiler::builder().testing().build();
    let before = HeapStats::get();
    work.run(times);
    let after = HeapStats::get();
    let each = |before: u64, after: u64| (after - before) as f64 / times as f64;
    (each(before.total_blocks, after.total_blocks), each(before.total_bytes, after.total_bytes))
}

fn figures(counts: &Counts) {
    let of = |name: &str| counts.iter().find(|(case, ..)| case == name).map(|(_, blocks, _)| *blocks);
    for provider in Provider::ALL {
        for algorithm in Algorithm::OURS {
            let (name, of_provider) = (algorithm.name(), provider.name());
            let ours = of(&format!("verify {name}: latchbook ({of_provider})"));
            // ring's own RSA allocates.
            if let (Some(ours), Some(bare)) = (ours, of(&format!("verify {name}: bare {of_provider}"))) {
                let what = format!("{name}, a token first seen, allocations more than bare {of_provider}");
                figure(what, Asked::AtMost(2.0), ours - bare, "of them");
            }
        }
    }
    for name in ["again: 1 live token", "again: 1,000 live tokens", "again: 100,000 live tokens"] {
        if let Some(blocks) = of(name) {
            figure(format!("a token seen before, allocations, {}", &name[7..]), Asked::AtMost(0.0), blocks, "of them");
        }
    }
    for framework in ["axum", "actix"] {
        let row = |name: &str| of(&format!("{framework}: {name}"));
        if let (Some(guarded), Some(open)) = (row("guarded"), row("open, with state")) {
            figure(
                format!("{framework}, guarded, allocations more than open"),
                Asked::Nothing,
                guarded - open,
                "of them",
            );
        }
    }
}

const LIVE: u64 = 100_000;

/// What is kept for a token that was seen, over the token's own length: bytes as they were requested.
fn memory(whose: &str, keys: u64, asked: Asked) {
    let tokens = tokens(LIVE, keys);
    let length = tokens.iter().map(String::len).sum::<usize>() as f64 / tokens.len() as f64;
    let authority = authority(Provider::Ring, Algorithm::EdDsa, ROOM);
    let _profiler = Profiler::builder().testing().build();
    let before = HeapStats::get();
    for token in &tokens {
        authenticate(&authority, token).expect("a good token");
    }
    let after = HeapStats::get();
    assert_eq!(authority.statistics().cached_tokens, tokens.len(), "all are remembered");
    let each = |before: usize, after: usize| (after as f64 - before as f64) / tokens.len() as f64;
    let kept = each(before.curr_bytes, after.curr_bytes);
    println!("\n{LIVE} tokens {whose}: {length:.0} bytes long, {kept:.0} bytes kept for each,");
    println!("  in {:.1} allocations", each(before.curr_blocks, after.curr_blocks));
    figure(format!("memory per remembered token, over its own length, {whose}"), asked, kept - length, "bytes");
}
