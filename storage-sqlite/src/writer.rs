//! The one thread that writes: it gathers what waits, commits it together, and reopens what failed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use latchbook_core::key_store::StoreError;
use latchbook_core::model::{ChangeSet, Committed, Pruned, Row, UnixTime};
use latchbook_file::{Batches, Reply, Worker};
use rusqlite::Connection;

use crate::changes;
use crate::connection::{BEGIN, COMMIT, ROLLBACK, fault, was_busy};
use crate::file::{Open, SqliteFile};
use crate::readers::Pool;

/// What the writer's thread is asked for, and where the answer goes.
pub(crate) enum Job {
    Commit(Box<ChangeSet>, Reply<Committed>),
    Prune(UnixTime, usize, Reply<Pruned>),
    Load(Vec<Row>, Reply<()>),
    /// A read failed: see whether the database is suspected.
    Suspect,
}

/// The handle of the writer's thread. Dropping it closes the database.
pub(crate) type Writer = Worker<Job>;

/// Opens the database and starts the thread. `pool` is open while the database can be trusted.
pub(crate) fn start(file: Arc<SqliteFile>, pool: Arc<Pool>) -> Result<Writer, StoreError> {
    let open = Some(file.open()?);
    pool.open();
    let full = "too many changes are waiting for the disk";
    Worker::start("latchbook-sqlite-writer", full, "the store's writer has stopped", |jobs| {
        Work { file, pool, open, jobs: Batches::of(jobs) }.run();
    })
}

struct Work {
    file: Arc<SqliteFile>,
    pool: Arc<Pool>,
    /// The database while it can be trusted.
    open: Option<Open>,
    jobs: Batches<Job>,
}

impl Work {
    fn run(&mut self) {
        while let Some(mut batch) = self.jobs.next(self.open.is_none().then_some(PAUSE)) {
            if self.pool.is_suspected() {
                tracing::warn!("a read failed; the store is opened again");
                self.close();
            }
            batch.retain(|job| !matches!(job, Job::Suspect));
            if self.open.is_none() {
                match self.reopen() {
                    Ok(()) => tracing::info!("the store is open again"),
                    Err(error) => warn(&error, "the store cannot be opened again yet"),
                }
            }
            if !batch.is_empty() {
                self.batch(batch);
            }
        }
        self.close();
    }

    fn reopen(&mut self) -> Result<(), StoreError> {
        let open = self.file.open()?;
        settle(&open.writer)?;
        self.open = Some(open);
        self.pool.open();
        Ok(())
    }

    fn close(&mut self) {
        self.pool.shut();
        self.open = None;
    }

    /// Does `jobs` in one durable commit and answers each.
    fn batch(&mut self, jobs: Vec<Job>) {
        let answers = match self.together(&jobs) {
            // Something that one of them read is damaged. It alone fails: the others are done without it.
            Err(StoreError::Corrupt(_)) if jobs.len() > 1 => jobs.iter().map(|job| self.alone(job)).collect(),
            done => each(done, jobs.len()),
        };
        jobs.into_iter().zip(answers).for_each(|(job, answer)| answer_to(job, answer));
    }

    fn alone(&mut self, job: &Job) -> Result<Done, StoreError> {
        self.together(std::slice::from_ref(job))?.pop().unwrap_or(Ok(Done::Nothing))
    }

    /// What each of `jobs` comes to, all of them done in one transaction; on an error none of them is.
    fn together(&mut self, jobs: &[Job]) -> Result<Vec<Result<Done, StoreError>>, StoreError> {
        let Some(open) = &self.open else { return Err(StoreError::unavailable("the store is not open")) };
        let done = catch_unwind(AssertUnwindSafe(|| {
            self.file.verify(open)?;
            transaction(&open.writer, jobs)
        }));
        let done = done.unwrap_or_else(|_| Err(StoreError::unavailable("a change failed; the store is opened again")));
        if let Err(error) = &done
            && matches!(error, StoreError::Unavailable(_))
            && !was_busy(error)
        {
            warn(error, "a batch of changes failed; the store is opened again");
            self.close();
        }
        done
    }
}

