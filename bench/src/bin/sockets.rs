//! Measures what the guard costs over sockets: processor time of a program per request, of an open and of a guarded route.
//!
//! Build the programs in the repository's root with `cargo build --release -p latchbook-ledger --bins`, then run in this
//! folder `cargo run --release --bin sockets -- ../target/release`. It drives them with wrk (`apt-get install wrk`). Words
//! after the folder: `axum` or `actix` alone, `quick` for a trial, and a number for how many seconds each part of a round
//! takes, 1 by default.
//!
//! The program has one core, wrk another, where there are two. Each round asks one route and then the other over 64
//! connections, with tokens that the program has seen before: one, then many in turn. Processor time is what the scheduler
//! counts, on Linux alone.

use std::env;
use std::path::{Path, PathBuf};

use latchbook_bench::figure::{Asked, figure};
use latchbook_bench::prepared::{Kind, Prepared};
use latchbook_bench::running::Running;
use latchbook_bench::tokens::Tokens;
use latchbook_bench::wrk::{Asking, Load, Wrk};
use latchbook_bench::{Failure, client, median};

const CONNECTIONS: usize = 64;
/// How many times both routes are measured, in turn.
const ROUNDS: usize = 6;

/// What is asked of processor time of the open route over that of the guarded one, by how many tokens were seen before.
const GOALS: [(usize, f64); 3] = [(1, 0.97), (10_000, 0.95), (1_000_000, 0.85)];
/// Memory for that many tokens, in megabytes.
const TOKEN_CACHE: &str = "1600";

struct Plan {
    goals: Vec<(usize, f64)>,
    rounds: usize,
    seconds: u64,
}

fn main() -> Result<(), Failure> {
    let words: Vec<String> = env::args().skip(1).collect();
    let said = |word: &str| words.iter().any(|given| given == word);
    let seconds = words.iter().find_map(|word| word.parse().ok()).unwrap_or(1);
    let plan = if said("quick") {
        Plan { goals: vec![(1, 0.97), (10_000, 0.95), (50_000, 0.85)], rounds: 2, seconds }
    } else {
        Plan { goals: GOALS.to_vec(), rounds: ROUNDS, seconds }
    };
    let is_option = |word: &&String| ["axum", "actix", "quick"].contains(&word.as_str()) || word.parse::<u64>().is_ok();
    let programs = words.first().filter(|word| !is_option(word));
    let programs = PathBuf::from(programs.map_or("../target/release", String::as_str));
    let folder = tempfile::tempdir()?;
    let wrk = Wrk::new()?;
    let prepared = Prepared::make(folder.path(), Kind::Redb, 1_000)?;
    let most = plan.goals.iter().map(|(count, _)| *count).max().unwrap_or_default();
    let tokens = Tokens::sign(&prepared, most, &folder.path().join("tokens"))?;
    println!("{} tokens of {} bytes are signed", tokens.count(), tokens.length());
    for framework in ["axum", "actix"] {
        if said(framework) || !(said("axum") || said("actix")) {
            let program = programs.join(format!("ledger-{framework}"));
            let program = program.canonicalize().map_err(|error| format!("{}: {error}", program.display()))?;
            for (count, goal) in &plan.goals {
                measure(framework, &program, &prepared, &wrk, &tokens, (*count, *goal), &plan)?;
            }
        }
    }
    Ok(())
}

fn measure(
    framework: &str,
    program: &Path,
    prepared: &Prepared,
    wrk: &Wrk,
    tokens: &Tokens,
    (count, goal): (usize, f64),
    plan: &Plan,
) -> Result<(), Failure> {
    let (url, key) = (prepared.url(), prepared.signing_key());
    let arguments = ["--store", &url, "--signing-key", &key, "--limits", "off", "--token-cache", TOKEN_CACHE];
    let running = Running::start_on("0", program, &prepared.folder, &arguments)?;
    client::show_each(&running.address, GUARDED, tokens, 0..count)?;
    let seen = running.metric(VERIFIED)?;
    let mut ratios = Vec::with_capacity(plan.rounds);
    let mut costs = [const { Vec::new() }; 2];
    // The first round warms up.
    for round in 0..=plan.rounds {
        let mut both = [0.0; 2];
        for (cost, path) in both.iter_mut().zip([OPEN, GUARDED]) {
            // Each time from another place on, and both with a token, so that to read it is no part of the difference.
            let first = round * count / (plan.rounds + 1);
            let load = Load { cores: CLIENT, connections: CONNECTIONS, seconds: plan.seconds, lines: count, first };
            let before = running.processor_seconds()?;
            let answered = wrk.ask(&running.address, Asking::Token { path, tokens: &tokens.path }, &load)?;
            *cost = (running.processor_seconds()? - before) * 1e6 / answered.requests;
        }
        let [open, guarded] = both;
        if round > 0 {
            ratios.push(open / guarded);
            costs[0].push(open);
            costs[1].push(guarded);
        }
    }
    // Had one of them been forgotten, its signature would have been checked again.
    let forgotten = running.metric(VERIFIED)? - seen;
    let cached = running.metric("latchbook_cached_tokens")?;
    running.end(true)?;
    if forgotten > 0.0 || cached < count as f64 {
        return Err(format!("{forgotten} of the tokens were verified again, {cached} are cached").into());
    }
    let [open, guarded] = costs.map(median);
    println!("{framework}, {count} tokens: open {open:.2} us, guarded {guarded:.2} us of processor time a request");
    let what = format!("sockets, {framework}, {count} tokens seen before: unguarded over guarded processor time");
    figure(what, Asked::AtLeast(goal), median(ratios), "x");
    Ok(())
}

const OPEN: &str = "/ping";
const GUARDED: &str = "/v1/live/ping";
const VERIFIED: &str = "latchbook_tokens_verified_total";
const CLIENT: &str = "1";
