//! Two nodes on one store: what one revokes, the other knows within the stated bound, or it does not answer.

use futures_executor::block_on;
use latchbook_core::authority::{Fault, Refusal};
use latchbook_core::model::{EntityRef, Rejection, RevokedBy};

use crate::support::{HOST, Holder, House, LIVE, NOWHERE, Upkeep, fault, rejection};

/// `max_staleness` in seconds.
const BOUND: u64 = 5;

/// The name of a revocation, how it is done, and what an entity token is told then.
type Revocation = (&'static str, fn(&House, &Target) -> Result<(), Refusal>, Rejection);

/// What a node may revoke.
pub const REVOCATIONS: &[Revocation] = &[
    ("token", |house, target| house.revoke_token(&target.token), by(RevokedBy::Token)),
    ("key", |house, target| house.revoke_key(&target.holder), by(RevokedBy::Key)),
    ("developer", |house, target| house.suspend(&target.holder), by(RevokedBy::Developer)),
    ("tokens of a developer", revoke_tokens, by(RevokedBy::Developer)),
    ("entity", remove_entity, by(RevokedBy::Entity)),
    ("signing key", |house, _| house.retire(LIVE), Rejection::UnknownSigningKey),
];

/// Somebody with an entity token.
pub struct Target {
    pub holder: Holder,
    pub entity: EntityRef,
    pub token: String,
}

impl Target {
    pub fn of(house: &House) -> Self {
        let holder = house.holder("acme");
        let entity = house.entity(&holder, "acme-a");
        let token = house.entity_token(&holder, "acme-a");
        Self { holder, entity, token }
    }
}

const fn by(by: RevokedBy) -> Rejection {
    Rejection::Revoked { by }
}

fn revoke_tokens(house: &House, target: &Target) -> Result<(), Refusal> {
    block_on(house.authority.developers().revoke_tokens(&HOST, NOWHERE, &target.holder.developer))
}

fn remove_entity(house: &House, target: &Target) -> Result<(), Refusal> {
    block_on(house.authority.entities().remove(&HOST, NOWHERE, &target.entity))
}

/// Time passes for both.
fn advance(nodes: [&House; 2], seconds: u64) {
    nodes.iter().for_each(|node| node.clock.advance(seconds));
}

#[test]
fn r4_what_one_node_revokes_the_other_refuses_within_the_bound() {
    for (name, revoke, want) in REVOCATIONS {
        let here = House::shared();
        let target = Target::of(&here);
        let there = here.another(0);
        assert!(there.admit(&target.token).is_ok() && there.reach(&target.token, None).is_ok(), "{name}");
        revoke(&here, &target).unwrap();
        assert_eq!(rejection(here.admit(&target.token)), *want, "here at once: {name}");
        advance([&here, &there], BOUND + 1);
        assert_eq!(rejection(there.admit(&target.token)), *want, "there within the bound: {name}");
    }
}

#[test]
fn r4_upkeep_brings_it_sooner_and_keeps_requests_from_reading_the_feed() {
    for (name, revoke, want) in REVOCATIONS {
        let here = House::shared();
        let target = Target::of(&here);
        let there = here.another(0);
        let mut upkeep = Upkeep::of(&there.authority);
        for _ in 0..2 * BOUND {
            advance([&here, &there], 1);
            upkeep.round();
            let asked = there.store.asked();
            assert!(there.admit(&target.token).is_ok(), "{name}");
            assert_eq!(there.store.asked(), asked, "{name}");
        }
        revoke(&here, &target).unwrap();
        advance([&here, &there], 1);
        upkeep.round();
        assert_eq!(rejection(there.admit(&target.token)), *want, "{name}");
    }
}

#[test]
fn a_removed_entity_is_out_of_reach_on_the_other_node_too() {
    let here = House::shared();
    let target = Target::of(&here);
    let there = here.another(0);
    let token = here.token(&target.holder);
    assert!(there.reach(&token, Some("acme-a")).is_ok());
    here.remove_entity(&target.entity);
    advance([&here, &there], BOUND + 1);
    assert_eq!(rejection(there.reach(&token, Some("acme-a"))), Rejection::EntityForbidden);
}

#[test]
fn e15_t3_a_removed_entitys_token_is_dead_although_a_node_that_is_ahead_made_it() {
    let here = House::shared();
    let target = Target::of(&here);
    let there = here.another(5);
    let token = there.entity_token(&target.holder, "acme-a");
    assert!(here.admit(&token).is_ok());
    here.remove_entity(&target.entity);
    here.entity(&target.holder, "acme-a");
    assert_eq!(rejection(here.admit(&token)), by(RevokedBy::Entity));
    advance([&here, &there], BOUND + 1);
    for node in [&here, &there] {
        assert_eq!(rejection(node.admit(&token)), by(RevokedBy::Entity));
        let new = node.entity_token(&target.holder, "acme-a");
        assert!(node.reach(&new, None).is_ok(), "the entity that was made again is reached anew");
    }
}

#[test]
fn an_old_feed_is_read_before_the_answer_and_a_young_one_is_not() {
    let house = House::shared();
    let token = house.token(&house.holder("acme"));
    // The first reading meets what this node wrote itself.
    house.clock.advance(BOUND + 1);
    assert!(house.admit(&token).is_ok());
    for (passed, reads) in [(BOUND, 0), (1, 1), (BOUND, 0), (1, 1), (1_000_000, 1)] {
        house.clock.advance(passed);
        let asked = house.store.asked();
        let _ = house.admit(&token);
        assert_eq!(house.store.asked() - asked, reads, "after {passed} s");
    }
}

#[test]
fn while_the_store_is_away_tokens_work_as_long_as_the_feed_is_young_enough() {
    let house = House::shared();
    let holder = house.holder("acme");
    let token = house.token(&holder);
    house.clock.advance(BOUND + 1);
    assert!(house.admit(&token).is_ok());
    house.store.go_away();
    for _ in 0..BOUND {
        house.clock.advance(1);
        assert!(house.admit(&token).is_ok());
    }
    house.clock.advance(1);
    for _ in 0..2 {
        assert!(matches!(fault(house.admit(&token)), Fault::Stale));
        assert!(matches!(fault(house.exchange(&holder)), Fault::Stale));
        fault(block_on(house.authority.health()));
    }
    house.store.heal();
    assert!(house.admit(&token).is_ok(), "it recovers alone");
    assert!(house.exchange(&holder).is_ok());
    assert!(block_on(house.authority.health()).is_ok());
}

#[test]
fn an_exclusive_store_is_never_stale() {
    let house = House::new();
    let token = house.token_for(&house.holder("acme"), 3_600);
    house.store.go_away();
    house.clock.advance(3_599);
    assert!(house.admit(&token).is_ok());
}

#[test]
fn the_age_of_the_feed_is_the_larger_one_of_both_clocks() {
    let wall_alone: fn(&House) = |house| house.clock.set_ahead(BOUND + 1);
    let monotonic_alone: fn(&House) = |house| {
        house.clock.advance(BOUND + 1);
        house.clock.set_back(BOUND + 1);
    };
    for pass in [wall_alone, monotonic_alone] {
        let house = House::shared();
        let token = house.token(&house.holder("acme"));
        assert!(house.admit(&token).is_ok());
        house.store.go_away();
        pass(&house);
        assert!(matches!(fault(house.admit(&token)), Fault::Stale));
    }
}

#[test]
fn a_feed_that_was_read_while_the_clock_was_ahead_ages_all_the_same() {
    let house = House::shared();
    let token = house.token(&house.holder("acme"));
    house.clock.set_ahead(60);
    assert!(house.admit(&token).is_ok());
    house.clock.set_back(60);
    house.store.go_away();
    house.clock.advance(BOUND);
    assert!(house.admit(&token).is_ok());
    house.clock.advance(1);
    assert!(matches!(fault(house.admit(&token)), Fault::Stale));
}

#[test]
fn a_stale_node_refuses_bad_tokens_too_as_faults() {
    let house = House::shared();
    house.clock.advance(BOUND + 1);
    house.store.go_away();
    for token in ["", "a.b.c", "nonsense"] {
        assert!(matches!(fault(house.admit(token)), Fault::Stale), "{token:?}");
    }
    house.store.heal();
    rejection(house.admit("a.b.c"));
}

#[test]
fn a_signing_key_made_elsewhere_is_known_once_the_feed_is_read() {
    let here = House::shared();
    let holder = here.holder("acme");
    let there = here.another(0);
    here.retire(LIVE).unwrap();
    let token = here.token(&holder);
    advance([&here, &there], BOUND + 1);
    assert!(there.admit(&token).is_ok());
    assert!(here.admit(&there.token(&holder)).is_ok());
}

#[test]
fn a_node_that_slept_through_a_pruned_stretch_of_the_feed_knows_the_signing_keys() {
    let here = House::shared();
    let holder = here.holder("acme");
    let there = here.another(0);
    here.retire(LIVE).unwrap();
    advance([&here, &there], 3 * 3_600);
    assert!(Upkeep::of(&here.authority).round(), "which prunes what was said of it");
    let token = here.token(&holder);
    assert!(there.admit(&token).is_ok());
    assert!(here.admit(&there.token(&holder)).is_ok());
}
