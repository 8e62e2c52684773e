//! Laws of tokens and keys: printing reads back, a changed byte is refused, and nothing panics on any bytes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, LazyLock};

use futures_executor::block_on;
use ipnet::IpNet;
use latchbook_core::jose::{CompactToken, SignatureProvider, SigningPair, parse_key_set};
use latchbook_core::model::{
    AccessClaims, Algorithm, Delegation, DeveloperId, EntityId, EnvironmentName, KeyId, Rejection, ScopeSet,
    ScopeToken, SecretBytes, SecretText, SignedClaims, TokenId, UnixTime,
};
use latchbook_core::token_issuer::{JwtIssuer, TokenIssuer as _};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use support::encode;

/// Of every provider with two algorithms.
static ISSUERS: LazyLock<Vec<JwtIssuer>> = LazyLock::new(|| {
    let issuer = |provider, algorithm| {
        let pair = Arc::new(SigningPair::generate_with(provider, algorithm).unwrap().0);
        JwtIssuer::new(Vec::new(), Some(pair)).unwrap()
    };
    let algorithms = [Algorithm::EdDsa, Algorithm::Es256];
    let of = |provider: &SignatureProvider| algorithms.map(|algorithm| issuer(*provider, algorithm));
    SignatureProvider::ALL.iter().flat_map(of).collect()
});

fn verify(issuer: &JwtIssuer, token: &str) -> Result<SignedClaims<'static>, Rejection> {
    let token = CompactToken::parse(token)?;
    issuer.verify(&token).map(SignedClaims::into_owned)
}

fn developer() -> impl Strategy<Value = DeveloperId> {
    "[0-9A-Za-z_~-]{1,40}".prop_map(|text| DeveloperId::parse(&text).unwrap())
}

fn key() -> impl Strategy<Value = KeyId> {
    "[0-9A-Za-z]{16}".prop_map(|text| KeyId::parse(&text).unwrap())
}

fn token() -> impl Strategy<Value = TokenId> {
    "[0-9A-Za-z]{22}".prop_map(|text| TokenId::parse(&text).unwrap())
}

fn instant() -> impl Strategy<Value = UnixTime> {
    (0..=UnixTime::MAX.seconds()).prop_map(UnixTime::from_seconds)
}

fn range() -> impl Strategy<Value = IpNet> {
    let v4 = (any::<u32>(), 0..=32_u8).prop_map(|(bits, prefix)| (IpAddr::V4(Ipv4Addr::from_bits(bits)), prefix));
    let v6 = (any::<u128>(), 0..=128_u8).prop_map(|(bits, prefix)| (IpAddr::V6(Ipv6Addr::from_bits(bits)), prefix));
    prop_oneof![v4, v6].prop_map(|(address, prefix)| IpNet::new(address, prefix).unwrap())
}

fn scopes() -> impl Strategy<Value = ScopeSet> {
    vec("[!#-\\[\\]-~]{1,20}", 0..8)
        .prop_map(|tokens| tokens.iter().map(|token| ScopeToken::parse(token).unwrap()).collect())
}

fn claims() -> impl Strategy<Value = AccessClaims<'static>> {
    let delegation = (developer(), key()).prop_map(|(developer, key)| Delegation { developer, key });
    let texts = ("\\PC{0,40}", any::<String>(), any::<String>());
    let who = (key(), token(), developer(), option::of("[0-9A-Za-z_~-]{1,40}"), "[0-9a-z]{1,16}");
    let when = (instant(), instant(), instant(), any::<u64>(), any::<u64>());
    let rest = (scopes(), vec(range(), 0..=16), option::of(delegation), option::of(token()));
    (texts, who, when, rest).prop_map(|(texts, who, when, rest)| AccessClaims {
        issuer: texts.0.into(),
        audience: texts.1.into(),
        subject: texts.2.into(),
        key: who.0,
        token: who.1,
        developer: who.2,
        entity: who.3.map(|text| EntityId::parse(&text).unwrap()),
        environment: EnvironmentName::parse(&who.4).unwrap(),
        issued_at: when.0,
        not_before: when.1,
        expires_at: when.2,
        generation: when.3,
        epoch: when.4,
        scopes: rest.0,
        allowed_ips: rest.1,
        delegation: rest.2,
        origin: rest.3,
    })
}

proptest! {
    #[test]
    fn a_token_reads_back_as_it_was_issued(claims in claims(), which in 0..ISSUERS.len()) {
        let issuer = &ISSUERS[which];
        let token = block_on(issuer.issue(&claims)).unwrap();
        prop_assert_eq!(verify(issuer, token.expose()).unwrap().claims, claims);
    }

    #[test]
    fn a20_any_byte_that_is_changed_ends_a_token(
        claims in claims(), which in 0..ISSUERS.len(), place in any::<prop::sample::Index>(), byte in 0..128_u8,
    ) {
        let issuer = &ISSUERS[which];
        let token = block_on(issuer.issue(&claims)).unwrap();
        let mut bytes = token.expose().as_bytes().to_vec();
        let place = place.index(bytes.len());
        prop_assume!(bytes[place] != byte);
        bytes[place] = byte;
        prop_assert!(verify(issuer, std::str::from_utf8(&bytes).unwrap()).is_err(), "{} {:?}", place, byte as char);
    }

    #[test]
    fn a20_any_character_taken_out_or_put_in_ends_a_token(
        claims in claims(), place in any::<prop::sample::Index>(), character in option::of(any::<char>()),
    ) {
        let token = block_on(ISSUERS[0].issue(&claims)).unwrap();
        let mut changed = token.expose().to_owned();
        match character {
            Some(character) => changed.insert(place.index(token.expose().len() + 1), character),
            None => { changed.remove(place.index(token.expose().len())); }
        }
        prop_assert!(verify(&ISSUERS[0], &changed).is_err());
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in any::<String>()) {
        let _ = verify(&ISSUERS[0], &text);
        let _ = parse_key_set(&text);
        let _ = SigningPair::from_pem(&SecretText::new(text));
    }

    #[test]
    fn no_bytes_in_a_header_a_payload_or_a_private_key_make_the_reader_panic(
        header in vec(any::<u8>(), 0..200), payload in vec(any::<u8>(), 0..200),
    ) {
        let token = format!("{}.{}.{}", encode(&header), encode(&payload), encode(&header));
        prop_assert!(verify(&ISSUERS[0], &token).is_err());
        let header = r#"{"alg":"EdDSA","typ":"at+jwt","kid":"k"}"#;
        let token = format!("{}.{}.AAAA", encode(header), encode(&payload));
        if let Ok(token) = CompactToken::parse(&token) {
            prop_assert!(token.claims().is_err());
        }
        let payload = SecretBytes::new(payload);
        for provider in SignatureProvider::ALL {
            prop_assert!(SigningPair::from_pkcs8_with(*provider, &payload).is_err());
        }
    }
}
