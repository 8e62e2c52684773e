//! Keys, with every provider that is compiled in: what one signs each verifies, and all refuse the same.

use super::*;

const ALL: &[SignatureProvider] = SignatureProvider::ALL;

fn generated(provider: SignatureProvider, algorithm: Algorithm) -> SigningPair {
    SigningPair::generate_with(provider, algorithm).expect("a key").0
}

fn key(provider: SignatureProvider, pair: &SigningPair) -> VerifyingKey {
    VerifyingKey::new_with(provider, pair.public()).expect("usable")
}

/// Every provider with every algorithm that it generates keys for.
fn kinds() -> impl Iterator<Item = (SignatureProvider, Algorithm)> {
    let algorithms = [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256];
    let all = ALL.iter().flat_map(move |provider| algorithms.map(|algorithm| (*provider, algorithm)));
    all.filter(|(provider, algorithm)| provider.generates(*algorithm))
}

#[test]
fn ring_is_the_provider_unless_another_is_named() {
    let (pair, der) = SigningPair::generate(Algorithm::EdDsa).expect("a key");
    assert_eq!(pair.provider(), SignatureProvider::Ring);
    assert_eq!(SigningPair::from_pkcs8(&der).expect("the same").provider(), SignatureProvider::Ring);
    assert_eq!(VerifyingKey::new(pair.public()).expect("usable").provider(), SignatureProvider::Ring);
    assert_eq!(SignatureProvider::default(), SignatureProvider::Ring);
    for &provider in ALL {
        assert_eq!(generated(provider, Algorithm::EdDsa).provider(), provider);
        assert_eq!(key(provider, &pair).provider(), provider);
    }
}

#[test]
fn what_one_provider_signs_each_verifies_and_nothing_else() {
    for (provider, algorithm) in kinds() {
        let pair = generated(provider, algorithm);
        let other = generated(provider, algorithm);
        let signature = pair.sign(b"message").expect("signed");
        let length = if algorithm == Algorithm::Rs256 { 384 } else { 64 };
        assert_eq!(signature.len(), length, "JOSE's form, not DER");
        for &judge in ALL {
            let ours = key(judge, &pair);
            assert_eq!(ours.id(), pair.id());
            assert!(ours.verify_bytes(b"message", &signature), "{algorithm:?} by {provider:?} for {judge:?}");
            assert!(!ours.verify_bytes(b"messagf", &signature));
            assert!(!key(judge, &other).verify_bytes(b"message", &signature));
            for length in 0..signature.len() {
                assert!(!ours.verify_bytes(b"message", &signature[..length]), "{length}");
            }
            assert!(!ours.verify_bytes(b"message", &[&*signature, &[0]].concat()));
            for place in 0..signature.len() {
                let mut changed = signature.clone();
                changed[place] ^= 1 << (place % 8);
                assert!(!ours.verify_bytes(b"message", &changed), "{algorithm:?} {judge:?} {place}");
            }
        }
    }
}

#[test]
fn a_pair_comes_back_from_its_der_with_any_provider() {
    for (provider, algorithm) in kinds() {
        let (pair, der) = SigningPair::generate_with(provider, algorithm).expect("a key");
        for &reader in ALL {
            let read = SigningPair::from_pkcs8_with(reader, &der).expect("the same");
            assert_eq!(read.public(), pair.public(), "{algorithm:?} by {provider:?} for {reader:?}");
            if algorithm != Algorithm::Es256 {
                assert_eq!(read.sign(b"message"), pair.sign(b"message"), "no chance is in it");
            }
            for length in 0..der.expose().len() {
                let cut = SecretBytes::new(der.expose()[..length].to_vec());
                assert!(SigningPair::from_pkcs8_with(reader, &cut).is_err(), "{length}");
            }
        }
    }
}

#[test]
fn a_pair_whose_halves_do_not_fit_is_refused() {
    for (algorithm, length) in [(Algorithm::EdDsa, 32), (Algorithm::Es256, 65)] {
        for &provider in ALL {
            let (_, der) = SigningPair::generate_with(provider, algorithm).expect("a key");
            let (_, other) = SigningPair::generate_with(provider, algorithm).expect("a key");
            let (der, other) = (der.expose(), other.expose());
            // The public half is the document's end.
            let mixed = [&der[..der.len() - length], &other[other.len() - length..]].concat();
            for &reader in ALL {
                let refusal = SigningPair::from_pkcs8_with(reader, &SecretBytes::new(mixed.clone())).err();
                let damaged = matches!(refusal, Some(KeyError::PrivateKey { .. }));
                assert!(damaged, "{algorithm:?} by {provider:?} for {reader:?}: {refusal:?}");
            }
        }
    }
}

#[test]
#[cfg(feature = "aws-lc")]
fn a_p256_key_without_its_public_half_is_read_by_aws_lc_rs_and_not_by_ring() {
    let (pair, der) = SigningPair::generate(Algorithm::Es256).expect("a key");
    let scalar = &der.expose()[36..68];
    let before = *b"\x30\x41\x02\x01\x00\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x04\x27\x30\x25\x02\x01\x01\x04\x20";
    let alone = SecretBytes::new([&before[..], scalar].concat());
    let read = SigningPair::from_pkcs8_with(SignatureProvider::AwsLc, &alone).expect("read");
    assert_eq!(read.public(), pair.public());
    assert_eq!(SigningPair::from_pkcs8(&alone).err(), Some(KeyError::PrivateKey { kind: "P-256" }));
}

