//! A request as it goes over the wire.

use std::fmt;

use serde_json::Value;

/// A request as it goes over the wire: the target undecoded, field values as bytes, nothing tidied.
///
/// `Debug` shows method, target and the names of the fields.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RawRequest {
    /// The method.
    pub method: String,
    /// The request target (RFC 9112 §3.2).
    pub target: String,
    /// The fields in their order, without those that a connection needs: `Host`, `Connection`, `Content-Length`.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body; none is not the same as an empty one, which has a length.
    pub body: Option<Vec<u8>>,
}

impl RawRequest {
    /// A request without fields and without a body.
    #[must_use]
    pub fn new(method: impl Into<String>, target: impl Into<String>) -> Self {
        Self { method: method.into(), target: target.into(), ..Self::default() }
    }

    /// The same with one more field.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The same with a body of JSON, and the field that says so.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        let body = Some(body.to_string().into_bytes());
        Self { body, ..self.header("Content-Type", "application/json") }
    }

    /// The bytes of HTTP/1.1 (RFC 9112), for a connection that is used once.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.target).into_bytes();
        let length = self.body.as_ref().map(|body| ("Content-Length", body.len().to_string().into_bytes()));
        let connection = [("Host", b"localhost".to_vec()), ("Connection", b"close".to_vec())].into_iter().chain(length);
        let own = self.headers.iter().map(|(name, value)| (name.as_str(), value.clone()));
        for (name, value) in connection.chain(own) {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(&value);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(self.body.as_deref().unwrap_or_default());
        bytes
    }
}

impl fmt::Debug for RawRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        write!(f, "{} {:.200} {names:?}", self.method, self.target)
    }
}
