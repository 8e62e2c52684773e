//! JSON bodies, read strictly: one object, no member twice, each member of its type (RFC 8259 §4).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use latchbook_core::model::SecretText;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

/// What is wrong with a body; for the client. It names members that we ask for, and never what came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BodyError(pub(crate) Cow<'static, str>);

/// The members of an object, by name. Their values are looked at when they are asked for; those that nobody asks for
/// are ignored, and `null` is the same as absent.
pub(crate) struct Members<'a>(BTreeMap<String, &'a RawValue>);

impl<'a> Members<'a> {
    /// Reads a body.
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, BodyError> {
        serde_json::from_slice(body)
            .map_err(|_| BodyError("the body must be one JSON object in which no member is repeated".into()))
    }

    /// A text.
    pub(crate) fn text(&self, name: &'static str) -> Result<String, BodyError> {
        self.optional_text(name)?.ok_or_else(|| missing(name, "a string"))
    }

    /// A text, or nothing.
    pub(crate) fn optional_text(&self, name: &'static str) -> Result<Option<String>, BodyError> {
        self.read(name, "a string")
    }

    /// A secret text.
    pub(crate) fn secret(&self, name: &'static str) -> Result<SecretText, BodyError> {
        self.text(name).map(SecretText::new)
    }

    /// A whole number that is not negative, or nothing. `900.0` is one too: JSON tells no kinds of numbers apart.
    pub(crate) fn optional_count(&self, name: &'static str) -> Result<Option<u64>, BodyError> {
        const KIND: &str = "a whole number that is not negative";
        let number: Option<serde_json::Number> = self.read(name, KIND)?;
        number
            .map(|number| number.as_u64().or_else(|| whole(number.as_f64()?)).ok_or_else(|| wrong(name, KIND)))
            .transpose()
    }

    /// A list of texts, or nothing.
    pub(crate) fn optional_texts(&self, name: &'static str) -> Result<Option<Vec<String>>, BodyError> {
        self.read(name, "a list of strings")
    }

    /// An object, or nothing.
    pub(crate) fn optional_members(&self, name: &'static str) -> Result<Option<Members<'a>>, BodyError> {
        self.read(name, "an object in which no member is repeated")
    }

    /// An object of texts, or nothing.
    pub(crate) fn optional_pairs(&self, name: &'static str) -> Result<Option<BTreeMap<String, String>>, BodyError> {
        let Some(members) = self.optional_members(name)? else { return Ok(None) };
        let pair = |(member, value): (String, &RawValue)| Some((member, serde_json::from_str(value.get()).ok()?));
        members
            .0
            .into_iter()
            .map(pair)
            .collect::<Option<_>>()
            .map(Some)
            .ok_or_else(|| wrong(name, "an object of strings"))
    }

    fn read<T: Deserialize<'a>>(&self, name: &'static str, kind: &str) -> Result<Option<T>, BodyError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(value) => serde_json::from_str(value.get()).map_err(|_| wrong(name, kind)),
        }
    }
}

/// The number, where it is whole, not negative, and so small that it was read exactly.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "what is cast is whole and in range")]
fn whole(number: f64) -> Option<u64> {
    (number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number)).then_some(number as u64)
}

fn missing(name: &'static str, kind: &str) -> BodyError {
    BodyError(format!("`{name}` is missing; it must be {kind}").into())
}

fn wrong(name: &'static str, kind: &str) -> BodyError {
    BodyError(format!("`{name}` must be {kind}").into())
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Object)
    }
}

struct Object;

