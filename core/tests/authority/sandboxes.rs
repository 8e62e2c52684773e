//! Sandboxes that are computed: all of one or none of it, the same when asked again, never in live, gone when they end.

use futures_executor::block_on;
use latchbook_core::authority::{OpenedSandbox, SandboxOrder};
use latchbook_core::check::parse_key_text;
use latchbook_core::model::{
    AuditAction, ChainId, EntityRef, EnvironmentName, Record, Rejection, RevokedBy, Row, SandboxPreferences, SecretText,
};

use crate::support::{
    ALL_SCOPES, Calls, Holder, House, LIVE, SANDBOX, START, Trouble, Upkeep, developer, entity, fault, idempotent,
    order, rejection, revoked,
};

const DAY: u64 = 86_400;
const LIFETIME: u64 = 7 * DAY;

/// The sandbox's developer with its first key.
pub fn holder(opened: &OpenedSandbox) -> Holder {
    let key = parse_key_text(opened.api_key.expose()).expect("a key").id;
    Holder { developer: opened.developer.reference.clone(), key, text: opened.api_key.clone() }
}

/// The records of the developer `id` in the sandbox environment, by kind.
pub fn kinds(house: &House, id: &str) -> Vec<&'static str> {
    let wanted = developer(SANDBOX, id);
    let kind = |row: Row| match row {
        Row::Record(stored) => match stored.record {
            Record::Developer(found) if found.reference == wanted => Some("developer"),
            Record::ApiKey(found) if found.developer == wanted => Some("key"),
            Record::KeyActivity(found) if found.developer == wanted => Some("activity"),
            Record::Entity(found) if found.reference.developer == wanted => Some("entity"),
            Record::Sandbox(found) if found.developer == wanted => Some("sandbox"),
            Record::SandboxRequest(found) if found.developer == wanted.id => Some("request"),
            _ => None,
        },
        _ => None,
    };
    house.store.rows().into_iter().filter_map(kind).collect()
}

#[test]
fn an_open_sandbox_has_a_developer_a_key_with_every_scope_an_entity_data_and_a_token() {
    let house = House::new();
    let opened = house.open_sandbox(&order("acme")).unwrap();
    assert!(opened.created && opened.developer.reference == developer(SANDBOX, "acme"));
    assert_eq!(kinds(&house, "acme"), ["developer", "key", "entity", "sandbox"]);
    let holder = holder(&opened);
    assert_eq!(house.key_view(&holder).key.grant.tokens().to_string(), ALL_SCOPES);
    let entity = opened.entity.reference.id.as_str();
    for token in [opened.token.expose(), &house.token(&holder)] {
        let context = house.reach(token, Some(entity)).unwrap();
        assert_eq!((context.environment(), context.entity()), (SANDBOX, None), "a developer token of the sandbox");
    }
    assert!(house.reach(&house.entity_token(&holder, entity), None).is_ok());
    assert_eq!(opened.furnished.bank_accounts.len(), 9);
    assert_eq!(opened.expires_at.seconds(), START + LIFETIME);
}

#[test]
fn e18_the_same_order_again_under_its_idempotency_key_is_the_same_sandbox_with_a_new_key() {
    let house = House::new();
    let first = house.open_sandbox(&idempotent("acme", 'k')).unwrap();
    let mut last = holder(&first);
    let mut token = first.token.expose().to_owned();
    let rows = kinds(&house, "acme");
    for round in 0..3 {
        let again = house.open_sandbox(&idempotent("acme", 'k')).unwrap();
        assert!(!again.created);
        assert_eq!((&again.developer, &again.entity), (&first.developer, &first.entity));
        assert_eq!(again.furnished.ledger_id, first.furnished.ledger_id);
        assert_eq!(again.furnished.bank_accounts, first.furnished.bank_accounts);
        assert_eq!(again.expires_at, first.expires_at);
        assert_eq!(kinds(&house, "acme"), rows, "round {round}");
        assert_eq!(rejection(house.exchange(&last)), Rejection::KeyDigest, "a key is never shown twice");
        assert_eq!(revoked(house.admit(&token)), RevokedBy::Generation);
        (last, token) = (holder(&again), again.token.expose().to_owned());
        assert!(house.exchange(&last).is_ok() && house.admit(&token).is_ok());
    }
    house.revoke_key(&last).unwrap();
    let again = holder(&house.open_sandbox(&idempotent("acme", 'k')).unwrap());
    assert_ne!(again.key, last.key, "a key that was revoked stays revoked, and another takes its place");
    assert_eq!(rejection(house.exchange(&last)), Rejection::KeyRevoked);
    assert!(house.exchange(&again).is_ok());
}

