//! One private key for each algorithm, the same for everybody who is measured. They guard nothing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair};

/// A signature algorithm, or HS256, which latchbook's tokens never have and its peers' often do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    EdDsa,
    Es256,
    Rs256,
    Hs256,
}

impl Algorithm {
    /// Those of latchbook's tokens. RSA has 3,072 bits.
    pub const OURS: [Self; 3] = [Self::EdDsa, Self::Es256, Self::Rs256];
    pub const ALL: [Self; 4] = [Self::EdDsa, Self::Es256, Self::Rs256, Self::Hs256];

    pub fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
            Self::Hs256 => "HS256",
        }
    }

    /// The private key as PKCS#8 in PEM; for HS256 there is none.
    pub fn pem(self) -> &'static str {
        match self {
            Self::EdDsa => include_str!("keys/eddsa.pem"),
            Self::Es256 => include_str!("keys/es256.pem"),
            Self::Rs256 => include_str!("keys/rs256.pem"),
            Self::Hs256 => panic!("HS256 has a secret, not a private key"),
        }
    }

    /// The private key as PKCS#8.
    pub fn pkcs8(self) -> Vec<u8> {
        let lines = self.pem().lines().filter(|line| !line.starts_with('-'));
        STANDARD.decode(lines.collect::<String>()).expect("base64")
    }

    /// The public key: 32 bytes, a point, or PKCS#1.
    pub fn public(self) -> Vec<u8> {
        let der = self.pkcs8();
        match self {
            Self::EdDsa => {
                Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).expect("a key").public_key().as_ref().to_vec()
            }
            Self::Es256 => EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der, &SystemRandom::new())
                .expect("a key")
                .public_key()
                .as_ref()
                .to_vec(),
            Self::Rs256 | Self::Hs256 => RsaKeyPair::from_pkcs8(&der).expect("a key").public_key().as_ref().to_vec(),
        }
    }
}

/// The secret of HS256.
pub const SECRET: &[u8; 32] = b"0123456789abcdef0123456789abcdef";
