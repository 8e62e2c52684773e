//! Routes of axum 0.8: the router is called as a server would, without a socket.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::Response;
use axum::routing::get;
use latchbook::Gate;
use latchbook::axum::{AnyPrincipal, EntityContext, MaybeEntity};
use tower::Service as _;

use super::{Fields, gate, with_entity};
use crate::claims::{Claims, ENTITY};
use crate::harness::{Part, Prepared, Table, Work};
use crate::keys::Algorithm;
use crate::peers::{Reads, eleven, nine};
use crate::world::scopes::LedgerRead;
use crate::world::{ROOM, ready};

pub const PART: Part =
    Part { title: "Routes of axum, in process", fill, figures: |times| super::figures("axum", times) };

/// Requests that are made before a chunk of calls is timed.
const CHUNK: usize = 32;

fn fill(table: &mut Table) {
    let fields = Fields::new();
    let open = Router::new().route("/", get(async || "pong"));
    let ours = guarded(gate(ROOM >> 4));
    let forgetful = guarded(gate(0));
    let entity = with_entity();
    for (name, router, path, field, status) in [
        ("open", &open, "/", &fields.entity, StatusCode::OK),
        ("open, with state", &ours, "/open", &fields.entity, StatusCode::OK),
        ("guarded", &ours, "/any", &fields.entity, StatusCode::OK),
        ("guarded, scope and entity token", &ours, "/entity", &fields.entity, StatusCode::OK),
        ("guarded, developer token", &ours, "/maybe-entity", &fields.developer, StatusCode::OK),
        ("guarded, developer token with entityId", &ours, &entity, &fields.developer, StatusCode::OK),
        ("guarded, token first seen each time", &forgetful, "/any", &fields.entity, StatusCode::OK),
        ("refused, garbage", &ours, "/any", &fields.garbage, StatusCode::UNAUTHORIZED),
    ] {
        table.add(format!("axum: {name}"), || calls(router, path, field, status));
    }
    for algorithm in [Algorithm::EdDsa, Algorithm::Hs256] {
        let field = fields.of(algorithm);
        table.add(format!("axum: {} {}", nine::NAME, algorithm.name()), || {
            calls(&read_by(nine::Reader::new(algorithm)), "/", field, StatusCode::OK)
        });
        table.add(format!("axum: {} {}", eleven::NAME, algorithm.name()), || {
            calls(&read_by(eleven::Reader::new(algorithm)), "/", field, StatusCode::OK)
        });
    }
}

/// Routes behind `gate`, and an open one that has it as well.
pub fn guarded(gate: Gate) -> Router {
    Router::new()
        .route("/open", get(async |_: State<Gate>| "pong"))
        .route("/any", get(async |_: AnyPrincipal| "pong"))
        .route("/entity", get(async |_: EntityContext<LedgerRead>| "pong"))
        .route("/maybe-entity", get(async |_: MaybeEntity<LedgerRead>| "pong"))
        .with_state(gate)
}

/// A route behind an extractor of a peer.
pub fn read_by<R: Reads>(reader: R) -> Router {
    Router::new().route("/", get(async |_: Bearer<R>| "pong")).with_state(Arc::new(reader))
}

/// What a user writes around another crate: the claims of a token with a scope, for an entity.
pub struct Bearer<R>(pub Claims, PhantomData<R>);

impl<R: Reads> FromRequestParts<Arc<R>> for Bearer<R> {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, reader: &Arc<R>) -> Result<Self, StatusCode> {
        let field = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = field.and_then(|field| field.strip_prefix("Bearer ")).ok_or(StatusCode::UNAUTHORIZED)?;
        let claims = reader.read(token).ok_or(StatusCode::UNAUTHORIZED)?;
        if claims.allow("ledger:read", ENTITY) { Ok(Self(claims, PhantomData)) } else { Err(StatusCode::FORBIDDEN) }
    }
}

fn calls(router: &Router, path: &str, field: &str, status: StatusCode) -> impl Work + use<> {
    let mut router = router.clone();
    let uri: Uri = path.parse().expect("a path");
    let field = HeaderValue::from_str(field).expect("a field");
    let make = move || {
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = uri.clone();
        request.headers_mut().insert(HOST, HeaderValue::from_static("127.0.0.1"));
        request.headers_mut().insert(AUTHORIZATION, field.clone());
        Some(request)
    };
    Prepared {
        state: Vec::with_capacity(CHUNK),
        chunk: CHUNK,
        prepare: move |requests: &mut Vec<Option<Request>>| {
            requests.clear();
            requests.resize_with(CHUNK, &make);
        },
        operation: move |requests: &mut Vec<Option<Request>>, number: usize| -> Response {
            let answer = ready(router.call(requests[number].take().expect("a request"))).unwrap_or_else(|e| match e {});
            assert_eq!(answer.status(), status);
            answer
        },
    }
}
