//! Keys that verify and sign, parsed once; their kind fixes the algorithm.

use std::fmt;

use super::pkcs8::bit_length;
use super::signature_provider::{Signer, Verifier};
use super::{CompactToken, KeyError, SignatureProvider, base64url, pem, thumbprint};
use crate::model::{Algorithm, PublicKey, Rejection, SecretBytes, SecretText, SigningKeyId};

/// A public key that was found usable, with its id.
#[derive(Clone, Debug)]
pub struct VerifyingKey {
    id: SigningKeyId,
    public: PublicKey,
    verifier: Verifier,
}

impl VerifyingKey {
    /// Accepts a key whose numbers are in bounds, to verify with ring. Its id is its [`thumbprint`].
    ///
    /// # Errors
    /// - [`KeyError::RsaSize`] outside 3,072 to 8,192 bits
    /// - [`KeyError::RsaExponent`] for an even exponent, or one outside 65,537 to 2^33 (FIPS 186-5 §5.4)
    /// - [`KeyError::PublicKey`] for a P-256 point off the curve or in another form than the uncompressed one, an Ed25519
    ///   key of small order or with a coordinate that is not reduced (RFC 8032 §5.1.3), an even modulus or numbers with
    ///   leading zeros
    pub fn new(public: &PublicKey) -> Result<Self, KeyError> {
        Self::new_with(SignatureProvider::Ring, public)
    }

    /// The same, to verify with `provider`.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn new_with(provider: SignatureProvider, public: &PublicKey) -> Result<Self, KeyError> {
        match public {
            PublicKey::Ed25519(key) => check_ed25519(key)?,
            PublicKey::P256(point) => check_uncompressed(point)?,
            PublicKey::Rsa { n, e } => check_rsa(n, e)?,
        }
        let verifier = Verifier::new(provider, public)?;
        Ok(Self { id: thumbprint(public), public: public.clone(), verifier })
    }

    /// The key's id (`kid`).
    #[must_use]
    pub fn id(&self) -> &SigningKeyId {
        &self.id
    }

    /// The key.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The library that verifies.
    #[must_use]
    pub const fn provider(&self) -> SignatureProvider {
        self.verifier.provider()
    }

    /// Whether this key signed `token`. The caller found the key by the token's `kid`.
    ///
    /// # Errors
    /// [`Rejection::AlgorithmMismatch`] if the header names another algorithm than the key's, byte for byte;
    /// [`Rejection::BadSignature`] if the signature is wrong.
    pub fn verify(&self, token: &CompactToken<'_>) -> Result<(), Rejection> {
        if token.algorithm() != self.public.algorithm().name() {
            return Err(Rejection::AlgorithmMismatch);
        }
        if self.verify_bytes(token.signed_part(), token.signature()) { Ok(()) } else { Err(Rejection::BadSignature) }
    }

    /// Whether `signature`, in JOSE's form (RFC 7518 §3), is this key's for `message`.
    #[must_use]
    pub fn verify_bytes(&self, message: &[u8], signature: &[u8]) -> bool {
        self.verifier.verify(&self.public, message, signature)
    }
}

/// A private key, parsed, with its public half and its id.
pub struct SigningPair {
    id: SigningKeyId,
    public: PublicKey,
    signer: Signer,
}

impl SigningPair {
    /// A new key for `algorithm` by ring, and its PKCS#8 DER to be sealed.
    ///
    /// # Errors
    /// [`KeyError::CannotGenerateRsa`] for RS256, [`KeyError::Signing`] if the system's randomness failed.
    pub fn generate(algorithm: Algorithm) -> Result<(Self, SecretBytes), KeyError> {
        Self::generate_with(SignatureProvider::Ring, algorithm)
    }

    /// The same by `provider`. An RSA key has 3,072 bits, and takes about half a second of computing; some take several.
    ///
    /// # Errors
    /// [`KeyError::CannotGenerateRsa`] where the provider does not [generate](SignatureProvider::generates) such keys,
    /// [`KeyError::Signing`] if the system's randomness failed.
    pub fn generate_with(provider: SignatureProvider, algorithm: Algorithm) -> Result<(Self, SecretBytes), KeyError> {
        let der = Signer::generate(provider, algorithm)?;
        Ok((Self::from_pkcs8_with(provider, &der)?, der))
    }

    /// The key in `der` (PKCS#8, RFC 5958), Ed25519, P-256 or RSA, to sign with ring.
    ///
    /// # Errors
    /// [`KeyError`] for a key of another kind or size, or damaged bytes.
    pub fn from_pkcs8(der: &SecretBytes) -> Result<Self, KeyError> {
        Self::from_pkcs8_with(SignatureProvider::Ring, der)
    }

