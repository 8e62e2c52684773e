//! Headers that an attacker would like to be believed: each refused, although our own key signed the token.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use latchbook_core::jose::{CompactToken, MAX_TOKEN, SigningPair};
use latchbook_core::model::{Algorithm, PublicKey, Rejection};
use ring::hmac;
use support::encode;
use support::ours::{CLAIMS, Ours};

fn claims() -> Vec<u8> {
    format!("{CLAIMS}}}").into_bytes()
}

/// What comes of a token with this header that our key signed.
fn verdict(ours: &Ours, header: &str) -> Option<Rejection> {
    ours.verify(&ours.sign(header.as_bytes(), &claims())).err()
}

/// Our header with `more` members at its end.
fn with(ours: &Ours, more: &str) -> String {
    ours.header().replace('}', &format!(",{more}}}"))
}

/// Asserts that every header with one of `members` is refused, and that without them it is let in.
fn assert_members_refused(members: &[&str]) {
    let ours = Ours::new();
    assert_eq!(verdict(&ours, &ours.header()), None);
    for member in members {
        assert_eq!(verdict(&ours, &with(&ours, member)), Some(Rejection::TokenHeader), "{member}");
    }
}

#[test]
fn a1_no_spelling_of_none_is_let_in_with_or_without_a_signature() {
    let ours = Ours::new();
    for none in ["none", "None", "NONE", "nOnE", "none ", "\\u006eone"] {
        let header = ours.header().replace("EdDSA", none);
        let signed = ours.sign(header.as_bytes(), &claims());
        assert_eq!(ours.verify(&signed).err(), Some(Rejection::AlgorithmMismatch), "{none}");
        let (unsigned, _) = signed.rsplit_once('.').unwrap();
        for bare in [format!("{unsigned}."), unsigned.to_owned()] {
            assert_eq!(ours.verify(&bare).err(), Some(Rejection::TokenShape), "{none}");
        }
    }
}

