//! What is counted in memory and written merged, and how often things may be tried.

use std::net::IpAddr;

use futures_executor::block_on;
use latchbook_core::authority::{Limits, SandboxActor};
use latchbook_core::model::{
    AuditAction, ChainId, Rejection, Row, SecretText, Source, UnixTime, UsageCounts, UsageRow,
};

use crate::races::at_once;
use crate::support::{
    Calls, Holder, House, LIVE, NOWHERE, START, Trouble, Upkeep, fault, idempotent, order, rejection,
};

const DAY: u64 = 86_400;

fn usage(house: &House) -> Vec<UsageRow> {
    let usage = |row| match row {
        Row::Usage(row) => Some(row),
        _ => None,
    };
    house.store.rows().into_iter().filter_map(usage).collect()
}

/// Requests and exchanges of `holder`, over all days.
fn counted(house: &House, holder: &Holder) -> (u64, u64) {
    let total = usage(house)
        .into_iter()
        .filter(|row| row.key == holder.key)
        .fold(UsageCounts::default(), |total, row| total.plus(row.counts));
    (total.requests, total.exchanges)
}

fn use_it(house: &House, holder: &Holder, exchanges: u64, requests: u64) {
    for _ in 0..exchanges {
        house.token(holder);
    }
    let token = (requests > 0).then(|| house.token(holder));
    (0..requests).for_each(|_| assert!(house.admit(token.as_ref().unwrap()).is_ok()));
}

#[test]
fn shutdown_writes_what_was_counted_and_when_a_key_was_last_used() {
    let house = House::new();
    let (acme, other) = (house.holder("acme"), house.holder("other"));
    assert_eq!(house.key_view(&acme).last_used_at, None);
    use_it(&house, &acme, 2, 3);
    use_it(&house, &other, 1, 0);
    assert!(usage(&house).is_empty(), "no request writes");
    house.clock.advance(7);
    block_on(house.authority.shutdown()).unwrap();
    assert_eq!((counted(&house, &acme), counted(&house, &other)), ((3, 3), (0, 1)));
    assert_eq!(house.key_view(&acme).last_used_at, Some(UnixTime::from_seconds(START + 7)));
    let rows = house.store.rows();
    block_on(house.authority.shutdown()).unwrap();
    assert!(house.store.rows() == rows, "what was written is not written again");
}

#[test]
fn a_guarded_request_reads_and_writes_nothing() {
    let house = House::new();
    let token = house.token(&house.holder("acme"));
    house.admit(&token).unwrap();
    let (asked, rows) = (house.store.asked(), house.store.rows());
    for _ in 0..1_000 {
        house.admit(&token).unwrap();
    }
    assert_eq!(house.store.asked(), asked);
    assert!(house.store.rows() == rows);
    assert_eq!((house.authority.statistics().verified, house.authority.statistics().recognised), (1, 1_000));
}

#[test]
fn a_token_that_rested_for_a_while_is_counted_again() {
    let house = House::new();
    let acme = house.holder("acme");
    let token = house.token(&acme);
    for used in 1..=3 {
        house.admit(&token).unwrap();
        for _ in 0..3 {
            block_on(house.authority.shutdown()).unwrap();
        }
        assert_eq!(counted(&house, &acme), (used, 1));
    }
}

#[test]
fn counts_that_cannot_be_written_are_kept_and_written_later() {
    let house = House::new();
    let acme = house.holder("acme");
    let mut upkeep = Upkeep::of(&house.authority);
    house.store.trouble(Calls::Writes, Trouble::Fails, 0..usize::MAX);
    for round in 0..3 {
        // The exchange's own commit must work.
        house.store.heal();
        use_it(&house, &acme, 0, 5);
        house.store.trouble(Calls::Writes, Trouble::Fails, 0..usize::MAX);
        upkeep.round();
        fault(block_on(house.authority.shutdown()));
        assert!(usage(&house).is_empty(), "round {round}");
    }
    house.store.heal();
    block_on(house.authority.shutdown()).unwrap();
    assert_eq!(counted(&house, &acme), (15, 3));
}

