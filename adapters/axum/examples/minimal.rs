//! The least that guards a route: a developer's token, or 401.
//!
//! `cargo run -p latchbook-axum --example minimal`

use axum::{Router, routing::get};
use latchbook::axum::{Principal, routes};
use latchbook::{Authority, Gate, key_store::MemoryStore, program::master_key};

async fn hello(caller: Principal) -> String {
    format!("hello {}\n", caller.developer().id)
}

fn app(gate: &Gate) -> Router {
    Router::new().route("/hello", get(hello)).merge(routes(gate)).with_state(gate.clone())
}

async fn authority() -> Result<Authority, Box<dyn std::error::Error>> {
    let authority = Authority::builder()
        .store(MemoryStore::new()) // to keep it: RedbStore::open("auth.redb")?
        .issuer("http://127.0.0.1:8080")
        .master_key(master_key::fresh()?) // to keep it: MasterKey::from_env()?
        .build()
        .await?;
    tokio::spawn(authority.upkeep());
    Ok(authority)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let gate = Gate::new(authority().await?);
    Ok(axum::serve(tokio::net::TcpListener::bind("127.0.0.1:8080").await?, app(&gate)).await?)
}

#[tokio::test]
async fn nobody_is_let_in_without_a_token() -> Result<(), Box<dyn std::error::Error>> {
    use axum::{body::Body, http::Request};
    use tower::ServiceExt as _;

    let app = app(&Gate::new(authority().await?));
    let call =
        async |target: &str| app.clone().oneshot(Request::get(target).body(Body::empty()).unwrap_or_default()).await;
    let refused = call("/hello").await?;
    assert_eq!(refused.status().as_u16(), 401);
    assert_eq!(refused.headers()["www-authenticate"], "Bearer realm=\"latchbook\"");
    assert_eq!(call("/nowhere").await?.status(), 404);
    assert_eq!(call("/.well-known/jwks.json").await?.status(), 200);
    Ok(())
}
