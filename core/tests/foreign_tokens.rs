//! Tokens, keys and JSON of other people: refused where they must be, and never a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use latchbook_core::jose::{CompactToken, parse_key_set, thumbprint};
use latchbook_core::model::PublicKey;
use serde_json::{Value, json};
use support::ours::{CLAIMS, Ours};
use support::{list, text, vectors};

#[test]
fn the_tokens_of_other_libraries_are_refused() {
    let Some(vectors) = vectors("jose-libs/tokens.json") else { return };
    let ours = Ours::new();
    let tokens = list(&vectors["tokens"]);
    for case in tokens {
        assert!(ours.verify(text(&case["token"])).is_err(), "{case}");
    }
    println!("{} tokens refused", tokens.len());
}

#[test]
fn the_key_sets_of_other_libraries_are_taken_or_refused_as_stated() {
    let Some(vectors) = vectors("jose-libs/jwks.json") else { return };
    for case in list(&vectors) {
        let set =
            if case["value"].get("keys").is_some() { case["value"].clone() } else { json!({"keys": [case["value"]]}) };
        let read = parse_key_set(&set.to_string());
        match text(&case["expect"]) {
            "accept" => assert!(read.is_ok(), "{case}: {read:?}"),
            "accept or unsupported" => println!("{}: {read:?}", case["id"]),
            _ => assert!(read.is_err(), "{case}"),
        }
    }
}

#[test]
fn j9_j10_bytes_that_are_not_json_are_refused_as_header_as_payload_and_as_an_ignored_claim() {
    let Some(vectors) = vectors("json-parsing/cases.json") else { return };
    let ours = Ours::new();
    let header = ours.header();
    assert!(ours.verify(&ours.sign(header.as_bytes(), format!("{CLAIMS}}}").as_bytes())).is_ok());
    for case in list(&vectors["cases"]) {
        let bytes = bytes(case);
        // No case is an object with our members, so each is refused in these two places, JSON or not.
        assert!(CompactToken::parse(&ours.sign(&bytes, b"{}")).is_err(), "{case}");
        assert!(ours.verify(&ours.sign(header.as_bytes(), &bytes)).is_err(), "{case}");

        let ignored = [CLAIMS.as_bytes(), br#","zz":"#, &bytes, b"}"].concat();
        let token = ours.sign(header.as_bytes(), &ignored);
        let verdict = ours.verify(&token).map(|_| ());
        match text(&case["must"]) {
            "reject" => assert!(verdict.is_err(), "{case}"),
            "parse" => assert_eq!(verdict, Ok(()), "{case}"),
            _ => assert_eq!(verdict, ours.verify(&token).map(|_| ()), "{case}"),
        }
    }
    println!("{} JSON texts read in three places", list(&vectors["cases"]).len());
}

fn bytes(case: &Value) -> Vec<u8> {
    if let Some(whole) = case.get("b64") {
        return STANDARD.decode(text(whole)).unwrap();
    }
    let unit = STANDARD.decode(text(&case["repeat"]["unit_b64"])).unwrap();
    let total = usize::try_from(case["repeat"]["total_bytes"].as_u64().unwrap()).unwrap();
    unit.iter().copied().cycle().take(total).collect()
}

#[test]
fn the_tokens_printed_in_the_rfcs_are_refused_as_none_of_ours() {
    let Some(vectors) = vectors("rfc/appendices.json") else { return };
    let ours = Ours::new();
    for case in list(&vectors["tokens"]) {
        assert!(ours.verify(text(&case["token"])).is_err(), "{case}");
    }
}

#[test]
fn thumbprints_are_those_printed_in_the_rfcs() {
    let Some(vectors) = vectors("rfc/appendices.json") else { return };
    for case in list(&vectors["thumbprints"]) {
        let number = |name: &str| URL_SAFE_NO_PAD.decode(text(&case["key"][name])).unwrap();
        let key = match text(&case["key"]["kty"]) {
            "OKP" => PublicKey::Ed25519(number("x").try_into().unwrap()),
            "RSA" => PublicKey::Rsa { n: number("n"), e: number("e") },
            other => panic!("unknown kty {other}"),
        };
        assert_eq!(thumbprint(&key).as_str(), text(&case["thumbprint_sha256"]), "{case}");
    }
}
