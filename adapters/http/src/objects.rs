//! Keys, audit events and counts as the JSON objects of the wire contract.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use latchbook_core::authority::KeyView;
use latchbook_core::check::key_hint;
use latchbook_core::model::{ApiKey, AuditActor, AuditEvent, AuditOutcome, UnixTime, UsageRow};
use serde::Serialize;

use crate::instant;

/// A key, as it can be shown: never a secret.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyObject<'a> {
    id: &'a str,
    name: &'a str,
    environment: &'a str,
    scopes: Vec<&'a str>,
    hint: String,
    created_at: String,
    expires_at: Option<String>,
    revoked_at: Option<String>,
    last_used_at: Option<String>,
    generation: u64,
    allowed_ips: Vec<String>,
    metadata: &'a BTreeMap<String, String>,
}

impl<'a> KeyObject<'a> {
    /// The object of a key that was read.
    #[must_use]
    pub fn of_view(view: &'a KeyView) -> Self {
        Self::new(&view.key, view.last_used_at)
    }

    /// The object of a key and its latest use.
    #[must_use]
    pub fn new(key: &'a ApiKey, last_used_at: Option<UnixTime>) -> Self {
        Self {
            id: key.id.as_str(),
            name: &key.name,
            environment: key.developer.environment.as_str(),
            scopes: key.grant.tokens().iter().collect(),
            hint: key_hint(key),
            created_at: instant::print(key.created_at),
            expires_at: key.expires_at.map(instant::print),
            revoked_at: key.revoked_at.map(instant::print),
            last_used_at: last_used_at.map(instant::print),
            generation: key.current.generation,
            allowed_ips: key.allowed_ips.iter().map(IpNet::to_string).collect(),
            metadata: key.metadata.pairs(),
        }
    }
}

/// An event: who did what to what, when, from where, and how it ended.
#[derive(Debug, Serialize)]
pub struct EventObject<'a> {
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
    /// The object of an event.
    #[must_use]
    pub fn new(event: &'a AuditEvent) -> Self {
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

#[derive(Debug, Serialize)]
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

/// The counts of a key on a day.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CountObject {
    key_id: String,
    date: String,
    requests: u64,
    exchanges: u64,
}

impl CountObject {
    /// The object of a row.
    #[must_use]
    pub fn new(row: &UsageRow) -> Self {
        Self {
            key_id: row.key.to_string(),
            date: instant::print_day(row.day),
            requests: row.counts.requests,
            exchanges: row.counts.exchanges,
        }
    }
}

/// An IP range as a client writes it: an address, or a range in CIDR notation. `None` for any other text.
#[must_use]
pub fn parse_range(text: &str) -> Option<IpNet> {
    match text.parse::<IpAddr>() {
        // An IPv4 address in IPv6 notation is met as the IPv4 address.
        Ok(address) => Some(IpNet::from(address.to_canonical())),
        Err(_) => text.parse::<IpNet>().ok().map(|range| range.trunc()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_an_address_or_a_cidr() {
        let printed = |text: &str| parse_range(text).map(|range| range.to_string());
        let cases = [
            ("192.0.2.1", "192.0.2.1/32"),
            ("192.0.2.77/24", "192.0.2.0/24"),
            ("2001:db8::1", "2001:db8::1/128"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("::ffff:192.0.2.1", "192.0.2.1/32"),
        ];
        for (text, want) in cases {
            assert_eq!(printed(text).as_deref(), Some(want), "{text}");
        }
        for bad in ["", "192.0.2", "192.0.2.1/33", "192.0.2.1 ", "localhost", "192.0.2.1-192.0.2.9", "010.0.0.1"] {
            assert_eq!(printed(bad), None, "{bad}");
        }
    }
}
