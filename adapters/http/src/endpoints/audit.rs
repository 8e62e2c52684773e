//! A developer's own audit events, read by a token that holds `audit:read`.

use latchbook_core::model::AuditRead;
use serde::Serialize;

use super::failure::{Failure, json_reply};
use crate::objects::EventObject;
use crate::page::List;
use crate::{Gate, Reply, Request, Serves};

/// `GET /v1/developers/audit`: newest first.
pub(super) async fn list(gate: &Gate, request: &Request<'_>) -> Result<Reply, Failure> {
    let caller = gate.scoped::<AuditRead>(&request.head, Serves::Any).await?;
    let wanted = List::Audit.wanted(request.head.query)?;
    let audit = gate.authority().audit();
    let (events, next) = audit.page_of(caller.developer(), wanted.after.as_ref(), wanted.size).await?;
    json_reply(
        200,
        &EventList {
            events: events.iter().map(EventObject::new).collect(),
            has_more: next.is_some(),
            next_cursor: next.map(|place| List::Audit.cursor(&place)),
        },
    )
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EventList<'a> {
    events: Vec<EventObject<'a>>,
    next_cursor: Option<String>,
    has_more: bool,
}
