//! Who the caller is, by its own token of either kind.

use serde::Serialize;

use super::failure::{Failure, json_reply};
use crate::{Gate, Reply, Request, Serves, instant};

/// `GET /v1/auth/whoami`.
pub(super) async fn whoami(gate: &Gate, request: &Request<'_>) -> Result<Reply, Failure> {
    let principal = gate.principal(&request.head, Serves::Any).await?;
    let key = principal.key();
    let environment = principal.environment();
    json_reply(
        200,
        &Caller {
            developer_id: principal.developer().id.as_str(),
            key_id: key.as_str(),
            entity_id: principal.entity().map(|entity| entity.as_str()),
            environment: environment.as_str(),
            scopes: principal.scopes().iter().collect(),
            expires_at: instant::print(principal.expires_at()),
        },
    )
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Caller<'a> {
    developer_id: &'a str,
    key_id: &'a str,
    entity_id: Option<&'a str>,
    environment: &'a str,
    scopes: Vec<&'a str>,
    expires_at: String,
}
