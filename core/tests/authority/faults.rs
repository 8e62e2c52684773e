//! A store that fails at any step of any operation: the answer is a fault, nothing is changed, and it works when tried again.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use futures_executor::block_on;
use latchbook_core::authority::{ImportError, NewEntity, Refusal, SandboxActor};
use latchbook_core::key_store::StoreError;
use latchbook_core::model::{Algorithm, ChainId, Day, EntityRef, SecretText};
use latchbook_core::{Actor, Fault, Principal};

use crate::signing_keys::pem;
use crate::support::{
    Calls, HOST, Holder, House, LIVE, NOWHERE, SANDBOX, START, TestStore, Trouble, developer, entity, fault,
    idempotent, new_key, order,
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
        block_on(house.authority.shutdown()).expect("counts to read");
        let principal = house.admit(&token).expect("a good token");
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
    ("audit.verify", |s| done(block_on(s.house.authority.audit().verify(&ChainId::System(LIVE))))),
    ("entity", |s| done(s.house.reach(&s.token, Some("acme-a")))),
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
    matches!(fault, Fault::Store(StoreError::Unavailable(_)) | Fault::Stale)
}

#[test]
fn a_fault_at_any_step_changes_nothing_and_the_change_works_when_tried_again() {
    for (name, change) in CHANGES {
        for step in 0.. {
            assert!(step < 20, "{name} never ends");
            let scene = Scene::new(House::new());
            let before = scene.store().rows();
            scene.store().trouble(Calls::All, Trouble::Fails, step..step + 1);
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
            assert!(is_the_stores(&fault(result)), "{name}, step {step}");
            assert!(scene.store().rows() == before, "{name}, step {step}");
            change(&scene).unwrap_or_else(|error| panic!("{name}, step {step}, again: {error}"));
        }
    }
}

#[test]
fn a_read_that_fails_is_a_fault_and_works_when_tried_again() {
    for (name, read) in READS {
        let scene = Scene::new(House::new());
        let before = scene.store().rows();
        for step in 0.. {
            assert!(step < 20, "{name} never ends");
            // What is remembered would need no read.
            let scene = scene.restarted();
            scene.store().trouble(Calls::All, Trouble::Fails, step..step + 1);
            let result = read(&scene);
            if !scene.store().heal() {
                result.unwrap();
                assert!(step > 0, "{name} asks the store");
                break;
            }
            assert!(is_the_stores(&fault(result)), "{name}, step {step}");
            read(&scene).unwrap_or_else(|error| panic!("{name}, step {step}, again: {error}"));
        }
        assert!(scene.store().rows() == before, "{name} changes nothing");
    }
}

#[test]
fn a_fault_is_never_not_found_and_never_a_wrong_key() {
    for (name, operation) in ABSENT {
        let scene = Scene::new(House::new());
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
        let scene = Scene::new(House::new());
        scene.store().trouble(Calls::Commits, Trouble::DoneButFails, 0..1);
        assert!(is_the_stores(&fault(change(&scene))), "{name}");
        scene.store().heal();
        match change(&scene) {
            Ok(()) | Err(Refusal::Rejected(_)) => {}
            Err(Refusal::Fault(fault)) => panic!("{name}, again: {fault}"),
        }
        let chain = ChainId::Developer(scene.holder.developer.clone());
        for chain in [chain, ChainId::System(LIVE), ChainId::Developer(developer(SANDBOX, "new"))] {
            let report = block_on(scene.house.authority.audit().verify(&chain)).unwrap();
            assert_eq!(report.broken_at, None, "{name}");
        }
    }
}

#[test]
fn a_caller_that_hangs_up_at_any_step_leaves_a_whole_store() {
    for trouble in [Trouble::Hangs, Trouble::DoneButHangs] {
        for step in 0..10 {
            let scene = Scene::new(House::new());
            let before = scene.store().rows();
            scene.store().trouble(Calls::All, trouble, step..step + 1);
            let order = idempotent("new", 'n');
            {
                let sandboxes = scene.house.authority.sandboxes();
                let mut creating = pin!(sandboxes.create(&SandboxActor::Host, NOWHERE, &order));
                if let Poll::Ready(opened) = creating.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                    assert!(!scene.store().heal() && opened.is_ok());
                    break;
                }
            }
            scene.store().heal();
            let is_there = scene.store().rows() != before;
            let again = scene.house.open_sandbox(&order).unwrap();
            assert_eq!(again.created, !is_there, "all of it or nothing: {trouble:?}, step {step}");
            let key = Holder { developer: again.developer.reference, key: scene.holder.key, text: again.api_key };
            let token = SecretText::new(scene.house.token(&key));
            assert!(scene.house.reach(token.expose(), Some(again.entity.reference.id.as_str())).is_ok());
        }
    }
}