#[test]
fn counts_whose_writing_nobody_answered_for_are_neither_lost_nor_counted_twice() {
    let house = House::new();
    let acme = house.holder("acme");
    for used in 1..=3 {
        use_it(&house, &acme, 0, 5);
        house.store.trouble(Calls::Writes, Trouble::DoneButFails, 0..1);
        fault(block_on(house.authority.shutdown()));
        house.store.heal();
        // What comes meanwhile is counted as well.
        use_it(&house, &acme, 1, 0);
        block_on(house.authority.shutdown()).unwrap();
        assert_eq!(counted(&house, &acme), (5 * used, 2 * used));
    }
}

#[test]
fn every_day_has_a_row_of_its_own_and_the_last_use_never_goes_back() {
    let house = House::new();
    let acme = house.holder("acme");
    for _ in 0..3 {
        use_it(&house, &acme, 1, 0);
        block_on(house.authority.shutdown()).unwrap();
        house.clock.advance(DAY);
    }
    assert_eq!(usage(&house).len(), 3);
    let last = house.key_view(&acme).last_used_at;
    assert_eq!(last, Some(UnixTime::from_seconds(START + 2 * DAY)));
    let behind = house.restarted(START);
    use_it(&behind, &acme, 1, 0);
    block_on(behind.authority.shutdown()).unwrap();
    assert_eq!(behind.key_view(&acme).last_used_at, last);
}

#[test]
fn upkeep_writes_counts_every_round_and_ends_with_its_authority() {
    let house = House::new();
    let acme = house.holder("acme");
    let mut upkeep = Upkeep::of(&house.authority);
    for round in 1..=3 {
        use_it(&house, &acme, 1, 0);
        assert!(upkeep.round());
        assert_eq!(counted(&house, &acme), (0, round));
    }
    drop(house);
    assert!(!upkeep.round());
}

#[test]
fn refused_exchanges_are_written_merged_by_upkeep_and_never_by_the_request() {
    let house = House::new();
    let acme = house.holder("acme");
    house.revoke_key(&acme).unwrap();
    let nonsense = Holder { text: SecretText::new("nonsense".to_owned()), ..acme.clone() };
    let rows = house.store.rows();
    for _ in 0..5 {
        rejection(house.exchange(&acme));
        rejection(house.exchange(&nonsense));
    }
    rejection(house.exchange(&nonsense));
    assert!(house.store.rows() == rows, "a refused request writes nothing");
    for trouble in [Trouble::Fails, Trouble::DoneButFails] {
        house.store.trouble(Calls::Writes, trouble, 0..1);
        fault(block_on(house.authority.shutdown()));
        house.store.heal();
    }
    block_on(house.authority.shutdown()).unwrap();
    let mut merged: Vec<_> = house
        .events(&ChainId::System(LIVE))
        .into_iter()
        .filter(|event| event.action == AuditAction::ExchangesRefused)
        .map(|event| (event.subject, event.details))
        .collect();
    merged.sort();
    let count = |count: &str| vec![("count".to_owned(), count.to_owned())];
    assert_eq!(merged, [("key_revoked".to_owned(), count("5")), ("key_text".to_owned(), count("6"))]);
}

fn limited() -> House {
    House::with(|builder| builder.limits(Limits::default()))
}

fn at(address: &str) -> Source {
    Source::at(address.parse::<IpAddr>().unwrap())
}

#[test]
fn k7_after_too_many_wrong_keys_from_one_address_only_wrong_keys_from_there_are_limited() {
    let house = limited();
    let acme = house.holder("acme");
    let wrong = Holder { text: SecretText::new("nonsense".to_owned()), ..acme.clone() };
    let try_it = |holder: &Holder, source| house.exchange_with(holder, |exchange| exchange.source = source);
    for _ in 0..20 {
        assert_eq!(rejection(try_it(&wrong, at("10.0.0.1"))), Rejection::KeyText);
    }
    // At once, since every refused key takes its time.
    at_once(50, |_| {
        for _ in 0..200 {
            assert_eq!(rejection(try_it(&wrong, at("10.0.0.1"))), Rejection::RateLimited { retry_after: 3 });
        }
    });
    assert!(try_it(&acme, at("10.0.0.1")).is_ok(), "a right key is never refused for them");
    assert!(try_it(&acme, at("10.0.0.2")).is_ok());
    assert_eq!(rejection(try_it(&wrong, at("10.0.0.2"))), Rejection::KeyText);
    house.clock.advance(3);
    assert_eq!(rejection(try_it(&wrong, at("10.0.0.1"))), Rejection::KeyText, "one is regained in 3 s");
    assert!(matches!(rejection(try_it(&wrong, at("10.0.0.1"))), Rejection::RateLimited { .. }));
}

