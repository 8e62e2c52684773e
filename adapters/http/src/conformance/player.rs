//! Plays exchanges against a server, and tells where its answers differ from the contract.

use std::fmt;

use serde_json::Value;

use super::check::{Sames, check};
use super::script::{Exchange, File, Places};
use super::{FILES, World};
use crate::testing::{Answer, RawRequest};

/// Plays every exchange of the contract, in order, and reports all differences. `send` sends one request and gives the
/// whole answer, or says why there is none.
pub async fn play(world: &World, send: impl AsyncFn(RawRequest) -> Result<Answer, String>) -> Report {
    play_files(FILES, world, send).await
}

/// Plays exchanges from other files: pairs of a name and a file's JSON, of the form that those of [`FILES`] have.
pub async fn play_files(
    files: &[(&str, &str)],
    world: &World,
    send: impl AsyncFn(RawRequest) -> Result<Answer, String>,
) -> Report {
    let mut report = Report::default();
    for (name, text) in files {
        match File::parse(text) {
            Ok(file) => play_file(name, &file, world, &send, &mut report).await,
            Err(what) => report.differ(name, "", "", what),
        }
    }
    report
}

async fn play_file(
    name: &str,
    file: &File,
    world: &World,
    send: &impl AsyncFn(RawRequest) -> Result<Answer, String>,
    report: &mut Report,
) {
    let mut sames = Sames::default();
    let mut places: Places =
        world.places.iter().map(|(name, value)| (name.clone(), Value::String(value.clone()))).collect();
    for exchange in &file.exchanges {
        let title = exchange.get("name").and_then(Value::as_str).unwrap_or_default();
        let row = exchange.get("row").and_then(Value::as_str).unwrap_or_default();
        let rows = match file.rows(exchange) {
            Ok(rows) => rows,
            Err(what) => {
                report.differ(name, row, title, what);
                continue;
            }
        };
        for values in rows {
            let filled = places.iter().chain(&values).map(|(name, value)| (name.clone(), value.clone())).collect();
            let played = match Exchange::fill(exchange, &filled) {
                Ok(exchange) => play_one(&exchange, file, send, &mut places, &mut sames).await,
                Err(what) => Err(what),
            };
            report.played += 1;
            if let Err(what) = played {
                let values: String = values.values().map(|value| format!(" [{:.60}]", value.to_string())).collect();
                report.differ(name, row, &format!("{title}{values}"), what);
            }
        }
    }
}

async fn play_one(
    exchange: &Exchange,
    file: &File,
    send: &impl AsyncFn(RawRequest) -> Result<Answer, String>,
    places: &mut Places,
    sames: &mut Sames,
) -> Result<(), String> {
    let request = exchange.request()?;
    let answer = send(request.clone()).await?;
    let checked = check(exchange, &request, &answer, file.errors, &secrets(places));
    let same = exchange.same.as_ref().map_or(Ok(()), |same| sames.check(same, &exchange.name, &answer));
    for (place, pointer) in &exchange.keep {
        let kept = answer.json().pointer(pointer).cloned();
        places.insert(place.clone(), kept.ok_or_else(|| format!("nothing to keep at `{pointer}`: {answer:?}"))?);
    }
    checked.and(same).map_err(|what| format!("{what}\n      answer: {answer:?}"))
}

/// Keys and tokens: whatever is long enough to be one.
fn secrets(places: &Places) -> Vec<String> {
    let texts = places.values().filter_map(Value::as_str);
    texts.filter(|text| text.len() >= 60 && !text.contains(' ')).map(str::to_owned).collect()
}

/// How a server did.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How many exchanges were played.
    pub played: usize,
    /// Where answers differ from the contract.
    pub differences: Vec<Difference>,
}

/// An answer that differs from the contract.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The file of the exchange, the row that it plays, and its name.
    pub exchange: String,
    /// What differs, with the answer.
    pub what: String,
}

impl Report {
    /// Demands that no answer differs.
    ///
    /// # Panics
    /// If one does; the message has all of them.
    #[track_caller]
    pub fn assert_none(&self) {
        assert!(self.played > 0 && self.differences.is_empty(), "{self}");
    }

    fn differ(&mut self, file: &str, row: &str, name: &str, what: String) {
        self.differences.push(Difference { exchange: format!("{file} {row}: {name}"), what });
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Difference { exchange, what } in &self.differences {
            writeln!(f, "  {exchange}\n    - {what}")?;
        }
        write!(f, "{} exchanges played, {} differences", self.played, self.differences.len())
    }
}
