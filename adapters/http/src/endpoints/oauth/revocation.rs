//! Revocation: a client ends a token of its own (RFC 7009).

use super::{refused, token_of_client};
use crate::oauth_error::Shows;
use crate::refusal::Answer;
use crate::{Gate, Reply, Request};

/// `POST /oauth/revoke`: 200 without a body, also where there was nothing to revoke.
pub(in super::super) async fn revoke(gate: &Gate, request: &Request<'_>) -> Result<Reply, Answer> {
    let (client, token) = token_of_client(gate, request).await?;
    let done = gate.authority().revocation().presented(&client, token.expose().as_bytes()).await;
    done.map_err(|refusal| refused(&refusal, Shows::Secret))?;
    Ok(Reply::empty(200))
}
