//! One store, and processes of it whose signatures come from different libraries.
#![cfg(feature = "aws-lc")]

use std::sync::Arc;

use futures_executor::block_on;
use latchbook_core::authority::AuthorityBuilder;
use latchbook_core::jose::{CompactToken, SignatureProvider};
use latchbook_core::model::{Algorithm, PublicKey, Rejection, SigningKeyState};

use crate::support::{House, LIVE, TestStore, pem, rejection};

fn by_aws_lc(builder: AuthorityBuilder) -> AuthorityBuilder {
    builder.signature_provider(SignatureProvider::AwsLc)
}

/// A house on the same store, started by `change`.
fn beside(house: &House, change: impl FnOnce(AuthorityBuilder) -> AuthorityBuilder) -> House {
    House::open(TestStore::over(Arc::clone(house.store.inner())), Arc::clone(&house.clock), change)
}

#[test]
fn each_admits_what_the_other_issues_with_the_same_key() {
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256] {
        let first = House::with(|builder| by_aws_lc(builder).algorithm(LIVE, algorithm));
        let second = beside(&first, |builder| builder);
        let holder = first.holder("acme");
        let tokens = [first.token(&holder), second.token(&holder)];
        for token in &tokens {
            assert!(first.admit(token).is_ok() && second.admit(token).is_ok(), "{algorithm:?}");
            let signed_with = CompactToken::parse(token).unwrap().key_id().to_owned();
            assert_eq!(signed_with, first.signing_key(LIVE).id.as_str());
            let (rest, last) = token.split_at(token.len() - 40);
            let changed = format!("{rest}{}", last.chars().rev().collect::<String>());
            for house in [&first, &second] {
                assert!(matches!(rejection(house.admit(&changed)), Rejection::BadSignature | Rejection::TokenShape));
            }
        }
    }
}

#[test]
fn a_store_of_the_other_provider_opens_with_its_keys_as_they_are() {
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
        let before = House::with(|builder| builder.algorithm(LIVE, algorithm));
        let holder = before.holder("acme");
        let token = before.token(&holder);
        let rows = before.store.rows();
        let after = beside(&before, by_aws_lc);
        assert!(before.store.rows() == rows, "nothing is written");
        assert!(after.admit(&token).is_ok() && before.admit(&after.token(&holder)).is_ok());
    }
}

#[test]
fn an_rsa_key_is_generated_and_one_of_the_same_algorithm_comes_in_its_place() {
    let house = House::with(|builder| by_aws_lc(builder).algorithm(LIVE, Algorithm::Rs256));
    let first = house.signing_key(LIVE);
    let PublicKey::Rsa { n, .. } = &first.public else { panic!("not an RSA key") };
    assert_eq!(n.len(), 384);
    let next = block_on(house.authority.signing_keys().rotate(LIVE)).unwrap();
    let waiting = house.signing_keys(LIVE).into_iter().find(|key| key.id == next).unwrap();
    assert_eq!((waiting.state, waiting.public.algorithm()), (SigningKeyState::Next, Algorithm::Rs256));
    house.retire(LIVE).unwrap();
    house.retire(LIVE).unwrap();
    let fresh = house.signing_key(LIVE);
    assert!(fresh.id != first.id && fresh.id != next);
    assert_eq!(fresh.public.algorithm(), Algorithm::Rs256);
    assert!(house.admit(&house.token(&house.holder("acme"))).is_ok());
}

#[test]
fn where_ring_generates_no_successor_it_says_so_and_an_emergency_takes_ed25519() {
    let house = House::with(|builder| by_aws_lc(builder).algorithm(LIVE, Algorithm::Rs256));
    let by_ring = beside(&house, |builder| builder);
    let rows = house.store.rows();
    match rejection(block_on(by_ring.authority.signing_keys().rotate(LIVE))) {
        Rejection::InvalidRequest { message } => assert!(message.contains("SignatureProvider::AwsLc"), "{message}"),
        other => panic!("{other:?}"),
    }
    assert!(house.store.rows() == rows);
    by_ring.retire(LIVE).unwrap();
    assert_eq!(by_ring.signing_key(LIVE).public.algorithm(), Algorithm::EdDsa);
}

#[test]
fn an_imported_key_signs_with_either_provider() {
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
        let (pem, id) = pem(algorithm);
        let house = House::with(|builder| by_aws_lc(builder).signing_key(LIVE, pem.clone()));
        assert_eq!(house.signing_key(LIVE).id, id);
        let token = house.token(&house.holder("acme"));
        let by_ring = beside(&house, |builder| builder.signing_key(LIVE, pem));
        assert!(house.admit(&token).is_ok() && by_ring.admit(&token).is_ok());
    }
}
