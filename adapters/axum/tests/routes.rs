//! The routes of the contract as they are mounted: every endpoint, its methods, its limits.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::Request;
use axum::routing::get;
use http_body::{Frame, SizeHint};
use latchbook_axum::{Gate, routes};
use latchbook_http::{SandboxAccess, endpoints};
use serde_json::json;

use support::{Answer, Holder, LIVE, SANDBOX, World, assert_refused, get as get_with, request, send};

async fn open() -> (World, Gate, Router) {
    let world = World::open().await;
    let gate = Gate::new(world.authority.clone()).sandbox(SandboxAccess::Open);
    let app = Router::new().route("/ping", get(|| async { "pong" })).merge(routes(&gate)).with_state(());
    (world, gate, app)
}

/// A path of the contract with something in place of its parameter.
fn concrete(path: &str) -> String {
    path.replace("{environment}", "live.json").replace("{id}", "0123456789abcdEF").replace("{developer}", "acme")
}

fn posting(path: &str, body: &serde_json::Value) -> Request<Body> {
    let mut request = request("POST", path, None);
    request.headers_mut().insert("content-type", "application/json".parse().unwrap());
    *request.body_mut() = body.to_string().into();
    request
}

async fn exchange(app: &Router, holder: &Holder) -> Answer {
    let body = json!({"userType": "developer", "id": holder.developer.id.as_str(), "apiKey": holder.text.expose()});
    send(app, posting("/v1/auth/tokens", &body)).await
}

#[tokio::test]
async fn every_endpoint_of_the_contract_is_mounted() {
    let (_world, gate, app) = open().await;
    let mounted = endpoints(&gate);
    assert!(!mounted.is_empty());
    for endpoint in mounted {
        let path = concrete(endpoint.path);
        let answer = send(&app, request(endpoint.method, &path, None)).await;
        assert!(![405, 500].contains(&answer.status), "{} {path}: {answer:?}", endpoint.method);
        assert!(answer.status != 404 || answer.code() == "not_found", "{} {path}: {answer:?}", endpoint.method);
    }
    assert_eq!(send(&app, request("GET", "/ping", None)).await.text(), "pong");
}

#[tokio::test]
async fn h14_other_methods_get_405_with_allow_and_a_problem() {
    let (_world, gate, app) = open().await;
    let mut paths: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for endpoint in endpoints(&gate) {
        let methods = paths.entry(endpoint.path).or_default();
        methods.push(endpoint.method);
        if endpoint.method == "GET" {
            methods.push("HEAD");
        }
    }
    for (path, methods) in paths {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"] {
            if methods.contains(&method) {
                continue;
            }
            let answer = send(&app, request(method, &concrete(path), None)).await;
            assert_eq!(answer.status, 405, "{method} {path}: {answer:?}");
            let allow: Vec<_> = answer.header("allow").expect("allow").split(", ").collect();
            assert_eq!(allow, methods, "{method} {path}");
            if method != "HEAD" {
                assert_refused(&answer, 405, "method_not_allowed");
            }
        }
    }
}

#[tokio::test]
async fn h15_head_is_answered_like_get_without_the_body() {
    let (_world, _, app) = open().await;
    for path in ["/.well-known/jwks.json", "/v1/auth/whoami"] {
        let got = send(&app, request("GET", path, None)).await;
        let head = send(&app, request("HEAD", path, None)).await;
        assert!(!got.body.is_empty() && head.body.is_empty(), "{path}");
        assert_eq!((got.status, got.headers), (head.status, head.headers), "{path}");
    }
}

