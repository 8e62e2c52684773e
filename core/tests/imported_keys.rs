//! Private keys made by OpenSSL: imported where they fit, else refused with words that lead to one that does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::io::Write as _;
use std::process::{Command, Stdio};

use latchbook_core::jose::{KeyError, SignatureProvider, SigningPair, VerifyingKey, key_set, parse_key_set};
use latchbook_core::model::{Algorithm, SecretText};

/// What OpenSSL answers to `input`, or `None`, said plainly, where there is no OpenSSL.
fn openssl(arguments: &str, input: &str) -> Option<String> {
    let child = Command::new("openssl")
        .args(arguments.split(' '))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = child else {
        println!("skipped: no openssl command");
        return None;
    };
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "openssl {arguments}");
    Some(String::from_utf8(output.stdout).unwrap())
}

/// What every provider makes of a PEM text: the same.
fn import(pem: &str) -> Result<SigningPair, KeyError> {
    let mut imported: Vec<_> = SignatureProvider::ALL.iter().map(|provider| import_with(*provider, pem)).collect();
    let public = |result: &Result<SigningPair, KeyError>| {
        result.as_ref().map(|pair| pair.public().clone()).map_err(KeyError::clone)
    };
    for pair in imported.windows(2) {
        assert_eq!(public(&pair[0]), public(&pair[1]));
    }
    imported.pop().unwrap()
}

fn import_with(provider: SignatureProvider, pem: &str) -> Result<SigningPair, KeyError> {
    let (pair, der) = SigningPair::from_pem_with(provider, &SecretText::new(pem.to_owned()))?;
    assert_eq!(SigningPair::from_pkcs8_with(provider, &der).unwrap().id(), pair.id(), "what is sealed is the same key");
    Ok(pair)
}

const ED25519: &str = "genpkey -algorithm ed25519";
const P256: &str = "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256";
const P384: &str = "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384";
const RSA_3072: &str = "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072";
const RSA_2048: &str = "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048";
const RSA_1024: &str = "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024";

#[test]
fn keys_of_every_algorithm_sign_verify_and_are_published() {
    for (command, algorithm) in [(ED25519, Algorithm::EdDsa), (P256, Algorithm::Es256), (RSA_3072, Algorithm::Rs256)] {
        let Some(pem) = openssl(command, "") else { return };
        let pair = import(&pem).unwrap();
        assert_eq!(pair.public().algorithm(), algorithm);
        let signature = pair.sign(b"message").unwrap();
        for provider in SignatureProvider::ALL {
            let key = VerifyingKey::new_with(*provider, pair.public()).unwrap();
            assert!(key.verify_bytes(b"message", &signature));
            assert!(!key.verify_bytes(b"massage", &signature));
        }
        let set = key_set(&[(pair.id().clone(), pair.public().clone())]);
        assert_eq!(parse_key_set(&set), Ok(vec![pair.public().clone()]));
    }
}

#[test]
fn a19_keys_of_another_size_or_kind_are_refused() {
    let cases = [
        (RSA_1024, KeyError::RsaSize { bits: 1024 }),
        (RSA_2048, KeyError::RsaSize { bits: 2048 }),
        (P384, KeyError::Unsupported { kind: "P-384" }),
        ("genpkey -algorithm ed448", KeyError::Unsupported { kind: "Ed448" }),
        ("genpkey -algorithm x25519", KeyError::Unsupported { kind: "X25519" }),
    ];
    for (command, want) in cases {
        let Some(pem) = openssl(command, "") else { return };
        assert_eq!(import(&pem).err(), Some(want), "{command}");
    }
}

#[test]
fn older_and_encrypted_forms_are_refused_with_a_command_that_helps() {
    let Some(rsa) = openssl(RSA_3072, "") else { return };
    let ec = openssl(P256, "").unwrap();
    let cases = [
        (openssl("rsa -traditional", &rsa).unwrap(), KeyError::Pkcs1, "pkcs8 -topk8 -nocrypt"),
        (openssl("ec", &ec).unwrap(), KeyError::Sec1, "pkcs8 -topk8 -nocrypt"),
        (openssl("pkcs8 -topk8 -passout pass:1234", &ec).unwrap(), KeyError::Encrypted, "pkcs8 -passin pass:1234"),
        (
            openssl("rsa -traditional -aes128 -passout pass:1234", &rsa).unwrap(),
            KeyError::Encrypted,
            "pkcs8 -topk8 -nocrypt -passin pass:1234",
        ),
    ];
    for (pem, want, conversion) in cases {
        assert_eq!(import(&pem).err(), Some(want));
        assert!(import(&openssl(conversion, &pem).unwrap()).is_ok(), "the advice works: {conversion}");
    }
    let public = openssl("pkey -pubout", &ec).unwrap();
    assert_eq!(import(&public).err(), Some(KeyError::NotPrivate { found: "public key" }));
}
