//! A bar that shows how far a long command is, on a terminal alone.

use std::io::{self, IsTerminal as _, Write as _};

use latchbook::moving::{self, Stage};

/// A bar on standard error; nothing where that is no terminal.
#[derive(Debug)]
pub(crate) struct Progress {
    shown: bool,
    /// What is drawn now: it is drawn anew when it would look different.
    drawn: String,
    /// How much the last whole stage of a move had, which the next ones have as well.
    all: Option<u64>,
    stage: Option<Stage>,
    done: u64,
}

impl Progress {
    /// A bar.
    pub(crate) fn new() -> Self {
        Self { shown: io::stderr().is_terminal(), drawn: String::new(), all: None, stage: None, done: 0 }
    }

    /// The same, unless the work's own lines go to a terminal too, which they would be mixed up with.
    pub(crate) fn beside_lines() -> Self {
        let mut progress = Self::new();
        progress.shown &= !io::stdout().is_terminal();
        progress
    }

    /// Shows that `done` of `all` is done; `all` is `None` where it is not known.
    pub(crate) fn show(&mut self, what: &str, done: u64, all: Option<u64>) {
        if !self.shown {
            return;
        }
        let line = line(what, done, all);
        if line != self.drawn {
            let _ = write!(io::stderr(), "\r\x1b[2K{line}");
            self.drawn = line;
        }
    }

    /// Shows how far a stage of a move is.
    pub(crate) fn stage(&mut self, told: &moving::Progress) {
        if self.stage != Some(told.stage) {
            self.all = self.stage.map(|_| self.done);
            self.stage = Some(told.stage);
        }
        self.done = told.rows;
        self.show(words(told.stage), told.rows, self.all.filter(|all| *all >= told.rows));
    }
}

fn words(stage: Stage) -> &'static str {
    match stage {
        Stage::Copying => "copying rows",
        Stage::ReadingSource => "reading the source again",
        Stage::ReadingTarget => "reading the copy again",
        Stage::Digesting => "reading rows",
        Stage::Checking => "checking rows",
        Stage::FindingChains => "looking for audit chains",
        Stage::Verifying => "verifying audit events",
        Stage::Pruning => "removing what has ended",
        Stage::Listing => "listing what is live",
        _ => "working",
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if !self.drawn.is_empty() {
            let _ = write!(io::stderr(), "\r\x1b[2K");
        }
    }
}

fn line(what: &str, done: u64, all: Option<u64>) -> String {
    let Some(all) = all.filter(|all| *all > 0) else { return format!("{what} {done}") };
    let done = done.min(all);
    // INVARIANT: `done` is at most `all`, so this is at most WIDTH.
    let full = usize::try_from(u128::from(done) * WIDTH as u128 / u128::from(all)).unwrap_or(WIDTH);
    format!("{what} [{}{}] {done}/{all}", "#".repeat(full), "-".repeat(WIDTH.saturating_sub(full)))
}

const WIDTH: usize = 30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_fills_up_and_never_over() {
        for (done, all, bars) in [(0, 10, 0), (5, 10, 15), (10, 10, 30), (99, 10, 30), (u64::MAX, u64::MAX, 30)] {
            let line = line("w", done, Some(all));
            assert_eq!(line.matches('#').count(), bars, "{line}");
            assert_eq!(line.matches(['#', '-']).count(), WIDTH, "{line}");
        }
        assert_eq!(line("copying rows", 7, None), "copying rows 7");
        assert_eq!(line("copying rows", 7, Some(0)), "copying rows 7");
    }
}
