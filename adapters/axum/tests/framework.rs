//! What only axum can be asked: planted extensions, nested routers, other tower services, bodies that never end.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody, to_bytes};
use axum::http::{Request, Response};
use axum::middleware::{Next, from_fn};
use axum::routing::get;
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt as _, Full};
use latchbook_adapter_tests::{LIVE, World};
use latchbook_axum::{AnyPrincipal, EntityContext, Gate, MaybePrincipal, Principal, require_principal, routes};
use latchbook_core::authority;
use latchbook_http::{SandboxAccess, endpoints};
use tower::{Layer as _, ServiceExt as _, service_fn};

/// Status and text of the answer to `GET target`.
async fn ask(app: &Router, target: &str, token: Option<&str>) -> (u16, String) {
    let mut request = Request::get(target);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let response = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_principal_planted_in_extensions_is_not_trusted() {
    type Planted = (authority::Principal, authority::Principal, authority::EntityContext);
    static PLANTED: std::sync::OnceLock<Planted> = std::sync::OnceLock::new();

    async fn record(planted: Principal, either: AnyPrincipal, entity: EntityContext) -> String {
        let (planted, either, entity) = (planted.into_inner(), either.into_inner(), entity.into_inner());
        PLANTED.set((planted, either, entity)).map_or("set before", |()| "set").to_owned()
    }

    async fn plant(mut request: axum::extract::Request, next: Next) -> axum::response::Response {
        if let Some((principal, either, entity)) = PLANTED.get() {
            request.extensions_mut().insert(principal.clone());
            request.extensions_mut().insert(Some(either.clone()));
            request.extensions_mut().insert(entity.clone());
        }
        next.run(request).await
    }

    let world = World::open().await;
    let holder = world.holder(LIVE, "acme").await;
    world.entity(&holder.developer, "ent_a").await;
    let token = world.token(&holder).await;
    let gate = Gate::new(world.authority.clone());
    let recorder = Router::new().route("/", get(record)).with_state(gate.clone());
    assert_eq!(ask(&recorder, "/?entityId=ent_a", Some(&token)).await, (200, "set".to_owned()));

    let app = Router::new()
        .route("/principal", get(async |_: Principal| {}))
        .route("/either", get(async |_: AnyPrincipal| {}))
        .route("/entity", get(async |_: EntityContext| {}))
        .route("/maybe", get(async |who: MaybePrincipal| if who.is_none() { "nobody" } else { "somebody" }))
        .layer(from_fn(plant))
        .with_state(gate);
    for path in ["/principal", "/either", "/entity?entityId=ent_a"] {
        assert_eq!(ask(&app, path, None).await.0, 401, "{path}");
    }
    assert_eq!(ask(&app, "/maybe", None).await.1, "nobody");
}

#[tokio::test]
async fn e20_two_gates_in_one_app_do_not_mix() {
    let (one, two) = (World::open().await, World::open().await);
    let (first, second) =
        (one.token(&one.holder(LIVE, "acme").await).await, two.token(&two.holder(LIVE, "acme").await).await);
    let guarded = |world: &World| {
        let gate = Gate::new(world.authority.clone());
        Router::new().route("/principal", get(async |_: Principal| {})).with_state(gate)
    };
    let app = Router::new().nest("/one", guarded(&one)).nest("/two", guarded(&two));
    for (path, token, status) in [
        ("/one/principal", &first, 200),
        ("/two/principal", &second, 200),
        ("/two/principal", &first, 401),
        ("/one/principal", &second, 401),
    ] {
        assert_eq!(ask(&app, path, Some(token)).await.0, status, "{path}");
    }
}

#[tokio::test]
async fn the_layer_guards_any_tower_service_whatever_its_bodies_are() {
    let world = World::open().await;
    let token = world.token(&world.holder(LIVE, "acme").await).await;
    let inner = service_fn(async |request: Request<u32>| {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(request.body().to_string()))))
    });
    let service = require_principal(&Gate::new(world.authority.clone())).layer(inner);
    let ask = |token: Option<String>| {
        let mut request = Request::builder().uri("/any.Service/Call");
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

/// A body that counts how often it is read, and never ends.
struct Endless {
    reads: Arc<AtomicUsize>,
    announced: Option<u64>,
}

const CHUNK: usize = 1024;

impl HttpBody for Endless {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b' '; CHUNK])))))
    }

    fn size_hint(&self) -> SizeHint {
        self.announced.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

#[tokio::test]
async fn k4_a_body_beyond_the_limit_is_not_read_further() {
    let world = World::open().await;
    let gate = Gate::new(world.authority.clone()).sandbox(SandboxAccess::Open);
    let app: Router = routes(&gate);
    for endpoint in endpoints(&gate).into_iter().filter(|endpoint| endpoint.method == "POST") {
        for (announced, most) in [(Some(10 << 20), 0), (None, endpoint.max_body / CHUNK + 1)] {
            let reads = Arc::new(AtomicUsize::new(0));
            let body = Body::new(Endless { reads: Arc::clone(&reads), announced });
            let path = endpoint.path.replace("{id}", "0123456789abcdEF").replace("{developer}", "acme");
            let posted = Request::post(&path).header("content-type", "application/json").body(body).unwrap();
            let answer = app.clone().oneshot(posted).await.unwrap();
            assert_eq!(answer.status(), 413, "{path}");
            let reads = reads.load(Ordering::SeqCst);
            assert!(reads <= most, "{path}: {reads} reads");
        }
    }
}
