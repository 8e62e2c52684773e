//! A caller narrows its token before it hands it on: `cargo run -p latchbook-axum --example token_exchange`.
#![allow(missing_docs, clippy::indexing_slicing, reason = "an example, which is short")]

use axum::body::{Body, to_bytes};
use axum::http::{Request, header};
use axum::{Router, routing::get};
use latchbook_axum::{EntityContext, Gate, routes, scopes};
use latchbook_core::Authority;
use latchbook_core::authority::{Actor, NewEntity};
use latchbook_core::check::NewKey;
use latchbook_core::key_store::MemoryStore;
use latchbook_core::model::{DeveloperId, DeveloperRef, EntityId, EnvironmentName, Metadata, ScopeSet, Source};
use latchbook_core::seal::MasterKey;
use serde_json::Value;
use tower::ServiceExt as _;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

scopes! {
    pub mod scopes {
        LedgerRead = "ledger:read";
        LedgerWrite = "ledger:write";
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let authority = Authority::builder().store(MemoryStore::new()).issuer("https://api.example.com");
    let authority = authority.master_key(MasterKey::from_bytes([7; 32])).scopes(scopes::ALL).build().await?;
    // A developer, an entity of it, and a key that may read and write.
    let (host, nowhere) = (Actor::Host, Source::UNKNOWN);
    let acme = DeveloperRef { environment: EnvironmentName::LIVE, id: DeveloperId::parse("acme")? };
    authority.developers().create(&host, nowhere, &acme, "Acme Inc.").await?;
    let shop = NewEntity { id: Some(EntityId::parse("shop")?), legal_name: "Shop".to_owned() };
    authority.entities().create(&host, nowhere, &acme, &shop).await?;
    let (scopes, metadata) = (ScopeSet::parse("ledger:read ledger:write")?, Metadata::default());
    let key = NewKey { name: "first".to_owned(), scopes, expires_at: None, allowed_ips: Vec::new(), metadata };
    let key = authority.keys().create(&host, nowhere, &acme, &key).await?.text;

    let gate = Gate::new(authority);
    let read = async |shop: EntityContext<scopes::LedgerRead>| format!("the books of {}", shop.entity_id());
    let write = async |shop: EntityContext<scopes::LedgerWrite>| format!("posted for {}", shop.entity_id());
    let app = Router::new().route("/books", get(read).post(write)).merge(routes(&gate)).with_state(gate);

    // The key for a token that does everything, and that for one that reads one entity alone.
    let form = format!("grant_type=client_credentials&client_id=acme&client_secret={}", key.expose());
    let token = send(&app, "POST", "/oauth/token", None, &form).await?.1;
    let form = format!(
        "grant_type=urn:ietf:params:oauth:grant-type:token-exchange&subject_token={}\
         &subject_token_type=urn:ietf:params:oauth:token-type:access_token&scope=ledger:read&entity_id=shop",
        field(&token, "access_token")?
    );
    let narrow = send(&app, "POST", "/oauth/token", None, &form).await?.1;
    println!("narrowed to {}", field(&narrow, "scope")?);
    let narrow = field(&narrow, "access_token")?;
    assert_eq!(send(&app, "GET", "/books", Some(&narrow), "").await?, (200, "the books of shop".to_owned()));
    assert_eq!(send(&app, "POST", "/books", Some(&narrow), "").await?.0, 403, "it does not write");
    assert_eq!(send(&app, "GET", "/books?entityId=other", Some(&narrow), "").await?.0, 403, "nor reach another entity");
    println!("it reads the books of shop, and does nothing else");
    Ok(())
}

async fn send(app: &Router, method: &str, target: &str, token: Option<&str>, form: &str) -> Result<(u16, String)> {
    let request = Request::builder().method(method).uri(target);
    let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let request = request.header(header::AUTHORIZATION, format!("Bearer {}", token.unwrap_or_default()));
    let answer = app.clone().oneshot(request.body(Body::from(form.to_owned()))?).await?;
    Ok((answer.status().as_u16(), String::from_utf8(to_bytes(answer.into_body(), 1 << 20).await?.to_vec())?))
}

fn field(json: &str, name: &str) -> Result<String> {
    Ok(serde_json::from_str::<Value>(json)?[name].as_str().ok_or("it is not there")?.to_owned())
}

#[test]
fn it_does_what_it_says() -> Result<()> {
    main()
}