    /// The same, to sign with `provider`.
    ///
    /// # Errors
    /// As [`from_pkcs8`](Self::from_pkcs8).
    pub fn from_pkcs8_with(provider: SignatureProvider, der: &SecretBytes) -> Result<Self, KeyError> {
        let signer = Signer::from_pkcs8(provider, der.expose())?;
        let VerifyingKey { id, public, .. } = VerifyingKey::new_with(provider, &signer.public()?)?;
        Ok(Self { id, public, signer })
    }

    /// The key in `pem` (PKCS#8, RFC 7468 §10), to sign with ring, and its DER to be sealed.
    ///
    /// # Errors
    /// [`KeyError`]; for encrypted, PKCS#1 and SEC 1 keys it says how to convert them.
    pub fn from_pem(pem: &SecretText) -> Result<(Self, SecretBytes), KeyError> {
        Self::from_pem_with(SignatureProvider::Ring, pem)
    }

    /// The same, to sign with `provider`.
    ///
    /// # Errors
    /// As [`from_pem`](Self::from_pem).
    pub fn from_pem_with(provider: SignatureProvider, pem: &SecretText) -> Result<(Self, SecretBytes), KeyError> {
        let der = pem::private_key(pem)?;
        Ok((Self::from_pkcs8_with(provider, &der)?, der))
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The key's id (`kid`).
    #[must_use]
    pub fn id(&self) -> &SigningKeyId {
        &self.id
    }

    /// The library that signs.
    #[must_use]
    pub const fn provider(&self) -> SignatureProvider {
        self.signer.provider()
    }

    /// The signature of `message` in JOSE's form (RFC 7518 §3).
    ///
    /// # Errors
    /// [`KeyError::Signing`] if the system's randomness failed.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.signer.sign(message).map(|signature| signature.as_ref().to_vec())
    }

    /// How many bytes a signature has.
    pub(crate) fn signature_length(&self) -> usize {
        match &self.public {
            PublicKey::Ed25519(_) | PublicKey::P256(_) => 64,
            PublicKey::Rsa { n, .. } => n.len(),
        }
    }

    /// The compact form of `signed`, a header and a payload in base64url with a dot between (RFC 7515 §7.1).
    ///
    /// # Errors
    /// As [`sign`](Self::sign).
    pub(crate) fn sign_compact(&self, mut signed: Vec<u8>) -> Result<String, KeyError> {
        let signature = self.signer.sign(&signed)?;
        signed.push(b'.');
        base64url::print_onto(&mut signed, signature.as_ref());
        // INVARIANT: base64url and dots are UTF-8.
        String::from_utf8(signed).map_err(|_| KeyError::Signing)
    }
}

impl fmt::Debug for SigningPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningPair").field("id", &self.id).finish_non_exhaustive()
    }
}

fn check_rsa(n: &[u8], e: &[u8]) -> Result<(), KeyError> {
    let malformed = KeyError::PublicKey { kind: "RSA" };
    let bits = bit_length(n);
    match (n, e) {
        ([0, ..], _) | (_, [0, ..]) => Err(malformed),
        _ if !(3072..=8192).contains(&bits) => Err(KeyError::RsaSize { bits }),
        ([.., last], _) if last % 2 == 0 => Err(malformed),
        (_, [.., last]) if last % 2 == 0 => Err(KeyError::RsaExponent),
        // 17 bits and odd is 65,537 or more.
        _ if !(17..=33).contains(&bit_length(e)) => Err(KeyError::RsaExponent),
        _ => Ok(()),
    }
}

/// Refuses what is no point's one spelling, and the points whose order divides eight: for them, anybody makes signatures
/// that look right.
fn check_ed25519(key: &[u8; 32]) -> Result<(), KeyError> {
    let mut y = *key;
    y[31] &= 0x7f;
    // Not below p = 2^255 - 19 (RFC 8032 §5.1.3): some libraries reduce it, and others refuse it.
    let not_reduced = matches!(y, [0xed..=0xff, middle @ .., 0x7f] if middle == [0xff; 30]);
    if not_reduced || SMALL_ORDER.contains(&y) { Err(KeyError::PublicKey { kind: "Ed25519" }) } else { Ok(()) }
}

/// Refuses the hybrid form (X9.62 §4.3.6), which not all libraries know.
fn check_uncompressed(point: &[u8; 65]) -> Result<(), KeyError> {
    if point.first() == Some(&4) { Ok(()) } else { Err(KeyError::PublicKey { kind: "P-256" }) }
}

/// The y coordinates of the eight points of small order on edwards25519.
const SMALL_ORDER: [[u8; 32]; 5] = {
    let zero = [0; 32];
    let mut one = [0; 32];
    one[0] = 1;
    let mut minus_one = [0xff; 32];
    minus_one[0] = 0xec;
    minus_one[31] = 0x7f;
    [zero, one, minus_one, ORDER_EIGHT[0], ORDER_EIGHT[1]]
};

const ORDER_EIGHT: [[u8; 32]; 2] = [
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
        0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
        0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
];

#[cfg(test)]
mod tests;
