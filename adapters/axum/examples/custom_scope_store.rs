//! Which customers a developer reaches stands in the host's own table. `cargo run -p latchbook-axum --example custom_scope_store`

use std::sync::{Arc, Mutex, PoisonError};

use axum::{Router, routing::get};
use latchbook::axum::{AnyEnvironment, EntityContext, routes};
use latchbook::entity_scope::{EntityScope, Reach};
use latchbook::key_store::{MemoryStore, StoreError};
use latchbook::model::{DeveloperRef, EntityId};
use latchbook::{Authority, Gate, http::SandboxAccess, program::master_key};
use rusqlite::{Connection, OptionalExtension as _};

#[derive(Debug)]
struct Customers(Mutex<Connection>);

#[async_trait::async_trait]
impl EntityScope for Customers {
    // One row by its key takes microseconds; a slower question belongs on a thread of its own.
    async fn reaches(&self, developer: &DeveloperRef, entity: &EntityId) -> Result<Reach, StoreError> {
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let question = "SELECT 1 FROM customers WHERE environment = ?1 AND developer = ?2 AND id = ?3";
        let of = (developer.environment.as_str(), developer.id.as_str(), entity.as_str());
        let row = connection.query_row(question, of, |_| Ok(())).optional().map_err(StoreError::unavailable)?;
        Ok(row.map_or(Reach::No, |()| Reach::Yes { reusable_until: None }))
    }
}

async fn app() -> Result<Router, Box<dyn std::error::Error>> {
    let table = Connection::open_in_memory()?;
    table.execute_batch(
        "CREATE TABLE customers (environment TEXT, developer TEXT, id TEXT, PRIMARY KEY (environment, developer, id));
         INSERT INTO customers VALUES ('sandbox', 'acme', 'c-1'), ('live', 'acme', 'c-2'), ('sandbox', 'other', 'c-3')",
    )?;
    let builder = Authority::builder().store(MemoryStore::new()).issuer("http://127.0.0.1:8080");
    let builder = builder.entity_scope(Arc::new(Customers(Mutex::new(table))));
    let authority = builder.master_key(master_key::fresh()?).build().await?;
    tokio::spawn(authority.upkeep());
    let gate = Gate::new(authority).entity_parameter("customer").sandbox(SandboxAccess::Open);
    let orders =
        async |customer: EntityContext<latchbook::model::AnyScope, AnyEnvironment>| customer.entity_id().to_string();
    Ok(Router::new().route("/orders", get(orders)).merge(routes(&gate)).with_state(gate))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    Ok(axum::serve(tokio::net::TcpListener::bind("127.0.0.1:8080").await?, app().await?).await?)
}

#[tokio::test]
async fn the_hosts_table_decides() -> Result<(), Box<dyn std::error::Error>> {
    use axum::{body::Body, http::Request};
    use tower::ServiceExt as _;

    let app = app().await?;
    let order = Body::from(r#"{"name": "Acme", "developer_id": "acme"}"#);
    let order = Request::post("/v1/sandbox").header("content-type", "application/json").body(order)?;
    let opened = app.clone().oneshot(order).await?;
    let opened: serde_json::Value = serde_json::from_slice(&axum::body::to_bytes(opened.into_body(), 65_536).await?)?;
    let token = opened["data"]["token"].as_str().ok_or("no token")?;
    // Nobody's, the live environment's and another developer's are not told apart.
    for (customer, status) in [("c-1", 200), ("c-2", 403), ("c-3", 403), ("c-4", 403)] {
        let request = Request::get(format!("/orders?customer={customer}"));
        let request = request.header("authorization", format!("Bearer {token}")).body(Body::empty())?;
        assert_eq!(app.clone().oneshot(request).await?.status(), status, "{customer}");
    }
    Ok(())
}