/// What a job came to.
#[derive(Debug)]
enum Done {
    Committed(Committed),
    Pruned(Pruned),
    Nothing,
}

fn transaction(db: &Connection, jobs: &[Job]) -> Result<Vec<Result<Done, StoreError>>, StoreError> {
    let run = |sql| db.prepare_cached(sql).and_then(|mut statement| statement.execute([])).map_err(fault);
    run(BEGIN)?;
    let mut done = Vec::with_capacity(jobs.len());
    for job in jobs {
        match work(db, job) {
            // It lost before any of its rows was written, so the others go on.
            Err(StoreError::Conflict) => done.push(Err(StoreError::Conflict)),
            Ok(answer) => done.push(Ok(answer)),
            Err(error) => {
                // What went wrong first is the better answer; SQLite may have rolled back already.
                let _ = run(ROLLBACK);
                return Err(error);
            }
        }
    }
    // Where nothing was written, this does not ask the disk.
    if let Err(error) = run(COMMIT) {
        let _ = run(ROLLBACK);
        return Err(error);
    }
    Ok(done)
}

/// Moves what is in the log into the file and syncs that. After a sync that failed the system may take for written what
/// is in its memory alone, such as a change that was counted as not done and is asked for again.
fn settle(db: &Connection) -> Result<(), StoreError> {
    let busy: i64 = db.query_row("PRAGMA wal_checkpoint(FULL)", [], |row| row.get(0)).map_err(fault)?;
    if busy == 0 { Ok(()) } else { Err(StoreError::unavailable("another process holds up the write-ahead log")) }
}

fn work(db: &Connection, job: &Job) -> Result<Done, StoreError> {
    match job {
        Job::Commit(set, _) => changes::commit(db, set).map(Done::Committed),
        Job::Prune(before, limit, _) => changes::prune(db, *before, *limit).map(Done::Pruned),
        Job::Load(rows, _) => changes::load(db, rows).map(|()| Done::Nothing),
        Job::Suspect => Ok(Done::Nothing),
    }
}

fn answer_to(job: Job, done: Result<Done, StoreError>) {
    // Whoever asked may have gone.
    let _ = match (job, done) {
        (Job::Commit(_, reply), Ok(Done::Committed(committed))) => reply.send(Ok(committed)).is_ok(),
        (Job::Commit(_, reply), Err(error)) => reply.send(Err(error)).is_ok(),
        (Job::Prune(.., reply), Ok(Done::Pruned(pruned))) => reply.send(Ok(pruned)).is_ok(),
        (Job::Prune(.., reply), Err(error)) => reply.send(Err(error)).is_ok(),
        (Job::Load(_, reply), done) => reply.send(done.map(drop)).is_ok(),
        // An answer of another kind than its question's is never made; without one the caller hears `Unavailable`.
        (Job::Commit(..) | Job::Prune(..) | Job::Suspect, _) => false,
    };
}

/// The answers to `count` jobs; the error of all is the error of each.
fn each(done: Result<Vec<Result<Done, StoreError>>, StoreError>, count: usize) -> Vec<Result<Done, StoreError>> {
    match done {
        Ok(done) => done,
        Err(error @ StoreError::Unavailable(_)) if count > 1 => {
            let text: Arc<str> = std::error::Error::source(&error).map_or_else(String::new, ToString::to_string).into();
            (0..count).map(|_| Err(StoreError::unavailable(text.to_string()))).collect()
        }
        Err(error) => vec![Err(error)],
    }
}

fn warn(error: &StoreError, what: &str) {
    tracing::warn!(error = ?error.to_string(), "{what}");
}

/// How long a database that cannot be opened is left alone.
const PAUSE: Duration = Duration::from_millis(250);
