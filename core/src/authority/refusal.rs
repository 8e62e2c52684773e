//! Why an operation of the authority was not done: an answer, or a fault.

use crate::key_store::StoreError;
use crate::model::Rejection;
use crate::random::RandomError;
use crate::sandbox::SandboxError;
use crate::token_issuer::IssueError;

/// Why an operation was not done.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It must not be done: an answer.
    #[error("refused: {}", .0.reason())]
    Rejected(Rejection),
    /// It could not be done or decided: never "allowed", never "not found".
    #[error(transparent)]
    Fault(Fault),
}

/// Why an operation could not be done or decided.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The token could not be signed.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// The sandbox's data could not be made.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The random number generator failed.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The change feed is older than `max_staleness`.
    #[error("the change feed is older than `max_staleness` allows, and could not be read")]
    Stale,
    /// This authority was built without a master key, so it verifies and does nothing else.
    #[error("this authority was built without a master key: it verifies tokens and does nothing else")]
    NoMasterKey,
    /// The clock is not set, so nothing that lives for a while can be made.
    #[error("the system's clock is not set")]
    Clock,
    /// Something that this library promises itself did not hold.
    #[error("internal error: {0}")]
    Internal(&'static str),
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl<T: Into<Fault>> From<T> for Refusal {
    fn from(fault: T) -> Self {
        Self::Fault(fault.into())
    }
}
