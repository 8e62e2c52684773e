//! Challenges: the `WWW-Authenticate` field of a refusal (RFC 9110 §11.6.1, RFC 6750 §3).

/// The protection space that challenges name: 1 to 200 characters of visible ASCII and spaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Realm(String);

/// The text is no realm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a realm has 1 to 200 characters of visible ASCII and spaces")]
pub struct RealmError;

impl Realm {
    pub(crate) fn parse(text: &str) -> Result<Self, RealmError> {
        let fits = (1..=200).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        if fits { Ok(Self(text.to_owned())) } else { Err(RealmError) }
    }
}

impl Default for Realm {
    fn default() -> Self {
        Self("latchbook".to_owned())
    }
}

/// What a refusal asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// Nothing: no credential would help.
    None,
    /// A bearer token, where none came.
    Bearer,
    /// A better bearer token.
    BearerError {
        /// `invalid_request`, `invalid_token` or `insufficient_scope`.
        error: &'static str,
        /// The scopes that would do, where scopes are what lacks.
        scope: Option<String>,
    },
    /// A better API key.
    ApiKey,
    /// Better credentials of a client, at the OAuth endpoints (RFC 7617).
    Basic,
}

impl Challenge {
    /// The field's value; `None` for no field.
    pub(crate) fn print(&self, realm: &Realm) -> Option<String> {
        let mut value = String::with_capacity(64);
        match self {
            Self::None => return None,
            Self::Bearer => start(&mut value, "Bearer", realm),
            Self::ApiKey => start(&mut value, "ApiKey", realm),
            Self::Basic => start(&mut value, "Basic", realm),
            Self::BearerError { error, scope } => {
                start(&mut value, "Bearer", realm);
                parameter(&mut value, ", error=", error);
                if let Some(scope) = scope {
                    parameter(&mut value, ", scope=", scope);
                }
            }
        }
        Some(value)
    }
}

fn start(value: &mut String, scheme: &str, realm: &Realm) {
    value.push_str(scheme);
    parameter(value, " realm=", &realm.0);
}

/// Adds `text` as a quoted string (RFC 9110 §5.6.4). What it may not hold, no text of ours holds; should one ever, it
/// becomes a question mark and not a new field.
fn parameter(value: &mut String, name: &str, text: &str) {
    value.push_str(name);
    value.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => value.extend(['\\', character]),
            ' '..='~' => value.push(character),
            _ => value.push('?'),
        }
    }
    value.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h11_a_challenge_names_the_realm_then_the_error_then_the_scope() {
        let realm = Realm::default();
        let error = |error, scope: Option<&str>| Challenge::BearerError { error, scope: scope.map(str::to_owned) };
        let cases = [
            (Challenge::None, None),
            (Challenge::Bearer, Some("Bearer realm=\"latchbook\"")),
            (Challenge::ApiKey, Some("ApiKey realm=\"latchbook\"")),
            (Challenge::Basic, Some("Basic realm=\"latchbook\"")),
            (error("invalid_token", None), Some("Bearer realm=\"latchbook\", error=\"invalid_token\"")),
            (
                error("insufficient_scope", Some("a:b c:d")),
                Some("Bearer realm=\"latchbook\", error=\"insufficient_scope\", scope=\"a:b c:d\""),
            ),
        ];
        for (challenge, want) in cases {
            assert_eq!(challenge.print(&realm).as_deref(), want);
        }
    }

    #[test]
    fn h11_h12_values_are_quoted_and_escaped() {
        let realm = Realm::parse("a \"b\" \\").expect("a realm");
        assert_eq!(Challenge::Bearer.print(&realm).as_deref(), Some("Bearer realm=\"a \\\"b\\\" \\\\\""));
        let odd = Challenge::BearerError { error: "invalid_token", scope: Some("a\r\nX: \u{e9}".to_owned()) };
        assert_eq!(
            odd.print(&Realm::default()).as_deref(),
            Some("Bearer realm=\"latchbook\", error=\"invalid_token\", scope=\"a??X: ?\"")
        );
    }

    #[test]
    fn a_realm_is_visible_ascii() {
        let long = "a".repeat(201);
        for bad in ["", "a\n", "\u{e9}", "a\0", &long] {
            assert_eq!(Realm::parse(bad), Err(RealmError), "{bad:?}");
        }
    }
}
