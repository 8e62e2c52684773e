//! The audit chains: exactly one event per change in its own commit, without secrets, and whole or found broken.

use std::net::IpAddr;
use std::sync::Arc;

use futures_executor::block_on;
use latchbook_core::Actor;
use latchbook_core::authority::{SandboxActor, SandboxOrder};
use latchbook_core::key_store::{KeyStore as _, MemoryStore};
use latchbook_core::model::{
    AuditAction, AuditActor, AuditEvent, ChainId, FIRST_LINK, PepperId, Position, Rejection, Row, SecretText, Source,
    UnixTime,
};

use crate::faults::{CHANGES, Scene};
use crate::support::{
    Calls, House, LIVE, NOWHERE, SANDBOX, START, TestClock, TestStore, Trouble, Upkeep, developer, idempotent, new_key,
    rejection,
};

fn all_events(rows: Vec<Row>) -> Vec<AuditEvent> {
    let event = |row| match row {
        Row::Audit(event) => Some(event),
        _ => None,
    };
    rows.into_iter().filter_map(event).collect()
}

/// The events that `change` adds, by chain and number.
fn added(house: &House, change: impl FnOnce()) -> Vec<AuditEvent> {
    let before = all_events(house.store.rows());
    change();
    let mut events = all_events(house.store.rows());
    events.retain(|event| !before.contains(event));
    events.sort_by_key(|event| (event.chain.clone(), event.number));
    events
}

fn expected(name: &str, scene: &Scene) -> Vec<(ChainId, AuditAction)> {
    use AuditAction::*;
    let own = || ChainId::Developer(scene.holder.developer.clone());
    let live = |id| ChainId::Developer(developer(LIVE, id));
    let boxed = |id| ChainId::Developer(developer(SANDBOX, id));
    match name {
        "developers.create" => vec![(live("new"), DeveloperCreated)],
        "developers.suspend" => vec![(own(), DeveloperSuspended)],
        "developers.resume" => vec![(own(), DeveloperResumed)],
        "developers.revoke_tokens" => vec![(own(), DeveloperTokensRevoked)],
        "keys.create by the host" | "keys.create by a caller" => vec![(own(), KeyCreated)],
        "keys.import" => vec![(own(), KeyImported)],
        "keys.revoke" => vec![(own(), KeyRevoked)],
        "exchange" | "exchange for an entity" | "exchange_token" | "exchange_token for an entity" => {
            vec![(own(), TokenIssued)]
        }
        "revocation.token" | "revocation.presented" => vec![(own(), TokenRevoked)],
        "entities.create" => vec![(own(), EntityCreated)],
        "entities.remove" => vec![(own(), EntityRemoved)],
        "sandboxes.create" | "sandboxes.create with an idempotency key" => {
            vec![(boxed("new"), SandboxCreated), (boxed("new"), TokenIssued)]
        }
        "sandboxes.create repeated" => vec![(boxed("boxed"), KeyReplaced), (boxed("boxed"), TokenIssued)],
        "signing_keys.retire_now" => {
            vec![(ChainId::System(LIVE), SigningKeyCreated), (ChainId::System(LIVE), SigningKeyRetired)]
        }
        "signing_keys.rotate" => vec![(ChainId::System(LIVE), SigningKeyCreated)],
        "signing_keys.import" => {
            vec![(ChainId::System(LIVE), SigningKeyRetiring), (ChainId::System(LIVE), SigningKeyImported)]
        }
        other => panic!("`{other}` is a change that this table does not know: add its events"),
    }
}

#[test]
fn l8_every_change_writes_exactly_its_events_in_its_own_commit() {
    for (name, change) in CHANGES {
        let scene = Scene::new(House::new());
        let failed = added(&scene.house, || {
            scene.house.store.trouble(Calls::Writes, Trouble::Fails, 0..1);
            assert!(change(&scene).is_err(), "{name}");
            scene.house.store.heal();
        });
        assert_eq!(failed, [], "a failed commit writes none: {name}");
        // One commit alone can be done: what came with it came in the same commit.
        scene.house.store.trouble(Calls::Writes, Trouble::Fails, 1..usize::MAX);
        let events = added(&scene.house, || change(&scene).unwrap_or_else(|error| panic!("{name}: {error}")));
        scene.house.store.heal();
        let said: Vec<_> = events.iter().map(|event| (event.chain.clone(), event.action)).collect();
        assert_eq!(said, expected(name, &scene), "{name}");
        for event in &events {
            assert_eq!(event.at.seconds(), START, "{name}");
            assert!(!event.subject.is_empty(), "{name} says to what");
        }
    }
}

