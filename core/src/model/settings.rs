//! What a store remembers of the authority that set it up.

use super::named::named;
use super::{EnvironmentName, PepperId, SealedBytes, UnixTime};

/// The store's own record: one per store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The host's issuer URL, without an environment.
    pub issuer: String,
    /// The environments that it holds, in order.
    pub environments: Vec<EnvironmentName>,
    /// HMAC of a fixed text under a key derived from the master key: a wrong master key fails at open.
    pub master_check: [u8; 32],
    /// When the store was set up.
    pub created_at: UnixTime,
}

/// A sealed random key of 32 bytes, used for one purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pepper {
    /// Its id.
    pub id: PepperId,
    /// What it is for.
    pub purpose: PepperPurpose,
    /// The key, sealed under the master key.
    pub sealed: SealedBytes,
    /// When it was made; the youngest of a purpose is the one in use.
    pub created_at: UnixTime,
}

/// What a [`Pepper`] is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PepperPurpose {
    /// Digests of API keys and of idempotency keys.
    KeyDigest,
    /// Links of audit chains.
    AuditLink,
}

named! {
    /// Its name, where a store or a person reads it.
    PepperPurpose { KeyDigest = "key_digest", AuditLink = "audit_link" }
}
