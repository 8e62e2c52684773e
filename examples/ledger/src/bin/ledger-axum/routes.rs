//! The ledger's routes on axum: what each demands of its caller, and nothing else.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{ConnectInfo, DefaultBodyLimit, FromRef, RawQuery, State};
use axum::http::header::{CONTENT_TYPE, HeaderMap};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get};
use latchbook::Source;
use latchbook::axum::{AnyEnvironment, EntityContext, Gate, MaybeEntity, Principal, Refused, RequireScope, Sandboxed};
use latchbook::http::{Head, Reply, body_cut_off, method_not_allowed, not_found, payload_too_large};
use latchbook::model::EntitiesManage;
use latchbook_ledger::api::{Api, MAX_BODY, PONG};
use latchbook_ledger::scopes::{LedgerRead, LedgerWrite};

/// What handlers and extractors share.
#[derive(Clone)]
struct App(Api);

impl FromRef<App> for Gate {
    fn from_ref(app: &App) -> Self {
        app.0.gate.clone()
    }
}

/// Every route of the program.
pub(crate) fn router(api: Api) -> Router {
    let gate = api.gate.clone();
    let only = |methods: MethodRouter<App>, allow: &'static str| {
        let gate = gate.clone();
        methods.fallback(move || {
            let reply = method_not_allowed(&gate, allow);
            async move { respond(reply) }
        })
    };
    let missing = gate.clone();
    Router::new()
        .route("/ping", only(get(async || pong()), "GET, HEAD"))
        .route("/healthz", only(get(async |State(App(api))| respond(api.health().await)), "GET, HEAD"))
        .route("/metrics", only(get(async |State(App(api))| respond(api.metrics())), "GET, HEAD"))
        .route("/v1/live/ping", only(get(live_ping), "GET, HEAD"))
        .route("/v1/sandbox/ping", only(get(sandbox_ping), "GET, HEAD"))
        .route("/v1/transactions", only(get(transactions).post(post), "GET, HEAD, POST"))
        .route("/v1/categories", only(get(categories), "GET, HEAD"))
        .route("/v1/banks/accounts", only(get(bank_accounts), "GET, HEAD"))
        .route("/v1/reports/balances", only(get(balances), "GET, HEAD"))
        .route("/v1/entities", only(get(entities).post(create_entity).delete(remove_entity), "GET, HEAD, POST, DELETE"))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .merge(latchbook::axum::routes(&gate))
        .fallback(async move || respond(not_found(&missing)))
        .with_state(App(api))
}

fn pong() -> Response {
    ([(CONTENT_TYPE, "application/json")], PONG).into_response()
}

type Reading = EntityContext<LedgerRead, AnyEnvironment>;

async fn live_ping(_: Principal) -> Response {
    pong()
}

async fn sandbox_ping(_: Principal<Sandboxed>) -> Response {
    pong()
}

async fn transactions(entity: Reading, State(App(api)): State<App>, RawQuery(query): RawQuery) -> Response {
    respond(api.transactions(&entity, query.as_deref()).await)
}

async fn post(
    entity: EntityContext<LedgerWrite, AnyEnvironment>,
    State(App(api)): State<App>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    match whole(&api, body) {
        Ok(body) => respond(api.post(&entity, content_type(&headers), &body).await),
        Err(reply) => respond(reply),
    }
}

async fn categories(entity: Reading, State(App(api)): State<App>) -> Response {
    respond(api.categories(&entity).await)
}

async fn bank_accounts(entity: Reading, State(App(api)): State<App>) -> Response {
    respond(api.bank_accounts(&entity).await)
}

async fn balances(entity: Reading, State(App(api)): State<App>, RawQuery(query): RawQuery) -> Response {
    respond(api.balances(&entity, query.as_deref()).await)
}

async fn entities(
    caller: MaybeEntity<LedgerRead, AnyEnvironment>,
    State(App(api)): State<App>,
    RawQuery(query): RawQuery,
) -> Response {
    respond(match caller.entity() {
        Some(entity) => api.entity(entity).await,
        None => api.entities(caller.principal(), query.as_deref()).await,
    })
}

async fn create_entity(
    developer: RequireScope<EntitiesManage, AnyEnvironment>,
    State(App(api)): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let source = source(&api, peer, &headers);
    match whole(&api, body) {
        Ok(body) => respond(api.create_entity(&developer, source, content_type(&headers), &body).await),
        Err(reply) => respond(reply),
    }
}

async fn remove_entity(
    entity: EntityContext<EntitiesManage, AnyEnvironment>,
    State(App(api)): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Response {
    respond(api.remove_entity(&entity, source(&api, peer, &headers)).await)
}

fn source(api: &Api, peer: SocketAddr, headers: &HeaderMap) -> Source {
    let forwarded: Vec<_> = headers.get_all("x-forwarded-for").iter().map(HeaderValue::as_bytes).collect();
    api.gate.source(&Head { authorization: &[], query: None, peer: Some(peer.ip()), forwarded_for: &forwarded })
}

fn content_type(headers: &HeaderMap) -> Option<&[u8]> {
    headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes)
}

fn whole(api: &Api, body: Result<Bytes, BytesRejection>) -> Result<Bytes, Reply> {
    body.map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            return payload_too_large(&api.gate);
        }
        body_cut_off(&api.gate)
    })
}

fn respond(reply: Reply) -> Response {
    Refused::from(reply).into_response()
}
