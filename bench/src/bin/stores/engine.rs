//! What every engine offers to be measured: a filled store of latchbook's, and the engine itself beside it.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;

use futures_util::future::try_join_all;
use latchbook::key_store::KeyStore;
use latchbook::model::{ChangeSet, RecordKey};

use crate::Failure;

/// An engine with a store on it, and the same rows for the engine alone.
pub trait Engine: Sized {
    /// The store, as its own type.
    type Store: KeyStore;
    /// What is shown.
    const NAME: &'static str;
    /// Whether changes of several callers share one commit, in the engine as in the store.
    const BATCHES: bool;

    /// A store with the keys of `data::rows(keys)` in `folder`, made where it is not there.
    fn filled(folder: &Path, keys: u64) -> Result<Self, Failure>;

    fn store(&self) -> &Arc<Self::Store>;

    /// Waits for `future` as a caller on one thread does.
    fn wait<T>(&self, future: impl Future<Output = T>) -> T;

    /// Reads these keys by the engine's own point read, every column copied out.
    fn read_bare(&self, names: &[RecordKey]) -> Result<(), Failure>;

    /// The rows of changes, worked out before anything is timed.
    type Rows: Send + 'static;
    fn rows(&self, sets: Vec<ChangeSet>) -> Result<Vec<Self::Rows>, Failure>;

    /// Writes each batch of changes in one durable transaction, one batch after the other.
    fn write_bare(&self, batches: Vec<Vec<Self::Rows>>) -> Result<(), Failure>;

    /// Writes each caller's changes one after the other, each in a durable transaction; all callers at once.
    fn write_bare_at_once(&self, _callers: Vec<Vec<Self::Rows>>) -> Result<(), Failure> {
        Err("this engine has one writer".into())
    }

    /// What the same rows take where the engine alone has written them, in bytes, and what the store takes.
    fn disk(&self, folder: &Path) -> Result<(u64, u64), Failure>;
}

/// Every caller has the store commit its changes one after the other, all callers at once.
pub fn commit_at_once<E: Engine>(engine: &E, callers: Vec<Vec<ChangeSet>>) -> Result<(), Failure> {
    engine.wait(async {
        let callers = callers.into_iter().map(|sets| async {
            for set in sets {
                engine.store().commit(set).await?;
            }
            Ok::<(), Failure>(())
        });
        try_join_all(callers).await.map(drop)
    })
}
