//! Clients of the OAuth endpoints: proved like a key at an exchange, and told and given no more than their own.

use futures_executor::block_on;
use latchbook_core::authority::{Limits, PresentedClient};
use latchbook_core::model::{AuditAction, AuditActor, ChainId, Rejection, RevokedBy, SecretText, Source};

use crate::support::{Holder, House, NOWHERE, SANDBOX, rejection, revoked};

fn revoke(house: &House, holder: &Holder, token: &str) {
    let client = house.client(holder).unwrap();
    block_on(house.authority.revocation().presented(&client, token.as_bytes())).unwrap();
}

fn is_active(house: &House, holder: &Holder, token: &str) -> bool {
    house.introspect(holder, token).unwrap().is_some()
}

#[test]
fn k1_a_client_is_refused_for_what_a_key_is_refused_for_at_an_exchange() {
    let house = House::new();
    let (acme, other) = (house.holder("acme"), house.holder("other"));
    let gone = house.key_of(&acme.developer, |_| {});
    house.revoke_key(&gone).unwrap();
    let confined = house.key_of(&acme.developer, |new| new.allowed_ips = vec!["10.0.0.0/8".parse().unwrap()]);
    let stranger = Holder { text: other.text.clone(), ..acme.clone() };
    let nonsense = Holder { text: SecretText::new("lb_live_x".to_owned()), ..acme.clone() };
    house.suspend(&other).unwrap();
    let before = house.store.rows();
    for holder in [&gone, &confined, &stranger, &nonsense, &other] {
        assert_eq!(rejection(house.client(holder)), rejection(house.exchange(holder)));
    }
    assert!(house.store.rows() == before, "no refused client writes");
    assert_eq!(house.client(&acme).unwrap().developer(), &acme.developer);
}

#[test]
fn k7_refused_clients_count_in_the_limit_of_failed_exchanges_and_a_right_one_never() {
    let house = House::with(|builder| builder.limits(Limits::default()));
    let (acme, other) = (house.holder("acme"), house.holder("other"));
    let source = Source::at([192, 0, 2, 7].into());
    let show = |api_key| {
        block_on(house.authority.authenticate_client(&PresentedClient { developer: "acme", api_key, source }))
    };
    for _ in 0..20 {
        assert_eq!(rejection(show(&other.text)), Rejection::KeyUnknown);
    }
    assert!(matches!(rejection(show(&other.text)), Rejection::RateLimited { .. }));
    let answer =
        rejection(house.exchange_with(&other, |exchange| (exchange.developer, exchange.source) = ("acme", source)));
    assert!(matches!(answer, Rejection::RateLimited { .. }), "one limit for both: {answer:?}");
    for _ in 0..100 {
        show(&acme.text).unwrap();
    }
}

#[test]
fn a_client_is_told_of_active_tokens_of_its_own_developer_and_environment_alone() {
    let house = House::new();
    let (acme, other, boxed) = (house.holder("acme"), house.holder("other"), house.holder_in(SANDBOX, "acme"));
    house.entity(&acme, "acme-a");
    let second = house.key_of(&acme.developer, |_| {});
    let token = house.token(&acme);
    let entitys = house.narrow(&token, |exchange| exchange.entity = Some("acme-a")).unwrap().token;
    for holder in [&acme, &second] {
        let claims = house.introspect(holder, &token).unwrap().unwrap();
        assert_eq!((claims.key, claims.entity, claims.origin), (acme.key, None, None));
        let claims = house.introspect(holder, entitys.expose()).unwrap().unwrap();
        assert_eq!(claims.entity.unwrap().as_str(), "acme-a");
        assert!(claims.origin.is_some() && claims.delegation.is_some());
    }
    for holder in [&other, &boxed] {
        assert!(!is_active(&house, holder, &token) && !is_active(&house, holder, entitys.expose()));
    }
    for none in ["", ".", "a.b.c", &token[..token.len() - 1], &"a".repeat(10_000), acme.text.expose()] {
        assert!(!is_active(&house, &acme, none), "{none}");
    }
    house.clock.advance(900);
    assert!(!is_active(&house, &acme, &token), "expired");
}

#[test]
fn what_was_revoked_is_inactive() {
    let house = House::new();
    let acme = house.holder("acme");
    let second = house.key_of(&acme.developer, |_| {});
    let (first, narrow) = (house.token(&acme), house.token(&acme));
    house.revoke_token(&first).unwrap();
    assert!(!is_active(&house, &acme, &first) && is_active(&house, &acme, &narrow));
    house.revoke_key(&acme).unwrap();
    assert!(!is_active(&house, &second, &narrow));
}

#[test]
fn a_confined_token_is_active_wherever_it_is_asked_after_and_says_its_ranges() {
    let house = House::new();
    let acme = house.holder("acme");
    let confined = house.key_of(&acme.developer, |new| new.allowed_ips = vec!["192.0.2.0/24".parse().unwrap()]);
    let inside = Source::at([192, 0, 2, 7].into());
    let token = house.exchange_with(&confined, |exchange| exchange.source = inside).unwrap().token;
    let claims = house.introspect(&acme, token.expose()).unwrap().unwrap();
    assert_eq!(claims.allowed_ips, ["192.0.2.0/24".parse().unwrap()]);
}

#[test]
fn a_client_revokes_its_own_tokens_and_nobody_elses() {
    let house = House::new();
    let (acme, other, boxed) = (house.holder("acme"), house.holder("other"), house.holder_in(SANDBOX, "acme"));
    let second = house.key_of(&acme.developer, |_| {});
    let token = house.token(&acme);
    let narrow = house.narrow(&token, |_| {}).unwrap().token;
    let before = house.store.rows();
    for holder in [&other, &boxed] {
        revoke(&house, holder, &token);
    }
    for none in ["", "a.b.c", &token[..token.len() - 1]] {
        revoke(&house, &acme, none);
    }
    assert!(house.store.rows() == before && house.admit(&token).is_ok(), "nothing is changed");

    revoke(&house, &second, &token);
    assert_eq!(revoked(house.admit(&token)), RevokedBy::Token);
    assert_eq!(revoked(house.admit(narrow.expose())), RevokedBy::Token, "what came of it goes along");
    let events = house.events(&ChainId::Developer(acme.developer.clone()));
    let event = events.last().unwrap();
    assert_eq!(event.action, AuditAction::TokenRevoked);
    assert_eq!(event.actor, AuditActor::Key { key: second.key, token: None });
    assert_eq!(event.source, NOWHERE.address);
}

#[test]
fn k14_revoking_twice_or_what_is_over_is_the_same_and_writes_nothing() {
    let house = House::new();
    let acme = house.holder("acme");
    let (token, over) = (house.token(&acme), house.token_for(&acme, 10));
    revoke(&house, &acme, &token);
    house.clock.advance(10);
    let before = house.store.rows();
    revoke(&house, &acme, &token);
    revoke(&house, &acme, &over);
    assert!(house.store.rows() == before);
}
