//! A route about one entity's data, on actix. Try it: `cargo run -p latchbook-actix --example entities`
use std::net::TcpListener;

use actix_web::{App, HttpServer, rt, web};
use latchbook::actix::{AnyEnvironment, EntityContext, configure};
use latchbook::{Authority, Gate, http::SandboxAccess, key_store::MemoryStore, program::master_key};

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
    rt::spawn(authority.upkeep());
    let gate = Gate::new(authority).sandbox(SandboxAccess::Open); // for a trial, on loopback
    let app = move || App::new().configure(configure(&gate)).route("/v1/transactions", web::get().to(transactions));
    Ok(HttpServer::new(app).listen(listener)?.run().await?)
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    run(TcpListener::bind("127.0.0.1:8080")?).await
}
