//! The wire contract, played in process and over a real socket.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::net::SocketAddr;

use axum::routing::{MethodRouter, get};
use axum::{Json, Router};
use latchbook_adapter_tests::contract;
use latchbook_axum::testing::{Answer, send_raw};
use latchbook_axum::{
    AnyEnvironment, EntityContext, Gate, MaybeEntity, Principal, Refused, RequireScope, Sandboxed, routes,
};
use latchbook_core::model::EntitiesManage;
use latchbook_http::conformance::scopes::{LedgerRead, LedgerWrite};
use latchbook_http::conformance::{FILES, World, play_files};
use latchbook_http::{method_not_allowed, not_found};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The host's routes that the contract asks for, and the contract's own.
fn app(gate: &Gate) -> Router {
    let only = |methods: MethodRouter<Gate>, allow: &'static str| {
        let gate = gate.clone();
        methods.fallback(async move || Refused::from(method_not_allowed(&gate, allow)))
    };
    let missing = gate.clone();
    Router::new()
        .route("/ping", only(get(pong), "GET, HEAD"))
        .route("/v1/live/ping", only(get(async |_: Principal| pong().await), "GET, HEAD"))
        .route("/v1/sandbox/ping", only(get(async |_: Principal<Sandboxed>| pong().await), "GET, HEAD"))
        .route("/v1/transactions", only(get(transactions).post(post), "GET, HEAD, POST"))
        .route("/v1/entities", only(get(entities).post(create_entity), "GET, HEAD, POST"))
        .merge(routes(gate))
        .fallback(async move || Refused::from(not_found(&missing)))
        .with_state(gate.clone())
}

async fn pong() -> Json<Value> {
    Json(contract::pong())
}

async fn transactions(_: EntityContext<LedgerRead, AnyEnvironment>) -> Json<Value> {
    Json(contract::transactions())
}

async fn post(_: EntityContext<LedgerWrite, AnyEnvironment>) {}

async fn entities(caller: MaybeEntity<LedgerRead, AnyEnvironment>) -> Json<Value> {
    Json(contract::entities(caller.entity()))
}

async fn create_entity(_: RequireScope<EntitiesManage, AnyEnvironment>) {}

async fn served() -> (World, Router) {
    let (world, gate) = contract::open().await;
    (world, app(&gate))
}

#[tokio::test]
async fn h17_every_exchange_is_answered_in_process_as_the_contract_says() {
    let (world, app) = served().await;
    contract::in_process("axum", &world, async |request| send_raw(&app, request).await).await;
}

#[tokio::test]
async fn h17_every_exchange_is_answered_over_a_socket_as_the_contract_says() {
    let (world, app) = served().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = listener.local_addr().unwrap();
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    contract::over_socket("axum", &world, server).await;
}

#[tokio::test]
async fn a_store_that_is_away_is_an_opaque_503_and_nothing_else() {
    contract::store_away("axum", async |gate| {
        let app = app(&gate);
        async move |request| send_raw(&app, request).await
    })
    .await;
}

#[tokio::test]
async fn a_server_that_answers_otherwise_is_found_out() {
    let files: Vec<_> = FILES.iter().copied().filter(|(name, _)| ["credentials", "entities"].contains(name)).collect();
    let (world, app) = served().await;
    let whole = play_files(&files, &world, async |request| send_raw(&app, request).await).await;
    whole.assert_none();

    // An extractor left off.
    let (world, app) = served().await;
    let open = Router::new().route("/v1/transactions", get(async || Json(json!({"transactions": []}))));
    let open = open.fallback_service(app);
    let report = play_files(&files, &world, async |request| send_raw(&open, request).await).await;
    let missed: Vec<_> = report.differences.iter().filter(|found| found.exchange.contains(" H1: ")).collect();
    assert_eq!(missed.len(), 1, "{report}");
    assert!(missed[0].exchange.contains("/v1/transactions"), "{report}");
    assert!(report.differences.len() > 100, "{report}");

    // An answer changed on its way.
    type Change = fn(&mut Answer);
    let replace: fn(&mut Answer, &str, &str) = |answer, from, to| answer.body = answer.text().replace(from, to).into();
    let changes: [(&str, Change); 7] = [
        ("another status", |answer| answer.status = if answer.status == 403 { 404 } else { answer.status }),
        ("no challenge", |answer| answer.headers.retain(|(name, _)| name != "www-authenticate")),
        ("no `no-store`", |answer| answer.headers.retain(|(name, _)| name != "cache-control")),
        ("another realm", |answer| {
            answer.headers.iter_mut().for_each(|(_, value)| *value = value.replace("latchbook", "other"));
        }),
        ("another media type", |answer| {
            answer.headers.iter_mut().for_each(|(_, value)| *value = value.replace("problem+json", "json"));
        }),
        ("a status in the body", |answer| {
            answer.body = answer.text().replace("\"status\":401", "\"status\":400").into()
        }),
        ("an entity that is another", |answer| answer.body = answer.text().replace("ent_a", "ent_b").into()),
    ];
    let (world, app) = served().await;
    for (what, change) in changes {
        let report = play_files(&files, &world, async |request| {
            let mut answer = send_raw(&app, request).await?;
            change(&mut answer);
            Ok(answer)
        });
        assert!(!report.await.differences.is_empty(), "{what}");
    }
    for code in
        ["token_expired", "token_revoked", "wrong_audience", "wrong_environment", "entity_forbidden", "missing_entity"]
    {
        let report = play_files(&files, &world, async |request| {
            let mut answer = send_raw(&app, request).await?;
            replace(&mut answer, code, "invalid_request");
            Ok(answer)
        });
        assert!(!report.await.differences.is_empty(), "{code}");
    }
}
