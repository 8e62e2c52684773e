//! A bar that shows how far a long command is, on a terminal alone.

use std::io::{self, IsTerminal as _, Write as _};

/// A bar on standard error; nothing where that is no terminal.
#[derive(Debug)]
pub(crate) struct Progress {
    what: &'static str,
    shown: bool,
    /// What is drawn now: it is drawn anew when it would look different.
    drawn: String,
}

impl Progress {
    /// A bar for work of `what`, such as "making keys".
    pub(crate) fn new(what: &'static str) -> Self {
        Self { what, shown: io::stderr().is_terminal(), drawn: String::new() }
    }

    /// The same, unless the work's own lines go to a terminal too, which they would be mixed up with.
    pub(crate) fn beside_lines(what: &'static str) -> Self {
        let mut progress = Self::new(what);
        progress.shown &= !io::stdout().is_terminal();
        progress
    }

    /// Shows that `done` of `all` is done; `all` is `None` where it is not known.
    pub(crate) fn show(&mut self, done: u64, all: Option<u64>) {
        if !self.shown {
            return;
        }
        let line = line(self.what, done, all);
        if line != self.drawn {
            let _ = write!(io::stderr(), "\r\x1b[2K{line}");
            self.drawn = line;
        }
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
