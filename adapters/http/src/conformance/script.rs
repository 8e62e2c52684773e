//! The files of exchanges: how they are read, and how their places are filled.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::testing::RawRequest;

/// A file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// What it is about, for people.
    #[serde(rename = "about")]
    _about: String,
    /// The shape of its errors.
    #[serde(default)]
    pub(super) errors: Errors,
    /// Rows that exchanges can be played for; each gives values to places of its own.
    #[serde(default)]
    pub(super) tables: BTreeMap<String, Vec<Map<String, Value>>>,
    /// The exchanges, each an [`Exchange`] once its places are filled.
    pub(super) exchanges: Vec<Value>,
}

/// The shape of an error's body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Errors {
    /// Problem details (RFC 9457), everywhere outside `/oauth`.
    #[default]
    Problem,
    /// `{"error", "error_description"}` (RFC 6749 §5.2).
    Oauth,
}

impl Errors {
    /// The shape at `target`: the `/v1` paths have problem details whatever the file is about.
    pub(super) fn at(self, target: &str) -> Self {
        if target.starts_with("/v1/") { Self::Problem } else { self }
    }
}

/// An exchange with its places filled.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Exchange {
    /// The rows of the threat list that it plays, or the section of the contract.
    #[serde(rename = "row")]
    _row: String,
    /// What happens, as a sentence.
    pub(super) name: String,
    /// The tables that it is played for: every combination of their rows.
    #[serde(default, rename = "for")]
    _tables: Vec<String>,
    /// Method and target.
    call: String,
    /// A bearer token to send.
    #[serde(default, rename = "as")]
    bearer: Option<String>,
    /// Fields. One character of a value is one byte.
    #[serde(default)]
    headers: Vec<(String, String)>,
    /// A body as JSON, sent as `application/json`.
    #[serde(default)]
    json: Option<Value>,
    /// A body as text.
    #[serde(default)]
    body: Option<String>,
    pub(super) want: Want,
    /// What to keep of the answer for later exchanges: place to JSON pointer.
    #[serde(default)]
    pub(super) keep: BTreeMap<String, String>,
    /// Answers that share this name are equal, to the byte.
    #[serde(default)]
    pub(super) same: Option<String>,
}

/// What must come back.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Want {
    /// The status, or those that are allowed.
    pub(super) status: Statuses,
    /// The error's code.
    #[serde(default)]
    pub(super) code: Option<String>,
    /// The challenge without its realm: `Bearer`, `Bearer invalid_token`, `Bearer insufficient_scope ledger:read`, …;
    /// where it is not said there is none.
    #[serde(default)]
    pub(super) challenge: Option<String>,
    /// Fields with their values; `null` for one that is not there.
    #[serde(default)]
    pub(super) headers: BTreeMap<String, Option<String>>,
    /// Members of the body; see `check::matches`.
    #[serde(default)]
    pub(super) body: Option<Value>,
    /// What an access token in the body says.
    #[serde(default)]
    pub(super) claims: Option<Claims>,
    /// Texts that the answer holds nowhere.
    #[serde(default)]
    pub(super) never: Vec<String>,
}

/// One status or several.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Statuses {
    One(u16),
    Several(Vec<u16>),
}

/// What an access token says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Claims {
    /// Where it stands, as a JSON pointer.
    #[serde(rename = "in")]
    pub(super) place: String,
    /// Members of its header.
    #[serde(default)]
    pub(super) header: Option<Value>,
    /// Its claims.
    #[serde(default)]
    pub(super) payload: Option<Value>,
}

/// Values of places.
pub(super) type Places = BTreeMap<String, Value>;

impl File {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    /// Every combination of the rows that an exchange is to be played for.
    pub(super) fn rows(&self, exchange: &Value) -> Result<Vec<Places>, String> {
        let names = exchange.get("for").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let mut combined = vec![Places::new()];
        for name in names {
            let name = name.as_str().unwrap_or_default();
            let rows = self.tables.get(name).ok_or_else(|| format!("there is no table `{name}`"))?;
            let longer = |before: &Places| {
                let before = before.clone();
                rows.iter().map(move |row| before.clone().into_iter().chain(row.clone()).collect::<Places>())
            };
            combined = combined.iter().flat_map(longer).collect();
        }
        Ok(combined)
    }
}

