//! The query: one parameter of it, found exactly once and strictly percent-decoded.

use std::borrow::Cow;
use std::iter;

use crate::percent;

/// Why a parameter could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// It is there more than once, even with the same value.
    #[error("the parameter is there more than once")]
    Repeated,
    /// It has no `=`, a broken percent-code, or is not UTF-8 once decoded.
    #[error("the parameter has no value that can be decoded")]
    Malformed,
}

/// The value of the parameter `name` in `query` (undecoded), percent-decoded; `None` where there is no such parameter.
///
/// Parameters are separated by `&` alone, and a name ends at its first `=`. Names are compared after decoding, byte for
/// byte, so `%65ntityId` is `entityId`, and `entityid` and `entityId[]` are not. `+` is a plus sign: it is in no value
/// that is read here. Parameters of other names may hold anything.
///
/// # Errors
/// [`QueryError`], which says what is wrong.
pub fn find<'a>(query: Option<&'a str>, name: &str) -> Result<Option<Cow<'a, str>>, QueryError> {
    let mut found = None;
    for (this, value) in parameters(query.unwrap_or_default()) {
        if !spells(this, name) {
            continue;
        }
        if found.is_some() {
            return Err(QueryError::Repeated);
        }
        found = Some(value);
    }
    match found {
        None => Ok(None),
        Some(None) => Err(QueryError::Malformed),
        Some(Some(value)) => decode(value).map(Some),
    }
}

/// Whether `query` has the parameter `name` at all, with a value or without.
#[must_use]
pub fn contains(query: &str, name: &str) -> bool {
    parameters(query).any(|(this, _)| spells(this, name))
}

/// The parameters of `query` in their order, still coded: name, and value where there is a `=`.
fn parameters(query: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let mut left = (!query.is_empty()).then_some(query);
    iter::from_fn(move || {
        let (pair, rest) = cut(left?, b'&');
        left = rest;
        Some(cut(pair, b'='))
    })
}

/// What stands before the first `separator`, and what stands after it. By bytes: queries are too short for a search that
/// has to be set up.
fn cut(text: &str, separator: u8) -> (&str, Option<&str>) {
    let end = text.bytes().position(|byte| byte == separator).unwrap_or(text.len());
    let (before, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    (before, rest.get(1..))
}

/// Whether `coded` is `name` once decoded. A name that cannot be decoded is none that is asked for.
fn spells(coded: &str, name: &str) -> bool {
    if coded == name {
        return true;
    }
    // A percent-code is longer than what it stands for.
    if coded.len() <= name.len() || !coded.contains('%') {
        return false;
    }
    decode(coded).is_ok_and(|decoded| decoded == name)
}

fn decode(coded: &str) -> Result<Cow<'_, str>, QueryError> {
    percent::decode(coded).ok_or(QueryError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entity(query: &str) -> Result<Option<String>, QueryError> {
        find(Some(query), "entityId").map(|value| value.map(Cow::into_owned))
    }

    #[test]
    fn a_parameter_is_found_wherever_it_stands() {
        for query in ["entityId=a", "x&entityId=a", "&&entityId=a&", "a=b&entityId=a&c=entityId", "entityId=%61"] {
            assert_eq!(entity(query), Ok(Some("a".to_owned())), "{query}");
        }
        assert_eq!(entity("entityId=a=b"), Ok(Some("a=b".to_owned())));
        assert_eq!(entity("entityId=a+b"), Ok(Some("a+b".to_owned())));
        assert_eq!(find(None, "entityId"), Ok(None));
        assert_eq!(entity(""), Ok(None));
    }

    #[test]
    fn e3_a_repeated_parameter_is_refused() {
        for query in
            ["entityId=a&entityId=b", "entityId=a&entityId=a", "entityId&entityId=a", "entityId=a&%65ntityId=b"]
        {
            assert_eq!(entity(query), Err(QueryError::Repeated), "{query}");
        }
    }

    #[test]
    fn e5_a_value_that_cannot_be_decoded_is_refused() {
        for query in ["entityId", "x=1&entityId", "entityId=%zz", "entityId=%4", "entityId=%", "entityId=%ff%fe"] {
            assert_eq!(entity(query), Err(QueryError::Malformed), "{query}");
        }
        assert_eq!(entity("entityId=%00"), Ok(Some("\0".to_owned())), "decodable; no id, as its type says");
    }

    #[test]
    fn e6_e8_other_names_are_other_parameters() {
        for query in [
            "entityid=b",
            "ENTITYID=b",
            "entity_id=b",
            "entityId%5B%5D=b",
            "entityId[]=b",
            "entityId[0]=b",
            "entityId.x=b",
            "%65ntityI=b",
            "entityId%00=b",
            "entityId%=b",
            "%zzentityId=b",
            "entityId+=b",
        ] {
            assert_eq!(entity(query), Ok(None), "{query}");
        }
    }

    #[test]
    fn e7_a_percent_coded_name_counts() {
        for query in ["%65ntityId=b", "%65%6e%74%69%74%79%49%64=b", "entity%49d=b"] {
            assert_eq!(entity(query), Ok(Some("b".to_owned())), "{query}");
            assert!(contains(query, "entityId"), "{query}");
        }
    }

    #[test]
    fn e9_a_semicolon_separates_nothing() {
        assert_eq!(entity("entityId=a;entityId=b"), Ok(Some("a;entityId=b".to_owned())));
    }
}
