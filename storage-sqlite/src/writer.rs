//! The one thread that writes: it gathers what waits, commits it together, and reopens what failed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use latchbook_core::key_store::StoreError;
use latchbook_core::model::{ChangeSet, Committed, Pruned, Row, UnixTime};
use rusqlite::Connection;

use crate::changes;
use crate::connection::{BEGIN, COMMIT, ROLLBACK, fault, was_busy};
use crate::file::{Open, StoreFile};
use crate::oneshot::{self, Sender};
use crate::readers::Pool;

/// What the writer's thread is asked for, and where the answer goes.
pub(crate) enum Job {
    Commit(Box<ChangeSet>, Reply<Committed>),
    Prune(UnixTime, usize, Reply<Pruned>),
    Load(Vec<Row>, Reply<()>),
    /// A read failed: see whether the database is suspected.
    Suspect,
}

pub(crate) type Reply<T> = Sender<Result<T, StoreError>>;

/// The handle of the writer's thread. Dropping it ends the thread after what waits is done, and closes the database.
pub(crate) struct Writer {
    queue: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Opens the database and starts the thread. `pool` is open while the database can be trusted.
    pub(crate) fn start(file: Arc<StoreFile>, pool: Arc<Pool>) -> Result<Self, StoreError> {
        let (queue, jobs) = sync_channel(WAITING);
        let mut work = Work { file, pool, open: None, jobs };
        work.open()?;
        let thread = std::thread::Builder::new().name("latchbook-sqlite-writer".to_owned());
        let thread = thread.spawn(move || work.run()).map_err(StoreError::unavailable)?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Has `job` done and waits for its answer.
    pub(crate) async fn ask<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.send(job(reply))?;
        answer.receive().await.unwrap_or_else(|| Err(StoreError::unavailable("the store's writer has stopped")))
    }

    /// Has `job` queued, without an answer.
    pub(crate) fn send(&self, job: Job) -> Result<(), StoreError> {
        let queue = self.queue.as_ref().ok_or_else(|| StoreError::unavailable("the store is closed"))?;
        queue.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::unavailable("too many changes are waiting for the disk"),
            TrySendError::Disconnected(_) => StoreError::unavailable("the store's writer has stopped"),
        })
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A panic was caught where it happened; there is nothing to hand on.
            let _ = thread.join();
        }
    }
}

struct Work {
    file: Arc<StoreFile>,
    pool: Arc<Pool>,
    /// The database while it can be trusted.
    open: Option<Open>,
    jobs: Receiver<Job>,
}

impl Work {
    fn run(&mut self) {
        while let Some(mut batch) = self.gather() {
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

    /// The jobs that wait, or none where it is only time to reopen; `None` once nobody can ask any more.
    fn gather(&self) -> Option<Vec<Job>> {
        let first = if self.open.is_none() {
            match self.jobs.recv_timeout(PAUSE) {
                Err(RecvTimeoutError::Timeout) => return Some(Vec::new()),
                first => first.ok()?,
            }
        } else {
            self.jobs.recv().ok()?
        };
        let mut batch = vec![first];
        batch.extend(self.jobs.try_iter().take(BATCH - 1));
        Some(batch)
    }

    fn open(&mut self) -> Result<(), StoreError> {
        self.open = Some(self.file.open()?);
        self.pool.open();
        Ok(())
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
    match (job, done) {
        (Job::Commit(_, reply), Ok(Done::Committed(committed))) => reply.send(Ok(committed)),
        (Job::Commit(_, reply), Err(error)) => reply.send(Err(error)),
        (Job::Prune(.., reply), Ok(Done::Pruned(pruned))) => reply.send(Ok(pruned)),
        (Job::Prune(.., reply), Err(error)) => reply.send(Err(error)),
        (Job::Load(_, reply), done) => reply.send(done.map(drop)),
        // An answer of another kind than its question's is never made; without one the caller hears `Unavailable`.
        (Job::Commit(..) | Job::Prune(..) | Job::Suspect, _) => {}
    }
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

/// Most jobs that may wait; beyond them callers are turned away at once.
const WAITING: usize = 4096;
/// Most jobs in one commit.
const BATCH: usize = 1024;
/// How long a database that cannot be opened is left alone.
const PAUSE: Duration = Duration::from_millis(250);
