//! What only actix can be asked: forgotten gates, middleware around the guard, extensions, scopes, bodies that never end.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use std::cell::Cell;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_cors::Cors;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, Service, ServiceRequest, ServiceResponse, Transform as _, fn_service};
use actix_web::error::PayloadError;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::{Next, from_fn};
use actix_web::test::{TestRequest, call_service, init_service, read_body, try_call_service};
use actix_web::web::{self, Bytes, Data};
use actix_web::{App, Error, FromRequest, HttpMessage as _, HttpResponse};
use futures_core::Stream;
use latchbook_actix::{
    AnyPrincipal, EntityContext, Gate, MaybePrincipal, Principal, RequireScope, configure, require_principal,
};
use latchbook_adapter_tests::scopes::LedgerWrite;
use latchbook_adapter_tests::{LIVE, Log, World};
use latchbook_core::authority;
use latchbook_http::{SandboxAccess, endpoints};

/// Status, fields and text of the answer to `GET target`.
async fn ask<B: MessageBody>(
    app: &impl Service<actix_http::Request, Response = ServiceResponse<B>, Error = Error>,
    target: &str,
    token: Option<&str>,
) -> (u16, HeaderMap, String) {
    let mut request = TestRequest::with_uri(target).insert_header(("origin", "https://app.example.com"));
    if let Some(token) = token {
        request = request.insert_header(("authorization", format!("Bearer {token}")));
    }
    // An error that reached this far would be no response, and no middleware's fields would be on it.
    let response = try_call_service(app, request.to_request()).await.expect("a response, not an error");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    (status, headers, String::from_utf8(read_body(response).await.to_vec()).expect("a text"))
}

