//! Changes that nobody answered for: done after all, done late, or left by a caller that no longer waits.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use futures_executor::block_on;
use latchbook_core::authority::{Fault, SandboxActor};
use latchbook_core::model::{Rejection, RevokedBy, SecretText, SigningKeyState};

use crate::faults::Scene;
use crate::staleness::{REVOCATIONS, Target};
use crate::support::{Calls, HOST, Holder, House, LIVE, NOWHERE, Trouble, fault, idempotent, rejection};

const HOUSES: [fn() -> House; 2] = [House::new, House::shared];

#[test]
fn what_was_revoked_in_spite_of_a_fault_is_refused_at_once() {
    for house in HOUSES {
        for (name, revoke, want) in REVOCATIONS {
            let house = house();
            let target = Target::of(&house);
            assert!(house.admit(&target.token).is_ok(), "{name}");
            house.store.trouble(Calls::Writes, Trouble::DoneButFails, 0..1);
            fault(revoke(&house, &target));
            assert_eq!(rejection(house.admit(&target.token)), *want, "{name}");
        }
    }
}

#[test]
fn until_it_is_known_whether_something_was_revoked_nothing_is_let_in() {
    for house in HOUSES {
        for (name, revoke, want) in REVOCATIONS {
            let house = house();
            let target = Target::of(&house);
            let bystander = house.token(&house.holder("other"));
            house.store.trouble(Calls::Writes, Trouble::DoneButFails, 0..1);
            fault(revoke(&house, &target));
            house.store.go_away();
            for token in [&target.token, &bystander] {
                assert!(matches!(fault(house.admit(token)), Fault::Stale), "{name}");
            }
            house.store.heal();
            assert_eq!(rejection(house.admit(&target.token)), *want, "{name}");
            let untouched = house.admit(&bystander).is_ok();
            assert_eq!(untouched, *want != Rejection::UnknownSigningKey, "{name}");
        }
    }
}

#[test]
fn a_doubt_that_arises_while_the_feed_is_read_is_not_taken_for_settled() {
    for house in HOUSES {
        let house = house();
        let (one, two) = (house.holder("one"), house.holder("two"));
        let tokens = [house.token(&one), house.token(&two)];
        house.store.trouble(Calls::Writes, Trouble::DoneButFails, 0..2);
        fault(house.revoke_key(&one));
        let twin = house.twin();
        house.store.after_feed(move || drop(fault(twin.revoke_key(&two))));
        for token in tokens {
            assert_eq!(rejection(house.admit(&token)), Rejection::Revoked { by: RevokedBy::Key });
        }
    }
}

#[test]
fn what_was_not_done_leaves_everything_as_it_was() {
    for house in HOUSES {
        for (name, revoke, _) in REVOCATIONS {
            let house = house();
            let target = Target::of(&house);
            house.store.trouble(Calls::Writes, Trouble::Fails, 0..1);
            fault(revoke(&house, &target));
            assert!(house.admit(&target.token).is_ok(), "{name}");
            revoke(&house, &target).unwrap();
            rejection(house.admit(&target.token));
        }
    }
}

/// A store that bounds its waiting may do a change after it has said that it did not answer.
#[test]
fn what_is_done_late_is_refused_within_the_bound_also_on_an_exclusive_store() {
    for house in HOUSES {
        for (name, revoke, want) in REVOCATIONS {
            let house = house();
            let target = Target::of(&house);
            house.store.trouble(Calls::Writes, Trouble::Late, 0..1);
            fault(revoke(&house, &target));
            house.store.heal();
            assert!(house.admit(&target.token).is_ok(), "not done yet: {name}");
            house.store.land();
            house.clock.advance(6);
            assert_eq!(rejection(house.admit(&target.token)), *want, "{name}");
        }
    }
}

#[test]
fn k10_asking_again_is_acknowledged_only_once_the_late_change_is_in_force_here() {
    for house in HOUSES {
        for by_key in [true, false] {
            let house = house();
            let target = Target::of(&house);
            let signing_key = house.signing_key(LIVE).id;
            let revoke = || {
                if by_key {
                    house.revoke_key(&target.holder)
                } else {
                    block_on(house.authority.signing_keys().retire_now(LIVE, &signing_key))
                }
            };
            house.store.trouble(Calls::Writes, Trouble::Late, 0..1);
            fault(revoke());
            house.store.heal();
            assert!(house.admit(&target.token).is_ok(), "not done yet");
            house.store.land();
            revoke().unwrap();
            rejection(house.admit(&target.token));
        }
    }
}

/// A client that hangs up makes the server drop what it was doing.
#[test]
fn a_caller_that_no_longer_waits_leaves_nothing_revoked_usable() {
    for house in HOUSES {
        for trouble in [Trouble::DoneButHangs, Trouble::Hangs] {
            let house = house();
            let target = Target::of(&house);
            house.store.trouble(Calls::Writes, trouble, 0..1);
            {
                let keys = house.authority.keys();
                let mut revoking = pin!(keys.revoke(&HOST, NOWHERE, &target.holder.developer, target.holder.key));
                let polled = revoking.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                assert!(matches!(polled, Poll::Pending));
            }
            house.store.heal();
            let refused = house.admit(&target.token).is_err();
            assert_eq!(refused, trouble == Trouble::DoneButHangs, "{trouble:?}");
        }
    }
}

#[test]
fn a_signing_key_that_could_not_be_read_after_its_change_stops_everything_until_it_is() {
    let house = House::new();
    let target = Target::of(&house);
    // After the list and the commit, the reading of the new keys.
    house.store.trouble(Calls::All, Trouble::Fails, 2..usize::MAX);
    house.retire(LIVE).unwrap();
    assert!(matches!(fault(house.admit(&target.token)), Fault::Stale));
    assert!(matches!(fault(house.exchange(&target.holder)), Fault::Stale));
    assert!(house.store.heal());
    assert_eq!(rejection(house.admit(&target.token)), Rejection::UnknownSigningKey);
    let token = house.token(&target.holder);
    assert!(house.admit(&token).is_ok());
    assert!(house.signing_keys(LIVE).iter().any(|key| key.state == SigningKeyState::Retired));
}

#[test]
fn a_caller_that_hangs_up_at_any_step_leaves_a_whole_store() {
    for trouble in [Trouble::Hangs, Trouble::DoneButHangs] {
        for step in 0..10 {
            let scene = Scene::new(House::new());
            let before = scene.house.store.rows();
            scene.house.store.trouble(Calls::All, trouble, step..step + 1);
            let order = idempotent("new", 'n');
            {
                let sandboxes = scene.house.authority.sandboxes();
                let mut creating = pin!(sandboxes.create(&SandboxActor::Host, NOWHERE, &order));
                if let Poll::Ready(opened) = creating.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                    assert!(!scene.house.store.heal() && opened.is_ok());
                    break;
                }
            }
            scene.house.store.heal();
            let is_there = scene.house.store.rows() != before;
            let again = scene.house.open_sandbox(&order).unwrap();
            assert_eq!(again.created, !is_there, "all of it or nothing: {trouble:?}, step {step}");
            let key = Holder { developer: again.developer.reference, key: scene.holder.key, text: again.api_key };
            let token = SecretText::new(scene.house.token(&key));
            assert!(scene.house.reach(token.expose(), Some(again.entity.reference.id.as_str())).is_ok());
        }
    }
}
