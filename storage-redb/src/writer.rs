//! The one thread that writes: it gathers what waits, commits it together, and reopens what failed.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use latchbook_core::key_store::StoreError;
use latchbook_core::model::{ChangeSet, Committed, Pruned, Row, UnixTime};
use latchbook_file::{Batches, Reply, Worker};

use crate::draft;
use crate::file::Origin;
use crate::open::Open;
use crate::tables::{Tables, Writes};
use crate::transaction::{begin, fault};

/// The database while it can be trusted. Only the writer's thread takes it out or puts it back.
pub(crate) type Trusted = Arc<RwLock<Option<Open>>>;

/// What the writer's thread is asked for, and where the answer goes.
pub(crate) enum Job {
    Commit(ChangeSet, Reply<Committed>),
    Prune(UnixTime, usize, Reply<Pruned>),
    Load(Vec<Row>, Reply<()>),
    /// A read failed: see whether the database still works.
    Suspect,
}

/// The handle of the writer's thread. Dropping it closes the database.
pub(crate) type Writer = Worker<Job>;

pub(crate) fn start(database: Trusted, origin: impl Origin) -> Result<Writer, StoreError> {
    let origin = Box::new(origin);
    Worker::start(
        "latchbook-redb",
        "too many changes are waiting for the disk",
        "the store's writer has stopped",
        |jobs| {
            Work { database, origin, jobs: Batches::of(jobs) }.run();
        },
    )
}

struct Work {
    database: Trusted,
    origin: Box<dyn Origin>,
    jobs: Batches<Job>,
}

/// Gives a caller its answer, once it is known whether the batch is on disk.
type Settle = Box<dyn FnOnce(&Result<(), Arc<str>>)>;

impl Work {
    fn run(&mut self) {
        while let Some(batch) = self.jobs.next(self.is_broken().then_some(PAUSE)) {
            if self.is_broken() {
                self.reopen();
            }
            self.batch(batch);
        }
        self.take();
    }

    fn batch(&mut self, jobs: Vec<Job>) {
        if jobs.is_empty() {
            return;
        }
        let mut settle = Vec::with_capacity(jobs.len());
        let done = catch_unwind(AssertUnwindSafe(|| self.commit(jobs, &mut settle)));
        let done = done.unwrap_or_else(|_| Err(StoreError::unavailable("the database failed; it is opened again")));
        let outcome = done.map_err(|error| {
            tracing::warn!(error = ?error.to_string(), "a batch of changes failed; the store is opened again");
            self.take();
            Arc::from(error.to_string())
        });
        settle.into_iter().for_each(|settle| settle(&outcome));
    }

    /// Does `jobs` in one durable commit. On an error none of them counts as done.
    fn commit(&self, jobs: Vec<Job>, settle: &mut Vec<Settle>) -> Result<(), StoreError> {
        // Every job is in `settle` before anything can fail, so that each is answered.
        let (plans, answers): (Vec<_>, Vec<_>) = jobs.into_iter().map(halves_of).unzip();
        settle.extend(answers);
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = database.as_ref().ok_or_else(|| StoreError::unavailable("the store is not open"))?;
        self.origin.verify()?;
        let transaction = begin(database.database())?;
        let mut writes = false;
        {
            let mut tables = Tables::open(&transaction).map_err(fault)?;
            for plan in plans {
                let planned = plan(&tables)?;
                writes |= !planned.is_empty();
                tables.write(&planned)?;
            }
        }
        // Where every set lost or was done before, the disk need not be asked.
        if !writes {
            return transaction.abort().map_err(fault);
        }
        transaction.commit().map_err(fault)?;
        database.renew()
    }

    fn is_broken(&self) -> bool {
        self.database.read().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// Takes the database out, which closes it once the reads that are under way have ended.
    fn take(&self) {
        let taken = self.database.write().unwrap_or_else(PoisonError::into_inner).take();
        // Closing writes, and may panic as a commit may.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(taken)));
    }

    fn reopen(&self) {
        match self.origin.open().and_then(Open::new) {
            Ok(database) => {
                *self.database.write().unwrap_or_else(PoisonError::into_inner) = Some(database);
                tracing::info!("the store is open again");
            }
            Err(error) => tracing::warn!(error = ?error.to_string(), "the store cannot be opened again yet"),
        }
    }
}

/// Works out what a job writes. An error fails the whole batch; a job that only loses writes nothing.
type Plan = Box<dyn FnOnce(&Tables<'_>) -> Result<Writes, StoreError>>;

/// A job's two halves: what it does before the commit, and what is said after it.
fn halves_of(job: Job) -> (Plan, Settle) {
    match job {
        Job::Commit(set, reply) => halves(reply, move |tables| draft::commit(tables, set)),
        Job::Prune(before, limit, reply) => halves(reply, move |tables| draft::prune(tables, before, limit)),
        Job::Load(rows, reply) => halves(reply, move |tables| draft::load(tables, rows)),
        Job::Suspect => (Box::new(|_| Ok(Writes::new())), Box::new(|_| {})),
    }
}

fn halves<T: 'static>(
    reply: Reply<T>,
    plan: impl FnOnce(&Tables<'_>) -> Result<(Writes, T), StoreError> + 'static,
) -> (Plan, Settle) {
    let answer = Rc::new(Cell::new(None));
    let kept = Rc::clone(&answer);
    let plan = move |tables: &Tables<'_>| match plan(tables) {
        Ok((writes, done)) => {
            kept.set(Some(Ok(done)));
            Ok(writes)
        }
        Err(StoreError::Unavailable(error)) => Err(StoreError::Unavailable(error)),
        // It lost, or met a damaged row: it alone fails, and the batch goes on without it.
        Err(error) => {
            kept.set(Some(Err(error)));
            Ok(Writes::new())
        }
    };
    let settle = move |outcome: &Result<(), Arc<str>>| {
        let answer = match outcome {
            Ok(()) => answer.take().unwrap_or_else(|| Err(StoreError::unavailable("the change was not reached"))),
            Err(error) => Err(StoreError::unavailable(error.to_string())),
        };
        // Whoever asked may have gone.
        let _ = reply.send(answer);
    };
    (Box::new(plan), Box::new(settle))
}

/// How long a database that cannot be opened is left alone.
const PAUSE: Duration = Duration::from_millis(250);
