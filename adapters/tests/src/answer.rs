//! An answer, whatever framework gave it, and what a refusal must look like.

use http::{HeaderMap, StatusCode};
use serde_json::Value;

/// An answer, whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a text")
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The problem's code, or the empty text.
    pub fn code(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body.get("error").and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("a printable field"))
    }

    pub fn challenge(&self) -> Option<&str> {
        self.header("www-authenticate")
    }

    /// Status and code, for tables.
    pub fn verdict(&self) -> (u16, String) {
        (self.status.as_u16(), self.code())
    }
}

/// Refusal of an OAuth endpoint: status, code and fields, and a body of exactly two members (RFC 6749 §5.2).
pub fn assert_oauth_refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.verdict(), (status, code.to_owned()), "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"), "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer:?}");
    let body = answer.json();
    assert!(body["error_description"].is_string() && body.as_object().unwrap().len() == 2, "{answer:?}");
    assert_eq!(answer.challenge(), (status == 401).then_some("Basic realm=\"latchbook\""), "{answer:?}");
}

/// Refusal at a path of the contract, in the form that errors have there.
pub fn assert_endpoint_refused(path: &str, answer: &Answer, status: u16, code: &str) {
    if path.starts_with("/oauth/") {
        assert_oauth_refused(answer, status, "invalid_request");
    } else {
        assert_refused(answer, status, code);
    }
}

/// Refusal: status, code and challenge, as the contract has them for a code that is no 400 about the credential.
pub fn assert_refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.verdict(), (status, code.to_owned()), "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer:?}");
    let error = match (status, code) {
        (401, "missing_credentials") => None,
        (401, _) => Some("invalid_token"),
        (403, _) => Some("insufficient_scope"),
        _ => {
            assert_eq!(answer.challenge(), None, "{answer:?}");
            return;
        }
    };
    let challenge = answer.challenge().unwrap_or_default();
    assert!(challenge.starts_with("Bearer realm=\""), "{answer:?}");
    match error {
        None => assert!(!challenge.contains("error="), "{answer:?}"),
        Some(error) => assert!(challenge.contains(&format!("error=\"{error}\"")), "{answer:?}"),
    }
    assert_eq!(challenge.contains("scope=\""), code == "insufficient_scope" && !code.is_empty(), "{answer:?}");
}
