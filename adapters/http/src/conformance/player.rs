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
    let checked = check(exchange, &request, &answer, file.errors.at(&request.target), &secrets(places));
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

#[cfg(test)]
mod tests {
    use futures_executor::block_on;
    use serde_json::json;

    use super::*;

    const SECRET: &str = "lb_live_0123456789abcdEF_0123456789012345678901234567890123456789012345678";

    /// A server whose answer's body is `body`, with what else a refusal has.
    fn played(file: &Value, status: u16, media_type: &str, body: &Value) -> Report {
        let places = [("key".to_owned(), SECRET.to_owned())].into();
        let fields = [
            ("content-type", media_type),
            ("cache-control", "no-store"),
            ("www-authenticate", "Basic realm=\"latchbook\""),
        ];
        let headers: Vec<_> = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let answer = Answer { status, headers, body: body.to_string().into() };
        let text = file.to_string();
        block_on(play_files(&[("file", &text)], &World { places }, async |_| Ok(answer.clone())))
    }

    fn file(errors: &str, want: &Value) -> Value {
        let exchange = json!({"row": "X1", "name": "asked", "for": ["twice"], "call": "GET /{{n}}", "want": want});
        json!({"about": "", "errors": errors, "tables": {"twice": [{"n": "1"}, {"n": "2"}]}, "exchanges": [exchange]})
    }

    #[test]
    fn every_difference_is_reported_with_what_was_asked() {
        let want = json!({"status": 400, "code": "x", "challenge": "Basic"});
        let report =
            played(&file("oauth", &want), 401, "application/json", &json!({"error": "x", "error_description": "y"}));
        assert_eq!((report.played, report.differences.len()), (2, 2));
        let shown = report.to_string();
        assert!(shown.contains("file X1: asked [\"2\"]\n    - status 401, wanted 400"), "{shown}");
        assert!(shown.ends_with("2 exchanges played, 2 differences"), "{shown}");
    }

    #[test]
    fn both_shapes_of_errors_are_known_and_not_taken_for_each_other() {
        let want = json!({"status": 401, "code": "invalid_client", "challenge": "Basic"});
        let oauth = json!({"error": "invalid_client", "error_description": "y"});
        let problem = json!({"type": "urn:latchbook:problem:invalid_client", "title": "Unauthorized", "status": 401,
                             "error": "invalid_client", "message": "y"});
        for (errors, media_type, body, differences) in [
            ("oauth", "application/json", &oauth, 0),
            ("problem", "application/problem+json", &problem, 0),
            ("oauth", "application/problem+json", &problem, 2),
            ("problem", "application/json", &oauth, 2),
            ("problem", "application/problem+json", &oauth, 2),
        ] {
            let report = played(&file(errors, &want), 401, media_type, body);
            assert_eq!(report.differences.len(), differences, "{errors} {media_type}: {report}");
        }
    }

    #[test]
    fn a_secret_in_a_refusal_is_found() {
        let want = json!({"status": 401, "code": "invalid_client", "challenge": "Basic"});
        let body = json!({"error": "invalid_client", "error_description": format!("no such key: {SECRET}")});
        let report = played(&file("oauth", &want), 401, "application/json", &body);
        assert!(report.to_string().contains("a key or a token is in the refusal"), "{report}");
    }

    #[test]
    fn a_file_that_cannot_be_played_is_a_difference() {
        let want = json!({"status": 200});
        let mut unknown = file("problem", &want);
        unknown["exchanges"][0]["for"] = json!(["none"]);
        let mut misspelt = file("problem", &want);
        misspelt["exchanges"][0]["wants"] = json!({});
        let mut unfilled = file("problem", &want);
        unfilled["exchanges"][0]["call"] = json!("GET /{{nothing}}");
        let mut unkept = file("problem", &json!({"status": 200, "challenge": "Basic"}));
        unkept["exchanges"][0]["keep"] = json!({"token": "/access_token"});
        for file in [json!({}), unknown, misspelt, unfilled, unkept] {
            let report = played(&file, 200, "application/json", &json!({}));
            assert!(!report.differences.is_empty(), "{file}");
        }
    }
}
