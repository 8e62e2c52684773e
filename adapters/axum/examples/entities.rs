//! A route about one entity's data, on axum. Try it: `cargo run -p latchbook-axum --example entities`
use std::net::SocketAddr;

use axum::{Router, routing::get, serve::serve};
use latchbook::axum::{AnyEnvironment, EntityContext, routes};
use latchbook::{Authority, Gate, http::SandboxAccess, key_store::MemoryStore, program::master_key};
use tokio::net::TcpListener;

latchbook::scopes! {
    /// What a key of this API can be allowed.
    pub mod scopes {
        /// Read transactions.
        LedgerRead = "ledger:read";
    }
}

async fn transactions(entity: EntityContext<scopes::LedgerRead, AnyEnvironment>) -> String {
    format!("the transactions of {}\n", entity.entity_id())
}

/// Serves on `listener`.
pub async fn run(listener: TcpListener) -> Result<(), Box<dyn std::error::Error>> {
    let builder = Authority::builder().store(MemoryStore::new()); // to keep it: RedbStore::open("auth.redb")?
    let builder = builder.master_key(master_key::fresh()?); // to keep it: MasterKey::from_env()?
    let authority = builder.issuer("http://127.0.0.1:8080").scopes(scopes::ALL).build().await?;
    tokio::spawn(authority.upkeep());
    let gate = Gate::new(authority).sandbox(SandboxAccess::Open); // for a trial, on loopback
    let app = Router::new().route("/v1/transactions", get(transactions)).merge(routes(&gate)).with_state(gate);
    Ok(serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    run(TcpListener::bind("127.0.0.1:8080").await?).await
}