#[tokio::test]
async fn the_whole_way_from_a_key_to_a_guarded_answer() {
    let (world, _, app) = open().await;
    let holder = world.holder(LIVE, "acme").await;
    let issued = exchange(&app, &holder).await;
    assert_eq!((issued.status, issued.header("cache-control")), (200, Some("no-store")), "{issued:?}");
    assert_eq!((&issued.json()["token_type"], &issued.json()["expires_in"]), (&json!("Bearer"), &json!(900)));
    let token = issued.json()["access_token"].as_str().unwrap().to_owned();

    let whoami = get_with(&app, "/v1/auth/whoami", &token).await;
    assert_eq!(whoami.status, 200);
    assert!(whoami.text().contains("acme"));

    let mut made = posting("/v1/developers/keys", &json!({"name": "second", "scopes": ["ledger:read"]}));
    made.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    let made = send(&app, made).await;
    assert_eq!(made.status, 201, "{made:?}");
    let listed = get_with(&app, "/v1/developers/keys?pageSize=1", &token).await.json();
    assert_eq!((listed["keys"].as_array().unwrap().len(), &listed["hasMore"]), (1, &json!(true)));

    let mine = format!("/v1/developers/keys/{}", holder.key);
    assert_eq!(get_with(&app, &mine, &token).await.json()["id"], holder.key.as_str());
    assert_eq!(send(&app, request("DELETE", &mine, Some(&token))).await.status, 204);
    // K10: the key's own token ends with it, and the key makes no other.
    assert_refused(&get_with(&app, "/v1/auth/whoami", &token).await, 401, "token_revoked");
    assert_eq!(exchange(&app, &holder).await.verdict(), (401, "invalid_client".into()));
}

#[tokio::test]
async fn e17_a_parameter_is_decoded_once_and_names_nothing_where_it_is_no_id() {
    let (world, gate, app) = open().await;
    let holder = world.holder(LIVE, "acme").await;
    let token = world.token(&holder).await;
    let id = holder.key.as_str();
    let coded: String = id.bytes().map(|byte| format!("%{byte:02X}")).collect();
    for good in [id, &coded] {
        assert_eq!(get_with(&app, &format!("/v1/developers/keys/{good}"), &token).await.status, 200, "{good}");
    }
    let unknown = get_with(&app, "/v1/developers/keys/0123456789abcdEF", &token).await;
    assert_refused(&unknown, 404, "not_found");
    let other = world.holder(LIVE, "other").await;
    for bad in [other.key.as_str(), "%FF", "%C3%28", "%00", "%2E%2E", &coded.replace('%', "%25")] {
        assert_eq!(get_with(&app, &format!("/v1/developers/keys/{bad}"), &token).await, unknown, "{bad}");
    }
    let nested = Router::new().nest("/hosts/{id}", routes(&gate)).with_state(());
    assert_eq!(get_with(&nested, &format!("/hosts/me/v1/developers/keys/{id}"), &token).await.status, 200);
}

#[tokio::test]
async fn sandbox_routes_are_there_only_where_the_host_opens_them() {
    let (world, _, app) = open().await;
    let order = json!({"name": "Acme", "developer_id": "acme_test"});
    let opened = send(&app, posting("/v1/sandbox", &order)).await;
    assert_eq!(opened.status, 201, "{opened:?}");
    let token = opened.json()["data"]["token"].as_str().unwrap().to_owned();
    let whoami = get_with(&app, "/v1/auth/whoami", &token).await;
    assert_eq!(whoami.status, 200);
    assert!(whoami.text().contains(SANDBOX.as_str()), "{whoami:?}");
    let off: Router = routes(&Gate::new(world.authority.clone()).sandbox(SandboxAccess::Off));
    assert_eq!(send(&off, posting("/v1/sandbox", &order)).await.status, 404);
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
async fn k4_a_body_beyond_the_limit_is_refused_and_not_read_further() {
    let (_world, gate, app) = open().await;
    for endpoint in endpoints(&gate).into_iter().filter(|endpoint| endpoint.method == "POST") {
        for (announced, most) in [(Some(10 << 20), 0), (None, endpoint.max_body / CHUNK + 1)] {
            let reads = Arc::new(AtomicUsize::new(0));
            let mut posted = request("POST", &concrete(endpoint.path), None);
            posted.headers_mut().insert("content-type", "application/json".parse().unwrap());
            *posted.body_mut() = Body::new(Endless { reads: Arc::clone(&reads), announced });
            let answer = send(&app, posted).await;
            assert_refused(&answer, 413, "payload_too_large");
            let reads = reads.load(Ordering::SeqCst);
            assert!(reads <= most, "{}: {reads} reads", endpoint.path);
        }
    }
}
