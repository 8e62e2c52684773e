//! Strict reading of queries and JSON bodies: a member twice is refused, an unknown one ignored, `null` is absent.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A part of a request is wrong. The text says what would be right, and holds none of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub &'static str);

/// The members of a JSON object, not read yet.
#[derive(Debug)]
pub struct Members(BTreeMap<String, Box<RawValue>>);

impl Members {
    /// Reads a body that must be one JSON object.
    ///
    /// # Errors
    /// [`Invalid`] for anything else, and for an object that has a member twice.
    pub fn parse(body: &[u8]) -> Result<Self, Invalid> {
        serde_json::from_slice(body).map_err(|_| Invalid("the body must be a JSON object without repeated members"))
    }

    /// The JSON text of member `name`; `None` where it is absent or `null`.
    #[must_use]
    pub fn raw(&self, name: &str) -> Option<&RawValue> {
        self.0.get(name).map(AsRef::as_ref).filter(|value| value.get() != "null")
    }

    /// Member `name`, a string.
    ///
    /// # Errors
    /// `otherwise` if it is there and no string.
    pub fn text(&self, name: &str, otherwise: Invalid) -> Result<Option<String>, Invalid> {
        self.raw(name).map(|value| serde_json::from_str(value.get()).map_err(|_| otherwise)).transpose()
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OnceEach;

        impl<'de> Visitor<'de> for OnceEach {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    if members.insert(name, value).is_some() {
                        return Err(A::Error::custom("a member is there twice"));
                    }
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(OnceEach)
    }
}

/// Whether `content_type` says JSON (RFC 8259 §11); parameters are not looked at.
#[must_use]
pub fn is_json(content_type: Option<&[u8]>) -> bool {
    let essence = content_type.and_then(|value| value.split(|&byte| byte == b';').next());
    essence.is_some_and(|value| value.trim_ascii().eq_ignore_ascii_case(b"application/json"))
}

/// The value of query parameter `name`, decoded; `None` where it is absent.
///
/// # Errors
/// [`Invalid`] if it is there twice or its coding is broken.
pub fn parameter(query: Option<&str>, name: &str) -> Result<Option<String>, Invalid> {
    let mut found = None;
    for pair in query.unwrap_or_default().split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if decoded(key).is_none_or(|key| key != name) {
            continue;
        }
        let value = decoded(value).ok_or(Invalid("a query parameter is not percent-encoded UTF-8"))?;
        if found.replace(value.into_owned()).is_some() {
            return Err(Invalid("a query parameter may be given once only"));
        }
    }
    Ok(found)
}

/// `text` with `+` and `%XX` resolved, as forms encode them.
fn decoded(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains(['%', '+']) {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16));
                let (high, low) = (digit()?, digit()?);
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

/// The page that a query asks for.
#[derive(Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// The cursor of the page before.
    pub cursor: Option<String>,
    /// At most how many rows: 1 to 100.
    pub size: usize,
}

impl PageRequest {
    /// Reads `cursor` and `pageSize`; without the latter, 25.
    ///
    /// # Errors
    /// [`Invalid`] if either is given twice, or the size is not 1 to 100.
    pub fn parse(query: Option<&str>) -> Result<Self, Invalid> {
        let size = match parameter(query, "pageSize")? {
            None => 25,
            Some(text) => page_size(&text).ok_or(Invalid("`pageSize` must be 1 to 100"))?,
        };
        Ok(Self { cursor: parameter(query, "cursor")?, size })
    }
}

fn page_size(text: &str) -> Option<usize> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|size| plain && (1..=100).contains(size))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_STRING: Invalid = Invalid("`a` must be a string");

    #[test]
    fn null_is_absent_and_unknown_members_are_ignored() {
        let members = Members::parse(br#" {"a": "x", "n": null, "other": [1, {"a": 2}]} "#).expect("an object");
        assert_eq!(members.text("a", NO_STRING), Ok(Some("x".to_owned())));
        assert_eq!(members.text("n", NO_STRING), Ok(None));
        assert_eq!(members.text("absent", NO_STRING), Ok(None));
        assert_eq!(members.text("other", NO_STRING), Err(NO_STRING));
    }

    #[test]
    fn j11_a_member_twice_is_refused_known_or_not() {
        for body in [
            r#"{"a": 1, "a": 1}"#,
            r#"{"b": 1, "\u0062": 2}"#,
            "[]",
            "",
            "null",
            "\"x\"",
            r#"{"a": 1} {"a": 1}"#,
            r#"{"a": 1"#,
            "{\"a\": \"\u{0}\"}",
        ] {
            assert!(Members::parse(body.as_bytes()).is_err(), "{body}");
        }
        assert!(Members::parse(b"{\"\xff\": 1}").is_err());
    }

    #[test]
    fn a_deeply_nested_member_does_not_overflow_the_stack() {
        let body = format!(r#"{{"a": {}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        let _ = Members::parse(body.as_bytes());
    }

    #[test]
    fn a_query_parameter_is_decoded_and_counts_once() {
        let found = |query, name| parameter(Some(query), name).map(|value| value.unwrap_or_else(|| "-".to_owned()));
        for (query, want) in [
            ("", "-"),
            ("a=b", "-"),
            ("cursor=", ""),
            ("cursor", ""),
            ("cursor=x%3D%2B+y", "x=+ y"),
            ("c%75rsor=x", "x"),
            ("CURSOR=x", "-"),
            ("cursor[]=x", "-"),
            ("a=%zz&cursor=1", "1"),
        ] {
            assert_eq!(found(query, "cursor").as_deref(), Ok(want), "{query}");
        }
        for query in ["cursor=1&cursor=1", "cursor=%", "cursor=%4", "cursor=%zz", "cursor=%ff"] {
            assert!(found(query, "cursor").is_err(), "{query}");
        }
    }

    #[test]
    fn a_page_has_1_to_100_rows_and_25_by_default() {
        let size = |query| PageRequest::parse(Some(query)).map(|page| page.size);
        for (query, want) in [("", 25), ("pageSize=1", 1), ("pageSize=100", 100)] {
            assert_eq!(size(query), Ok(want), "{query}");
        }
        for query in [
            "pageSize=0",
            "pageSize=101",
            "pageSize=-1",
            "pageSize=%2B5",
            "pageSize=05",
            "pageSize=",
            "pageSize=5&pageSize=5",
        ] {
            assert!(size(query).is_err(), "{query}");
        }
    }

    #[test]
    fn a_content_type_may_have_parameters() {
        for (value, want) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/jsonx", false),
            ("text/plain", false),
            ("", false),
        ] {
            assert_eq!(is_json(Some(value.as_bytes())), want, "{value}");
        }
        assert!(!is_json(None));
    }
}
