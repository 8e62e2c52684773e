//! The routes of the wire contract, mounted on a router.

use axum::Router;
use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::{FromRequestParts as _, RawPathParams, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method};
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use latchbook_http::{Endpoint, Gate, Reply, endpoints_by_path};

use crate::head::{fields, for_request, values};
use crate::reply::respond;

/// Every route of the wire contract that `gate` offers, for [`Router::merge`] or [`Router::nest`].
///
/// They carry their gate with them and ask nothing of the router's state. GET answers HEAD too; any other method gets
/// 405 with `Allow`, OPTIONS among them (a CORS layer in front answers preflights itself). A body beyond its route's
/// limit gets 413 and is not read to its end.
///
/// # Panics
/// Like every route that is added twice: [`Router::merge`] panics where the host already has one of these paths.
pub fn routes<S>(gate: &Gate) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let paths = endpoints_by_path(gate).into_iter();
    paths.fold(Router::new(), |router, (path, endpoints)| router.route(path, methods(gate, endpoints)))
}

/// The endpoints of one path, and 405 for every other method.
fn methods<S>(gate: &Gate, endpoints: Vec<Endpoint>) -> MethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    endpoints.into_iter().fold(MethodRouter::new(), |methods, endpoint| {
        let (filter, gate, refusing) = (filter(endpoint.method), gate.clone(), gate.clone());
        let refuse = move |request: Request| {
            let (parts, _) = request.into_parts();
            let reply = endpoint.method_not_allowed(&for_request(&refusing, &parts));
            async move { respond(reply) }
        };
        methods.on(filter, move |request: Request| answer(gate, endpoint, request)).fallback(refuse)
    })
}

fn filter(method: &str) -> MethodFilter {
    // INVARIANT: the contract uses GET, POST, PATCH and DELETE; a test mounts every endpoint.
    let method = Method::from_bytes(method.as_bytes()).ok().and_then(|method| MethodFilter::try_from(method).ok());
    method.unwrap_or(MethodFilter::TRACE)
}

async fn answer(gate: Gate, endpoint: Endpoint, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let gate = for_request(&gate, &parts);
    let body = match read(&gate, &endpoint, body).await {
        Ok(body) => body,
        Err(reply) => return respond(reply),
    };
    let parameter = parameter(&mut parts, endpoint.path).await;
    let fields = fields(&parts, gate.trusts_proxies());
    let idempotency_key: Vec<&[u8]> = values(parts.headers.get_all("idempotency-key")).collect();
    let request = latchbook_http::Request {
        head: fields.head(),
        parameter: parameter.as_deref(),
        content_type: parts.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes),
        idempotency_key: &idempotency_key,
        body: &body,
    };
    respond(endpoint.call(&gate, request).await)
}

/// The body, unless it is longer than the endpoint allows: then no more of it is read. Where that is 0, none is read.
async fn read(gate: &Gate, endpoint: &Endpoint, body: Body) -> Result<Bytes, Reply> {
    let longest = endpoint.max_body;
    if longest == 0 {
        return Ok(Bytes::new());
    }
    if body.size_hint().lower() > longest as u64 {
        return Err(endpoint.payload_too_large(gate));
    }
    match Limited::new(body, longest).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(endpoint.payload_too_large(gate)),
        Err(_) => Err(endpoint.body_cut_off(gate)),
    }
}

/// What the path holds where `path` has its `{name}`, percent-decoded; `None` where that is no UTF-8.
async fn parameter(parts: &mut Parts, path: &str) -> Option<String> {
    let (_, name) = path.split_once('{')?;
    let (name, _) = name.split_once('}')?;
    let found = RawPathParams::from_request_parts(parts, &()).await.ok()?;
    // A router that this one is nested in may have parameters of its own; ours is the last.
    found.iter().filter(|(found, _)| *found == name).last().map(|(_, value)| value.to_owned())
}
