//! The claims that everybody signs and reads: those of latchbook's tokens, as a user of another crate declares them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Claims as a user of jsonwebtoken would declare them, all owned.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Claims {
    pub iss: String,
    pub aud: String,
    pub sub: String,
    pub client_id: String,
    pub iat: u64,
    pub nbf: u64,
    pub exp: u64,
    pub jti: String,
    pub scope: String,
    pub developer: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entity: Option<String>,
    pub env: String,
    #[serde(rename = "gen")]
    pub generation: u64,
    pub epoch: u64,
}

impl Claims {
    /// What a handler asks for: one scope, and the entity that the route is about.
    pub fn allow(&self, scope: &str, entity: &str) -> bool {
        self.scope.split(' ').any(|held| held == scope) && self.entity.as_deref() == Some(entity)
    }
}

/// The same for jwt-simple, which has the registered claims itself.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct OwnClaims {
    pub client_id: String,
    pub scope: String,
    pub developer: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entity: Option<String>,
    pub env: String,
    #[serde(rename = "gen")]
    pub generation: u64,
    pub epoch: u64,
}

/// `iss` and `aud` of every token.
pub const ISSUER: &str = "https://api.example.com/live";
/// The host's URL, which `iss` begins with.
pub const HOST: &str = "https://api.example.com";
pub const DEVELOPER: &str = "platypus";
pub const ENTITY: &str = "entity_7f3a9c";
pub const KEY: &str = "5kQvT9xW8yB2nZr3";
pub const TOKEN: &str = "Zk3rT9vQ1xW8yB2nAb5cDe";
pub const SCOPES: &str = "ledger:read ledger:write orders:read stock:read";
/// How long a token lives, in seconds: the longest that latchbook makes by default.
pub const LIFETIME: u64 = 3_600;

/// The present in seconds since 1970, the same for ten minutes: so are tokens then, and counts of instructions repeat.
pub fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    now / 600 * 600
}

/// The claims of a token of [`DEVELOPER`] for [`ENTITY`].
pub fn claims() -> Claims {
    let now = now();
    Claims {
        iss: ISSUER.to_owned(),
        aud: ISSUER.to_owned(),
        sub: ENTITY.to_owned(),
        client_id: KEY.to_owned(),
        iat: now,
        nbf: now,
        exp: now + LIFETIME,
        jti: TOKEN.to_owned(),
        scope: SCOPES.to_owned(),
        developer: DEVELOPER.to_owned(),
        entity: Some(ENTITY.to_owned()),
        env: "live".to_owned(),
        generation: 0,
        epoch: 0,
    }
}
