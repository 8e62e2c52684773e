//! Why a key cannot be used.

use crate::model::SigningKeyId;

/// A key that cannot be used. The messages say what to do; none holds a part of a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// A key of a kind that no algorithm of ours uses.
    #[error("{kind} is not supported here: use Ed25519, P-256, or RSA of 3072 bits and up")]
    Unsupported {
        /// The kind, such as `P-384`.
        kind: &'static str,
    },
    /// An RSA modulus out of bounds.
    #[error(
        "the RSA key has {bits} bits: 3072 to 8192 are needed \
         (`openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072`)"
    )]
    RsaSize {
        /// Its length.
        bits: usize,
    },
    /// An RSA exponent that is even, below 65,537 or above 33 bits.
    #[error("the RSA key's public exponent is not usable: take 65537")]
    RsaExponent,
    /// Bytes that are no public key of their kind.
    #[error("the {kind} public key is malformed")]
    PublicKey {
        /// The kind.
        kind: &'static str,
    },
    /// Bytes that are no PKCS#8 private key (RFC 5958), or one that contradicts itself.
    #[error("the private key is not PKCS#8, or is damaged ({kind})")]
    PrivateKey {
        /// What it was taken for.
        kind: &'static str,
    },
    /// Text without a PEM section that is a private key.
    #[error(
        "no private key in the PEM text: a section `-----BEGIN PRIVATE KEY-----` is needed \
         (`openssl genpkey -algorithm ed25519`)"
    )]
    NoPrivateKey,
    /// PEM text that holds a public key or a certificate alone.
    #[error("the PEM text holds a {found}, not a private key")]
    NotPrivate {
        /// What it holds.
        found: &'static str,
    },
    /// PEM text with several private keys.
    #[error("the PEM text holds more than one private key: keep the one that shall sign")]
    SeveralPrivateKeys,
    /// PEM text whose sections are broken.
    #[error("the PEM text is damaged: a line or an end marker is missing, or its base64 is wrong")]
    Pem,
    /// An encrypted private key.
    #[error("the private key is encrypted: decrypt it with `openssl pkcs8 -in key.pem -out plain.pem`")]
    Encrypted,
    /// A private key in the older PKCS#1 form.
    #[error(
        "the private key is PKCS#1: convert it with `openssl pkcs8 -topk8 -nocrypt -in key.pem -out key.pkcs8.pem`"
    )]
    Pkcs1,
    /// A private key in the older SEC 1 form.
    #[error("the private key is SEC 1: convert it with `openssl pkcs8 -topk8 -nocrypt -in key.pem -out key.pkcs8.pem`")]
    Sec1,
    /// RSA keys are not made by this provider.
    #[error(
        "ring makes no RSA keys: import one made with `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072`, \
         or take `SignatureProvider::AwsLc` (feature `aws-lc`)"
    )]
    CannotGenerateRsa,
    /// The system's randomness failed, or the signature could not be made.
    #[error("the key could not be made or used: the system's randomness or the signer failed")]
    Signing,
    /// Two keys with one id.
    #[error("the key `{0}` is there twice")]
    Repeated(SigningKeyId),
    /// A key set (RFC 7517) that is malformed or holds what it must not.
    #[error("the key set is refused: {0}")]
    KeySet(String),
}