#[test]
fn e18_a_sandbox_half_done_and_run_again_has_the_same_rows_as_once() {
    for trouble in [Trouble::Fails, Trouble::DoneButFails] {
        let house = House::new();
        house.store.trouble(Calls::Writes, trouble, 0..1);
        fault(house.open_sandbox(&idempotent("acme", 'k')));
        house.store.heal();
        assert_eq!(kinds(&house, "acme").is_empty(), trouble == Trouble::Fails);
        house.open_sandbox(&idempotent("acme", 'k')).unwrap();
        assert_eq!(kinds(&house, "acme"), ["developer", "key", "entity", "sandbox", "request"]);
    }
}

#[test]
fn an_idempotency_key_is_for_one_order_for_a_day_and_a_secret() {
    let house = House::new();
    house.open_sandbox(&idempotent("acme", 'k')).unwrap();
    let others: [fn(&mut SandboxOrder); 5] = [
        |order| order.name = "Other".to_owned(),
        |order| order.developer_id = "other".to_owned(),
        |order| order.industry = Some("farming".to_owned()),
        |order| order.preferences.currency = "EUR".to_owned(),
        |order| order.preferences = SandboxPreferences { locale: "de-DE".to_owned(), ..Default::default() },
    ];
    let before = house.store.rows();
    for change in others {
        let mut other = idempotent("acme", 'k');
        change(&mut other);
        assert_eq!(rejection(house.open_sandbox(&other)), Rejection::IdempotencyMismatch);
    }
    assert_eq!(rejection(house.open_sandbox(&idempotent("acme", 'x'))), Rejection::Conflict, "the id is taken");
    assert!(house.store.rows() == before);
    assert!(!format!("{before:?}").contains(&"k".repeat(32)));
    for text in ["", "short", &"k".repeat(31), &"k".repeat(129), &" ".repeat(40), &"ä".repeat(40)] {
        let wrong = SandboxOrder { idempotency_key: Some(SecretText::new((*text).to_owned())), ..order("new") };
        assert!(matches!(rejection(house.open_sandbox(&wrong)), Rejection::InvalidRequest { .. }), "{text:?}");
    }
    house.clock.advance(DAY - 1);
    assert!(!house.open_sandbox(&idempotent("acme", 'k')).unwrap().created);
    house.clock.advance(1);
    assert_eq!(rejection(house.open_sandbox(&idempotent("acme", 'k'))), Rejection::Conflict, "it is forgotten");
    assert!(house.open_sandbox(&idempotent("other", 'k')).unwrap().created, "and may be used anew");
    assert!(!house.open_sandbox(&idempotent("other", 'k')).unwrap().created);
}

#[test]
fn e19_a_sandbox_aimed_at_live_or_at_nowhere_is_refused_and_nothing_is_written() {
    let house = House::new();
    let before = house.store.rows();
    for environment in [LIVE, EnvironmentName::parse("staging").unwrap()] {
        for order in [order("acme"), idempotent("acme", 'k')] {
            let refused = house.open_sandbox(&SandboxOrder { environment, ..order });
            assert!(matches!(rejection(refused), Rejection::InvalidRequest { .. }), "{environment}");
        }
    }
    assert!(house.store.rows() == before);
}

#[test]
fn a_malformed_order_is_refused_and_nothing_is_written() {
    let house = House::new();
    let before = house.store.rows();
    let spoilt: [fn(&mut SandboxOrder); 8] = [
        |order| order.developer_id = String::new(),
        |order| order.developer_id = "..".to_owned(),
        |order| order.developer_id = "a b".to_owned(),
        |order| order.name = String::new(),
        |order| order.name = "x".repeat(201),
        |order| order.preferences.currency = "usd".to_owned(),
        |order| order.preferences.timezone = "a\nb".to_owned(),
        |order| order.industry = Some("x".repeat(101)),
    ];
    for (number, spoil) in spoilt.iter().enumerate() {
        let mut order = order("acme");
        spoil(&mut order);
        assert!(matches!(rejection(house.open_sandbox(&order)), Rejection::InvalidRequest { .. }), "{number}");
    }
    assert!(house.store.rows() == before);
}

