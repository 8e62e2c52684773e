//! Records, the changes to them, and the feed that announces what others must know.

use super::{
    ApiKey, AuditDraft, ChangeId, Day, Developer, DeveloperRef, Entity, EntityRef, EnvironmentName, KeyActivity, KeyId,
    Pepper, PepperId, SandboxRecord, SandboxRequest, Settings, SigningKey, SigningKeyId, TokenId, UnixTime,
};

/// Names one record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKey {
    /// The store's [`Settings`].
    Settings,
    /// A [`Developer`].
    Developer(DeveloperRef),
    /// An [`ApiKey`] under the developer that holds it: under another it is not found.
    ApiKey(DeveloperRef, KeyId),
    /// A key's [`KeyActivity`].
    KeyActivity(DeveloperRef, KeyId),
    /// An [`Entity`] under its owner: under another it is not found.
    Entity(EntityRef),
    /// A [`SigningKey`].
    SigningKey(EnvironmentName, SigningKeyId),
    /// A [`Pepper`].
    Pepper(PepperId),
    /// A [`SandboxRecord`].
    Sandbox(DeveloperRef),
    /// A [`SandboxRequest`], by the digest of its `Idempotency-Key`.
    SandboxRequest(EnvironmentName, [u8; 32]),
}

impl RecordKey {
    /// The key as bytes, without two keys alike, and ordered by kind, then by part. Ids hold no NUL, which ends each.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(64);
        let mut put = |part: &[u8]| {
            bytes.extend_from_slice(part);
            bytes.push(0);
        };
        let developer = |put: &mut dyn FnMut(&[u8]), developer: &DeveloperRef| {
            put(developer.environment.as_str().as_bytes());
            put(developer.id.as_str().as_bytes());
        };
        match self {
            Self::Settings => put(b"a"),
            Self::Developer(reference) => {
                put(b"b");
                developer(&mut put, reference);
            }
            Self::ApiKey(reference, id) => {
                put(b"c");
                developer(&mut put, reference);
                put(id.as_str().as_bytes());
            }
            Self::KeyActivity(reference, id) => {
                put(b"d");
                developer(&mut put, reference);
                put(id.as_str().as_bytes());
            }
            Self::Entity(reference) => {
                put(b"e");
                developer(&mut put, &reference.developer);
                put(reference.id.as_str().as_bytes());
            }
            Self::SigningKey(environment, id) => {
                put(b"f");
                put(environment.as_str().as_bytes());
                put(id.as_str().as_bytes());
            }
            Self::Pepper(id) => {
                put(b"g");
                put(id.as_bytes());
            }
            Self::Sandbox(reference) => {
                put(b"h");
                developer(&mut put, reference);
            }
            Self::SandboxRequest(environment, digest) => {
                put(b"i");
                put(environment.as_str().as_bytes());
                put(digest);
            }
        }
        bytes
    }
}

/// One record of any kind.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is named after what it holds")]
pub enum Record {
    Settings(Settings),
    Developer(Developer),
    ApiKey(ApiKey),
    KeyActivity(KeyActivity),
    Entity(Entity),
    SigningKey(SigningKey),
    Pepper(Pepper),
    Sandbox(SandboxRecord),
    SandboxRequest(SandboxRequest),
}

impl Record {
    /// The key that it is kept under.
    #[must_use]
    pub fn key(&self) -> RecordKey {
        match self {
            Self::Settings(_) => RecordKey::Settings,
            Self::Developer(developer) => RecordKey::Developer(developer.reference.clone()),
            Self::ApiKey(key) => RecordKey::ApiKey(key.developer.clone(), key.id),
            Self::KeyActivity(activity) => RecordKey::KeyActivity(activity.developer.clone(), activity.key),
            Self::Entity(entity) => RecordKey::Entity(entity.reference.clone()),
            Self::SigningKey(key) => RecordKey::SigningKey(key.environment, key.id.clone()),
            Self::Pepper(pepper) => RecordKey::Pepper(pepper.id),
            Self::Sandbox(sandbox) => RecordKey::Sandbox(sandbox.developer.clone()),
            Self::SandboxRequest(request) => RecordKey::SandboxRequest(request.environment, request.key_digest),
        }
    }
}

/// Which writing of a record was read: the id of the commit that wrote it, so that no two writings share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Revision(pub ChangeId);

/// A record as a store holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The record.
    pub record: Record,
    /// The writing that was read. A [`KeyActivity`] keeps the revision of its first merge.
    pub revision: Revision,
}

/// What a decision read, and relies on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// The record.
    pub key: RecordKey,
    /// The writing that was read; `None` where there was no record.
    pub revision: Option<Revision>,
}

/// One change: all of it happens, durably, or none of it.
#[derive(Clone, Debug)]
pub struct ChangeSet {
    /// Random; a set that was committed before is answered from what is stored, not done again.
    pub id: ChangeId,
    /// When it is made.
    pub at: UnixTime,
    /// What must still be as it was read. Records in `update` and `remove` are named here too.
    pub expect: Vec<Expectation>,
    /// Records that must not exist yet.
    pub insert: Vec<Record>,
    /// Records that replace what is there.
    pub update: Vec<Record>,
    /// Records that go.
    pub remove: Vec<RecordKey>,
    /// Counts and last uses to merge; these never conflict.
    pub merge: Vec<Merge>,
    /// What others must know, each with the instant from which on nobody needs it any more.
    pub feed: Vec<(Announcement, UnixTime)>,
    /// Events, to be linked in this order.
    pub audit: Vec<AuditDraft>,
    /// The instant that is the last prune's from now on, also where it is an earlier one: for a store that is put right by hand.
    pub pruned_at: Option<UnixTime>,
}

