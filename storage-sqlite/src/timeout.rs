//! Waiting for an answer no longer than the host said.

use std::future::Future;
use std::time::Duration;

use latchbook_core::clock::{Timer, within};
use latchbook_core::key_store::StoreError;

/// What `answer` gives, or [`StoreError::Unavailable`] after `timeout`.
pub(crate) async fn in_time<T>(
    timer: &Timer,
    timeout: Duration,
    answer: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let late = || StoreError::unavailable(Late(timeout.as_millis()));
    within(timer.sleep(timeout), answer).await.unwrap_or_else(|| Err(late()))
}

/// Whether `error` says no more than that time ran out.
pub(crate) fn is_late(error: &StoreError) -> bool {
    matches!(error, StoreError::Unavailable(source) if source.is::<Late>())
}

#[derive(Debug, thiserror::Error)]
#[error("no answer within {0} ms; a change may still be done")]
struct Late(u128);
