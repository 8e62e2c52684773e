//! A store that fails at any step of any operation: the answer is a fault, nothing is changed, and it works when tried again.
//! Shared by the tests of other stores, which say by `fresh` what the operations are on.

use futures_executor::block_on;
use latchbook_core::authority::{ImportError, NewEntity, Refusal, SandboxActor};
use latchbook_core::key_store::{KeyStore as _, Sharing, StoreError};
use latchbook_core::model::{Algorithm, AuditAction, ChainId, Day, EntityRef, Rejection, SecretText};
use latchbook_core::{Actor, Fault, Principal};

use crate::support::{
    Calls, HOST, HOUR, Holder, House, LIVE, NOWHERE, SANDBOX, START, TestStore, Trouble, Upkeep, developer, entity,
    fault, idempotent, new_key, order, pem, rejection,
};

/// Somebody with everything that operations need.
pub struct Scene {
    pub house: House,
    pub holder: Holder,
    pub entity: EntityRef,
    pub token: String,
    pub principal: Principal,
    /// The text of a key that is not there yet, and a private key to sign with.
    pub drawn: SecretText,
    pub pem: SecretText,
}

impl Scene {
    pub fn new(house: House) -> Self {
        let holder = house.holder("acme");
        let entity = house.entity(&holder, "acme-a");
        let token = house.token(&holder);
        house.open_sandbox(&idempotent("boxed", 'x')).expect("a sandbox");
        let principal = house.admit(&token).expect("a good token");
        block_on(house.authority.shutdown()).expect("counts to read");
        let (drawn, pem) = (house.authority.keys().draw(LIVE).expect("random"), pem(Algorithm::EdDsa).0);
        Self { house, holder, entity, token, principal, drawn, pem }
    }

    fn store(&self) -> &TestStore {
        &self.house.store
    }

    fn restarted(&self) -> Self {
        let (house, holder) = (self.house.restarted(START), self.holder.clone());
        let (entity, token, principal) = (self.entity.clone(), self.token.clone(), self.principal.clone());
        let (drawn, pem) = (self.drawn.clone(), self.pem.clone());
        Self { house, holder, entity, token, principal, drawn, pem }
    }
}

type Operation = fn(&Scene) -> Result<(), Refusal>;

/// Every operation that changes something.
pub const CHANGES: &[(&str, Operation)] = &[
    ("developers.create", |s| {
        done(block_on(s.house.authority.developers().create(&HOST, NOWHERE, &developer(LIVE, "new"), "New")))
    }),
    ("developers.suspend", |s| s.house.suspend(&s.holder)),
    ("developers.resume", |s| s.house.resume(&s.holder)),
    ("developers.revoke_tokens", |s| {
        block_on(s.house.authority.developers().revoke_tokens(&HOST, NOWHERE, &s.holder.developer))
    }),
    ("keys.create by the host", |s| {
        done(block_on(s.house.authority.keys().create(&HOST, NOWHERE, &s.holder.developer, &new_key("ledger:read"))))
    }),
    ("keys.create by a caller", |s| {
        let (actor, keys) = (Actor::Principal(&s.principal), s.house.authority.keys());
        done(block_on(keys.create(&actor, NOWHERE, &s.holder.developer, &new_key("ledger:read"))))
    }),
    ("keys.import", |s| {
        let (keys, new) = (s.house.authority.keys(), new_key("ledger:read"));
        done(block_on(keys.import(&HOST, NOWHERE, &s.holder.developer, &s.drawn, &new)))
    }),
    ("keys.revoke", |s| s.house.revoke_key(&s.holder)),
    ("exchange", |s| done(s.house.exchange(&s.holder))),
    ("exchange for an entity", |s| done(s.house.exchange_with(&s.holder, |exchange| exchange.entity = Some("acme-a")))),
    ("exchange_token", |s| done(s.house.narrow(&s.token, |_| {}))),
    ("exchange_token for an entity", |s| done(s.house.narrow(&s.token, |exchange| exchange.entity = Some("acme-a")))),
    ("revocation.presented", |s| {
        let client = s.house.client(&s.holder)?;
        block_on(s.house.authority.revocation().presented(&client, s.token.as_bytes()))
    }),
    ("revocation.token", |s| s.house.revoke_token_of(&s.principal)),
    ("entities.create", |s| {
        let new = NewEntity { id: Some(entity("acme-new")), legal_name: "New".to_owned() };
        done(block_on(s.house.authority.entities().create(&HOST, NOWHERE, &s.holder.developer, &new)))
    }),
    ("entities.remove", |s| block_on(s.house.authority.entities().remove(&HOST, NOWHERE, &s.entity))),
    ("sandboxes.create", |s| done(s.house.open_sandbox(&order("new")))),
    ("sandboxes.create with an idempotency key", |s| done(s.house.open_sandbox(&idempotent("new", 'n')))),
    ("sandboxes.create repeated", |s| done(s.house.open_sandbox(&idempotent("boxed", 'x')))),
    ("signing_keys.retire_now", |s| s.house.retire(LIVE)),
    ("signing_keys.rotate", |s| done(block_on(s.house.authority.signing_keys().rotate(LIVE)))),
    ("signing_keys.import", |s| match block_on(s.house.authority.signing_keys().import(LIVE, &s.pem)) {
        Ok(_) => Ok(()),
        Err(ImportError::Refusal(refusal)) => Err(refusal),
        Err(other) => panic!("{other}"),
    }),
];

