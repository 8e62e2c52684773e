//! Routes of axum 0.8, called as a server would.

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

use super::gate;
use super::rows::{Guard, ROWS, Row};
use crate::claims::{Claims, ENTITY};
use crate::harness::{Part, Prepared, Table, Work};
use crate::peers::{Reads, eleven, nine};
use crate::world::ready;
use crate::world::scopes::LedgerRead;

pub const PART: Part =
    Part { title: "Routes of axum 0.8, in process", fill, figures: |times| super::figures("axum", times) };

/// Requests that are made before a chunk of calls is timed.
pub const CHUNK: usize = 32;

fn fill(table: &mut Table) {
    for row in ROWS {
        table.add(format!("axum: {}", row.name), || calls(router(row.guard), row));
    }
}

/// The routes behind `guard`.
pub fn router(guard: Guard) -> Router {
    match guard {
        Guard::Open => Router::new().route("/", get(async || "pong")),
        Guard::Ours | Guard::Forgetful => Router::new()
            .route("/open", get(async |_: State<Gate>| "pong"))
            .route("/any", get(async |_: AnyPrincipal| "pong"))
            .route("/entity", get(async |_: EntityContext<LedgerRead>| "pong"))
            .route("/maybe-entity", get(async |_: MaybeEntity<LedgerRead>| "pong"))
            .with_state(gate(guard)),
        Guard::Nine(algorithm) => read_by(nine::Reader::new(algorithm)),
        Guard::Eleven(algorithm) => read_by(eleven::Reader::new(algorithm)),
    }
}

fn read_by<R: Reads>(reader: R) -> Router {
    Router::new().route("/", get(async |_: Bearer<R>| "pong")).with_state(Arc::new(reader))
}

/// What a user writes around another crate: the claims of a token with a scope, for an entity.
struct Bearer<R>(#[expect(dead_code, reason = "a handler would use them")] Claims, PhantomData<R>);

impl<R: Reads> FromRequestParts<Arc<R>> for Bearer<R> {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, reader: &Arc<R>) -> Result<Self, StatusCode> {
        let field = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = field.and_then(|field| field.strip_prefix("Bearer ")).ok_or(StatusCode::UNAUTHORIZED)?;
        let claims = reader.read(token).ok_or(StatusCode::UNAUTHORIZED)?;
        if claims.allow("ledger:read", ENTITY) { Ok(Self(claims, PhantomData)) } else { Err(StatusCode::FORBIDDEN) }
    }
}

fn calls(mut router: Router, row: &Row) -> impl Work + use<> {
    let (uri, status) = (Uri::from_static(row.path), row.status);
    let field = HeaderValue::from_str(&row.shows.field()).expect("a field");
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
            assert_eq!(answer.status().as_u16(), status);
            answer
        },
    }
}