#[test]
fn l7_an_event_says_who_what_when_and_where_from() {
    let house = House::new();
    let holder = house.holder("acme");
    let address: IpAddr = "192.0.2.7".parse().unwrap();
    let from = Source::at(address);
    let issued = added(&house, || drop(house.exchange_with(&holder, |exchange| exchange.source = from).unwrap()));
    assert_eq!(issued[0].actor, AuditActor::Key { key: holder.key, token: None });
    assert_eq!(issued[0].source, Some(address));
    let principal = house.admit(&house.token(&holder)).unwrap();
    let by_token = AuditActor::Key { key: holder.key, token: Some(principal.token_id()) };
    let made = added(&house, || {
        let (actor, keys) = (Actor::Principal(&principal), house.authority.keys());
        block_on(keys.create(&actor, from, &holder.developer, &new_key("ledger:read"))).unwrap();
    });
    assert_eq!((&made[0].actor, made[0].source), (&by_token, Some(address)));
    house.clock.advance(90);
    for (actor, want) in [
        (SandboxActor::Host, AuditActor::Host),
        (SandboxActor::Open, AuditActor::Anonymous),
        (SandboxActor::Principal(&principal), by_token),
    ] {
        let order = SandboxOrder { idempotency_key: None, ..idempotent(&format!("box-{}", want_name(&want)), 'k') };
        let events = added(&house, || {
            block_on(house.authority.sandboxes().create(&actor, NOWHERE, &order)).unwrap();
        });
        assert_eq!((&events[0].actor, events[0].at.seconds(), events[0].source), (&want, START + 90, None));
    }
}

fn want_name(actor: &AuditActor) -> &'static str {
    match actor {
        AuditActor::Host => "host",
        AuditActor::Anonymous => "open",
        AuditActor::Upkeep | AuditActor::Key { .. } => "bearer",
    }
}

#[test]
fn l7_k8_no_event_and_no_row_holds_a_secret() {
    let scene = Scene::new(House::new());
    let mut secrets = vec![scene.holder.text.clone(), SecretText::new(scene.token.clone())];
    let opened = scene.house.open_sandbox(&idempotent("secret", 's')).unwrap();
    secrets.extend([opened.api_key, opened.token, SecretText::new("s".repeat(40))]);
    let made = block_on(scene.house.authority.keys().create(
        &Actor::Principal(&scene.principal),
        NOWHERE,
        &scene.holder.developer,
        &new_key("ledger:read"),
    ));
    secrets.push(made.unwrap().text);
    let entity = scene.house.exchange_with(&scene.holder, |exchange| exchange.entity = Some("acme-a"));
    secrets.push(entity.unwrap().token);
    scene.house.revoke_token(&scene.token).unwrap();
    scene.house.retire(LIVE).unwrap();
    scene.house.suspend(&scene.holder).unwrap();
    let rows = scene.house.store.rows();
    let shown = format!("{:?} {rows:?}", all_events(rows.clone()));
    for secret in secrets {
        // The part that nobody may know: a key's secret, a token's signature.
        let text = secret.expose();
        let hidden = text.rsplit(if text.contains('.') { '.' } else { '_' }).next().unwrap();
        assert!(hidden.len() >= 40 && !shown.contains(hidden) && !shown.contains(&hidden[..24]));
    }
}

/// A house with a chain of six events, and a look at the chain after `tamper` changed the rows.
fn tampered(tamper: impl FnOnce(&mut Vec<AuditEvent>)) -> (u64, Option<u64>) {
    let house = House::new();
    let holder = house.holder("acme");
    let chain = ChainId::Developer(holder.developer.clone());
    for _ in 0..4 {
        house.token(&holder);
    }
    let mut events = house.events(&chain);
    assert_eq!(events.len(), 6);
    tamper(&mut events);
    let mut rows = house.store.rows();
    rows.retain(|row| !matches!(row, Row::Audit(event) if event.chain == chain));
    rows.extend(events.into_iter().map(Row::Audit));
    let memory = MemoryStore::new();
    block_on(memory.load(rows)).unwrap();
    let house = House::open(TestStore::over(Arc::new(memory)), Arc::new(TestClock::at(START)), |builder| builder);
    let report = block_on(house.authority.audit().verify(&chain)).unwrap();
    (report.events, report.broken_at)
}

#[test]
fn a_chain_that_nobody_touched_holds() {
    assert_eq!(tampered(|_| {}), (6, None));
    let house = House::new();
    let nobody = ChainId::Developer(developer(LIVE, "nobody"));
    let report = block_on(house.authority.audit().verify(&nobody)).unwrap();
    assert_eq!((report.events, report.broken_at), (0, None), "an empty chain holds");
}

