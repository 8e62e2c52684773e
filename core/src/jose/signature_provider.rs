//! Which library computes signatures: a value that every key carries, never a choice of the process.

#[cfg(feature = "aws-lc")]
use super::aws_lc;
use super::pkcs8::{self, Kind};
use super::{KeyError, ring};
use crate::model::{Algorithm, PublicKey, SecretBytes};

/// A library that computes signatures.
///
/// All of them take the same public keys and give the same verdict on the same bytes, and what one signs the others
/// verify. They differ in speed, in what they generate, and in the private keys that they read: ring takes RSA of at most
/// 4,096 bits, and P-256 only where the public half stands beside the private one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SignatureProvider {
    /// `ring`, the default. It generates no RSA keys.
    #[default]
    Ring,
    /// `aws-lc-rs`, with the feature `aws-lc`: it signs faster, and generates RSA keys (3,072 bits).
    ///
    /// Loading a P-256 or RSA private key draws a random number, and the first one of a process takes it some 40 ms.
    #[cfg(feature = "aws-lc")]
    AwsLc,
}

impl SignatureProvider {
    /// Those that are compiled in.
    pub const ALL: &'static [Self] = &[
        Self::Ring,
        #[cfg(feature = "aws-lc")]
        Self::AwsLc,
    ];

    /// Draws the first random number of the process where that takes long, so that no request waits for it.
    pub(crate) fn get_ready(self) -> Result<(), KeyError> {
        match self {
            Self::Ring => Ok(()),
            #[cfg(feature = "aws-lc")]
            Self::AwsLc => aws_lc::draw(),
        }
    }

    /// Whether it generates keys for `algorithm`.
    #[must_use]
    pub const fn generates(self, algorithm: Algorithm) -> bool {
        match self {
            Self::Ring => !matches!(algorithm, Algorithm::Rs256),
            #[cfg(feature = "aws-lc")]
            Self::AwsLc => true,
        }
    }
}

/// The public half of a key, ready to verify.
#[derive(Clone, Debug)]
pub(super) enum Verifier {
    /// ring parses the key inside each verification.
    Ring,
    #[cfg(feature = "aws-lc")]
    AwsLc(aws_lc::ParsedPublicKey),
}

impl Verifier {
    /// Refuses what `provider` would refuse at each use of `public`, once.
    pub(super) fn new(provider: SignatureProvider, public: &PublicKey) -> Result<Self, KeyError> {
        match provider {
            SignatureProvider::Ring => ring::check_public(public).map(|()| Self::Ring),
            #[cfg(feature = "aws-lc")]
            SignatureProvider::AwsLc => aws_lc::parse_public(public).map(Self::AwsLc),
        }
    }

    pub(super) const fn provider(&self) -> SignatureProvider {
        match self {
            Self::Ring => SignatureProvider::Ring,
            #[cfg(feature = "aws-lc")]
            Self::AwsLc(_) => SignatureProvider::AwsLc,
        }
    }

    /// Whether `signature`, in JOSE's form (RFC 7518 §3), is right for `message` under `public`, which this was made of.
    pub(super) fn verify(&self, public: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Ring => ring::verify(public, message, signature),
            #[cfg(feature = "aws-lc")]
            Self::AwsLc(key) => key.verify_sig(message, signature).is_ok(),
        }
    }
}

/// A private key, parsed.
pub(super) enum Signer {
    Ring(ring::PrivateKey),
    #[cfg(feature = "aws-lc")]
    AwsLc(aws_lc::PrivateKey),
}

impl Signer {
    /// A new key as PKCS#8 DER.
    pub(super) fn generate(provider: SignatureProvider, algorithm: Algorithm) -> Result<SecretBytes, KeyError> {
        match provider {
            SignatureProvider::Ring => ring::PrivateKey::generate(algorithm),
            #[cfg(feature = "aws-lc")]
            SignatureProvider::AwsLc => aws_lc::PrivateKey::generate(algorithm),
        }
    }

    /// The key in `der`, PKCS#8 of version 1 or 2 (RFC 5208, RFC 5958).
    pub(super) fn from_pkcs8(provider: SignatureProvider, der: &[u8]) -> Result<Self, KeyError> {
        let kind = pkcs8::kind(der)?;
        // Below it the libraries differ in what they call damaged.
        if let Kind::Rsa { bits } = kind
            && bits < 2048
        {
            return Err(KeyError::RsaSize { bits });
        }
        match provider {
            SignatureProvider::Ring => ring::PrivateKey::from_pkcs8(kind, der).map(Self::Ring),
            #[cfg(feature = "aws-lc")]
            SignatureProvider::AwsLc => aws_lc::PrivateKey::from_pkcs8(kind, der).map(Self::AwsLc),
        }
    }

    pub(super) const fn provider(&self) -> SignatureProvider {
        match self {
            Self::Ring(_) => SignatureProvider::Ring,
            #[cfg(feature = "aws-lc")]
            Self::AwsLc(_) => SignatureProvider::AwsLc,
        }
    }

    /// The public half.
    pub(super) fn public(&self) -> Result<PublicKey, KeyError> {
        match self {
            Self::Ring(key) => key.public(),
            #[cfg(feature = "aws-lc")]
            Self::AwsLc(key) => key.public(),
        }
    }

    /// The signature of `message` in JOSE's form (RFC 7518 §3).
    pub(super) fn sign(&self, message: &[u8]) -> Result<Signature, KeyError> {
        match self {
            Self::Ring(key) => key.sign(message),
            #[cfg(feature = "aws-lc")]
            Self::AwsLc(key) => key.sign(message),
        }
    }
}

/// A signature in JOSE's form.
pub(super) enum Signature {
    /// Of Ed25519 and P-256: r and s, on the stack.
    Short([u8; 64]),
    /// Of RSA: as long as the modulus.
    Long(Vec<u8>),
}

impl Signature {
    pub(super) fn short(bytes: &[u8]) -> Result<Self, KeyError> {
        bytes.try_into().map(Self::Short).map_err(|_| KeyError::Signing)
    }
}

impl AsRef<[u8]> for Signature {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Short(bytes) => bytes,
            Self::Long(bytes) => bytes,
        }
    }
}
