//! The tables of `docs/performance.md`, written between their marks from what was measured.

use std::fs;
use std::path::Path;
use std::process::Command;

use latchbook_bench::Failure;

use crate::table::{Point, Table};

/// Writes the tables into `page`.
pub fn write(table: &Table, page: &Path) -> Result<(), Failure> {
    let text = fs::read_to_string(page).map_err(|error| format!("{}: {error}", page.display()))?;
    let text = between(&text, "machine", &machine())?;
    let text = between(&text, "keys", &by_keys(table))?;
    let text = between(&text, "tokens", &by_tokens(table))?;
    Ok(fs::write(page, text)?)
}

/// `text` with `inner` between the marks of `name`.
fn between(text: &str, name: &str, inner: &str) -> Result<String, Failure> {
    let (begin, end) = (format!("<!-- scale: {name} -->\n"), "<!-- end -->");
    let (head, rest) = text.split_once(&begin).ok_or_else(|| format!("the page has no mark `{begin}`"))?;
    let (_, tail) = rest.split_once(end).ok_or("the page has a mark without its end")?;
    Ok(format!("{head}{begin}{inner}{end}{tail}"))
}

fn machine() -> String {
    let said = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let models: Vec<_> =
        processor.lines().filter_map(|line| line.strip_prefix("model name")?.split_once(": ")).collect();
    let model = models.first().map_or("an unknown processor", |(_, name)| name);
    let day = said("date", &["-u", "+%Y-%m-%d"]).unwrap_or_default();
    let kernel = said("uname", &["-sr"]).unwrap_or_default();
    format!("Last run: {day}, {} x {model}, {kernel}.\n", models.len())
}

fn by_keys(table: &Table) -> String {
    let columns = [
        ("ready, clean stop, ms", "start_ms", 0),
        ("ready, kill -9, ms", "start_killed_ms", 0),
        ("idle memory, MB", "idle_mb", 1),
        ("exchanges a second", "exchange_rps", 0),
        ("p50 / us", "exchange_p50_us", 0),
        ("p99 / us", "exchange_p99_us", 0),
        ("processor time / us", "exchange_cpu_us", 0),
        ("guarded request, processor time / us", "guarded_cpu_us", 1),
    ];
    let points = table.points().into_iter().filter(|point| point.tokens == 0);
    let first = |point: &Point<'_>| format!("{}, {}", point.store, thousands(point.keys as f64));
    print(table, "store, keys", points, first, &columns)
}

fn by_tokens(table: &Table) -> String {
    let columns = [
        ("open, us", "open_cpu_us", 2),
        ("guarded, us", "guarded_cpu_us", 2),
        ("guarded a second", "guarded_rps", 0),
        ("p50 / us", "guarded_p50_us", 0),
        ("p99 / us", "guarded_p99_us", 0),
        ("first seen, a second", "first_seen_rps", 0),
        ("resident memory, MB", "resident_mb", 0),
    ];
    let points = table.points().into_iter().filter(|point| point.tokens > 0);
    let first = |point: &Point<'_>| {
        let cores = if point.cores == 1 { "one core" } else { "two cores" };
        format!("{}, {cores}, {}", point.program, thousands(point.tokens as f64))
    };
    print(table, "program, live tokens", points, first, &columns)
}

fn print<'a>(
    table: &Table,
    head: &str,
    points: impl Iterator<Item = Point<'a>>,
    first: impl Fn(&Point<'a>) -> String,
    columns: &[(&str, &str, usize)],
) -> String {
    let names: Vec<_> = columns.iter().map(|(name, ..)| *name).collect();
    let mut text = format!("| {head} | {} |\n|---|{}\n", names.join(" | "), "---:|".repeat(columns.len()));
    for point in points {
        let cells = columns.iter().map(|(_, measure, digits)| match table.value(&point, measure) {
            Some(value) if *digits == 0 => thousands(value),
            Some(value) => format!("{value:.digits$}"),
            None => String::new(),
        });
        text.push_str(&format!("| {} | {} |\n", first(&point), cells.collect::<Vec<_>>().join(" | ")));
    }
    text
}

/// A whole number, with commas between thousands.
pub fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::with_capacity(digits.len() + 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
