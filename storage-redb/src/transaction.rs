//! What every use of redb shares: how a write begins, and what its faults mean.

use latchbook_core::key_store::StoreError;
use redb::{Database, Durability, WriteTransaction};

/// A transaction that survives a crash, and after which the file opens at once.
pub(crate) fn begin(database: &Database) -> Result<WriteTransaction, StoreError> {
    let mut transaction = database.begin_write().map_err(fault)?;
    transaction.set_durability(Durability::Immediate).map_err(fault)?;
    transaction.set_two_phase_commit(true);
    transaction.set_quick_repair(true);
    Ok(transaction)
}

/// A fault of redb's once the file is open.
pub(crate) fn fault(error: impl Into<redb::Error>) -> StoreError {
    match error.into() {
        redb::Error::Corrupted(text) => StoreError::corrupt(text),
        error @ (redb::Error::TableDoesNotExist(_) | redb::Error::TableTypeMismatch { .. }) => {
            StoreError::corrupt(error.to_string())
        }
        error => StoreError::unavailable(error.to_string()),
    }
}
