//! Signatures and SHA-256 by the `ring` crate, the default: another library needs another file like this one.
//!
//! ring parses Ed25519, ECDSA and RSA public keys inside each verification; what can be checked once is checked in
//! [`check_public`]. ring does not wipe its private keys when they are dropped.

use ring::agreement::{self, ECDH_P256, EphemeralPrivateKey};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
};

use super::KeyError;
use super::pkcs8::Kind;
use super::signature_provider::Signature;
use crate::model::{Algorithm, PublicKey, SecretBytes};

/// SHA-256.
pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}

/// Whether `signature`, in JOSE's form (RFC 7518 §3), is right for `message` under `public`.
pub(super) fn verify(public: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
    match public {
        PublicKey::Ed25519(key) => UnparsedPublicKey::new(&ED25519, key).verify(message, signature),
        PublicKey::P256(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature),
        PublicKey::Rsa { n, e } => PublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature),
    }
    .is_ok()
}

/// Refuses what ring would refuse at each use of `public`, once.
pub(super) fn check_public(public: &PublicKey) -> Result<(), KeyError> {
    match public {
        PublicKey::Ed25519(_) | PublicKey::Rsa { .. } => Ok(()),
        // ring looks whether a point lies on the curve only when it computes with it: an agreement that nobody uses
        // makes it do so.
        PublicKey::P256(point) => {
            EphemeralPrivateKey::generate(&ECDH_P256, &nonces()).map_err(|_| KeyError::Signing).and_then(|throw_away| {
                agreement::agree_ephemeral(throw_away, &agreement::UnparsedPublicKey::new(&ECDH_P256, point), |_| ())
                    .map_err(|_| KeyError::PublicKey { kind: "P-256" })
            })
        }
    }
}

/// A private key, parsed.
pub(super) enum PrivateKey {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl PrivateKey {
    /// A new key as PKCS#8 DER.
    pub(super) fn generate(algorithm: Algorithm) -> Result<SecretBytes, KeyError> {
        let document = match algorithm {
            Algorithm::EdDsa => Ed25519KeyPair::generate_pkcs8(&nonces()),
            Algorithm::Es256 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &nonces()),
            Algorithm::Rs256 => return Err(KeyError::CannotGenerateRsa),
        };
        document.map(|document| SecretBytes::new(document.as_ref().to_vec())).map_err(|_| KeyError::Signing)
    }

    /// The key in `der`, PKCS#8 of version 1 or 2 (RFC 5208, RFC 5958), which holds a `kind`.
    pub(super) fn from_pkcs8(kind: Kind, der: &[u8]) -> Result<Self, KeyError> {
        let damaged = |_| KeyError::PrivateKey { kind: kind.name() };
        match kind {
            // OpenSSL writes version 1, without the public key: ring then computes it.
            Kind::Ed25519 => Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map(Self::Ed25519).map_err(damaged),
            Kind::P256 => EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der, &nonces())
                .map(Self::P256)
                .map_err(damaged),
            Kind::Rsa { .. } => RsaKeyPair::from_pkcs8(der).map(Self::Rsa).map_err(damaged),
        }
    }

    /// The public half.
    pub(super) fn public(&self) -> Result<PublicKey, KeyError> {
        let wrong_length = |kind| move |_| KeyError::PublicKey { kind };
        match self {
            Self::Ed25519(pair) => {
                pair.public_key().as_ref().try_into().map(PublicKey::Ed25519).map_err(wrong_length("Ed25519"))
            }
            Self::P256(pair) => {
                pair.public_key().as_ref().try_into().map(PublicKey::P256).map_err(wrong_length("P-256"))
            }
            Self::Rsa(pair) => {
                let PublicKeyComponents { n, e } = PublicKeyComponents::<Vec<u8>>::from(pair.public());
                Ok(PublicKey::Rsa { n, e })
            }
        }
    }

    /// The signature of `message` in JOSE's form (RFC 7518 §3).
    pub(super) fn sign(&self, message: &[u8]) -> Result<Signature, KeyError> {
        let failed = |_| KeyError::Signing;
        match self {
            Self::Ed25519(pair) => Signature::short(pair.sign(message).as_ref()),
            Self::P256(pair) => Signature::short(pair.sign(&nonces(), message).map_err(failed)?.as_ref()),
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &nonces(), message, &mut signature).map_err(failed)?;
                Ok(Signature::Long(signature))
            }
        }
    }
}

/// The randomness that key generation, ECDSA's nonces and RSA's blinding are drawn from.
#[expect(clippy::disallowed_methods, reason = "ring takes its own source alone here; what it draws is no id of ours")]
fn nonces() -> SystemRandom {
    SystemRandom::new()
}
