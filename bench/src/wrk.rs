//! Drives a program with `wrk`, by a script that takes another line of a file for each request.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::Failure;

/// What is asked of a program.
#[derive(Clone, Copy, Debug)]
pub enum Asking<'a> {
    /// `GET` of the path, each time with another line of the file as bearer token.
    Token { path: &'a str, tokens: &'a Path },
    /// `POST` to the path, each time with another line of the file as JSON body.
    Body { path: &'a str, bodies: &'a Path },
}

/// How a load was answered.
#[derive(Clone, Copy, Debug, Default)]
pub struct Answered {
    pub requests: f64,
    pub seconds: f64,
    /// Microseconds within which half of the answers came, and 99 of 100.
    pub p50: f64,
    pub p99: f64,
}

/// `wrk`, with its script.
#[derive(Debug)]
pub struct Wrk {
    script: PathBuf,
    /// Holds the script.
    _folder: TempDir,
}

/// How a load is put on.
#[derive(Clone, Copy, Debug)]
pub struct Load<'a> {
    /// The cores that wrk may use, as taskset has them.
    pub cores: &'a str,
    pub connections: usize,
    pub seconds: u64,
    /// How many lines of the file are used, over and over.
    pub lines: usize,
    /// The first of them to begin with.
    pub first: usize,
}

impl Wrk {
    pub fn new() -> Result<Self, Failure> {
        for (program, argument) in [("wrk", "--version"), ("taskset", "--version")] {
            let run = Command::new(program).arg(argument).output();
            run.map_err(|error| format!("`{program}` cannot be run: {error}; apt-get install wrk util-linux"))?;
        }
        let folder = TempDir::new()?;
        let script = folder.path().join("lines.lua");
        fs::write(&script, SCRIPT)?;
        Ok(Self { script, _folder: folder })
    }

    /// Asks `address` from `load.connections` connections at once, again and again. Any answer but a 2xx is an error.
    pub fn ask(&self, address: &str, asking: Asking<'_>, load: &Load<'_>) -> Result<Answered, Failure> {
        let (verb, path, file) = match asking {
            Asking::Token { path, tokens } => ("GET", path, tokens),
            Asking::Body { path, bodies } => ("POST", path, bodies),
        };
        let (connections, seconds) = (load.connections.to_string(), load.seconds.to_string());
        let mut command = Command::new("taskset");
        command.args(["-c", load.cores, "wrk", "-t1", "-c", &connections, "-d", &seconds, "-s"]).arg(&self.script);
        command.arg(format!("http://{address}{path}")).args(["--", verb, path]).arg(file);
        let output = command.args([load.lines.to_string(), load.first.to_string()]).output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let said = || format!("wrk: {text}{}", String::from_utf8_lossy(&output.stderr));
        let line = text.lines().find_map(|line| line.strip_prefix("answered ")).ok_or_else(said)?;
        let numbers = line.split(' ').map(str::parse).collect::<Result<Vec<f64>, _>>()?;
        let [requests, micros, p50, p99, refused, broken] = numbers[..] else { return Err(said().into()) };
        if requests == 0.0 || refused > 0.0 || broken > 0.0 {
            return Err(said().into());
        }
        Ok(Answered { requests, seconds: micros / 1e6, p50, p99 })
    }
}

const SCRIPT: &str = r#"
local verb, path, file, lines, at

function init(arguments)
    verb, path, lines = arguments[1], arguments[2], tonumber(arguments[4])
    file = assert(io.open(arguments[3], "rb"))
    at = tonumber(arguments[5]) % lines
    if at > 0 then
        -- Lines are of about one length: a guess, then the rest of the line that it met.
        local length = #file:read("*l") + 1
        file:seek("set", at * length - 1)
        file:read("*l")
    end
end

function request()
    local line = at < lines and file:read("*l")
    if not line then
        file:seek("set")
        at, line = 0, file:read("*l")
    end
    at = at + 1
    if verb == "GET" then
        return "GET " .. path .. " HTTP/1.1\r\nHost: ledger\r\nAuthorization: Bearer " .. line .. "\r\n\r\n"
    end
    return "POST " .. path .. " HTTP/1.1\r\nHost: ledger\r\nContent-Type: application/json\r\nContent-Length: "
        .. #line .. "\r\n\r\n" .. line
end

function done(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format("answered %d %d %d %d %d %d\n", summary.requests, summary.duration, latency:percentile(50),
        latency:percentile(99), errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
"#;
