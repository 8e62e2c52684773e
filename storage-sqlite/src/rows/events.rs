//! Usage, audit events, announcements, counters and the ids of changes as rows.

use latchbook_core::model::{
    Announcement, AuditActor, AuditEvent, ChainId, ChangeId, Committed, DeveloperId, DeveloperRef, EntityRef,
    EnvironmentName, FeedEntry, FeedPosition, StoreMeta, UnixTime, UsageCounts, UsageRow,
};
use rusqlite::types::Value;

use super::{ONLY, cells};
use crate::cells::{Cell as _, Damage, ordered};
use crate::tables::{self, Columns, Table, Tabled};

impl Tabled for UsageRow {
    fn table() -> &'static Table {
        &tables::USAGE
    }

    fn key(&self) -> Vec<Value> {
        cells![self.developer.environment, self.developer.id, self.day, self.key]
    }

    fn write(&self) -> Vec<Value> {
        [self.key(), cells![self.counts.requests, self.counts.exchanges]].concat()
    }

    fn read(columns: &mut Columns<'_>) -> Result<Self, Damage> {
        let developer = DeveloperRef { environment: columns.next()?, id: columns.next()? };
        let (day, key) = (columns.next()?, columns.next()?);
        let counts = UsageCounts { requests: columns.next()?, exchanges: columns.next()? };
        Ok(Self { developer, key, day, counts })
    }
}

/// How far a chain has come.
pub(crate) struct Chain {
    pub(crate) id: ChainId,
    pub(crate) events: u64,
    pub(crate) head: [u8; 32],
}

impl Tabled for Chain {
    fn table() -> &'static Table {
        &tables::AUDIT_CHAINS
    }

    fn key(&self) -> Vec<Value> {
        owner_of(&self.id)
    }

    fn write(&self) -> Vec<Value> {
        [self.key(), vec![ordered(self.events).write(), self.head.write()]].concat()
    }

    fn read(columns: &mut Columns<'_>) -> Result<Self, Damage> {
        Ok(Self { id: read_chain(columns)?, events: read_number(columns)?, head: columns.next()? })
    }
}

impl Tabled for AuditEvent {
    fn table() -> &'static Table {
        &tables::AUDIT_EVENTS
    }

    fn key(&self) -> Vec<Value> {
        let mut key = owner_of(&self.chain);
        key.push(ordered(self.number).write());
        key
    }

    fn write(&self) -> Vec<Value> {
        let (actor, key, token) = match &self.actor {
            AuditActor::Host => ("host", None, None),
            AuditActor::Upkeep => ("upkeep", None, None),
            AuditActor::Anonymous => ("anonymous", None, None),
            AuditActor::Key { key, token } => ("key", Some(*key), *token),
        };
        let mut values = self.key();
        values.extend(cells![self.at, actor.to_owned(), key, token, self.action, self.subject, self.source]);
        values.extend(cells![self.details, self.key, self.link]);
        values
    }

    fn read(columns: &mut Columns<'_>) -> Result<Self, Damage> {
        Ok(Self {
            chain: read_chain(columns)?,
            number: read_number(columns)?,
            at: columns.next()?,
            actor: {
                let actor: String = columns.next()?;
                match (&*actor, columns.next()?, columns.next()?) {
                    ("host", None, None) => AuditActor::Host,
                    ("upkeep", None, None) => AuditActor::Upkeep,
                    ("anonymous", None, None) => AuditActor::Anonymous,
                    ("key", Some(key), token) => AuditActor::Key { key, token },
                    _ => return Err(Damage::Value),
                }
            },
            action: columns.next()?,
            subject: columns.next()?,
            source: columns.next()?,
            details: columns.next()?,
            key: columns.next()?,
            link: columns.next()?,
        })
    }
}

/// The two columns that name a chain: no developer's id is empty, so the environment's own chain has that.
pub(crate) fn owner_of(chain: &ChainId) -> Vec<Value> {
    let developer = match chain {
        ChainId::System(_) => String::new(),
        ChainId::Developer(developer) => developer.id.as_str().to_owned(),
    };
    cells![chain.environment(), developer]
}

fn read_chain(columns: &mut Columns<'_>) -> Result<ChainId, Damage> {
    let (environment, developer): (EnvironmentName, String) = (columns.next()?, columns.next()?);
    if developer.is_empty() {
        return Ok(ChainId::System(environment));
    }
    let id = DeveloperId::parse(&developer).map_err(|_| Damage::Value)?;
    Ok(ChainId::Developer(DeveloperRef { environment, id }))
}

fn read_number(columns: &mut Columns<'_>) -> Result<u64, Damage> {
    columns.next::<i64>()?.try_into().map_err(|_| Damage::Value)
}

