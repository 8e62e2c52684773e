//! Clocks that are wrong: set back, set ahead, before the epoch, beyond the last year, apart from another node's.

use std::sync::Arc;

use futures_executor::block_on;
use latchbook_core::authority::{BuildError, Fault};
use latchbook_core::clock::Clock as _;
use latchbook_core::key_store::{KeyStoreExt as _, MemoryStore};
use latchbook_core::model::{Rejection, RevokedBy, UnixTime};

use crate::support::{
    Calls, HOUR, House, START, TestClock, TestStore, Trouble, Upkeep, YEAR, builder, fault, rejection, revoked,
};

const LAST: u64 = UnixTime::MAX.seconds();

#[test]
fn t1_a_clock_set_back_an_hour_while_running_revives_nothing() {
    let house = House::new();
    let holder = house.holder("acme");
    let brief = house.key_of(&holder.developer, |new| new.expires_at = Some(UnixTime::from_seconds(START + 60)));
    let (short, dead, good) = (house.token_for(&holder, 60), house.token(&holder), house.token(&holder));
    house.revoke_token(&dead).unwrap();
    house.clock.advance(60);
    assert_eq!(rejection(house.admit(&short)), Rejection::Expired);
    house.clock.set_back(HOUR);
    for _ in 0..3 {
        assert_eq!(rejection(house.admit(&short)), Rejection::Expired);
        assert_eq!(revoked(house.admit(&dead)), RevokedBy::Token);
        assert_eq!(rejection(house.exchange(&brief)), Rejection::KeyExpired);
        assert!(house.admit(&good).is_ok());
        house.clock.advance(1);
    }
    let made_late = house.token_for(&holder, 60);
    house.clock.advance(60);
    assert_eq!(rejection(house.admit(&made_late)), Rejection::Expired, "time goes on while the wall clock is behind");
}

#[test]
fn t1_a_clock_set_back_across_a_restart_after_a_prune_revives_nothing() {
    let house = House::new();
    let holder = house.holder("acme");
    let brief = house.key_of(&holder.developer, |new| new.expires_at = Some(UnixTime::from_seconds(START + 60)));
    let gone = house.key_of(&holder.developer, |_| {});
    let (short, dead) = (house.token_for(&holder, 60), house.token(&holder));
    house.revoke_token(&dead).unwrap();
    house.revoke_key(&gone).unwrap();
    house.clock.advance(120);
    Upkeep::of(&house.authority).round();
    for wall in [START + 119, START + 60, START, START - HOUR, START - 30 * YEAR, 1, 0] {
        let house = house.restarted(wall);
        assert_eq!(rejection(house.admit(&short)), Rejection::Expired, "{wall}");
        assert_eq!(revoked(house.admit(&dead)), RevokedBy::Token, "{wall}");
        assert_eq!(rejection(house.exchange(&brief)), Rejection::KeyExpired, "{wall}");
        assert_eq!(rejection(house.exchange(&gone)), Rejection::KeyRevoked, "{wall}");
        let token = house.token_for(&holder, 60);
        assert!(house.admit(&token).is_ok(), "{wall}");
        house.clock.advance(60);
        assert_eq!(rejection(house.admit(&token)), Rejection::Expired, "time goes on after such a restart: {wall}");
    }
}

#[test]
fn t1_what_upkeep_forgets_while_the_clock_runs_ahead_stays_ended() {
    // Upkeep forgets a revocation once no token can be alive; with the clock set right again, the token would be.
    let ahead = HOUR * 3;
    for prune_works in [true, false] {
        let house = House::new();
        let holder = house.holder("acme");
        let dead = house.token_for(&holder, HOUR);
        house.revoke_token(&dead).unwrap();
        house.clock.set_ahead(ahead);
        if !prune_works {
            house.store.trouble(Calls::Writes, Trouble::Fails, 0..usize::MAX);
        }
        Upkeep::of(&house.authority).round();
        assert_eq!(house.store.heal(), !prune_works);
        house.clock.set_back(ahead);
        rejection(house.admit(&dead));
    }
    let house = House::shared();
    let dead = house.token_for(&house.holder("acme"), HOUR);
    house.revoke_token(&dead).unwrap();
    let store = TestStore::over(Arc::clone(house.store.inner()));
    let verifier = House::verifying(store, Arc::new(TestClock::at(START)));
    verifier.clock.set_ahead(ahead);
    Upkeep::of(&verifier.authority).round();
    verifier.clock.set_back(ahead);
    rejection(verifier.admit(&dead));
}