impl ChangeSet {
    /// An empty set.
    #[must_use]
    pub fn new(id: ChangeId, at: UnixTime) -> Self {
        Self {
            id,
            at,
            expect: Vec::new(),
            insert: Vec::new(),
            update: Vec::new(),
            remove: Vec::new(),
            merge: Vec::new(),
            feed: Vec::new(),
            audit: Vec::new(),
            pruned_at: None,
        }
    }

    /// Expects `stored` to be as it was read.
    pub fn expect(&mut self, stored: &Stored) {
        self.expect.push(Expectation { key: stored.record.key(), revision: Some(stored.revision) });
    }

    /// Puts `record` in place of the one that was read at `revision`.
    pub fn replace(&mut self, record: Record, revision: Revision) {
        self.expect.push(Expectation { key: record.key(), revision: Some(revision) });
        self.update.push(record);
    }

    /// Expects that there is no record `key`.
    pub fn expect_none(&mut self, key: RecordKey) {
        self.expect.push(Expectation { key, revision: None });
    }
}

/// What a store did with a [`ChangeSet`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The set.
    pub id: ChangeId,
    /// The position of its last announcement, where it had any.
    pub feed: Option<FeedPosition>,
    /// The numbers of its audit events, in the order of the drafts.
    pub audit: Vec<u64>,
}

/// Something to add to what is there, in any order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Merge {
    /// Adds counts to a key's day.
    Usage(UsageRow),
    /// Raises a key's last use; an earlier instant changes nothing.
    LastUsed(KeyActivity),
}

/// How often a key was used on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageRow {
    /// The developer that holds the key.
    pub developer: DeveloperRef,
    /// The key.
    pub key: KeyId,
    /// The day, UTC.
    pub day: Day,
    /// The counts.
    pub counts: UsageCounts,
}

/// What is counted per key and day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UsageCounts {
    /// Guarded requests that were let in.
    pub requests: u64,
    /// Exchanges that made a token.
    pub exchanges: u64,
}

impl UsageCounts {
    /// Both counts added, saturating.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            requests: self.requests.saturating_add(other.requests),
            exchanges: self.exchanges.saturating_add(other.exchanges),
        }
    }
}

/// A place in the change feed; 0 is before the first entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FeedPosition(pub u64);

/// What every process must know soon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Announcement {
    /// A token is revoked, as `jti` or as `origin`.
    TokenRevoked {
        /// Its environment.
        environment: EnvironmentName,
        /// Its id.
        token: TokenId,
    },
    /// Every token of a key is revoked.
    KeyRevoked {
        /// Its environment.
        environment: EnvironmentName,
        /// The key.
        key: KeyId,
    },
    /// Every token of one generation of a key is revoked.
    GenerationEnded {
        /// Its environment.
        environment: EnvironmentName,
        /// The key.
        key: KeyId,
        /// The generation.
        generation: u64,
    },
    /// Tokens of a developer with an older epoch are revoked.
    EpochRaised {
        /// The developer.
        developer: DeveloperRef,
        /// The first epoch that is still good; [`u64::MAX`] where the developer is gone.
        epoch: u64,
    },
    /// An entity was removed: tokens for it made up to then are revoked, and nothing reaches it.
    EntityRemoved {
        /// The entity.
        entity: EntityRef,
    },
    /// A signing key was made, imported or retired: read it again.
    SigningKeyChanged {
        /// Its environment.
        environment: EnvironmentName,
        /// The key.
        key: SigningKeyId,
    },
}

/// An announcement in its place. The store assigns `position` inside `commit`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedEntry {
    /// Its position, from 1 without gaps.
    pub position: FeedPosition,
    /// When it was made: the `at` of its change.
    pub at: UnixTime,
    /// From when on it may be pruned: what it ended is over by itself.
    pub ends_at: UnixTime,
    /// What it says.
    pub announcement: Announcement,
}

/// A stretch of the feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedPage {
    /// Entries after the position that was asked for, in order.
    pub entries: Vec<FeedEntry>,
    /// The last position that was assigned.
    pub head: FeedPosition,
    /// The last position that was pruned; a reader before it has missed entries that have ended.
    pub pruned_to: FeedPosition,
    /// What had ended by this instant was pruned, and stays ended.
    pub pruned_at: UnixTime,
}

/// What a step of pruning did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Rows removed by this step.
    pub removed: usize,
    /// Whether there is more.
    pub more: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DeveloperId, EntityId};

    #[test]
    fn keys_of_different_records_differ_as_bytes() {
        let developer =
            |id: &str| DeveloperRef { environment: EnvironmentName::LIVE, id: DeveloperId::parse(id).expect("an id") };
        let entity = |owner: &str, id: &str| {
            RecordKey::Entity(EntityRef { developer: developer(owner), id: EntityId::parse(id).expect("an id") })
        };
        assert_ne!(entity("a", "bc").to_bytes(), entity("ab", "c").to_bytes());
        assert_ne!(RecordKey::Developer(developer("a")).to_bytes(), RecordKey::Sandbox(developer("a")).to_bytes());
    }
}