#[test]
fn a_sandbox_that_has_ended_is_removed_whole_and_its_tokens_stay_dead() {
    let house = House::new();
    let opened = house.open_sandbox(&order("acme")).unwrap();
    let holder = holder(&opened);
    house.entity(&holder, "second");
    house.key_of(&holder.developer, |_| {});
    let kept = house.open_sandbox(&order("kept")).unwrap();
    let mut upkeep = Upkeep::of(&house.authority);
    house.clock.advance(LIFETIME - 1);
    assert!(block_on(house.authority.sandboxes().get(&holder.developer)).is_ok());
    let token =
        house.exchange_with(&house.key_of(&holder.developer, |_| {}), |exchange| exchange.lifetime = Some(3_600));
    let token = token.unwrap().token;
    house.clock.advance(1);
    assert_eq!(rejection(block_on(house.authority.sandboxes().get(&holder.developer))), Rejection::NotFound);
    assert_eq!(rejection(house.exchange(&holder)), Rejection::KeyExpired);
    upkeep.round();
    assert_eq!(kinds(&house, "acme"), Vec::<&str>::new());
    assert_eq!(kinds(&house, "kept"), Vec::<&str>::new(), "it has ended just as well: {:?}", kept.expires_at);
    assert_eq!(rejection(house.exchange(&holder)), Rejection::KeyUnknown);
    assert_eq!(revoked(house.admit(token.expose())), RevokedBy::Developer);
    assert!(house.events(&ChainId::System(SANDBOX)).iter().any(|event| event.action == AuditAction::SandboxEnded));

    // Somebody else may take the id; what the first one held does not work there.
    let again = house.open_sandbox(&order("acme")).unwrap();
    assert_eq!(revoked(house.admit(token.expose())), RevokedBy::Developer);
    assert_eq!(rejection(house.exchange(&holder)), Rejection::KeyUnknown);
    assert!(house.admit(again.token.expose()).is_ok());
    assert_eq!(kinds(&house, "acme"), ["developer", "key", "entity", "sandbox"]);
}

#[test]
fn t1_e16_tokens_of_a_removed_developer_are_dead_for_the_next_one_also_with_the_clock_set_back() {
    let house = House::new();
    let old = house.open_sandbox(&order("acme")).unwrap().token;
    house.clock.advance(LIFETIME);
    // No prune keeps the time from going back, but the sandbox is removed.
    house.store.trouble(Calls::Writes, Trouble::Fails, 0..1);
    Upkeep::of(&house.authority).round();
    assert!(house.store.heal() && kinds(&house, "acme").is_empty());
    let house = house.restarted(START);
    let new = house.open_sandbox(&order("acme")).unwrap().token;
    assert_eq!(revoked(house.admit(old.expose())), RevokedBy::Developer);
    assert!(house.admit(new.expose()).is_ok());
}

#[test]
fn the_use_of_a_key_that_was_removed_with_its_sandbox_leaves_nothing_behind() {
    let house = House::new();
    let opened = house.open_sandbox(&order("acme")).unwrap();
    let mut upkeep = Upkeep::of(&house.authority);
    house.clock.advance(LIFETIME - 1);
    house.exchange(&holder(&opened)).unwrap();
    upkeep.round();
    assert_eq!(kinds(&house, "acme"), ["developer", "key", "activity", "entity", "sandbox"]);
    house.clock.advance(60);
    upkeep.round();
    assert_eq!(kinds(&house, "acme"), Vec::<&str>::new());
}

#[test]
fn upkeep_that_fails_at_any_step_removes_all_of_a_sandbox_or_leaves_it_and_tries_again() {
    for step in 0.. {
        assert!(step < 40, "it never ends");
        let house = House::new();
        house.open_sandbox(&order("acme")).unwrap();
        house.clock.advance(LIFETIME);
        let mut upkeep = Upkeep::of(&house.authority);
        house.store.trouble(Calls::All, Trouble::Fails, step..step + 1);
        upkeep.round();
        let met = house.store.heal();
        if !kinds(&house, "acme").is_empty() {
            let none = EntityRef { developer: developer(SANDBOX, "acme"), id: entity("x") };
            assert!(block_on(house.authority.entities().get(&none)).is_err());
            house.clock.advance(60);
            upkeep.round();
        }
        assert_eq!(kinds(&house, "acme"), Vec::<&str>::new(), "step {step}");
        if !met {
            break;
        }
    }
}
