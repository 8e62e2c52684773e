//! Guards of routes over sockets: a process for each row on one core, driven by wrk on another.
//!
//! wrk keeps 64 connections busy, so that the server's core is full and requests a second are as good as processor time a
//! request; the latter is what is judged, since other programs on the machine do not count there.

use std::error::Error;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::{env, fs};

use super::rows::{ROWS, Row, Shows};
use super::{actix, authorizer, axum};
use crate::figure::{Asked, figure};
use crate::harness::Mode;
use crate::median;

/// Says that this program is to serve a row.
pub const SERVE: &str = "--serve";

const ROUNDS: usize = 6;
const CONNECTIONS: &str = "64";
const SECONDS: &str = "2";

/// The frameworks whose rows there are.
const FRAMEWORKS: [&str; 3] = ["axum", "axum 0.7", "actix"];

/// Measures the rows that `mode` wants, and prints them.
pub fn run(mode: &Mode) -> Result<(), Box<dyn Error>> {
    let mut served = Vec::new();
    for framework in FRAMEWORKS {
        for (name, path, shows) in rows(framework) {
            let name = format!("{framework}: {name}");
            if matches!(mode, Mode::Time(_)) && mode.wants(&name) {
                served.push(Served::start(name, path, shows)?);
            }
        }
    }
    // The first round warms up.
    for round in 0..=ROUNDS {
        for row in &mut served {
            let asked = row.ask()?;
            if round > 0 {
                row.rounds.push(asked);
            }
        }
    }
    if served.is_empty() {
        return Ok(());
    }
    println!("\n{:<56} {:>12} {:>10} {:>10} {:>10}", "Over sockets", "requests/s", "p50, us", "p99, us", "CPU, us");
    for row in &served {
        let (name, [rate, p50, p99, processor]) = (&row.name, [0, 1, 2, 3].map(|column| median(row.column(column))));
        println!("  {name:<54} {rate:>12.0} {p50:>10.0} {p99:>10.0} {processor:>10.2}");
    }
    figures(&served);
    Ok(())
}

/// Name, path and token of each row that answers 200.
fn rows(framework: &str) -> Vec<(&'static str, &'static str, Shows)> {
    if framework == "axum 0.7" {
        return authorizer::ROWS.iter().map(|(name, _, shows)| (*name, "/", *shows)).collect();
    }
    ROWS.iter().filter(|row| row.status == 200).map(|row| (row.name, row.path, row.shows)).collect()
}

/// Serves the row `name` until it is killed: what [`run`] starts this program again for.
pub fn serve(name: &str) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("listening on {}", listener.local_addr()?);
    let (framework, name) = name.split_once(": ").ok_or("no such row")?;
    if framework == "axum 0.7" {
        let (_, layer, _) = authorizer::ROWS.iter().find(|row| row.0 == name).ok_or("no such row")?;
        let router = authorizer::router(*layer);
        return on_one_thread(async move { axum07::serve(listening(listener)?, router).tcp_nodelay(true).await });
    }
    let Row { guard, .. } = *ROWS.iter().find(|row| row.name == name).ok_or("no such row")?;
    if framework == "actix" {
        return Ok(actix::serve(guard, listener)?);
    }
    let router = axum::router(guard);
    on_one_thread(async move {
        use ::axum::serve::ListenerExt as _;
        let listener = listening(listener)?.tap_io(|stream| _ = stream.set_nodelay(true));
        ::axum::serve(listener, router).await
    })
}

fn listening(listener: TcpListener) -> std::io::Result<tokio::net::TcpListener> {
    listener.set_nonblocking(true)?;
    tokio::net::TcpListener::from_std(listener)
}

fn on_one_thread(server: impl Future<Output = std::io::Result<()>>) -> Result<(), Box<dyn Error>> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(server)?)
}

/// A row that is served.
struct Served {
    name: String,
    child: Child,
    url: String,
    field: String,
    /// Requests a second, microseconds of both percentiles, and of processor time a request.
    rounds: Vec<[f64; 4]>,
}

impl Served {
    fn start(name: String, path: &str, shows: Shows) -> Result<Self, Box<dyn Error>> {
        let mut command = Command::new("taskset");
        command.args(["-c", "0"]).arg(env::current_exe()?).args([SERVE, &name]);
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no standard output")?).read_line(&mut line)?;
        let address = line.trim().strip_prefix("listening on ").ok_or("it does not listen")?;
        let (url, field) = (format!("http://{address}{path}"), format!("Authorization: {}", shows.field()));
        Ok(Self { name, child, url, field, rounds: Vec::new() })
    }

