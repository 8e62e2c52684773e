//! The stage of the shared tests on actix: every route that they ask for, in process and on a socket.

use std::net::TcpListener;
use std::rc::Rc;

use actix_web::guard::{Any, Get, Head};
use actix_web::http::header::HeaderValue;
use actix_web::web::{self, ServiceConfig};
use actix_web::{App, HttpMessage as _, HttpRequest, HttpServer, Responder, Route, test};
use latchbook_actix::{
    AnyEnvironment, AnyOf, AnyPrincipal, AnyScope, EntityContext, Gate, Home, MaybeEntity, MaybePrincipal, Principal,
    RequireScope, Sandboxed, configure, require_principal,
};
use latchbook_adapter_tests::scopes::{LedgerRead, LedgerWrite};
use latchbook_adapter_tests::stage::{Later, entity, who, who_and_entity};
use latchbook_adapter_tests::{Answer, Raw, Runs, Stage};
use latchbook_core::authority;

/// Answers in process.
pub(crate) fn in_process(gate: Gate, runs: Runs) -> Later<Stage> {
    Box::pin(async move {
        let app = Rc::new(test::init_service(App::new().configure(routes(gate, runs))).await);
        Stage::new(move |raw| {
            let app = Rc::clone(&app);
            async move {
                let response = test::call_service(&app, request(raw)).await;
                let mut headers = http::HeaderMap::new();
                for (name, value) in response.headers() {
                    let name = http::HeaderName::from_bytes(name.as_str().as_bytes()).expect("a field name");
                    headers.append(name, http::HeaderValue::from_bytes(value.as_bytes()).expect("a field value"));
                }
                let status = http::StatusCode::from_u16(response.status().as_u16()).expect("a status");
                Answer { status, headers, body: test::read_body(response).await.to_vec() }
            }
        })
    })
}

/// Answers on a socket, until the process ends.
pub(crate) fn over_sockets(gate: Gate, runs: Runs) -> Later<Stage> {
    Box::pin(async move {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let server = HttpServer::new(move || App::new().configure(routes(gate.clone(), runs.clone())));
        let server = server.workers(1).disable_signals().listen(listener).expect("a listener").run();
        tokio::spawn(server);
        Stage::new(move |raw| raw.send(address))
    })
}

fn request(raw: Raw) -> actix_http::Request {
    let mut request = test::TestRequest::with_uri(&raw.target).method(raw.method.parse().expect("a method"));
    for (name, value) in raw.fields {
        request = request.append_header((name, HeaderValue::from_bytes(&value).expect("a field value")));
    }
    if let Some(peer) = raw.peer {
        request = request.peer_addr(peer);
    }
    match raw.body {
        Some(body) => request.set_payload(body).to_request(),
        None => request.to_request(),
    }
}

fn routes(gate: Gate, runs: Runs) -> impl FnOnce(&mut ServiceConfig) {
    move |config| {
        config.configure(configure(&gate));
        extractors(config);
        counted(config, &runs);
        layered(config, &gate, &runs);
        config
            .route("/open", web::get().to(async || "open"))
            .route("/ping", web::get().to(async || "pong"))
            .service(web::scope("/hosts/{id}").configure(configure(&gate)));
    }
}

fn extractors(config: &mut ServiceConfig) {
    async fn scope_first(_: RequireScope<LedgerWrite>, _: Principal<Sandboxed>) -> impl Responder {
        ""
    }
    async fn environment_first(_: Principal<Sandboxed>, _: RequireScope<LedgerWrite>) -> impl Responder {
        ""
    }
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
    config
        .route("/principal", web::get().to(async |p: Principal| who(&p)))
        .route("/principal/sandbox", web::get().to(async |p: Principal<Sandboxed>| who(&p)))
        .route("/principal/any", web::get().to(async |p: Principal<AnyEnvironment>| who(&p)))
        .route("/scope", web::get().to(async |p: RequireScope<LedgerWrite>| who(&p)))
        .route("/scope/all", web::get().to(async |p: RequireScope<(LedgerRead, LedgerWrite)>| who(&p)))
        .route("/scope/one", web::get().to(async |p: RequireScope<AnyOf<(LedgerRead, LedgerWrite)>>| who(&p)))
        .route("/scope/sandbox", web::get().to(async |p: RequireScope<LedgerRead, Sandboxed>| who(&p)))
        .route("/either", web::get().to(async |p: AnyPrincipal| who(&p)))
        .route("/maybe", web::get().to(async |p: MaybePrincipal| p.as_ref().map_or_else(|| "nobody".to_owned(), who)))
        .route("/entity", web::route().to(async |e: EntityContext| e.entity_id().to_string()))
        .route("/entity/write", web::get().to(async |e: EntityContext<LedgerWrite>| e.entity_id().to_string()))
        .route(
            "/entity/any",
            web::get().to(async |e: EntityContext<AnyScope, AnyEnvironment>| e.entity_ref().to_string()),
        )
        .route(
            "/entity/maybe",
            web::get().to(async |e: MaybeEntity<LedgerRead>| who_and_entity(e.principal(), e.entity())),
        )
        .route("/scope-first", web::get().to(scope_first))
        .route("/environment-first", web::get().to(environment_first))
        .route("/entity-first", web::get().to(entity_first))
        .route("/print", web::get().to(print));
}

fn counted(config: &mut ServiceConfig, runs: &Runs) {
    let (guarded, extracted) = (runs.clone(), runs.clone());
    let guarded = move |found: MaybeEntity<AnyScope, AnyEnvironment>| {
        guarded.count();
        async move { entity(found.entity()) }
    };
    let extracted = move |_: AnyPrincipal| {
        extracted.count();
        async { "" }
    };
    config
        .service(web::resource("/guarded").route(get_or_head().to(guarded.clone())).route(web::post().to(guarded)))
        .route("/guarded/write", web::post().to(async |_: RequireScope<LedgerWrite>| "written"))
        .route("/live/guarded", web::get().to(async |found: MaybeEntity<AnyScope, Home>| entity(found.entity())))
        .route(
            "/sandbox/guarded",
            web::get().to(async |found: MaybeEntity<AnyScope, Sandboxed>| entity(found.entity())),
        )
        .route("/v1/guarded", web::route().to(extracted));
}

fn layered(config: &mut ServiceConfig, gate: &Gate, runs: &Runs) {
    let (gets, posts, rest) = (runs.clone(), runs.clone(), runs.clone());
    let gets = move |request: HttpRequest| {
        gets.count();
        async move {
            let extensions = request.extensions();
            let planted = extensions.get::<authority::Principal>().is_some()
                || extensions.get::<authority::EntityContext>().is_some();
            if planted { "planted" } else { "nothing planted" }
        }
    };
    let posts = move |body: String| {
        posts.count();
        async { body }
    };
    let rest = move || {
        rest.count();
        async { "" }
    };
    let guard = require_principal(gate);
    config
        .service(web::resource("/layered").wrap(guard.clone()).route(get_or_head().to(gets)))
        .service(web::resource("/layered/{id}").wrap(guard.clone()).route(web::post().to(posts)))
        .service(web::scope("/v1/layered").wrap(guard.clone()).service(web::resource("/{rest:.*}").to(rest)))
        .service(
            web::resource("/layered-sandbox")
                .wrap(guard.clone().serving::<Sandboxed>())
                .route(web::get().to(async || "")),
        )
        .service(
            web::resource("/layered-any").wrap(guard.serving::<AnyEnvironment>()).route(web::get().to(async || "")),
        );
}

fn get_or_head() -> Route {
    web::route().guard(Any(Get()).or(Head()))
}
