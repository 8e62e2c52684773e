//! Metadata: where an environment's authorization server has what, and what it can do (RFC 8414).

use latchbook_core::model::{EnvironmentName, Rejection};
use serde::Serialize;

use super::super::failure::{Failure, json_reply};
use super::super::well_known::cached;
use super::token::{CLIENT_CREDENTIALS, TOKEN_EXCHANGE};
use crate::{Gate, Reply, Request};

/// `GET /.well-known/oauth-authorization-server/{environment}`.
pub(in super::super) fn metadata(gate: &Gate, request: &Request<'_>) -> Result<Reply, Failure> {
    let name = request.parameter.ok_or(Rejection::NotFound)?;
    let environment = EnvironmentName::parse(name).map_err(|_| Rejection::NotFound)?;
    let issuer = gate.authority().issuer_of(environment).ok_or(Rejection::NotFound)?;
    let base = gate.base_url();
    let url = |path: &str| format!("{base}{path}");
    let reply = json_reply(
        200,
        &Metadata {
            token_endpoint: url("/oauth/token"),
            introspection_endpoint: url("/oauth/introspect"),
            revocation_endpoint: url("/oauth/revoke"),
            jwks_uri: url(&format!("/.well-known/jwks/{environment}.json")),
            issuer,
            scopes_supported: gate.authority().scopes().scopes().map(|scope| scope.as_str()).collect(),
            // There is no authorization endpoint.
            response_types_supported: ["none"],
            grant_types_supported: [CLIENT_CREDENTIALS, TOKEN_EXCHANGE],
            token_endpoint_auth_methods_supported: AUTH_METHODS,
            introspection_endpoint_auth_methods_supported: AUTH_METHODS,
            revocation_endpoint_auth_methods_supported: AUTH_METHODS,
        },
    )?;
    Ok(cached(reply))
}

const AUTH_METHODS: [&str; 2] = ["client_secret_basic", "client_secret_post"];

#[derive(Serialize)]
struct Metadata<'a> {
    issuer: &'a str,
    token_endpoint: String,
    introspection_endpoint: String,
    revocation_endpoint: String,
    jwks_uri: String,
    scopes_supported: Vec<&'a str>,
    response_types_supported: [&'static str; 1],
    grant_types_supported: [&'static str; 2],
    token_endpoint_auth_methods_supported: [&'static str; 2],
    introspection_endpoint_auth_methods_supported: [&'static str; 2],
    revocation_endpoint_auth_methods_supported: [&'static str; 2],
}
