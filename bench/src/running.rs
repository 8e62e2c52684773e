//! A program of the example, started for a measurement.
#![allow(dead_code, reason = "each measurement uses its own part of this")]

use std::error::Error;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// A program that listens.
pub struct Running {
    child: Child,
    /// `HOST:PORT`.
    pub address: String,
    /// From the start to `listening on`.
    pub milliseconds: f64,
}

impl Running {
    pub fn start(program: &Path, folder: &Path, arguments: &[&str]) -> Result<Self, Box<dyn Error>> {
        let mut command = Command::new(program);
        command.current_dir(folder).args(["--listen", "127.0.0.1:0"]).args(arguments);
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
    pub fn end(mut self, cleanly: bool) -> Result<(), Box<dyn Error>> {
        if cleanly {
            Command::new("kill").arg(self.child.id().to_string()).status()?;
        } else {
            self.child.kill()?;
        }
        self.child.wait()?;
        Ok(())
    }

    /// The line `name` of a file of the process in `/proc`, in megabytes of a million bytes.
    pub fn megabytes(&self, file: &str, name: &str) -> Option<f64> {
        let text = fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).ok()?;
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        let kibibytes: f64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kibibytes * 1024.0 / 1e6)
    }

    /// Opens a sandbox: the answer's text.
    pub fn open_sandbox(&self) -> Result<String, Box<dyn Error>> {
        let body = r#"{"name": "Platypus Trading", "developer_id": "platypus"}"#;
        let mut stream = TcpStream::connect(&self.address)?;
        write!(
            stream,
            "POST /v1/sandbox HTTP/1.1\r\nHost: ledger\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        if answer.starts_with("HTTP/1.1 201 ") { Ok(answer) } else { Err("no sandbox was opened".into()) }
    }

    /// Seconds of processor time that the process has used, from `/proc`.
    pub fn processor_seconds(&self) -> Option<f64> {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).ok()?;
        // The name of the program, which may hold anything, ends with the last parenthesis.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |place: usize| fields.get(place)?.parse::<f64>().ok();
        // Linux counts a hundred of them a second.
        Some((ticks(11)? + ticks(12)?) / 100.0)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
