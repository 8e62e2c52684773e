//! The wire contract, played in process and over a real socket.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::net::TcpListener;

use actix_web::guard::{Any, Get, Head};
use actix_web::test::init_service;
use actix_web::web::{self, Json, ServiceConfig};
use actix_web::{App, HttpServer, Resource, Responder, Route};
use latchbook_actix::testing::send_raw;
use latchbook_actix::{
    AnyEnvironment, EntityContext, Gate, MaybeEntity, Principal, Refused, RequireScope, Sandboxed, configure,
};
use latchbook_adapter_tests::{contract, run};
use latchbook_core::model::EntitiesManage;
use latchbook_http::conformance::scopes::{LedgerRead, LedgerWrite};
use latchbook_http::{method_not_allowed, not_found};

/// The host's routes that the contract asks for, and the contract's own.
fn routes(gate: Gate) -> impl FnOnce(&mut ServiceConfig) {
    move |config| {
        let only = |path: &str, allow: &'static str| -> Resource {
            let gate = gate.clone();
            web::resource(path).default_service(web::to(move || {
                let reply = method_not_allowed(&gate, allow);
                async { Refused::from(reply) }
            }))
        };
        let missing = gate.clone();
        config
            .configure(configure(&gate))
            .service(only("/ping", "GET, HEAD").route(get_or_head().to(pong)))
            .service(only("/v1/live/ping", "GET, HEAD").route(get_or_head().to(async |_: Principal| pong().await)))
            .service(
                only("/v1/sandbox/ping", "GET, HEAD")
                    .route(get_or_head().to(async |_: Principal<Sandboxed>| pong().await)),
            )
            .service(
                only("/v1/transactions", "GET, HEAD, POST")
                    .route(get_or_head().to(transactions))
                    .route(web::post().to(post)),
            )
            .service(
                only("/v1/entities", "GET, HEAD, POST")
                    .route(get_or_head().to(entities))
                    .route(web::post().to(create_entity)),
            )
            .default_service(web::to(move || {
                let reply = not_found(&missing);
                async { Refused::from(reply) }
            }));
    }
}

fn get_or_head() -> Route {
    web::route().guard(Any(Get()).or(Head()))
}

async fn pong() -> impl Responder {
    Json(contract::pong())
}

async fn transactions(_: EntityContext<LedgerRead, AnyEnvironment>) -> impl Responder {
    Json(contract::transactions())
}

async fn post(_: EntityContext<LedgerWrite, AnyEnvironment>) -> impl Responder {
    ""
}

async fn entities(caller: MaybeEntity<LedgerRead, AnyEnvironment>) -> impl Responder {
    Json(contract::entities(caller.entity()))
}

async fn create_entity(_: RequireScope<EntitiesManage, AnyEnvironment>) -> impl Responder {
    ""
}

#[test]
fn h17_every_exchange_is_answered_in_process_as_the_contract_says() {
    run(async {
        let (world, gate) = contract::open().await;
        let app = init_service(App::new().configure(routes(gate))).await;
        contract::in_process("actix", &world, async |request| send_raw(&app, request).await).await;
    });
}

#[test]
fn h17_every_exchange_is_answered_over_a_socket_as_the_contract_says() {
    run(async {
        let (world, gate) = contract::open().await;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = HttpServer::new(move || App::new().configure(routes(gate.clone())));
        tokio::spawn(server.workers(1).disable_signals().listen(listener).unwrap().run());
        contract::over_socket("actix", &world, address).await;
    });
}

#[test]
fn a_store_that_is_away_is_an_opaque_503_and_nothing_else() {
    run(async {
        contract::store_away("actix", async |gate| {
            let app = init_service(App::new().configure(routes(gate))).await;
            async move |request| send_raw(&app, request).await
        })
        .await;
    });
}
