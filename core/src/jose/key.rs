//! Keys that verify and sign, parsed once; their kind fixes the algorithm.

use std::fmt;

use super::pkcs8::bit_length;
use super::ring::{self, PrivateKey};
use super::{CompactToken, KeyError, pem, thumbprint};
use crate::model::{Algorithm, PublicKey, Rejection, SecretBytes, SecretText, SigningKeyId};

/// A public key that was found usable, with its id.
#[derive(Clone, Debug)]
pub struct VerifyingKey {
    id: SigningKeyId,
    public: PublicKey,
}

impl VerifyingKey {
    /// Accepts a key whose numbers are in bounds. Its id is its [`thumbprint`].
    ///
    /// # Errors
    /// - [`KeyError::RsaSize`] outside 3,072 to 8,192 bits
    /// - [`KeyError::RsaExponent`] for an even exponent, or one outside 65,537 to 2^33 (FIPS 186-5 §5.4)
    /// - [`KeyError::PublicKey`] for a P-256 point off the curve, an Ed25519 key of small order, an even modulus or
    ///   numbers with leading zeros
    pub fn new(public: &PublicKey) -> Result<Self, KeyError> {
        match public {
            PublicKey::Ed25519(key) => check_order(key)?,
            PublicKey::P256(_) => {}
            PublicKey::Rsa { n, e } => check_rsa(n, e)?,
        }
        ring::check_public(public)?;
        Ok(Self { id: thumbprint(public), public: public.clone() })
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
        ring::verify(&self.public, message, signature)
    }
}

/// A private key, parsed, with its public half and its id.
pub struct SigningPair {
    id: SigningKeyId,
    public: PublicKey,
    private: PrivateKey,
}

impl SigningPair {
    /// A new key for `algorithm`, and its PKCS#8 DER to be sealed.
    ///
    /// # Errors
    /// [`KeyError::CannotGenerateRsa`] for RS256, [`KeyError::Signing`] if the system's randomness failed.
    pub fn generate(algorithm: Algorithm) -> Result<(Self, SecretBytes), KeyError> {
        let der = PrivateKey::generate(algorithm)?;
        Ok((Self::from_pkcs8(&der)?, der))
    }

    /// The key in `der` (PKCS#8, RFC 5958): Ed25519, P-256 or RSA.
    ///
    /// # Errors
    /// [`KeyError`] for a key of another kind or size, or damaged bytes.
    pub fn from_pkcs8(der: &SecretBytes) -> Result<Self, KeyError> {
        let private = PrivateKey::from_pkcs8(der.expose())?;
        let VerifyingKey { id, public } = VerifyingKey::new(&private.public()?)?;
        Ok(Self { id, public, private })
    }

    /// The key in `pem` (PKCS#8, RFC 7468 §10), and its DER to be sealed.
    ///
    /// # Errors
    /// [`KeyError`]; for encrypted, PKCS#1 and SEC 1 keys it says how to convert them.
    pub fn from_pem(pem: &SecretText) -> Result<(Self, SecretBytes), KeyError> {
        let der = pem::private_key(pem)?;
        Ok((Self::from_pkcs8(&der)?, der))
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

    /// The signature of `message` in JOSE's form (RFC 7518 §3).
    ///
    /// # Errors
    /// [`KeyError::Signing`] if the system's randomness failed.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.private.sign(message)
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

/// Refuses the points whose order divides eight: for them, anybody makes signatures that look right.
fn check_order(key: &[u8; 32]) -> Result<(), KeyError> {
    let mut y = *key;
    y[31] &= 0x7f;
    if SMALL_ORDER.contains(&y) { Err(KeyError::PublicKey { kind: "Ed25519" }) } else { Ok(()) }
}

/// The y coordinates of the eight points of small order on edwards25519, and the spellings of two of them above p.
const SMALL_ORDER: [[u8; 32]; 7] = {
    let zero = [0; 32];
    let mut one = [0; 32];
    one[0] = 1;
    let mut minus_one = [0xff; 32];
    minus_one[0] = 0xec;
    minus_one[31] = 0x7f;
    let mut p = minus_one;
    p[0] = 0xed;
    let mut p_plus_one = minus_one;
    p_plus_one[0] = 0xee;
    [zero, one, minus_one, p, p_plus_one, ORDER_EIGHT[0], ORDER_EIGHT[1]]
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
mod tests {
    use super::*;

    fn generated(algorithm: Algorithm) -> SigningPair {
        SigningPair::generate(algorithm).expect("a key").0
    }

    #[test]
    fn a_pair_signs_what_its_public_half_verifies_and_nothing_else() {
        for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
            let pair = generated(algorithm);
            let other = generated(algorithm);
            let key = VerifyingKey::new(pair.public()).expect("usable");
            let signature = pair.sign(b"message").expect("signed");
            assert_eq!(key.id(), pair.id());
            assert_eq!(signature.len(), 64, "JOSE's form, not DER");
            assert!(key.verify_bytes(b"message", &signature));
            assert!(!key.verify_bytes(b"messagf", &signature));
            assert!(!VerifyingKey::new(other.public()).expect("usable").verify_bytes(b"message", &signature));
            for length in 0..signature.len() {
                assert!(!key.verify_bytes(b"message", &signature[..length]), "{length}");
            }
        }
    }

    #[test]
    fn a_pair_comes_back_from_its_der() {
        for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
            let (pair, der) = SigningPair::generate(algorithm).expect("a key");
            assert_eq!(SigningPair::from_pkcs8(&der).expect("the same").public(), pair.public());
            for length in 0..der.expose().len() {
                let cut = SecretBytes::new(der.expose()[..length].to_vec());
                assert!(SigningPair::from_pkcs8(&cut).is_err(), "{length}");
            }
        }
        assert_eq!(SigningPair::generate(Algorithm::Rs256).err(), Some(KeyError::CannotGenerateRsa));
    }

    #[test]
    fn a17_a18_degenerate_signatures_are_refused() {
        for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
            let key = VerifyingKey::new(generated(algorithm).public()).expect("usable");
            for signature in [&[][..], &[0; 64], &[0xff; 64], &[0; 63], &[0; 65], &[0; 512]] {
                assert!(!key.verify_bytes(b"message", signature), "{algorithm:?} {signature:?}");
            }
        }
        // S plus the group's order (RFC 8032 §5.1.7 wants S below it).
        let order: [u8; 32] = [
            0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0,
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
        ];
        let pair = generated(Algorithm::EdDsa);
        let mut signature = pair.sign(b"message").expect("signed");
        let mut carry = 0;
        for (digit, added) in signature[32..].iter_mut().zip(order) {
            let sum = u16::from(*digit) + u16::from(added) + carry;
            *digit = sum.to_le_bytes()[0];
            carry = sum >> 8;
        }
        assert!(!VerifyingKey::new(pair.public()).expect("usable").verify_bytes(b"message", &signature));
    }

