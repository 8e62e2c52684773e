//! Measures what the guard costs over sockets: processor time of a program per request, of an open and of a guarded route.
//!
//! Build the programs in the repository's root with `cargo build --release --bins`, then run in this folder
//! `cargo run --release --bin sockets -- ../target/release`. Each round asks one route and then the other over the same 64
//! connections, with a token seen before. Processor time is read from `/proc`, on Linux alone.

#[path = "../running.rs"]
mod running;

use std::env;
use std::error::Error;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use running::Running;

const CONNECTIONS: usize = 64;
/// How many times both routes are measured, in turn.
const ROUNDS: usize = 6;
const ROUND: Duration = Duration::from_secs(3);
/// What is aimed at: processor time of the open route over that of the guarded one.
const GOAL: f64 = 0.95;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = env::args_os().nth(1).map_or_else(|| PathBuf::from("../target/release"), PathBuf::from);
    for name in ["ledger-axum", "ledger-actix"] {
        let program = folder.join(name);
        let program = program.canonicalize().map_err(|error| format!("{}: {error}", program.display()))?;
        let data = env::temp_dir().join(format!("latchbook-sockets-{}", std::process::id()));
        fs::create_dir(&data)?;
        let measured = measure(name, &program, &data);
        fs::remove_dir_all(&data)?;
        measured?;
    }
    Ok(())
}

fn measure(name: &str, program: &Path, data: &Path) -> Result<(), Box<dyn Error>> {
    let running = Running::start(program, data, &["--limits", "off"])?;
    let answer = running.open_sandbox()?;
    let token = answer.split_once(r#""token":""#).and_then(|(_, rest)| rest.split_once('"')).ok_or("no token")?.0;
    let field = format!("Authorization: Bearer {token}\r\n");
    // Both with the field, so that reading it is no part of the difference.
    let routes = ["/ping", "/v1/sandbox/ping"];
    let requests = routes.map(|path| format!("GET {path} HTTP/1.1\r\nHost: ledger\r\n{field}\r\n"));
    let mut connections = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        let connection = TcpStream::connect(&running.address)?;
        connection.set_nodelay(true)?;
        connection.set_read_timeout(Some(Duration::from_secs(10)))?;
        connections.push(connection);
    }
    let mut ratios = Vec::with_capacity(ROUNDS);
    let mut costs = [const { Vec::new() }; 2];
    for _ in 0..=ROUNDS {
        let mut round = [0.0; 2];
        for (cost, request) in round.iter_mut().zip(&requests) {
            *cost = cost_per_request(&running, &mut connections, request)?;
        }
        let [open, guarded] = round;
        ratios.push(open / guarded);
        costs[0].push(open);
        costs[1].push(guarded);
    }
    // The first warms up.
    let ratio = median(ratios.split_off(1));
    let [open, guarded] = costs.map(|mut costs| median(costs.split_off(1)));
    let verdict = if ratio >= GOAL { "reached" } else { "MISSED" };
    println!("{name}: open {open:.2} us, guarded {guarded:.2} us of processor time a request");
    println!("{name}: open over guarded {ratio:.3} (at least {GOAL}: {verdict})");
    running.end(true)
}

/// Microseconds of the program's processor time for one request, when all connections ask at once again and again.
fn cost_per_request(running: &Running, connections: &mut [TcpStream], request: &str) -> Result<f64, Box<dyn Error>> {
    let read = || running.processor_seconds().ok_or("no /proc here");
    let (before, began) = (read()?, Instant::now());
    let mut requests = 0_u32;
    let mut buffer = [0; 4_096];
    while began.elapsed() < ROUND {
        for connection in &mut *connections {
            connection.write_all(request.as_bytes())?;
        }
        for connection in &mut *connections {
            read_answer(connection, &mut buffer)?;
            requests += 1;
        }
    }
    Ok((read()? - before) * 1e6 / f64::from(requests))
}

/// Reads an answer to its end; an error unless it is a 200.
fn read_answer(connection: &mut TcpStream, buffer: &mut [u8]) -> Result<(), Box<dyn Error>> {
    let mut length = 0;
    loop {
        let read = connection.read(buffer.get_mut(length..).ok_or("a long answer")?)?;
        if read == 0 {
            return Err("the connection was closed".into());
        }
        length += read;
        let text = std::str::from_utf8(buffer.get(..length).unwrap_or_default())?;
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        if !head.starts_with("HTTP/1.1 200 ") {
            return Err(format!("refused: {head}").into());
        }
        let field =
            head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:").map(str::to_owned));
        let announced: usize = field.ok_or("no length")?.trim().parse()?;
        if body.len() >= announced {
            return Ok(());
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = |place: usize| values.get(place).copied().unwrap_or_default();
    (at((values.len() - 1) / 2) + at(values.len() / 2)) / 2.0
}
