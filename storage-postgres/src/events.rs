//! Usage, audit events, announcements and counters as values of their tables' columns.

use latchbook_core::key_store::StoreError;
use latchbook_core::model::{
    Announcement, AuditAction, AuditActor, AuditEvent, ChainId, ChangeId, Committed, Day, DeveloperId, DeveloperRef,
    EntityId, EntityRef, FeedEntry, FeedPosition, KeyId, PepperId, Position, SigningKeyId, StoreMeta, TokenId,
    UsageCounts, UsageRow,
};
use tokio_postgres::Row;

use crate::columns::{Column, Columns, Holds, Value};
use crate::records::{columns, developer, developer_values, environment};

/// The key of `usage` is its first three columns; `place` is day, then key.
pub(crate) const USAGE: &[Column] = columns![
    environment: Text, developer: Text, place: Bytes, day: Int, key_id: Text, requests: Number, exchanges: Number,
];

pub(crate) fn usage_values(row: &UsageRow) -> Vec<Value> {
    let mut values = developer_values(&row.developer);
    values.extend([
        Value::Bytes(usage_place(row).0),
        Value::Int(row.day.0.into()),
        Value::text(row.key),
        Value::text(row.counts.requests),
        Value::text(row.counts.exchanges),
    ]);
    values
}

pub(crate) fn usage_place(row: &UsageRow) -> Position {
    Position::of_usage(row.day, row.key.as_str())
}

pub(crate) fn usage_row(row: &Row) -> Result<UsageRow, StoreError> {
    let mut columns = Columns::of(row);
    let developer = developer(&mut columns)?;
    columns.bytes()?;
    let day = columns.int()?;
    let day = Day(columns.value(day.try_into().ok())?);
    let key = columns.parsed(KeyId::parse)?;
    Ok(UsageRow {
        developer,
        key,
        day,
        counts: UsageCounts { requests: columns.number()?, exchanges: columns.number()? },
    })
}

/// The key of `audit_events` is its first three columns; the developer of a system chain is the empty text.
pub(crate) const AUDIT: &[Column] = columns![
    environment: Text, developer: Text, number: Int, at: Int, actor: Text, actor_key: Text, actor_token: Text,
    action: Text, subject: Text, source: Text, details: Json, audit_key: Bytes, link: Bytes,
];

pub(crate) fn chain_values(chain: &ChainId) -> Vec<Value> {
    match chain {
        ChainId::System(environment) => vec![Value::text(environment), Value::text("")],
        ChainId::Developer(developer) => developer_values(developer),
    }
}

pub(crate) fn audit_values(event: &AuditEvent) -> Vec<Value> {
    let (actor, key, token) = match &event.actor {
        AuditActor::Host => (HOST, None, None),
        AuditActor::Upkeep => (UPKEEP, None, None),
        AuditActor::Anonymous => (ANONYMOUS, None, None),
        AuditActor::Key { key, token } => (KEY, Some(key), token.as_ref()),
    };
    let details = event.details.iter().map(|(name, value)| serde_json::Value::from_iter([&**name, &**value]));
    let mut values = chain_values(&event.chain);
    values.extend([
        Value::int(event.number),
        Value::at(event.at),
        Value::text(actor),
        Value::maybe(key, Value::text),
        Value::maybe(token, Value::text),
        Value::text(event.action.name()),
        Value::text(&event.subject),
        Value::maybe(event.source, Value::text),
        Value::text(serde_json::Value::from_iter(details)),
        Value::bytes(event.key.as_bytes()),
        Value::bytes(event.link),
    ]);
    values
}

pub(crate) fn audit_event(row: &Row) -> Result<AuditEvent, StoreError> {
    let mut columns = Columns::of(row);
    let environment = environment(&mut columns)?;
    let chain = match columns.text()? {
        "" => ChainId::System(environment),
        id => {
            let id = columns.value(DeveloperId::parse(id).ok())?;
            ChainId::Developer(DeveloperRef { environment, id })
        }
    };
    Ok(AuditEvent {
        chain,
        number: columns.int()?,
        at: columns.at()?,
        actor: audit_actor(&mut columns)?,
        action: columns.parsed(|name| AuditAction::parse(name).ok_or(()))?,
        subject: columns.text()?.to_owned(),
        source: columns.maybe_parsed(str::parse)?,
        details: columns.parsed(|text| serde_json::from_str(text))?,
        key: PepperId::from_bytes(columns.array()?),
        link: columns.array()?,
    })
}

fn audit_actor(columns: &mut Columns<'_>) -> Result<AuditActor, StoreError> {
    let actor = columns.text()?;
    let key = columns.maybe_parsed(KeyId::parse)?;
    let token = columns.maybe_parsed(TokenId::parse)?;
    columns.value(match (actor, key, token) {
        (HOST, None, None) => Some(AuditActor::Host),
        (UPKEEP, None, None) => Some(AuditActor::Upkeep),
        (ANONYMOUS, None, None) => Some(AuditActor::Anonymous),
        (KEY, Some(key), token) => Some(AuditActor::Key { key, token }),
        _ => None,
    })
}