    #[test]
    fn a19_rsa_keys_out_of_bounds_are_refused() {
        let modulus = |bytes: usize, last: u8| {
            let mut n = vec![0xff; bytes];
            n[bytes - 1] = last;
            n
        };
        let e = vec![1, 0, 1];
        let size = |bits| Err(KeyError::RsaSize { bits });
        let malformed = || Err(KeyError::PublicKey { kind: "RSA" });
        let exponent = || Err(KeyError::RsaExponent);
        let cases = [
            (modulus(384, 1), e.clone(), Ok(())),
            (modulus(1024, 1), e.clone(), Ok(())),
            (modulus(256, 1), e.clone(), size(2048)),
            (modulus(383, 1), e.clone(), size(3064)),
            (modulus(1025, 1), e.clone(), size(8200)),
            (vec![], e.clone(), size(0)),
            (modulus(384, 2), e.clone(), malformed()),
            ([vec![0], modulus(384, 1)].concat(), e.clone(), malformed()),
            (modulus(384, 1), vec![], exponent()),
            (modulus(384, 1), vec![1], exponent()),
            (modulus(384, 1), vec![3], exponent()),
            (modulus(384, 1), vec![1, 0, 0], exponent()),
            (modulus(384, 1), vec![0xff, 0xff], exponent()),
            (modulus(384, 1), vec![2, 0, 0, 0, 1], exponent()),
            (modulus(384, 1), vec![0, 1, 0, 1], malformed()),
        ];
        for (n, e, want) in cases {
            let bits = bit_length(&n);
            assert_eq!(
                VerifyingKey::new(&PublicKey::Rsa { n, e: e.clone() }).map(|_| ()),
                want,
                "{bits} bits, e {e:?}"
            );
        }
    }

    #[test]
    fn a19_points_that_are_no_keys_are_refused() {
        let off_curve = [4; 65];
        let mut compressed = [7; 65];
        compressed[0] = 2;
        for point in [off_curve, compressed, [0; 65]] {
            let refusal = VerifyingKey::new(&PublicKey::P256(point)).err();
            assert_eq!(refusal, Some(KeyError::PublicKey { kind: "P-256" }));
        }
        for mut point in SMALL_ORDER {
            for sign in [0, 0x80] {
                point[31] ^= sign;
                let refusal = VerifyingKey::new(&PublicKey::Ed25519(point)).err();
                assert_eq!(refusal, Some(KeyError::PublicKey { kind: "Ed25519" }), "{point:x?}");
            }
        }
    }

    #[test]
    fn l1_debug_shows_no_private_key() {
        let pair = generated(Algorithm::EdDsa);
        assert_eq!(format!("{pair:?}"), format!("SigningPair {{ id: {:?}, .. }}", pair.id()));
    }
}