/// Every operation that only reads.
const READS: &[(&str, Operation)] = &[
    ("developers.get", |s| done(block_on(s.house.authority.developers().get(&s.holder.developer)))),
    ("developers.list", |s| done(block_on(s.house.authority.developers().list(LIVE, None, 10)))),
    ("keys.get", |s| done(block_on(s.house.authority.keys().get(&s.holder.developer, s.holder.key)))),
    ("keys.list", |s| done(block_on(s.house.authority.keys().list(&s.holder.developer, None, 10)))),
    ("entities.get", |s| done(block_on(s.house.authority.entities().get(&s.entity)))),
    ("entities.list", |s| done(block_on(s.house.authority.entities().list(&s.holder.developer, None, 10)))),
    ("sandboxes.get", |s| done(block_on(s.house.authority.sandboxes().get(&developer(SANDBOX, "boxed"))))),
    ("signing_keys.list", |s| done(block_on(s.house.authority.signing_keys().list(LIVE)))),
    ("audit.page", |s| done(block_on(s.house.authority.audit().page(&ChainId::System(LIVE), None, 10)))),
    ("usage.page", |s| {
        let ever = Day(0)..=Day(u32::MAX);
        done(block_on(s.house.authority.usage().page(&s.holder.developer, &ever, None, 10)))
    }),
    ("usage.between", |s| {
        done(block_on(s.house.authority.usage().between(&s.holder.developer, &(Day(0)..=Day(u32::MAX)))))
    }),
    ("audit.page_of", |s| done(block_on(s.house.authority.audit().page_of(&s.holder.developer, None, 10)))),
    ("audit.verify_against", |s| {
        done(block_on(s.house.authority.audit().verify_against(&ChainId::System(LIVE), "not.a.checkpoint")))
    }),
    ("audit.verify", |s| done(block_on(s.house.authority.audit().verify(&ChainId::System(LIVE))))),
    ("entity", |s| done(s.house.reach(&s.token, Some("acme-a")))),
    ("authenticate_client", |s| done(s.house.client(&s.holder))),
    ("introspect", |s| {
        let claims = s.house.introspect(&s.holder, &s.token)?;
        assert!(claims.is_some(), "a fault is never inactive");
        Ok(())
    }),
    ("health", |s| done(block_on(s.house.authority.health()))),
];

/// What was not there stays not there.
const ABSENT: &[(&str, Operation)] = &[
    ("developers.get", |s| done(block_on(s.house.authority.developers().get(&developer(LIVE, "none"))))),
    ("developers.suspend", |s| {
        block_on(s.house.authority.developers().suspend(&HOST, NOWHERE, &developer(LIVE, "none")))
    }),
    ("keys.get", |s| done(block_on(s.house.authority.keys().get(&developer(LIVE, "none"), s.holder.key)))),
    ("keys.revoke", |s| {
        block_on(s.house.authority.keys().revoke(&HOST, NOWHERE, &developer(LIVE, "none"), s.holder.key))
    }),
    ("entities.remove", |s| {
        let none = EntityRef { id: entity("none"), ..s.entity.clone() };
        block_on(s.house.authority.entities().remove(&HOST, NOWHERE, &none))
    }),
    ("entity", |s| done(s.house.reach(&s.token, Some("none")))),
    ("exchange", |s| done(s.house.exchange_with(&s.holder, |exchange| exchange.developer = "none"))),
    ("exchange_token", |s| done(s.house.narrow(&s.token, |exchange| exchange.entity = Some("none")))),
    ("authenticate_client", |s| {
        done(s.house.client(&Holder { developer: developer(LIVE, "none"), ..s.holder.clone() }))
    }),
    ("sandboxes.get", |s| done(block_on(s.house.authority.sandboxes().get(&developer(SANDBOX, "none"))))),
    ("sandboxes.create", |s| {
        let open = SandboxActor::Open;
        done(block_on(s.house.authority.sandboxes().create(&open, NOWHERE, &order("boxed"))))
    }),
];

