//! What PostgreSQL's errors mean for whoever asked.

use latchbook_core::key_store::StoreError;
use tokio_postgres::error::{DbError, SqlState};

/// Why an attempt did not end.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The server undid it for another's sake: it can be tried again at once.
    Again(String),
    /// The connection is lost, or leads to a server that takes no writes. What was asked for may have been done.
    Lost(String),
    /// There is no more to try.
    Final(StoreError),
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Final(error)
    }
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        let text = said(&error);
        let Some(code) = error.code() else {
            // Without an answer of the server's there is no trust in the connection.
            return Self::Lost(text);
        };
        let class = code.code().get(..2).unwrap_or_default();
        if [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED].contains(code) {
            Self::Again(text)
        } else if class == "08"
            || [
                SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN,
                SqlState::ADMIN_SHUTDOWN,
                SqlState::CRASH_SHUTDOWN,
                SqlState::CANNOT_CONNECT_NOW,
                SqlState::READ_ONLY_SQL_TRANSACTION,
                SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
            ]
            .contains(code)
        {
            Self::Lost(text)
        } else if *code == SqlState::DATA_CORRUPTED || *code == SqlState::INDEX_CORRUPTED {
            Self::Final(StoreError::corrupt(text))
        } else {
            Self::Final(StoreError::unavailable(text))
        }
    }
}

impl Fault {
    /// The error for the caller, once nothing more is tried.
    pub(crate) fn settled(self) -> StoreError {
        match self {
            Self::Again(text) | Self::Lost(text) => StoreError::unavailable(text),
            Self::Final(error) => error,
        }
    }
}

/// What went wrong, without the details that quote rows, and without anything of the URL.
pub(crate) fn said(error: &tokio_postgres::Error) -> String {
    if let Some(error) = error.as_db_error() {
        return answered(error);
    }
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    format!("PostgreSQL: {text}")
}

fn answered(error: &DbError) -> String {
    format!("PostgreSQL says: {} ({})", error.message(), error.code().code())
}
