//! The layer that lets nobody through without a valid token.

use std::borrow::Cow;
use std::fmt::Debug;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::BoxError;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{Request, Response};
use latchbook_core::authority::Principal;
use latchbook_http::{Gate, Serves, Serving, Verdict, is_grpc};
use tower_layer::Layer;
use tower_service::Service;

use crate::head::{fields, for_request};
use crate::reply::respond;

/// Refuses every request without a valid token, of either kind, before what lies behind it runs: deny by default.
///
/// Use it with [`Router::route_layer`](axum::Router::route_layer), so that an unknown path stays a 404. It decides
/// nothing but that: handlers still ask by extractor for who is there, and nothing is passed on in extensions.
/// Serves the home environment; [`RequirePrincipal::serving`] names others.
///
/// It guards any tower service; in front of tonic's, say [`RequirePrincipal::answering_grpc`].
///
/// ```
/// # use axum::{Router, routing::get};
/// use latchbook_axum::{AnyEnvironment, Gate, require_principal};
///
/// fn app(gate: Gate) -> Router {
///     Router::new()
///         .route("/v1/reports", get(|| async { "guarded" }))
///         .route_layer(require_principal(&gate).serving::<AnyEnvironment>())
///         .route("/ping", get(|| async { "open" }))
/// }
/// ```
#[must_use]
pub fn require_principal(gate: &Gate) -> RequirePrincipal {
    RequirePrincipal { gate: gate.clone(), serves: Serves::Home, grpc: false }
}

/// The layer that [`require_principal`] makes.
#[derive(Clone, Debug)]
pub struct RequirePrincipal {
    gate: Gate,
    serves: Serves,
    grpc: bool,
}

impl RequirePrincipal {
    /// Serves the environments of `E` instead of the home environment.
    #[must_use]
    pub fn serving<E: Serving>(self) -> Self {
        Self { serves: E::serves(), ..self }
    }

    /// Refuses gRPC requests (`Content-Type: application/grpc`) by a gRPC status, which is what gRPC's clients read:
    /// `UNAUTHENTICATED`, `INVALID_ARGUMENT` for a malformed credential, `UNAVAILABLE` while the store is away.
    ///
    /// Such a refusal is HTTP 200, so say this in front of gRPC services alone: whoever goes by the HTTP status, as a
    /// proxy does that asks a route whether to let a request pass, would take it for a yes.
    #[must_use]
    pub fn answering_grpc(self) -> Self {
        Self { grpc: true, ..self }
    }
}

impl RequirePrincipal {
    fn admit(&self, parts: &Parts) -> Verdict<Principal> {
        let mut gate = for_request(&self.gate, parts);
        if self.grpc && speaks_grpc(parts) {
            gate = Cow::Owned(gate.into_owned().answering_grpc());
        }
        gate.principal(&fields(parts, gate.trusts_proxies()).head(), self.serves)
    }
}

impl<T> Layer<T> for RequirePrincipal {
    type Service = Guarded<T>;

    fn layer(&self, inner: T) -> Guarded<T> {
        Guarded { inner, guard: self.clone() }
    }
}

/// A service behind [`RequirePrincipal`].
#[derive(Clone, Debug)]
pub struct Guarded<T> {
    inner: T,
    guard: RequirePrincipal,
}

impl<T, B, R> Service<Request<B>> for Guarded<T>
where
    T: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    T::Future: Send,
    B: Send + 'static,
    R: HttpBody<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = T::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // What was polled ready is what is called; a fresh clone need not be ready.
        let fresh = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, fresh);
        let (parts, body) = request.into_parts();
        let admitted = self.guard.admit(&parts);
        Box::pin(async move {
            if let Err(refused) = admitted.await {
                return Ok(respond(refused));
            }
            Ok(inner.call(Request::from_parts(parts, body)).await?.map(Body::new))
        })
    }
}

fn speaks_grpc(parts: &Parts) -> bool {
    parts.headers.get(CONTENT_TYPE).is_some_and(|value| is_grpc(value.as_bytes()))
}
