//! Refusals in the style of the rest of an API. Status, challenge and cache fields stay latchbook's.
//!
//! `cargo run -p latchbook-axum --example custom_errors`

use axum::{Router, routing::get};
use latchbook::axum::{Principal, routes};
use latchbook::http::{RejectBody, Rejected};
use latchbook::{Authority, Gate, key_store::MemoryStore, program::master_key};

/// `None` would keep the problem details.
fn restyle(rejected: &Rejected<'_>) -> Option<RejectBody> {
    let body = serde_json::json!({"errors": [{"code": rejected.error, "detail": rejected.message}]});
    Some(RejectBody { content_type: "application/vnd.api+json".to_owned(), body: body.to_string().into_bytes() })
}

async fn app() -> Result<Router, Box<dyn std::error::Error>> {
    let builder = Authority::builder().store(MemoryStore::new()).issuer("http://127.0.0.1:8080");
    let authority = builder.master_key(master_key::fresh()?).build().await?;
    tokio::spawn(authority.upkeep());
    let gate = Gate::new(authority).on_reject(restyle);
    Ok(Router::new().route("/hello", get(async |_: Principal| "hello\n")).merge(routes(&gate)).with_state(gate))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    Ok(axum::serve(tokio::net::TcpListener::bind("127.0.0.1:8080").await?, app().await?).await?)
}

#[tokio::test]
async fn a_refusal_has_the_hosts_body_and_our_fields() -> Result<(), Box<dyn std::error::Error>> {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use tower::ServiceExt as _;

    let refused = app().await?.oneshot(Request::get("/hello").body(Body::empty())?).await?;
    assert_eq!(refused.status().as_u16(), 401);
    assert_eq!(refused.headers()["content-type"], "application/vnd.api+json");
    assert_eq!(refused.headers()["www-authenticate"], "Bearer realm=\"latchbook\"");
    assert_eq!(refused.headers()["cache-control"], "no-store");
    let body = to_bytes(refused.into_body(), 4096).await?;
    assert_eq!(body, r#"{"errors":[{"code":"missing_credentials","detail":"An access token is needed."}]}"#);
    Ok(())
}
