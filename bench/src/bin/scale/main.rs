//! Measures how the reference programs grow: with keys in the store, with live tokens, and with cores.
//!
//! Build the programs in the repository's root with `cargo build --release -p latchbook-ledger --bins`, then run in this
//! folder `cargo run --release --bin scale -- ../target/release`. It drives them with wrk (`apt-get install wrk`), writes
//! what it measured to `scale.csv`, and from it the drawings and tables of `docs/performance.md`. Words after the folder: `quick` for a trial
//! that writes into `target/scale` alone, `draw` to draw again what the file has. Filled stores are kept in
//! `target/scale`; delete it after a change of their format.
//!
//! Where there are two cores, a program on one of them leaves the other to wrk, and a program on two shares both with it.

mod keys;
mod live;
mod page;
mod plots;
mod table;

use std::fs;
use std::path::{Path, PathBuf};

use latchbook_bench::Failure;
use latchbook_bench::figure::{Asked, figure};
use latchbook_bench::wrk::Wrk;
use page::thousands;
use table::{Point, Table};

/// How much is measured.
pub struct Plan {
    keys: Vec<u64>,
    tokens: Vec<usize>,
    /// How often a program is started, and how often a load is put on.
    starts: usize,
    rounds: usize,
}

/// Where everything is.
pub struct Place {
    programs: PathBuf,
    folder: PathBuf,
    wrk: Wrk,
}

impl Place {
    fn program(&self, framework: &str) -> Result<PathBuf, Failure> {
        let program = self.programs.join(format!("ledger-{framework}"));
        Ok(program.canonicalize().map_err(|error| format!("{}: {error}", program.display()))?)
    }
}

fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let said = |word: &str| words.iter().any(|given| given == word);
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = home.join("target/scale");
    fs::create_dir_all(&folder)?;
    let quick = said("quick");
    let docs = home.join("../docs");
    let (data, drawings) = if quick {
        (folder.join("scale.csv"), folder.clone())
    } else {
        (home.join("scale.csv"), docs.join("performance"))
    };
    let show = |table: &Table| {
        plots::draw(table, &drawings)?;
        if quick { Ok(()) } else { page::write(table, &docs.join("performance.md")) }
    };
    if said("draw") {
        return show(&Table::read(&data)?);
    }
    let plan = if quick {
        Plan { keys: vec![1_000, 20_000], tokens: vec![10, 1_000, 20_000], starts: 3, rounds: 1 }
    } else {
        Plan {
            keys: vec![1_000, 100_000, 1_000_000],
            tokens: vec![10, 1_000, 10_000, 100_000, 1_000_000],
            starts: 7,
            rounds: 3,
        }
    };
    let programs = words.first().filter(|word| *word != "quick").map_or("../target/release", String::as_str);
    let place = Place { programs: PathBuf::from(programs), folder, wrk: Wrk::new()? };
    let mut table = Table::default();
    keys::measure(&place, &plan, &mut table)?;
    live::measure(&place, &plan, &mut table)?;
    table.write(&data)?;
    show(&table)?;
    figures(&table, &plan);
    Ok(())
}

/// What the issue asks for, and what is worth a line beside it.
fn figures(table: &Table, plan: &Plan) {
    let keys = plan.keys.last().copied().unwrap_or_default();
    for store in ["redb", "sqlite"] {
        let point = Point { program: "axum", store, keys, tokens: 0, cores: 1 };
        for (what, name, bound, unit) in [
            ("start_ms", "ready after a clean stop", 100.0, "ms"),
            ("start_killed_ms", "ready after kill -9", 100.0, "ms"),
            ("idle_mb", "idle memory", 60.0, "MB"),
        ] {
            if let Some(value) = table.value(&point, what) {
                figure(
                    format!("ledger-axum on {store} with {} keys: {name}", thousands(keys as f64)),
                    Asked::AtMost(bound),
                    value,
                    unit,
                );
            }
        }
    }
    let few = plan.tokens.first().map_or(0, |count| *count as u64);
    let many = plan.tokens.last().map_or(0, |count| *count as u64);
    let at = |tokens| Point { program: "axum", store: "redb", keys, tokens, cores: 1 };
    let memory = |tokens| table.value(&at(tokens), "resident_mb");
    if let (Some(before), Some(after)) = (memory(few), memory(many)) {
        let each = (after - before) * 1e6 / (many - few) as f64;
        figure(
            format!("resident memory per live token, {} of them", thousands(many as f64)),
            Asked::Nothing,
            each,
            "bytes",
        );
    }
}
