//! What kind of key a PKCS#8 document holds (RFC 5208 §5, RFC 5958 §2), read before a library sees it so that errors are clear.

use super::KeyError;

/// A kind of private key that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Ed25519,
    P256,
    Rsa { bits: usize },
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "Ed25519",
            Self::P256 => "P-256",
            Self::Rsa { .. } => "RSA",
        }
    }
}

/// The kind of the key in `der`.
///
/// # Errors
/// [`KeyError::Unsupported`] for a known kind that no algorithm of ours uses, [`KeyError::Pkcs1`] and
/// [`KeyError::Sec1`] for those older forms, [`KeyError::PrivateKey`] for anything else.
pub(super) fn kind(der: &[u8]) -> Result<Kind, KeyError> {
    private_key_info(der).unwrap_or(Err(KeyError::PrivateKey { kind: "unknown" }))
}

/// `None` where the bytes are no document of these forms.
fn private_key_info(der: &[u8]) -> Option<Result<Kind, KeyError>> {
    let mut document = Reader(der);
    let mut info = Reader(document.element(SEQUENCE)?);
    if !document.0.is_empty() {
        return None;
    }
    let version = info.element(INTEGER)?;
    let (tag, algorithm) = info.any()?;
    match (tag, version) {
        (SEQUENCE, [0 | 1]) => {}
        (INTEGER, [0 | 1]) => return Some(Err(KeyError::Pkcs1)),
        (OCTETS, [1]) => return Some(Err(KeyError::Sec1)),
        _ => return None,
    }
    let private = info.element(OCTETS)?;
    let mut algorithm = Reader(algorithm);
    let unsupported = |kind| Some(Err(KeyError::Unsupported { kind }));
    match algorithm.element(OBJECT_ID)? {
        ED25519 => Some(Ok(Kind::Ed25519)),
        RSA => Some(Ok(Kind::Rsa { bits: rsa_bits(private)? })),
        EC => match algorithm.element(OBJECT_ID) {
            Some(P256) => Some(Ok(Kind::P256)),
            Some(P384) => unsupported("P-384"),
            Some(P521) => unsupported("P-521"),
            Some(SECP256K1) => unsupported("secp256k1"),
            _ => unsupported("this elliptic curve"),
        },
        RSA_PSS => unsupported("RSA-PSS"),
        ED448 => unsupported("Ed448"),
        X25519 => unsupported("X25519"),
        DSA => unsupported("DSA"),
        _ => unsupported("this kind of key"),
    }
}

/// The modulus' length in an `RSAPrivateKey` (RFC 8017 §A.1.2).
fn rsa_bits(private: &[u8]) -> Option<usize> {
    let mut key = Reader(Reader(private).element(SEQUENCE)?);
    key.element(INTEGER)?;
    Some(bit_length(key.element(INTEGER)?))
}

/// Modulus and exponent of an `RSAPublicKey` (RFC 8017 §A.1.1), big-endian without leading zeros.
#[cfg(feature = "aws-lc")]
pub(super) fn rsa_public_key(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut key = Reader(Reader(der).element(SEQUENCE)?);
    // DER sets a zero before a number whose first bit is set, which its sign would be (X.690 §8.3).
    let mut number = || key.element(INTEGER).map(|number| number.strip_prefix(&[0]).unwrap_or(number));
    Some((number()?, number()?))
}

/// How many bits a big-endian number has.
pub(super) fn bit_length(number: &[u8]) -> usize {
    let leading = number.iter().position(|&byte| byte != 0).unwrap_or(number.len());
    match number.get(leading..) {
        Some([first, rest @ ..]) => {
            rest.len().saturating_mul(8) + usize::try_from(8 - first.leading_zeros()).unwrap_or_default()
        }
        _ => 0,
    }
}

