//! Which customers a developer reaches stands in the host's own table. `cargo run -p latchbook-actix --example custom_scope_store`

use std::sync::{Arc, Mutex, PoisonError};

use actix_web::web::{self, ServiceConfig};
use actix_web::{App, HttpServer, rt};
use latchbook::actix::{AnyEnvironment, EntityContext, configure};
use latchbook::entity_scope::{EntityScope, Reach};
use latchbook::key_store::{MemoryStore, StoreError};
use latchbook::model::{AnyScope, DeveloperRef, EntityId};
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

async fn orders(customer: EntityContext<AnyScope, AnyEnvironment>) -> String {
    customer.entity_id().to_string()
}

fn api(gate: Gate) -> impl FnOnce(&mut ServiceConfig) {
    move |config| {
        config.configure(configure(&gate)).route("/orders", web::get().to(orders));
    }
}

async fn gate() -> Result<Gate, Box<dyn std::error::Error>> {
    let table = Connection::open_in_memory()?;
    table.execute_batch(
        "CREATE TABLE customers (environment TEXT, developer TEXT, id TEXT, PRIMARY KEY (environment, developer, id));
         INSERT INTO customers VALUES ('sandbox', 'acme', 'c-1'), ('live', 'acme', 'c-2'), ('sandbox', 'other', 'c-3')",
    )?;
    let builder = Authority::builder().store(MemoryStore::new()).issuer("http://127.0.0.1:8080");
    let builder = builder.entity_scope(Arc::new(Customers(Mutex::new(table))));
    let authority = builder.master_key(master_key::fresh()?).build().await?;
    rt::spawn(authority.upkeep());
    Ok(Gate::new(authority).entity_parameter("customer").sandbox(SandboxAccess::Open))
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let gate = gate().await?;
    let server = HttpServer::new(move || App::new().configure(api(gate.clone())));
    Ok(server.bind("127.0.0.1:8080")?.run().await?)
}

#[actix_web::test]
async fn the_hosts_table_decides() -> Result<(), Box<dyn std::error::Error>> {
    use actix_web::test::{TestRequest, call_and_read_body_json, call_service, init_service};

    let app = init_service(App::new().configure(api(gate().await?))).await;
    let order = serde_json::json!({"name": "Acme", "developer_id": "acme"});
    let order = TestRequest::post().uri("/v1/sandbox").set_json(order).to_request();
    let opened: serde_json::Value = call_and_read_body_json(&app, order).await;
    let bearer = format!("Bearer {}", opened["data"]["token"].as_str().ok_or("no token")?);
    // Nobody's, the live environment's and another developer's are not told apart.
    for (customer, status) in [("c-1", 200), ("c-2", 403), ("c-3", 403), ("c-4", 403)] {
        let request = TestRequest::with_uri(&format!("/orders?customer={customer}"));
        let request = request.insert_header(("authorization", bearer.as_str())).to_request();
        assert_eq!(call_service(&app, request).await.status(), status, "{customer}");
    }
    Ok(())
}
