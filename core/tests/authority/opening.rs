//! Opening a store: another host's is refused, and an authority without the master key verifies and does nothing else.

use std::sync::Arc;

use futures_executor::block_on;
use latchbook_core::authority::{Authority, AuthorityBuilder, BuildError, Fault, ImportError};
use latchbook_core::check::TokenPolicy;
use latchbook_core::key_store::{KeyStore, MemoryStore};
use latchbook_core::model::{DeclaredScope, EnvironmentName, Lifetime, Rejection, SecretText};
use latchbook_core::seal::MasterKey;

use crate::faults::{CHANGES, Scene};
use crate::races::at_once;
use crate::support::{
    Calls, House, ISSUER, LIVE, SANDBOX, START, TestClock, TestStore, Trouble, builder, fault, keyless, rejection,
};

fn staging() -> EnvironmentName {
    EnvironmentName::parse("staging").unwrap()
}

fn new_store() -> (Arc<TestStore>, Arc<TestClock>) {
    (TestStore::over(Arc::new(MemoryStore::new())), Arc::new(TestClock::at(START)))
}

/// How opening `house`'s store again ends, built after `change`.
fn reopen(house: &House, change: impl FnOnce(AuthorityBuilder) -> AuthorityBuilder) -> Result<Authority, BuildError> {
    block_on(change(builder(&house.store, &house.clock)).build())
}

#[test]
fn s15_a_store_of_another_issuer_is_refused_and_unchanged() {
    let house = House::new();
    let before = house.store.rows();
    for issuer in ["https://other.example.com", "https://api.example.com/x", "https://API.example.com"] {
        let refused = reopen(&house, |builder| builder.issuer(issuer).add_environments(true));
        assert!(matches!(refused, Err(BuildError::OtherIssuer { held, asked }) if held == ISSUER && asked == issuer));
    }
    assert!(house.store.rows() == before);
}

#[test]
fn s15_a_new_environment_is_refused_until_the_host_says_to_add_it() {
    let house = House::new();
    let before = house.store.rows();
    let three = [LIVE, SANDBOX, staging()];
    let refused = reopen(&house, |builder| builder.environments(&three));
    assert!(matches!(refused, Err(BuildError::NewEnvironment(name)) if name == staging()));
    assert!(house.store.rows() == before);
    for _ in 0..2 {
        let added = |builder: AuthorityBuilder| builder.environments(&three).add_environments(true);
        let house = House::open(Arc::clone(&house.store), Arc::clone(&house.clock), added);
        assert_eq!(house.signing_keys(staging()).len(), 1, "made once");
        assert_eq!(house.signing_keys(LIVE).len(), 1);
    }
    assert!(reopen(&house, |builder| builder.environments(&three)).is_ok(), "the store remembers");
}

#[test]
fn an_environment_that_is_not_mounted_is_unknown() {
    let house = House::new();
    let boxed = house.holder_in(SANDBOX, "acme");
    let token = house.token(&boxed);
    let live_alone =
        House::open(Arc::clone(&house.store), Arc::clone(&house.clock), |builder| builder.environments(&[LIVE]));
    assert_eq!(rejection(live_alone.admit(&token)), Rejection::UnknownSigningKey);
    assert_eq!(rejection(live_alone.exchange(&boxed)), Rejection::KeyEnvironment);
    assert!(house.admit(&token).is_ok());
}

#[test]
fn a_wrong_master_key_is_refused_at_open_and_nothing_is_changed() {
    let house = House::new();
    let before = house.store.rows();
    for byte in [0, 6, 8, 255] {
        let refused = reopen(&house, |builder| builder.master_key(MasterKey::from_bytes([byte; 32])));
        assert!(matches!(refused, Err(BuildError::WrongMasterKey)), "{byte}");
    }
    assert!(house.store.rows() == before);
    let (store, clock) = new_store();
    assert!(matches!(block_on(keyless(&store, &clock).build()), Err(BuildError::NoMasterKey)), "a new store needs one");
}

#[test]
fn an_authority_without_a_master_key_verifies_and_never_issues_or_changes_anything() {
    let scene = Scene::new(House::shared());
    let before = scene.house.store.rows();
    let store = TestStore::over(Arc::clone(scene.house.store.inner()));
    let verifier = House::verifying(Arc::clone(&store), Arc::new(TestClock::at(START)));
    assert!(verifier.reach(&scene.token, Some("acme-a")).is_ok());
    assert_eq!(rejection(verifier.reach(&scene.token, Some("none"))), Rejection::EntityForbidden);
    let scene = Scene { house: verifier, ..scene };
    for (name, change) in CHANGES {
        assert!(matches!(fault(change(&scene)), Fault::NoMasterKey), "{name}");
        assert!(store.rows() == before, "{name}");
    }
    let pem = SecretText::new("nonsense".to_owned());
    let imported = block_on(scene.house.authority.signing_keys().import(LIVE, &pem));
    assert!(matches!(imported, Err(ImportError::Key(_) | ImportError::Refusal(_))));
    block_on(scene.house.authority.shutdown()).unwrap();
    assert!(store.rows() == before);
}

