//! `PostgresStore`: every call is one bounded series of attempts.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use deadpool_postgres::Pool;
use latchbook_core::key_store::{KeyStore, News, Sharing, StoreError};
use latchbook_core::model::{
    ChangeSet, Committed, FeedPage, FeedPosition, Index, Page, Position, Pruned, RecordKey, Row, Stored, UnixTime,
};

use crate::address::Target;
use crate::builder::PostgresStoreBuilder;
use crate::fault::Fault;
use crate::news::{Listener, Way};
use crate::session::{Session, begin_writing};
use crate::snapshot::PostgresSnapshot;
use crate::statements::Statements;
use crate::timeout::{no_answer, within};
use crate::{commit, copies, migrations, reading};

/// A [`KeyStore`] in one schema of a PostgreSQL database, which any number of processes may share.
///
/// A change is on disk when it is answered. A lost connection is made again by itself; a commit whose answer was lost is
/// read back. Every call must be made within a Tokio runtime that has I/O and time enabled.
pub struct PostgresStore {
    pool: Pool,
    target: Target,
    statements: Arc<Statements>,
    timeout: Duration,
    begin: Arc<str>,
    /// Where notices are wanted, and there is a way for them.
    listener: Option<Listener>,
}

impl PostgresStore {
    /// Opens the store at `url` (`postgres://USER:PASSWORD@HOST:PORT/DATABASE`), in the schema `latchbook`, which is made
    /// where it is not there. Several hosts may be named (`HOST:PORT,HOST:PORT`): the one that takes writes is used.
    ///
    /// # Errors
    /// [`StoreError::Foreign`] if the schema holds tables that are not latchbook's, [`StoreError::Newer`] if a newer
    /// latchbook wrote it, [`StoreError::Unavailable`] if the server does not answer or let us in. Each says what to do,
    /// and none shows the URL or its password.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Self::builder(url).open().await
    }

    /// Options for [`connect`](Self::connect).
    #[must_use]
    pub fn builder(url: &str) -> PostgresStoreBuilder {
        PostgresStoreBuilder::from_url(url)
    }

    /// A store on connections of the host's own pool.
    ///
    /// The host answers for what the URL otherwise brings: TLS, and `target_session_attrs=read-write`. A replica lags, and
    /// keys that were revoked look alive on it; one that is found at opening is refused.
    #[must_use]
    pub fn from_pool(pool: Pool) -> PostgresStoreBuilder {
        PostgresStoreBuilder::from_pool(pool)
    }

    /// Everything that the store holds at this instant, while changes go on: for a backup, or a check of a store in use.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the server does not answer in time.
    pub async fn snapshot(&self) -> Result<PostgresSnapshot, StoreError> {
        self.attempts(|session| PostgresSnapshot::begin(session, Arc::clone(&self.statements), self.timeout)).await
    }

    pub(crate) async fn start(
        pool: Pool,
        target: Target,
        timeout: Duration,
        way: Option<Way>,
        bounded: bool,
    ) -> Result<Self, StoreError> {
        let statements = Arc::new(Statements::new(&target.quoted_schema()));
        let begin = begin_writing(timeout, bounded);
        // Tables are made in a while; a server that does not answer is found out sooner, by the time-out to connect.
        let patience = timeout.saturating_mul(10);
        let opened = tokio::time::timeout(patience, migrations::migrate(&pool, &target, &begin)).await;
        opened.unwrap_or_else(|_| Err(target.unreachable(no_answer(patience))))?;
        let listener = match way {
            Some(way) => Some(Listener::start(way, &target, timeout).await),
            None => None,
        };
        Ok(Self { pool, target, statements, timeout, begin, listener })
    }

    /// What `attempt` gives, tried again where that is safe and can help, within the time-out.
    async fn attempts<T, F>(&self, attempt: impl Fn(Session) -> F + Send + Sync) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, Fault>> + Send,
    {
        let series = async {
            let mut wait = Duration::from_millis(5);
            for _ in 1..ATTEMPTS {
                let fault = match Session::open(&self.pool, &self.begin).await {
                    Ok(session) => match attempt(session).await {
                        Ok(done) => return Ok(done),
                        Err(Fault::Final(error)) => return Err(error),
                        Err(fault) => fault,
                    },
                    // Nobody is there to connect to: the caller is told so at once.
                    Err(fault) => return Err(fault.settled()),
                };
                match fault {
                    Fault::Again(_) => {
                        tokio::time::sleep(wait).await;
                        wait *= 2;
                    }
                    // The others lead to the same server, which went away or takes no writes any more.
                    _ => drop(self.pool.retain(|_, _| false)),
                }
            }
            let session = Session::open(&self.pool, &self.begin).await.map_err(Fault::settled)?;
            attempt(session).await.map_err(Fault::settled)
        };
        within(self.timeout, series).await
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore")
            .field("target", &format_args!("{}", self.target))
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl KeyStore for PostgresStore {
    async fn get(&self, keys: &[RecordKey]) -> Result<Vec<Option<Stored>>, StoreError> {
        self.attempts(|session| reading::get(session, &self.statements, keys)).await
    }

    async fn page(&self, index: &Index, after: Option<&Position>, limit: usize) -> Result<Page, StoreError> {
        self.attempts(|session| reading::page(session, &self.statements, index, after, limit)).await
    }

    async fn changes(&self, after: FeedPosition, limit: usize) -> Result<FeedPage, StoreError> {
        self.attempts(|session| reading::changes(session, &self.statements, after, limit)).await
    }

    async fn commit(&self, set: ChangeSet) -> Result<Committed, StoreError> {
        let news = self.listener.as_ref().map(|listener| (listener, self.target.schema.as_str()));
        self.attempts(|session| commit::commit(session, &self.statements, news, &set)).await
    }

    async fn prune(&self, before: UnixTime, limit: usize) -> Result<Pruned, StoreError> {
        self.attempts(|session| copies::prune(session, &self.statements, before, limit)).await
    }

    async fn scan(&self, after: Option<&Position>, limit: usize) -> Result<Page, StoreError> {
        self.attempts(|session| reading::scan(session, &self.statements, after, limit)).await
    }

    async fn load(&self, rows: Vec<Row>) -> Result<(), StoreError> {
        self.attempts(|session| copies::load(session, &self.statements, &rows)).await
    }

    fn sharing(&self) -> Sharing {
        Sharing::Shared
    }

    fn news(&self) -> Option<News> {
        self.listener.as_ref().map(Listener::news)
    }
}

/// How often something is tried, the first time included.
const ATTEMPTS: u32 = 8;