    /// Asks for [`SECONDS`].
    fn ask(&self) -> Result<[f64; 4], Box<dyn Error>> {
        let before = self.processor_seconds()?;
        let mut wrk = Command::new("taskset");
        wrk.args([
            "-c",
            "1",
            "wrk",
            "-t1",
            "-c",
            CONNECTIONS,
            "-d",
            SECONDS,
            "--latency",
            "-H",
            &self.field,
            &self.url,
        ]);
        let output = String::from_utf8(wrk.output()?.stdout)?;
        let processor = self.processor_seconds()? - before;
        if output.contains("Non-2xx") || output.contains("Socket errors") {
            return Err(format!("{}: {output}", self.name).into());
        }
        let word = |label: &str, place: usize| {
            let line = output.lines().find(|line| line.trim_start().starts_with(label))?;
            line.split_whitespace().nth(place)
        };
        let asked = || -> Option<[f64; 4]> {
            let requests: f64 =
                output.lines().find_map(|line| line.trim().split_once(" requests in "))?.0.parse().ok()?;
            let rate = word("Requests/sec:", 1)?.parse().ok()?;
            Some([rate, micros(word("50%", 1)?)?, micros(word("99%", 1)?)?, processor * 1e6 / requests])
        };
        asked().ok_or_else(|| format!("{}: {output}", self.name).into())
    }

    /// Of all threads of the process, as the scheduler counts it.
    fn processor_seconds(&self) -> Result<f64, Box<dyn Error>> {
        let mut nanoseconds = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let text = fs::read_to_string(thread?.path().join("schedstat"))?;
            nanoseconds += text.split_whitespace().next().ok_or("no time")?.parse::<u64>()?;
        }
        Ok(nanoseconds as f64 / 1e9)
    }

    /// Of every round.
    fn column(&self, column: usize) -> Vec<f64> {
        self.rounds.iter().map(|round| round[column]).collect()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `1.23ms` and the like in microseconds.
fn micros(text: &str) -> Option<f64> {
    let number = |text: &str| text.parse::<f64>().ok();
    match (text.strip_suffix("us"), text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(text), ..) => number(text),
        (_, Some(text), _) => Some(number(text)? * 1e3),
        (.., Some(text)) => Some(number(text)? * 1e6),
        _ => None,
    }
}

fn figures(rows: &[Served]) {
    let processor = |name: &str| rows.iter().find(|row| row.name == name).map(|row| row.column(3));
    // Of the same round, so that a drift of the machine hits both.
    let ratio =
        |one: Vec<f64>, other: Vec<f64>| median(one.iter().zip(other).map(|(one, other)| one / other).collect());
    for framework in ["axum", "actix"] {
        let row = |name: &str| processor(&format!("{framework}: {name}"));
        let ours = "guarded, scope and entity token";
        for (what, beside, name, asked) in [
            ("open over guarded", "open, with state", "guarded", Asked::Nothing),
            ("open over guarded by scope and entity token", "open, with state", ours, Asked::Nothing),
            (
                "a developer token without entity over with entityId",
                "guarded, developer token",
                "guarded, developer token with entityId",
                Asked::AtLeast(0.97),
            ),
            ("times as fast as jsonwebtoken 9, EdDSA", "jsonwebtoken 9 (ring) EdDSA", ours, Asked::AtLeast(6.5)),
            ("times as fast as jsonwebtoken 11, EdDSA", "jsonwebtoken 11 (aws-lc-rs) EdDSA", ours, Asked::AtLeast(6.5)),
            ("times as fast as jsonwebtoken 9, ES256", "jsonwebtoken 9 (ring) ES256", ours, Asked::Nothing),
            ("times as fast as jsonwebtoken 11, ES256", "jsonwebtoken 11 (aws-lc-rs) ES256", ours, Asked::Nothing),
            ("times as fast as jsonwebtoken 9, HS256", "jsonwebtoken 9 (ring) HS256", ours, Asked::AtLeast(1.4)),
            ("times as fast as jsonwebtoken 11, HS256", "jsonwebtoken 11 (aws-lc-rs) HS256", ours, Asked::AtLeast(1.4)),
        ] {
            if let (Some(beside), Some(name)) = (row(beside), row(name)) {
                figure(format!("{framework} over sockets, {what}"), asked, ratio(beside, name), "x");
            }
        }
    }
    for algorithm in ["EdDSA", "HS256"] {
        let (open, behind) = (processor("axum 0.7: open"), processor(&format!("axum 0.7: jwt-authorizer {algorithm}")));
        if let (Some(open), Some(behind)) = (open, behind) {
            figure(
                format!("axum 0.7 over sockets, open over jwt-authorizer {algorithm}"),
                Asked::Nothing,
                ratio(open, behind),
                "x",
            );
        }
    }
}
