//! Sets of counts on their way to the store, each kept until the store has answered for it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::{ChangeId, ChangeSet};

/// Sets without expectations, oldest first.
///
/// Where a commit was not answered for, the same set is committed again: the store does no set twice, so that nothing is
/// lost and nothing counted twice. Counts that come meanwhile wait where they are counted, so few sets wait here.
#[derive(Debug, Default)]
pub(super) struct Unanswered(Mutex<VecDeque<ChangeSet>>);

impl Unanswered {
    pub(super) fn push(&self, set: ChangeSet) {
        self.lock().push_back(set);
    }

    /// The oldest. It stays until it was [`answered`](Self::answered), also where whoever commits it is dropped half-way.
    pub(super) fn first(&self) -> Option<ChangeSet> {
        self.lock().front().cloned()
    }

    pub(super) fn answered(&self, id: ChangeId) {
        self.lock().retain(|set| set.id != id);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<ChangeSet>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
