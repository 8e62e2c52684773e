//! A route about one entity's data. Try it: `cargo run -p latchbook-axum --example entities`

use axum::{Router, routing::get};
use latchbook::axum::{AnyEnvironment, EntityContext, routes};
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

async fn app() -> Result<Router, Box<dyn std::error::Error>> {
    let builder = Authority::builder().store(MemoryStore::new()); // to keep it: RedbStore::open("auth.redb")?
    let builder = builder.master_key(master_key::fresh()?); // to keep it: MasterKey::from_env()?
    let authority = builder.issuer("http://127.0.0.1:8080").scopes(scopes::ALL).build().await?;
    tokio::spawn(authority.upkeep());
    let gate = Gate::new(authority).sandbox(SandboxAccess::Open); // for a trial, on loopback
    Ok(Router::new().route("/v1/transactions", get(transactions)).merge(routes(&gate)).with_state(gate))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    Ok(axum::serve(tokio::net::TcpListener::bind("127.0.0.1:8080").await?, app().await?).await?)
}

#[tokio::test]
async fn a_developer_names_its_entity_and_reaches_no_other() -> Result<(), Box<dyn std::error::Error>> {
    use axum::{body::Body, http::Request};
    use tower::ServiceExt as _;

    let app = app().await?;
    let order = Body::from(r#"{"name": "Acme", "developer_id": "acme"}"#);
    let order = Request::post("/v1/sandbox").header("content-type", "application/json").body(order)?;
    let opened = app.clone().oneshot(order).await?;
    let opened: serde_json::Value = serde_json::from_slice(&axum::body::to_bytes(opened.into_body(), 65_536).await?)?;
    let (token, entity) = (&opened["data"]["token"], &opened["data"]["entity"]["id"]);
    let (token, entity) = (token.as_str().ok_or("no token")?, entity.as_str().ok_or("no entity")?);
    let call = async |query: &str| {
        let request =
            Request::get(format!("/v1/transactions{query}")).header("authorization", format!("Bearer {token}"));
        app.clone()
            .oneshot(request.body(Body::empty()).unwrap_or_default())
            .await
            .map(|answer| answer.status().as_u16())
    };
    assert_eq!(call(&format!("?entityId={entity}")).await?, 200);
    assert_eq!(call("").await?, 400); // missing_entity
    assert_eq!(call("?entityId=another").await?, 403); // entity_forbidden
    Ok(())
}
