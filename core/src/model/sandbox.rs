//! The sandbox's record: what cannot be computed again.

use super::{DeveloperId, DeveloperRef, EntityId, EnvironmentName, KeyId, SealedBytes, UnixTime};

/// A sandbox's record. One developer of a sandbox environment has at most one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxRecord {
    /// The developer that it was made with.
    pub developer: DeveloperRef,
    /// Its first entity.
    pub entity: EntityId,
    /// Its first API key; a repeated creation replaces its text.
    pub first_key: KeyId,
    /// Its name, for people.
    pub name: String,
    /// The line of business that was asked for.
    pub industry: Option<String>,
    /// What the test data should look like.
    pub preferences: SandboxPreferences,
    /// Which set of test data it has.
    pub scenario: String,
    /// What its test data is computed from.
    pub seed: [u8; 32],
    /// Seconds that its clock runs ahead of the real one (behind it, where negative).
    pub clock_offset: i64,
    /// What the outside service answered, sealed; at most 64 KiB.
    pub receipt: Option<SealedBytes>,
    /// Whether it exists yet.
    pub state: SandboxState,
    /// When it was made.
    pub created_at: UnixTime,
    /// When it ends by itself.
    pub expires_at: UnixTime,
}

/// What a sandbox's test data should look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxPreferences {
    /// ISO 4217 code; `USD` by default.
    pub currency: String,
    /// IANA time zone; `UTC` by default.
    pub timezone: String,
    /// BCP 47 tag; `en-US` by default.
    pub locale: String,
}

impl Default for SandboxPreferences {
    fn default() -> Self {
        Self { currency: "USD".to_owned(), timezone: "UTC".to_owned(), locale: "en-US".to_owned() }
    }
}

/// Whether a sandbox exists yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SandboxState {
    /// Being furnished elsewhere, until the lease runs out.
    Reserved {
        /// When another caller may take it over.
        lease_ends_at: UnixTime,
    },
    /// It exists.
    Open,
}

/// A creation that was asked for under an `Idempotency-Key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxRequest {
    /// The sandbox environment.
    pub environment: EnvironmentName,
    /// HMAC-SHA-256 of the header's value under the pepper in use.
    pub key_digest: [u8; 32],
    /// HMAC-SHA-256 of the body's meaning under the same pepper.
    pub body_digest: [u8; 32],
    /// The developer that was made.
    pub developer: DeveloperId,
    /// When the key is forgotten.
    pub ends_at: UnixTime,
}
