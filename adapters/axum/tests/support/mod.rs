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

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use latchbook_axum::testing::{self, TestAuthority};
pub use latchbook_axum::testing::{Answer, send};
use latchbook_core::Authority;
use latchbook_core::authority::{Actor, AuthorityBuilder, Exchange, NewEntity};
use latchbook_core::check::NewKey;
use latchbook_core::model::{
    DeveloperId, DeveloperRef, EntityId, EntityRef, EnvironmentName, KeyId, Metadata, ScopeSet, SecretText, Source,
    UnixTime,
};

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

/// An authority over a store in memory, with developers, entities and keys of the test's choice.
pub struct World {
    pub authority: Authority,
    test: TestAuthority,
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
        let test = TestAuthority::builder().scopes(scopes::ALL).configure(with).build().await;
        Self { authority: test.authority().clone(), test }
    }

    /// Lets `seconds` pass.
    pub fn advance(&self, seconds: u64) {
        self.test.clock().advance(seconds);
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

/// Refusal: status, code and challenge, as the contract has them for a code that is no 400 about the credential, and a
/// 403 that no developer's token would help with.
#[track_caller]
pub fn assert_refused(answer: &Answer, status: u16, code: &str) {
    testing::assert_refused(answer, status, code);
    let challenge = answer.challenge().unwrap_or_default();
    assert!(status != 400 || challenge.is_empty(), "{answer:?}");
    assert_eq!(challenge.contains("scope=\""), code == "insufficient_scope", "{answer:?}");
}
