//! An API that browsers of other sites call: preflights are answered, and refusals can be read like other answers.
//!
//! `cargo run -p latchbook-axum --example cors`

use axum::http::{HeaderValue, Method, header};
use axum::{Router, routing::get};
use latchbook::axum::{Principal, routes};
use latchbook::{Authority, Gate, key_store::MemoryStore, program::master_key};
use tower_http::cors::CorsLayer;

/// The outermost layer, so that what the guard refuses passes through it too.
fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(HeaderValue::from_static("https://app.example.com"))
        .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::DELETE])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE])
        .expose_headers([header::WWW_AUTHENTICATE, header::RETRY_AFTER])
}

async fn app() -> Result<Router, Box<dyn std::error::Error>> {
    let builder = Authority::builder().store(MemoryStore::new()).issuer("http://127.0.0.1:8080");
    let authority = builder.master_key(master_key::fresh()?).build().await?;
    tokio::spawn(authority.upkeep());
    let gate = Gate::new(authority);
    let routes = Router::new().route("/hello", get(async |_: Principal| "hello\n")).merge(routes(&gate));
    Ok(routes.layer(cors()).with_state(gate))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    Ok(axum::serve(tokio::net::TcpListener::bind("127.0.0.1:8080").await?, app().await?).await?)
}

#[tokio::test]
async fn preflights_are_answered_and_refusals_can_be_read() -> Result<(), Box<dyn std::error::Error>> {
    use axum::{body::Body, http::Request};
    use tower::ServiceExt as _;

    let app = app().await?;
    let ask = |method| Request::builder().method(method).uri("/hello").header("origin", "https://app.example.com");
    let preflight = ask("OPTIONS").header("access-control-request-method", "GET").body(Body::empty())?;
    let allowed = app.clone().oneshot(preflight).await?;
    assert_eq!((allowed.status().as_u16(), allowed.headers().contains_key("www-authenticate")), (200, false));
    assert_eq!(allowed.headers()["access-control-allow-headers"], "authorization,content-type");
    let refused = app.oneshot(ask("GET").body(Body::empty())?).await?;
    assert_eq!(refused.status().as_u16(), 401);
    assert_eq!(refused.headers()["www-authenticate"], "Bearer realm=\"latchbook\"");
    assert_eq!(refused.headers()["access-control-allow-origin"], "https://app.example.com");
    assert_eq!(refused.headers()["access-control-expose-headers"], "www-authenticate,retry-after");
    Ok(())
}
