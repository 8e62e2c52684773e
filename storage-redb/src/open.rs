//! The open database, with a view of its last commit kept ready for every read.

use std::sync::{Arc, PoisonError, RwLock};

use latchbook_core::key_store::StoreError;
use redb::Database;

use crate::tables::View;

/// A database, and what it holds. Its writer renews the view after each commit, before anybody hears of that.
pub(crate) struct Open {
    // Before the database, so that it goes first.
    latest: RwLock<Arc<View>>,
    database: Database,
}

impl Open {
    pub(crate) fn new(database: Database) -> Result<Self, StoreError> {
        Ok(Self { latest: RwLock::new(Arc::new(View::begin(&database)?)), database })
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    /// The last commit.
    pub(crate) fn latest(&self) -> Arc<View> {
        Arc::clone(&self.latest.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sees what was committed since.
    pub(crate) fn renew(&self) -> Result<(), StoreError> {
        let view = Arc::new(View::begin(&self.database)?);
        *self.latest.write().unwrap_or_else(PoisonError::into_inner) = view;
        Ok(())
    }
}
