//! What each extractor lets in, what it refuses, and in which order.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use latchbook_core::authority::{Actor, Exchange};
use latchbook_core::check::NewKey;
use latchbook_core::entity_scope::{EntityScope, Reach};
use latchbook_core::key_store::StoreError;
use latchbook_core::model::{DeveloperRef, EntityId, Metadata, ScopeSet, Source};
use latchbook_http::Gate;

use crate::stage::opened;
use crate::{Holder, LIVE, Open, Raw, SANDBOX, Stage, World, assert_refused};

struct Cast {
    world: World,
    stage: Stage,
    holder: Holder,
    developer_token: String,
    entity_token: String,
    sandbox_token: String,
}

async fn cast(open: Open) -> Cast {
    let world = World::open().await;
    let holder = world.holder(LIVE, "acme").await;
    let sandboxed = world.holder(SANDBOX, "acme").await;
    for id in ["ent_a", "ent_b"] {
        world.entity(&holder.developer, id).await;
    }
    world.entity(&sandboxed.developer, "ent_s").await;
    let developer_token = world.token(&holder).await;
    let entity_token = world.token_for(&holder, Some("ent_a"), None).await;
    let sandbox_token = world.token(&sandboxed).await;
    let stage = opened(open, Gate::new(world.authority.clone())).await;
    Cast { world, stage, holder, developer_token, entity_token, sandbox_token }
}

pub async fn h1_no_credential_is_refused_everywhere_but_where_it_may_be_missing(open: Open) {
    let cast = cast(open).await;
    for path in [
        "/principal",
        "/principal/sandbox",
        "/principal/any",
        "/scope",
        "/scope/all",
        "/scope/one",
        "/either",
        "/entity?entityId=ent_a",
        "/entity/any?entityId=ent_a",
        "/entity/maybe",
    ] {
        assert_refused(&cast.stage.ask("GET", path).await, 401, "missing_credentials");
        assert_refused(&cast.stage.get(path, "a.b.c").await, 401, "token_invalid");
    }
    let nobody = cast.stage.ask("GET", "/maybe").await;
    assert_eq!((nobody.status.as_u16(), nobody.text()), (200, "nobody"));
    assert_refused(&cast.stage.get("/maybe", "a.b.c").await, 401, "token_invalid");
}

pub async fn a_developer_token_is_let_in_with_what_it_holds(open: Open) {
    let cast = cast(open).await;
    let read = cast.world.token_for(&cast.holder, None, Some("ledger:read")).await;
    for (path, token, want) in [
        ("/principal", &cast.developer_token, "live acme"),
        ("/principal/any", &cast.developer_token, "live acme"),
        ("/principal/any", &cast.sandbox_token, "sandbox acme"),
        ("/principal/sandbox", &cast.sandbox_token, "sandbox acme"),
        ("/scope", &cast.developer_token, "live acme"),
        ("/scope/all", &cast.developer_token, "live acme"),
        ("/scope/one", &read, "live acme"),
        ("/scope/sandbox", &cast.sandbox_token, "sandbox acme"),
        ("/either", &cast.developer_token, "live acme"),
        ("/maybe", &cast.developer_token, "live acme"),
        ("/entity?entityId=ent_b", &cast.developer_token, "ent_b"),
        ("/entity/any?entityId=ent_s", &cast.sandbox_token, "sandbox/acme/ent_s"),
        ("/entity/maybe", &read, "live acme none"),
        ("/entity/maybe?entityId=ent_b", &read, "live acme ent_b"),
    ] {
        let answer = cast.stage.get(path, token).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (200, want), "{path}");
    }
    for path in ["/scope", "/scope/all"] {
        let answer = cast.stage.get(path, &read).await;
        assert_refused(&answer, 403, "insufficient_scope");
    }
    let challenge = cast.stage.get("/scope/all", &read).await;
    assert!(challenge.challenge().unwrap().contains("scope=\"ledger:read ledger:write\""), "{challenge:?}");
}

pub async fn e21_an_entity_token_is_let_in_where_either_kind_is_and_nowhere_else(open: Open) {
    let cast = cast(open).await;
    for (path, want) in [
        ("/either", "live acme"),
        ("/maybe", "live acme"),
        ("/entity", "ent_a"),
        ("/entity?entityId=ent_a", "ent_a"),
        ("/entity/write", "ent_a"),
        ("/entity/maybe", "live acme ent_a"),
    ] {
        let answer = cast.stage.get(path, &cast.entity_token).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (200, want), "{path}");
    }
    for path in ["/principal", "/principal/any", "/scope", "/scope/all", "/scope/one"] {
        let answer = cast.stage.get(path, &cast.entity_token).await;
        assert_eq!(answer.verdict(), (403, "insufficient_scope".into()), "{path}: {answer:?}");
    }
}

pub async fn e11_a_token_of_another_environment_is_refused_by_the_route(open: Open) {
    let cast = cast(open).await;
    for (path, token) in [
        ("/principal", &cast.sandbox_token),
        ("/scope", &cast.sandbox_token),
        ("/either", &cast.sandbox_token),
        ("/maybe", &cast.sandbox_token),
        ("/entity?entityId=ent_s", &cast.sandbox_token),
        ("/entity/maybe", &cast.sandbox_token),
        ("/principal/sandbox", &cast.developer_token),
        ("/scope/sandbox", &cast.developer_token),
    ] {
        assert_refused(&cast.stage.get(path, token).await, 401, "wrong_environment");
    }
    // E13: what it may not do there, it may not do here either.
    let answer = cast.stage.get("/entity/any?entityId=ent_s", &cast.developer_token).await;
    assert_refused(&answer, 403, "entity_forbidden");
}

