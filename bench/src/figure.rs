//! Prints a figure beside what is asked of it, in the one form that `bench/run` gathers.
//!
//! A line is `figure | what | asked | reached | verdict`; the verdict is `met`, `MISSED`, or `-` where nothing is asked.

use std::fmt;

/// What is asked of a figure.
#[derive(Clone, Copy, Debug)]
#[allow(dead_code, reason = "not every measurement asks for each kind")]
pub enum Asked {
    AtLeast(f64),
    AtMost(f64),
    /// It is published, whatever it is.
    Nothing,
}

impl Asked {
    fn verdict(self, reached: f64) -> &'static str {
        let met = match self {
            Self::AtLeast(bound) => reached >= bound,
            Self::AtMost(bound) => reached <= bound,
            Self::Nothing => return "-",
        };
        if met { "met" } else { "MISSED" }
    }
}

/// Prints the figure `what`, which reached `reached`. `unit` is written after both numbers: `x`, `ns`, `MB`.
pub fn figure(what: impl fmt::Display, asked: Asked, reached: f64, unit: &str) {
    let bound = match asked {
        Asked::AtLeast(bound) => format!("at least {} {unit}", number(bound)),
        Asked::AtMost(bound) => format!("at most {} {unit}", number(bound)),
        Asked::Nothing => "-".to_owned(),
    };
    println!("figure | {what} | {bound} | {} {unit} | {}", number(reached), asked.verdict(reached));
}

/// Three digits behind the point for ratios, none for large numbers.
fn number(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 1_000.0 => 0,
        size if size >= 100.0 => 1,
        size if size >= 10.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}
