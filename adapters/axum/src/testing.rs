//! For the tests of whoever guards axum routes: requests in process, and answers as [`assert_refused`] reads them.
//!
//! ```
//! # use axum::{Router, body::Body, http::Request, routing::get};
//! use latchbook_axum::testing::{TestAuthority, assert_refused, send};
//! use latchbook_axum::{EntityContext, Gate};
//! # latchbook_axum::scopes! {
//! #     /// The ledger's scopes.
//! #     pub mod scopes {
//! #         /// Read transactions.
//! #         LedgerRead = "ledger:read";
//! #     }
//! # }
//! # use scopes::LedgerRead;
//!
//! fn app(gate: Gate) -> Router {
//!     let list = |entity: EntityContext<LedgerRead>| async move { entity.entity_id().to_string() };
//!     Router::new().route("/v1/transactions", get(list)).with_state(gate)
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let test = TestAuthority::new(scopes::ALL).await;
//! let app = app(test.gate());
//! let bearer = test.acting_as("acme").entity("ent_1").scope(LedgerRead).bearer().await;
//!
//! let ask = |target| Request::get(target).header("authorization", &bearer).body(Body::empty()).unwrap();
//! assert_eq!(send(&app, ask("/v1/transactions")).await.text(), "ent_1");
//! assert_refused(&send(&app, ask("/v1/transactions?entityId=ent_2")).await, 403, "entity_mismatch");
//! # }
//! ```
#![expect(clippy::panic, reason = "a test fails by a panic")]

use std::net::SocketAddr;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::Request;
use axum::response::Response;
pub use latchbook_http::testing::{
    ActingAs, Answer, RawRequest, Routes, TestAuthority, TestAuthorityBuilder, TestClock, TestToken, assert_refused,
    send_over_socket,
};
use tower_service::Service as _;

/// Sends `request` through `app`, in process, and waits for the whole answer.
///
/// # Panics
/// If the answer's body ends with an error.
pub async fn send(app: &Router, request: Request<Body>) -> Answer {
    // INVARIANT: a `Router` is always ready, and never fails.
    match app.clone().call(request).await {
        Ok(response) => answer(response).await,
        Err(never) => match never {},
    }
}

/// The same for a request as it would go over the wire, from a client on this machine.
///
/// # Errors
/// What is wrong with a method, a target or a field that no request of axum's can have.
///
/// # Panics
/// If the answer's body ends with an error.
pub async fn send_raw(app: &Router, raw: RawRequest) -> Result<Answer, String> {
    let client = ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 0)));
    let mut request = Request::builder().method(raw.method.as_str()).uri(&raw.target).extension(client);
    for (name, value) in raw.headers {
        request = request.header(name, value);
    }
    let request = request.body(Body::from(raw.body.unwrap_or_default())).map_err(|error| error.to_string())?;
    Ok(send(app, request).await)
}

/// Demands that every one of `routes` is guarded: called without a token, with one that is none, and with those that the
/// test [names](Routes::refusing), each answers 401 with a challenge.
///
/// ```
/// # use axum::{Router, routing::get};
/// use latchbook_axum::testing::{Routes, TestAuthority, assert_guarded};
/// use latchbook_axum::{Gate, Principal, require_principal, routes};
///
/// fn app(gate: &Gate) -> Router {
///     Router::new()
///         .route("/v1/reports", get(|| async { "guarded by a layer" }))
///         .route_layer(require_principal(gate))
///         .route("/v1/invoices/{id}", get(|_: Principal| async { "guarded by an extractor" }))
///         .merge(routes(gate))
///         .with_state(gate.clone())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let test = TestAuthority::new(&[]).await;
/// let revoked = test.acting_as("acme").token().await;
/// revoked.revoke().await;
/// let routes = Routes::from([("GET", "/v1/reports"), ("GET", "/v1/invoices/{id}"), ("GET", "/v1/developers/keys")]);
/// assert_guarded(&app(&test.gate()), routes.refusing(revoked.text())).await;
/// # }
/// ```
///
/// # Panics
/// If a route fails, or there is none. The message names all that fail, with what is wrong.
pub async fn assert_guarded(app: &Router, routes: impl Into<Routes>) {
    latchbook_http::testing::assert_guarded(routes, async |request| send_raw(app, request).await).await;
}

/// `response`, read to its end.
///
/// # Panics
/// If its body ends with an error.
pub async fn answer(response: Response) -> Answer {
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_else(|error| panic!("the answer broke off: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers = parts.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes())));
    Answer { status: parts.status.as_u16(), headers: headers.collect(), body: body.to_vec() }
}
