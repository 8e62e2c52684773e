//! A developer's own audit events, read by a token that holds `audit:read`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use latchbook_core::model::{AuditActor, AuditEvent, AuditOutcome, AuditRead};
use serde::Serialize;

use super::failure::{Failure, json_reply};
use crate::page::List;
use crate::{Gate, Reply, Request, Serves, instant};

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

/// An event: who did what to what, when, from where, and how it ended.
#[derive(Serialize)]
struct EventObject<'a> {
    number: u64,
    at: String,
    actor: ActorObject<'a>,
    action: &'static str,
    outcome: &'static str,
    subject: &'a str,
    source: Option<IpAddr>,
    details: BTreeMap<&'a str, &'a str>,
}

impl<'a> EventObject<'a> {
    fn new(event: &'a AuditEvent) -> Self {
        Self {
            number: event.number,
            at: instant::print(event.at),
            actor: ActorObject::new(&event.actor),
            action: event.action.name(),
            outcome: match event.action.outcome() {
                AuditOutcome::Done => "done",
                AuditOutcome::Refused => "refused",
            },
            subject: &event.subject,
            source: event.source,
            details: event.details.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ActorObject<'a> {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<&'a str>,
}

impl<'a> ActorObject<'a> {
    fn new(actor: &'a AuditActor) -> Self {
        let other = |kind| Self { kind, key_id: None, jti: None };
        match actor {
            AuditActor::Host => other("host"),
            AuditActor::Upkeep => other("upkeep"),
            AuditActor::Anonymous => other("anonymous"),
            AuditActor::Key { key, token } => {
                Self { kind: "key", key_id: Some(key.as_str()), jti: token.as_ref().map(|token| token.as_str()) }
            }
        }
    }
}