/// Reads DER elements (X.690 §8.1) from the front of a slice.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The contents of the next element, if it has this tag.
    fn element(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (found, contents) = self.any()?;
        (found == tag).then_some(contents)
    }

    /// The tag and contents of the next element.
    fn any(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81 | 0x82 => {
                let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (length.iter().fold(0, |sum, &byte| sum << 8 | usize::from(byte)), rest)
            }
            _ => return None,
        };
        let (contents, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, contents))
    }
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const OBJECT_ID: u8 = 0x06;

/// 1.3.101.112 (RFC 8410 §3).
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
/// 1.3.101.113.
const ED448: &[u8] = &[0x2b, 0x65, 0x71];
/// 1.3.101.110.
const X25519: &[u8] = &[0x2b, 0x65, 0x6e];
/// 1.2.840.113549.1.1.1 (RFC 8017 §A.1).
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// 1.2.840.113549.1.1.10.
const RSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];
/// 1.2.840.10040.4.1.
const DSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x01];
/// 1.2.840.10045.2.1 (RFC 5480 §2.1.1).
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// 1.2.840.10045.3.1.7.
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// 1.3.132.0.34.
const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
/// 1.3.132.0.35.
const P521: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x23];
/// 1.3.132.0.10.
const SECP256K1: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x0a];

#[cfg(test)]
mod tests {
    use super::*;

    fn element(tag: u8, contents: &[&[u8]]) -> Vec<u8> {
        let contents = contents.concat();
        let length = u8::try_from(contents.len()).expect("short");
        assert!(length < 0x80);
        [&[tag, length], &*contents].concat()
    }

    fn document(algorithm: &[&[u8]]) -> Vec<u8> {
        let names: Vec<_> = algorithm.iter().map(|name| element(OBJECT_ID, &[name])).collect();
        let names: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
        element(
            SEQUENCE,
            &[
                &element(INTEGER, &[&[0]]),
                &element(SEQUENCE, &names),
                &element(OCTETS, &[&element(OCTETS, &[&[7; 32]])]),
            ],
        )
    }

    #[test]
    fn a19_kinds_that_no_algorithm_uses_are_named() {
        let cases: [(&[&[u8]], _); 10] = [
            (&[ED25519], Ok(Kind::Ed25519)),
            (&[EC, P256], Ok(Kind::P256)),
            (&[EC, P384], Err("P-384")),
            (&[EC, P521], Err("P-521")),
            (&[EC, SECP256K1], Err("secp256k1")),
            (&[EC], Err("this elliptic curve")),
            (&[ED448], Err("Ed448")),
            (&[X25519], Err("X25519")),
            (&[RSA_PSS], Err("RSA-PSS")),
            (&[&[0x2a, 0x03]], Err("this kind of key")),
        ];
        for (algorithm, want) in cases {
            let want = want.map_err(|kind| KeyError::Unsupported { kind });
            assert_eq!(kind(&document(algorithm)), want, "{algorithm:x?}");
        }
    }

    #[test]
    fn older_forms_are_told_apart() {
        let pkcs1 = element(SEQUENCE, &[&element(INTEGER, &[&[0]]), &element(INTEGER, &[&[5]])]);
        let sec1 = element(SEQUENCE, &[&element(INTEGER, &[&[1]]), &element(OCTETS, &[&[5; 32]])]);
        assert_eq!(kind(&pkcs1), Err(KeyError::Pkcs1));
        assert_eq!(kind(&sec1), Err(KeyError::Sec1));
    }

    #[test]
    fn every_truncation_and_anything_after_it_is_refused() {
        let whole = document(&[ED25519]);
        for length in 0..whole.len() {
            assert!(kind(&whole[..length]).is_err(), "{length}");
        }
        assert!(kind(&[&*whole, &[0]].concat()).is_err());
    }

    #[test]
    fn bits_are_counted_without_leading_zeros() {
        for (number, want) in [(&[][..], 0), (&[0], 0), (&[1], 1), (&[0, 0x80], 8), (&[1, 0], 9), (&[0xff, 0xff], 16)] {
            assert_eq!(bit_length(number), want, "{number:?}");
        }
    }
}
