//! The OAuth endpoints, for clients that have never heard of us.

mod introspection;
mod metadata;
mod revocation;
mod token;

pub(super) use introspection::introspect;
pub(super) use metadata::metadata;
pub(super) use revocation::revoke;
pub(super) use token::token;

use latchbook_core::authority::{Client, PresentedClient, Refusal};
use latchbook_core::model::SecretText;
use serde::Serialize;

use crate::client_credentials::{self, ClientCredentials};
use crate::form::{Form, FormError};
use crate::oauth_error::Shows;
use crate::refusal::Answer;
use crate::{Gate, Reply, Request};

/// The body of `request` as a form. Parameters in `repeatable` may be there more than once.
fn form(request: &Request<'_>, repeatable: &[&str]) -> Result<Form, Answer> {
    if !request.is_media_type("application/x-www-form-urlencoded") {
        return Err(Answer::no_form());
    }
    Form::parse(request.body, repeatable).map_err(|error| {
        Answer::invalid_request(match error {
            FormError::Repeated => "no parameter may be repeated",
            FormError::Malformed => "the body cannot be decoded as a form",
        })
    })
}

/// The credentials that the client shows, if it shows any.
fn credentials(request: &Request<'_>, form: &Form) -> Result<Option<ClientCredentials>, Answer> {
    client_credentials::find(request.head.authorization, form).map_err(Answer::invalid_request)
}

/// The client, proved by its key.
async fn authenticate(gate: &Gate, request: &Request<'_>, shown: &ClientCredentials) -> Result<Client, Answer> {
    let ClientCredentials { id, secret } = shown;
    let presented = PresentedClient { developer: id, api_key: secret, source: gate.source(&request.head) };
    gate.authority().authenticate_client(&presented).await.map_err(|refusal| refused(&refusal, Shows::Secret))
}

/// The parameter `token` of a client that must show itself first.
async fn token_of_client(gate: &Gate, request: &Request<'_>) -> Result<(Client, SecretText), Answer> {
    let form = form(request, &[])?;
    let shown = credentials(request, &form)?.ok_or_else(Answer::invalid_client)?;
    let client = authenticate(gate, request, &shown).await?;
    let token = form.secret("token").ok_or_else(|| missing("token"))?;
    Ok((client, token.clone()))
}

/// The answer to `refusal`, which is logged.
fn refused(refusal: &Refusal, shown: Shows) -> Answer {
    let answer = Answer::to_client(refusal, shown);
    Gate::log(refusal, answer.status);
    answer
}

fn missing(name: &str) -> Answer {
    Answer::invalid_request(&format!("`{name}` is missing"))
}

fn json_reply(value: &impl Serialize) -> Result<Reply, Answer> {
    Reply::json(200, value).ok_or_else(Answer::internal_error)
}
