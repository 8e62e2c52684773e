//! One connection for one attempt: what is asked together travels together.

use std::borrow::Cow;
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

/// Why statements had no good end.
pub(crate) struct Refusal {
    /// The first that was not answered well; `None` where that is what began or ended the transaction.
    pub(crate) step: Option<usize>,
    /// The server's own word; `None` where it said nothing.
    pub(crate) code: Option<SqlState>,
    /// The table whose rule was broken, where the server names it.
    pub(crate) table: Option<String>,
    pub(crate) fault: Fault,
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
    pub(crate) sql: Cow<'a, str>,
    pub(crate) values: Vec<Value>,
}

impl<'a> Step<'a> {
    pub(crate) fn new(sql: impl Into<Cow<'a, str>>, values: Vec<Value>) -> Self {
        Self { sql: sql.into(), values }
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
        self.travel(first, steps, None).await.map_err(|refusal| refusal.fault)
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

    /// Asks `steps` and commits, and begins the transaction first where it has not `begun`.
    ///
    /// Whatever the server refuses aborts the transaction, and then it takes the `COMMIT` for a rollback without a word of
    /// complaint: the commit is done only where every answer before it was good as well. Where the connection is lost,
    /// nobody knows whether it was.
    pub(crate) async fn ask_and_commit(&self, begun: bool, steps: &[Step<'_>]) -> Result<(), Refusal> {
        let first = (!begun).then_some(&*self.begin);
        self.travel(first, steps, Some("COMMIT")).await.map(drop)
    }

    /// What each of `steps` gives, after `first` and before `last`. What is no more than [`TOGETHER`] travels together.
    async fn travel(
        &self,
        mut first: Option<&str>,
        steps: &[Step<'_>],
        last: Option<&str>,
    ) -> Result<Vec<Vec<Row>>, Refusal> {
        let client = self.client().map_err(|fault| Refusal { step: None, code: None, table: None, fault })?;
        let mut rows = Vec::with_capacity(steps.len());
        let mut rest = steps;
        loop {
            let (steps, later) = rest.split_at(rest.len().min(TOGETHER));
            let done = rows.len();
            let mut statements = Vec::with_capacity(steps.len());
            for step in steps {
                let statement = client.prepare_cached(&step.sql).await;
                statements.push(statement.map_err(|error| Refusal::new(Some(done + statements.len()), error))?);
            }
            let first = first.take();
            let last = last.filter(|_| later.is_empty());
            let mut answers: Vec<Answer<'_>> = Vec::with_capacity(steps.len() + 2);
            answers.extend(first.map(|text| simple(client, text)));
            answers.extend(steps.iter().zip(&statements).map(|(step, statement)| answer(client, step, statement)));
            answers.extend(last.map(|text| simple(client, text)));
            let leading = usize::from(first.is_some());
            let given = all_answered(answers).await.map_err(|(number, error)| {
                let step = number.checked_sub(leading).filter(|step| *step < steps.len());
                Refusal::new(step.map(|step| done + step), error)
            })?;
            rows.extend(given.into_iter().skip(leading).take(steps.len()));
            if later.is_empty() {
                return Ok(rows);
            }
            rest = later;
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

impl Refusal {
    fn new(step: Option<usize>, error: tokio_postgres::Error) -> Self {
        // A server that names no table may name the rule, which is called after it.
        let table = error.as_db_error().and_then(|error| {
            error.table().or_else(|| error.constraint().and_then(|name| name.strip_suffix("_pkey"))).map(str::to_owned)
        });
        Self { step, code: error.code().cloned(), table, fault: error.into() }
    }
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

/// Every answer, or the first that is the server's refusal, once all are there: then nothing is under way. Any other error
/// ends the waiting at once: a statement that could not be sent must not be followed by one that commits what came before.
async fn all_answered(mut answers: Vec<Answer<'_>>) -> Result<Vec<Vec<Row>>, (usize, tokio_postgres::Error)> {
    let mut refused = None;
    let mut rows: Vec<Option<Vec<Row>>> = Vec::with_capacity(answers.len());
    // Each is sent when it is polled first.
    let sent = poll_fn(|context| {
        for (number, answer) in answers.iter_mut().enumerate() {
            rows.push(match answer.as_mut().poll(context) {
                Poll::Pending => None,
                Poll::Ready(answer) => Some(kept(number, answer, &mut refused)?),
            });
        }
        Poll::Ready(Ok(()))
    });
    let mut answered = sent.await;
    if answered.is_ok() {
        // They come in the same order.
        for (number, (answer, rows)) in answers.into_iter().zip(&mut rows).enumerate() {
            if rows.is_none() {
                match kept(number, answer.await, &mut refused) {
                    Ok(given) => *rows = Some(given),
                    Err(lost) => {
                        answered = Err(lost);
                        break;
                    }
                }
            }
        }
    }
    match (refused, answered) {
        // The server's last word before it went says more.
        (Some(refused), _) => Err(refused),
        (None, Err(lost)) => Err(lost),
        (None, Ok(())) => Ok(rows.into_iter().map(Option::unwrap_or_default).collect()),
    }
}

/// The rows of one answer; of a refusal, none, and the first one is remembered.
fn kept(
    number: usize,
    answer: Result<Vec<Row>, tokio_postgres::Error>,
    refused: &mut Option<(usize, tokio_postgres::Error)>,
) -> Result<Vec<Row>, (usize, tokio_postgres::Error)> {
    match answer {
        Ok(rows) => Ok(rows),
        Err(error) if error.as_db_error().is_some() => {
            refused.get_or_insert((number, error));
            Ok(Vec::new())
        }
        Err(error) => Err((number, error)),
    }
}

/// How many statements travel together at most.
const TOGETHER: usize = 64;
