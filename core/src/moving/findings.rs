//! What a check found: lines for people, bounded in number.

use std::fmt;

/// What a [`check`](super::check()) found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckReport {
    /// The rows that were read.
    pub rows: u64,
    /// What is wrong, one line each: the first hundred.
    pub findings: Vec<String>,
    /// How many more things are wrong.
    pub more: u64,
}

impl CheckReport {
    /// Whether nothing wrong was found.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.findings.is_empty()
    }

    pub(super) fn add(&mut self, finding: String) {
        if self.findings.len() < SHOWN { self.findings.push(finding) } else { self.more += 1 }
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.findings.iter().try_for_each(|finding| writeln!(f, "{finding}"))?;
        match (self.findings.len() as u64).saturating_add(self.more) {
            0 => write!(f, "{} rows, nothing wrong", self.rows),
            count if self.more == 0 => write!(f, "{} rows, wrong: {count}", self.rows),
            count => write!(f, "{} rows, wrong: {count}, of which {SHOWN} are shown", self.rows),
        }
    }
}

/// Most findings that are kept.
const SHOWN: usize = 100;