/// The key of `feed` is its first column.
pub(crate) const FEED: &[Column] = columns![
    position: Int, at: Int, ends_at: Int, kind: Text, environment: Text, developer: Text, subject: Text,
    number: Number,
];

pub(crate) fn feed_values(entry: &FeedEntry) -> Vec<Value> {
    let (kind, environment, developer, subject, number) = match &entry.announcement {
        Announcement::TokenRevoked { environment, token } => {
            (TOKEN_REVOKED, environment, None, token.to_string(), None)
        }
        Announcement::KeyRevoked { environment, key } => (KEY_REVOKED, environment, None, key.to_string(), None),
        Announcement::GenerationEnded { environment, key, generation } => {
            (GENERATION_ENDED, environment, None, key.to_string(), Some(*generation))
        }
        Announcement::EpochRaised { developer, epoch } => {
            (EPOCH_RAISED, &developer.environment, None, developer.id.to_string(), Some(*epoch))
        }
        Announcement::EntityRemoved { entity } => {
            let developer = &entity.developer;
            (ENTITY_REMOVED, &developer.environment, Some(&developer.id), entity.id.to_string(), None)
        }
        Announcement::SigningKeyChanged { environment, key } => {
            (SIGNING_KEY_CHANGED, environment, None, key.to_string(), None)
        }
    };
    vec![
        Value::int(entry.position.0),
        Value::at(entry.at),
        Value::at(entry.ends_at),
        Value::text(kind),
        Value::text(environment),
        Value::maybe(developer, Value::text),
        Value::Text(subject),
        Value::maybe(number, Value::text),
    ]
}

pub(crate) fn feed_entry(columns: &mut Columns<'_>) -> Result<FeedEntry, StoreError> {
    let position = FeedPosition(columns.int()?);
    let at = columns.at()?;
    let ends_at = columns.at()?;
    let kind = columns.text()?;
    let environment = environment(columns)?;
    let owner = columns.maybe_parsed(DeveloperId::parse)?;
    let subject = columns.text()?;
    let number = columns.maybe_number()?;
    let announcement = match (kind, owner, number) {
        (TOKEN_REVOKED, None, None) => {
            TokenId::parse(subject).ok().map(|token| Announcement::TokenRevoked { environment, token })
        }
        (KEY_REVOKED, None, None) => {
            KeyId::parse(subject).ok().map(|key| Announcement::KeyRevoked { environment, key })
        }
        (GENERATION_ENDED, None, Some(generation)) => {
            KeyId::parse(subject).ok().map(|key| Announcement::GenerationEnded { environment, key, generation })
        }
        (EPOCH_RAISED, None, Some(epoch)) => DeveloperId::parse(subject)
            .ok()
            .map(|id| Announcement::EpochRaised { developer: DeveloperRef { environment, id }, epoch }),
        (ENTITY_REMOVED, Some(owner), None) => EntityId::parse(subject).ok().map(|id| {
            let developer = DeveloperRef { environment, id: owner };
            Announcement::EntityRemoved { entity: EntityRef { developer, id } }
        }),
        (SIGNING_KEY_CHANGED, None, None) => {
            SigningKeyId::parse(subject).ok().map(|key| Announcement::SigningKeyChanged { environment, key })
        }
        _ => None,
    };
    Ok(FeedEntry { position, at, ends_at, announcement: columns.value(announcement)? })
}

/// The counters of the one row of `meta`.
pub(crate) const META: &[Column] = columns![feed_head: Int, pruned_to: Int, pruned_at: Int];

pub(crate) fn meta_values(meta: &StoreMeta) -> Vec<Value> {
    vec![Value::int(meta.feed_head.0), Value::int(meta.pruned_to.0), Value::at(meta.pruned_at)]
}

pub(crate) fn meta(columns: &mut Columns<'_>) -> Result<StoreMeta, StoreError> {
    Ok(StoreMeta {
        feed_head: FeedPosition(columns.int()?),
        pruned_to: FeedPosition(columns.int()?),
        pruned_at: columns.at()?,
    })
}

/// The answer to the change `id`, from a row of `changes`.
pub(crate) fn committed(id: ChangeId, row: &Row) -> Result<Committed, StoreError> {
    let mut columns = Columns::of(row);
    Ok(Committed { id, feed: columns.maybe_int()?.map(FeedPosition), audit: columns.ints()? })
}

const HOST: &str = "host";
const UPKEEP: &str = "upkeep";
const ANONYMOUS: &str = "anonymous";
const KEY: &str = "key";

const TOKEN_REVOKED: &str = "token revoked";
const KEY_REVOKED: &str = "key revoked";
const GENERATION_ENDED: &str = "generation ended";
const EPOCH_RAISED: &str = "epoch raised";
const ENTITY_REMOVED: &str = "entity removed";
const SIGNING_KEY_CHANGED: &str = "signing key changed";
