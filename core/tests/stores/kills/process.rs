//! The process that is killed: this test program again, running one test of it that writes.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::Tally;

/// The variable that names the store to the process.
pub const STORE: &str = "LATCHBOOK_CRASH_TEST_STORE";
const FIRST: &str = "LATCHBOOK_CRASH_TEST_FIRST";

/// How often to kill: `LATCHBOOK_KILL_CYCLES`, else `short`.
pub fn cycles(short: u64) -> u64 {
    std::env::var("LATCHBOOK_KILL_CYCLES").map_or(short, |text| text.parse().expect("LATCHBOOK_KILL_CYCLES: a number"))
}

/// A moment of its own within `span` for each cycle, so that kills meet every step of a change.
pub fn moment(cycle: u64, span: Duration) -> Duration {
    let span = u64::try_from(span.as_micros()).unwrap();
    // Primes, so that no moment comes twice soon.
    Duration::from_micros((cycle * 2_713 + cycle * cycle * 7_919) % span)
}

/// The store and the first number that this process is to write, where it is the one that is killed.
pub fn told() -> Option<(std::ffi::OsString, u64)> {
    Some((std::env::var_os(STORE)?, std::env::var(FIRST).unwrap().parse().unwrap()))
}

/// A process that writes; it ends by itself if this is dropped.
pub struct Process {
    child: Child,
    lines: Receiver<String>,
}

impl Process {
    /// Runs the test `name`, which writes into `store`, from numbers on that no earlier cycle used.
    pub fn start(name: &str, store: &OsStr, cycle: u64) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(STORE, store)
            .env(FIRST, (cycle * 1_000_000).to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            // A line without an end was cut by the kill: it acknowledges nothing that can be told.
            while out.read_line(&mut line).is_ok_and(|length| length > 0) && line.ends_with('\n') {
                if sender.send(std::mem::take(&mut line).trim_end().to_owned()).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    /// Waits for one more acknowledgement.
    pub fn await_one(&mut self, tally: &mut Tally) {
        loop {
            let line = self.lines.recv_timeout(Duration::from_secs(120)).expect("an acknowledgement");
            if tally.hear(&line) {
                return;
            }
        }
    }

    /// Notes what was said so far.
    pub fn listen(&mut self, tally: &mut Tally) {
        while let Ok(line) = self.lines.try_recv() {
            tally.hear(&line);
        }
    }

    /// `kill -9`, and whatever it said before.
    pub fn kill(mut self, tally: &mut Tally) {
        assert_eq!(self.child.try_wait().unwrap(), None, "it failed before it was killed");
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        for line in &self.lines {
            tally.hear(&line);
        }
    }

    /// Tells it to settle what is not known, and to end.
    pub fn end(mut self, tally: &mut Tally) {
        drop(self.child.stdin.take());
        for line in &self.lines {
            tally.hear(&line);
        }
        assert!(self.child.wait().unwrap().success(), "it could not settle everything");
    }
}
