//! The wire contract as data, played against an app that has the host's routes which it asks for:
//!
//! | route | guard |
//! | --- | --- |
//! | `GET /ping` | none |
//! | `GET /v1/live/ping`, `/v1/sandbox/ping` | `Principal` of home, of `Sandboxed`; all three answer [`pong`] |
//! | `GET`, `POST /v1/transactions` | `EntityContext` of read, of write, in `AnyEnvironment`: [`transactions`], nothing |
//! | `GET`, `POST /v1/entities` | `MaybeEntity` of read, `RequireScope` of `EntitiesManage`: [`entities`], nothing |
//!
//! Any other method there is a 405 with `Allow`, any other path a 404, both as problems.

use std::net::SocketAddr;
use std::sync::Arc;

use latchbook_core::authority::EntityContext;
use latchbook_core::key_store::MemoryStore;
use latchbook_core::key_store::conformance::Faulty;
use latchbook_http::Gate;
use latchbook_http::conformance::{self, STORE_FAULT, World, furnish, play, play_files};
use latchbook_http::testing::{Answer, RawRequest, send_over_socket};
use serde_json::{Value, json};

pub fn pong() -> Value {
    json!({"pong": true})
}

pub fn transactions() -> Value {
    json!({"transactions": []})
}

pub fn entities(found: Option<&EntityContext>) -> Value {
    match found {
        Some(entity) => json!({"entity": {"id": entity.entity_id().as_str()}}),
        None => json!({"entities": []}),
    }
}

/// What the contract's exchanges are about, in memory, and the gate to it.
pub async fn open() -> (World, Gate) {
    let store = Arc::new(MemoryStore::new());
    let world = furnish(Arc::<MemoryStore>::clone(&store)).await.expect("a world");
    (world, conformance::gate(store).await.expect("a gate"))
}

/// Everything, in process.
pub async fn in_process(name: &str, world: &World, send: impl AsyncFn(RawRequest) -> Result<Answer, String>) {
    let report = play(world, send).await;
    println!("{name}, in process: {report}");
    report.assert_none();
}

/// Everything, against a server on a socket.
pub async fn over_socket(name: &str, world: &World, server: SocketAddr) {
    let report = play(world, async |request| {
        let sent = tokio::task::spawn_blocking(move || send_over_socket(server, &request)).await;
        sent.expect("a client").map_err(|error| error.to_string())
    })
    .await;
    println!("{name}, over a socket: {report}");
    report.assert_none();
}

/// What is answered while the store is away; `app` makes what answers out of a gate.
pub async fn store_away<S>(name: &str, app: impl AsyncFnOnce(Gate) -> S)
where
    S: AsyncFn(RawRequest) -> Result<Answer, String>,
{
    let store = Arc::new(Faulty::over(MemoryStore::new()).saying("disk /dev/secret-disk is gone"));
    let world = furnish(Arc::<Faulty<MemoryStore>>::clone(&store)).await.expect("a world");
    let send = app(conformance::gate(Arc::<Faulty<MemoryStore>>::clone(&store)).await.expect("a gate")).await;
    store.go_away();
    let report = play_files(STORE_FAULT, &world, async |request| {
        let answer = send(request).await?;
        assert!(!format!("{answer:?}").contains("secret-disk"), "{answer:?}");
        Ok(answer)
    })
    .await;
    println!("{name}, its store away: {report}");
    report.assert_none();
}