fn done<T>(result: Result<T, Refusal>) -> Result<(), Refusal> {
    result.map(|_| ())
}

fn is_the_stores(fault: &Fault) -> bool {
    matches!(fault, Fault::Store(StoreError::Unavailable(_) | StoreError::Corrupt(_)) | Fault::Stale)
}

#[test]
fn a_fault_at_any_step_changes_nothing_and_the_change_works_when_tried_again() {
    for (name, change) in CHANGES {
        for trouble in [Trouble::Fails, Trouble::Corrupt] {
            for step in 0.. {
                assert!(step < 20, "{name} never ends");
                let scene = Scene::new(crate::fresh());
                let before = scene.store().rows();
                scene.store().trouble(Calls::All, trouble, step..step + 1);
                let result = change(&scene);
                if !scene.store().heal() {
                    result.unwrap();
                    assert!(step > 0, "{name} asks the store");
                    assert!(scene.store().rows() != before, "{name} changes something");
                    break;
                }
                if result.is_ok() {
                    // Only what follows the commit may fail unseen: a signing key is read again before anything is decided.
                    assert!(name.starts_with("signing_keys."), "{name}");
                    continue;
                }
                assert!(is_the_stores(&fault(result)), "{name}, {trouble:?} at step {step}");
                assert!(scene.store().rows() == before, "{name}, {trouble:?} at step {step}");
                change(&scene).unwrap_or_else(|error| panic!("{name}, {trouble:?} at step {step}, again: {error}"));
            }
        }
    }
}

#[test]
fn a_read_that_fails_is_a_fault_and_works_when_tried_again() {
    let scene = Scene::new(crate::fresh());
    for (name, read) in READS {
        let before = scene.store().rows();
        for trouble in [Trouble::Fails, Trouble::Corrupt] {
            for step in 0.. {
                assert!(step < 20, "{name} never ends");
                // What is remembered would need no read.
                let scene = scene.restarted();
                scene.store().trouble(Calls::All, trouble, step..step + 1);
                let result = read(&scene);
                if !scene.store().heal() {
                    result.unwrap();
                    assert!(step > 0, "{name} asks the store");
                    break;
                }
                assert!(is_the_stores(&fault(result)), "{name}, {trouble:?} at step {step}");
                read(&scene).unwrap_or_else(|error| panic!("{name}, {trouble:?} at step {step}, again: {error}"));
            }
        }
        assert!(scene.store().rows() == before, "{name} changes nothing");
    }
}

#[test]
fn a_token_is_let_in_on_no_older_knowledge_than_the_bound_whichever_read_fails() {
    let scene = Scene::new(crate::fresh());
    for trouble in [Trouble::Fails, Trouble::Corrupt] {
        for step in 0.. {
            assert!(step < 20, "it never ends");
            // Nothing is remembered, and where others may write, the feed is older than the bound.
            let scene = scene.restarted();
            scene.house.clock.advance(6);
            scene.store().trouble(Calls::All, trouble, step..step + 1);
            let result = scene.house.admit(&scene.token);
            if !scene.store().heal() {
                result.unwrap();
                assert_eq!(step > 0, scene.store().sharing() == Sharing::Shared);
                break;
            }
            assert!(is_the_stores(&fault(result)), "{trouble:?} at step {step}");
            scene.house.admit(&scene.token).unwrap();
        }
    }
}

#[test]
fn a_fault_is_never_not_found_and_never_a_wrong_key() {
    for (name, operation) in ABSENT {
        let scene = Scene::new(crate::fresh());
        assert!(matches!(operation(&scene), Err(Refusal::Rejected(_))), "{name}");
        let before = scene.store().rows();
        for step in 0..20 {
            scene.store().trouble(Calls::All, Trouble::Fails, step..step + 1);
            let result = operation(&scene);
            if !scene.store().heal() {
                assert!(matches!(result, Err(Refusal::Rejected(_))), "{name}");
                break;
            }
            assert!(is_the_stores(&fault(result)), "{name}, step {step}");
        }
        assert!(scene.store().rows() == before, "{name}");
    }
}

