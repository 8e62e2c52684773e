//! Signing keys for hostile tokens, and their public halves in every form that an attacker may have.

use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD as BASE64URL};
use latchbook_core::jose::SigningPair;
use latchbook_core::model::{Algorithm, PublicKey, SecretText};
use serde_json::json;

/// A fresh key and its PEM. An RSA key is made by openssl, since nothing here can generate one.
pub(crate) fn pair(algorithm: Algorithm) -> (SigningPair, SecretText) {
    let pem = match algorithm {
        Algorithm::EdDsa | Algorithm::Es256 => {
            let (_, der) = SigningPair::generate(algorithm).expect("a key");
            let body = STANDARD.encode(der.expose());
            format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")
        }
        Algorithm::Rs256 => {
            let made = openssl(&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"]);
            made.expect("a key by openssl")
        }
    };
    let pem = SecretText::new(pem);
    let (pair, _) = SigningPair::from_pem(&pem).expect("a key");
    assert_eq!(pair.public().algorithm(), algorithm);
    (pair, pem)
}

/// Whether a key of this algorithm can be made here.
pub(crate) fn can_make(algorithm: Algorithm) -> bool {
    algorithm != Algorithm::Rs256 || openssl(&["version"]).is_some()
}

/// What openssl prints; `None` where there is none.
fn openssl(arguments: &[&str]) -> Option<String> {
    let output = Command::new("openssl").args(arguments).output().ok()?;
    assert!(output.status.success(), "openssl {arguments:?}");
    Some(String::from_utf8(output.stdout).expect("text"))
}

/// The public key as raw bytes (RSA: as RSAPublicKey, RFC 8017 §A.1.1), and as SubjectPublicKeyInfo (RFC 5280 §4.1.2.7).
pub(crate) fn public_forms(key: &PublicKey) -> (Vec<u8>, Vec<u8>) {
    let (raw, algorithm): (Vec<u8>, &[u8]) = match key {
        PublicKey::Ed25519(raw) => (raw.to_vec(), b"\x06\x03\x2b\x65\x70"),
        PublicKey::P256(raw) => {
            (raw.to_vec(), b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07")
        }
        PublicKey::Rsa { n, e } => {
            let both = [der(0x02, &[b"\0", n.as_slice()].concat()), der(0x02, e)].concat();
            (der(0x30, &both), b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00")
        }
    };
    let bits = der(0x03, &[b"\0", raw.as_slice()].concat());
    let info = der(0x30, &[der(0x30, algorithm), bits].concat());
    (raw, info)
}

/// The public key as a JWK without a `kid` (RFC 7517 §4).
pub(crate) fn jwk(key: &PublicKey) -> String {
    let text = |bytes: &[u8]| BASE64URL.encode(bytes);
    match key {
        PublicKey::Ed25519(x) => json!({"kty": "OKP", "crv": "Ed25519", "x": text(x)}),
        PublicKey::P256(point) => {
            json!({"kty": "EC", "crv": "P-256", "x": text(&point[1..33]), "y": text(&point[33..])})
        }
        PublicKey::Rsa { n, e } => json!({"kty": "RSA", "n": text(n), "e": text(e)}),
    }
    .to_string()
}

/// A value of the tag `tag` in DER (X.690 §8.1).
fn der(tag: u8, value: &[u8]) -> Vec<u8> {
    let length = match value.len() {
        short @ ..=0x7f => vec![u8::try_from(short).unwrap()],
        long => {
            let digits: Vec<u8> = long.to_be_bytes().into_iter().skip_while(|digit| *digit == 0).collect();
            [vec![0x80 | u8::try_from(digits.len()).unwrap()], digits].concat()
        }
    };
    [vec![tag], length, value.to_vec()].concat()
}
