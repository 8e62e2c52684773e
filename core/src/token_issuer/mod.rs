//! Who signs access tokens, and who checks their signatures.

mod jwt;

use std::error::Error;
use std::fmt::Debug;

use async_trait::async_trait;

pub use jwt::JwtIssuer;

use crate::jose::CompactToken;
use crate::model::{AccessClaims, PublicKey, Rejection, SecretText, SignedClaims, SigningKeyId};

/// Signs access tokens, and checks their signatures, for one environment. Immutable: a changed key makes a new issuer.
#[async_trait]
pub trait TokenIssuer: Debug + Send + Sync + 'static {
    /// The compact form of a token with `claims` (RFC 7515 §7.1, RFC 9068 §2).
    ///
    /// # Errors
    /// [`IssueError`] if this issuer cannot sign, did not in time, or the token would be longer than 8,192 bytes.
    async fn issue(&self, claims: &AccessClaims<'_>) -> Result<SecretText, IssueError>;

    /// The claims of `token`, where its signature and its syntax are right. Nothing else is checked. Pure.
    ///
    /// # Errors
    /// A [`Rejection`] from [`Rejection::UnknownSigningKey`] to [`Rejection::TokenClaims`].
    fn verify<'t>(&self, token: &'t CompactToken<'_>) -> Result<SignedClaims<'t>, Rejection>;

    /// The keys that this issuer verifies with, to be published (RFC 7517).
    fn public_keys(&self) -> Vec<(SigningKeyId, PublicKey)>;
}

/// A token could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IssueError {
    /// The issuer holds no private key; it only verifies.
    #[error("this issuer holds no private key")]
    NoKey,
    /// The token would be longer than any that is accepted.
    #[error("the token would be longer than 8192 bytes")]
    TooLong,
    /// The signer failed.
    #[error("the signer failed: {0}")]
    Signer(#[source] Box<dyn Error + Send + Sync>),
}
