//! The stage of the shared tests on axum: every route that they ask for, in process and on a socket.

use std::net::{SocketAddr, TcpListener};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::connect_info::MockConnectInfo;
use axum::extract::{FromRef, Request};
use axum::routing::{any, get, post};
use latchbook_adapter_tests::scopes::{LedgerRead, LedgerWrite};
use latchbook_adapter_tests::stage::{Later, entity, who, who_and_entity};
use latchbook_adapter_tests::{Answer, Raw, Runs, Stage};
use latchbook_axum::{
    AnyEnvironment, AnyOf, AnyPrincipal, AnyScope, EntityContext, Gate, Home, MaybeEntity, MaybePrincipal, Principal,
    RequireScope, Sandboxed, require_principal, routes,
};
use latchbook_core::authority;
use tower::ServiceExt as _;

#[derive(Clone)]
struct App {
    gate: Gate,
}

impl FromRef<App> for Gate {
    fn from_ref(app: &App) -> Self {
        app.gate.clone()
    }
}

/// Answers in process.
pub(crate) fn in_process(gate: Gate, runs: Runs) -> Later<Stage> {
    let app = app(gate, &runs);
    Box::pin(async { Stage::new(move |raw| send(app.clone(), raw)) })
}

/// Answers on a socket, until the runtime ends.
pub(crate) fn over_sockets(gate: Gate, runs: Runs) -> Later<Stage> {
    Box::pin(async move {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("an address");
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
        let service = app(gate, &runs).into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        Stage::new(move |raw| raw.send(address))
    })
}

async fn send(app: Router, raw: Raw) -> Answer {
    let mut request = Request::builder().method(raw.method.as_str()).uri(raw.target);
    for (name, value) in raw.fields {
        request = request.header(name, value);
    }
    let request = request.body(raw.body.map_or_else(Body::empty, Body::from)).expect("a request");
    let app = match raw.peer {
        Some(peer) => app.layer(MockConnectInfo(peer)),
        None => app,
    };
    let response = app.oneshot(request).await.expect("infallible");
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.expect("a whole body").to_vec();
    Answer { status: parts.status, headers: parts.headers, body }
}

fn app(gate: Gate, runs: &Runs) -> Router {
    Router::new()
        .merge(extractors())
        .merge(counted(runs))
        .merge(layered(&gate, runs))
        .route("/open", get(async || "open"))
        .route("/ping", get(async || "pong"))
        .merge(routes(&gate))
        .nest("/hosts/{id}", routes(&gate))
        .with_state(App { gate })
}

fn extractors() -> Router<App> {
    async fn scope_first(_: RequireScope<LedgerWrite>, _: Principal<Sandboxed>) {}
    async fn environment_first(_: Principal<Sandboxed>, _: RequireScope<LedgerWrite>) {}
    async fn entity_first(e: EntityContext, _: RequireScope<LedgerWrite>) -> String {
        e.entity_id().to_string()
    }
    async fn print(
        one: Principal,
        two: RequireScope<LedgerRead>,
        three: AnyPrincipal<Home>,
        four: MaybePrincipal,
        five: EntityContext,
        six: MaybeEntity,
    ) -> String {
        let (one, two, three, four) = (one.clone(), two.clone(), three.clone(), four.clone());
        format!("{one:?} {two:?} {three:?} {four:?} {:#?} {:?}", five.clone(), six.clone())
    }
    Router::new()
        .route("/principal", get(async |p: Principal| who(&p)))
        .route("/principal/sandbox", get(async |p: Principal<Sandboxed>| who(&p)))
        .route("/principal/any", get(async |p: Principal<AnyEnvironment>| who(&p)))
        .route("/scope", get(async |p: RequireScope<LedgerWrite>| who(&p)))
        .route("/scope/all", get(async |p: RequireScope<(LedgerRead, LedgerWrite)>| who(&p)))
        .route("/scope/one", get(async |p: RequireScope<AnyOf<(LedgerRead, LedgerWrite)>>| who(&p)))
        .route("/scope/sandbox", get(async |p: RequireScope<LedgerRead, Sandboxed>| who(&p)))
        .route("/either", get(async |p: AnyPrincipal| who(&p)))
        .route("/maybe", get(async |p: MaybePrincipal| p.as_ref().map_or_else(|| "nobody".to_owned(), who)))
        .route("/entity", any(async |e: EntityContext| e.entity_id().to_string()))
        .route("/entity/write", get(async |e: EntityContext<LedgerWrite>| e.entity_id().to_string()))
        .route("/entity/any", get(async |e: EntityContext<AnyScope, AnyEnvironment>| e.entity_ref().to_string()))
        .route("/entity/maybe", get(async |e: MaybeEntity<LedgerRead>| who_and_entity(e.principal(), e.entity())))
        .route("/scope-first", get(scope_first))
        .route("/environment-first", get(environment_first))
        .route("/entity-first", get(entity_first))
        .route("/print", get(print))
}

fn counted(runs: &Runs) -> Router<App> {
    let (guarded, extracted) = (runs.clone(), runs.clone());
    let guarded = move |found: MaybeEntity<AnyScope, AnyEnvironment>| async move {
        guarded.count();
        entity(found.entity())
    };
    let extracted = move |_: AnyPrincipal| async move { extracted.count() };
    Router::new()
        .route("/guarded", get(guarded.clone()).post(guarded))
        .route("/guarded/write", post(async |_: RequireScope<LedgerWrite>| "written"))
        .route("/live/guarded", get(async |found: MaybeEntity<AnyScope, Home>| entity(found.entity())))
        .route("/sandbox/guarded", get(async |found: MaybeEntity<AnyScope, Sandboxed>| entity(found.entity())))
        .route("/v1/guarded", any(extracted))
}

fn layered(gate: &Gate, runs: &Runs) -> Router<App> {
    let (gets, posts, rest) = (runs.clone(), runs.clone(), runs.clone());
    let gets = move |request: Request| async move {
        gets.count();
        let extensions = request.extensions();
        let planted = extensions.get::<authority::Principal>().is_some()
            || extensions.get::<authority::EntityContext>().is_some();
        if planted { "planted" } else { "nothing planted" }
    };
    let posts = move |body: String| async move {
        posts.count();
        body
    };
    let rest = move || async move { rest.count() };
    let guard = require_principal(gate);
    Router::new()
        .route("/layered", get(gets))
        .route("/layered/{id}", post(posts))
        .nest("/v1/layered", Router::new().route("/{*rest}", any(rest)))
        .route_layer(guard.clone())
        .route("/layered-sandbox", get(async || {}).route_layer(guard.clone().serving::<Sandboxed>()))
        .route("/layered-any", get(async || {}).route_layer(guard.serving::<AnyEnvironment>()))
}