#[test]
fn an_authority_without_a_master_key_learns_what_others_revoke() {
    let house = House::shared();
    let holder = house.holder("acme");
    let token = house.token(&holder);
    let store = TestStore::over(Arc::clone(house.store.inner()));
    let verifier = House::verifying(store, Arc::new(TestClock::at(START)));
    assert!(verifier.admit(&token).is_ok());
    house.revoke_key(&holder).unwrap();
    verifier.clock.advance(6);
    rejection(verifier.admit(&token));
    house.retire(LIVE).unwrap();
    let new = house.token(&house.key_of(&holder.developer, |_| {}));
    verifier.clock.advance(6);
    assert!(verifier.admit(&new).is_ok());
}

#[test]
fn a_store_fault_while_opening_is_a_fault_and_a_half_made_store_is_never_seen() {
    for trouble in [Trouble::Fails, Trouble::DoneButFails] {
        for step in 0.. {
            assert!(step < 20, "it never ends");
            let (store, clock) = new_store();
            let empty = store.rows();
            store.trouble(Calls::All, trouble, step..step + 1);
            let built = block_on(builder(&store, &clock).build());
            let met = store.heal();
            if let Err(error) = &built {
                assert!(matches!(error, BuildError::Store(_)), "step {step}: {error}");
                let is_whole = store.rows() != empty;
                assert!(!is_whole || trouble == Trouble::DoneButFails || step > 1, "step {step}");
            }
            let house = House::open(store, clock, |builder| builder);
            assert!(house.admit(&house.token(&house.holder("acme"))).is_ok(), "step {step}");
            if !met {
                built.unwrap();
                break;
            }
        }
    }
}

#[test]
fn several_nodes_that_set_one_store_up_at_once_all_open_it_and_it_is_set_up_once() {
    for _ in 0..20 {
        let memory: Arc<dyn KeyStore> = Arc::new(MemoryStore::shared());
        let nodes = at_once(4, |number| {
            let (store, clock) = (TestStore::over(Arc::clone(&memory)), Arc::new(TestClock::at(START)));
            let environments = [LIVE, SANDBOX, staging()];
            House::open(store, clock, |builder| {
                builder.environments(&environments[..2 + number % 2]).add_environments(true)
            })
        });
        for environment in [LIVE, SANDBOX, staging()] {
            assert_eq!(nodes[0].signing_keys(environment).len(), 1, "{environment}");
        }
        let token = nodes[0].token(&nodes[1].holder("acme"));
        assert!(nodes.iter().all(|node| node.admit(&token).is_ok()));
    }
}

#[test]
fn what_a_host_says_wrongly_is_refused_before_the_store_is_touched() {
    type Say = fn(AuthorityBuilder) -> AuthorityBuilder;
    type Wrong = (&'static str, Say, fn(&BuildError) -> bool);
    let wrong: [Wrong; 14] = [
        ("no issuer", |b| b.issuer(""), |e| matches!(e, BuildError::Issuer(_))),
        ("plain http", |b| b.issuer("http://api.example.com"), |e| matches!(e, BuildError::Issuer(_))),
        ("a loopback look-alike", |b| b.issuer("http://localhost.evil.com"), |e| matches!(e, BuildError::Issuer(_))),
        ("a user", |b| b.issuer("https://a@b.com"), |e| matches!(e, BuildError::Issuer(_))),
        ("a slash", |b| b.issuer("https://api.example.com/"), |e| matches!(e, BuildError::Issuer(_))),
        ("a query", |b| b.issuer("https://api.example.com?a"), |e| matches!(e, BuildError::Issuer(_))),
        ("a fragment", |b| b.issuer("https://api.example.com#a"), |e| matches!(e, BuildError::Issuer(_))),
        ("a line break", |b| b.issuer("https://api.example.com\n"), |e| matches!(e, BuildError::Issuer(_))),
        ("home is not mounted", |b| b.environments(&[SANDBOX]), |e| matches!(e, BuildError::Home(_))),
        ("no environment", |b| b.environments(&[]), |e| matches!(e, BuildError::Home(_))),
        ("no lifetime", |b| b.policy(policy(0, 3_600)), |e| matches!(e, BuildError::Policy)),
        ("default above longest", |b| b.policy(policy(61, 60)), |e| matches!(e, BuildError::Policy)),
        ("above a day", |b| b.policy(policy(60, 86_401)), |e| matches!(e, BuildError::Policy)),
        ("no scope", |b| b.scopes(NO_SCOPE), |e| matches!(e, BuildError::Scope(_))),
    ];
    for (name, change, is_right) in wrong {
        let (store, clock) = new_store();
        let refused = block_on(change(builder(&store, &clock)).build());
        assert!(refused.as_ref().is_err_and(is_right), "{name}: {refused:?}");
        assert_eq!(store.asked(), 0, "{name}");
    }
    assert!(matches!(block_on(Authority::builder().build()), Err(BuildError::NoStore)));
    for issuer in ["http://localhost:8080", "http://127.0.0.1", "http://[::1]:8080", "https://a/b"] {
        let (store, clock) = new_store();
        assert!(block_on(builder(&store, &clock).issuer(issuer).build()).is_ok(), "{issuer}");
    }
}

const NO_SCOPE: &[DeclaredScope] = &[DeclaredScope { token: "no scope", management: false }];

fn policy(default: u64, longest: u64) -> TokenPolicy {
    TokenPolicy {
        default_lifetime: Lifetime::seconds(default),
        longest_lifetime: Lifetime::seconds(longest),
        ..TokenPolicy::default()
    }
}
