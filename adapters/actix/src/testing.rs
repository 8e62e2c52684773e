//! For the tests of whoever guards actix routes: requests in process, and answers as [`assert_refused`] reads them.
//!
//! ```
//! # use actix_web::{App, test::TestRequest, web};
//! use latchbook_actix::testing::{TestAuthority, assert_refused, send};
//! use latchbook_actix::{EntityContext, configure};
//! # latchbook_actix::scopes! {
//! #     /// The ledger's scopes.
//! #     pub mod scopes {
//! #         /// Read transactions.
//! #         LedgerRead = "ledger:read";
//! #     }
//! # }
//! # use scopes::LedgerRead;
//!
//! async fn list(entity: EntityContext<LedgerRead>) -> String {
//!     entity.entity_id().to_string()
//! }
//!
//! # #[actix_web::main]
//! # async fn main() {
//! let test = TestAuthority::new(scopes::ALL).await;
//! let app = App::new().configure(configure(&test.gate())).route("/v1/transactions", web::get().to(list));
//! let app = actix_web::test::init_service(app).await;
//! let bearer = test.acting_as("acme").entity("ent_1").scope(LedgerRead).bearer().await;
//!
//! let ask = |target| TestRequest::with_uri(target).insert_header(("authorization", bearer.as_str())).to_request();
//! assert_eq!(send(&app, ask("/v1/transactions")).await.text(), "ent_1");
//! assert_refused(&send(&app, ask("/v1/transactions?entityId=ent_2")).await, 403, "entity_mismatch");
//! # }
//! ```

use std::net::SocketAddr;

use actix_http::Request;
use actix_web::Error;
use actix_web::body::{self, MessageBody};
use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::http::{Method, Uri};
use actix_web::test::TestRequest;
pub use latchbook_http::testing::{
    ActingAs, Answer, RawRequest, Routes, TestAuthority, TestAuthorityBuilder, TestClock, TestToken, assert_refused,
    send_over_socket,
};

/// Sends `request` through `app`, which [`init_service`](actix_web::test::init_service) made, and waits for the whole answer.
///
/// # Panics
/// If the app answers with an error that no middleware turned into a response, or the answer's body ends with one.
pub async fn send<B: MessageBody>(
    app: &impl Service<Request, Response = ServiceResponse<B>, Error = Error>,
    request: Request,
) -> Answer {
    let response = actix_web::test::call_service(app, request).await;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers = response.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes())));
    let (status, headers) = (response.status().as_u16(), headers.collect());
    let body = body::to_bytes(response.into_body()).await.map(|body| body.to_vec());
    #[expect(clippy::panic, reason = "a test fails by a panic")]
    let body = body.unwrap_or_else(|_| panic!("the answer broke off"));
    Answer { status, headers, body }
}

/// The same for a request as it would go over the wire, from a client on this machine.
///
/// # Errors
/// What is wrong with a method, a target or a field that no request of actix's can have.
///
/// # Panics
/// As [`send`].
pub async fn send_raw<B: MessageBody>(
    app: &impl Service<Request, Response = ServiceResponse<B>, Error = Error>,
    raw: RawRequest,
) -> Result<Answer, String> {
    let method = Method::from_bytes(raw.method.as_bytes()).map_err(|error| error.to_string())?;
    // Checked here, since `TestRequest` panics.
    Uri::try_from(raw.target.as_str()).map_err(|error| error.to_string())?;
    let client = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut request = TestRequest::with_uri(&raw.target).method(method).peer_addr(client);
    for (name, value) in raw.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| error.to_string())?;
        let value = HeaderValue::from_bytes(&value).map_err(|error| error.to_string())?;
        request = request.append_header((name, value));
    }
    let request = match raw.body {
        Some(body) => request.set_payload(body).to_request(),
        None => request.to_request(),
    };
    let is_head = request.method() == Method::HEAD;
    let mut answer = send(app, request).await;
    if is_head {
        // It is the server below the app that leaves it out.
        answer.body.clear();
    }
    Ok(answer)
}

/// Demands that every one of `routes` is guarded: called without a token, with one that is none, and with those that the
/// test [names](Routes::refusing), each answers 401 with a challenge.
///
/// ```
/// # use actix_web::{App, web};
/// use latchbook_actix::testing::{Routes, TestAuthority, assert_guarded};
/// use latchbook_actix::{Principal, configure, require_principal};
///
/// # #[actix_web::main]
/// # async fn main() {
/// let test = TestAuthority::new(&[]).await;
/// let gate = test.gate();
/// let app = App::new()
///     .configure(configure(&gate))
///     .service(web::resource("/v1/reports").wrap(require_principal(&gate)).to(async || "guarded by middleware"))
///     .route("/v1/invoices/{id}", web::get().to(async |_: Principal| "guarded by an extractor"));
/// let app = actix_web::test::init_service(app).await;
/// let revoked = test.acting_as("acme").token().await;
/// revoked.revoke().await;
/// let routes = Routes::from([("GET", "/v1/reports"), ("GET", "/v1/invoices/{id}"), ("GET", "/v1/developers/keys")]);
/// assert_guarded(&app, routes.refusing(revoked.text())).await;
/// # }
/// ```
///
/// # Panics
/// If a route fails, or there is none. The message names all that fail, with what is wrong.
pub async fn assert_guarded<B: MessageBody>(
    app: &impl Service<Request, Response = ServiceResponse<B>, Error = Error>,
    routes: impl Into<Routes>,
) {
    latchbook_http::testing::assert_guarded(routes, async |request| send_raw(app, request).await).await;
}
