//! What grows with the keys in the store: start, idle memory, exchanges. And what does not: a guarded request.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use latchbook_bench::prepared::{Kind, Prepared};
use latchbook_bench::running::Running;
use latchbook_bench::tokens::Tokens;
use latchbook_bench::wrk::{Asking, Load};
use latchbook_bench::{Failure, client, median};

use crate::table::{Point, Table};
use crate::{Place, Plan};

/// Callers that exchange at once.
const CALLERS: usize = 16;
const TOKENS: usize = 1_000;

pub fn measure(place: &Place, plan: &Plan, table: &mut Table) -> Result<(), Failure> {
    let program = place.program("axum")?;
    for kind in [Kind::Redb, Kind::Sqlite] {
        for keys in &plan.keys {
            let prepared = prepared(place, kind, *keys)?;
            let point = Point { program: "axum", store: kind.name(), keys: *keys, tokens: 0, cores: 1 };
            starts(&program, &prepared, plan, table, &point)?;
            loads(place, &program, &prepared, table, &point)?;
        }
    }
    Ok(())
}

/// The store: a large one is kept, and the events of earlier runs in it count for little.
pub fn prepared(place: &Place, kind: Kind, keys: u64) -> Result<Prepared, Failure> {
    if keys < 1_000_000 {
        return Prepared::make_anew(&place.folder, kind, keys);
    }
    Prepared::make(&place.folder, kind, keys)
}

/// The arguments of a program on `prepared`, with room for `megabytes` of verified tokens.
pub fn arguments(prepared: &Prepared, megabytes: u64) -> Vec<String> {
    let (url, key, room) = (prepared.url(), prepared.signing_key(), megabytes.to_string());
    let words = ["--store", &url, "--signing-key", &key, "--limits", "off", "--token-cache", &room];
    words.map(str::to_owned).to_vec()
}

/// From the start to `listening on`, after a clean stop and after `kill -9`; then idle memory.
fn starts(
    program: &Path,
    prepared: &Prepared,
    plan: &Plan,
    table: &mut Table,
    point: &Point<'_>,
) -> Result<(), Failure> {
    let arguments = arguments(prepared, 32);
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let start = || Running::start_on("0", program, &prepared.folder, &arguments);
    for (measure, cleanly) in [("start_ms", true), ("start_killed_ms", false)] {
        // The first of them follows another kind of end.
        start()?.end(cleanly)?;
        let mut times = Vec::with_capacity(plan.starts);
        for _ in 0..plan.starts {
            let running = start()?;
            times.push(running.milliseconds);
            running.end(cleanly)?;
        }
        table.add(point, measure, median(times));
    }
    let idle = start()?;
    sleep(Duration::from_secs(3));
    table.add(point, "idle_mb", idle.megabytes("status", "VmRSS").ok_or("no /proc here")?);
    idle.end(true)
}

/// Exchanges, of keys in no order, and guarded requests with a thousand tokens.
fn loads(
    place: &Place,
    program: &Path,
    prepared: &Prepared,
    table: &mut Table,
    point: &Point<'_>,
) -> Result<(), Failure> {
    let arguments = arguments(prepared, 32);
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let running = Running::start_on("0", program, &prepared.folder, &arguments)?;
    let bodies = place.folder.join("bodies");
    let members = &prepared.members;
    let lines = members
        .iter()
        .map(|member| format!("{{\"developerId\": \"{}\", \"apiKey\": \"{}\"}}\n", member.developer, member.text));
    fs::write(&bodies, lines.collect::<String>())?;
    let load = Load { cores: "1", connections: CALLERS, seconds: 2, lines: members.len(), first: 0 };
    let before = running.processor_seconds()?;
    let path = "/v1/developers/auth/generate-token";
    let answered = place.wrk.ask(&running.address, Asking::Body { path, bodies: &bodies }, &load)?;
    let cost = (running.processor_seconds()? - before) * 1e6 / answered.requests;
    table.add(point, "exchange_rps", answered.requests / answered.seconds);
    table.add(point, "exchange_p50_us", answered.p50);
    table.add(point, "exchange_p99_us", answered.p99);
    table.add(point, "exchange_cpu_us", cost);

    let tokens = Tokens::sign(prepared, TOKENS, &place.folder.join("tokens"))?;
    client::show_each(&running.address, "/v1/live/ping", &tokens, 0..TOKENS)?;
    let load = Load { cores: "1", connections: 64, seconds: 2, lines: TOKENS, first: 0 };
    let before = running.processor_seconds()?;
    let asking = Asking::Token { path: "/v1/live/ping", tokens: &tokens.path };
    let answered = place.wrk.ask(&running.address, asking, &load)?;
    let cost = (running.processor_seconds()? - before) * 1e6 / answered.requests;
    table.add(point, "guarded_rps", answered.requests / answered.seconds);
    table.add(point, "guarded_cpu_us", cost);
    running.end(true)
}
