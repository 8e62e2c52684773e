//! An older copy of the store that is put back: no token made before works, and what may have ended since is listed.

use std::sync::Arc;

use futures_executor::block_on;
use latchbook_core::authority::{ChainsReport, MayHaveEnded, Restored};
use latchbook_core::jose::{SigningPair, VerifyingKey};
use latchbook_core::key_store::MemoryStore;
use latchbook_core::model::{Algorithm, AuditAction, ChainId, Rejection, RevokedBy, SigningKeyState, UnixTime};
use latchbook_core::moving;
use latchbook_core::token_issuer::{JwtIssuer, TokenIssuer};

use crate::support::{House, LIVE, SANDBOX, START, TestClock, TestStore, Upkeep, rejection, revoked};

const YEAR: u64 = 31_556_952;

fn copy_of(house: &House) -> Arc<MemoryStore> {
    let copy = Arc::new(MemoryStore::new());
    block_on(moving::copy(house.store.inner(), &copy, None, &mut |_| {})).unwrap();
    copy
}

fn restore(house: &House) -> (Restored, Vec<MayHaveEnded>) {
    let mut listed = Vec::new();
    let report = block_on(house.authority.restored(&mut |what| listed.push(what), &mut |_| {})).unwrap();
    (report, listed)
}

fn verified(house: &House) -> ChainsReport {
    block_on(house.authority.audit().verify_all(&mut |_| {})).unwrap()
}

#[test]
fn s14_no_token_made_before_works_and_what_may_have_ended_is_listed() {
    let house = House::new();
    let (kept, revoked, suspended) = (house.holder("kept"), house.holder("revoked"), house.holder("suspended"));
    let boxed = house.holder_in(SANDBOX, "boxed");
    let already = house.key_of(&kept.developer, |_| {});
    house.revoke_key(&already).unwrap();
    let entity = house.entity(&kept, "acme-a");
    house.clock.advance(5);
    let old = house.token_for(&kept, 3_600);
    let made_at = UnixTime::from_seconds(START + 5);
    let copy = copy_of(&house);

    // What the copy does not know.
    house.clock.advance(60);
    let later = house.token_for(&kept, 3_600);
    let boxed_token = house.token_for(&boxed, 3_600);
    house.revoke_token(&old).unwrap();
    house.revoke_key(&revoked).unwrap();
    house.suspend(&suspended).unwrap();
    house.remove_entity(&entity);
    house.retire(LIVE).unwrap();
    let newest = house.token_for(&kept, 3_600);

    let house = House::open(TestStore::over(copy), Arc::new(TestClock::at(START + 70)), |builder| builder);
    assert!(house.admit(&old).is_ok(), "its revocation is lost");
    let keys = [house.signing_key(LIVE).id, house.signing_key(SANDBOX).id];
    let (report, listed) = restore(&house);
    assert_eq!(report.newest_event_at, Some(made_at));
    assert_eq!((report.developers, report.keys, report.entities, report.epochs_raised), (4, 4, 1, 0));
    assert_eq!(listed.len(), 9);
    for may_have_ended in [
        MayHaveEnded::Key(revoked.developer.clone(), revoked.key),
        MayHaveEnded::Developer(suspended.developer.clone()),
        MayHaveEnded::Entity(entity),
    ] {
        assert!(listed.contains(&may_have_ended), "{may_have_ended:?}");
    }
    assert!(!listed.contains(&MayHaveEnded::Key(already.developer.clone(), already.key)), "it is over in the copy too");
    assert!(keys.iter().all(|key| report.retired.contains(key)) && report.retired.len() == 2);

    for house in [&house, &house.restarted(START + 71)] {
        for token in [&old, &later, &boxed_token, &newest] {
            assert_eq!(rejection(house.admit(token)), Rejection::UnknownSigningKey);
        }
        let new = house.token(&kept);
        assert!(house.admit(&new).is_ok() && house.admit(&house.token(&boxed)).is_ok());
    }
    for environment in [LIVE, SANDBOX] {
        let old_keys = house.signing_keys(environment);
        assert_eq!(old_keys.iter().filter(|key| key.state == SigningKeyState::Retired).count(), 1);
        assert!(!keys.contains(&house.signing_key(environment).id));
        let events = house.events(&ChainId::System(environment));
        let restored = events.iter().filter(|event| event.action == AuditAction::StoreRestored).count();
        assert_eq!(restored, 1, "{environment}");
    }
    let chains = verified(&house);
    assert!(chains.holds() && chains.chains == 6, "{chains:?}");
    assert!(block_on(moving::check(house.store.inner(), &mut |_| {})).unwrap().holds());
}

