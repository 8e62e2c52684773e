//! The least that guards a route on axum: a developer's token, or 401.
//!
//! `cargo run -p latchbook-axum --example minimal`

use axum::{Router, routing::get, serve::serve};
use latchbook::axum::{Principal, routes};
use latchbook::{Authority, Gate, key_store::MemoryStore, program::master_key};
use tokio::net::TcpListener;

async fn hello(caller: Principal) -> String {
    format!("hello {}\n", caller.developer().id)
}

/// Serves on `listener`.
pub async fn run(listener: TcpListener) -> Result<(), Box<dyn std::error::Error>> {
    let authority = Authority::builder()
        .store(MemoryStore::new()) // to keep it: RedbStore::open("auth.redb")?
        .issuer("http://127.0.0.1:8080")
        .master_key(master_key::fresh()?) // to keep it: MasterKey::from_env()?
        .build()
        .await?;
    tokio::spawn(authority.upkeep());
    let gate = Gate::new(authority);
    let app = Router::new().route("/hello", get(hello)).merge(routes(&gate)).with_state(gate);
    Ok(serve(listener, app).await?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    run(TcpListener::bind("127.0.0.1:8080").await?).await
}
