//! One connection for one attempt: what is asked together travels together.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use deadpool_postgres::{Object, Pool, PoolError};
use latchbook_core::key_store::StoreError;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Statement};

use crate::columns::Value;
use crate::fault::{Fault, said};

/// A connection that goes back into the pool only if it is known to be idle and sound.
pub(crate) struct Session {
    // INVARIANT: `Some` until it is dropped or settled.
    client: Option<Object>,
    begin: Arc<str>,
}

/// How a transaction ended that was told to commit. Either way nothing is under way on the connection.
pub(crate) enum Ended {
    Committed(Session),
    /// The row of the set's id was there already, so nothing of the transaction was done.
    DoneBefore(Session),
    /// The server did not take the hint, so nothing of the transaction was done.
    HintRefused(String),
}

/// What begins a transaction that writes. A server that hears no more of us must not hold locks for long. Where `bounded`,
/// the connection itself says so already; else `LOCAL`, so that nothing stays with a connection that is not ours alone.
pub(crate) fn begin_writing(timeout: Duration, bounded: bool) -> Arc<str> {
    let most = timeout.as_millis().clamp(1, 600_000);
    let begin = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
    if bounded {
        return begin.into();
    }
    let settings = "SET LOCAL statement_timeout = {}; SET LOCAL idle_in_transaction_session_timeout = {}";
    format!("{begin}; {}", settings.replace("{}", &most.to_string())).into()
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
    pub(crate) async fn open(pool: &Pool, begin: &Arc<str>) -> Result<Self, Fault> {
        if tokio::runtime::Handle::try_current().is_err() {
            let text = "the store on PostgreSQL was used outside of a Tokio runtime; call it from within one";
            return Err(StoreError::unavailable(text).into());
        }
        match pool.get().await {
            Ok(client) => Ok(Self { client: Some(client), begin: Arc::clone(begin) }),
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
        let statements = prepared(client, steps).await?;
        let mut answers: Vec<Answer<'_>> = Vec::with_capacity(steps.len() + 1);
        if let Some(first) = first {
            answers.push(simple(client, first));
        }
        answers.extend(steps.iter().zip(&statements).map(|(step, statement)| answer(client, step, statement)));
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

    /// Begins a transaction that sees one instant, and waits for its next question as long as it takes.
    pub(crate) async fn begin_snapshot(&self) -> Result<(), Fault> {
        let begin =
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL idle_in_transaction_session_timeout = 0";
        Ok(self.client()?.batch_execute(begin).await?)
    }

    /// Begins a transaction that writes, and asks in it.
    pub(crate) async fn begin_writing(&self, steps: &[Step<'_>]) -> Result<Vec<Vec<Row>>, Fault> {
        self.ask_all(Some(&self.begin), steps).await
    }

    /// Asks `steps` and `hint`, then writes the row of the set's id by `change`, then commits; the last of it travels together.
    ///
    /// Whatever the server refuses aborts the transaction, and then it takes the `COMMIT` for a rollback without a word of
    /// complaint: the commit is done only where every answer before it was good as well. Where the connection is lost,
    /// nobody knows whether it was.
    pub(crate) async fn ask_and_commit(
        self,
        steps: &[Step<'_>],
        hint: Option<Step<'_>>,
        change: Step<'_>,
    ) -> Result<Ended, Fault> {
        let hinted = hint.is_some();
        let last: Vec<_> = hint.into_iter().chain([change]).collect();
        let (before, together) = steps.split_at(steps.len().saturating_sub(TOGETHER - 3));
        if !before.is_empty() {
            self.ask_all(None, before).await?;
        }
        let client = self.client()?;
        let statements = prepared(client, together).await?;
        let mut last_statements = Vec::with_capacity(last.len());
        for step in &last {
            match client.prepare_cached(step.sql).await {
                Ok(statement) => last_statements.push(statement),
                Err(error) if hinted && last_statements.is_empty() && error.as_db_error().is_some() => {
                    return Ok(Ended::HintRefused(said(&error)));
                }
                Err(error) => return Err(error.into()),
            }
        }
        let mut answers: Vec<Answer<'_>> = Vec::with_capacity(together.len() + last.len() + 1);
        answers.extend(together.iter().zip(&statements).map(|(step, statement)| answer(client, step, statement)));
        answers.extend(last.iter().zip(&last_statements).map(|(step, statement)| answer(client, step, statement)));
        answers.push(simple(client, "COMMIT"));
        let refused = all_answered(answers).await?;
        match refused {
            None => Ok(Ended::Committed(self)),
            Some((number, error)) => {
                let change = together.len() + usize::from(hinted);
                // A queue of notices that is full shows at the end.
                let full = number > change && error.code() == Some(&SqlState::PROGRAM_LIMIT_EXCEEDED);
                if number == change && error.code() == Some(&SqlState::UNIQUE_VIOLATION) {
                    Ok(Ended::DoneBefore(self))
                } else if hinted && (number + 1 == change || full) {
                    Ok(Ended::HintRefused(said(&error)))
                } else {
                    Err(error.into())
                }
            }
        }
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

async fn prepared(client: &Object, steps: &[Step<'_>]) -> Result<Vec<Statement>, Fault> {
    let mut statements = Vec::with_capacity(steps.len());
    for step in steps {
        statements.push(client.prepare_cached(step.sql).await?);
    }
    Ok(statements)
}

fn answer<'a>(client: &'a Object, step: &'a Step<'_>, statement: &'a Statement) -> Answer<'a> {
    Box::pin(async move {
        let values: Vec<_> = step.values.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
        client.query(statement, &values).await
    })
}

fn simple<'a>(client: &'a Object, text: &'a str) -> Answer<'a> {
    Box::pin(async move { client.batch_execute(text).await.map(|()| Vec::new()) })
}

/// Waits for every answer; which of them, the first, was the server's refusal. Any other error ends the waiting at once: a
/// statement that could not be sent must not be followed by one that commits what came before it.
async fn all_answered(mut answers: Vec<Answer<'_>>) -> Result<Option<(usize, tokio_postgres::Error)>, Fault> {
    let mut done = vec![false; answers.len()];
    let mut refused: Option<(usize, tokio_postgres::Error)> = None;
    let lost = poll_fn(|context| {
        for (number, (answer, done)) in answers.iter_mut().zip(&mut done).enumerate() {
            if *done {
                continue;
            }
            match answer.as_mut().poll(context) {
                Poll::Ready(Ok(_)) => *done = true,
                Poll::Ready(Err(error)) if error.as_db_error().is_some() => {
                    *done = true;
                    if refused.as_ref().is_none_or(|(first, _)| number < *first) {
                        refused = Some((number, error));
                    }
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Some(error)),
                Poll::Pending => {}
            }
        }
        if done.iter().all(|done| *done) { Poll::Ready(None) } else { Poll::Pending }
    })
    .await;
    match (refused, lost) {
        // The server's last word before it went says more.
        (Some((_, error)), Some(_)) | (None, Some(error)) => Err(error.into()),
        (refused, None) => Ok(refused),
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