#[test]
fn t1_two_nodes_that_learn_each_others_prunes_do_not_push_each_other_ahead() {
    let one = House::shared();
    let other = one.another(0);
    // A floor that was rounded would move up whenever one node learns it late in a second of its own.
    other.clock.advance_millis(900);
    for _ in 0..200 {
        for node in [&one, &other] {
            one.clock.advance_millis(37);
            other.clock.advance_millis(37);
            Upkeep::of(&node.authority).round();
            // The one learns from the other that it is later, and neither is ever later than the later clock.
            assert!([&one, &other].iter().all(|node| node.authority.now() <= other.clock.now()));
        }
    }
}

#[test]
fn t2_a_store_is_set_up_by_any_clock_that_is_set_and_by_no_other() {
    let set = [1, 951_782_400, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, LAST - HOUR - 1];
    for wall in set {
        let store = TestStore::over(Arc::new(MemoryStore::new()));
        let house = House::open(store, Arc::new(TestClock::at(wall)), |builder| builder);
        let holder = house.holder("acme");
        let (good, dead) = (house.token_for(&holder, 60), house.token_for(&holder, 60));
        house.revoke_token(&dead).unwrap();
        assert!(house.admit(&good).is_ok(), "{wall}");
        assert_eq!(revoked(house.admit(&dead)), RevokedBy::Token, "{wall}");
        Upkeep::of(&house.authority).round();
        house.clock.advance(60);
        assert_eq!(rejection(house.admit(&good)), Rejection::Expired, "{wall}");
    }
    // A clock before the epoch reads as 0, one past 9999 as its last second.
    for wall in [0, LAST - HOUR, LAST, LAST + 1, u64::MAX] {
        let (store, clock) = (TestStore::over(Arc::new(MemoryStore::new())), Arc::new(TestClock::at(wall)));
        let refused = block_on(builder(&store, &clock).build());
        assert!(matches!(refused, Err(BuildError::Fault(Fault::Clock))), "{wall}: {refused:?}");
        assert!(block_on(store.settings()).unwrap().is_none(), "nothing is written: {wall}");
    }
}

#[test]
fn t2_a_store_that_is_set_up_opens_at_any_clock_and_refuses_rather_than_accepts() {
    let house = House::new();
    let holder = house.holder("acme");
    let token = house.token(&holder);
    for (wall, want) in [
        (0, Rejection::NotYetValid),
        (1, Rejection::NotYetValid),
        (1 << 31, Rejection::Expired),
        (1 << 32, Rejection::Expired),
        (LAST, Rejection::UnknownSigningKey),
        (u64::MAX, Rejection::UnknownSigningKey),
    ] {
        let node = house.restarted(wall);
        assert_eq!(rejection(node.admit(&token)), want, "{wall}");
        let rows = node.store.rows();
        let is_set = node.authority.now() > UnixTime::EPOCH && node.authority.now() < UnixTime::MAX;
        if !is_set {
            assert!(matches!(fault(node.exchange(&holder)), Fault::Clock), "{wall}");
            assert!(matches!(fault(node.revoke_key(&holder)), Fault::Clock), "{wall}");
            Upkeep::of(&node.authority).round();
            assert!(node.store.rows() == rows, "a clock that is not set changes nothing: {wall}");
        }
        node.clock.advance(u64::from(u32::MAX));
        rejection(node.admit(&token));
    }
}

#[test]
fn t2_upkeep_under_a_clock_in_9999_ends_nothing_for_good() {
    let house = House::new();
    let holder = house.holder("acme");
    let token = house.token(&holder);
    house.clock.set(u64::MAX);
    rejection(house.admit(&token));
    Upkeep::of(&house.authority).round();
    house.clock.set(START + 1);
    assert!(house.admit(&token).is_ok());
    assert!(house.restarted(START + 2).admit(&token).is_ok());
}

#[test]
fn t3_a_token_of_a_node_that_is_ahead_is_good_up_to_the_leeway() {
    for (ahead, want) in [(0, None), (5, None), (6, Some(Rejection::NotYetValid)), (60, Some(Rejection::NotYetValid))] {
        let here = House::shared();
        let there = here.another(ahead);
        let token = there.token(&there.holder("acme"));
        match want {
            None => assert!(here.admit(&token).is_ok(), "{ahead}"),
            Some(want) => assert_eq!(rejection(here.admit(&token)), want, "{ahead}"),
        }
        here.clock.advance(ahead);
        assert!(here.admit(&token).is_ok(), "it is good once its time has come: {ahead}");
    }
}
