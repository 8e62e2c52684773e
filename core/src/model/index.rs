//! The orders in which records can be paged through, the same in every store.

use super::{
    AuditEvent, ChainId, Day, DeveloperRef, EnvironmentName, FeedEntry, FeedPosition, Record, Stored, UnixTime,
    UsageRow,
};

/// A list that a store keeps in order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Index {
    /// Developers of an environment, by id.
    Developers(EnvironmentName),
    /// Keys of a developer, newest first.
    KeysOf(DeveloperRef),
    /// Entities of a developer, newest first.
    EntitiesOf(DeveloperRef),
    /// Every signing key, oldest first.
    SigningKeys,
    /// Every pepper and audit key, oldest first.
    Peppers,
    /// Every sandbox, the one that ends first in front.
    SandboxesEnding,
    /// Every idempotency key, the one that ends first in front.
    SandboxRequestsEnding,
    /// Events of a chain, newest first.
    Audit(ChainId),
    /// Usage of a developer's keys, by day, then by key.
    Usage(DeveloperRef),
}

impl Index {
    /// The list as bytes; no list's bytes begin with another's.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(32);
        let mut put = |part: &[u8]| {
            bytes.extend_from_slice(part);
            bytes.push(0);
        };
        let developer = |put: &mut dyn FnMut(&[u8]), developer: &DeveloperRef| {
            put(developer.environment.as_str().as_bytes());
            put(developer.id.as_str().as_bytes());
        };
        match self {
            Self::Developers(environment) => {
                put(b"a");
                put(environment.as_str().as_bytes());
            }
            Self::KeysOf(reference) => {
                put(b"b");
                developer(&mut put, reference);
            }
            Self::EntitiesOf(reference) => {
                put(b"c");
                developer(&mut put, reference);
            }
            Self::SigningKeys => put(b"d"),
            Self::Peppers => put(b"e"),
            Self::SandboxesEnding => put(b"f"),
            Self::SandboxRequestsEnding => put(b"g"),
            Self::Audit(chain) => {
                put(b"h");
                put(chain.environment().as_str().as_bytes());
                // A developer's id is never empty, so the system chain is the one with an empty part.
                put(match chain {
                    ChainId::System(_) => b"",
                    ChainId::Developer(reference) => reference.id.as_str().as_bytes(),
                });
            }
            Self::Usage(reference) => {
                put(b"i");
                developer(&mut put, reference);
            }
        }
        bytes
    }

    /// The list that `record` stands in, if any, and its place there.
    #[must_use]
    pub fn of_record(record: &Record) -> Option<(Self, Position)> {
        Some(match record {
            Record::Settings(_) | Record::KeyActivity(_) => return None,
            Record::Developer(developer) => (
                Self::Developers(developer.reference.environment),
                Position(developer.reference.id.as_str().as_bytes().to_vec()),
            ),
            Record::ApiKey(key) => (
                Self::KeysOf(key.developer.clone()),
                Position::newest_first(key.created_at, key.id.as_str().as_bytes()),
            ),
            Record::Entity(entity) => (
                Self::EntitiesOf(entity.reference.developer.clone()),
                Position::newest_first(entity.created_at, entity.reference.id.as_str().as_bytes()),
            ),
            Record::SigningKey(key) => {
                // One key may be imported for two environments.
                let name = format!("{}/{}", key.id, key.environment);
                (Self::SigningKeys, Position::oldest_first(key.created_at, name.as_bytes()))
            }
            Record::Pepper(pepper) => (Self::Peppers, Position::oldest_first(pepper.created_at, pepper.id.as_bytes())),
            Record::Sandbox(sandbox) => (
                Self::SandboxesEnding,
                Position::oldest_first(sandbox.expires_at, sandbox.developer.to_string().as_bytes()),
            ),
            Record::SandboxRequest(request) => {
                let mut name = request.environment.as_str().as_bytes().to_vec();
                name.extend_from_slice(&request.key_digest);
                (Self::SandboxRequestsEnding, Position::oldest_first(request.ends_at, &name))
            }
        })
    }
}

/// A row's place in a list: bytes that sort as the list does. The `after` of a page is the place of the row before it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub Vec<u8>);

impl Position {
    /// The place of an audit event in its chain.
    #[must_use]
    pub fn of_audit(number: u64) -> Self {
        Self((u64::MAX - number).to_be_bytes().to_vec())
    }

    /// The place of a usage row in its list; with an empty key, before every row of `day`.
    #[must_use]
    pub fn of_usage(day: Day, key: &str) -> Self {
        let mut bytes = day.0.to_be_bytes().to_vec();
        bytes.extend_from_slice(key.as_bytes());
        Self(bytes)
    }

    fn newest_first(at: UnixTime, name: &[u8]) -> Self {
        let mut bytes = (u64::MAX - at.seconds()).to_be_bytes().to_vec();
        bytes.extend_from_slice(name);
        Self(bytes)
    }

    fn oldest_first(at: UnixTime, name: &[u8]) -> Self {
        let mut bytes = at.seconds().to_be_bytes().to_vec();
        bytes.extend_from_slice(name);
        Self(bytes)
    }
}

/// One row of a list, or of a whole store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// A record.
    Record(Stored),
    /// A key's counts on a day.
    Usage(UsageRow),
    /// An audit event.
    Audit(AuditEvent),
    /// An entry of the feed.
    Feed(FeedEntry),
    /// The store's own counters.
    Meta(StoreMeta),
}

/// What a store counts for itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreMeta {
    /// The last feed position that was assigned.
    pub feed_head: FeedPosition,
    /// The last feed position that was pruned.
    pub pruned_to: FeedPosition,
    /// The instant of the last prune.
    pub pruned_at: UnixTime,
}

impl StoreMeta {
    /// These counters, each at least as high as in `other`: counters only rise.
    #[must_use]
    pub fn raised_to(self, other: Self) -> Self {
        Self {
            feed_head: self.feed_head.max(other.feed_head),
            pruned_to: self.pruned_to.max(other.pruned_to),
            pruned_at: self.pruned_at.max(other.pruned_at),
        }
    }
}

/// Some rows of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The rows, in the list's order.
    pub rows: Vec<Row>,
    /// Where the next page goes on (its `after`), where there is more.
    pub next: Option<Position>,
}
