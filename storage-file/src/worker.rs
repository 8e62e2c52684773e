//! A thread that works for futures: what it is asked for waits in a bounded queue, and each answer goes back by itself.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use futures_channel::oneshot;
use latchbook_core::key_store::StoreError;

/// Where an answer goes. Dropped without one, the caller hears `Unavailable`.
pub type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// The handle of a thread. Dropping it ends the thread after what waits is done.
#[derive(Debug)]
pub struct Worker<J> {
    queue: Option<SyncSender<J>>,
    thread: Option<JoinHandle<()>>,
    full: &'static str,
    stopped: &'static str,
}

impl<J: Send + 'static> Worker<J> {
    /// Starts a thread called `name`. `full` is said where too much waits, and `stopped` where the thread has ended.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the system refuses a thread.
    pub fn start(
        name: &str,
        full: &'static str,
        stopped: &'static str,
        work: impl FnOnce(Receiver<J>) + Send + 'static,
    ) -> Result<Self, StoreError> {
        let (queue, jobs) = sync_channel(WAITING);
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || work(jobs));
        let thread = thread.map_err(StoreError::unavailable)?;
        Ok(Self { queue: Some(queue), thread: Some(thread), full, stopped })
    }

    /// Has `job` done and waits for its answer.
    ///
    /// # Errors
    /// What the job answers; [`StoreError::Unavailable`] if too much waits, or the thread has stopped.
    pub async fn ask<T>(&self, job: impl FnOnce(Reply<T>) -> J) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.send(job(reply))?;
        answer.await.unwrap_or_else(|_| Err(StoreError::unavailable(self.stopped)))
    }

    /// Has `job` queued, without an answer.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if too much waits, or the thread has stopped.
    pub fn send(&self, job: J) -> Result<(), StoreError> {
        let queue = self.queue.as_ref().ok_or_else(|| StoreError::unavailable("the store is closed"))?;
        queue.try_send(job).map_err(|error| {
            StoreError::unavailable(match error {
                TrySendError::Full(_) => self.full,
                TrySendError::Disconnected(_) => self.stopped,
            })
        })
    }
}

impl<J> Drop for Worker<J> {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A panic was caught where it happened; there is nothing to hand on.
            let _ = thread.join();
        }
    }
}

/// The jobs that wait, taken together for one commit of them all.
#[derive(Debug)]
pub struct Batches<J> {
    jobs: Receiver<J>,
    last: usize,
}

impl<J> Batches<J> {
    /// Batches of `jobs`.
    pub fn of(jobs: Receiver<J>) -> Self {
        Self { jobs, last: 1 }
    }

    /// The next batch: at least one job, or none once `patience` is over; `None` once nobody can ask any more.
    ///
    /// Callers that had their answers together come back one after the other. As many as last time are waited for, a
    /// little, so that they share a commit again; a caller that is alone never waits.
    pub fn next(&mut self, patience: Option<Duration>) -> Option<Vec<J>> {
        let first = match patience {
            None => self.at_once().or_else(|| self.jobs.recv().ok())?,
            Some(patience) => match self.jobs.recv_timeout(patience) {
                Err(RecvTimeoutError::Timeout) => return Some(Vec::new()),
                first => first.ok()?,
            },
        };
        let mut batch = vec![first];
        batch.extend(self.jobs.try_iter().take(BATCH - 1));
        while batch.len() < self.last
            && let Ok(another) = self.jobs.recv_timeout(PAUSE)
        {
            batch.push(another);
            batch.extend(self.jobs.try_iter().take(BATCH - batch.len()));
        }
        self.last = batch.len();
        Some(batch)
    }

    /// A job that comes right after the last ones were done, as from a caller that does one after the other: waking this
    /// thread for it would take longer. Whoever else wants the processor has it meanwhile.
    fn at_once(&self) -> Option<J> {
        for _ in 0..AT_ONCE {
            if let Ok(job) = self.jobs.try_recv() {
                return Some(job);
            }
            std::thread::yield_now();
        }
        None
    }
}

/// Most jobs that may wait; beyond them callers are turned away at once.
const WAITING: usize = 4096;
/// Most jobs in one commit.
const BATCH: usize = 1024;
/// How long one more job is waited for.
const PAUSE: Duration = Duration::from_micros(50);
/// How often is looked for a caller that comes back at once: some tens of microseconds.
const AT_ONCE: usize = 128;
