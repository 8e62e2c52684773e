//! Signing keys are turned over by upkeep: nobody who holds a good token notices.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

#[path = "support/tended.rs"]
mod tended;

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_executor::block_on;
use latchbook_core::authority::Authority;
#[cfg(feature = "aws-lc")]
use latchbook_core::jose::SignatureProvider;
use latchbook_core::jose::SigningPair;
use latchbook_core::key_store::{KeyStore as _, KeyStoreExt as _};
use latchbook_core::model::{
    Algorithm, AuditAction, AuditActor, EnvironmentName, Lifetime, PublicKey, Record, RecordKey, Rejection, Row,
    SealedBytes, SigningKeyState, Stored,
};
use latchbook_core::token_issuer::JwtIssuer;
use latchbook_core::{BuildError, Refusal};

use tended::*;

/// The `kid` that a token's header names.
fn key_of(token: &str) -> String {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    let header: serde_json::Value = serde_json::from_slice(&header).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

fn house() -> (Arc<TestStore>, Arc<TestClock>, Process) {
    let (store, clock) = (TestStore::new(), Arc::new(TestClock::at(START)));
    let process = Process::start(&store, &clock, |builder| builder);
    (store, clock, process)
}

/// Lets `days` pass, with upkeep at its work every hour.
fn pass_days(clock: &TestClock, process: &mut Process, days: u64) {
    for _ in 0..days * 24 {
        clock.advance(HOUR);
        process.tend();
    }
}

#[test]
fn r2_no_good_token_is_refused_and_none_is_made_with_a_retiring_key() {
    let (store, clock, mut process) = house();
    let holder = process.developer("ada");
    let mut published: BTreeMap<String, u64> = BTreeMap::new();
    let mut tokens: Vec<(u64, String)> = Vec::new();
    let mut signed_with = Vec::new();
    let first = store.active();
    process.tend();
    clock.advance(87 * DAY);
    for quarter in 0..8 * 24 * 4 {
        let age = quarter * 15 * MINUTE;
        process.tend();
        for id in process.published() {
            published.entry(id.as_str().to_owned()).or_insert(age);
        }
        let token = process.token(&holder).expose().to_owned();
        let key = key_of(&token);
        assert_eq!(key, store.active().as_str(), "the active key signs");
        let shown_for = age - published[&key];
        assert!(key == first.as_str() || shown_for >= DAY, "{key} signs {shown_for} s after it was published");
        if signed_with.last() != Some(&key) {
            signed_with.push(key);
        }
        tokens.retain(|(made, _)| age < made + HOUR);
        tokens.push((age, token));
        for (made, token) in &tokens {
            assert!(process.admits(token).is_ok(), "a token of {made}, at {age}");
        }
        clock.advance(15 * MINUTE);
    }
    assert_eq!(signed_with.len(), 2, "90 days are over once in 95");
    assert_eq!(store.in_state(SigningKeyState::Retired), [first]);
}

#[test]
fn each_step_is_published_and_audited() {
    let (store, clock, mut process) = house();
    let first = store.active();
    pass_days(&clock, &mut process, 88);
    clock.advance(DAY - 1);
    process.tend();
    assert_eq!(store.keys(LIVE).len(), 1, "not a second early");
    clock.advance(MINUTE);
    process.tend();
    let next = store.in_state(SigningKeyState::Next);
    assert_eq!((next.len(), store.active()), (1, first.clone()));
    assert!(process.published().contains(&next[0]), "it is published while it waits");

    clock.advance(DAY - MINUTE);
    process.tend();
    assert_eq!(store.active(), first, "not a second early");
    clock.advance(MINUTE);
    process.tend();
    assert_eq!(store.active(), next[0]);
    assert!(process.published().contains(&first), "the older key still verifies");
    clock.advance(2 * HOUR);
    process.tend();
    assert_eq!(process.published(), next);

    let turned = [
        (AuditActor::Host, AuditAction::SigningKeyCreated, &first),
        (AuditActor::Upkeep, AuditAction::SigningKeyCreated, &next[0]),
        (AuditActor::Upkeep, AuditAction::SigningKeyActivated, &next[0]),
        (AuditActor::Upkeep, AuditAction::SigningKeyRetiring, &first),
        (AuditActor::Upkeep, AuditAction::SigningKeyRetired, &first),
    ];
    let events = store.events(&SYSTEM);
    let events: Vec<_> = events.iter().filter(|event| event.action.name().starts_with("signing_key.")).collect();
    assert_eq!(events.len(), turned.len());
    for (event, (actor, action, key)) in events.iter().zip(turned) {
        assert_eq!((&event.actor, event.action, event.subject.as_str()), (&actor, action, key.as_str()));
    }
    assert_eq!(events[0].details, [("alg".into(), "EdDSA".into()), ("state".into(), "active".to_owned())]);
    assert_eq!(events[1].details, [("alg".into(), "EdDSA".into()), ("state".into(), "next".to_owned())]);
    assert_eq!(events[3].details[0].0, "until");
}

#[test]
fn a_successor_keeps_its_environments_algorithm_also_when_the_host_says_none() {
    let (store, clock) = (TestStore::new(), Arc::new(TestClock::at(START)));
    drop(Process::start(&store, &clock, |builder| builder.algorithm(LIVE, Algorithm::Es256)));
    let mut process = Process::start(&store, &clock, |builder| builder);
    pass_days(&clock, &mut process, 91);
    let active = store.active();
    let keys = process.authority.public_keys(LIVE).unwrap();
    assert!(matches!(keys.iter().find(|(id, _)| *id == active), Some((_, PublicKey::P256(_)))));
    let sandbox = process.authority.public_keys(EnvironmentName::SANDBOX).unwrap();
    assert!(matches!(sandbox[..], [(_, PublicKey::Ed25519(_))]), "turned over as well");
    assert_eq!(store.keys(EnvironmentName::SANDBOX).len(), 2);
}

#[test]
#[cfg(feature = "aws-lc")]
fn an_rsa_key_is_turned_over_where_its_successor_can_be_generated_and_left_alone_elsewhere() {
    let (store, clock) = (TestStore::shared(), Arc::new(TestClock::at(START)));
    let mut able = Process::start(&store, &clock, |builder| {
        builder.algorithm(LIVE, Algorithm::Rs256).signature_provider(SignatureProvider::AwsLc)
    });
    let holder = able.developer("ada");
    let first = store.active();
    let mut unable = Process::start(&store, &clock, |builder| builder);
    clock.advance(89 * DAY);
    pass_days(&clock, &mut unable, 2);
    assert_eq!(
        (store.keys(LIVE).len(), store.active()),
        (1, first.clone()),
        "ring makes no successor, and no other key"
    );

    for _ in 0..12 {
        clock.advance(HOUR);
        able.tend();
    }
    let next = store.in_state(SigningKeyState::Next);
    assert_eq!((next.len(), store.active()), (1, first));
    // To put it in use no key is generated: either process does.
    pass_days(&clock, &mut unable, 2);
    assert_eq!(store.active(), next[0]);
    assert!(matches!(store.keys(LIVE)[1].public, PublicKey::Rsa { .. }));
    let tokens = [able.token(&holder), unable.token(&holder)];
    for token in &tokens {
        assert_eq!(key_of(token.expose()), next[0].as_str());
        assert!(able.admits(token.expose()).is_ok() && unable.admits(token.expose()).is_ok());
    }
}

#[test]
fn two_processes_make_one_successor_and_there_is_always_one_active_key() {
    let (store, clock) = (TestStore::shared(), Arc::new(TestClock::at(START)));
    let mut one = Process::start(&store, &clock, |builder| builder);
    let mut other = Process::start(&store, &clock, |builder| builder);
    let holder = one.developer("ada");
    let first = store.active();
    clock.advance(88 * DAY + 12 * HOUR);
    let mut tokens: Vec<(u64, String)> = Vec::new();
    for half_hour in 0..2 * 24 * 4 {
        // Each read of a list lets the other go first, so that both decide on what they read before either writes.
        for _ in 0..12 {
            one.tend();
            other.tend();
        }
        store.active();
        assert!(store.in_state(SigningKeyState::Next).len() <= 1, "one successor");
        // Past `max_staleness`, both know which key is the active one.
        clock.advance(6);
        tokens.retain(|(made, _)| half_hour < made + 2);
        for process in [&one, &other] {
            let token = process.token(&holder).expose().to_owned();
            assert_eq!(key_of(&token), store.active().as_str());
            tokens.push((half_hour, token));
        }
        for (_, token) in &tokens {
            assert!(one.admits(token).is_ok() && other.admits(token).is_ok());
        }
        clock.advance(30 * MINUTE);
    }
    assert_ne!(store.active(), first);
    assert_eq!(store.keys(LIVE).len(), 2, "no successor was made in vain");
}

#[test]
fn a_process_that_has_not_heard_yet_signs_with_the_newer_key_all_the_same_and_its_earlier_tokens_stay_good() {
    let (store, clock) = (TestStore::shared(), Arc::new(TestClock::at(START)));
    let mut one = Process::start(&store, &clock, |builder| builder);
    let other = Process::start(&store, &clock, |builder| builder);
    let holder = one.developer("ada");
    let first = block_on(other.authority.signing_keys().rotate(LIVE)).map(|_| store.active()).unwrap();
    for _ in 0..10 {
        one.tend();
    }
    clock.advance(DAY);
    // The other reads the feed here, and does not by itself for five seconds.
    let early = other.token(&holder).expose().to_owned();
    assert_eq!(key_of(&early), first.as_str());
    for _ in 0..10 {
        one.tend();
    }
    assert_ne!(store.active(), first);
    let late = other.token(&holder).expose().to_owned();
    assert_eq!(key_of(&late), store.active().as_str());
    clock.advance(HOUR - 1);
    for token in [&early, &late] {
        assert!(one.admits(token).is_ok() && other.admits(token).is_ok(), "to its last second");
    }
}

#[test]
fn a_clock_that_jumps_a_year_ahead_makes_one_successor_that_waits_its_day() {
    let (store, clock, mut process) = house();
    process.tend();
    let first = store.active();
    clock.set_ahead(365 * DAY);
    clock.advance(MINUTE);
    process.tend();
    assert_eq!((store.active(), store.in_state(SigningKeyState::Next).len()), (first.clone(), 1));
    pass_days(&clock, &mut process, 1);
    process.tend();
    assert_ne!(store.active(), first);
    assert!(store.in_state(SigningKeyState::Next).is_empty(), "one turnover, not four");
}

#[test]
fn a_jump_while_a_successor_waits_does_not_hurry_it_past_the_caches() {
    let (store, clock, mut process) = house();
    let first = store.active();
    let holder = process.developer("ada");
    let next = block_on(process.authority.signing_keys().rotate(LIVE)).unwrap();
    process.tend();
    clock.set_ahead(365 * DAY);
    for _ in 0..5 {
        clock.advance(MINUTE);
        process.tend();
        assert_eq!(store.active(), first, "key sets of 300 s may still be without it");
    }
    clock.advance(MINUTE);
    process.tend();
    assert_eq!(store.active(), next);
    // The next key is as old as the jump was long, so its own turnover is due at once, and takes its day.
    clock.advance(MINUTE);
    process.tend();
    let after = store.in_state(SigningKeyState::Next);
    assert_eq!((after.len(), store.active()), (1, next));
    pass_days(&clock, &mut process, 1);
    process.tend();
    assert_eq!(store.active(), after[0]);
    assert!(process.admits(process.token(&holder).expose()).is_ok());
}

#[test]
fn a_restart_in_any_state_goes_on_where_it_was() {
    let (store, clock, mut process) = house();
    let holder = process.developer("ada");
    let mut states = Vec::new();
    let mut held: Vec<(u64, String)> = Vec::new();
    for half_hour in 0..2 * 24 * 92 {
        if half_hour % 7 == 0 || half_hour > 2 * 24 * 88 {
            process = Process::start(&store, &clock, |builder| builder);
        }
        // The clock that never goes back sees a quarter of an hour since the restart.
        process.tend();
        clock.advance(15 * MINUTE);
        process.tend();
        clock.advance(15 * MINUTE);
        held.retain(|(made, _)| half_hour < made + 2);
        for (_, token) in &held {
            assert!(process.admits(token).is_ok());
        }
        held.push((half_hour, process.token(&holder).expose().to_owned()));
        let state: Vec<_> = store.keys(LIVE).iter().map(|key| std::mem::discriminant(&key.state)).collect();
        if states.last() != Some(&state) {
            states.push(state);
        }
    }
    assert_eq!(states.len(), 4, "active; and a successor; retiring and active; retired and active");
}

#[test]
fn an_imported_key_is_left_alone_and_a_successor_that_waits_for_its_place_is_retired() {
    let (store, clock, mut process) = house();
    let next = block_on(process.authority.signing_keys().rotate(LIVE)).unwrap();
    let (text, pair) = pem();
    let imported = block_on(process.authority.signing_keys().import(LIVE, &text)).unwrap();
    assert_eq!(imported, *pair.id());
    assert_eq!(store.in_state(SigningKeyState::Retired), [next]);
    pass_days(&clock, &mut process, 200);
    assert_eq!(process.published(), [imported]);
    let refused = block_on(process.authority.signing_keys().rotate(LIVE));
    assert!(matches!(refused, Err(Refusal::Rejected(Rejection::InvalidRequest { .. }))));
}

#[test]
fn two_that_import_at_once_leave_one_active_key() {
    let (store, clock) = (TestStore::shared(), Arc::new(TestClock::at(START)));
    let foreign = Arc::new(JwtIssuer::new(Vec::new(), None).unwrap());
    drop(Process::start(&store, &clock, |builder| builder.token_issuer(LIVE, foreign)));
    assert!(store.keys(LIVE).is_empty());
    let one = Process::start(&store, &clock, |builder| builder);
    let other = Process::start(&store, &clock, |builder| builder);
    let (texts, imports) = ((pem().0, pem().0), (one.authority.signing_keys(), other.authority.signing_keys()));
    let (first, second) = together(imports.0.import(LIVE, &texts.0), imports.1.import(LIVE, &texts.1));
    let (first, second) = (first.unwrap(), second.unwrap());
    let active = store.active();
    assert!(active == first || active == second);
    assert_eq!(store.keys(LIVE).len(), 2, "the other one is retiring");
}

#[test]
fn without_a_lifetime_keys_turn_over_on_demand_alone() {
    let (store, clock) = (TestStore::new(), Arc::new(TestClock::at(START)));
    let mut process = Process::start(&store, &clock, |builder| builder.signing_key_lifetime(None));
    pass_days(&clock, &mut process, 400);
    let first = store.active();
    assert_eq!(process.published(), std::slice::from_ref(&first));
    let next = block_on(process.authority.signing_keys().rotate(LIVE)).unwrap();
    assert_eq!(block_on(process.authority.signing_keys().rotate(LIVE)).unwrap(), next, "it waits already");
    assert_eq!(process.published().len(), 2);
    pass_days(&clock, &mut process, 1);
    assert_eq!(store.active(), next);
    pass_days(&clock, &mut process, 1);
    assert_eq!(process.published(), [next]);
}

#[test]
fn a_lifetime_that_leaves_no_time_for_a_successor_is_refused() {
    for (seconds, good) in [(0, false), (2 * DAY, false), (2 * DAY + 1, true)] {
        let built = Authority::builder()
            .shared_store(TestStore::new())
            .issuer("https://a.test")
            .master_key(master_key())
            .signing_key_lifetime(Lifetime::seconds(seconds))
            .build();
        match block_on(built) {
            Ok(_) => assert!(good, "{seconds}"),
            Err(error) => assert!(!good && matches!(error, BuildError::SigningKeyLifetime), "{seconds}: {error}"),
        }
    }
}

#[test]
fn a_successor_that_waits_signs_at_once_when_the_active_key_is_retired_now() {
    let (store, _, process) = house();
    let holder = process.developer("ada");
    let first = store.active();
    let old = process.token(&holder).expose().to_owned();
    let keys = process.authority.signing_keys();
    let next = block_on(keys.rotate(LIVE)).unwrap();
    block_on(keys.retire_now(LIVE, &first)).unwrap();
    assert_eq!((store.active(), process.published()), (next.clone(), vec![next.clone()]));
    let refused = process.admits(&old);
    assert!(matches!(refused, Err(Refusal::Rejected(Rejection::UnknownSigningKey))));
    assert!(process.admits(process.token(&holder).expose()).is_ok());
    // Without one, a fresh key is made.
    block_on(keys.retire_now(LIVE, &next)).unwrap();
    assert!(process.admits(process.token(&holder).expose()).is_ok());
    assert_eq!(store.keys(LIVE).len(), 3);
}

#[test]
fn a_successor_can_be_retired_before_it_ever_signs() {
    let (store, clock, mut process) = house();
    let first = store.active();
    let next = block_on(process.authority.signing_keys().rotate(LIVE)).unwrap();
    block_on(process.authority.signing_keys().retire_now(LIVE, &next)).unwrap();
    pass_days(&clock, &mut process, 2);
    assert_eq!(process.published(), [first]);
}

#[test]
fn keys_of_a_hosts_own_issuer_are_its_own_business() {
    let (store, clock) = (TestStore::new(), Arc::new(TestClock::at(START)));
    let pair = Arc::new(SigningPair::generate(Algorithm::EdDsa).unwrap().0);
    let issuer = Arc::new(JwtIssuer::new(Vec::new(), Some(pair)).unwrap());
    drop(Process::start(&store, &clock, |builder| builder));
    let first = store.active();
    let mut process = Process::start(&store, &clock, |builder| builder.token_issuer(LIVE, issuer));
    pass_days(&clock, &mut process, 200);
    assert_eq!((store.active(), store.keys(LIVE).len()), (first, 1), "a key from before is left as it was");
    let refused = block_on(process.authority.signing_keys().rotate(LIVE));
    assert!(matches!(refused, Err(Refusal::Rejected(Rejection::NotFound))));
}

#[test]
fn a_successor_that_cannot_sign_never_takes_over() {
    let (store, clock, mut process) = house();
    let holder = process.developer("ada");
    let first = store.active();
    let keys = process.authority.signing_keys();
    let next = block_on(keys.rotate(LIVE)).unwrap();
    let held = block_on(store.get_one(RecordKey::SigningKey(LIVE, next))).unwrap().unwrap();
    let Record::SigningKey(mut spoilt) = held.record else { panic!("a signing key") };
    spoilt.private = SealedBytes(vec![0; 60]);
    block_on(store.load(vec![Row::Record(Stored { record: Record::SigningKey(spoilt), ..held })])).unwrap();
    pass_days(&clock, &mut process, 2);
    assert_eq!(store.active(), first);
    // Nor is it used in an emergency: a fresh key is.
    block_on(process.authority.signing_keys().retire_now(LIVE, &first)).unwrap();
    assert!(process.admits(process.token(&holder).expose()).is_ok());
}

#[test]
fn a_store_fault_leaves_every_key_as_it_was_and_the_step_is_taken_later() {
    let (store, clock, mut process) = house();
    let holder = process.developer("ada");
    clock.advance(89 * DAY);
    for (seconds, active_changes) in [(0, false), (DAY, true), (2 * HOUR, false)] {
        clock.advance(seconds);
        let (before, active) = (store.keys(LIVE), store.active());
        store.fail(true);
        for _ in 0..7 {
            clock.advance(MINUTE);
            process.tend();
        }
        assert_eq!(store.keys(LIVE), before);
        store.fail(false);
        clock.advance(MINUTE);
        process.tend();
        assert_ne!(store.keys(LIVE), before);
        assert_eq!(store.active() != active, active_changes);
        assert!(process.admits(process.token(&holder).expose()).is_ok());
    }
}
