//! Token exchange: a narrower token of the same line, that ends with whatever ends the line.

use latchbook_core::authority::{Limits, Refusal};
use latchbook_core::model::{
    AuditAction, AuditActor, ChainId, Rejection, RevokedBy, ScopeSet, SecretText, Source, UnixTime,
};

use crate::support::{Holder, House, NOWHERE, SANDBOX, START, rejection, revoked};

fn scopes(text: &str) -> ScopeSet {
    ScopeSet::parse(text).unwrap()
}

/// The token that `token` is exchanged for, with `scope` alone.
fn narrowed(house: &House, token: &str, scope: &str) -> String {
    let scope = Some(scope);
    house.narrow(token, |exchange| exchange.scope = scope).unwrap().token.expose().to_owned()
}

#[test]
fn e14_a_token_is_narrowed_in_scope_and_to_an_entity_and_never_widened() {
    let house = House::new();
    let acme = house.holder("acme");
    house.entity(&acme, "acme-a");
    let token = house.token(&acme);
    let reading = house.narrow(&token, |exchange| exchange.scope = Some("ledger:read")).unwrap();
    assert_eq!(reading.scope, Some(scopes("ledger:read")));
    let principal = house.admit(reading.token.expose()).unwrap();
    assert_eq!((principal.developer(), principal.key(), principal.entity()), (&acme.developer, acme.key, None));
    assert_eq!((principal.scopes(), principal.token_id()), (&scopes("ledger:read"), reading.token_id));
    assert_eq!(house.narrow(&token, |_| {}).unwrap().scope, None, "as the subject token's");

    let entitys = house.narrow(&token, |exchange| exchange.entity = Some("acme-a")).unwrap();
    assert_eq!(entitys.scope, Some(scopes("ledger:read ledger:write")));
    assert_eq!(house.reach(entitys.token.expose(), None).unwrap().entity_id().as_str(), "acme-a");

    let reading = reading.token.expose();
    for scope in ["ledger:write", "ledger:read ledger:write", ""] {
        assert_eq!(
            rejection(house.narrow(reading, |exchange| exchange.scope = Some(scope))),
            Rejection::InvalidScope,
            "{scope:?}"
        );
    }
}

#[test]
fn e14_e22_another_developers_entity_is_forbidden_and_an_entity_token_is_no_subject() {
    let house = House::new();
    let (acme, other) = (house.holder("acme"), house.holder("other"));
    house.entity(&acme, "acme-a");
    house.entity(&other, "other-a");
    let token = house.token(&acme);
    for entity in ["other-a", "nobody", "", "a/b"] {
        let answer = house.narrow(&token, |exchange| exchange.entity = Some(entity));
        assert_eq!(rejection(answer), Rejection::EntityForbidden, "{entity:?}");
    }
    let entitys = house.entity_token(&acme, "acme-a");
    for entity in [None, Some("acme-a"), Some("other-a")] {
        let answer = house.narrow(&entitys, |exchange| exchange.entity = entity);
        assert_eq!(rejection(answer), Rejection::DeveloperTokenNeeded, "{entity:?}");
    }
}

#[test]
fn e22_no_chain_of_exchanges_outlives_its_first_token() {
    let house = House::new();
    let first = house.token_for(&house.holder("acme"), 600);
    let mut token = first;
    for _ in 0..5 {
        house.clock.advance(60);
        let issued = house.narrow(&token, |exchange| exchange.lifetime = Some(3600)).unwrap();
        assert_eq!(issued.expires_at, UnixTime::from_seconds(START + 600));
        assert_eq!(issued.expires_in, issued.expires_at.since(house.authority.now()));
        token = issued.token.expose().to_owned();
    }
    assert_eq!(house.narrow(&token, |exchange| exchange.lifetime = Some(10)).unwrap().expires_in, 10);
    house.clock.advance(300);
    assert_eq!(rejection(house.narrow(&token, |_| {})), Rejection::Expired);
    assert_eq!(rejection(house.admit(&token)), Rejection::Expired);
}

