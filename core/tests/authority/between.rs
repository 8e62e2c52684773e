//! What another does between an operation's reading and its commit: no decision stands on what is no longer so.

use futures_executor::block_on;
use latchbook_core::Actor;
use latchbook_core::authority::{NewEntity, Refusal};
use latchbook_core::jose::CompactToken;
use latchbook_core::key_store::{KeyStore as _, KeyStoreExt as _};
use latchbook_core::model::{
    AuditAction, ChainId, ChangeSet, DeveloperStatus, EntityRef, Expectation, Record, Rejection, RevokedBy,
    SigningKeyState,
};
use latchbook_core::random::{self, SystemRandom};

use crate::sandboxes::{holder, kinds};
use crate::support::{
    HOST, Holder, House, LIVE, NOWHERE, SANDBOX, START, Upkeep, developer, entity, idempotent, new_key, order, pem,
    rejection, revoked,
};

/// A house where another acts once, just before the first commit to come.
fn while_at_work(house: &House, mut act: impl FnMut(&House) + Send + 'static) {
    let twin = house.twin();
    house.store.meanwhile(0, 1, move || act(&twin));
}

fn actions(house: &House, holder: &Holder) -> Vec<AuditAction> {
    house.events(&ChainId::Developer(holder.developer.clone())).iter().map(|event| event.action).collect()
}

#[test]
fn r1_an_exchange_that_read_the_key_before_it_was_revoked_makes_no_token() {
    type Case = (fn(&House, &Holder) -> Result<(), Refusal>, Rejection);
    let cases: [Case; 2] =
        [(House::revoke_key, Rejection::KeyRevoked), (House::suspend, Rejection::DeveloperSuspended)];
    for (revoke, want) in cases {
        let house = House::new();
        let acme = house.holder("acme");
        let victim = acme.clone();
        while_at_work(&house, move |house| revoke(house, &victim).unwrap());
        assert_eq!(rejection(house.exchange(&acme)), want);
        assert!(!actions(&house, &acme).contains(&AuditAction::TokenIssued));
    }
}

#[test]
fn r1_a_token_exchange_that_read_its_line_before_that_was_ended_makes_no_token() {
    type Case = (fn(&House, &Holder) -> Result<(), Refusal>, RevokedBy);
    let cases: [Case; 2] = [(House::revoke_key, RevokedBy::Key), (House::suspend, RevokedBy::Developer)];
    for (revoke, want) in cases {
        let house = House::new();
        let acme = house.holder("acme");
        let token = house.token(&acme);
        let (before, victim) = (actions(&house, &acme), acme.clone());
        while_at_work(&house, move |house| revoke(house, &victim).unwrap());
        assert_eq!(revoked(house.narrow(&token, |_| {})), want);
        assert_eq!(actions(&house, &acme).len(), before.len() + 1, "what ended it, and no token");
    }
}

#[test]
fn k10_a_token_exchange_elsewhere_makes_nothing_after_its_line_was_ended_however_old_the_feed_is_there() {
    type Case = (fn(&House, &Holder) -> Result<(), Refusal>, RevokedBy);
    let cases: [Case; 2] = [(House::revoke_key, RevokedBy::Key), (House::suspend, RevokedBy::Developer)];
    for (revoke, want) in cases {
        let house = House::shared();
        let acme = house.holder("acme");
        let elsewhere = house.another(0);
        let token = elsewhere.token(&acme);
        revoke(&house, &acme).unwrap();
        assert!(elsewhere.admit(&token).is_ok(), "the feed was read a moment ago");
        assert_eq!(revoked(elsewhere.narrow(&token, |_| {})), want);
    }
}

#[test]
fn r2_an_exchange_that_signed_before_its_key_was_retired_signs_again() {
    let house = House::new();
    let acme = house.holder("acme");
    while_at_work(&house, |house| house.retire(LIVE).unwrap());
    let token = house.token(&acme);
    assert_eq!(CompactToken::parse(&token).unwrap().key_id(), house.signing_key(LIVE).id.as_str());
    assert!(house.admit(&token).is_ok());
    assert_eq!(actions(&house, &acme).last(), Some(&AuditAction::TokenIssued));
    assert_eq!(house.store.left(), 0);
}

