//! The schema: recognised, made, and brought to this version, however many nodes start at once.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Object, Pool};
use latchbook_core::key_store::StoreError;
use tokio_postgres::error::SqlState;

use crate::address::Target;
use crate::fault::{Fault, said};
use crate::session::Session;

/// Sees to it that the store's tables are there, in the version that this code knows.
pub(crate) async fn migrate(pool: &Pool, target: &Target, begin: &Arc<str>) -> Result<(), StoreError> {
    for attempt in 0..ATTEMPTS {
        let session = match Session::open(pool, begin).await {
            Ok(session) => session,
            Err(fault) => return Err(target.unreachable(fault.settled())),
        };
        let client = session.client().map_err(Fault::settled)?;
        let step = async {
            // A pool of the host's own may lead to a replica.
            let read_only = client.query_one("SHOW transaction_read_only", &[]).await?;
            if read_only.try_get::<_, String>(0)? == "on" {
                return Err(Failed::Store(target.read_only()));
            }
            let version = match Held::read(client, target).await? {
                Held::Version(version) => version,
                Held::Nothing => 0,
                Held::SomethingElse => return Err(Failed::Store(target.foreign())),
            };
            if version > NEWEST {
                return Err(Failed::Store(target.newer(version, NEWEST)));
            }
            let next = usize::try_from(version).unwrap_or_default();
            let Some(step) = STEPS.get(next) else { return Ok(true) };
            run(client, target, version + 1, step).await?;
            Ok(false)
        };
        match step.await {
            Ok(done) => {
                session.settle();
                if done {
                    return Ok(());
                }
            }
            // Another node was faster: what it did is read again.
            Err(Failed::Server(error)) if is_race(&error) => {
                drop(session);
                tokio::time::sleep(Duration::from_millis(20 << attempt.min(5))).await;
            }
            Err(Failed::Server(error)) => return Err(target.refused(&error)),
            Err(Failed::Store(error)) => return Err(error),
        }
    }
    Err(StoreError::unavailable(format!(
        "{target} is being changed by others again and again; start this node once they are done"
    )))
}

enum Failed {
    Server(tokio_postgres::Error),
    Store(StoreError),
}

impl From<tokio_postgres::Error> for Failed {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Server(error)
    }
}

/// What is there.
enum Held {
    Nothing,
    Version(u64),
    SomethingElse,
}

impl Held {
    async fn read(client: &Object, target: &Target) -> Result<Self, tokio_postgres::Error> {
        let tables = "SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = $1";
        let tables = client.query(tables, &[&target.schema]).await?;
        if tables.is_empty() {
            return Ok(Self::Nothing);
        }
        let names: Result<Vec<String>, _> = tables.iter().map(|row| row.try_get(0)).collect();
        if !names?.iter().any(|name| name == "versions") {
            return Ok(Self::SomethingElse);
        }
        let versions = format!("SELECT version, format FROM {}.versions", target.quoted_schema());
        match client.query(&versions, &[]).await {
            Ok(rows) => {
                let mut newest = None;
                for row in &rows {
                    match (row.try_get::<_, i64>(0).map(u64::try_from), row.try_get::<_, String>(1)) {
                        (Ok(Ok(version)), Ok(format)) if format == FORMAT => newest = newest.max(Some(version)),
                        _ => return Ok(Self::SomethingElse),
                    }
                }
                Ok(newest.map_or(Self::SomethingElse, Self::Version))
            }
            Err(error) if error.code() == Some(&SqlState::UNDEFINED_COLUMN) => Ok(Self::SomethingElse),
            Err(error) => Err(error),
        }
    }
}

/// Takes one step in a transaction of its own.
async fn run(client: &Object, target: &Target, version: u64, step: &str) -> Result<(), tokio_postgres::Error> {
    let schema = target.quoted_schema();
    let there = "SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1";
    let there = !client.query(there, &[&target.schema]).await?.is_empty();
    // A schema that is there may have been made by somebody with more rights than this user.
    let make = if there { String::new() } else { format!("CREATE SCHEMA {schema};") };
    let step = step.replace("{schema}", &schema);
    // The version's row is unique, so of several nodes one takes the step.
    client
        .batch_execute(&format!(
            "BEGIN; SET LOCAL statement_timeout = 60000; {make} {step} \
             INSERT INTO {schema}.versions (version, format) VALUES ({version}, '{FORMAT}'); COMMIT"
        ))
        .await
}

fn is_race(error: &tokio_postgres::Error) -> bool {
    let raced = [
        SqlState::UNIQUE_VIOLATION,
        SqlState::DUPLICATE_TABLE,
        SqlState::DUPLICATE_SCHEMA,
        SqlState::DUPLICATE_OBJECT,
        SqlState::UNDEFINED_TABLE,
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        // "tuple concurrently updated"
        SqlState::INTERNAL_ERROR,
    ];
    error.code().is_some_and(|code| raced.contains(code))
}

impl Target {
    fn refused(&self, error: &tokio_postgres::Error) -> StoreError {
        if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) {
            return StoreError::unavailable(format!(
                "{self} cannot be made or used: {}; let this user create the schema `{}`, or own it",
                said(error),
                self.schema
            ));
        }
        self.unreachable(StoreError::unavailable(said(error)))
    }

    fn read_only(&self) -> StoreError {
        StoreError::unavailable(format!("{self} takes no writes: it is a replica, or set so; name the primary"))
    }

    fn foreign(&self) -> StoreError {
        let text = format!("{self} holds tables that are not latchbook's; name another schema or another database");
        StoreError::Foreign(text.into())
    }

    fn newer(&self, found: u64, known: u64) -> StoreError {
        StoreError::Newer(
            format!("{self} has version {found} of a newer latchbook; this one knows {known}: use the newer one")
                .into(),
        )
    }
}

/// What stands in every row of `versions`.
const FORMAT: &str = "latchbook store";

/// The steps from nothing to the newest version, one each. A step that was released is never changed.
const STEPS: [&str; 1] = [include_str!("step_1.sql")];
const NEWEST: u64 = STEPS.len() as u64;

const ATTEMPTS: u32 = 20;
