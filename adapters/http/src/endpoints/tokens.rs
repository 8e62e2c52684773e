//! Getting a token: an API key, in a JSON body, for a short-lived access token.

use latchbook_core::authority::Exchange;
use latchbook_core::model::SecretText;
use serde::Serialize;

use super::failure::{Failure, invalid_request, json_body, json_reply, shown_once};
use crate::json::Members;
use crate::{Gate, Reply, Request};

/// `POST /v1/auth/tokens`: `userType` says which kind of token, and whose `id` it is.
pub(super) async fn any(gate: &Gate, request: &Request<'_>) -> Result<Reply, Failure> {
    let body = json_body(request)?;
    let (developer, entity) = match body.text("userType")?.as_str() {
        "developer" => (body.text("id")?, None),
        "entity" => (body.text("developerId")?, Some(body.text("id")?)),
        _ => return Err(invalid_request("`userType` must be `developer` or `entity`")),
    };
    exchange(gate, request, &body, &developer, entity.as_deref()).await
}

/// `POST /v1/developers/auth/generate-token`, `POST /v1/auth/developer-token`: a developer token.
pub(super) async fn developer(gate: &Gate, request: &Request<'_>) -> Result<Reply, Failure> {
    let body = json_body(request)?;
    exchange(gate, request, &body, &body.text("developerId")?, None).await
}

/// `POST /v1/entities/auth/generate-token`, `POST /v1/auth/entity-token`: an entity token.
pub(super) async fn entity(gate: &Gate, request: &Request<'_>) -> Result<Reply, Failure> {
    let body = json_body(request)?;
    exchange(gate, request, &body, &body.text("developerId")?, Some(&body.text("entityId")?)).await
}

/// The exchange itself. The key's text says which environment it is in; whatever stands in `Authorization` is not
/// looked at, since the API's own clients send something there.
async fn exchange(
    gate: &Gate,
    request: &Request<'_>,
    body: &Members<'_>,
    developer: &str,
    entity: Option<&str>,
) -> Result<Reply, Failure> {
    let api_key = body.secret("apiKey")?;
    let scope = body.optional_text("scope")?;
    let lifetime = body.optional_count("expiresIn")?;
    let exchange = Exchange {
        developer,
        api_key: &api_key,
        entity,
        scope: scope.as_deref(),
        lifetime,
        source: gate.source(&request.head),
    };
    let issued = gate.authority().exchange(&exchange).await.map_err(Failure::KeyRefused)?;
    json_reply(
        200,
        &TokenAnswer {
            access_token: &issued.token,
            token_type: "Bearer",
            expires_in: issued.expires_in,
            scope: issued.scope.map(|scopes| scopes.to_string()),
        },
    )
}

/// A successful answer (RFC 6749 §5.1).
#[derive(Serialize)]
struct TokenAnswer<'a> {
    #[serde(serialize_with = "shown_once")]
    access_token: &'a SecretText,
    token_type: &'static str,
    expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
}
