//! The deny-by-default layer: nobody passes without a token, and it decides nothing else.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::extract::Request;
use axum::http::Response;
use axum::routing::{get, post};
use http_body_util::{BodyExt as _, Full};
use latchbook_axum::{AnyEnvironment, Gate, Sandboxed, require_principal};
use latchbook_core::authority;
use latchbook_core::model::Source;
use tower::{Layer as _, ServiceExt as _, service_fn};

use support::{LIVE, SANDBOX, World, assert_refused, get as get_with, request, send};

/// A guarded router, and how often its handlers ran.
fn guarded(gate: &Gate) -> (Router, Arc<AtomicUsize>) {
    let runs = Arc::new(AtomicUsize::new(0));
    let (gets, posts) = (Arc::clone(&runs), Arc::clone(&runs));
    let router = Router::new()
        .route(
            "/guarded",
            get(move |request: Request| async move {
                gets.fetch_add(1, Ordering::SeqCst);
                let extensions = request.extensions();
                let planted = extensions.get::<authority::Principal>().is_some()
                    || extensions.get::<authority::EntityContext>().is_some();
                if planted { "planted" } else { "nothing planted" }
            }),
        )
        .route(
            "/guarded/{id}",
            post(move |body: String| async move {
                posts.fetch_add(1, Ordering::SeqCst);
                body
            }),
        )
        .route_layer(require_principal(gate))
        .route("/open", get(|| async { "open" }));
    (router, runs)
}

#[tokio::test]
async fn h15_nothing_behind_the_layer_runs_without_a_token() {
    let world = World::open().await;
    let (app, runs) = guarded(&Gate::new(world.authority.clone()));
    for (method, path) in [
        ("GET", "/guarded"),
        ("HEAD", "/guarded"),
        ("OPTIONS", "/guarded"),
        ("DELETE", "/guarded"),
        ("POST", "/guarded/1"),
        ("OPTIONS", "/guarded/1"),
    ] {
        let answer = send(&app, request(method, path, None)).await;
        assert_eq!(answer.status, 401, "{method} {path}");
        assert!(answer.challenge().unwrap().starts_with("Bearer realm="), "{answer:?}");
        assert_eq!(send(&app, request(method, path, Some("a.b.c"))).await.status, 401, "{method} {path}");
    }
    assert_refused(&send(&app, request("GET", "/guarded", None)).await, 401, "missing_credentials");
    assert_eq!(runs.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_route_layer_leaves_unknown_paths_at_404_and_other_routes_open() {
    let world = World::open().await;
    let (app, _) = guarded(&Gate::new(world.authority.clone()));
    assert_eq!(send(&app, request("GET", "/nowhere", None)).await.status, 404);
    assert_eq!(send(&app, request("GET", "/open", None)).await.text(), "open");
    // H18: no spelling of a path leads around the guard.
    for path in ["/GUARDED", "//guarded", "/guarded/", "/./guarded", "/x/../guarded", "/%67uarded"] {
        let answer = send(&app, request("GET", path, None)).await;
        assert!([401, 404].contains(&answer.status), "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn tokens_of_either_kind_pass_and_nothing_is_passed_on_in_extensions() {
    let world = World::open().await;
    let holder = world.holder(LIVE, "acme").await;
    world.entity(&holder.developer, "ent_a").await;
    let (app, runs) = guarded(&Gate::new(world.authority.clone()));
    for token in [world.token(&holder).await, world.token_for(&holder, Some("ent_a"), None).await] {
        assert_eq!(get_with(&app, "/guarded", &token).await.text(), "nothing planted");
        let head = send(&app, request("HEAD", "/guarded", Some(&token))).await;
        assert_eq!((head.status, head.body.len()), (200, 0));
        let mut posted = request("POST", "/guarded/1", Some(&token));
        *posted.body_mut() = "the body passes whole".into();
        assert_eq!(send(&app, posted).await.text(), "the body passes whole");
    }
    assert_eq!(runs.load(Ordering::SeqCst), 6);
    let token = world.token(&holder).await;
    let options = send(&app, request("OPTIONS", "/guarded", Some(&token))).await;
    assert_eq!((options.status, options.header("allow")), (405, Some("GET,HEAD")));
    assert_eq!(runs.load(Ordering::SeqCst), 6);
}

#[tokio::test]
async fn the_layer_serves_the_home_environment_unless_it_says_otherwise() {
    let world = World::open().await;
    let gate = Gate::new(world.authority.clone());
    let live = world.token(&world.holder(LIVE, "acme").await).await;
    let sandbox = world.token(&world.holder(SANDBOX, "acme").await).await;
    let open = || Router::<()>::new().route("/", get(|| async {}));
    let home = open().route_layer(require_principal(&gate));
    let sandboxed = open().route_layer(require_principal(&gate).serving::<Sandboxed>());
    let any = open().route_layer(require_principal(&gate).serving::<AnyEnvironment>());
    assert_eq!(get_with(&home, "/", &live).await.status, 200);
    assert_refused(&get_with(&home, "/", &sandbox).await, 401, "wrong_environment");
    assert_eq!(get_with(&sandboxed, "/", &sandbox).await.status, 200);
    assert_refused(&get_with(&sandboxed, "/", &live).await, 401, "wrong_environment");
    for token in [&live, &sandbox] {
        assert_eq!(get_with(&any, "/", token).await.status, 200);
    }
}

#[tokio::test]
async fn a_revoked_token_stops_passing_at_once() {
    let world = World::open().await;
    let holder = world.holder(LIVE, "acme").await;
    let token = world.token(&holder).await;
    let (app, _) = guarded(&Gate::new(world.authority.clone()));
    assert_eq!(get_with(&app, "/guarded", &token).await.status, 200);
    let keys = world.authority.keys();
    keys.revoke(&authority::Actor::Host, Source::UNKNOWN, &holder.developer, holder.key).await.unwrap();
    assert_refused(&get_with(&app, "/guarded", &token).await, 401, "token_revoked");
}

#[tokio::test]
async fn the_layer_guards_any_tower_service_whatever_its_bodies_are() {
    let world = World::open().await;
    let token = world.token(&world.holder(LIVE, "acme").await).await;
    let inner = service_fn(|request: axum::http::Request<u32>| async move {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(request.body().to_string()))))
    });
    let service = require_principal(&Gate::new(world.authority.clone())).layer(inner);
    let ask = |token: Option<String>| {
        let mut request = axum::http::Request::builder().uri("/any.Service/Call");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        service.clone().oneshot(request.body(7).unwrap())
    };
    let refused = ask(None).await.unwrap();
    assert_eq!(refused.status(), 401);
    let passed = ask(Some(token)).await.unwrap();
    assert_eq!(passed.status(), 200);
    assert_eq!(passed.into_body().collect().await.unwrap().to_bytes(), "7");
}