impl<'de> Visitor<'de> for Object {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object in which no member is repeated")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
            match members.entry(name) {
                Entry::Vacant(free) => free.insert(value),
                Entry::Occupied(_) => return Err(A::Error::custom("a member is repeated")),
            };
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Members<'_> {
        Members::parse(body.as_bytes()).unwrap_or_else(|_| panic!("{body}"))
    }

    #[test]
    fn members_are_read_by_type_and_unknown_ones_ignored() {
        let body = parse(r#" {"a": "\u00e9x", "n": 900, "l": ["x"], "o": {"k": "v"}, "?": [{"z": 1, "z": 2}]} "#);
        assert_eq!(body.text("a"), Ok("éx".to_owned()));
        assert_eq!(body.optional_count("n"), Ok(Some(900)));
        assert_eq!(body.optional_texts("l"), Ok(Some(vec!["x".to_owned()])));
        assert_eq!(body.optional_pairs("o"), Ok(Some(BTreeMap::from([("k".to_owned(), "v".to_owned())]))));
        assert_eq!(body.optional_text("b"), Ok(None));
    }

    #[test]
    fn null_is_absent() {
        let body = parse(r#"{"a": null}"#);
        assert_eq!(body.optional_text("a"), Ok(None));
        assert_eq!(body.optional_count("a"), Ok(None));
        assert_eq!(body.optional_pairs("a"), Ok(None));
        assert_eq!(body.text("a").unwrap_err().0, "`a` is missing; it must be a string");
    }

    #[test]
    fn a_wrong_type_is_refused_and_not_echoed() {
        for value in ["1", "true", "[]", "{}", "[\"x\"]", "\"\\ud800\""] {
            let body = format!("{{\"a\": {value}}}");
            assert_eq!(parse(&body).text("a").unwrap_err().0, "`a` must be a string", "{value}");
        }
        for (value, want) in [("1.0", 1), ("1e2", 100), ("4294967295.0", 4_294_967_295)] {
            let body = format!("{{\"a\": {value}}}");
            assert_eq!(parse(&body).optional_count("a"), Ok(Some(want)), "{value}");
        }
        for value in
            ["-1", "-1.0", "1.5", "1e-2", "4294967296.0", "1e300", "18446744073709551616", "\"1\"", "true", "[1]"]
        {
            let body = format!("{{\"a\": {value}}}");
            assert!(parse(&body).optional_count("a").is_err(), "{value}");
        }
        for value in ["[]", "{\"k\": 1}", "{\"k\": null}", "{\"k\": \"a\", \"\\u006b\": \"b\"}", "\"x\""] {
            let body = format!("{{\"a\": {value}}}");
            assert!(parse(&body).optional_pairs("a").is_err(), "{value}");
        }
    }

    #[test]
    fn j11_a_repeated_member_is_refused_however_it_is_spelled() {
        for body in [r#"{"a": 1, "a": 1}"#, r#"{"a": 1, "\u0061": 2}"#, r#"{"a": 1, "b": 2, "a": null}"#] {
            assert!(Members::parse(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn what_is_not_one_object_is_refused() {
        let deep = "[".repeat(100_000);
        for body in ["", " ", "[]", "null", "\"a\"", "1", "{", "{} {}", "{}x", "{\"a\":}", "{\"a\" 1}", "{a:1}", &deep]
        {
            assert!(Members::parse(body.as_bytes()).is_err(), "{body:.40}");
        }
        assert!(Members::parse(b"{\"a\": \"\xff\"}").is_err());
        assert!(Members::parse(b"{\"\xff\": 1}").is_err());
        assert!(Members::parse("\u{feff}{}".as_bytes()).is_err());
    }

    #[test]
    fn published_json_that_must_be_refused_is_refused() {
        let directory = std::env::var("LATCHBOOK_VECTORS")
            .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors").to_owned());
        let Ok(text) = std::fs::read(format!("{directory}/json-parsing/cases.json")) else {
            println!("skipped: no vectors at {directory}");
            return;
        };
        let file: serde_json::Value = serde_json::from_slice(&text).expect("the vectors");
        let cases = file["cases"].as_array().or(file.as_array()).expect("cases");
        let mut refused = 0;
        for case in cases.iter().filter(|case| case["must"] == "reject") {
            use base64::Engine as _;
            let bytes = match case["b64"].as_str() {
                Some(coded) => base64::engine::general_purpose::STANDARD.decode(coded).expect("base64"),
                None => {
                    println!("skipped: {} (a recipe, not bytes; its like is above)", case["name"]);
                    continue;
                }
            };
            assert!(Members::parse(&bytes).is_err(), "{}", case["name"]);
            refused += 1;
        }
        assert!(refused > 50, "{refused}");
    }
}
