//! The developer: the account that holds API keys in one environment.

use super::named::named;
use super::{DeveloperRef, UnixTime};

/// A developer's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Developer {
    /// Environment and id.
    pub reference: DeveloperRef,
    /// A name for people; 1 to 200 characters, no control characters.
    pub name: String,
    /// Whether keys and tokens work.
    pub status: DeveloperStatus,
    /// Raised by "revoke everything" and by suspension; a token with an older epoch is refused (`epoch`).
    pub epoch: u64,
    /// When it was made.
    pub created_at: UnixTime,
}

/// Whether a developer's keys and tokens work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeveloperStatus {
    /// They do.
    Active,
    /// They do not, until the developer is resumed.
    Suspended,
}

named! {
    /// Its name, where a store or a person reads it.
    DeveloperStatus { Active = "active", Suspended = "suspended" }
}
