//! The token endpoint: an API key, or a token, for a token (RFC 6749 §4.4, RFC 8693).

use latchbook_core::authority::{Exchange, Issued, TokenExchange};
use latchbook_core::model::SecretText;
use serde::Serialize;

use super::super::failure::shown_once;
use super::{authenticate, credentials, form, json_reply, missing, refused};
use crate::form::Form;
use crate::oauth_error::Shows;
use crate::refusal::Answer;
use crate::{Gate, Reply, Request};

/// The grant type of an API key (RFC 6749 §4.4.2).
pub(super) const CLIENT_CREDENTIALS: &str = "client_credentials";
/// The grant type of a token (RFC 8693 §2.1).
pub(super) const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// The type of the tokens that are taken and made (RFC 8693 §3).
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// `POST /oauth/token`.
pub(in super::super) async fn token(gate: &Gate, request: &Request<'_>) -> Result<Reply, Answer> {
    // A client may name several targets (RFC 8693 §2.1): that is no malformed request.
    let form = form(request, &["resource", "audience"])?;
    match form.text("grant_type") {
        None => Err(missing("grant_type")),
        Some(CLIENT_CREDENTIALS) => client_credentials(gate, request, &form).await,
        Some(TOKEN_EXCHANGE) => token_exchange(gate, request, &form).await,
        Some(_) => Err(Answer::unsupported_grant_type()),
    }
}

async fn client_credentials(gate: &Gate, request: &Request<'_>, form: &Form) -> Result<Reply, Answer> {
    let shown = credentials(request, form)?.ok_or_else(Answer::invalid_client)?;
    let exchange = Exchange {
        developer: &shown.id,
        api_key: &shown.secret,
        entity: form.text("entity_id"),
        scope: form.text("scope"),
        lifetime: None,
        source: gate.source(&request.head),
    };
    let issued = gate.authority().exchange(&exchange).await.map_err(|refusal| refused(&refusal, Shows::Secret))?;
    answer(&issued, None)
}

async fn token_exchange(gate: &Gate, request: &Request<'_>, form: &Form) -> Result<Reply, Answer> {
    let subject_token = subject_token(form)?;
    let client = match credentials(request, form)? {
        None => None,
        Some(shown) => Some(authenticate(gate, request, &shown).await?),
    };
    let exchange = TokenExchange {
        subject_token: subject_token.expose().as_bytes(),
        client: client.as_ref(),
        entity: form.text("entity_id"),
        scope: form.text("scope"),
        lifetime: None,
        source: gate.source(&request.head),
    };
    let issued = gate.authority().exchange_token(&exchange).await;
    answer(&issued.map_err(|refusal| refused(&refusal, Shows::SubjectToken))?, Some(ACCESS_TOKEN))
}

/// The subject token, where nothing else is asked for than can be given.
fn subject_token(form: &Form) -> Result<&SecretText, Answer> {
    if form.secret("actor_token").is_some() || form.text("actor_token_type").is_some() {
        return Err(Answer::invalid_request("`actor_token` is not taken here"));
    }
    if form.text("resource").is_some() || form.text("audience").is_some() {
        return Err(Answer::invalid_target());
    }
    let is_ours = |name| form.text(name).is_none_or(|kind| kind == ACCESS_TOKEN);
    if !is_ours("requested_token_type") {
        return Err(Answer::invalid_request("`requested_token_type` must be that of an access token"));
    }
    if form.text("subject_token_type").is_none() || !is_ours("subject_token_type") {
        return Err(Answer::invalid_request("`subject_token_type` must be that of an access token"));
    }
    form.secret("subject_token").ok_or_else(|| missing("subject_token"))
}

/// A successful answer (RFC 6749 §5.1, RFC 8693 §2.2.1).
fn answer(issued: &Issued, issued_token_type: Option<&'static str>) -> Result<Reply, Answer> {
    json_reply(&TokenAnswer {
        access_token: &issued.token,
        issued_token_type,
        token_type: "Bearer",
        expires_in: issued.expires_in,
        scope: issued.scope.as_ref().map(ToString::to_string),
    })
}

#[derive(Serialize)]
struct TokenAnswer<'a> {
    #[serde(serialize_with = "shown_once")]
    access_token: &'a SecretText,
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_token_type: Option<&'static str>,
    token_type: &'static str,
    expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
}
