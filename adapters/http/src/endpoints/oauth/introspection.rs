//! Introspection: whether a client's token is active, and what it says (RFC 7662).

use latchbook_core::model::{AccessClaims, Delegation, EntityId, TokenId};
use serde::Serialize;

use super::{json_reply, refused, token_of_client};
use crate::oauth_error::Shows;
use crate::refusal::Answer;
use crate::{Gate, Reply, Request};

/// `POST /oauth/introspect`: the claims of the client's own active token, and `{"active": false}` for all else.
pub(in super::super) async fn introspect(gate: &Gate, request: &Request<'_>) -> Result<Reply, Answer> {
    let (client, token) = token_of_client(gate, request).await?;
    let found = gate.authority().introspect(&client, token.expose().as_bytes()).await;
    match found.map_err(|refusal| refused(&refusal, Shows::Secret))? {
        Some(claims) => json_reply(&Active::new(&claims)),
        None => json_reply(&Inactive { active: false }),
    }
}

#[derive(Serialize)]
struct Inactive {
    active: bool,
}

/// The claims under the names that they have in the token (RFC 7662 §2.2, RFC 8693 §4.1).
#[derive(Serialize)]
struct Active<'a> {
    active: bool,
    token_type: &'static str,
    scope: String,
    client_id: &'a str,
    sub: &'a str,
    aud: &'a str,
    iss: &'a str,
    exp: u64,
    iat: u64,
    nbf: u64,
    jti: &'a str,
    developer: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    entity: Option<&'a str>,
    env: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ips: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<Act<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<&'a str>,
}

#[derive(Serialize)]
struct Act<'a> {
    sub: &'a str,
    client_id: &'a str,
}

impl<'a> Active<'a> {
    fn new(claims: &'a AccessClaims<'_>) -> Self {
        Self {
            active: true,
            token_type: "Bearer",
            scope: claims.scopes.to_string(),
            client_id: claims.key.as_str(),
            sub: &claims.subject,
            aud: &claims.audience,
            iss: &claims.issuer,
            exp: claims.expires_at.seconds(),
            iat: claims.issued_at.seconds(),
            nbf: claims.not_before.seconds(),
            jti: claims.token.as_str(),
            developer: claims.developer.as_str(),
            entity: claims.entity.as_ref().map(EntityId::as_str),
            env: claims.environment.as_str(),
            ips: claims.allowed_ips.iter().map(ToString::to_string).collect(),
            act: claims.delegation.as_ref().map(Act::new),
            origin: claims.origin.as_ref().map(TokenId::as_str),
        }
    }
}

impl<'a> Act<'a> {
    fn new(delegation: &'a Delegation) -> Self {
        Self { sub: delegation.developer.as_str(), client_id: delegation.key.as_str() }
    }
}
