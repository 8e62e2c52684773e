//! `assert_guarded` finds the routes of an axum application that let anybody in.

use axum::body::Bytes;
use axum::routing::{get, post};
use axum::{Json, Router};
use latchbook_axum::testing::{Routes, TestAuthority, assert_guarded};
use latchbook_axum::{AnyPrincipal, EntityContext, Gate, MaybePrincipal, Principal, require_principal, routes};
use serde_json::{Value, json};

fn app(gate: &Gate) -> Router {
    Router::new()
        .route("/layered", get(async || "ok"))
        .route_layer(require_principal(gate))
        .route("/extracted/{id}", get(async |_: Principal| "ok").delete(async |_: AnyPrincipal| "ok"))
        .route("/entity", post(async |_: EntityContext, _: Bytes| "ok"))
        .route("/forgotten", get(async || "ok"))
        .route("/optional", get(async |_: MaybePrincipal| "ok"))
        .route("/body-first", post(async |_: Json<Value>| "ok"))
        .merge(routes(gate))
        .with_state(gate.clone())
}

const GUARDED: [(&str, &str); 6] = [
    ("GET", "/layered"),
    ("GET", "/extracted/{id}"),
    ("DELETE", "/extracted/{id}"),
    ("POST", "/entity"),
    ("GET", "/v1/developers/keys"),
    ("DELETE", "/v1/developers/keys/{id}"),
];

#[tokio::test]
async fn guarded_routes_pass_also_with_a_token_that_is_over() {
    let test = TestAuthority::new(&[]).await;
    let over = test.acting_as("acme").lifetime(60).token().await;
    test.clock().advance(60);
    assert_guarded(&app(&test.gate()), Routes::from(GUARDED).refusing(over.text())).await;
}

#[tokio::test]
#[should_panic(expected = "4 of 6 routes are not guarded as they should be:\n  \
    GET /forgotten: without a token, 200: it let in whoever came\n  \
    GET /optional: without a token, 200: it let in whoever came\n  \
    POST /body-first: without a token, 415: something was looked at before the token\n  \
    GET /nowhere: without a token, 404: there is no such route")]
async fn routes_that_are_not_guarded_are_all_named() {
    let test = TestAuthority::new(&[]).await;
    let routes = [
        ("GET", "/layered"),
        ("GET", "/forgotten"),
        ("GET", "/optional"),
        ("POST", "/body-first"),
        ("GET", "/nowhere"),
        ("GET", "/v1/auth/whoami"),
    ];
    assert_guarded(&app(&test.gate()), routes).await;
}

#[tokio::test]
#[should_panic(expected = "1 of 2 routes are not guarded as they should be:\n  GET /forgotten: ")]
async fn an_openapi_document_names_them_too() {
    let test = TestAuthority::new(&[]).await;
    let document = json!({
        "openapi": "3.1.0",
        "security": [{"accessToken": []}],
        "components": {"securitySchemes": {"accessToken": {"type": "http", "scheme": "bearer"}}},
        "paths": {"/forgotten": {"get": {}}, "/extracted/{id}": {"get": {}}, "/ping": {"get": {"security": []}}},
    });
    assert_guarded(&app(&test.gate()), Routes::from_openapi(&document)).await;
}