pub async fn an_entity_context_checks_credential_environment_scope_and_entity_in_this_order(open: Open) {
    let cast = cast(open).await;
    let read = cast.world.token_for(&cast.holder, None, Some("ledger:read")).await;
    let read_a = cast.world.token_for(&cast.holder, Some("ent_a"), Some("ledger:read")).await;
    let malformed = "/entity/write?entityId=&entityId=x";
    assert_refused(&cast.stage.ask("GET", malformed).await, 401, "missing_credentials");
    for (target, token, status, code) in [
        (malformed, "a.b.c", 401, "token_invalid"),
        (malformed, &*cast.sandbox_token, 401, "wrong_environment"),
        (malformed, &*read, 403, "insufficient_scope"),
        (malformed, &*read_a, 403, "insufficient_scope"),
        ("/entity/write?entityId=ent_b", &*read_a, 403, "insufficient_scope"),
        (malformed, &*cast.developer_token, 400, "invalid_request"),
        (malformed, &*cast.entity_token, 400, "invalid_request"),
        ("/entity/write", &*cast.developer_token, 400, "missing_entity"),
        ("/entity/write?entityId=nowhere", &*cast.developer_token, 403, "entity_forbidden"),
        ("/entity/write?entityId=ent_b", &*cast.entity_token, 403, "entity_mismatch"),
    ] {
        assert_refused(&cast.stage.get(target, token).await, status, code);
    }
}

pub async fn separate_extractors_answer_in_the_order_of_arguments(open: Open) {
    let cast = cast(open).await;
    let read = cast.world.token_for(&cast.holder, None, Some("ledger:read")).await;
    assert_refused(&cast.stage.get("/scope-first", &read).await, 403, "insufficient_scope");
    assert_refused(&cast.stage.get("/environment-first", &read).await, 401, "wrong_environment");
    assert_refused(&cast.stage.get("/entity-first?entityId=nobody", &read).await, 403, "entity_forbidden");
    for _ in 0..2 {
        assert_refused(&cast.stage.get("/entity-first?entityId=ent_a", &read).await, 403, "insufficient_scope");
        let both = cast.stage.get("/entity-first?entityId=ent_b", &cast.developer_token).await;
        assert_eq!((both.status.as_u16(), both.text()), (200, "ent_b"));
    }
}

/// Answers late, and lets nobody in: every extractor that asks it has to wait.
#[derive(Debug)]
struct Late;

#[async_trait]
impl EntityScope for Late {
    async fn reaches(&self, _: &DeveloperRef, _: &EntityId) -> Result<Reach, StoreError> {
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        Ok(Reach::No)
    }
}

pub async fn an_extractor_that_waits_answers_before_those_after_it(open: Open) {
    let world = World::open_with(|builder| builder.entity_scope(Arc::new(Late))).await;
    let holder = world.holder(LIVE, "acme").await;
    let read = world.token_for(&holder, None, Some("ledger:read")).await;
    let stage = opened(open, Gate::new(world.authority.clone())).await;
    for _ in 0..2 {
        // The second lacks a scope, and knows it at once.
        assert_refused(&stage.get("/entity-first?entityId=ent_a", &read).await, 403, "entity_forbidden");
        assert_refused(&stage.get("/print?entityId=ent_a", &read).await, 403, "entity_forbidden");
    }
}

pub async fn the_callers_address_is_the_sockets(open: Open) {
    let cast = cast(open).await;
    let new = NewKey {
        name: "From the office".into(),
        scopes: ScopeSet::parse("ledger:read").unwrap(),
        expires_at: None,
        allowed_ips: vec!["192.0.2.0/24".parse().unwrap()],
        metadata: Metadata::default(),
    };
    let authority = &cast.world.authority;
    let made = authority.keys().create(&Actor::Host, Source::UNKNOWN, &cast.holder.developer, &new).await.unwrap();
    let exchange = Exchange {
        developer: "acme",
        api_key: &made.text,
        entity: None,
        scope: None,
        lifetime: None,
        source: Source::at([192, 0, 2, 1].into()),
    };
    let token = authority.exchange(&exchange).await.unwrap().token.expose().to_owned();
    let ask = Raw::new("GET", "/principal").bearer(&token);
    let from = |address: [u8; 4]| Raw { peer: Some(SocketAddr::from((address, 4711))), ..ask.clone() };
    assert_eq!(cast.stage.send(from([192, 0, 2, 200])).await.status, 200);
    assert_refused(&cast.stage.send(from([198, 51, 100, 1])).await, 401, "token_invalid");
    // Where nobody says who calls, no range contains it; a header does not say it (H16).
    assert_refused(&cast.stage.send(ask.clone()).await, 401, "token_invalid");
    let forwarded = ask.field("X-Forwarded-For", "192.0.2.1");
    assert_refused(&cast.stage.send(forwarded).await, 401, "token_invalid");
}

pub async fn l1_extractors_clone_and_print_without_the_token(open: Open) {
    let cast = cast(open).await;
    let printed = cast.stage.get("/print?entityId=ent_a", &cast.developer_token).await;
    assert!(printed.text().contains("acme") && printed.text().contains("ent_a"), "{printed:?}");
    for part in cast.developer_token.split('.') {
        assert!(!printed.text().contains(part), "{printed:?}");
    }
}