#[actix_web::test]
async fn e23_a_forgotten_gate_is_a_500_that_says_what_to_add_and_no_handler_runs() {
    let log = Log::capture();
    let world = World::open().await;
    let token = world.token(&world.holder(LIVE, "acme").await).await;
    let gate = Gate::new(world.authority.clone());
    let guarded = |config: &mut web::ServiceConfig| {
        config
            .route("/principal", web::get().to(async |_: Principal| "ran"))
            .route("/scope", web::get().to(async |_: RequireScope<LedgerWrite>| "ran"))
            .route("/entity", web::get().to(async |_: EntityContext| "ran"))
            .route("/maybe", web::get().to(async |_: MaybePrincipal| "ran"));
    };
    let forgotten = init_service(App::new().configure(guarded)).await;
    let bare = init_service(App::new().app_data(gate.clone()).configure(guarded)).await;
    for path in ["/principal", "/scope", "/entity?entityId=ent_a", "/maybe"] {
        for token in [None, Some(&*token), Some("a.b.c")] {
            let (status, headers, body) = ask(&forgotten, path, token).await;
            assert_eq!(status, 500);
            assert_eq!(headers.get("content-type").unwrap(), "application/problem+json");
            assert_eq!(headers.get("cache-control").unwrap(), "no-store");
            assert!(body.contains(r#""error":"internal_error""#), "{body}");
        }
        assert_eq!(ask(&bare, path, Some(&token)).await.0, 500, "{path}");
    }
    let log = log.text();
    assert!(log.contains("ERROR") && log.contains(".app_data(web::Data::new(gate))"), "{log}");
    assert!(log.contains("route=\"/principal\"") && log.contains("the bare `Gate` that is there"), "{log}");

    let wired = init_service(App::new().app_data(Data::new(gate)).configure(guarded)).await;
    assert_eq!(ask(&wired, "/principal", Some(&token)).await.2, "ran");
    assert_eq!(ask(&wired, "/principal", None).await.0, 401);
}

#[actix_web::test]
async fn e20_the_nearest_gate_counts_and_two_in_one_app_do_not_mix() {
    let (one, two) = (World::open().await, World::open().await);
    let (first, second) =
        (one.token(&one.holder(LIVE, "acme").await).await, two.token(&two.holder(LIVE, "acme").await).await);
    let (outer, inner) = (Gate::new(one.authority.clone()), Gate::new(two.authority.clone()));
    let app = init_service(
        App::new().configure(configure(&outer)).route("/principal", web::get().to(async |_: Principal| "")).service(
            web::scope("/two").configure(configure(&inner)).route("/principal", web::get().to(async |_: Principal| "")),
        ),
    )
    .await;
    for (path, token, status) in [
        ("/principal", &first, 200),
        ("/two/principal", &second, 200),
        ("/two/principal", &first, 401),
        ("/principal", &second, 401),
        ("/v1/auth/whoami", &first, 200),
        ("/two/v1/auth/whoami", &second, 200),
        ("/two/v1/auth/whoami", &first, 401),
    ] {
        assert_eq!(ask(&app, path, Some(token)).await.0, status, "{path}");
    }
}

#[actix_web::test]
async fn routes_mounted_before_a_scope_of_the_same_prefix_are_reached() {
    let world = World::open().await;
    let gate = Gate::new(world.authority.clone());
    let token = world.token(&world.holder(LIVE, "acme").await).await;
    let scope = || web::scope("/v1").route("/transactions", web::get().to(async |_: Principal| "listed"));
    let app = init_service(App::new().configure(configure(&gate)).service(scope())).await;
    assert_eq!(ask(&app, "/v1/auth/whoami", Some(&token)).await.0, 200);
    assert_eq!(ask(&app, "/v1/transactions", Some(&token)).await.2, "listed");
    assert_eq!(ask(&app, "/v1/nothing", Some(&token)).await.0, 404);
}

/// Every way to be refused, and `/open`.
fn refusing(gate: &Gate) -> impl FnOnce(&mut web::ServiceConfig) {
    let gate = gate.clone();
    move |config| {
        config
            .configure(configure(&gate))
            .route("/extracted", web::get().to(async |_: AnyPrincipal| ""))
            .service(web::resource("/wrapped").wrap(require_principal(&gate)).route(web::get().to(async || "")))
            .service(
                web::scope("/scoped")
                    .wrap(require_principal(&gate))
                    .route("/in", web::get().to(async |_: AnyPrincipal| "")),
            )
            .route("/open", web::get().to(async || "open"));
    }
}

const REFUSED: [&str; 5] = ["/extracted", "/wrapped", "/scoped/in", "/v1/auth/whoami", "/v1/developers/keys"];

#[actix_web::test]
async fn middleware_around_the_guard_adds_its_fields_to_refusals() {
    async fn mark(
        request: ServiceRequest,
        next: Next<impl MessageBody + 'static>,
    ) -> Result<ServiceResponse<impl MessageBody>, Error> {
        // An error of the inner service would end this here, and the field would not be there.
        let mut response = next.call(request).await?;
        response.headers_mut().insert(HeaderName::from_static("x-mark"), HeaderValue::from_static("marked"));
        Ok(response)
    }
    let world = World::open().await;
    let gate = Gate::new(world.authority.clone());
    let cors = Cors::default().allowed_origin("https://app.example.com").allowed_methods(["GET"]);
    let app = init_service(App::new().configure(refusing(&gate)).wrap(cors).wrap(from_fn(mark))).await;
    for path in REFUSED {
        for token in [None, Some("a.b.c")] {
            let (status, headers, _) = ask(&app, path, token).await;
            assert_eq!(status, 401, "{path}");
            assert_eq!(headers.get("x-mark").unwrap(), "marked", "{path}");
            assert_eq!(headers.get("access-control-allow-origin").unwrap(), "https://app.example.com", "{path}");
            assert!(headers.get("www-authenticate").is_some(), "{path}");
        }
    }
    assert_eq!(ask(&app, "/open", None).await.1.get("x-mark").unwrap(), "marked");
}

#[actix_web::test]
async fn h15_a_preflight_is_answered_by_cors_and_runs_no_guarded_handler() {
    let world = World::open().await;
    let gate = Gate::new(world.authority.clone());
    let cors = Cors::default().allowed_origin("https://app.example.com").allowed_methods(["GET"]);
    let app = init_service(App::new().configure(refusing(&gate)).wrap(cors)).await;
    for path in REFUSED {
        let preflight = TestRequest::with_uri(path)
            .method("OPTIONS".parse().unwrap())
            .insert_header(("origin", "https://app.example.com"))
            .insert_header(("access-control-request-method", "GET"));
        assert_eq!(call_service(&app, preflight.to_request()).await.status(), 200, "{path}");
    }
}

#[actix_web::test]
async fn middleware_around_the_whole_app_guards_every_path() {
    let world = World::open().await;
    let gate = Gate::new(world.authority.clone());
    let token = world.token(&world.holder(LIVE, "acme").await).await;
    let app = init_service(App::new().configure(refusing(&gate)).wrap(require_principal(&gate))).await;
    for path in ["/open", "/nowhere", "/wrapped", "/v1/auth/whoami"] {
        assert_eq!(ask(&app, path, None).await.0, 401, "{path}");
    }
    for (path, status) in [("/open", 200), ("/nowhere", 404), ("/wrapped", 200), ("/scoped/in", 200)] {
        assert_eq!(ask(&app, path, Some(&token)).await.0, status, "{path}");
    }
}

#[actix_web::test]
#[allow(clippy::await_holding_refcell_ref, reason = "this is what is tried")]
async fn extensions_are_never_borrowed_by_the_guard() {
    let world = World::open().await;
    let gate = Gate::new(world.authority.clone());
    let holder = world.holder(LIVE, "acme").await;
    world.entity(&holder.developer, "ent_a").await;
    let token = world.token(&holder).await;
    let inner = fn_service(async |request: ServiceRequest| Ok(request.into_response(HttpResponse::Ok())));
    let guard = require_principal(&gate).new_transform(inner).await.unwrap();
    for (token, let_in) in [(&*token, true), ("a.b.c", false)] {
        let request = TestRequest::with_uri("/?entityId=ent_a")
            .insert_header(("authorization", format!("Bearer {token}")))
            .app_data(Data::new(gate.clone()))
            .to_http_request();
        // Whoever touches the extensions while this is held panics.
        let held = request.extensions_mut();
        let body = &mut Payload::None;
        assert_eq!(<EntityContext>::from_request(&request, body).await.is_ok(), let_in);
        assert_eq!(<Principal>::from_request(&request, body).await.is_ok(), let_in);
        let answered = guard.call(ServiceRequest::from_request(request.clone())).await.unwrap();
        assert_eq!(answered.status() == 200, let_in);
        drop(held);
    }
}

#[actix_web::test]
async fn a_principal_planted_in_extensions_is_not_trusted() {
    type Planted = (authority::Principal, authority::EntityContext);
    thread_local! {
        static PLANTED: std::cell::RefCell<Option<Planted>> = const { std::cell::RefCell::new(None) };
    }
    async fn plant(request: ServiceRequest, next: Next<BoxBody>) -> Result<ServiceResponse<BoxBody>, Error> {
        if let Some((principal, entity)) = PLANTED.with_borrow(Clone::clone) {
            request.extensions_mut().insert(Some(principal.clone()));
            request.extensions_mut().insert(principal);
            request.extensions_mut().insert(entity);
        }
        next.call(request).await
    }
    let record = async |principal: Principal, entity: EntityContext| {
        PLANTED.set(Some((principal.into_inner(), entity.into_inner())));
        "recorded"
    };
    let world = World::open().await;
    let holder = world.holder(LIVE, "acme").await;
    world.entity(&holder.developer, "ent_a").await;
    let token = world.token(&holder).await;
    let app = init_service(
        App::new()
            .app_data(Data::new(Gate::new(world.authority.clone())))
            .wrap(from_fn(plant))
            .route("/record", web::get().to(record))
            .route("/principal", web::get().to(async |_: Principal| ""))
            .route("/entity", web::get().to(async |_: EntityContext| ""))
            .route(
                "/maybe",
                web::get().to(async |who: MaybePrincipal| if who.is_none() { "nobody" } else { "somebody" }),
            ),
    )
    .await;
    assert_eq!(ask(&app, "/record?entityId=ent_a", Some(&token)).await.2, "recorded");
    assert!(PLANTED.with_borrow(Option::is_some));
    for path in ["/principal", "/entity?entityId=ent_a"] {
        assert_eq!(ask(&app, path, None).await.0, 401, "{path}");
    }
    assert_eq!(ask(&app, "/maybe", None).await.2, "nobody");
}

/// A body, as actix has it.
type Body = Pin<Box<dyn Stream<Item = Result<Bytes, PayloadError>>>>;

/// A body that counts how often it is read, and never ends.
struct Endless(Rc<Cell<usize>>);

const CHUNK: usize = 1024;

impl Stream for Endless {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.set(self.0.get() + 1);
        Poll::Ready(Some(Ok(Bytes::from_static(&[b' '; CHUNK]))))
    }
}

#[actix_web::test]
async fn k4_a_body_beyond_the_limit_is_not_read_further() {
    let world = World::open().await;
    let gate = Gate::new(world.authority.clone()).sandbox(SandboxAccess::Open);
    let app = init_service(App::new().configure(configure(&gate))).await;
    for endpoint in endpoints(&gate).into_iter().filter(|endpoint| endpoint.method == "POST") {
        for (announced, most) in [(Some(10 << 20), 0), (None, endpoint.max_body / CHUNK + 1)] {
            let reads = Rc::new(Cell::new(0));
            let body: Body = Box::pin(Endless(Rc::clone(&reads)));
            let path = endpoint.path.replace("{id}", "0123456789abcdEF").replace("{developer}", "acme");
            let mut posted = TestRequest::post().uri(&path).insert_header(("content-type", "application/json"));
            if let Some(length) = announced {
                posted = posted.insert_header(("content-length", length));
            }
            let (posted, _) = posted.to_request().replace_payload(Payload::Stream { payload: body });
            let answer = call_service(&app, posted).await;
            assert_eq!(answer.status(), 413, "{path}");
            assert!(reads.get() <= most, "{path}: {} reads", reads.get());
        }
    }
}

#[actix_web::test]
async fn a_body_that_breaks_off_is_refused() {
    struct Broken;
    impl Stream for Broken {
        type Item = Result<Bytes, PayloadError>;

        fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            Poll::Ready(Some(Err(PayloadError::Incomplete(None))))
        }
    }
    let world = World::open().await;
    let app = init_service(App::new().configure(configure(&Gate::new(world.authority.clone())))).await;
    let posted = TestRequest::post().uri("/v1/auth/tokens").insert_header(("content-type", "application/json"));
    let body: Body = Box::pin(Broken);
    let (posted, _) = posted.to_request().replace_payload(Payload::Stream { payload: body });
    let answer = call_service(&app, posted).await;
    assert_eq!(answer.status(), 400);
    assert!(String::from_utf8_lossy(&read_body(answer).await).contains("send it whole"));
}

/// An extractor of the host's, to stand between ours.
struct Hosts;

impl FromRequest for Hosts {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(_: &actix_web::HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self))
    }
}

#[actix_web::test]
async fn extractors_of_the_host_may_stand_between_ours() {
    let world = World::open().await;
    let token = world.token(&world.holder(LIVE, "acme").await).await;
    let handler = async |_: Principal,
                         _: Hosts,
                         _: RequireScope<LedgerWrite>,
                         query: web::Query<Vec<(String, String)>>| { query.len().to_string() };
    let gate = Data::new(Gate::new(world.authority.clone()));
    let app = init_service(App::new().app_data(gate).route("/", web::get().to(handler))).await;
    assert_eq!(ask(&app, "/?a=b", Some(&token)).await.2, "1");
    assert_eq!(ask(&app, "/?a=b", None).await.0, 401);
}
