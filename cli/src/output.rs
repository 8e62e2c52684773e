//! What a command says on standard output: JSON by the line, or text for people.

use std::io::{self, Write as _};

use serde::Serialize;
use zeroize::Zeroizing;

use crate::failure::Failure;

/// How a command answers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    /// One JSON value a line; else text for people.
    pub(crate) json: bool,
}

impl Output {
    /// One answer: `value`, or `fields` one below the other.
    pub(crate) fn one(self, value: &impl Serialize, fields: &[(&str, String)]) -> Result<(), Failure> {
        if self.json {
            return self.value(value);
        }
        let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        for (name, text) in fields {
            self.line(format!("{name:width$}  {text}").trim_end())?;
        }
        Ok(())
    }

    /// One answer: `value`, or a line of text.
    pub(crate) fn said(self, value: &impl Serialize, text: &str) -> Result<(), Failure> {
        if self.json { self.value(value) } else { self.line(text) }
    }

    /// A list that is given row by row.
    pub(crate) fn table<const N: usize>(self, headings: [&'static str; N]) -> Table<N> {
        Table { json: self.json, headings, widths: headings.map(str::len), waiting: Vec::new(), headed: false }
    }

    /// `value` as a line of JSON. It may hold a secret: what it was put together in is wiped.
    pub(crate) fn value(self, value: &impl Serialize) -> Result<(), Failure> {
        // Sized so that growing hardly ever leaves a part of it behind in freed memory.
        let mut line = Zeroizing::new(Vec::with_capacity(4096));
        serde_json::to_writer(&mut *line, value).map_err(Failure::failed)?;
        line.push(b'\n');
        write(&line)
    }

    /// A line of text.
    pub(crate) fn line(self, text: &str) -> Result<(), Failure> {
        let mut line = Zeroizing::new(Vec::with_capacity(text.len() + 1));
        line.extend_from_slice(text.as_bytes());
        line.push(b'\n');
        write(&line)
    }
}

/// A list: lines of JSON, or columns below headings.
#[derive(Debug)]
pub(crate) struct Table<const N: usize> {
    json: bool,
    headings: [&'static str; N],
    widths: [usize; N],
    waiting: Vec<[String; N]>,
    headed: bool,
}

impl<const N: usize> Table<N> {
    /// The next row: `value`, or `cells`.
    pub(crate) fn row(&mut self, value: &impl Serialize, cells: [String; N]) -> Result<(), Failure> {
        if self.json {
            return Output { json: true }.value(value);
        }
        self.waiting.push(cells);
        // Columns are as wide as the rows so far want: a list of any length is shown without waiting for its end.
        if self.waiting.len() >= SHOWN_AT_ONCE { self.show() } else { Ok(()) }
    }

    /// Shows what waits.
    pub(crate) fn end(mut self) -> Result<(), Failure> {
        self.show()
    }

    fn show(&mut self) -> Result<(), Failure> {
        let waiting = std::mem::take(&mut self.waiting);
        for row in &waiting {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut text = String::new();
        if !self.headed && !waiting.is_empty() {
            self.headed = true;
            text.push_str(&aligned(&self.headings.map(str::to_owned), &self.widths));
        }
        waiting.iter().for_each(|row| text.push_str(&aligned(row, &self.widths)));
        write(text.as_bytes())
    }
}

fn aligned(cells: &[String], widths: &[usize]) -> String {
    let padded = cells.iter().zip(widths).map(|(cell, &width)| format!("{cell:width$}"));
    format!("{}\n", padded.collect::<Vec<_>>().join("  ").trim_end())
}

fn write(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(Failure::output)
}

const SHOWN_AT_ONCE: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_by_characters() {
        let row = |a: &str, b: &str| aligned(&[a.to_owned(), b.to_owned()], &[4, 2]);
        assert_eq!(row("é", "b"), "é     b\n");
        assert_eq!(row("abcd", ""), "abcd\n");
        assert_eq!(row("longer", "b"), "longer  b\n");
    }
}
