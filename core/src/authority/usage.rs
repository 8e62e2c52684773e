//! Counting in memory: uses per key, and refused exchanges; `upkeep` writes them merged.

use std::collections::{BTreeMap, HashMap};

use crate::check::{Holder, VerifiedToken};
use crate::model::{
    DeveloperRef, EnvironmentName, KeyActivity, KeyId, Merge, Rejection, UnixTime, UsageCounts, UsageRow,
};
use crate::sync::{Arc, AtomicU64, Mutex, MutexGuard, Ordering, PoisonError};

/// What was counted since the authority was built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Tokens whose signature was checked and found right.
    pub verified: u64,
    /// Tokens that were recognised, so that their signature was not checked again.
    pub recognised: u64,
    /// Tokens that were refused.
    pub refused: u64,
    /// Tokens that were issued.
    pub issued: u64,
    /// Exchanges that were refused.
    pub exchanges_refused: u64,
    /// Verified tokens in memory now.
    pub cached_tokens: usize,
    /// Revocations in memory now.
    pub revocations: usize,
}

/// One key's uses since they were last written.
#[derive(Debug, Default)]
pub(super) struct UsageCell {
    requests: AtomicU64,
    exchanges: AtomicU64,
    /// Of the key's latest token.
    holder: Mutex<Option<Arc<Holder>>>,
}

impl UsageCell {
    /// Lets tokens of the key that have the same holder share it.
    pub(super) fn share_holder(&self, token: &mut VerifiedToken) {
        token.share_holder(&mut self.holder.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn count_requests(&self, requests: u64) {
        self.requests.fetch_add(requests, Ordering::Relaxed);
    }

    pub(super) fn count_exchange(&self) {
        self.exchanges.fetch_add(1, Ordering::Relaxed);
    }

    fn drain(&self) -> UsageCounts {
        UsageCounts {
            requests: self.requests.swap(0, Ordering::Relaxed),
            exchanges: self.exchanges.swap(0, Ordering::Relaxed),
        }
    }
}

type Cells = HashMap<(DeveloperRef, KeyId), Arc<UsageCell>>;

/// A cell for each key that is in use, and counters of the whole.
#[derive(Debug, Default)]
pub(super) struct Usage {
    cells: Mutex<Cells>,
    pub(super) verified: AtomicU64,
    pub(super) recognised: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) issued: AtomicU64,
    pub(super) exchanges_refused: AtomicU64,
}

impl Usage {
    pub(super) fn cell(&self, developer: &DeveloperRef, key: KeyId) -> Arc<UsageCell> {
        Arc::clone(self.cells().entry((developer.clone(), key)).or_default())
    }

    /// Takes the counts out, as merges for the day of `now`. A cell that nobody holds and that counted nothing goes.
    pub(super) fn drain(&self, now: UnixTime) -> Vec<Merge> {
        let mut merges = Vec::new();
        self.cells().retain(|(developer, key), cell| {
            let counts = cell.drain();
            if counts == UsageCounts::default() {
                return Arc::strong_count(cell) > 1;
            }
            let (developer, key) = (developer.clone(), *key);
            merges.push(Merge::Usage(UsageRow { developer: developer.clone(), key, day: now.day(), counts }));
            merges.push(Merge::LastUsed(KeyActivity { developer, key, last_used_at: now }));
            true
        });
        merges
    }

    /// What was counted here, where `recognised` tokens were recognised elsewhere.
    pub(super) fn statistics(&self, recognised: u64, cached_tokens: usize, revocations: usize) -> Statistics {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Statistics {
            verified: read(&self.verified),
            recognised: recognised + read(&self.recognised),
            refused: read(&self.refused),
            issued: read(&self.issued),
            exchanges_refused: read(&self.exchanges_refused),
            cached_tokens,
            revocations,
        }
    }

    fn cells(&self) -> MutexGuard<'_, Cells> {
        self.cells.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds one to a counter of [`Usage`].
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Refused exchanges by environment and reason: bounded by how many of both there are.
#[derive(Debug, Default)]
pub(super) struct RefusedExchanges(Mutex<Refused>);

pub(super) type Refused = BTreeMap<(EnvironmentName, &'static str), u64>;

impl RefusedExchanges {
    pub(super) fn count(&self, environment: EnvironmentName, rejection: &Rejection) {
        let mut refused = self.lock();
        let count = refused.entry((environment, rejection.reason())).or_default();
        *count = count.saturating_add(1);
    }

    pub(super) fn drain(&self) -> Refused {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Refused> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
