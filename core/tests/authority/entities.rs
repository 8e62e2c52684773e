//! Whose data a token reaches: its own entity, its developer's entities, and nobody else's, in one environment.

use std::sync::Arc;

use futures_executor::block_on;
use latchbook_core::Actor;
use latchbook_core::authority::NewEntity;
use latchbook_core::check::EntityRule;
use latchbook_core::model::{EntityRef, Rejection, RevokedBy, UnixTime};

use crate::support::{
    ALL_SCOPES, HOST, Holder, House, NOWHERE, SANDBOX, START, TestClock, TestStore, entity, new_key, order, rejection,
    revoked,
};

/// A developer with the entities `acme-a` and `acme-b`, and another with `other-a`.
fn two_developers(house: &House) -> (Holder, Holder) {
    let (acme, other) = (house.holder("acme"), house.holder("other"));
    house.entity(&acme, "acme-a");
    house.entity(&acme, "acme-b");
    house.entity(&other, "other-a");
    (acme, other)
}

#[test]
fn e0_e1_e2_which_token_reaches_which_entity() {
    use Rejection::{EntityForbidden, EntityMismatch, EntityMissing};
    let house = House::new();
    let (acme, _) = two_developers(&house);
    let (developers, scoped) = (house.token(&acme), house.entity_token(&acme, "acme-a"));
    let cases = [
        (&developers, Some("acme-a"), Ok("acme-a")),
        (&developers, Some("acme-b"), Ok("acme-b")),
        (&developers, None, Err(EntityMissing)),
        (&developers, Some("other-a"), Err(EntityForbidden)),
        (&developers, Some("none"), Err(EntityForbidden)),
        (&developers, Some("acme"), Err(EntityForbidden)),
        (&developers, Some("ACME-A"), Err(EntityForbidden)),
        (&scoped, Some("acme-a"), Ok("acme-a")),
        (&scoped, None, Ok("acme-a")),
        (&scoped, Some("acme-b"), Err(EntityMismatch)),
        (&scoped, Some("other-a"), Err(EntityMismatch)),
        (&scoped, Some("none"), Err(EntityMismatch)),
    ];
    for round in 0..2 {
        for (token, requested, want) in &cases {
            let reached = house.reach(token, *requested);
            match want {
                Ok(id) => {
                    let context = reached.unwrap();
                    assert_eq!(context.entity_id().as_str(), *id);
                    assert_eq!(context.entity_ref().developer, acme.developer);
                }
                Err(want) => assert_eq!(rejection(reached), *want, "{requested:?}, round {round}"),
            }
        }
    }
}

#[test]
fn e0_a_host_may_demand_that_the_entity_is_named() {
    let house = House::new();
    let (acme, _) = two_developers(&house);
    let principal = house.admit(&house.entity_token(&acme, "acme-a")).unwrap();
    for (requested, rule, want) in [
        (None, EntityRule::Implied, None),
        (None, EntityRule::Explicit, Some(Rejection::EntityMissing)),
        (Some("acme-a"), EntityRule::Explicit, None),
    ] {
        let reached = block_on(house.authority.entity(&principal, requested.map(entity).as_ref(), rule));
        assert_eq!(reached.err().map(|refusal| rejection::<()>(Err(refusal))), want, "{requested:?}, {rule:?}");
    }
}

#[test]
fn e2_another_developers_entity_costs_as_many_reads_as_one_that_is_not_there() {
    let house = House::new();
    let (acme, _) = two_developers(&house);
    let token = house.token(&acme);
    house.admit(&token).unwrap();
    for _ in 0..3 {
        let reads = ["other-a", "none"].map(|requested| {
            let asked = house.store.asked();
            assert_eq!(rejection(house.reach(&token, Some(requested))), Rejection::EntityForbidden);
            house.store.asked() - asked
        });
        assert_eq!(reads, [1, 1], "a `no` is never remembered");
    }
}

#[test]
fn e13_equal_ids_in_two_environments_are_two_entities() {
    let house = House::new();
    let live = house.holder("acme");
    house.entity(&live, "only-live");
    let boxed = house.holder_in(SANDBOX, "acme");
    house.entity(&boxed, "only-sandbox");
    let cases = [(&live, "only-live", "only-sandbox"), (&boxed, "only-sandbox", "only-live")];
    for (holder, own, foreign) in cases {
        let token = house.token(holder);
        assert_eq!(house.reach(&token, Some(own)).unwrap().environment(), holder.developer.environment);
        assert_eq!(rejection(house.reach(&token, Some(foreign))), Rejection::EntityForbidden);
        let asked = house.exchange_with(holder, |exchange| exchange.entity = Some(foreign));
        assert_eq!(rejection(asked), Rejection::EntityForbidden);
    }
}

