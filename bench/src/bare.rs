//! The bare primitives, with keys parsed once and the same message as a token's: the floor of every table.

use aws_lc_rs::signature as aws;
use ring::signature as ring_signature;

use crate::keys::{Algorithm, SECRET};

/// Whether a signature is right for a message.
pub type Verify = Box<dyn Fn(&[u8], &[u8]) -> bool>;

/// Verifies with ring. It parses its public keys at each use; there is no other way.
pub fn ring_verify(algorithm: Algorithm) -> Verify {
    use ring_signature::{ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
    if algorithm == Algorithm::Hs256 {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET);
        return Box::new(move |message, signature| ring::hmac::verify(&key, message, signature).is_ok());
    }
    let parameters: &'static dyn ring_signature::VerificationAlgorithm = match algorithm {
        Algorithm::EdDsa => &ED25519,
        Algorithm::Es256 => &ECDSA_P256_SHA256_FIXED,
        Algorithm::Rs256 | Algorithm::Hs256 => &RSA_PKCS1_2048_8192_SHA256,
    };
    let key = UnparsedPublicKey::new(parameters, algorithm.public());
    Box::new(move |message, signature| key.verify(message, signature).is_ok())
}

/// Verifies with aws-lc-rs.
pub fn aws_verify(algorithm: Algorithm) -> Verify {
    if algorithm == Algorithm::Hs256 {
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, SECRET);
        return Box::new(move |message, signature| aws_lc_rs::hmac::verify(&key, message, signature).is_ok());
    }
    let parameters: &'static dyn aws::VerificationAlgorithm = match algorithm {
        Algorithm::EdDsa => &aws::ED25519,
        Algorithm::Es256 => &aws::ECDSA_P256_SHA256_FIXED,
        Algorithm::Rs256 | Algorithm::Hs256 => &aws::RSA_PKCS1_2048_8192_SHA256,
    };
    let key = aws::ParsedPublicKey::new(parameters, algorithm.public()).expect("a key");
    Box::new(move |message, signature| key.verify_sig(message, signature).is_ok())
}

/// Signs with ring: the length of the signature.
pub fn ring_sign(algorithm: Algorithm, message: Vec<u8>) -> Box<dyn FnMut() -> usize> {
    use ring_signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
    let random = ring::rand::SystemRandom::new();
    match algorithm {
        Algorithm::EdDsa => {
            let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&algorithm.pkcs8()).expect("a key");
            Box::new(move || pair.sign(&message).as_ref().len())
        }
        Algorithm::Es256 => {
            let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &algorithm.pkcs8(), &random);
            let pair = pair.expect("a key");
            Box::new(move || pair.sign(&random, &message).expect("signed").as_ref().len())
        }
        Algorithm::Rs256 => {
            let pair = RsaKeyPair::from_pkcs8(&algorithm.pkcs8()).expect("a key");
            let mut signature = vec![0; pair.public().modulus_len()];
            Box::new(move || {
                pair.sign(&RSA_PKCS1_SHA256, &random, &message, &mut signature).expect("signed");
                signature.len()
            })
        }
        Algorithm::Hs256 => {
            let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET);
            Box::new(move || ring::hmac::sign(&key, &message).as_ref().len())
        }
    }
}

/// Signs with aws-lc-rs: the length of the signature.
pub fn aws_sign(algorithm: Algorithm, message: Vec<u8>) -> Box<dyn FnMut() -> usize> {
    let random = aws_lc_rs::rand::SystemRandom::new();
    match algorithm {
        Algorithm::EdDsa => {
            let pair = aws::Ed25519KeyPair::from_pkcs8_maybe_unchecked(&algorithm.pkcs8()).expect("a key");
            Box::new(move || pair.sign(&message).as_ref().len())
        }
        Algorithm::Es256 => {
            let pair = aws::EcdsaKeyPair::from_pkcs8(&aws::ECDSA_P256_SHA256_FIXED_SIGNING, &algorithm.pkcs8());
            let pair = pair.expect("a key");
            Box::new(move || pair.sign(&random, &message).expect("signed").as_ref().len())
        }
        Algorithm::Rs256 => {
            let pair = aws::RsaKeyPair::from_pkcs8(&algorithm.pkcs8()).expect("a key");
            let mut signature = vec![0; pair.public_modulus_len()];
            Box::new(move || {
                pair.sign(&aws::RSA_PKCS1_SHA256, &random, &message, &mut signature).expect("signed");
                signature.len()
            })
        }
        Algorithm::Hs256 => {
            let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, SECRET);
            Box::new(move || aws_lc_rs::hmac::sign(&key, &message).as_ref().len())
        }
    }
}