#[test]
fn a3_no_mac_keyed_with_a_public_key_is_taken_for_a_signature() {
    let ours = Ours::new();
    let PublicKey::Ed25519(raw) = ours.pair.public() else { panic!("an Ed25519 key") };
    let spki = [&b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00"[..], raw].concat();
    let jwk = latchbook_core::jose::key_set(&[(ours.pair.id().clone(), ours.pair.public().clone())]);
    let secrets = [raw.to_vec(), spki, jwk.into_bytes(), ours.pair.id().as_str().into(), Vec::new()];
    for (algorithm, name, want) in [
        (hmac::HMAC_SHA256, "HS256", Rejection::AlgorithmMismatch),
        (hmac::HMAC_SHA512, "HS512", Rejection::AlgorithmMismatch),
        // 64 bytes, as many as a signature has.
        (hmac::HMAC_SHA512, "EdDSA", Rejection::BadSignature),
    ] {
        for secret in &secrets {
            let header = ours.header().replace("EdDSA", name);
            let signed = format!("{}.{}", encode(header), encode(claims()));
            let mac = hmac::sign(&hmac::Key::new(algorithm, secret), signed.as_bytes());
            assert_eq!(ours.verify(&format!("{signed}.{}", encode(mac))).err(), Some(want.clone()), "{name}");
        }
    }
}

#[test]
fn a6_a_key_that_came_with_the_token_is_not_used() {
    let ours = Ours::new();
    let (attacker, _) = SigningPair::generate(Algorithm::EdDsa).unwrap();
    let PublicKey::Ed25519(x) = attacker.public() else { panic!("an Ed25519 key") };
    let jwk = format!(r#""jwk":{{"kty":"OKP","crv":"Ed25519","x":"{}"}}"#, encode(x));
    for kid in [ours.pair.id(), attacker.id()] {
        let plain = ours.header().replace(ours.pair.id().as_str(), kid.as_str());
        for header in [plain.clone(), plain.replace('}', &format!(",{jwk}}}"))] {
            let signed = format!("{}.{}", encode(&header), encode(claims()));
            let token = format!("{signed}.{}", encode(attacker.sign(signed.as_bytes()).unwrap()));
            assert!(ours.verify(&token).is_err(), "{header}");
        }
    }
    assert_members_refused(&[&jwk, r#""jwk":null"#, r#""jwk":"""#]);
}

#[test]
fn a7_a_key_url_is_refused_before_anybody_could_follow_it() {
    assert_members_refused(&[
        r#""jku":"http://127.0.0.1:9/keys.json""#,
        r#""x5u":"https://127.0.0.1:9/cert.pem""#,
        r#""jku":"file:///etc/passwd""#,
        r#""jku":null"#,
    ]);
}

#[test]
fn a8_certificates_in_a_header_are_refused() {
    assert_members_refused(&[r#""x5c":["MIIB"]"#, r#""x5c":[]"#, r#""x5t":"AA""#, r##""x5t#S256":"AA""##]);
}

#[test]
fn a10_every_crit_is_refused() {
    assert_members_refused(&[
        r#""crit":["unknown"],"unknown":true"#,
        r#""crit":["unknown"]"#,
        r#""crit":[]"#,
        r#""crit":"alg""#,
        r#""crit":["alg"]"#,
        r#""crit":["exp"],"exp":1"#,
        r#""crit":null"#,
    ]);
}

#[test]
fn a12_an_unencoded_payload_is_refused() {
    assert_members_refused(&[r#""b64":false"#, r#""b64":true"#, r#""b64":false,"crit":["b64"]"#]);
    let ours = Ours::new();
    let header = with(&ours, r#""b64":false,"crit":["b64"]"#);
    let signed = [encode(&header).as_bytes(), b".", &claims()].concat();
    let signature = encode(ours.pair.sign(&signed).unwrap());
    let token = format!("{}.{signature}", String::from_utf8(signed).unwrap());
    assert!(ours.verify(&token).is_err());
}

#[test]
fn a13_j8_nothing_is_inflated() {
    assert_members_refused(&[r#""zip":"DEF""#, r#""zip":"GZIP""#, r#""zip":null"#]);
    let ours = Ours::new();
    // A bomb's parts are never looked at: the token has five, or a header that is not ours.
    for header in [
        r#"{"alg":"dir","enc":"A256GCM","zip":"DEF"}"#,
        r#"{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":2147483647,"p2s":"AA"}"#,
    ] {
        let jwe = format!("{}.AA.AA.AA.AA", encode(header));
        assert_eq!(ours.verify(&jwe).err(), Some(Rejection::TokenShape), "{header}");
        assert_eq!(verdict(&ours, header), Some(Rejection::TokenHeader), "{header}");
    }
}

#[test]
fn a14_a_token_in_a_token_is_refused() {
    assert_members_refused(&[r#""cty":"JWT""#, r#""cty":"at+jwt""#, r#""cty":null"#]);
    let ours = Ours::new();
    let good = ours.sign(ours.header().as_bytes(), &claims());
    for payload in [good.clone(), format!("\"{good}\""), encode(&good)] {
        let nested = ours.sign(ours.header().as_bytes(), payload.as_bytes());
        assert_eq!(ours.verify(&nested).err(), Some(Rejection::TokenClaims));
    }
}

#[test]
fn a9_a_kid_finds_nothing_but_the_very_key_and_touches_nothing() {
    let ours = Ours::new();
    let kid = ours.pair.id().as_str();
    let other_case: String = kid
        .chars()
        .map(|c| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() })
        .collect();
    for other in [
        "../../../../../../dev/null",
        "/dev/null",
        "' OR '1'='1",
        "'; drop table keys; --",
        "a\\u0000b",
        "",
        "*",
        "unknown",
        &format!("{kid} "),
        &format!("{kid}\\u0000"),
        &kid[..kid.len() - 1],
        &other_case,
    ] {
        let refused = verdict(&ours, &ours.header().replace(kid, other));
        assert_eq!(refused, Some(Rejection::UnknownSigningKey), "{other}");
    }
    assert_eq!(verdict(&ours, &ours.header().replace(kid, &"k".repeat(4096))), Some(Rejection::TokenHeader));
}

#[test]
fn j12_deep_nesting_is_refused_or_passed_over_and_never_overflows() {
    let ours = Ours::new();
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        for depth in [100, 1_000] {
            let inside = if open == "[" { "" } else { "1" };
            let deep = format!(r#"{CLAIMS},"zz":{}{inside}{}}}"#, open.repeat(depth), close.repeat(depth));
            let token = ours.sign(ours.header().as_bytes(), deep.as_bytes());
            let first = ours.verify(&token).map(|_| ());
            assert!(matches!(first, Ok(()) | Err(Rejection::TokenClaims | Rejection::TokenTooLong)), "{depth}");
            assert_eq!(ours.verify(&token).map(|_| ()), first);
        }
        let deeper = format!(r#"{CLAIMS},"zz":{}{}}}"#, open.repeat(10_000), close.repeat(10_000));
        let token = ours.sign(ours.header().as_bytes(), deeper.as_bytes());
        assert_eq!(ours.verify(&token).err(), Some(Rejection::TokenTooLong));
    }
}

#[test]
fn j13_many_claims_are_passed_over_up_to_the_size_limit_and_refused_by_size_beyond_it() {
    let ours = Ours::new();
    let token = |count: usize| {
        let more: String = (0..count).map(|number| format!(r#","m{number}":0"#)).collect();
        ours.sign(ours.header().as_bytes(), format!("{CLAIMS}{more}}}").as_bytes())
    };
    let many = token(550);
    assert!(many.len() > MAX_TOKEN * 3 / 4 && many.len() <= MAX_TOKEN, "{}", many.len());
    assert!(ours.verify(&many).is_ok());
    for count in [1_000, 3_000, 100_000] {
        assert_eq!(ours.verify(&token(count)).err(), Some(Rejection::TokenTooLong), "{count}");
    }
    // By size alone: what is too long is not even decoded.
    assert_eq!(CompactToken::parse(&"\u{e9}".repeat(MAX_TOKEN)).err(), Some(Rejection::TokenTooLong));
}