#[test]
fn c8_c9_whatever_ends_the_first_token_ends_the_whole_line() {
    type End = (fn(&House, &Holder, &str) -> Result<(), Refusal>, RevokedBy);
    let ends: [End; 4] = [
        (|house, _, first| house.revoke_token(first), RevokedBy::Token),
        (|house, acme, _| house.revoke_key(acme), RevokedBy::Key),
        (|house, acme, _| house.suspend(acme), RevokedBy::Developer),
        (
            |house, acme, _| {
                let (developers, host) = (house.authority.developers(), crate::support::HOST);
                futures_executor::block_on(developers.revoke_tokens(&host, NOWHERE, &acme.developer))
            },
            RevokedBy::Developer,
        ),
    ];
    for (end, by) in ends {
        let house = House::new();
        let acme = house.holder("acme");
        house.entity(&acme, "acme-a");
        let first = house.token(&acme);
        let second = narrowed(&house, &first, "ledger:read ledger:write");
        let third = narrowed(&house, &second, "ledger:read");
        let entitys = house.narrow(&third, |exchange| exchange.entity = Some("acme-a")).unwrap();
        let line = [first.clone(), second, third, entitys.token.expose().to_owned()];
        line.iter().for_each(|token| assert!(house.admit(token).is_ok()));
        end(&house, &acme, &first).unwrap();
        for (place, token) in line.iter().enumerate() {
            assert_eq!(revoked(house.admit(token)), by, "token {place}");
            assert_eq!(revoked(house.narrow(token, |_| {})), by, "token {place}");
        }
    }
}

#[test]
fn c9_a_token_in_the_middle_of_a_line_is_revoked_alone() {
    let house = House::new();
    let first = house.token(&house.holder("acme"));
    let second = narrowed(&house, &first, "ledger:read");
    let third = narrowed(&house, &second, "ledger:read");
    house.revoke_token(&second).unwrap();
    assert_eq!(revoked(house.admit(&second)), RevokedBy::Token);
    assert_eq!(revoked(house.narrow(&second, |_| {})), RevokedBy::Token);
    assert!(house.admit(&first).is_ok() && house.admit(&third).is_ok());
}

#[test]
fn e15_an_entity_token_ends_with_its_entity_and_the_line_goes_on() {
    let house = House::new();
    let acme = house.holder("acme");
    let entity = house.entity(&acme, "acme-a");
    let token = house.token(&acme);
    let entitys = house.narrow(&token, |exchange| exchange.entity = Some("acme-a")).unwrap();
    house.remove_entity(&entity);
    assert_eq!(revoked(house.admit(entitys.token.expose())), RevokedBy::Entity);
    let again = house.narrow(&token, |exchange| exchange.entity = Some("acme-a"));
    assert_eq!(rejection(again), Rejection::EntityForbidden);
    assert!(house.narrow(&token, |_| {}).is_ok());
}

#[test]
fn the_address_ranges_of_the_key_hold_for_the_exchange_and_for_what_comes_of_it() {
    let house = House::new();
    let confined = house.holder("acme").developer;
    let confined = house.key_of(&confined, |new| new.allowed_ips = vec!["192.0.2.0/24".parse().unwrap()]);
    let (inside, outside) = (Source::at([192, 0, 2, 7].into()), Source::at([192, 0, 3, 7].into()));
    let token = house.exchange_with(&confined, |exchange| exchange.source = inside).unwrap().token;
    for source in [outside, NOWHERE] {
        let answer = house.narrow(token.expose(), |exchange| exchange.source = source);
        assert_eq!(rejection(answer), Rejection::AddressNotAllowed);
    }
    let narrow = house.narrow(token.expose(), |exchange| exchange.source = inside).unwrap().token;
    assert_eq!(rejection(house.admit(narrow.expose())), Rejection::AddressNotAllowed, "from nowhere");
}

