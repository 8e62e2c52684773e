//! What grows with live tokens: memory, and the cost of a guarded request as the processor's caches no longer hold them.

use latchbook_bench::prepared::Kind;
use latchbook_bench::running::Running;
use latchbook_bench::tokens::Tokens;
use latchbook_bench::wrk::{Asking, Load};
use latchbook_bench::{Failure, client, median};

use crate::keys::{arguments, prepared};
use crate::table::{Point, Table};
use crate::{Place, Plan};

const OPEN: &str = "/ping";
const GUARDED: &str = "/v1/live/ping";
const CONNECTIONS: usize = 64;
/// Room for a million tokens, in megabytes.
const TOKEN_CACHE: u64 = 1_600;
const VERIFIED: &str = "latchbook_tokens_verified_total";

/// The programs, and on how many cores.
const PROGRAMS: [(&str, u64); 3] = [("axum", 1), ("axum", 2), ("actix", 1)];

pub fn measure(place: &Place, plan: &Plan, table: &mut Table) -> Result<(), Failure> {
    let keys = plan.keys.last().copied().unwrap_or_default();
    let prepared = prepared(place, Kind::Redb, keys)?;
    let most = plan.tokens.last().copied().unwrap_or_default();
    let tokens = Tokens::sign(&prepared, most, &place.folder.join("tokens"))?;
    println!("{most} tokens of {} bytes are signed", tokens.length());
    let arguments = arguments(&prepared, TOKEN_CACHE);
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    for (program, cores) in PROGRAMS {
        let (own, client) = if cores == 1 { ("0", "1") } else { ("0,1", "0,1") };
        let running = Running::start_on(own, &place.program(program)?, &prepared.folder, &arguments)?;
        let mut shown = 0;
        for count in &plan.tokens {
            let point = Point { program, store: "redb", keys, tokens: *count as u64, cores };
            let seconds = client::show_each(&running.address, GUARDED, &tokens, shown..*count)?;
            // Few are over before a rate can be told.
            if count - shown >= 5_000 {
                table.add(&point, "first_seen_rps", (count - shown) as f64 / seconds);
            }
            shown = *count;
            table.add(&point, "resident_mb", running.megabytes("status", "VmRSS").ok_or("no /proc here")?);
            load(place, plan, &running, (&tokens, client), table, &point)?;
        }
        running.end(true)?;
    }
    Ok(())
}

/// The open route and the guarded one in turn, with the tokens that the program has seen.
fn load(
    place: &Place,
    plan: &Plan,
    running: &Running,
    (tokens, client): (&Tokens, &str),
    table: &mut Table,
    point: &Point<'_>,
) -> Result<(), Failure> {
    let lines = usize::try_from(point.tokens)?;
    let seen = running.metric(VERIFIED)?;
    let mut values = [const { [const { Vec::new() }; 4] }; 2];
    for round in 0..plan.rounds {
        for (values, path) in values.iter_mut().zip([OPEN, GUARDED]) {
            let first = round * lines / plan.rounds;
            let load = Load { cores: client, connections: CONNECTIONS, seconds: 1, lines, first };
            let before = running.processor_seconds()?;
            let answered = place.wrk.ask(&running.address, Asking::Token { path, tokens: &tokens.path }, &load)?;
            let cost = (running.processor_seconds()? - before) * 1e6 / answered.requests;
            let rate = answered.requests / answered.seconds;
            for (values, value) in values.iter_mut().zip([rate, cost, answered.p50, answered.p99]) {
                values.push(value);
            }
        }
    }
    if running.metric(VERIFIED)? > seen {
        return Err("tokens that were seen before were verified again: the cache is too small".into());
    }
    for (route, values) in ["open", "guarded"].iter().zip(values) {
        for (measure, values) in ["rps", "cpu_us", "p50_us", "p99_us"].iter().zip(values) {
            table.add(point, &format!("{route}_{measure}"), median(values));
        }
    }
    Ok(())
}
