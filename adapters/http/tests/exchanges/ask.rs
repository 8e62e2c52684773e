//! Requests as tests write them, sent through a small router as an adapter would.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_executor::block_on;
use latchbook_http::{Endpoint, Gate, Head, Reply, Request, endpoints, not_found};
use serde_json::Value;

use crate::documented::assert_documented;

/// A request to an endpoint.
#[derive(Clone, Default)]
pub struct Ask {
    method: &'static str,
    path: String,
    fields: Fields,
    content_type: Option<String>,
    idempotency_keys: Vec<Vec<u8>>,
    body: Vec<u8>,
}

/// What the gate reads of a head.
#[derive(Clone, Default)]
pub struct Fields {
    pub authorization: Vec<Vec<u8>>,
    pub query: Option<String>,
    pub peer: Option<IpAddr>,
    pub forwarded_for: Vec<Vec<u8>>,
}

impl Fields {
    pub fn bearer(token: &str) -> Self {
        Self { authorization: vec![format!("Bearer {token}").into_bytes()], ..Self::default() }
    }

    pub fn query(mut self, query: &str) -> Self {
        self.query = Some(query.to_owned());
        self
    }

    pub fn from(mut self, peer: &str) -> Self {
        self.peer = peer.parse().ok();
        self
    }

    /// Calls `look` with the head.
    pub fn head<T>(&self, look: impl FnOnce(&Head<'_>) -> T) -> T {
        let authorization: Vec<&[u8]> = self.authorization.iter().map(Vec::as_slice).collect();
        let forwarded_for: Vec<&[u8]> = self.forwarded_for.iter().map(Vec::as_slice).collect();
        look(&Head {
            authorization: &authorization,
            query: self.query.as_deref(),
            peer: self.peer,
            forwarded_for: &forwarded_for,
        })
    }
}

pub fn get(path: &str) -> Ask {
    Ask::new("GET", path)
}

pub fn post(path: &str, body: &Value) -> Ask {
    post_text(path, &body.to_string())
}

pub fn post_text(path: &str, body: &str) -> Ask {
    Ask { content_type: Some("application/json".to_owned()), body: body.into(), ..Ask::new("POST", path) }
}

/// A form, its names and values coded.
pub fn post_form(path: &str, parameters: &[(&str, &str)]) -> Ask {
    let coded: Vec<String> =
        parameters.iter().map(|(name, value)| format!("{}={}", form_coded(name), form_coded(value))).collect();
    post_form_text(path, &coded.join("&"))
}

pub fn post_form_text(path: &str, body: &str) -> Ask {
    Ask { content_type: Some(FORM.to_owned()), body: body.into(), ..Ask::new("POST", path) }
}

pub const FORM: &str = "application/x-www-form-urlencoded";

fn form_coded(text: &str) -> String {
    let coded = |byte: u8| match byte {
        b' ' => "+".to_owned(),
        byte if byte.is_ascii_alphanumeric() || b"-._*".contains(&byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(coded).collect()
}

pub fn delete(path: &str) -> Ask {
    Ask::new("DELETE", path)
}

impl Ask {
    fn new(method: &'static str, path: &str) -> Self {
        let (path, query) = match path.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (path, None),
        };
        let fields = Fields { query, ..Fields::default() };
        Self { method, path: path.to_owned(), fields, ..Self::default() }
    }

    /// Anything at all.
    pub fn hostile(method: &'static str, path: &str, query: &str, content_type: Option<&str>, body: &[u8]) -> Self {
        let mut ask = Self::new(method, path);
        ask.path = path.to_owned();
        ask.fields.query = Some(query.to_owned());
        ask.content_type = content_type.map(str::to_owned);
        ask.body = body.to_vec();
        ask
    }

    pub fn bearer(mut self, token: &str) -> Self {
        self.fields.authorization.push(format!("Bearer {token}").into_bytes());
        self
    }

    /// A client's id and secret by HTTP Basic.
    pub fn basic(self, id: &str, secret: &str) -> Self {
        let pair = format!("{}:{}", form_coded(id), form_coded(secret));
        self.authorization(&format!("Basic {}", STANDARD.encode(pair)))
    }

    pub fn authorization(mut self, value: &str) -> Self {
        self.fields.authorization.push(value.into());
        self
    }

    pub fn from(mut self, peer: &str) -> Self {
        self.fields.peer = peer.parse().ok();
        self
    }

    pub fn content_type(mut self, value: Option<&str>) -> Self {
        self.content_type = value.map(str::to_owned);
        self
    }

    pub fn idempotency_key(mut self, value: &str) -> Self {
        self.idempotency_keys.push(value.into());
        self
    }

    /// Sends it as an adapter would. The reply must be one that the OpenAPI document describes.
    pub fn send(&self, gate: &Gate) -> Reply {
        let (mut found, mut of_path) = (None, None);
        for endpoint in endpoints(gate) {
            if let Some(parameter) = matching(endpoint.path, &self.path) {
                of_path = Some(endpoint);
                if endpoint.method == self.method {
                    found = Some((endpoint, parameter));
                }
            }
        }
        let Some((endpoint, parameter)) = found else {
            return of_path.map_or_else(|| not_found(gate), |endpoint| endpoint.method_not_allowed(gate));
        };
        let reply = if endpoint.max_body > 0 && self.body.len() > endpoint.max_body {
            endpoint.payload_too_large(gate)
        } else {
            self.call(gate, &endpoint, parameter.as_deref())
        };
        assert_documented(gate, endpoint.method, endpoint.path, &reply);
        reply
    }

    fn call(&self, gate: &Gate, endpoint: &Endpoint, parameter: Option<&str>) -> Reply {
        let idempotency_keys: Vec<&[u8]> = self.idempotency_keys.iter().map(Vec::as_slice).collect();
        self.fields.head(|head| {
            let request = Request {
                head: *head,
                parameter,
                content_type: self.content_type.as_deref().map(str::as_bytes),
                idempotency_key: &idempotency_keys,
                body: &self.body,
            };
            block_on(endpoint.call(gate, request))
        })
    }
}

/// Whether `path` fits `pattern`, and what stands in the place of its `{…}`.
fn matching(pattern: &str, path: &str) -> Option<Option<String>> {
    let mut parameter = None;
    let (mut wanted, mut segments) = (pattern.split('/'), path.split('/'));
    loop {
        match (wanted.next(), segments.next()) {
            (None, None) => return Some(parameter),
            (Some(want), Some(segment)) if want.starts_with('{') => parameter = Some(segment.to_owned()),
            (Some(want), Some(segment)) if want == segment => {}
            _ => return None,
        }
    }
}

pub fn json(reply: &Reply) -> Value {
    serde_json::from_slice(&reply.body).unwrap_or_else(|_| panic!("no JSON, status {}", reply.status))
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// Asserts a refusal: status, code, challenge, and the fields and members that every one has.
#[track_caller]
pub fn assert_refused(reply: &Reply, status: u16, error: &str, challenge: Option<&str>) {
    let shown = String::from_utf8_lossy(&reply.body);
    assert_eq!(reply.status, status, "{shown}");
    let body = json(reply);
    assert_eq!(body["error"], error, "{shown}");
    assert_eq!(body["status"], status, "{shown}");
    assert_eq!(body["type"], format!("urn:latchbook:problem:{error}"), "{shown}");
    assert!(
        body["message"].as_str().is_some_and(|message| message.ends_with('.') && !message.ends_with("..")),
        "{shown}"
    );
    assert!(body["title"].is_string(), "{shown}");
    assert_eq!(reply.header("content-type"), Some("application/problem+json"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.header("www-authenticate"), challenge, "{shown}");
    let retry_after = reply.header("retry-after").map(str::to_owned);
    assert_eq!(retry_after.is_some(), status == 429 || status == 503, "{shown}");
    assert_eq!(retry_after, body.get("retry_after").map(Value::to_string), "{shown}");
}

/// Asserts a refusal of an OAuth endpoint: exactly RFC 6749's two members, in its characters, and the fields.
#[track_caller]
pub fn assert_oauth_refused(reply: &Reply, status: u16, error: &str) {
    let shown = String::from_utf8_lossy(&reply.body);
    assert_eq!(reply.status, status, "{shown}");
    let body = json(reply);
    assert_eq!(body["error"], error, "{shown}");
    let description = text(&body["error_description"]);
    assert!(description.ends_with('.') && !description.ends_with(".."), "{shown}");
    assert!(description.bytes().all(|byte| matches!(byte, b' '..=b'~') && !b"\"\\".contains(&byte)), "{shown}");
    assert_eq!(body.as_object().map(serde_json::Map::len), Some(2), "{shown}");
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.header("www-authenticate"), BASIC.filter(|_| status == 401), "{shown}");
    assert_eq!(reply.header("retry-after").is_some(), status == 429 || status == 503, "{shown}");
}

pub const BASIC: Option<&str> = Some("Basic realm=\"latchbook\"");
pub const BEARER: Option<&str> = Some("Bearer realm=\"latchbook\"");
pub const API_KEY: Option<&str> = Some("ApiKey realm=\"latchbook\"");
pub const INVALID_REQUEST: Option<&str> = Some("Bearer realm=\"latchbook\", error=\"invalid_request\"");
pub const INVALID_TOKEN: Option<&str> = Some("Bearer realm=\"latchbook\", error=\"invalid_token\"");
pub const INSUFFICIENT: Option<&str> = Some("Bearer realm=\"latchbook\", error=\"insufficient_scope\"");
