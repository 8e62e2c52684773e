//! Waiting for an answer no longer than the host said.

use std::future::Future;
use std::time::Duration;

use latchbook_core::key_store::StoreError;

/// Bounds `series`, in a runtime or told that there is none.
pub(crate) async fn within<T>(
    timeout: Duration,
    series: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    if tokio::runtime::Handle::try_current().is_err() {
        return series.await;
    }
    tokio::time::timeout(timeout, series).await.unwrap_or_else(|_| Err(no_answer(timeout)))
}

/// Nothing came in this time.
pub(crate) fn no_answer(waited: Duration) -> StoreError {
    let waited = waited.as_millis();
    StoreError::unavailable(format!("no answer within {waited} ms; a change may still be done"))
}
