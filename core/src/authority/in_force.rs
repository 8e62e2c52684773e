//! The revocations in force: read by everybody at every use of a token, replaced by whoever changes them.

use crate::check::Revocations;
use crate::sync::{Arc, AtomicU64, Mutex, Ordering, PoisonError, RwLock};

/// What was revoked, as one state after another; no state ever changes.
#[derive(Debug, Default)]
pub(super) struct InForce {
    latest: RwLock<Arc<Revocations>>,
    /// Goes up with each change, after it.
    version: AtomicU64,
    /// Held by whoever makes a change.
    changing: Mutex<()>,
}

/// A state, as somebody knows it.
#[derive(Debug, Default)]
pub(super) struct Known {
    version: u64,
    revocations: Arc<Revocations>,
}

impl InForce {
    /// The state of now.
    pub(super) fn latest(&self) -> Arc<Revocations> {
        Arc::clone(&self.latest.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Brings `known` up to date. Where nothing changed, it reads one word and writes none.
    pub(super) fn follow<'a>(&self, known: &'a mut Known) -> &'a Revocations {
        let version = self.version.load(Ordering::Acquire);
        if known.version != version {
            // What is read is of that version or later.
            *known = Known { version, revocations: self.latest() };
        }
        &known.revocations
    }

    /// Puts a changed state in force. Once it returns, nobody reads a former one any more.
    pub(super) fn change(&self, change: impl FnOnce(&mut Revocations)) {
        let changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = Revocations::clone(&self.latest());
        change(&mut changed);
        // Readers wait for the replacement alone, not for the copy, nor for the former one to be taken apart.
        let mut former = Arc::new(changed);
        std::mem::swap(&mut *self.latest.write().unwrap_or_else(PoisonError::into_inner), &mut former);
        self.version.fetch_add(1, Ordering::Release);
        drop(changing);
        drop(former);
    }
}
