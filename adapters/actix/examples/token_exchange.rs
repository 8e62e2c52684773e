//! A caller narrows its token before it hands it on: `cargo run -p latchbook-actix --example token_exchange`.

use actix_web::http::Method;
use actix_web::test::{TestRequest, init_service};
use actix_web::{App, web};
use latchbook_actix::testing::{TestAuthority, assert_refused, send};
use latchbook_actix::{EntityContext, configure, scopes};

scopes! {
    /// What a key of this API can be allowed.
    pub mod scopes {
        /// Read the books.
        LedgerRead = "ledger:read";
        /// Post to the books.
        LedgerWrite = "ledger:write";
    }
}

async fn read(shop: EntityContext<scopes::LedgerRead>) -> String {
    format!("the books of {}", shop.entity_id())
}

async fn post(shop: EntityContext<scopes::LedgerWrite>) -> String {
    format!("posted for {}", shop.entity_id())
}

#[actix_web::main]
async fn main() {
    // A developer with an entity, and a token of it that does everything.
    let test = TestAuthority::new(scopes::ALL).await;
    let token = test.acting_as("acme").owning("shop").token().await;
    let books = web::resource("/books").route(web::get().to(read)).route(web::post().to(post));
    let app = init_service(App::new().configure(configure(&test.gate())).service(books)).await;

    // That for one which reads one entity alone (RFC 8693).
    let form = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token", token.text()),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ("scope", "ledger:read"),
        ("entity_id", "shop"),
    ];
    let narrow = send(&app, TestRequest::post().uri("/oauth/token").set_form(form).to_request()).await.json();
    let bearer = narrow.get("access_token").and_then(|token| token.as_str()).unwrap_or_default();
    let bearer = format!("Bearer {bearer}");

    let call = async |method: Method, target: &str| {
        let request = TestRequest::with_uri(target).method(method).insert_header(("authorization", bearer.as_str()));
        send(&app, request.to_request()).await
    };
    assert_eq!(call(Method::GET, "/books").await.text(), "the books of shop");
    assert_refused(&call(Method::POST, "/books").await, 403, "insufficient_scope");
    assert_refused(&call(Method::GET, "/books?entityId=other").await, 403, "entity_mismatch");
    println!("it reads the books of shop, and does nothing else");
}

#[test]
fn it_does_what_it_says() {
    main();
}
