//! How routes are tested: as whom you like, at whatever time, without a server. `cargo test --example testing`

use axum::extract::FromRef;
use axum::{Router, routing::get};
use latchbook_axum::{EntityContext, Gate, scopes};

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

#[derive(Clone)]
struct App {
    gate: Gate,
}

impl FromRef<App> for Gate {
    fn from_ref(app: &App) -> Self {
        app.gate.clone()
    }
}

/// The API, as `main` would serve it.
fn api(gate: &Gate) -> Router {
    Router::new()
        .route("/v1/transactions", get(list).post(post))
        .merge(latchbook_axum::routes(gate))
        .with_state(App { gate: gate.clone() })
}

async fn list(entity: EntityContext<LedgerRead>) -> String {
    format!("the transactions of {}", entity.entity_id())
}

async fn post(entity: EntityContext<LedgerWrite>) -> String {
    format!("posted for {}", entity.entity_id())
}

fn main() {
    // What is shown here is the test below; a real `main` would serve this.
    let _: fn(&Gate) -> Router = api;
    println!("This example is a test: cargo test -p latchbook-axum --example testing");
}

#[tokio::test]
async fn an_entity_reads_what_is_its_own_until_its_token_is_over() {
    use axum::{body::Body, http::Request};
    use latchbook_axum::testing::{TestAuthority, assert_refused, send};

    let test = TestAuthority::new(scopes::ALL).await;
    let app = api(&test.gate());
    let bearer = test.acting_as("acme").entity("ent_1").scope(LedgerRead).bearer().await;
    let call = async |method: &str, target: &str| {
        let request = Request::builder().method(method).uri(target).header("authorization", &bearer);
        send(&app, request.body(Body::empty()).unwrap()).await
    };

    assert_eq!(call("GET", "/v1/transactions").await.text(), "the transactions of ent_1");
    assert_refused(&call("GET", "/v1/transactions?entityId=ent_2").await, 403, "entity_mismatch");
    assert_refused(&call("POST", "/v1/transactions").await, 403, "insufficient_scope");
    test.clock().advance(900);
    assert_refused(&call("GET", "/v1/transactions").await, 401, "token_expired");
}
