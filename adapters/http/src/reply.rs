//! What is sent back: status, fields and body, ready for any framework.

use std::fmt;

use serde::Serialize;

/// An answer, whole: every field is in it, `content-type` and `cache-control` included.
///
/// A body may hold a token or a key, so `Debug` shows its length alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The fields, names in lower case, values in visible ASCII.
    pub headers: Vec<(&'static str, String)>,
    /// The body; empty for none.
    pub body: Vec<u8>,
}

impl Reply {
    /// The value of the first field `name` (in lower case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// `value` as JSON, for nobody's cache. `None` if it cannot be written as JSON.
    pub(crate) fn json(status: u16, value: &impl Serialize) -> Option<Self> {
        let body = serde_json::to_vec(value).ok()?;
        Some(Self { status, headers: vec![content_type("application/json"), no_store()], body })
    }

    /// Without a body, for nobody's cache.
    pub(crate) fn empty(status: u16) -> Self {
        Self { status, headers: vec![no_store()], body: Vec::new() }
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .field("body", &format_args!("{} bytes", self.body.len()))
            .finish()
    }
}

/// `content-type`.
pub(crate) fn content_type(value: &str) -> (&'static str, String) {
    ("content-type", value.to_owned())
}

/// `cache-control: no-store` (RFC 9111 §5.2.2.5), on whatever holds a secret or a refusal.
pub(crate) fn no_store() -> (&'static str, String) {
    ("cache-control", "no-store".to_owned())
}
