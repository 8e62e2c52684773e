//! The signing key's record: a public key, and its private half sealed.

use super::named::named;
use super::{EnvironmentName, SealedBytes, SigningKeyId, UnixTime};

/// A signature algorithm of the token profile (`alg`, RFC 7518 §3.1, RFC 8037 §3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Ed25519, the default.
    #[default]
    EdDsa,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256, 3,072 bits and up.
    Rs256,
}

named! {
    /// The name in a header, byte for byte.
    Algorithm { EdDsa = "EdDSA", Es256 = "ES256", Rs256 = "RS256" }
}

/// A public key; its kind fixes the algorithm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicKey {
    /// The 32 bytes of RFC 8032 §5.1.5.
    Ed25519([u8; 32]),
    /// The uncompressed point: 0x04, x, y (SEC 1 §2.3.3).
    P256([u8; 65]),
    /// Modulus and exponent, big-endian without leading zeros.
    Rsa {
        /// The modulus, 3,072 bits and up.
        n: Vec<u8>,
        /// The exponent.
        e: Vec<u8>,
    },
}

impl PublicKey {
    /// The one algorithm that this key verifies.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Ed25519(_) => Algorithm::EdDsa,
            Self::P256(_) => Algorithm::Es256,
            Self::Rsa { .. } => Algorithm::Rs256,
        }
    }
}

/// A signing key's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningKey {
    /// The environment that it signs for.
    pub environment: EnvironmentName,
    /// Its id (`kid`): the RFC 7638 thumbprint of the public key.
    pub id: SigningKeyId,
    /// The public half.
    pub public: PublicKey,
    /// The private half as PKCS#8 DER, sealed under the master key.
    pub private: SealedBytes,
    /// What it is used for now.
    pub state: SigningKeyState,
    /// Where it came from.
    pub provenance: Provenance,
    /// When it was made or imported.
    pub created_at: UnixTime,
}

/// Where a signing key came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provenance {
    /// It was generated here, so a successor of the same algorithm can be.
    Generated,
    /// The host brought it, and brings its successor.
    Imported,
}

named! {
    /// Its name, where a store or a person reads it.
    Provenance { Generated = "generated", Imported = "imported" }
}

/// What a signing key is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SigningKeyState {
    /// Published and verifies, and does not sign yet.
    Next,
    /// Signs and verifies. Exactly one per environment.
    Active,
    /// Verifies until its last token is over.
    Retiring {
        /// When it stops verifying.
        until: UnixTime,
    },
    /// Neither signs nor verifies.
    Retired,
}