#[test]
fn an_event_that_was_changed_is_found() {
    type Change = (&'static str, fn(&mut AuditEvent));
    let changes: [Change; 10] = [
        ("at", |event| event.at = UnixTime::from_seconds(START + 1)),
        ("actor", |event| event.actor = AuditActor::Upkeep),
        ("action", |event| event.action = AuditAction::KeyRevoked),
        ("subject", |event| event.subject.push('x')),
        ("source", |event| event.source = Some(IpAddr::from([127, 0, 0, 1]))),
        ("details", |event| event.details.push(("a".to_owned(), "b".to_owned()))),
        ("no details", |event| event.details.clear()),
        ("key", |event| event.key = PepperId::from_bytes([9; 16])),
        ("link", |event| event.link[0] ^= 1),
        ("no link", |event| event.link = FIRST_LINK),
    ];
    for (name, change) in changes {
        for place in 0..6 {
            let (_, broken_at) = tampered(|events| {
                let was = events[place].clone();
                change(&mut events[place]);
                if events[place] == was {
                    // The first two have no details to clear.
                    events[place].subject.push('x');
                }
            });
            let number = place as u64 + 1;
            // A changed link breaks the event after it, too, which is looked at first.
            let wanted = if name.ends_with("link") && number < 6 { number + 1 } else { number };
            assert_eq!(broken_at, Some(wanted), "{name} of event {number}");
        }
    }
}

#[test]
fn events_that_were_removed_swapped_or_put_in_are_found() {
    type Tamper = (&'static str, fn(&mut Vec<AuditEvent>), u64);
    let cases: [Tamper; 6] = [
        ("one removed", |events| drop(events.remove(2)), 4),
        ("the first removed", |events| drop(events.remove(0)), 2),
        ("the first three removed", |events| drop(events.drain(..3)), 4),
        (
            "one removed, the others moved up",
            |events| {
                events.remove(2);
                events.iter_mut().skip(2).for_each(|event| event.number -= 1);
            },
            5,
        ),
        (
            "two swapped",
            |events| {
                (events[2].number, events[3].number) = (4, 3);
                events.swap(2, 3);
            },
            5,
        ),
        (
            "one put in at the end",
            |events| {
                let mut forged = events[5].clone();
                forged.number = 7;
                events.push(forged);
            },
            7,
        ),
    ];
    for (name, tamper, wanted) in cases {
        assert_eq!(tampered(tamper).1, Some(wanted), "{name}");
    }
}

#[test]
fn a_tail_that_was_cut_off_before_any_checkpoint_cannot_be_seen() {
    assert_eq!(tampered(|events| drop(events.pop())), (5, None));
    assert_eq!(tampered(|events| events.truncate(1)), (1, None));
}

#[test]
fn what_upkeep_does_is_audited_too() {
    let house = House::new();
    let holder = house.holder("acme");
    house.revoke_token(&house.token(&holder)).unwrap();
    house.clock.advance(3 * 3_600);
    let mut upkeep = Upkeep::of(&house.authority);
    let events = added(&house, || assert!(upkeep.round()));
    assert!(events.iter().all(|event| event.actor == AuditActor::Upkeep));
    let done = events.iter().filter(|event| event.action != AuditAction::AuditCheckpoint);
    let done: Vec<_> = done.map(|event| (&event.chain, event.action)).collect();
    assert_eq!(done, [(&ChainId::System(LIVE), AuditAction::StorePruned)]);
    house.clock.advance(60);
    assert_eq!(added(&house, || assert!(upkeep.round())), [], "a round that ends nothing writes no event");
}

#[test]
fn a_page_is_newest_first_and_the_next_one_goes_on_where_it_ended() {
    let house = House::new();
    let holder = house.holder("acme");
    for _ in 0..5 {
        house.token(&holder);
    }
    let chain = ChainId::Developer(holder.developer.clone());
    let (mut numbers, mut after) = (Vec::new(), None);
    loop {
        let (events, next) = block_on(house.authority.audit().page(&chain, after.as_ref(), 2)).unwrap();
        numbers.extend(events.iter().map(|event| event.number));
        after = next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(numbers, [7, 6, 5, 4, 3, 2, 1]);
}

#[test]
fn e17_l7_a_developer_does_not_see_the_events_of_an_earlier_one_with_its_id() {
    let house = House::new();
    let order = idempotent("acme", 'k');
    let first = house.open_sandbox(&order).unwrap();
    let owner = first.developer.reference;
    let page = |after: Option<&Position>, limit| block_on(house.authority.audit().page_of(&owner, after, limit));
    for _ in 0..3 {
        house.open_sandbox(&order).unwrap();
    }
    assert_eq!(page(None, 100).unwrap().0.len(), 8);
    let cursor = page(None, 2).unwrap().1.expect("there is more");
    house.clock.advance(7 * 86_400);
    Upkeep::of(&house.authority).round();
    assert_eq!(rejection(page(None, 100)), Rejection::NotFound);
    house.open_sandbox(&SandboxOrder { idempotency_key: None, ..order }).unwrap();
    for limit in [1, 2, 3, 100] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let (events, next) = page(after.as_ref(), limit).unwrap();
            seen.extend(events.into_iter().map(|event| event.action));
            after = next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, [AuditAction::TokenIssued, AuditAction::SandboxCreated], "{limit} at a time");
    }
    assert_eq!(page(Some(&cursor), 100).unwrap().0, [], "nor by a cursor of its own");
    let report = block_on(house.authority.audit().verify(&ChainId::Developer(owner.clone()))).unwrap();
    assert!(report.events >= 10 && report.broken_at.is_none(), "the chain goes on");
}
