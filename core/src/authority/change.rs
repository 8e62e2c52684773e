//! How every change is made: gathered, checked, and committed once, with its audit events.

use super::{Fault, Inner, Principal, Refusal};
use crate::key_store::StoreError;
use crate::model::{
    Announcement, AuditAction, AuditActor, AuditDraft, ChainId, ChangeSet, DeveloperRef, FeedEntry, FeedPosition,
    RecordKey, Rejection, Source, Stored, UnixTime,
};
use crate::random;

/// How often a change is tried again when another came first.
const TRIES: u8 = 16;
/// How long a revocation is kept beyond the life of what it revokes, in seconds.
const KEPT_BEYOND: u64 = 3_600;

/// Who does it.
#[derive(Clone, Copy, Debug)]
pub enum Actor<'a> {
    /// The host's own code, or its operator.
    Host,
    /// A caller, by its token. It acts for its own developer alone.
    Principal(&'a Principal),
}

impl Actor<'_> {
    pub(super) fn audit_actor(&self) -> AuditActor {
        match self {
            Self::Host => AuditActor::Host,
            Self::Principal(principal) => principal.audit_actor(),
        }
    }

    /// Another developer's things are not there for a caller.
    pub(super) fn acts_for(&self, developer: &DeveloperRef) -> Result<(), Rejection> {
        match self {
            Self::Principal(principal) if principal.developer() != developer => Err(Rejection::NotFound),
            _ => Ok(()),
        }
    }
}

/// Counts the tries of one change.
#[derive(Debug, Default)]
pub(super) struct Tries(u8);

/// What an audit event says.
pub(super) struct Event<'a> {
    pub(super) chain: ChainId,
    pub(super) actor: AuditActor,
    pub(super) source: Source,
    pub(super) action: AuditAction,
    pub(super) subject: &'a str,
    pub(super) details: &'a [(&'a str, &'a str)],
}

impl<'a> Event<'a> {
    /// An event of `developer`'s own chain, with no details.
    pub(super) fn about(
        developer: &DeveloperRef,
        actor: &Actor<'_>,
        source: Source,
        action: AuditAction,
        subject: &'a str,
    ) -> Self {
        let chain = ChainId::Developer(developer.clone());
        Self { chain, actor: actor.audit_actor(), source, action, subject, details: &[] }
    }
}

impl Inner {
    /// An empty set, made now.
    pub(super) fn new_set(&self) -> Result<ChangeSet, Refusal> {
        Ok(ChangeSet::new(random::change_id(&*self.random)?, self.set_now()?))
    }

    /// The present, if the clock is one that is set. Nothing is made or ended by one that is not.
    pub(super) fn set_now(&self) -> Result<UnixTime, Fault> {
        let now = self.now();
        let longest = self.config.policy.longest_lifetime.as_seconds();
        if now == UnixTime::EPOCH || now.plus(longest) == UnixTime::MAX {
            return Err(Fault::Clock);
        }
        Ok(now)
    }

    /// Adds an audit event to `set`.
    pub(super) fn audit(&self, set: &mut ChangeSet, event: Event<'_>) -> Result<(), Refusal> {
        let own = |text: &&str| (*text).to_owned();
        set.audit.push(AuditDraft {
            chain: event.chain,
            at: set.at,
            actor: event.actor,
            action: event.action,
            subject: event.subject.to_owned(),
            source: event.source.address,
            details: event.details.iter().map(|(name, value)| (own(name), own(value))).collect(),
            key: self.secrets()?.audit_key().clone(),
        });
        Ok(())
    }

    /// Adds an announcement to `set`, kept until every token that it can mean is over, and an hour more.
    pub(super) fn announce(&self, set: &mut ChangeSet, announcement: Announcement) {
        let ends_at = set.at.plus(self.config.policy.longest_lifetime.as_seconds()).plus(KEPT_BEYOND);
        set.feed.push((announcement, ends_at));
    }

    /// The records that `keys` name, as of one instant.
    pub(super) async fn gather<const N: usize>(&self, keys: [RecordKey; N]) -> Result<[Option<Stored>; N], Refusal> {
        let found = self.store.get(&keys).await?;
        found.try_into().map_err(|_| StoreError::corrupt("not one answer per key").into())
    }

    /// Commits `set`; `false` where another change came first, so that the caller gathers again.
    pub(super) async fn commit(&self, set: ChangeSet, tries: &mut Tries) -> Result<bool, Refusal> {
        let entries: Vec<_> = set
            .feed
            .iter()
            .map(|(announcement, ends_at)| FeedEntry {
                position: FeedPosition::default(),
                at: set.at,
                ends_at: *ends_at,
                announcement: announcement.clone(),
            })
            .collect();
        // Without an answer it is not known whether it was done: what it announced must be read before anything is decided.
        let announcing = self.feed.announcing(!entries.is_empty());
        let chains = self.chains_to_note(&set);
        match self.store.commit(set).await {
            Ok(committed) => self.note_chains(chains, &committed.audit),
            Err(StoreError::Conflict) => {
                announcing.settle();
                tries.0 += 1;
                return if tries.0 < TRIES { Ok(false) } else { Err(Rejection::Conflict.into()) };
            }
            Err(error) => return Err(error.into()),
        }
        // In force here before the caller hears that it is done.
        let changed = self.apply(entries);
        if changed {
            self.outdate_issuers();
        }
        announcing.settle();
        if changed && let Err(error) = self.load_issuers().await {
            // It is done. Nothing is verified or issued before the keys are read.
            tracing::warn!(error = ?error.to_string(), "a changed signing key could not be read yet");
        }
        Ok(true)
    }
}

/// A stored record as the kind that its key promises.
macro_rules! record_as {
    ($stored:expr, $kind:ident) => {
        match $stored {
            None => Ok(None),
            Some(crate::model::Stored { record: crate::model::Record::$kind(value), .. }) => Ok(Some(value)),
            Some(_) => Err(crate::key_store::StoreError::corrupt("a record of another kind than its key's")),
        }
    };
}
pub(super) use record_as;