#[test]
fn ring_generates_no_rsa_keys_and_says_who_does() {
    let refusal = SigningPair::generate(Algorithm::Rs256).err();
    assert_eq!(refusal, Some(KeyError::CannotGenerateRsa));
    assert!(KeyError::CannotGenerateRsa.to_string().contains("feature `aws-lc`"));
}

#[test]
#[cfg(feature = "aws-lc")]
fn a19_a_generated_rsa_key_has_3072_bits() {
    let pair = generated(SignatureProvider::AwsLc, Algorithm::Rs256);
    let PublicKey::Rsa { n, e } = pair.public() else { panic!("an RSA key") };
    assert_eq!((bit_length(n), &**e), (3072, &[1, 0, 1][..]));
}

#[test]
fn a17_a18_degenerate_signatures_are_refused() {
    for (provider, algorithm) in kinds() {
        let pair = generated(provider, algorithm);
        for &judge in ALL {
            let key = key(judge, &pair);
            for signature in [&[][..], &[0; 64], &[0xff; 64], &[0; 63], &[0; 65], &[0; 384], &[0xff; 384], &[0; 512]] {
                assert!(!key.verify_bytes(b"message", signature), "{judge:?} {algorithm:?} {signature:?}");
            }
        }
    }
}

#[test]
fn a18_a_signature_whose_s_is_not_reduced_is_refused() {
    // S plus the group's order (RFC 8032 §5.1.7 wants S below it).
    let order: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let pair = generated(SignatureProvider::Ring, Algorithm::EdDsa);
    let mut signature = pair.sign(b"message").expect("signed");
    let mut carry = 0;
    for (digit, added) in signature[32..].iter_mut().zip(order) {
        let sum = u16::from(*digit) + u16::from(added) + carry;
        *digit = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    for &judge in ALL {
        assert!(!key(judge, &pair).verify_bytes(b"message", &signature), "{judge:?}");
    }
}

#[test]
fn a17_es256_numbers_of_zero_or_of_the_order_and_beyond_are_refused() {
    let mut order = [0xff; 32];
    order[4..8].fill(0);
    order[16..].copy_from_slice(&[
        0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ]);
    let pair = generated(SignatureProvider::Ring, Algorithm::Es256);
    let good = pair.sign(b"message").expect("signed");
    for number in [[0; 32], order, [0xff; 32]] {
        let bad = [[&number, &good[32..]].concat(), [&good[..32], &number].concat(), [number, number].concat()];
        for signature in &bad {
            for &judge in ALL {
                assert!(!key(judge, &pair).verify_bytes(b"message", signature), "{judge:?} {signature:x?}");
            }
        }
    }
    // The other s of the pair: RFC 7518 §3.4 does not refuse it, and a token is not told apart by its signature.
    let mut borrow = 0;
    let mut negated = good.clone();
    for (digit, of_order) in negated[32..].iter_mut().zip(order).rev() {
        let difference = i16::from(of_order) - i16::from(*digit) - borrow;
        borrow = i16::from(difference < 0);
        *digit = difference.to_le_bytes()[0];
    }
    for &judge in ALL {
        assert!(key(judge, &pair).verify_bytes(b"message", &negated), "{judge:?}");
    }
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
        let public = PublicKey::Rsa { n, e };
        for &provider in ALL {
            let verdict = VerifyingKey::new_with(provider, &public).map(|_| ());
            assert_eq!(verdict, want, "{provider:?}: {bits} bits, {public:?}");
        }
    }
}

#[test]
fn a19_points_that_are_no_keys_are_refused() {
    let PublicKey::P256(good) = *generated(SignatureProvider::Ring, Algorithm::Es256).public() else {
        panic!("a point")
    };
    let with_form = |form| {
        let mut point = good;
        point[0] = form;
        point
    };
    let hybrid = with_form(6 | good[64] & 1);
    let mut off_curve = good;
    off_curve[64] ^= 1;
    for point in [off_curve, [4; 65], with_form(2), with_form(3), hybrid, with_form(0), [0; 65]] {
        assert_refused(&PublicKey::P256(point), "P-256");
    }
    assert!(ALL.iter().all(|provider| VerifyingKey::new_with(*provider, &PublicKey::P256(good)).is_ok()));
}

#[test]
fn a19_ed25519_points_of_small_order_or_not_reduced_are_refused() {
    let not_reduced = (0xed..=0xff).map(|low| {
        let mut y = [0xff; 32];
        y[0] = low;
        y[31] = 0x7f;
        y
    });
    for mut point in SMALL_ORDER.into_iter().chain(not_reduced) {
        for sign in [0, 0x80] {
            point[31] ^= sign;
            assert_refused(&PublicKey::Ed25519(point), "Ed25519");
        }
    }
    // p - 2, the largest y that is not of small order: whether it is on the curve or not, it is read.
    let mut below = [0xff; 32];
    below[0] = 0xeb;
    below[31] = 0x7f;
    for &provider in ALL {
        assert!(VerifyingKey::new_with(provider, &PublicKey::Ed25519(below)).is_ok(), "{provider:?}");
    }
}

fn assert_refused(public: &PublicKey, kind: &'static str) {
    for &provider in ALL {
        let refusal = VerifyingKey::new_with(provider, public).err();
        assert_eq!(refusal, Some(KeyError::PublicKey { kind }), "{provider:?} {public:x?}");
    }
}

#[test]
fn l1_debug_shows_no_private_key() {
    for &provider in ALL {
        let pair = generated(provider, Algorithm::EdDsa);
        assert_eq!(format!("{pair:?}"), format!("SigningPair {{ id: {:?}, .. }}", pair.id()));
    }
}