impl Tabled for FeedEntry {
    fn table() -> &'static Table {
        &tables::FEED
    }

    fn key(&self) -> Vec<Value> {
        cells![self.position]
    }

    fn write(&self) -> Vec<Value> {
        let (kind, environment, developer, subject, number) = match &self.announcement {
            Announcement::TokenRevoked { environment, token } => {
                ("token_revoked", environment, None, Some(token.to_string()), None)
            }
            Announcement::KeyRevoked { environment, key } => {
                ("key_revoked", environment, None, Some(key.to_string()), None)
            }
            Announcement::GenerationEnded { environment, key, generation } => {
                ("generation_ended", environment, None, Some(key.to_string()), Some(*generation))
            }
            Announcement::EpochRaised { developer, epoch } => {
                ("epoch_raised", &developer.environment, Some(developer.id.clone()), None, Some(*epoch))
            }
            Announcement::EntityRemoved { entity: EntityRef { developer, id } } => {
                ("entity_removed", &developer.environment, Some(developer.id.clone()), Some(id.to_string()), None)
            }
            Announcement::SigningKeyChanged { environment, key } => {
                ("signing_key_changed", environment, None, Some(key.to_string()), None)
            }
        };
        cells![self.position, self.at, self.ends_at, kind.to_owned(), *environment, developer, subject, number]
    }

    fn read(columns: &mut Columns<'_>) -> Result<Self, Damage> {
        let (position, at, ends_at) = (columns.next()?, columns.next()?, columns.next()?);
        let (kind, environment): (String, EnvironmentName) = (columns.next()?, columns.next()?);
        let owner: Option<DeveloperId> = columns.next()?;
        let subject: Option<String> = columns.next()?;
        let number: Option<u64> = columns.next()?;
        let announcement = match (&*kind, owner, subject.as_deref(), number) {
            ("token_revoked", None, Some(token), None) => {
                Announcement::TokenRevoked { environment, token: id(latchbook_core::model::TokenId::parse(token))? }
            }
            ("key_revoked", None, Some(key), None) => {
                Announcement::KeyRevoked { environment, key: id(latchbook_core::model::KeyId::parse(key))? }
            }
            ("generation_ended", None, Some(key), Some(generation)) => Announcement::GenerationEnded {
                environment,
                key: id(latchbook_core::model::KeyId::parse(key))?,
                generation,
            },
            ("epoch_raised", Some(id), None, Some(epoch)) => {
                Announcement::EpochRaised { developer: DeveloperRef { environment, id }, epoch }
            }
            ("entity_removed", Some(owner), Some(entity), None) => Announcement::EntityRemoved {
                entity: EntityRef {
                    developer: DeveloperRef { environment, id: owner },
                    id: id(latchbook_core::model::EntityId::parse(entity))?,
                },
            },
            ("signing_key_changed", None, Some(key), None) => Announcement::SigningKeyChanged {
                environment,
                key: id(latchbook_core::model::SigningKeyId::parse(key))?,
            },
            _ => return Err(Damage::Value),
        };
        Ok(Self { position, at, ends_at, announcement })
    }
}

fn id<T, E>(parsed: Result<T, E>) -> Result<T, Damage> {
    parsed.map_err(|_| Damage::Value)
}

/// What the store counts for itself.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Counters {
    pub(crate) meta: StoreMeta,
    /// Up to here the feed came from a copy, whose rows come in any order.
    pub(crate) feed_loaded_to: FeedPosition,
}

impl Tabled for Counters {
    fn table() -> &'static Table {
        &tables::COUNTERS
    }

    fn key(&self) -> Vec<Value> {
        cells![ONLY]
    }

    fn write(&self) -> Vec<Value> {
        let StoreMeta { feed_head, pruned_to, pruned_at } = self.meta;
        cells![ONLY, feed_head, self.feed_loaded_to, pruned_to, pruned_at]
    }

    fn read(columns: &mut Columns<'_>) -> Result<Self, Damage> {
        let _: i64 = columns.next()?;
        let (feed_head, feed_loaded_to) = (columns.next()?, columns.next()?);
        let meta = StoreMeta { feed_head, pruned_to: columns.next()?, pruned_at: columns.next()? };
        Ok(Self { meta, feed_loaded_to })
    }
}

/// A change that was done, so that it is answered when it comes again.
pub(crate) struct Change {
    pub(crate) at: UnixTime,
    pub(crate) committed: Committed,
}

impl Tabled for Change {
    fn table() -> &'static Table {
        &tables::CHANGES
    }

    fn key(&self) -> Vec<Value> {
        cells![self.committed.id]
    }

    fn write(&self) -> Vec<Value> {
        let Committed { id, feed, audit } = &self.committed;
        cells![*id, self.at, *feed, *audit]
    }

    fn read(columns: &mut Columns<'_>) -> Result<Self, Damage> {
        let (id, at): (ChangeId, _) = (columns.next()?, columns.next()?);
        Ok(Self { at, committed: Committed { id, feed: columns.next()?, audit: columns.next()? } })
    }
}