#[test]
fn a_signing_key_whose_record_was_written_anew_signs_on() {
    let house = House::new();
    let acme = house.holder("acme");
    let boxed = idempotent("boxed", 'k');
    house.open_sandbox(&boxed).unwrap();
    // A node that has read all that the feed says.
    let house = house.restarted(START);
    // As an operator's tool would, which seals every private key anew.
    for (key, revision) in block_on(house.store.inner().signing_keys()).unwrap() {
        let record = Record::SigningKey(key);
        let mut set = ChangeSet::new(random::change_id(&SystemRandom::new()).unwrap(), house.authority.now());
        set.expect.push(Expectation { key: record.key(), revision: Some(revision) });
        set.update.push(record);
        block_on(house.store.inner().commit(set)).unwrap();
    }
    assert!(house.exchange(&acme).is_ok());
    assert!(!house.open_sandbox(&boxed).unwrap().created);
}

#[test]
fn nothing_is_made_under_a_developer_that_was_removed_meanwhile() {
    type Make = fn(&House, &Holder) -> Result<(), Refusal>;
    let made: [Make; 2] = [
        |house, holder| {
            let new = NewEntity { id: None, legal_name: "New".to_owned() };
            block_on(house.authority.entities().create(&HOST, NOWHERE, &holder.developer, &new)).map(drop)
        },
        |house, holder| {
            let new = new_key("ledger:read");
            block_on(house.authority.keys().create(&HOST, NOWHERE, &holder.developer, &new)).map(drop)
        },
    ];
    for make in made {
        let house = House::new();
        let acme = holder(&house.open_sandbox(&order("acme")).unwrap());
        house.clock.advance(7 * 86_400);
        while_at_work(&house, |house| assert!(Upkeep::of(&house.authority).round()));
        assert_eq!(rejection(make(&house, &acme)), Rejection::NotFound);
        assert_eq!(kinds(&house, "acme"), Vec::<&str>::new());
    }
}

#[test]
fn a_key_is_not_made_with_a_token_whose_own_key_was_revoked_meanwhile() {
    let house = House::new();
    let acme = house.holder("acme");
    let caller = house.admit(&house.token(&acme)).unwrap();
    let victim = acme.clone();
    while_at_work(&house, move |house| house.revoke_key(&victim).unwrap());
    let (actor, new) = (Actor::Principal(&caller), new_key("ledger:read"));
    let made = block_on(house.authority.keys().create(&actor, NOWHERE, &acme.developer, &new));
    assert_eq!(rejection(made), Rejection::Revoked { by: RevokedBy::Key });
}

#[test]
fn r5_k14_of_two_that_do_the_same_one_does_it() {
    let house = House::new();
    let acme = house.holder("acme");
    let gone = house.entity(&acme, "acme-a");
    let victim = acme.clone();
    while_at_work(&house, move |house| house.revoke_key(&victim).unwrap());
    house.revoke_key(&acme).unwrap();
    assert_eq!(actions(&house, &acme).iter().filter(|action| **action == AuditAction::KeyRevoked).count(), 1);
    let removed = gone.clone();
    while_at_work(&house, move |house| house.remove_entity(&removed));
    let again = block_on(house.authority.entities().remove(&HOST, NOWHERE, &gone));
    assert_eq!(rejection(again), Rejection::NotFound);
    let owner = acme.clone();
    while_at_work(&house, move |house| drop(house.entity(&owner, "new")));
    let new = NewEntity { id: Some(entity("new")), legal_name: "New".to_owned() };
    let made = block_on(house.authority.entities().create(&HOST, NOWHERE, &acme.developer, &new));
    assert_eq!(rejection(made), Rejection::Conflict);
    while_at_work(&house, |house| drop(house.holder("new")));
    let made = block_on(house.authority.developers().create(&HOST, NOWHERE, &developer(LIVE, "new"), "New"));
    assert_eq!(rejection(made), Rejection::Conflict);
}

