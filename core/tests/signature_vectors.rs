//! Wycheproof at the signature seam, the compact split and the key seam: valid is accepted, invalid is refused, with every
//! provider.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use latchbook_core::jose::{CompactToken, KeyError, SignatureProvider, VerifyingKey, parse_key_set};
use latchbook_core::model::{PublicKey, Rejection};
use serde_json::{Value, json};
use support::{hex, list, text, vectors};

/// What came of a file, printed so that a run says what it looked at.
#[derive(Default)]
struct Tally {
    accepted: usize,
    refused: usize,
    skipped: usize,
}

impl Tally {
    fn count(&mut self, case: &Value, accepted: bool) {
        match text(&case["result"]) {
            "valid" => assert!(accepted, "refused, but valid: {case}"),
            "invalid" => assert!(!accepted, "accepted, but invalid: {case}"),
            "acceptable" => {}
            other => panic!("unknown result {other}"),
        }
        if accepted { self.accepted += 1 } else { self.refused += 1 }
    }

    fn skip(&mut self, file: &str, case: &Value, why: &str) {
        self.skipped += 1;
        println!("{file} {} ({}) skipped: {why}", case["tcId"], text(&case["comment"]));
    }

    fn print(&self, file: &str, provider: SignatureProvider) {
        println!(
            "{file} by {provider:?}: {} accepted, {} refused, {} skipped",
            self.accepted, self.refused, self.skipped
        );
        assert!(self.accepted > 0 && self.refused > 0, "{file} is empty");
    }
}

#[test]
fn a18_ed25519_signatures_are_judged_as_published() {
    signatures("wycheproof/ed25519.json", |group| {
        PublicKey::Ed25519(hex(&group["publicKey"]["pk"]).try_into().expect("32 bytes"))
    });
}

#[test]
fn a17_es256_signatures_are_judged_as_published() {
    signatures("wycheproof/ecdsa_secp256r1_sha256_p1363.json", |group| {
        PublicKey::P256(hex(&group["publicKey"]["uncompressed"]).try_into().expect("65 bytes"))
    });
}

#[test]
fn rs256_signatures_are_judged_as_published() {
    signatures("wycheproof/rsa_signature_3072_sha256.json", |group| {
        let number = |name: &str| {
            let bytes = hex(&group["publicKey"][name]);
            bytes.iter().copied().skip_while(|&byte| byte == 0).collect()
        };
        PublicKey::Rsa { n: number("modulus"), e: number("publicExponent") }
    });
}

fn signatures(file: &str, public: impl Fn(&Value) -> PublicKey) {
    let Some(vectors) = vectors(file) else { return };
    for &provider in SignatureProvider::ALL {
        signatures_by(provider, file, &vectors, &public);
    }
}

fn signatures_by(provider: SignatureProvider, file: &str, vectors: &Value, public: &impl Fn(&Value) -> PublicKey) {
    let mut tally = Tally::default();
    for group in list(&vectors["testGroups"]) {
        match VerifyingKey::new_with(provider, &public(group)) {
            Ok(key) => {
                for case in list(&group["tests"]) {
                    tally.count(case, key.verify_bytes(&hex(&case["msg"]), &hex(&case["sig"])));
                }
            }
            // A key that we do not take verifies nothing: right for what is invalid, and to be named for the rest.
            Err(why) => {
                for case in list(&group["tests"]) {
                    if text(&case["result"]) == "invalid" {
                        tally.count(case, false);
                    } else {
                        tally.skip(file, case, &why.to_string());
                    }
                }
            }
        }
    }
    tally.print(file, provider);
}

#[test]
fn json_web_signatures_pass_the_split_and_the_key_as_published() {
    tokens("json_web_signature.json");
}

#[test]
fn a19_a22_json_web_keys_are_taken_as_published() {
    tokens("json_web_key.json");
}

fn tokens(name: &str) {
    let file = format!("wycheproof/{name}");
    let Some(vectors) = vectors(&file) else { return };
    let overrides = self::vectors("wycheproof/policy_overrides.json").expect("beside the vectors");
    for &provider in SignatureProvider::ALL {
        tokens_by(provider, name, &vectors, &overrides);
    }
}

fn tokens_by(provider: SignatureProvider, name: &str, vectors: &Value, overrides: &Value) {
    let mut tally = Tally::default();
    for group in list(&vectors["testGroups"]) {
        let keys = usable_keys(provider, group);
        for case in list(&group["tests"]) {
            let mut case = case.clone();
            let ours = list(overrides).iter().find(|rule| rule["file"] == name && rule["tcId"] == case["tcId"]);
            if let Some(rule) = ours {
                case["result"] = if rule["we_require"] == "reject" { "invalid".into() } else { "acceptable".into() };
            }
            let verdict = keys.as_ref().map(|keys| keys.iter().any(|key| is_signed_by(key, text(&case["jws"]))));
            match verdict {
                Ok(accepted) => tally.count(&case, accepted),
                Err(why) if case["result"] == "valid" => tally.skip(name, &case, &why.to_string()),
                Err(_) => tally.count(&case, false),
            }
        }
    }
    println!(
        "{name} by {provider:?}: {} accepted, {} refused, {} skipped",
        tally.accepted, tally.refused, tally.skipped
    );
    assert!(tally.refused > 0, "{name} is empty");
}

/// The group's keys through our key sets: the public half where there is one, else the secret, which is refused.
fn usable_keys(provider: SignatureProvider, group: &Value) -> Result<Vec<VerifyingKey>, KeyError> {
    let key = group.get("public").or_else(|| group.get("private")).expect("a key");
    let set = if key.get("keys").is_some() { key.clone() } else { json!({ "keys": [key] }) };
    parse_key_set(&set.to_string())?.iter().map(|public| VerifyingKey::new_with(provider, public)).collect()
}

/// The verdict of our parts on a token whose header is not ours (it has no `typ`): our split, a key that fixes the
/// algorithm, our signature check.
fn is_signed_by(key: &VerifyingKey, token: &str) -> bool {
    // No vector has a header of ours; all that our reader may say is which rule it broke first.
    match CompactToken::parse(token) {
        Err(Rejection::TokenHeader | Rejection::TokenType) => {}
        Err(_) => return false,
        Ok(token) => return key.verify(&token).is_ok(),
    }
    let (signed, signature) = token.rsplit_once('.').expect("split before");
    let (header, _) = signed.split_once('.').expect("split before");
    let header: Value = match URL_SAFE_NO_PAD.decode(header).map(|json| serde_json::from_slice(&json)) {
        Ok(Ok(header)) => header,
        _ => return false,
    };
    let members = header.as_object();
    let only_names = members.is_some_and(|members| members.keys().all(|name| matches!(&**name, "alg" | "kid" | "typ")));
    only_names
        && header["alg"] == key.public().algorithm().name()
        && key.verify_bytes(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).expect("decoded before"))
}
