//! A whole store as of one instant, while changes go on: a connection of its own, on a thread of its own.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use async_trait::async_trait;
use latchbook_core::clock::Timer;
use latchbook_core::key_store::StoreError;
use latchbook_core::model::{Page, Position};
use latchbook_core::moving::Rows;
use latchbook_file::{Reply, Worker};
use rusqlite::Connection;

use crate::changes::counters;
use crate::connection::fault;
use crate::file::SqliteFile;
use crate::reading;
use crate::timeout::in_time;

/// Everything that an [`SqliteStore`](crate::SqliteStore) held when this was made.
pub struct SqliteSnapshot {
    path: PathBuf,
    thread: Worker<Job>,
    timer: Arc<Timer>,
    timeout: Duration,
}

enum Job {
    Begin(Reply<()>),
    Scan(Option<Position>, usize, Reply<Page>),
}

impl SqliteSnapshot {
    pub(crate) async fn begin(file: Arc<SqliteFile>, timer: Arc<Timer>, timeout: Duration) -> Result<Self, StoreError> {
        let path = file.shown().to_owned();
        let full = "too many reads are waiting for the snapshot";
        let thread =
            Worker::start("latchbook-sqlite-snapshot", full, "the snapshot's reader has stopped", move |jobs| {
                run(&file, timeout, &jobs);
            })?;
        in_time(&timer, timeout, thread.ask(Job::Begin)).await?;
        Ok(Self { path, thread, timer, timeout })
    }
}

#[async_trait]
impl Rows for SqliteSnapshot {
    async fn scan(&self, after: Option<&Position>, limit: usize) -> Result<Page, StoreError> {
        let after = after.cloned();
        in_time(&self.timer, self.timeout, self.thread.ask(|reply| Job::Scan(after, limit, reply))).await
    }
}

impl fmt::Debug for SqliteSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteSnapshot").field("path", &self.path).finish_non_exhaustive()
    }
}

fn run(file: &SqliteFile, timeout: Duration, jobs: &Receiver<Job>) {
    let mut view = None;
    // Whoever asked may have gone.
    while let Ok(job) = jobs.recv() {
        let _ = match job {
            Job::Begin(reply) => reply.send(open(file, timeout).map(|opened| _ = view.insert(opened))).is_ok(),
            Job::Scan(after, limit, reply) => {
                let view = view.as_ref().ok_or_else(|| StoreError::unavailable("the snapshot has not begun"));
                reply.send(view.and_then(|db| reading::scan_here(db, after.as_ref(), limit))).is_ok()
            }
        };
    }
}

/// A connection whose transaction ends with it.
fn open(file: &SqliteFile, timeout: Duration) -> Result<Connection, StoreError> {
    file.verify_file()?;
    let db = file.reader(timeout)?;
    db.execute_batch("BEGIN DEFERRED").map_err(fault)?;
    // The first read fixes the instant.
    counters(&db)?;
    Ok(db)
}
