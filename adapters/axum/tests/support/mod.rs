//! What the tests share: an authority in memory with developers, entities and keys, and a clock that the test moves.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests; each binary uses its own part of this"
)]

pub mod log;
pub mod signing;
pub mod vectors;
pub mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use latchbook_core::Authority;
use latchbook_core::authority::{Actor, AuthorityBuilder, Exchange, Limits, NewEntity};
use latchbook_core::check::NewKey;
use latchbook_core::clock::{Clock, Sleep, SystemClock};
use latchbook_core::key_store::MemoryStore;
use latchbook_core::model::{
    DeveloperId, DeveloperRef, EntityId, EntityRef, EnvironmentName, KeyId, Metadata, ScopeSet, SecretText, Source,
    UnixTime,
};
use latchbook_core::seal::MasterKey;
use serde_json::Value;
use tower::ServiceExt as _;

latchbook_axum::scopes! {
    /// The scopes of the tests.
    pub mod scopes {
        /// Read.
        LedgerRead = "ledger:read";
        /// Write.
        LedgerWrite = "ledger:write";
    }
}

pub const ISSUER: &str = "https://api.example.com";
pub const LIVE: EnvironmentName = EnvironmentName::LIVE;
pub const SANDBOX: EnvironmentName = EnvironmentName::SANDBOX;
pub const EVERY_SCOPE: &str = "ledger:read ledger:write keys:manage audit:read entities:manage sandbox:manage";

/// An authority over a store in memory, and the clock that it reads.
pub struct World {
    pub authority: Authority,
    pub clock: Arc<TestClock>,
}

/// A key, and what it takes to use it.
#[derive(Clone, Debug)]
pub struct Holder {
    pub developer: DeveloperRef,
    pub key: KeyId,
    pub text: SecretText,
}

impl World {
    /// Environments `live` and `sandbox`, no limits.
    pub async fn open() -> Self {
        Self::open_with(|builder| builder).await
    }

    pub async fn open_with(with: impl FnOnce(AuthorityBuilder) -> AuthorityBuilder) -> Self {
        let clock = Arc::new(TestClock::default());
        let builder = Authority::builder()
            .store(MemoryStore::new())
            .issuer(ISSUER)
            .master_key(MasterKey::from_bytes([7; 32]))
            .scopes(scopes::ALL)
            .clock(Arc::<TestClock>::clone(&clock))
            .limits(Limits::OFF);
        Self { authority: with(builder).build().await.expect("an authority"), clock }
    }

    pub async fn developer(&self, environment: EnvironmentName, id: &str) -> DeveloperRef {
        let developer = DeveloperRef { environment, id: DeveloperId::parse(id).unwrap() };
        self.authority.developers().create(&Actor::Host, Source::UNKNOWN, &developer, "A developer").await.unwrap();
        developer
    }

    pub async fn entity(&self, developer: &DeveloperRef, id: &str) -> EntityRef {
        let new = NewEntity { id: Some(EntityId::parse(id).unwrap()), legal_name: "An entity".into() };
        self.authority.entities().create(&Actor::Host, Source::UNKNOWN, developer, &new).await.unwrap().reference
    }

    pub async fn key(&self, developer: &DeveloperRef, scopes: &str) -> Holder {
        self.key_until(developer, scopes, None).await
    }

    pub async fn key_until(&self, developer: &DeveloperRef, scopes: &str, expires_at: Option<UnixTime>) -> Holder {
        let new = NewKey {
            name: "A key".into(),
            scopes: ScopeSet::parse(scopes).unwrap(),
            expires_at,
            allowed_ips: Vec::new(),
            metadata: Metadata::default(),
        };
        let made = self.authority.keys().create(&Actor::Host, Source::UNKNOWN, developer, &new).await.unwrap();
        Holder { developer: developer.clone(), key: made.key.id, text: made.text }
    }

    /// A developer with a key that holds every scope.
    pub async fn holder(&self, environment: EnvironmentName, id: &str) -> Holder {
        let developer = self.developer(environment, id).await;
        self.key(&developer, EVERY_SCOPE).await
    }

    /// A developer token with every scope of the key.
    pub async fn token(&self, holder: &Holder) -> String {
        self.token_for(holder, None, None).await
    }

    pub async fn token_for(&self, holder: &Holder, entity: Option<&str>, scope: Option<&str>) -> String {
        let exchange = Exchange {
            developer: holder.developer.id.as_str(),
            api_key: &holder.text,
            entity,
            scope,
            lifetime: None,
            source: Source::UNKNOWN,
        };
        self.authority.exchange(&exchange).await.unwrap().token.expose().to_owned()
    }
}

/// The system's clock, moved ahead by the test.
#[derive(Debug, Default)]
pub struct TestClock {
    system: SystemClock,
    ahead: AtomicU64,
}

impl TestClock {
    pub fn advance(&self, seconds: u64) {
        self.ahead.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> UnixTime {
        self.system.now().plus(self.ahead.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        self.system.monotonic() + Duration::from_secs(self.ahead.load(Ordering::SeqCst))
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        self.system.sleep(duration)
    }
}

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

/// Sends `request` through `app`, in process.
pub async fn send(app: &Router, request: Request<Body>) -> Answer {
    let response = app.clone().oneshot(request).await.expect("infallible");
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.expect("a whole body").to_vec();
    Answer { status: parts.status, headers: parts.headers, body }
}

pub fn request(method: &str, target: &str, token: Option<&str>) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(target);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    request.body(Body::empty()).expect("a request")
}

pub async fn get(app: &Router, target: &str, token: &str) -> Answer {
    send(app, request("GET", target, Some(token))).await
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
