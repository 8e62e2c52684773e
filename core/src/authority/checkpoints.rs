//! Signed checkpoints: written into each chain that went on, and given to the host to keep elsewhere.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::change::{Event, Tries};
use super::{Fault, Inner, Refusal};
use crate::jose::sign_checkpoint;
use crate::key_store::{KeyStoreExt as _, StoreError};
use crate::model::{
    AuditAction, AuditActor, AuditEvent, CHECKPOINT_DETAIL, ChainId, ChangeSet, Checkpoint, FIRST_LINK,
    SignedCheckpoint, Source,
};
use crate::random;

/// Keeps the checkpoints of audit chains where the store's files are not: a log elsewhere, another machine, an object
/// that cannot be overwritten. The last one of a chain shows a tail that was cut off
/// ([`Audit::verify_against`](super::Audit::verify_against)).
pub trait CheckpointSink: Debug + Send + Sync + 'static {
    /// Takes a checkpoint that is in its chain by now. It must not block: what takes time is handed on.
    fn keep(&self, checkpoint: &SignedCheckpoint);
}

/// Writes each checkpoint as one line of the log, with the target `latchbook::checkpoint`.
#[derive(Clone, Copy, Debug)]
pub(super) struct LogSink;

impl CheckpointSink for LogSink {
    fn keep(&self, signed: &SignedCheckpoint) {
        let SignedCheckpoint { checkpoint, compact } = signed;
        let (chain, count) = (&checkpoint.chain, checkpoint.count);
        tracing::info!(target: "latchbook::checkpoint", %chain, count, %compact, "a checkpoint of an audit chain");
    }
}

/// How many chains are remembered at most. One that is not gets its checkpoint after a later event.
const CAPACITY: usize = 10_000;
/// How many checkpoints are written at once.
const STEP: usize = 64;
/// How long after a failure a checkpoint is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(60);

/// Which checkpoints are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// Those whose time has come.
    Due,
    /// All of them: the process ends.
    All,
}

/// The chains that this process has written to since their last checkpoint.
#[derive(Debug)]
pub(super) struct Checkpoints {
    sink: Arc<dyn CheckpointSink>,
    interval: Option<Duration>,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// The number of the last event that this process knows of.
    numbers: HashMap<ChainId, u64>,
    /// The same chains, by when their checkpoint is due on the monotonic clock.
    order: BTreeSet<(Duration, ChainId)>,
    missed: u64,
}

impl Checkpoints {
    /// Checkpoints that are due `interval` after the first event that none covers; `None` writes none.
    pub(super) fn new(sink: Arc<dyn CheckpointSink>, interval: Option<Duration>) -> Self {
        Self { sink, interval, waiting: Mutex::default() }
    }

    /// Remembers that `chain` has an event `number`.
    fn note(&self, chain: ChainId, number: u64, due_at: Duration) {
        let mut waiting = self.lock();
        if let Some(known) = waiting.numbers.get_mut(&chain) {
            *known = number.max(*known);
        } else if waiting.numbers.len() < CAPACITY {
            waiting.order.insert((due_at, chain.clone()));
            waiting.numbers.insert(chain, number);
        } else {
            waiting.missed += 1;
        }
    }

