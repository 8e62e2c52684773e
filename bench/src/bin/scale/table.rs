//! What was measured, as lines of a file that can be compared and drawn again.

use std::fs;
use std::path::Path;

use latchbook_bench::Failure;

const HEAD: &str = "program,store,keys,live_tokens,server_cores,measure,value";

/// What a value was measured of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point<'a> {
    pub program: &'a str,
    pub store: &'a str,
    pub keys: u64,
    pub tokens: u64,
    pub cores: u64,
}

/// One value. Its measure ends with its unit.
#[derive(Clone, Debug)]
pub struct Row {
    pub program: String,
    pub store: String,
    pub keys: u64,
    pub tokens: u64,
    pub cores: u64,
    pub measure: String,
    pub value: f64,
}

#[derive(Clone, Debug, Default)]
pub struct Table {
    rows: Vec<Row>,
}

impl Table {
    /// Adds a value, and shows it.
    pub fn add(&mut self, point: &Point<'_>, measure: &str, value: f64) {
        let Point { program, store, keys, tokens, cores } = *point;
        println!("{program} on {store}, {keys} keys, {tokens} tokens, {cores} cores: {measure} {value:.2}");
        let (program, store, measure) = (program.to_owned(), store.to_owned(), measure.to_owned());
        self.rows.push(Row { program, store, keys, tokens, cores, measure, value });
    }

    /// What there are values of, in the order that they were measured in.
    pub fn points(&self) -> Vec<Point<'_>> {
        let mut points: Vec<Point<'_>> = Vec::new();
        for Row { program, store, keys, tokens, cores, .. } in &self.rows {
            let point = Point { program, store, keys: *keys, tokens: *tokens, cores: *cores };
            if !points.contains(&point) {
                points.push(point);
            }
        }
        points
    }

    pub fn value(&self, point: &Point<'_>, measure: &str) -> Option<f64> {
        let found = self.rows.iter().find(|row| {
            row.measure == measure
                && (row.program.as_str(), row.store.as_str()) == (point.program, point.store)
                && (row.keys, row.tokens, row.cores) == (point.keys, point.tokens, point.cores)
        });
        found.map(|row| row.value)
    }

    /// The values of `measure` of the rows that `which` takes, by what `x` says of them, in its order.
    pub fn series(&self, measure: &str, which: impl Fn(&Row) -> bool, x: impl Fn(&Row) -> u64) -> Vec<(f64, f64)> {
        let rows = self.rows.iter().filter(|row| row.measure == measure && which(row));
        let mut points: Vec<_> = rows.map(|row| (x(row) as f64, row.value)).collect();
        points.sort_by(|one, other| one.0.total_cmp(&other.0));
        points
    }

    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        let mut text = format!("{HEAD}\n");
        for row in &self.rows {
            let Row { program, store, keys, tokens, cores, measure, value } = row;
            text.push_str(&format!("{program},{store},{keys},{tokens},{cores},{measure},{value:.3}\n"));
        }
        Ok(fs::write(path, text)?)
    }

    pub fn read(path: &Path) -> Result<Self, Failure> {
        let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let rows = text.lines().skip(1).map(|line| {
            let [program, store, keys, tokens, cores, measure, value] = line.split(',').collect::<Vec<_>>()[..] else {
                return Err(format!("no line of ours: {line}").into());
            };
            Ok(Row {
                program: program.to_owned(),
                store: store.to_owned(),
                keys: keys.parse()?,
                tokens: tokens.parse()?,
                cores: cores.parse()?,
                measure: measure.to_owned(),
                value: value.parse()?,
            })
        });
        Ok(Self { rows: rows.collect::<Result<_, Failure>>()? })
    }
}