#[test]
fn s14_nothing_is_announced_to_be_restored_that_was_not_committed() {
    let house = House::new();
    let holder = house.holder("acme");
    let token = house.token(&holder);
    let before = house.store.rows();
    house.store.trouble(crate::support::Calls::Writes, crate::support::Trouble::Fails, 0..1);
    assert!(block_on(house.authority.restored(&mut |_| {}, &mut |_| {})).is_err());
    assert!(house.store.rows() == before);
    restore(&house);
    assert_eq!(rejection(house.admit(&token)), Rejection::UnknownSigningKey);
}

#[test]
fn a_chain_that_does_not_hold_is_among_the_broken_ones() {
    let house = House::new();
    let (_, bob) = (house.holder("ada"), house.holder("bob"));
    assert!(verified(&house).holds());
    let chain = ChainId::Developer(bob.developer.clone());
    let mut event = house.events(&chain).remove(0);
    event.subject.push('x');
    let row = latchbook_core::model::Row::Audit(event);
    block_on(latchbook_core::key_store::KeyStore::load(&**house.store.inner(), vec![row])).unwrap();
    let mut told = Vec::new();
    let report = block_on(house.authority.audit().verify_all(&mut |progress| told.push(progress.rows))).unwrap();
    assert_eq!((report.chains, report.broken.len(), report.more), (4, 1, 0));
    assert!(report.broken[0].0 == chain && report.broken[0].1.broken_at == Some(1));
    assert_eq!(told.last(), Some(&report.events));
}

#[test]
fn a_prune_that_the_host_asks_for_is_audited_as_its_own() {
    let house = House::new();
    let holder = house.holder("acme");
    house.revoke_token(&house.token(&holder)).unwrap();
    house.clock.advance(3 * 3_600);
    let removed = block_on(house.authority.prune(&mut |_| {})).unwrap();
    assert!(removed > 0);
    let last = house.events(&ChainId::System(LIVE)).pop().unwrap();
    assert_eq!((last.action, last.actor), (AuditAction::StorePruned, latchbook_core::model::AuditActor::Host));
    assert_eq!(block_on(house.authority.prune(&mut |_| {})).unwrap(), 0);
}

#[test]
fn s14_where_the_hosts_own_issuer_signs_every_epoch_is_raised() {
    let (pair, _) = SigningPair::generate(Algorithm::EdDsa).unwrap();
    let public = VerifyingKey::new(pair.public()).unwrap();
    let own: Arc<dyn TokenIssuer> = Arc::new(JwtIssuer::new(vec![public], Some(Arc::new(pair))).unwrap());
    let house = House::with(|builder| builder.token_issuer(LIVE, Arc::clone(&own)));
    let (ada, bob) = (house.holder("ada"), house.holder("bob"));
    let old = [house.token_for(&ada, 3_600), house.token_for(&bob, 3_600)];
    house.clock.advance(10);
    assert!(old.iter().all(|token| house.admit(token).is_ok()));
    assert_eq!(restore(&house).0.epochs_raised, 2);
    for token in &old {
        assert_eq!(revoked(house.admit(token)), RevokedBy::Developer);
    }
    assert!(house.admit(&house.token(&ada)).is_ok() && house.admit(&house.token(&bob)).is_ok());
}

#[test]
fn t1_what_was_pruned_under_a_clock_far_ahead_binds_nobody_once_the_store_is_restored() {
    let house = House::new();
    let acme = house.holder("acme");
    let before = house.token(&acme);
    house.clock.advance(75 * YEAR);
    Upkeep::of(&house.authority).round();
    let house = house.restarted(START + 60);
    assert!(house.authority.now() >= UnixTime::from_seconds(START + 75 * YEAR), "what was pruned stays ended");
    restore(&house);
    assert_eq!(house.authority.now(), UnixTime::from_seconds(START + 60));
    for house in [&house, &house.restarted(START + 61)] {
        assert_eq!(rejection(house.admit(&before)), Rejection::UnknownSigningKey);
        let token = house.token(&acme);
        assert_eq!(house.admit(&token).unwrap().expires_at(), house.authority.now().plus(900));
    }
    // And from here on time does not go back any more.
    let back = house.restarted(START);
    assert_eq!(back.authority.now(), UnixTime::from_seconds(START + 60));
}
