//! Signed tokens as bytes: a strict reader of the compact form, the keys, and key sets.
//!
//! A token of ours has one spelling: three parts of canonical base64url without padding, at most [`MAX_TOKEN`] bytes; a
//! header of exactly `alg`, `typ` and `kid`; a payload of exactly the claims' types. Anything else is refused, and the
//! header is refused before a key is touched. The key fixes the algorithm; the header only has to agree.
//!
//! [`jsonwebtoken`] lends its key-set types and its signer and verifier traits, which [`SigningPair`] and
//! [`VerifyingKey`] implement; its process-wide provider is neither installed nor called.
//!
//! ```
//! use latchbook_core::jose::{CompactToken, SigningPair, VerifyingKey};
//! use latchbook_core::model::{Algorithm, Rejection};
//!
//! let (pair, _private) = SigningPair::generate(Algorithm::EdDsa)?;
//! let key = VerifyingKey::new(pair.public())?;
//! assert_eq!(key.id(), pair.id());
//!
//! assert_eq!(CompactToken::parse("e30.e30.e30").unwrap_err(), Rejection::TokenHeader);
//! # Ok::<(), latchbook_core::jose::KeyError>(())
//! ```

#[cfg(feature = "aws-lc")]
mod aws_lc;
pub(crate) mod base64url;
mod checkpoint;
mod claims;
mod compact;
mod error;
mod header;
mod jwk;
mod key;
mod pem;
mod pkcs8;
mod print;
mod provider;
mod ring;
mod signature_provider;

pub use checkpoint::{read_checkpoint, sign_checkpoint};
pub use compact::{CompactToken, MAX_TOKEN};
pub use error::KeyError;
pub use jwk::{KEY_SET_MAX_AGE, key_set, parse_key_set, thumbprint};
pub use key::{SigningPair, VerifyingKey};
pub use print::print_claims;
pub use signature_provider::SignatureProvider;

pub(crate) use compact::print_header;
pub(crate) use header::Typ;
