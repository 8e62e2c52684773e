//! A token for a test, described by whose it is.

use std::fmt;

use latchbook_core::authority::{Actor, Authority, CreatedKey, Exchange};
use latchbook_core::model::{DeveloperRef, EnvironmentName, Scope, SecretText, Source, TokenId, UnixTime};

use super::TestAuthority;

/// Whose token it is to be. Made by [`TestAuthority::acting_as`].
///
/// Without an entity it is a developer token; without scopes it holds every one that it may.
#[must_use = "nothing is made until `bearer`, `token` or `key` is called"]
pub struct ActingAs<'a> {
    test: &'a TestAuthority,
    environment: EnvironmentName,
    developer: String,
    entity: Option<String>,
    owned: Vec<String>,
    scopes: Option<String>,
    lifetime: Option<u64>,
}

impl<'a> ActingAs<'a> {
    pub(super) fn new(test: &'a TestAuthority, developer: String) -> Self {
        let environment = test.authority().home();
        Self { test, environment, developer, entity: None, owned: Vec::new(), scopes: None, lifetime: None }
    }

    /// An entity token, for this entity alone.
    pub fn entity(self, entity: impl Into<String>) -> Self {
        Self { entity: Some(entity.into()), ..self }
    }

    /// An entity that the developer has, and a developer token can name. May be called for several.
    pub fn owning(mut self, entity: impl Into<String>) -> Self {
        self.owned.push(entity.into());
        self
    }

    /// A token with this scope, and those that were named before, instead of every one.
    pub fn scope<S: Scope>(self, _: S) -> Self {
        self.scopes(S::TOKEN)
    }

    /// The same for scope tokens, separated by spaces.
    pub fn scopes(self, scopes: &str) -> Self {
        let scopes = self.scopes.map_or_else(|| scopes.to_owned(), |before| format!("{before} {scopes}"));
        Self { scopes: Some(scopes), ..self }
    }

    /// Another environment than the home environment.
    pub fn environment(self, environment: EnvironmentName) -> Self {
        Self { environment, ..self }
    }

    /// Seconds until it is over, where that is not the policy's default.
    pub fn lifetime(self, seconds: u64) -> Self {
        Self { lifetime: Some(seconds), ..self }
    }

    /// The value of an `Authorization` field: `Bearer` and a fresh token.
    ///
    /// # Panics
    /// If a name is no id, or a scope is none that the token may have.
    pub async fn bearer(self) -> String {
        self.token().await.bearer()
    }

    /// A fresh token.
    ///
    /// # Panics
    /// As [`bearer`](Self::bearer).
    pub async fn token(self) -> TestToken {
        let (developer, key) = self.make().await;
        let exchange = Exchange {
            developer: &self.developer,
            api_key: &key.text,
            entity: self.entity.as_deref(),
            scope: self.scopes.as_deref(),
            lifetime: self.lifetime,
            source: Source::UNKNOWN,
        };
        let authority = self.test.authority().clone();
        match authority.exchange(&exchange).await {
            Ok(issued) => TestToken {
                text: issued.token,
                id: issued.token_id,
                expires_at: issued.expires_at,
                developer,
                authority,
            },
            Err(refusal) => panic!("acting as `{}`: no token was issued: {refusal}", self.developer),
        }
    }

    /// The API key that the tokens come from. It holds every scope, whatever was said here.
    ///
    /// # Panics
    /// As [`bearer`](Self::bearer).
    pub async fn key(self) -> CreatedKey {
        self.make().await.1
    }

    async fn make(&self) -> (DeveloperRef, CreatedKey) {
        let developer = self.test.developer(self.environment, &self.developer).await;
        for entity in self.entity.iter().chain(&self.owned) {
            self.test.entity(&developer, entity).await;
        }
        let key = self.test.key(&developer).await;
        (developer, key)
    }
}

impl fmt::Debug for ActingAs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActingAs")
            .field("environment", &self.environment)
            .field("developer", &self.developer)
            .field("entity", &self.entity)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}

/// A token that was issued to a test.
#[derive(Clone, Debug)]
pub struct TestToken {
    text: SecretText,
    id: TokenId,
    expires_at: UnixTime,
    developer: DeveloperRef,
    authority: Authority,
}

impl TestToken {
    /// Its compact form.
    #[must_use]
    pub fn text(&self) -> &str {
        self.text.expose()
    }

    /// The value of an `Authorization` field.
    #[must_use]
    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.text())
    }

    /// Its id (`jti`).
    #[must_use]
    pub fn id(&self) -> TokenId {
        self.id
    }

    /// When it is over (`exp`).
    #[must_use]
    pub fn expires_at(&self) -> UnixTime {
        self.expires_at
    }

    /// Revokes it, and nothing else.
    ///
    /// # Panics
    /// If the store did not do it, which the one in memory does not.
    pub async fn revoke(&self) {
        let revocation = self.authority.revocation();
        let revoked = revocation.token(&Actor::Host, Source::UNKNOWN, &self.developer, self.id, self.expires_at).await;
        revoked.unwrap_or_else(|refusal| panic!("the token was not revoked: {refusal}"));
    }
}