impl Exchange {
    /// `exchange` with its places filled.
    pub(super) fn fill(exchange: &Value, places: &Places) -> Result<Self, String> {
        serde_json::from_value(fill(exchange, places)?).map_err(|error| error.to_string())
    }

    /// The request.
    pub(super) fn request(&self) -> Result<RawRequest, String> {
        let (method, target) = self.call.split_once(' ').ok_or("`call` must be a method, a space and a target")?;
        let mut request = RawRequest::new(method, target);
        if let Some(bearer) = &self.bearer {
            request = request.header("Authorization", format!("Bearer {bearer}"));
        }
        for (name, value) in &self.headers {
            let bytes = value.chars().map(|character| u8::try_from(u32::from(character)));
            let bytes = bytes.collect::<Result<Vec<u8>, _>>().map_err(|_| "a field's value has bytes alone")?;
            request = request.header(name, bytes);
        }
        if let Some(json) = &self.json {
            request = request.json(json);
        }
        if let Some(body) = &self.body {
            request.body = Some(body.clone().into_bytes());
        }
        Ok(request)
    }
}

/// `value` with `{{…}}` filled in every text. A text that is nothing but a place becomes the place's value, whatever
/// its type.
fn fill(value: &Value, places: &Places) -> Result<Value, String> {
    Ok(match value {
        Value::String(text) => fill_text(text, places)?,
        Value::Array(items) => items.iter().map(|item| fill(item, places)).collect::<Result<_, _>>()?,
        Value::Object(members) => {
            let filled = members.iter().map(|(name, value)| Ok((name.clone(), fill(value, places)?)));
            Value::Object(filled.collect::<Result<_, String>>()?)
        }
        plain => plain.clone(),
    })
}

fn fill_text(text: &str, places: &Places) -> Result<Value, String> {
    let whole = text.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")).filter(|name| !name.contains('{'));
    if let Some(name) = whole {
        // A row's value may have places itself.
        return match find(name, places)? {
            value if value == Value::String(text.to_owned()) => Err(format!("the place `{name}` names itself")),
            value => fill(&value, places),
        };
    }
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").ok_or("a place has no end")?;
        filled.push_str(before);
        match fill(&find(name, places)?, places)? {
            Value::String(value) => filled.push_str(&value),
            other => filled.push_str(&other.to_string()),
        }
        rest = after;
    }
    filled.push_str(rest);
    Ok(Value::String(filled))
}

fn find(name: &str, places: &Places) -> Result<Value, String> {
    if let Some(count) = name.strip_prefix("fill:") {
        let count = count.parse().map_err(|_| format!("`{count}` is no count"))?;
        return Ok(Value::String("a".repeat(count)));
    }
    places.get(name).cloned().ok_or_else(|| format!("there is no place `{name}`"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn places() -> Places {
        let places = json!({"a": "1", "n": 2, "deep": {"k": "{{a}}!"}, "self": "{{self}}"});
        serde_json::from_value(places).expect("places")
    }

    #[test]
    fn places_are_filled_in_texts_and_whole() {
        let filled = fill(&json!({"x": ["a{{a}}{{n}}", "{{n}}", "{{deep}}", "{{fill:3}}"], "y": null}), &places());
        assert_eq!(filled, Ok(json!({"x": ["a12", 2, {"k": "1!"}, "aaa"], "y": null})));
        for bad in ["{{none}}", "{{a", "x{{none}}", "{{fill:x}}", "{{self}}"] {
            assert!(fill(&json!(bad), &places()).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_exchange_is_played_for_every_combination_of_rows() {
        let file = json!({"about": "", "exchanges": [], "tables": {
            "letters": [{"l": "a"}, {"l": "b"}], "numbers": [{"n": 1}, {"n": 2}, {"n": 3}]}});
        let file = File::parse(&file.to_string()).expect("a file");
        assert_eq!(file.rows(&json!({"for": ["letters", "numbers"]})).expect("rows").len(), 6);
        assert_eq!(file.rows(&json!({})).expect("rows").len(), 1);
        assert!(file.rows(&json!({"for": ["none"]})).is_err());
    }
}
