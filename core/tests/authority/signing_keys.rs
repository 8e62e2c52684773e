//! Signing keys: retired at once, retiring until the last token is over, imported, and the host's own.

use std::sync::Arc;

use async_trait::async_trait;
use futures_executor::block_on;
use latchbook_core::authority::{BuildError, ImportError};
use latchbook_core::jose::{CompactToken, SigningPair, VerifyingKey};
use latchbook_core::key_store::MemoryStore;
use latchbook_core::model::{
    AccessClaims, Algorithm, PublicKey, Rejection, SecretText, SignedClaims, SigningKeyId, SigningKeyState,
};
use latchbook_core::token_issuer::{IssueError, JwtIssuer, TokenIssuer};

use crate::support::{House, LIVE, SANDBOX, START, TestClock, TestStore, Upkeep, builder, pem, rejection};

fn import(house: &House, pem: &SecretText) -> Result<SigningKeyId, ImportError> {
    block_on(house.authority.signing_keys().import(LIVE, pem))
}

fn state(house: &House, id: &SigningKeyId) -> Option<SigningKeyState> {
    house.signing_keys(LIVE).into_iter().find(|key| key.id == *id).map(|key| key.state)
}

fn published(house: &House) -> Vec<SigningKeyId> {
    house.authority.public_keys(LIVE).unwrap().into_iter().map(|(id, _)| id).collect()
}

fn kid(token: &str) -> String {
    CompactToken::parse(token).unwrap().key_id().to_owned()
}

#[test]
fn a21_a_retired_keys_tokens_are_refused_at_once_also_those_that_were_recognised() {
    let house = House::new();
    let (live, boxed) = (house.holder("acme"), house.holder_in(SANDBOX, "acme"));
    let (seen, unseen, elsewhere) = (house.token(&live), house.token(&live), house.token(&boxed));
    house.admit(&seen).unwrap();
    let old = house.signing_key(LIVE).id;
    house.retire(LIVE).unwrap();
    for token in [&seen, &unseen] {
        assert_eq!(rejection(house.admit(token)), Rejection::UnknownSigningKey);
    }
    assert!(house.admit(&elsewhere).is_ok(), "the other environment has keys of its own");
    let new = house.token(&live);
    assert!(house.admit(&new).is_ok());
    assert_eq!(published(&house), [house.signing_key(LIVE).id]);
    assert_ne!(kid(&new), old.as_str());
    // Again is no error, and makes no further key.
    let keys = house.signing_keys(LIVE).len();
    block_on(house.authority.signing_keys().retire_now(LIVE, &old)).unwrap();
    assert_eq!(house.signing_keys(LIVE).len(), keys);
    assert_eq!(rejection(house.restarted(START).admit(&seen)), Rejection::UnknownSigningKey);
}

#[test]
fn a_key_that_is_not_there_or_is_another_environments_cannot_be_retired() {
    let house = House::new();
    let foreign = house.signing_key(SANDBOX).id;
    let absent = pem(Algorithm::EdDsa).1;
    let before = house.store.rows();
    for id in [foreign, absent] {
        assert_eq!(rejection(block_on(house.authority.signing_keys().retire_now(LIVE, &id))), Rejection::NotFound);
    }
    assert!(house.store.rows() == before);
}

#[test]
fn an_imported_key_signs_at_once_and_the_one_before_verifies_until_its_last_token_is_over() {
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
        let house = House::new();
        let holder = house.holder("acme");
        let before = house.signing_key(LIVE).id;
        let old = house.token_for(&holder, 3_600);
        let (pem, id) = pem(algorithm);
        assert_eq!(import(&house, &pem).unwrap(), id);
        assert!(house.admit(&old).is_ok(), "0 good tokens refused");
        let new = house.token(&holder);
        assert_eq!(kid(&new), id.as_str(), "0 made with the key before");
        assert!(house.admit(&new).is_ok() && house.restarted(START).admit(&new).is_ok());
        assert_eq!(published(&house).len(), 2);
        let Some(SigningKeyState::Retiring { until }) = state(&house, &before) else { panic!("not retiring") };
        assert!(until.seconds() >= START + 3_600);

        let mut upkeep = Upkeep::of(&house.authority);
        house.clock.advance(3_599);
        upkeep.round();
        assert!(house.admit(&old).is_ok());
        house.clock.advance(1);
        assert_eq!(rejection(house.admit(&old)), Rejection::Expired);
        house.clock.set(until.seconds());
        house.clock.advance(60);
        upkeep.round();
        assert_eq!(state(&house, &before), Some(SigningKeyState::Retired));
        assert_eq!(published(&house), [id]);
    }
}