    /// Takes out the chains that come next, and the numbers of their last known events.
    fn take(&self, which: Which, now: Duration) -> Vec<(ChainId, u64)> {
        let mut waiting = self.lock();
        let missed = std::mem::take(&mut waiting.missed);
        if missed > 0 {
            tracing::warn!(missed, "more audit chains go on at once than are remembered: checkpoints come later");
        }
        // With half the room taken, those that come first are written early.
        let at_once = which == Which::All || waiting.numbers.len() > CAPACITY / 2;
        let mut taken = Vec::new();
        while taken.len() < STEP
            && waiting.order.first().is_some_and(|(due_at, _)| at_once || *due_at <= now)
            && let Some((_, chain)) = waiting.order.pop_first()
        {
            taken.extend(waiting.numbers.remove(&chain).map(|number| (chain, number)));
        }
        taken
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Both lists are changed together without a step that can fail, so a poisoned lock still guards a whole state.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// The chains that the events of `set` belong to, in their order; `None` for what calls for no checkpoint: a
    /// checkpoint itself, and the sweepings of upkeep, so that an authority at rest comes to rest.
    pub(super) fn chains_to_note(&self, set: &ChangeSet) -> Vec<Option<ChainId>> {
        let calls = |action| !matches!(action, AuditAction::AuditCheckpoint | AuditAction::StorePruned);
        let noted = set.audit.iter().map(|event| {
            let signs = self.checkpoints.interval.is_some() && !self.issuers.is_foreign(event.chain.environment());
            (signs && calls(event.action)).then(|| event.chain.clone())
        });
        noted.collect()
    }

    /// Remembers that these chains went on, up to these numbers.
    pub(super) fn note_chains(&self, chains: Vec<Option<ChainId>>, numbers: &[u64]) {
        let due_at = self.time.monotonic().saturating_add(self.checkpoints.interval.unwrap_or_default());
        for (chain, number) in chains.into_iter().zip(numbers) {
            if let Some(chain) = chain {
                self.checkpoints.note(chain, *number, due_at);
            }
        }
    }

    /// Writes some checkpoints in one commit, then gives them to the sink; `false` where none was left to write.
    pub(super) async fn write_checkpoints(&self, which: Which) -> Result<bool, Refusal> {
        let chains = self.checkpoints.take(which, self.time.monotonic());
        if chains.is_empty() {
            return Ok(false);
        }
        match self.commit_checkpoints(&chains).await {
            Ok(written) => {
                written.iter().for_each(|signed| self.checkpoints.sink.keep(signed));
                Ok(true)
            }
            Err(refusal) => {
                let due_at = self.time.monotonic().saturating_add(RETRY_AFTER);
                chains.into_iter().for_each(|(chain, number)| self.checkpoints.note(chain, number, due_at));
                Err(refusal)
            }
        }
    }

    async fn commit_checkpoints(&self, chains: &[(ChainId, u64)]) -> Result<Vec<SignedCheckpoint>, Refusal> {
        let mut set = self.new_set()?;
        let mut written = Vec::new();
        for (chain, known) in chains {
            match self.trusted_head(chain, *known).await? {
                Some(head) if !is_covered(&head) => written.extend(self.add_checkpoint(&mut set, &head)?),
                _ => {}
            }
        }
        if written.is_empty() || self.commit(set, &mut Tries::default()).await? {
            Ok(written)
        } else {
            Err(Fault::Internal("a checkpoint expects nothing, and lost all the same").into())
        }
    }

    /// The newest event of `chain`; `None`, and a line in the log, where there should be more of the chain or its end does
    /// not hold. No checkpoint vouches for that, and others are written all the same.
    async fn trusted_head(&self, chain: &ChainId, known: u64) -> Result<Option<AuditEvent>, Refusal> {
        let newest = match self.store.audit(chain, None, 2).await {
            Ok((newest, _)) => newest,
            Err(error @ StoreError::Corrupt(_)) => {
                tracing::error!(%chain, error = ?error.to_string(), "an audit chain cannot be read");
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let mut newest = newest.into_iter();
        let Some(head) = newest.next().filter(|head| head.number >= known) else {
            tracing::error!(%chain, known, "an audit chain is shorter than it was: its tail was cut off");
            return Ok(None);
        };
        let previous = newest.next().map_or(FIRST_LINK, |event| event.link);
        let holds = self.secrets()?.audit_keys().get(&head.key).is_some_and(|key| key.verifies(&head, &previous));
        if !holds {
            tracing::error!(%chain, number = head.number, "the last event of an audit chain was changed");
        }
        Ok(holds.then_some(head))
    }

    /// Signs a checkpoint up to `head`, and adds its event; `None` where nothing signs here any more.
    fn add_checkpoint(&self, set: &mut ChangeSet, head: &AuditEvent) -> Result<Option<SignedCheckpoint>, Refusal> {
        let environment = head.chain.environment();
        let Some(pair) = self.issuers.current().signer(environment) else { return Ok(None) };
        let issuer = self.config.issuer_of(environment);
        let checkpoint =
            Checkpoint { issuer, chain: head.chain.clone(), count: head.number, head: head.link, at: set.at };
        let signed = sign_checkpoint(checkpoint, &pair).map_err(|_| Fault::Random(random::RandomError))?;
        self.audit(
            set,
            Event {
                chain: head.chain.clone(),
                actor: AuditActor::Upkeep,
                source: Source::UNKNOWN,
                action: AuditAction::AuditCheckpoint,
                subject: pair.id().as_str(),
                details: &[
                    ("count", &head.number.to_string()),
                    ("head", &URL_SAFE_NO_PAD.encode(head.link)),
                    (CHECKPOINT_DETAIL, &signed.compact),
                ],
            },
        )?;
        Ok(Some(signed))
    }
}

/// Whether another process's checkpoint has come first, and covers everything before it.
fn is_covered(head: &AuditEvent) -> bool {
    let count = head.details.iter().find(|(name, _)| name == "count");
    head.action == AuditAction::AuditCheckpoint
        && count.is_some_and(|(_, count)| *count == head.number.saturating_sub(1).to_string())
}
