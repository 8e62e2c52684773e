//! KeyStore on redb, the embedded default: one file, one process, no server.
//!
//! Changes that arrive together share one durable commit; a killed process loses nothing that was acknowledged.
//!
//! ```no_run
//! # fn main() -> Result<(), latchbook_core::key_store::StoreError> {
//! use latchbook_redb::RedbStore;
//!
//! let store = RedbStore::open("data/auth.redb")?;
//! # drop(store);
//! # Ok(())
//! # }
//! ```

mod draft;
mod file;
mod open;
mod overlay;
mod reading;
mod snapshot;
mod store;
mod tables;
mod transaction;
mod writer;

pub use snapshot::RedbSnapshot;
pub use store::{RedbStore, RedbStoreBuilder};
