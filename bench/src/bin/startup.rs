//! Measures `ledger-axum`: from its start to `listening on` over a store that is there, and its memory when idle.
//!
//! Build it in the repository's root with `cargo build --release --bin ledger-axum`, then run in this folder
//! `cargo run --release --bin startup -- ../target/release/ledger-axum`. Memory is read from `/proc`, on Linux alone.

use std::env;
use std::error::Error;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const ROUNDS: usize = 20;
/// What is aimed at.
const GOAL_MILLISECONDS: f64 = 100.0;
const GOAL_MEGABYTES: f64 = 30.0;

/// A program that listens.
struct Running {
    child: Child,
    address: String,
    milliseconds: f64,
}

impl Running {
    fn start(program: &Path, folder: &Path) -> Result<Self, Box<dyn Error>> {
        let mut command = Command::new(program);
        command.current_dir(folder).args(["--listen", "127.0.0.1:0"]);
        for variable in ["LATCHBOOK_MASTER_KEY", "LATCHBOOK_MASTER_KEY_FILE", "RUST_LOG"] {
            command.env_remove(variable);
        }
        let began = Instant::now();
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no standard output")?).read_line(&mut line)?;
        let milliseconds = began.elapsed().as_secs_f64() * 1e3;
        let address = line.trim().strip_prefix("listening on http://").ok_or("it does not listen")?.to_owned();
        Ok(Self { child, address, milliseconds })
    }

    /// Tells it to stop, or kills it.
    fn end(mut self, cleanly: bool) -> Result<(), Box<dyn Error>> {
        if cleanly {
            Command::new("kill").arg(self.child.id().to_string()).status()?;
        } else {
            self.child.kill()?;
        }
        self.child.wait()?;
        Ok(())
    }

    /// The line `name` of a file of the process in `/proc`, in megabytes of a million bytes.
    fn megabytes(&self, file: &str, name: &str) -> Option<f64> {
        let text = fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).ok()?;
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        let kibibytes: f64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kibibytes * 1024.0 / 1e6)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let program = env::args_os().nth(1).map_or_else(|| PathBuf::from("../target/release/ledger-axum"), PathBuf::from);
    let program = program.canonicalize().map_err(|error| format!("{}: {error}", program.display()))?;
    let folder = env::temp_dir().join(format!("latchbook-startup-{}", std::process::id()));
    fs::create_dir(&folder)?;
    let measured = measure(&program, &folder);
    fs::remove_dir_all(&folder)?;
    measured
}

fn measure(program: &Path, folder: &Path) -> Result<(), Box<dyn Error>> {
    let first = Running::start(program, folder)?;
    println!("{:<40} {:>8.1} ms", "first start, the store is made", first.milliseconds);
    open_sandbox(&first.address)?;
    first.end(true)?;
    for (name, cleanly) in [("start, after a clean stop", true), ("start, after kill -9", false)] {
        let mut times = Vec::with_capacity(ROUNDS);
        for _ in 0..=ROUNDS {
            let running = Running::start(program, folder)?;
            times.push(running.milliseconds);
            running.end(cleanly)?;
        }
        // The first of them followed another kind of end.
        let mut times = times.split_off(1);
        times.sort_by(f64::total_cmp);
        let at = |place: usize| times.get(place).copied().unwrap_or_default();
        let (median, worst) = ((at(ROUNDS / 2 - 1) + at(ROUNDS / 2)) / 2.0, at(ROUNDS - 1));
        println!("{name:<40} {median:>8.1} ms, worst {worst:.1}{}", verdict(median, GOAL_MILLISECONDS));
    }
    let idle = Running::start(program, folder)?;
    sleep(Duration::from_secs(3));
    for (name, file, row) in
        [("idle memory, resident", "status", "VmRSS"), ("idle memory, its share", "smaps_rollup", "Pss")]
    {
        match idle.megabytes(file, row) {
            Some(megabytes) => println!("{name:<40} {megabytes:>8.1} MB{}", verdict(megabytes, GOAL_MEGABYTES)),
            None => println!("{name:<40} skipped: no /proc here"),
        }
    }
    idle.end(true)
}

fn verdict(value: f64, goal: f64) -> String {
    format!(" ({} the goal of {goal:.0})", if value < goal { "within" } else { "MISSES" })
}

/// So that the store is not an empty one.
fn open_sandbox(address: &str) -> Result<(), Box<dyn Error>> {
    let body = r#"{"name": "Platypus Trading", "developer_id": "platypus"}"#;
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "POST /v1/sandbox HTTP/1.1\r\nHost: ledger\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    if answer.starts_with("HTTP/1.1 201 ") { Ok(()) } else { Err("no sandbox was opened".into()) }
}
