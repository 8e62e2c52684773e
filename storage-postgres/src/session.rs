//! One connection for one attempt: what is asked together travels together.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use deadpool_postgres::{Object, Pool, PoolError};
use latchbook_core::key_store::StoreError;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::columns::Value;
use crate::fault::{Fault, said};

/// A connection that goes back into the pool only if it is known to be idle and sound.
pub(crate) struct Session {
    // INVARIANT: `Some` until it is dropped or settled.
    client: Option<Object>,
    timeout: Duration,
}

/// A statement and the values of its parameters.
#[derive(Debug)]
pub(crate) struct Step<'a> {
    pub(crate) sql: &'a str,
    pub(crate) values: Vec<Value>,
}

impl<'a> Step<'a> {
    pub(crate) fn new(sql: &'a str, values: Vec<Value>) -> Self {
        Self { sql, values }
    }
}

type Answer<'a> = Pin<Box<dyn Future<Output = Result<Vec<Row>, tokio_postgres::Error>> + Send + 'a>>;

impl Session {
    pub(crate) async fn open(pool: &Pool, timeout: Duration) -> Result<Self, Fault> {
        if tokio::runtime::Handle::try_current().is_err() {
            let text = "the store on PostgreSQL was used outside of a Tokio runtime; call it from within one";
            return Err(StoreError::unavailable(text).into());
        }
        match pool.get().await {
            Ok(client) => Ok(Self { client: Some(client), timeout }),
            Err(PoolError::Backend(error)) => Err(Fault::Lost(said(&error))),
            Err(PoolError::Timeout(_)) => {
                Err(StoreError::unavailable("no connection to PostgreSQL came free in time").into())
            }
            Err(error) => Err(StoreError::unavailable(error.to_string()).into()),
        }
    }

    /// The rows that one statement gives.
    pub(crate) async fn ask(&self, step: Step<'_>) -> Result<Vec<Row>, Fault> {
        let mut answers = self.ask_all(None, &[step]).await?;
        Ok(answers.pop().unwrap_or_default())
    }

    /// What each statement gives. All are sent before the first answer is awaited, and done in this order.
    pub(crate) async fn ask_all(&self, first: Option<&str>, steps: &[Step<'_>]) -> Result<Vec<Vec<Row>>, Fault> {
        let client = self.client()?;
        let mut statements = Vec::with_capacity(steps.len());
        for step in steps {
            statements.push(client.prepare_cached(step.sql).await?);
        }
        let mut answers: Vec<Answer<'_>> = Vec::with_capacity(steps.len() + 1);
        if let Some(first) = first {
            answers.push(Box::pin(async move { client.batch_execute(first).await.map(|()| Vec::new()) }));
        }
        for (step, statement) in steps.iter().zip(&statements) {
            answers.push(Box::pin(async move {
                let values: Vec<_> = step.values.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
                client.query(statement, &values).await
            }));
        }
        let mut rows = in_order(answers).await?;
        if first.is_some() {
            rows.remove(0);
        }
        Ok(rows)
    }

    /// Begins a transaction that sees one instant, and asks in it.
    pub(crate) async fn begin_reading(&self, steps: &[Step<'_>]) -> Result<Vec<Vec<Row>>, Fault> {
        self.ask_all(Some("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"), steps).await
    }

    /// Begins a transaction that writes, and asks in it.
    pub(crate) async fn begin_writing(&self, steps: &[Step<'_>]) -> Result<Vec<Vec<Row>>, Fault> {
        // A server that hears no more of us must not hold locks for long. `LOCAL`, so that nothing stays with a
        // connection that is not ours alone.
        let begin = format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL statement_timeout = {0}; \
             SET LOCAL idle_in_transaction_session_timeout = {0}",
            self.timeout.as_millis().clamp(1, 600_000)
        );
        self.ask_all(Some(&begin), steps).await
    }

    /// Ends a transaction as done. Where this fails, nobody knows whether it was.
    pub(crate) async fn commit(self) -> Result<(), Fault> {
        self.client()?.batch_execute("COMMIT").await?;
        self.settle();
        Ok(())
    }

    /// Ends a transaction as if it had not been.
    pub(crate) async fn undo(&self) -> Result<(), Fault> {
        Ok(self.client()?.batch_execute("ROLLBACK").await?)
    }

    /// Gives the connection back: nothing is under way on it.
    pub(crate) fn settle(mut self) {
        drop(self.client.take());
    }

    pub(crate) fn client(&self) -> Result<&Object, Fault> {
        self.client.as_ref().ok_or_else(|| Fault::Lost("the connection is closed".to_owned()))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Given up half-way: the next user must not find what is left of it, so the connection is closed.
        if let Some(client) = self.client.take() {
            drop(Object::take(client));
        }
    }
}

/// Every answer, or the first error. Each future is polled first in the order given: that is when it sends.
async fn in_order(answers: Vec<Answer<'_>>) -> Result<Vec<Vec<Row>>, Fault> {
    let mut rows = Vec::with_capacity(answers.len());
    let mut answers = answers.into_iter().peekable();
    while answers.peek().is_some() {
        let mut sent: Vec<(Answer<'_>, Option<Vec<Row>>)> =
            answers.by_ref().take(TOGETHER).map(|answer| (answer, None)).collect();
        poll_fn(|context| {
            let mut waiting = false;
            for (answer, found) in &mut sent {
                if found.is_some() {
                    continue;
                }
                match answer.as_mut().poll(context) {
                    Poll::Ready(Ok(rows)) => *found = Some(rows),
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(Fault::from(error))),
                    Poll::Pending => waiting = true,
                }
            }
            if waiting { Poll::Pending } else { Poll::Ready(Ok(())) }
        })
        .await?;
        rows.extend(sent.into_iter().map(|(_, found)| found.unwrap_or_default()));
    }
    Ok(rows)
}

/// How many statements travel together at most.
const TOGETHER: usize = 64;