#[test]
fn of_suspend_and_resume_both_are_done_and_the_later_one_stands() {
    type Change = fn(&House, &Holder) -> Result<(), Refusal>;
    let cases: [(Change, Change, DeveloperStatus); 2] = [
        (House::suspend, House::resume, DeveloperStatus::Suspended),
        (House::resume, House::suspend, DeveloperStatus::Active),
    ];
    for (change, other, want) in cases {
        let house = House::new();
        let acme = house.holder("acme");
        let token = house.token(&acme);
        let victim = acme.clone();
        while_at_work(&house, move |house| other(house, &victim).unwrap());
        change(&house, &acme).unwrap();
        assert_eq!(block_on(house.authority.developers().get(&acme.developer)).unwrap().status, want);
        assert_eq!(actions(&house, &acme).len(), 5, "both are in the chain");
        rejection(house.admit(&token));
    }
}

#[test]
fn r5_a_sandbox_opened_by_another_meanwhile_is_a_conflict_or_the_same_one() {
    let house = House::new();
    while_at_work(&house, |house| drop(house.open_sandbox(&order("acme")).unwrap()));
    assert_eq!(rejection(house.open_sandbox(&order("acme"))), Rejection::Conflict);
    while_at_work(&house, |house| drop(house.open_sandbox(&idempotent("twice", 'k')).unwrap()));
    assert!(!house.open_sandbox(&idempotent("twice", 'k')).unwrap().created);
    assert_eq!(kinds(&house, "twice"), ["developer", "key", "entity", "sandbox", "request"]);
    while_at_work(&house, |house| house.retire(SANDBOX).unwrap());
    let opened = house.open_sandbox(&order("rotated")).unwrap();
    assert!(opened.created && house.admit(opened.token.expose()).is_ok());
}

#[test]
fn r3_a_first_key_that_was_revoked_meanwhile_stays_revoked() {
    let house = House::new();
    let first = holder(&house.open_sandbox(&idempotent("acme", 'k')).unwrap());
    let victim = first.clone();
    while_at_work(&house, move |house| house.revoke_key(&victim).unwrap());
    let again = holder(&house.open_sandbox(&idempotent("acme", 'k')).unwrap());
    assert_ne!(again.key, first.key, "a new key, and not a new text of the revoked one");
    assert_eq!(rejection(house.exchange(&first)), Rejection::KeyRevoked);
    assert_eq!(house.key_view(&first).key.current.generation, 1);
    assert!(house.exchange(&again).is_ok());
}

#[test]
fn exactly_one_signing_key_is_active_whatever_is_done_at_once() {
    type Change = fn(&House);
    let retire: Change = |house| {
        let oldest = house.signing_keys(LIVE).remove(0).id;
        block_on(house.authority.signing_keys().retire_now(LIVE, &oldest)).unwrap();
    };
    let import: Change = |house| {
        block_on(house.authority.signing_keys().import(LIVE, &pem(Default::default()).0)).unwrap();
    };
    for (change, other) in [(retire, retire), (retire, import), (import, retire), (import, import)] {
        let house = House::new();
        let acme = house.holder("acme");
        while_at_work(&house, other);
        change(&house);
        assert_eq!(house.store.left(), 0);
        let active = house.signing_key(LIVE);
        assert_eq!(active.state, SigningKeyState::Active);
        let token = house.token(&acme);
        assert!(house.admit(&token).is_ok() && house.restarted(house.authority.now().seconds()).admit(&token).is_ok());
    }
}

#[test]
fn a_change_that_always_comes_second_gives_up_after_a_bounded_number_of_tries() {
    let house = House::new();
    let acme = house.holder("acme");
    let (twin, other) = (house.twin(), acme.clone());
    house.store.meanwhile(0, 1_000, move || {
        block_on(twin.authority.developers().revoke_tokens(&HOST, NOWHERE, &other.developer)).unwrap();
    });
    assert_eq!(rejection(house.suspend(&acme)), Rejection::Conflict);
    assert_eq!(1_000 - house.store.left(), 16);
    assert_eq!(rejection(house.exchange(&acme)), Rejection::Conflict);
    let new = EntityRef { developer: acme.developer.clone(), id: entity("acme-a") };
    let wanted = NewEntity { id: Some(new.id.clone()), legal_name: "A".to_owned() };
    let made = block_on(house.authority.entities().create(&HOST, NOWHERE, &acme.developer, &wanted));
    assert_eq!(rejection(made), Rejection::Conflict);
    assert_eq!(rejection(block_on(house.authority.entities().get(&new))), Rejection::NotFound);
    house.store.meanwhile(0, 0, || {});
    assert!(house.exchange(&acme).is_ok());
}