#[test]
fn a_client_that_shows_itself_must_be_the_subject_tokens_developer_in_its_environment() {
    let house = House::new();
    let (acme, other, boxed) = (house.holder("acme"), house.holder("other"), house.holder_in(SANDBOX, "acme"));
    let second = house.key_of(&acme.developer, |_| {});
    let token = house.token(&acme);
    for holder in [&acme, &second] {
        let client = house.client(holder).unwrap();
        assert!(house.narrow(&token, |exchange| exchange.client = Some(&client)).is_ok());
    }
    for holder in [&other, &boxed] {
        let client = house.client(holder).unwrap();
        let answer = house.narrow(&token, |exchange| exchange.client = Some(&client));
        assert!(matches!(rejection(answer), Rejection::InvalidRequest { .. }), "{:?}", holder.developer);
    }
}

#[test]
fn l7_the_event_names_the_subject_token_and_the_first_of_the_line() {
    let house = House::new();
    let acme = house.holder("acme");
    let first = house.exchange(&acme).unwrap();
    let second = house.narrow(first.token.expose(), |exchange| exchange.scope = Some("ledger:read")).unwrap();
    let from = Source::at([192, 0, 2, 7].into());
    let third = house.narrow(second.token.expose(), |exchange| exchange.source = from).unwrap();
    let events = house.events(&ChainId::Developer(acme.developer));
    let event = events.last().unwrap();
    assert_eq!(event.action, AuditAction::TokenIssued);
    assert_eq!(event.actor, AuditActor::Key { key: acme.key, token: Some(second.token_id) });
    assert_eq!((event.subject.as_str(), event.source), (third.token_id.as_str(), from.address));
    let origin = ("origin".to_owned(), first.token_id.as_str().to_owned());
    assert!(event.details.contains(&origin), "{:?}", event.details);
}

#[test]
fn tokens_that_come_of_exchanges_count_in_the_limit_of_their_key_and_bad_subjects_in_that_of_failures() {
    let house = House::with(|builder| builder.limits(Limits::default()));
    let token = house.token(&house.holder("acme"));
    for _ in 1..60 {
        house.narrow(&token, |_| {}).unwrap();
    }
    assert!(matches!(rejection(house.narrow(&token, |_| {})), Rejection::RateLimited { .. }));
    let from = Source::at([192, 0, 2, 7].into());
    let bad = SecretText::new("no.to.ken".to_owned());
    for _ in 0..20 {
        let answer = rejection(house.narrow(bad.expose(), |exchange| exchange.source = from));
        assert!(!matches!(answer, Rejection::RateLimited { .. }), "{answer:?}");
    }
    let answer = rejection(house.narrow(bad.expose(), |exchange| exchange.source = from));
    assert!(matches!(answer, Rejection::RateLimited { .. }), "{answer:?}");
}

#[test]
fn an_exchange_counts_as_an_exchange_of_its_key_and_not_as_a_request() {
    let house = House::new();
    let acme = house.holder("acme");
    let token = house.token(&acme);
    house.narrow(&token, |_| {}).unwrap();
    let statistics = house.authority.statistics();
    assert_eq!((statistics.issued, statistics.exchanges_refused), (2, 0));
    rejection(house.narrow("no.to.ken", |_| {}));
    assert_eq!(house.authority.statistics().exchanges_refused, 1);
    futures_executor::block_on(house.authority.shutdown()).unwrap();
    let ever = latchbook_core::model::Day(0)..=latchbook_core::model::Day(u32::MAX);
    let rows = futures_executor::block_on(house.authority.usage().between(&acme.developer, &ever)).unwrap();
    let counts: Vec<_> = rows.iter().map(|row| (row.counts.requests, row.counts.exchanges)).collect();
    assert_eq!(counts, [(0, 2)]);
}
