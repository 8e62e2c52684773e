//! How routes are tested: as whom you like, at whatever time, without a server. `cargo test --example testing`

use actix_web::web::{self, ServiceConfig};
use latchbook_actix::{EntityContext, Gate, configure, scopes};

scopes! {
    /// What a key of this API can be allowed.
    pub mod scopes {
        /// Read transactions.
        LedgerRead = "ledger:read";
        /// Post transactions.
        LedgerWrite = "ledger:write";
    }
}
use scopes::{LedgerRead, LedgerWrite};

/// The API, as `main` would serve it.
fn api(gate: Gate) -> impl FnOnce(&mut ServiceConfig) {
    move |config| {
        config
            .configure(configure(&gate))
            .service(web::resource("/v1/transactions").route(web::get().to(list)).route(web::post().to(post)));
    }
}

async fn list(entity: EntityContext<LedgerRead>) -> String {
    format!("the transactions of {}", entity.entity_id())
}

async fn post(entity: EntityContext<LedgerWrite>) -> String {
    format!("posted for {}", entity.entity_id())
}

fn main() {
    // What is shown here is the test below; a real `main` would serve this.
    let _ = api;
    println!("This example is a test: cargo test -p latchbook-actix --example testing");
}

#[actix_web::test]
async fn an_entity_reads_what_is_its_own_until_its_token_is_over() {
    use actix_web::http::Method;
    use actix_web::{App, test::TestRequest, test::init_service};
    use latchbook_actix::testing::{TestAuthority, assert_refused, send};

    let test = TestAuthority::new(scopes::ALL).await;
    let app = init_service(App::new().configure(api(test.gate()))).await;
    let bearer = test.acting_as("acme").entity("ent_1").scope(LedgerRead).bearer().await;
    let call = async |method: Method, target: &str| {
        let request = TestRequest::with_uri(target).method(method).insert_header(("authorization", bearer.as_str()));
        send(&app, request.to_request()).await
    };

    assert_eq!(call(Method::GET, "/v1/transactions").await.text(), "the transactions of ent_1");
    assert_refused(&call(Method::GET, "/v1/transactions?entityId=ent_2").await, 403, "entity_mismatch");
    assert_refused(&call(Method::POST, "/v1/transactions").await, 403, "insufficient_scope");
    test.clock().advance(900);
    assert_refused(&call(Method::GET, "/v1/transactions").await, 401, "token_expired");
}
