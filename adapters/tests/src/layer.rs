//! The guard in front of routes: nobody passes without a token, and it decides nothing else.

use latchbook_core::authority::Actor;
use latchbook_core::model::Source;
use latchbook_http::{Gate, RejectBody};

use crate::stage::opened;
use crate::{LIVE, Open, Raw, Runs, SANDBOX, World, assert_refused};

pub async fn h15_nothing_behind_the_guard_runs_without_a_token(open: Open) {
    let world = World::open().await;
    let runs = Runs::default();
    let stage = open(Gate::new(world.authority.clone()), runs.clone()).await;
    for (method, path) in [
        ("GET", "/layered"),
        ("HEAD", "/layered"),
        ("OPTIONS", "/layered"),
        ("DELETE", "/layered"),
        ("POST", "/layered/1"),
        ("OPTIONS", "/layered/1"),
    ] {
        let answer = stage.ask(method, path).await;
        assert_eq!(answer.status, 401, "{method} {path}");
        assert!(answer.challenge().unwrap().starts_with("Bearer realm="), "{answer:?}");
        assert_eq!(stage.send(Raw::new(method, path).bearer("a.b.c")).await.status, 401, "{method} {path}");
    }
    assert_refused(&stage.ask("GET", "/layered").await, 401, "missing_credentials");
    assert_eq!(runs.so_far(), 0);
}

pub async fn guarded_routes_leave_unknown_paths_at_404_and_other_routes_open(open: Open) {
    let world = World::open().await;
    let stage = opened(open, Gate::new(world.authority.clone())).await;
    assert_eq!(stage.ask("GET", "/nowhere").await.status, 404);
    assert_eq!(stage.ask("GET", "/open").await.text(), "open");
    // H18: no spelling of a path leads around the guard.
    for path in ["/LAYERED", "//layered", "/layered/", "/./layered", "/x/../layered", "/%6cayered"] {
        let answer = stage.ask("GET", path).await;
        assert!([401, 404].contains(&answer.status.as_u16()), "{path}: {answer:?}");
    }
}

pub async fn tokens_of_either_kind_pass_and_nothing_is_passed_on_in_extensions(open: Open) {
    let world = World::open().await;
    let holder = world.holder(LIVE, "acme").await;
    world.entity(&holder.developer, "ent_a").await;
    let runs = Runs::default();
    let stage = open(Gate::new(world.authority.clone()), runs.clone()).await;
    for token in [world.token(&holder).await, world.token_for(&holder, Some("ent_a"), None).await] {
        assert_eq!(stage.get("/layered", &token).await.text(), "nothing planted");
        let head = stage.send(Raw::new("HEAD", "/layered").bearer(&token)).await;
        assert_eq!(head.status, 200);
        let mut posted = Raw::new("POST", "/layered/1").bearer(&token);
        posted.body = Some(b"the body passes whole".to_vec());
        assert_eq!(stage.send(posted).await.text(), "the body passes whole");
    }
    assert_eq!(runs.so_far(), 6);
    let token = world.token(&holder).await;
    let options = stage.send(Raw::new("OPTIONS", "/layered").bearer(&token)).await;
    assert_eq!(options.status, 405);
    assert_eq!(runs.so_far(), 6);
}

pub async fn the_guard_serves_the_home_environment_unless_it_says_otherwise(open: Open) {
    let world = World::open().await;
    let gate = Gate::new(world.authority.clone());
    let live = world.token(&world.holder(LIVE, "acme").await).await;
    let sandbox = world.token(&world.holder(SANDBOX, "acme").await).await;
    let stage = opened(open, gate).await;
    for (path, token) in
        [("/layered", &live), ("/layered-sandbox", &sandbox), ("/layered-any", &live), ("/layered-any", &sandbox)]
    {
        assert_eq!(stage.get(path, token).await.status, 200, "{path}");
    }
    assert_refused(&stage.get("/layered", &sandbox).await, 401, "wrong_environment");
    assert_refused(&stage.get("/layered-sandbox", &live).await, 401, "wrong_environment");
}

pub async fn a_revoked_token_stops_passing_at_once(open: Open) {
    let world = World::open().await;
    let holder = world.holder(LIVE, "acme").await;
    let token = world.token(&holder).await;
    let stage = opened(open, Gate::new(world.authority.clone())).await;
    assert_eq!(stage.get("/layered", &token).await.status, 200);
    let keys = world.authority.keys();
    keys.revoke(&Actor::Host, Source::UNKNOWN, &holder.developer, holder.key).await.unwrap();
    assert_refused(&stage.get("/layered", &token).await, 401, "token_revoked");
}

pub async fn the_hosts_realm_and_style_are_on_every_refusal(open: Open) {
    let world = World::open().await;
    let gate = Gate::new(world.authority.clone()).realm("the ledger").unwrap().on_reject(|rejected| {
        let body = format!("{} {}", rejected.status, rejected.error).into_bytes();
        Some(RejectBody { content_type: "text/x-refused".to_owned(), body })
    });
    let stage = opened(open, gate).await;
    for path in ["/principal", "/entity", "/layered", "/v1/auth/whoami"] {
        let answer = stage.ask("GET", path).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (401, "401 missing_credentials"), "{path}");
        assert_eq!(answer.header("content-type"), Some("text/x-refused"), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        assert_eq!(answer.challenge(), Some("Bearer realm=\"the ledger\""), "{path}");
    }
    let other = stage.ask("PUT", "/v1/auth/tokens").await;
    assert_eq!((other.header("allow"), other.text()), (Some("POST"), "405 method_not_allowed"));
}
