//! A program of the example, started for a measurement.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use crate::Failure;

/// A program that listens.
#[derive(Debug)]
pub struct Running {
    child: Child,
    /// `HOST:PORT`.
    pub address: String,
    /// From the start to `listening on`.
    pub milliseconds: f64,
}

impl Running {
    /// Starts `program` in `folder`.
    pub fn start(program: &Path, folder: &Path, arguments: &[&str]) -> Result<Self, Failure> {
        Self::run(Command::new(program), folder, arguments)
    }

    /// The same, on these cores alone, as `taskset` has them.
    pub fn start_on(cores: &str, program: &Path, folder: &Path, arguments: &[&str]) -> Result<Self, Failure> {
        let mut command = Command::new("taskset");
        command.args(["-c", cores]).arg(program);
        Self::run(command, folder, arguments)
    }

    fn run(mut command: Command, folder: &Path, arguments: &[&str]) -> Result<Self, Failure> {
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
    pub fn end(mut self, cleanly: bool) -> Result<(), Failure> {
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
    pub fn open_sandbox(&self) -> Result<String, Failure> {
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

    /// Seconds of processor time that the threads of the process have used, from `/proc`, by the scheduler's own count.
    pub fn processor_seconds(&self) -> Result<f64, Failure> {
        let mut nanoseconds = 0_u64;
        for thread in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            // One that has just ended has no time to read any more.
            let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
            nanoseconds += text.split_whitespace().next().ok_or("no time in schedstat")?.parse::<u64>()?;
        }
        Ok(nanoseconds as f64 / 1e9)
    }

    /// A number of `GET /metrics`.
    pub fn metric(&self, name: &str) -> Result<f64, Failure> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: ledger\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let line = answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(line.ok_or_else(|| format!("no metric `{name}`"))?.parse()?)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
