//! The least that guards a route on actix: a developer's token, or 401.
//!
//! `cargo run -p latchbook-actix --example minimal`

use std::net::TcpListener;

use actix_web::{App, HttpServer, rt, web};
use latchbook::actix::{Principal, configure};
use latchbook::{Authority, Gate, key_store::MemoryStore, program::master_key};

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
    rt::spawn(authority.upkeep());
    let gate = Gate::new(authority);
    let app = move || App::new().configure(configure(&gate)).route("/hello", web::get().to(hello));
    Ok(HttpServer::new(app).listen(listener)?.run().await?)
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    run(TcpListener::bind("127.0.0.1:8080")?).await
}
