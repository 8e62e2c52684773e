//! Entities that a developer was found to reach, remembered for as long as the scope allows.

use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::quality::RandomState;
use quick_cache::UnitWeighter;
use quick_cache::sync::{Cache, DefaultLifecycle};

use super::asking::{Asking, Turn};
use crate::model::{EntityRef, UnixTime};

const CAPACITY: usize = 100_000;

/// A bounded memory of "yes". A "no" is never kept, and any removal makes every kept answer void.
#[derive(Debug)]
pub(super) struct ReachCache {
    yes: Cache<EntityRef, Yes, UnitWeighter, RandomState>,
    asking: Asking<EntityRef>,
    removals: AtomicU64,
}

#[derive(Clone, Copy, Debug)]
struct Yes {
    until: UnixTime,
    removals: u64,
}

impl ReachCache {
    pub(super) fn new() -> Self {
        let (hash, lifecycle) = (RandomState::default(), DefaultLifecycle::default());
        let yes = Cache::with(CAPACITY, CAPACITY as u64, UnitWeighter, hash, lifecycle);
        Self { yes, asking: Asking::new(), removals: AtomicU64::new(0) }
    }

    /// The turn to ask about `entity`; nothing for whoever waited while another asked.
    pub(super) async fn turn(&self, entity: &EntityRef) -> Option<Turn<'_, EntityRef>> {
        self.asking.turn(entity).await
    }

    /// How many removals were seen; read it before asking, and give it to [`remember`](Self::remember).
    pub(super) fn removals(&self) -> u64 {
        self.removals.load(Ordering::Acquire)
    }

    /// Whether `entity` was found reachable, and the answer still holds at `now`.
    pub(super) fn holds(&self, entity: &EntityRef, now: UnixTime) -> bool {
        self.yes.get(entity).is_some_and(|yes| now < yes.until && yes.removals == self.removals())
    }

    /// Keeps a "yes" that was asked for when `removals` had been seen.
    pub(super) fn remember(&self, entity: EntityRef, until: UnixTime, removals: u64) {
        self.yes.insert(entity, Yes { until, removals });
    }

    /// Something was removed.
    pub(super) fn void(&self) {
        self.removals.fetch_add(1, Ordering::AcqRel);
    }
}
