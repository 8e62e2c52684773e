//! The same signatures by the `aws-lc-rs` crate, which parses public keys once and wipes private keys when they are dropped.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::{self, SystemRandom};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents,
};

use super::KeyError;
use super::pkcs8::{Kind, rsa_public_key};
use super::signature_provider::Signature;
use crate::model::{Algorithm, PublicKey, SecretBytes};

pub(super) use aws_lc_rs::signature::ParsedPublicKey;

/// The key, ready to verify.
pub(super) fn parse_public(public: &PublicKey) -> Result<ParsedPublicKey, KeyError> {
    let (parsed, kind) = match public {
        PublicKey::Ed25519(key) => (ParsedPublicKey::new(&ED25519, key), "Ed25519"),
        PublicKey::P256(point) => (ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point), "P-256"),
        PublicKey::Rsa { n, e } => {
            (RsaPublicKeyComponents { n, e }.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256), "RSA")
        }
    };
    parsed.map_err(|_| KeyError::PublicKey { kind })
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
            Algorithm::EdDsa => Ed25519KeyPair::generate().and_then(|pair| Ok(pair.to_pkcs8()?.as_ref().to_vec())),
            Algorithm::Es256 => EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
                .and_then(|pair| Ok(pair.to_pkcs8v1()?.as_ref().to_vec())),
            Algorithm::Rs256 => {
                RsaKeyPair::generate(KeySize::Rsa3072).and_then(|pair| Ok(pair.as_der()?.as_ref().to_vec()))
            }
        };
        document.map(SecretBytes::new).map_err(|_| KeyError::Signing)
    }

    /// The key in `der`, PKCS#8 of version 1 or 2 (RFC 5208, RFC 5958), which holds a `kind`.
    pub(super) fn from_pkcs8(kind: Kind, der: &[u8]) -> Result<Self, KeyError> {
        let damaged = |_| KeyError::PrivateKey { kind: kind.name() };
        let key = match kind {
            Kind::Ed25519 => Ed25519KeyPair::from_pkcs8(der).map(Self::Ed25519).map_err(damaged)?,
            Kind::P256 => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).map(Self::P256).map_err(damaged)?
            }
            Kind::Rsa { .. } => RsaKeyPair::from_pkcs8(der).map(Self::Rsa).map_err(damaged)?,
        };
        // ECDSA's nonces and RSA's blinding are random. Ed25519 signs without (RFC 8032 §5.1.6).
        if !matches!(key, Self::Ed25519(_)) {
            draw()?;
        }
        Ok(key)
    }

    /// The public half.
    pub(super) fn public(&self) -> Result<PublicKey, KeyError> {
        let malformed = |kind| KeyError::PublicKey { kind };
        match self {
            Self::Ed25519(pair) => {
                pair.public_key().as_ref().try_into().map(PublicKey::Ed25519).map_err(|_| malformed("Ed25519"))
            }
            Self::P256(pair) => {
                pair.public_key().as_ref().try_into().map(PublicKey::P256).map_err(|_| malformed("P-256"))
            }
            Self::Rsa(pair) => {
                let (n, e) = rsa_public_key(pair.public_key().as_ref()).ok_or_else(|| malformed("RSA"))?;
                Ok(PublicKey::Rsa { n: n.to_vec(), e: e.to_vec() })
            }
        }
    }

    /// The signature of `message` in JOSE's form (RFC 7518 §3).
    pub(super) fn sign(&self, message: &[u8]) -> Result<Signature, KeyError> {
        let failed = |_| KeyError::Signing;
        match self {
            Self::Ed25519(pair) => Signature::short(pair.try_sign(message).map_err(failed)?.as_ref()),
            Self::P256(pair) => Signature::short(pair.sign(&own_random(), message).map_err(failed)?.as_ref()),
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &own_random(), message, &mut signature).map_err(failed)?;
                Ok(Signature::Long(signature))
            }
        }
    }
}

/// Draws a random number: the first one of a process takes some 40 ms, and no request shall wait for it.
pub(super) fn draw() -> Result<(), KeyError> {
    rand::fill(&mut [0; 32]).map_err(|_| KeyError::Signing)
}

/// An argument that aws-lc-rs takes to be like ring, and does not look at: it draws from a source of its own.
fn own_random() -> SystemRandom {
    SystemRandom::new()
}
