//! A checkpoint: how far an audit chain had come, so that a tail that is cut off later is missed.

use super::{ChainId, UnixTime};

/// The detail of an `audit.checkpoint` event that holds the signed checkpoint.
pub const CHECKPOINT_DETAIL: &str = "checkpoint";

/// How far a chain had come at an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The issuer of the chain's environment (`iss`).
    pub issuer: String,
    /// The chain (`env`, `chain`).
    pub chain: ChainId,
    /// How many events it had (`count`).
    pub count: u64,
    /// The link of the last of them (`head`).
    pub head: [u8; 32],
    /// When that was (`iat`).
    pub at: UnixTime,
}

/// A checkpoint and its signed form, which proves it to whoever holds the environment's public keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// What it says.
    pub checkpoint: Checkpoint,
    /// Its compact form (RFC 7515 §7.1). It is no secret, and no access token.
    pub compact: String,
}
