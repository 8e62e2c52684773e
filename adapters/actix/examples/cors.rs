//! An API that browsers of other sites call: preflights are answered, and refusals can be read like other answers.
//!
//! `cargo run -p latchbook-actix --example cors`

use actix_cors::Cors;
use actix_web::web::{self, ServiceConfig};
use actix_web::{App, HttpServer, http::header, rt};
use latchbook::actix::{Principal, configure};
use latchbook::{Authority, Gate, key_store::MemoryStore, program::master_key};

/// Around the whole app, so that what the guard refuses passes through it too.
fn cors() -> Cors {
    Cors::default()
        .allowed_origin("https://app.example.com")
        .allowed_methods(["GET", "POST", "PATCH", "DELETE"])
        .allowed_headers([header::AUTHORIZATION, header::CONTENT_TYPE])
        .expose_headers([header::WWW_AUTHENTICATE, header::RETRY_AFTER])
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
    Ok(Gate::new(authority))
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let gate = gate().await?;
    let server = HttpServer::new(move || App::new().wrap(cors()).configure(api(gate.clone())));
    Ok(server.bind("127.0.0.1:8080")?.run().await?)
}

#[actix_web::test]
async fn preflights_are_answered_and_refusals_can_be_read() -> Result<(), Box<dyn std::error::Error>> {
    use actix_web::test::{TestRequest, call_service, init_service};

    let app = init_service(App::new().wrap(cors()).configure(api(gate().await?))).await;
    let ask = || TestRequest::with_uri("/hello").insert_header(("origin", "https://app.example.com"));
    let preflight = ask().method(actix_web::http::Method::OPTIONS);
    let preflight = preflight.insert_header(("access-control-request-method", "GET")).to_request();
    let allowed = call_service(&app, preflight).await;
    assert_eq!((allowed.status().as_u16(), allowed.headers().contains_key("www-authenticate")), (200, false));
    let refused = call_service(&app, ask().to_request()).await;
    let field = |name| refused.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    assert_eq!((refused.status().as_u16(), field("www-authenticate")), (401, "Bearer realm=\"latchbook\""));
    assert_eq!(field("access-control-allow-origin"), "https://app.example.com");
    assert!(field("access-control-expose-headers").contains("www-authenticate"));
    Ok(())
}