#[test]
fn k12_e14_e21_e22_an_exchange_narrows_and_never_widens() {
    let house = House::new();
    let (acme, _) = two_developers(&house);
    let narrow = house.key_of(&acme.developer, |new| new.scopes = new_key("ledger:read").scopes);
    let ends = UnixTime::from_seconds(START + 100);
    let brief = house.key_of(&acme.developer, |new| new.expires_at = Some(ends));
    type Case<'a> = (&'a Holder, Option<&'a str>, Option<&'a str>, Option<u64>, Result<&'a str, Rejection>);
    for seconds in [0, 3_601, u64::MAX] {
        let refused = house.exchange_with(&acme, |exchange| exchange.lifetime = Some(seconds));
        assert!(matches!(rejection(refused), Rejection::InvalidRequest { .. }), "{seconds}");
    }
    let cases: [Case<'_>; 13] = [
        (&acme, None, None, None, Ok(ALL_SCOPES)),
        (&acme, None, Some("ledger:read"), None, Ok("ledger:read")),
        (&acme, Some("acme-a"), None, None, Ok("ledger:read ledger:write")),
        (&acme, Some("acme-a"), Some("ledger:write"), None, Ok("ledger:write")),
        (&acme, Some("acme-a"), Some("keys:manage"), None, Err(Rejection::InvalidScope)),
        (&acme, Some("acme-a"), Some("entities:manage"), None, Err(Rejection::InvalidScope)),
        (&acme, None, Some(""), None, Err(Rejection::InvalidScope)),
        (&acme, None, Some("unknown:read"), None, Err(Rejection::InvalidScope)),
        (&acme, Some("other-a"), None, None, Err(Rejection::EntityForbidden)),
        (&acme, Some("none"), None, None, Err(Rejection::EntityForbidden)),
        (&acme, Some("not an id"), None, None, Err(Rejection::EntityForbidden)),
        (&narrow, None, Some("ledger:read ledger:write"), None, Err(Rejection::InvalidScope)),
        (&brief, None, Some("ledger:read"), Some(3_600), Ok("ledger:read")),
    ];
    for (holder, entity, scope, lifetime, want) in cases {
        let issued = house.exchange_with(holder, |exchange| {
            (exchange.entity, exchange.scope, exchange.lifetime) = (entity, scope, lifetime);
        });
        match want {
            Ok(scopes) => {
                let issued = issued.unwrap();
                let principal = house.admit(issued.token.expose()).unwrap();
                assert_eq!(principal.scopes().to_string(), scopes);
                assert_eq!(principal.entity().map(|id| id.as_str()), entity);
                assert_eq!(issued.expires_at.since(house.authority.now()), issued.expires_in);
                assert!(lifetime.is_none() || principal.expires_at() == ends, "never beyond the key's end");
            }
            Err(want) => assert_eq!(rejection(issued), want, "{entity:?}, {scope:?}"),
        }
    }
}

#[test]
fn e15_a_removed_entity_is_forbidden_where_one_is_taken_and_its_token_is_revoked_elsewhere() {
    let house = House::new();
    let (acme, _) = two_developers(&house);
    let (developers, scoped) = (house.token(&acme), house.entity_token(&acme, "acme-a"));
    let sibling = house.entity_token(&acme, "acme-b");
    for token in [&developers, &scoped] {
        assert!(house.reach(token, Some("acme-a")).is_ok());
    }
    let gone = EntityRef { developer: acme.developer.clone(), id: entity("acme-a") };
    house.remove_entity(&gone);
    assert_eq!(rejection(house.reach(&developers, Some("acme-a"))), Rejection::EntityForbidden);
    assert_eq!(revoked(house.admit(&scoped)), RevokedBy::Entity);
    assert!(house.admit(&developers).is_ok() && house.reach(&sibling, None).is_ok());
    let asked = house.exchange_with(&acme, |exchange| exchange.entity = Some("acme-a"));
    assert_eq!(rejection(asked), Rejection::EntityForbidden);

    // An entity that is made again under the same id is reached again, but not by tokens of the first one.
    house.clock.advance(1);
    house.entity(&acme, "acme-a");
    assert!(house.reach(&developers, Some("acme-a")).is_ok());
    assert_eq!(revoked(house.admit(&scoped)), RevokedBy::Entity);
    assert!(house.reach(&house.entity_token(&acme, "acme-a"), None).is_ok());
    let restarted = house.restarted(START + 2);
    assert_eq!(revoked(restarted.admit(&scoped)), RevokedBy::Entity, "also after a restart");
}