#[test]
fn importing_the_active_key_again_changes_nothing_and_an_older_one_comes_back() {
    let house = House::new();
    let ((first, one), (second, two)) = (pem(Algorithm::EdDsa), pem(Algorithm::EdDsa));
    import(&house, &first).unwrap();
    let before = house.store.rows();
    assert_eq!(import(&house, &first).unwrap(), one);
    assert!(house.store.rows() == before);
    import(&house, &second).unwrap();
    import(&house, &first).unwrap();
    assert_eq!(state(&house, &one), Some(SigningKeyState::Active));
    assert!(matches!(state(&house, &two), Some(SigningKeyState::Retiring { .. })));
}

#[test]
fn a_key_that_was_retired_is_never_imported_again() {
    let (pem, id) = pem(Algorithm::EdDsa);
    let house = House::with(|builder| builder.signing_key(LIVE, pem.clone()));
    assert_eq!(house.signing_key(LIVE).id, id);
    let token = house.token(&house.holder("acme"));
    house.retire(LIVE).unwrap();
    assert!(matches!(import(&house, &pem), Err(ImportError::Retired(retired)) if retired == id));
    rejection(house.admit(&token));
    // A host that still names it does not start, rather than sign with it.
    let refused = block_on(builder(&house.store, &house.clock).signing_key(LIVE, pem).build());
    assert!(matches!(refused, Err(BuildError::SigningKey { error: ImportError::Retired(_), .. })));
}

#[test]
fn what_is_no_private_key_is_not_imported() {
    let house = House::new();
    let before = house.store.rows();
    let (good, _) = pem(Algorithm::EdDsa);
    for text in ["", "nonsense", &good.expose()[..80], &good.expose().replace("PRIVATE", "PUBLIC")] {
        assert!(matches!(import(&house, &SecretText::new(text.to_owned())), Err(ImportError::Key(_))), "{text:?}");
    }
    assert!(house.store.rows() == before);
}

#[test]
fn ring_generates_no_rsa_key_and_one_is_asked_for() {
    let (store, clock) = (TestStore::over(Arc::new(MemoryStore::new())), Arc::new(TestClock::at(START)));
    let refused = block_on(builder(&store, &clock).algorithm(LIVE, Algorithm::Rs256).build());
    let Err(refused @ BuildError::NoRsa(LIVE)) = refused else { panic!("{refused:?}") };
    assert!(refused.to_string().contains("feature `aws-lc`"), "{refused}");
    assert!(store.rows().len() <= 1, "nothing is written but the store's own counters");
    let house = House::with(|builder| builder.algorithm(LIVE, Algorithm::Es256));
    assert_eq!(house.signing_key(LIVE).public.algorithm(), Algorithm::Es256);
    assert!(house.admit(&house.token(&house.holder("acme"))).is_ok());
}

/// A signer of the host's own, such as one over a KMS.
#[derive(Debug)]
struct Kms(JwtIssuer);

#[async_trait]
impl TokenIssuer for Kms {
    async fn issue(&self, claims: &AccessClaims<'_>) -> Result<SecretText, IssueError> {
        self.0.issue(claims).await
    }

    fn verify<'t>(&self, token: &'t CompactToken<'_>) -> Result<SignedClaims<'t>, Rejection> {
        self.0.verify(token)
    }

    fn public_keys(&self) -> Vec<(SigningKeyId, PublicKey)> {
        self.0.public_keys()
    }
}

#[test]
fn a_host_may_bring_an_issuer_of_its_own_and_the_stores_keys_are_not_used_there() {
    let pair = Arc::new(SigningPair::generate(Algorithm::EdDsa).unwrap().0);
    let verifying = vec![VerifyingKey::new(pair.public()).unwrap()];
    let kms = Arc::new(Kms(JwtIssuer::new(verifying, Some(Arc::clone(&pair))).unwrap()));
    let house = House::with(|builder| builder.token_issuer(LIVE, Arc::clone(&kms) as Arc<dyn TokenIssuer>));
    assert!(house.signing_keys(LIVE).is_empty() && house.signing_keys(SANDBOX).len() == 1);
    let (live, boxed) = (house.holder("acme"), house.holder_in(SANDBOX, "acme"));
    let token = house.token(&live);
    assert_eq!(kid(&token), pair.id().as_str());
    assert!(house.admit(&token).is_ok() && house.admit(&house.token(&boxed)).is_ok());
    house.retire(SANDBOX).unwrap();
    assert!(house.admit(&token).is_ok() && house.exchange(&live).is_ok(), "the store's keys are another matter");
    house.revoke_token(&token).unwrap();
    rejection(house.admit(&token));
}
