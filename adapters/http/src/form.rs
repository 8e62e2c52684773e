//! Forms: the parameters of an `application/x-www-form-urlencoded` body, read strictly (RFC 6749 §3.2).

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use latchbook_core::model::SecretText;

use crate::percent;

/// Why a body is no form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// A parameter is there more than once, even with the same value.
    #[error("a parameter is there more than once")]
    Repeated,
    /// A broken percent-code, or something that is not UTF-8, decoded or not.
    #[error("the body cannot be decoded")]
    Malformed,
}

/// The parameters of a form, by name. Any of them may be a secret, so all are treated as one.
///
/// `Debug` shows how many there are.
pub struct Form(BTreeMap<String, SecretText>);

impl Form {
    /// Reads `body`. Parameters are separated by `&` alone, and a name ends at its first `=`. A parameter without a
    /// value counts as absent, but is there once. Those in `repeatable` may be there more often; the first one counts.
    ///
    /// # Errors
    /// [`FormError`], which says what is wrong.
    pub fn parse(body: &[u8], repeatable: &[&str]) -> Result<Self, FormError> {
        let body = std::str::from_utf8(body).map_err(|_| FormError::Malformed)?;
        let mut parameters = BTreeMap::new();
        for pair in body.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decoded = |coded| percent::decode_form(coded).ok_or(FormError::Malformed);
            let (name, value) = (decoded(name)?.into_owned(), SecretText::new(decoded(value)?.into_owned()));
            let may_repeat = repeatable.contains(&name.as_str());
            match parameters.entry(name) {
                Entry::Vacant(free) => {
                    free.insert(value);
                }
                Entry::Occupied(_) if may_repeat => {}
                Entry::Occupied(_) => return Err(FormError::Repeated),
            }
        }
        Ok(Self(parameters))
    }

    /// The value of the parameter `name`; `None` where there is none, or an empty one.
    #[must_use]
    pub fn secret(&self, name: &str) -> Option<&SecretText> {
        self.0.get(name).filter(|value| !value.expose().is_empty())
    }

    /// The same, of a parameter that is no secret.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.secret(name).map(SecretText::expose)
    }
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Form({} parameters)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(body: &str) -> Result<Option<String>, FormError> {
        Form::parse(body.as_bytes(), &["resource"]).map(|form| form.text("scope").map(str::to_owned))
    }

    #[test]
    fn a_parameter_is_found_wherever_it_stands_and_an_empty_one_is_absent() {
        for body in
            ["scope=a+b", "x&scope=a%20b", "&&scope=a+b&", "a=b&%73cope=a+b&c=scope", "resource=1&resource=2&scope=a+b"]
        {
            assert_eq!(value(body), Ok(Some("a b".to_owned())), "{body}");
        }
        assert_eq!(value("scope=a=b"), Ok(Some("a=b".to_owned())));
        for body in ["", "&", "scope", "scope=", "Scope=a", "scope[]=a", "scope;=a", "=scope"] {
            assert_eq!(value(body), Ok(None), "{body}");
        }
    }

    #[test]
    fn a_repeated_parameter_is_refused_also_an_unknown_an_empty_or_a_disguised_one() {
        for body in ["scope=a&scope=a", "scope=&scope=a", "scope&scope", "x=1&scope=a&x=2", "scope=a&%73cope=a", "=&="]
        {
            assert_eq!(value(body), Err(FormError::Repeated), "{body}");
        }
    }

    #[test]
    fn what_cannot_be_decoded_is_refused_wherever_it_stands() {
        for body in [&b"scope=%"[..], b"scope=%zz", b"%4=a", b"x=%ff&scope=a", b"scope=\xff", b"\xc3\x28=1"] {
            assert_eq!(Form::parse(body, &[]).map(|_| ()), Err(FormError::Malformed), "{body:?}");
        }
    }

    #[test]
    fn l1_debug_shows_neither_names_nor_values() {
        let form = Form::parse(b"client_secret=hunter2&hunter2=x", &[]).expect("a form");
        assert_eq!(format!("{form:?}"), "Form(2 parameters)");
    }
}