#[test]
fn e16_a_suspended_developers_keys_and_tokens_are_refused_and_resuming_revives_the_keys_alone() {
    let house = House::new();
    let (acme, other) = two_developers(&house);
    let boxed = house.holder_in(SANDBOX, "acme");
    let (old, scoped) = (house.token(&acme), house.entity_token(&acme, "acme-a"));
    let bystanders = [house.token(&other), house.token(&boxed)];
    house.suspend(&acme).unwrap();
    assert_eq!(rejection(house.exchange(&acme)), Rejection::DeveloperSuspended);
    for token in [&old, &scoped] {
        assert_eq!(revoked(house.admit(token)), RevokedBy::Developer);
    }
    house.resume(&acme).unwrap();
    for token in [&old, &scoped] {
        assert_eq!(revoked(house.admit(token)), RevokedBy::Developer, "resuming revives no token");
    }
    assert!(house.admit(&house.token(&acme)).is_ok());
    for token in bystanders {
        assert!(house.admit(&token).is_ok());
    }
}

#[test]
fn e16_revoking_every_token_leaves_the_keys() {
    let house = House::new();
    let acme = house.holder("acme");
    let old = house.token(&acme);
    for _ in 0..3 {
        block_on(house.authority.developers().revoke_tokens(&HOST, NOWHERE, &acme.developer)).unwrap();
        assert_eq!(revoked(house.admit(&old)), RevokedBy::Developer);
        let new = house.token(&acme);
        assert!(house.admit(&new).is_ok(), "made in the same second");
        assert!(house.restarted(START).admit(&new).is_ok());
    }
}

#[test]
fn e17_another_developers_things_are_not_there_for_a_caller() {
    let house = House::new();
    let (acme, other) = two_developers(&house);
    let caller = house.admit(&house.token(&acme)).unwrap();
    let (actor, before) = (Actor::Principal(&caller), house.store.rows());
    let authority = &house.authority;
    let others = EntityRef { developer: other.developer.clone(), id: entity("other-a") };
    let new = NewEntity { id: None, legal_name: "New".to_owned() };
    let theirs = &other.developer;
    let refused = [
        rejection(block_on(authority.keys().create(&actor, NOWHERE, theirs, &new_key("ledger:read"))).map(drop)),
        rejection(block_on(authority.keys().revoke(&actor, NOWHERE, theirs, other.key))),
        rejection(block_on(authority.keys().revoke(&actor, NOWHERE, theirs, acme.key))),
        rejection(block_on(authority.keys().revoke(&actor, NOWHERE, &acme.developer, other.key))),
        rejection(block_on(authority.keys().get(&acme.developer, other.key)).map(drop)),
        rejection(block_on(authority.entities().create(&actor, NOWHERE, theirs, &new)).map(drop)),
        rejection(block_on(authority.entities().remove(&actor, NOWHERE, &others))),
        rejection(block_on(authority.developers().suspend(&actor, NOWHERE, theirs))),
        rejection(block_on(authority.developers().resume(&actor, NOWHERE, theirs))),
        rejection(block_on(authority.developers().revoke_tokens(&actor, NOWHERE, theirs))),
        rejection(block_on(authority.revocation().token(&actor, NOWHERE, theirs, caller.token_id(), UnixTime::MAX))),
    ];
    for refusal in refused {
        assert_eq!(refusal, Rejection::NotFound);
    }
    assert!(house.store.rows() == before, "nothing is written");
    assert!(house.exchange(&other).is_ok());
}

#[test]
fn e20_a_token_made_for_one_service_is_refused_by_another() {
    let house = House::shared();
    let token = house.token(&house.holder("acme"));
    let store = TestStore::over(Arc::clone(house.store.inner()));
    let service_y = House::open(store, Arc::new(TestClock::at(START)), |builder| {
        builder.audience(latchbook_core::EnvironmentName::LIVE, "https://y.example.com")
    });
    assert_eq!(rejection(service_y.admit(&token)), Rejection::WrongAudience);
}

#[test]
fn an_open_sandboxs_token_reaches_its_entity_and_no_other() {
    let house = House::new();
    let (one, two) = (house.open_sandbox(&order("one")).unwrap(), house.open_sandbox(&order("two")).unwrap());
    let own = one.entity.reference.id.as_str();
    assert!(house.reach(one.token.expose(), Some(own)).is_ok());
    assert_eq!(rejection(house.reach(two.token.expose(), Some(own))), Rejection::EntityForbidden);
}
