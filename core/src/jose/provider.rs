//! Our keys behind jsonwebtoken's traits, for hosts that sign or verify other things with that crate.
//!
//! Nothing here is installed for the process; a binary that wants that builds a `CryptoProvider` around these types.

use jsonwebtoken::Algorithm as Name;
use jsonwebtoken::crypto::{JwtSigner, JwtVerifier};
use jsonwebtoken::signature::{Error, Signer, Verifier};

use super::{SigningPair, VerifyingKey};
use crate::model::Algorithm;

impl Signer<Vec<u8>> for SigningPair {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        self.sign(message).map_err(Error::from_source)
    }
}

impl JwtSigner for SigningPair {
    fn algorithm(&self) -> Name {
        name(self.public().algorithm())
    }
}

impl Verifier<Vec<u8>> for VerifyingKey {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), Error> {
        if self.verify_bytes(message, signature) { Ok(()) } else { Err(Error::new()) }
    }
}

impl JwtVerifier for VerifyingKey {
    fn algorithm(&self) -> Name {
        name(self.public().algorithm())
    }
}

/// jsonwebtoken's name for `algorithm`.
pub(super) const fn name(algorithm: Algorithm) -> Name {
    match algorithm {
        Algorithm::EdDsa => Name::EdDSA,
        Algorithm::Es256 => Name::ES256,
        Algorithm::Rs256 => Name::RS256,
    }
}
