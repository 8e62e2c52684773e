//! Removes what has ended, in bounded steps.

use super::rows::{Progress, Stage};
use crate::key_store::{KeyStore, StoreError};
use crate::model::UnixTime;

/// Removes every row that ended before `before`: announcements, ids of changes and idempotency keys. How many. `progress`
/// is told after every step.
///
/// What had ended by `before` stays ended, whatever the clock says later: give the present, never a guess. Nothing is
/// audited here; [`Authority::prune`](crate::authority::Authority::prune) does both by its own clock.
///
/// # Errors
/// As [`KeyStore::prune`]. What was removed by then stays removed.
pub async fn prune<S: KeyStore + ?Sized>(
    store: &S,
    before: UnixTime,
    progress: &mut (dyn FnMut(&Progress) + Send),
) -> Result<u64, StoreError> {
    let mut removed = 0;
    loop {
        let step = store.prune(before, STEP).await?;
        removed += step.removed as u64;
        progress(&Progress { stage: Stage::Pruning, rows: removed, position: None });
        if !step.more {
            return Ok(removed);
        }
    }
}

const STEP: usize = 500;
