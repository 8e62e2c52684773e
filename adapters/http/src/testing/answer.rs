//! An answer, whole, from whichever framework it came.

use std::fmt;

use serde_json::Value;

use crate::Reply;

/// An answer, whole. Adapters make it of their framework's own.
///
/// `Debug` shows all of it, so that a failed test tells what came: it belongs into tests alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The fields in their order, names in lower case. Bytes that are no text are replaced.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of the first field `name`, in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// `WWW-Authenticate`.
    #[must_use]
    pub fn challenge(&self) -> Option<&str> {
        self.header("www-authenticate")
    }

    /// The body as text.
    ///
    /// # Panics
    /// If it is no UTF-8.
    #[must_use]
    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap_or_else(|error| panic!("the body is no text: {error}: {self:?}"))
    }

    /// The body as JSON; `Null` where it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The error's code: the member `error`, or the empty text.
    #[must_use]
    pub fn code(&self) -> String {
        self.json().get("error").and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    /// Status and code, for tables.
    #[must_use]
    pub fn verdict(&self) -> (u16, String) {
        (self.status, self.code())
    }
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        let headers = reply.headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { status: reply.status, headers, body: reply.body }
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let challenge = self.challenge().unwrap_or("none");
        write!(f, "status {}, code `{}`, challenge {challenge}", self.status, self.code())?;
        for (name, value) in self.headers.iter().filter(|(name, _)| name != "www-authenticate") {
            write!(f, "; {name}: {value}")?;
        }
        // A page of HTML says no more than its beginning.
        write!(f, "; body {:.500}", String::from_utf8_lossy(&self.body))
    }
}