#[test]
fn a_change_done_in_spite_of_a_fault_is_a_fault_and_tried_again_it_never_is_done_twice() {
    for (name, change) in CHANGES {
        for write in 0.. {
            assert!(write < 20, "{name} never ends");
            let scene = Scene::new(crate::fresh());
            scene.store().trouble(Calls::Writes, Trouble::DoneButFails, write..write + 1);
            let first = change(&scene);
            if !scene.store().heal() {
                first.unwrap();
                assert!(write > 0, "{name} writes");
                break;
            }
            assert!(is_the_stores(&fault(first)), "{name}, write {write}");
            match change(&scene) {
                Ok(()) | Err(Refusal::Rejected(_)) => {}
                Err(Refusal::Fault(fault)) => panic!("{name}, write {write}, again: {fault}"),
            }
            let chain = ChainId::Developer(scene.holder.developer.clone());
            for chain in [chain, ChainId::System(LIVE), ChainId::Developer(developer(SANDBOX, "new"))] {
                let report = block_on(scene.house.authority.audit().verify(&chain)).unwrap();
                assert_eq!(report.broken_at, None, "{name}, write {write}");
            }
        }
    }
}

/// Requests and exchanges that are stored, of all days.
fn counted(scene: &Scene) -> (u64, u64) {
    let ever = Day(0)..=Day(u32::MAX);
    let rows = block_on(scene.house.authority.usage().between(&scene.holder.developer, &ever)).unwrap();
    rows.iter()
        .fold((0, 0), |(requests, exchanges), row| (requests + row.counts.requests, exchanges + row.counts.exchanges))
}

/// How many refused exchanges the system chain tells of.
fn refused(scene: &Scene) -> u64 {
    let events = scene.house.events(&ChainId::System(LIVE));
    let refused = events.iter().filter(|event| event.action == AuditAction::ExchangesRefused);
    refused.flat_map(|event| &event.details).map(|(_, count)| count.parse::<u64>().unwrap()).sum()
}

#[test]
fn upkeep_that_fails_at_any_step_loses_nothing_and_does_it_all_in_the_end() {
    let boxed = developer(SANDBOX, "boxed");
    for trouble in [Trouble::Fails, Trouble::Corrupt, Trouble::DoneButFails] {
        for step in 0.. {
            assert!(step < 60, "it never ends");
            let scene = Scene::new(crate::fresh());
            let (house, store) = (&scene.house, scene.store());
            // Counts, a refusal, a sandbox that has ended, and events that want a checkpoint.
            let (requests, exchanges) = counted(&scene);
            house.clock.advance(7 * 24 * HOUR);
            let token = house.token(&scene.holder);
            (0..3).for_each(|_| drop(house.admit(&token).unwrap()));
            rejection(house.exchange_with(&scene.holder, |exchange| exchange.developer = "none"));
            let mut upkeep = Upkeep::of(&house.authority);
            store.trouble(Calls::All, trouble, step..step + 1);
            upkeep.round_to_its_end(&house.clock);
            let met = store.heal();
            for _ in 0..3 {
                house.clock.advance(61);
                upkeep.round_to_its_end(&house.clock);
            }
            let told = format!("{trouble:?} at step {step}");
            let gone = block_on(house.authority.sandboxes().get(&boxed)).map(|_| ());
            assert_eq!(rejection(gone), Rejection::NotFound, "{told}");
            let gone = block_on(house.authority.developers().get(&boxed)).map(|_| ());
            assert_eq!(rejection(gone), Rejection::NotFound, "{told}");
            let (counted, told_of) = (counted(&scene), refused(&scene));
            // Counted twice is better than lost, where nobody answered whether it was done.
            let twice = trouble == Trouble::DoneButFails && met;
            let is_right = |found: u64, want: u64, more: u64| found == want || (twice && found == want + more);
            assert!(
                is_right(counted.0, requests + 3, 3) && is_right(counted.1, exchanges + 1, 1),
                "{told}: {counted:?}"
            );
            assert!(is_right(told_of, 1, 1), "{told}: {told_of}");
            for chain in [ChainId::System(LIVE), ChainId::System(SANDBOX), ChainId::Developer(boxed.clone())] {
                assert_eq!(block_on(house.authority.audit().verify(&chain)).unwrap().broken_at, None, "{told}");
            }
            assert!(house.exchange(&scene.holder).is_ok(), "{told}");
            if !met {
                assert!(step > 5, "upkeep asks the store");
                break;
            }
        }
    }
}
