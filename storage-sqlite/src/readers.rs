//! Reads: on the caller's thread where a connection is free, else on a thread that may wait.

use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use latchbook_core::clock::Timer;
use latchbook_core::key_store::StoreError;
use latchbook_file::{Reply, Worker};
use rusqlite::Connection;

use crate::connection::was_busy;
use crate::file::SqliteFile;
use crate::timeout::{in_time, is_late};

/// Connections while the database can be trusted. Only the writer's thread opens it and shuts it.
#[derive(Default)]
pub(crate) struct Pool(Mutex<State>);

#[derive(Default)]
struct State {
    /// How often it was opened or shut: a connection of an earlier time does not come back.
    time: u64,
    open: bool,
    /// Whether a read failed since.
    suspected: bool,
    free: Vec<Connection>,
    /// How many there are, free or in use.
    made: usize,
}

impl Pool {
    pub(crate) fn open(&self) {
        drop(self.turn(true));
    }

    /// Shuts it, until it is opened again. Connections that are in use are closed when they come back.
    pub(crate) fn shut(&self) {
        drop(self.turn(false));
    }

    /// Begins another time, and gives the connections of the one before, to be closed without the lock.
    fn turn(&self, open: bool) -> Vec<Connection> {
        let mut state = self.lock();
        let time = state.time + 1;
        std::mem::replace(&mut *state, State { time, open, ..State::default() }).free
    }

    /// Whether a read failed since it was opened, so that it is to be opened again.
    pub(crate) fn is_suspected(&self) -> bool {
        self.lock().suspected
    }

    /// A read of that time failed; nothing, where it was opened again meanwhile.
    fn suspect(&self, time: u64) {
        let mut state = self.lock();
        state.suspected |= state.time == time;
    }

    fn time(&self) -> Result<u64, StoreError> {
        let state = self.lock();
        if state.open { Ok(state.time) } else { Err(StoreError::unavailable("the store is being opened again")) }
    }

    /// A connection that is free, or the room to make one.
    fn take(&self) -> Option<Lent<'_>> {
        let mut state = self.lock();
        let connection = state.free.pop();
        if connection.is_none() {
            if !state.open || state.made == MOST {
                return None;
            }
            state.made += 1;
        }
        Some(Lent { pool: self, time: state.time, connection })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that goes back to its pool.
struct Lent<'a> {
    pool: &'a Pool,
    time: u64,
    connection: Option<Connection>,
}

impl Lent<'_> {
    /// The connection, which does not wait for anybody.
    fn connection(&mut self, file: &SqliteFile) -> Result<&Connection, StoreError> {
        let held = match self.connection.take() {
            Some(held) => held,
            None => file.reader(Duration::ZERO)?,
        };
        Ok(self.connection.insert(held))
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut state = self.pool.lock();
        if state.time == self.time {
            match self.connection.take() {
                Some(connection) => state.free.push(connection),
                None => state.made -= 1,
            }
        }
    }
}

/// What is asked for on the thread.
type Question = Box<dyn FnOnce(Result<&Connection, StoreError>) + Send>;

/// The connections that reads share, and the thread for those that have to wait.
pub(crate) struct Readers {
    file: Arc<SqliteFile>,
    pool: Arc<Pool>,
    timer: Arc<Timer>,
    timeout: Duration,
    thread: Worker<Question>,
}

impl Readers {
    pub(crate) fn start(
        file: Arc<SqliteFile>,
        pool: Arc<Pool>,
        timer: Arc<Timer>,
        timeout: Duration,
    ) -> Result<Self, StoreError> {
        let (patient_file, patient_pool) = (Arc::clone(&file), Arc::clone(&pool));
        let full = "too many reads are waiting for the database";
        let thread =
            Worker::start("latchbook-sqlite-reader", full, "the store's reader has stopped", move |questions| {
                Patient { file: patient_file, pool: patient_pool, timeout, questions, held: None }.run();
            })?;
        Ok(Self { file, pool, timer, timeout, thread })
    }

    /// What `read` finds: here and now, where nobody has to be waited for, else in `timeout`. Where the database
    /// itself fails, the pool is suspected from then on.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl Fn(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let time = self.pool.time()?;
        let found = match self.read_here(&read) {
            Some(found) => found,
            None => self.read_there(read).await,
        };
        if let Err(error @ StoreError::Unavailable(_)) = &found
            && !was_busy(error)
            && !is_late(error)
        {
            self.pool.suspect(time);
        }
        found
    }

    /// What `read` finds on the caller's thread; `None` where it would have to wait.
    fn read_here<T>(&self, read: impl Fn(&Connection) -> Result<T, StoreError>) -> Option<Result<T, StoreError>> {
        if let Err(error) = self.file.verify_file() {
            return Some(Err(error));
        }
        let mut lent = self.pool.take()?;
        match lent.connection(&self.file).and_then(read) {
            Err(error) if was_busy(&error) => None,
            found => Some(found),
        }
    }

    async fn read_there<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let question = |reply: Reply<T>| -> Question {
            Box::new(move |connection| {
                // Whoever asked may have gone.
                let _ = reply.send(connection.and_then(read));
            })
        };
        in_time(&self.timer, self.timeout, self.thread.ask(question)).await
    }
}

/// The thread that may wait, with a connection of its own.
struct Patient {
    file: Arc<SqliteFile>,
    pool: Arc<Pool>,
    timeout: Duration,
    questions: Receiver<Question>,
    held: Option<(u64, Connection)>,
}

impl Patient {
    fn run(&mut self) {
        while let Ok(question) = self.questions.recv() {
            match self.connection() {
                Ok(connection) => question(Ok(connection)),
                Err(error) => question(Err(error)),
            }
        }
    }

    fn connection(&mut self) -> Result<&Connection, StoreError> {
        let time = self.pool.time();
        let held = self.held.take().filter(|(opened, _)| time.as_ref().is_ok_and(|time| time == opened));
        let held = match held {
            Some(held) => held,
            None => (time?, self.file.reader(self.timeout)?),
        };
        Ok(&self.held.insert(held).1)
    }
}

/// Most reads that go on at once without the thread.
const MOST: usize = 8;