#[test]
fn k7_an_ipv6_network_counts_as_one_address_and_every_cause_counts() {
    let house = limited();
    let acme = house.holder("acme");
    house.suspend(&acme).unwrap();
    for host in 0..20 {
        let source = at(&format!("2001:db8::{host}"));
        let refused = house.exchange_with(&acme, |exchange| exchange.source = source);
        assert_eq!(rejection(refused), Rejection::DeveloperSuspended);
    }
    for (address, is_limited) in [("2001:db8::ffff:1", true), ("2001:db8:0:1::1", false)] {
        let refused = rejection(house.exchange_with(&acme, |exchange| exchange.source = at(address)));
        assert_eq!(matches!(refused, Rejection::RateLimited { .. }), is_limited, "{address}");
    }
}

#[test]
fn sixty_tokens_a_minute_are_made_of_one_key_and_no_more() {
    let house = limited();
    let acme = house.holder("acme");
    let another = house.key_of(&acme.developer, |_| {});
    for _ in 0..60 {
        house.exchange(&acme).unwrap();
    }
    let rows = house.store.rows();
    assert_eq!(rejection(house.exchange(&acme)), Rejection::RateLimited { retry_after: 1 });
    assert!(house.store.rows() == rows);
    assert!(house.exchange(&another).is_ok(), "another key of the same developer is another matter");
    house.clock.advance(1);
    assert!(house.exchange(&acme).is_ok());
    rejection(house.exchange(&acme));
}

#[test]
fn ten_sandboxes_an_hour_are_opened_from_one_address_or_by_one_developer() {
    let house = limited();
    let acme = house.holder("acme");
    let caller = house.admit(&house.token(&acme)).unwrap();
    let create = |actor: &SandboxActor<'_>, source, id: String| {
        block_on(house.authority.sandboxes().create(actor, source, &order(&id)))
    };
    for nth in 0..10 {
        create(&SandboxActor::Open, at("10.0.0.1"), format!("open-{nth}")).unwrap();
        create(&SandboxActor::Principal(&caller), at("10.0.0.1"), format!("bearer-{nth}")).unwrap();
    }
    for actor in [SandboxActor::Open, SandboxActor::Principal(&caller)] {
        let refused = rejection(create(&actor, at("10.0.0.1"), "more".to_owned()));
        assert_eq!(refused, Rejection::RateLimited { retry_after: 360 }, "{actor:?}");
    }
    assert!(create(&SandboxActor::Open, at("10.0.0.2"), "elsewhere".to_owned()).is_ok());
    assert!(create(&SandboxActor::Host, at("10.0.0.1"), "host".to_owned()).is_ok());
    house.open_sandbox(&idempotent("again", 'k')).unwrap();
    let repeated =
        block_on(house.authority.sandboxes().create(&SandboxActor::Open, at("10.0.0.1"), &idempotent("again", 'k')));
    assert!(repeated.is_ok(), "one that is there already is not a new one");
}

#[test]
fn without_limits_nothing_is_limited() {
    let house = House::new();
    let acme = house.holder("acme");
    let wrong = Holder { text: SecretText::new("nonsense".to_owned()), ..acme.clone() };
    for _ in 0..100 {
        assert_eq!(rejection(house.exchange_with(&wrong, |exchange| exchange.source = NOWHERE)), Rejection::KeyText);
        house.exchange(&acme).unwrap();
    }
}
