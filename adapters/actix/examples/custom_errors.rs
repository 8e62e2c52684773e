//! Refusals in the style of the rest of an API. Status, challenge and cache fields stay latchbook's.
//!
//! `cargo run -p latchbook-actix --example custom_errors`

use actix_web::web::{self, ServiceConfig};
use actix_web::{App, HttpServer, rt};
use latchbook::actix::{Principal, configure};
use latchbook::http::{RejectBody, Rejected};
use latchbook::{Authority, Gate, key_store::MemoryStore, program::master_key};

/// `None` would keep the problem details.
fn restyle(rejected: &Rejected<'_>) -> Option<RejectBody> {
    let body = serde_json::json!({"errors": [{"code": rejected.error, "detail": rejected.message}]});
    Some(RejectBody { content_type: "application/vnd.api+json".to_owned(), body: body.to_string().into_bytes() })
}

fn api(gate: Gate) -> impl FnOnce(&mut ServiceConfig) {
    move |config| {
        config.configure(configure(&gate)).route("/hello", web::get().to(async |_: Principal| "hello\n"));
    }
}

async fn gate() -> Result<Gate, Box<dyn std::error::Error>> {
    let builder = Authority::builder().store(MemoryStore::new()).issuer("http://127.0.0.1:8080");
    let authority = builder.master_key(master_key::fresh()?).build().await?;
    rt::spawn(authority.upkeep());
    Ok(Gate::new(authority).on_reject(restyle))
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let gate = gate().await?;
    let server = HttpServer::new(move || App::new().configure(api(gate.clone())));
    Ok(server.bind("127.0.0.1:8080")?.run().await?)
}

#[actix_web::test]
async fn a_refusal_has_the_hosts_body_and_our_fields() -> Result<(), Box<dyn std::error::Error>> {
    use actix_web::test::{TestRequest, call_service, init_service, read_body};

    let app = init_service(App::new().configure(api(gate().await?))).await;
    let refused = call_service(&app, TestRequest::with_uri("/hello").to_request()).await;
    let field = |name| refused.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    assert_eq!((refused.status().as_u16(), field("content-type")), (401, "application/vnd.api+json"));
    assert_eq!((field("www-authenticate"), field("cache-control")), ("Bearer realm=\"latchbook\"", "no-store"));
    let want = r#"{"errors":[{"code":"missing_credentials","detail":"An access token is needed."}]}"#;
    assert_eq!(read_body(refused).await, want);
    Ok(())
}
