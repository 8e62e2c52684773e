//! A whole store as of one instant, while changes go on: a connection with its transaction kept open.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use latchbook_core::key_store::StoreError;
use latchbook_core::model::{Page, Position};
use latchbook_core::moving::Rows;

use crate::fault::Fault;
use crate::reading;
use crate::session::Session;
use crate::statements::Statements;
use crate::timeout::within;

/// Everything that a [`PostgresStore`](crate::PostgresStore) held when this was made.
///
/// It keeps one connection of the pool. While it is there the server removes no row that it can see, so it is not for
/// keeping. Once a page could not be read, none can: take another snapshot.
pub struct PostgresSnapshot {
    // Dropping it closes the connection, and so ends the transaction.
    session: Session,
    statements: Arc<Statements>,
    timeout: Duration,
}

impl PostgresSnapshot {
    /// Begins on a connection that is idle. The first read fixes the instant.
    pub(crate) async fn begin(session: Session, statements: Arc<Statements>, timeout: Duration) -> Result<Self, Fault> {
        session.begin_snapshot().await?;
        reading::counters(&session, &statements).await?;
        Ok(Self { session, statements, timeout })
    }
}

#[async_trait]
impl Rows for PostgresSnapshot {
    async fn scan(&self, after: Option<&Position>, limit: usize) -> Result<Page, StoreError> {
        let page = reading::scan_here(&self.session, &self.statements, after, limit);
        within(self.timeout, async { page.await.map_err(Fault::settled) }).await
    }
}

impl fmt::Debug for PostgresSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresSnapshot").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}
