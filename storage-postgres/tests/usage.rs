//! The same use gives the same counts as on every other store.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::expect_used,
    unreachable_pub,
    reason = "tests"
)]

#[path = "../../core/tests/stores/usage.rs"]
mod shared;
mod support;

use std::sync::Arc;

use latchbook_core::key_store::KeyStore;
use support::{Server, builder};

#[tokio::test(flavor = "multi_thread")]
async fn the_same_use_is_counted_the_same_on_postgresql() {
    let Some(server) = Server::find() else { return };
    let store = Arc::new(builder(&server).open().await.unwrap()) as Arc<dyn KeyStore>;
    // It waits for each answer on threads of its own, while the store's tasks run here.
    let runtime = tokio::runtime::Handle::current();
    let used = move || shared::the_same_use_is_counted_the_same(&store, || runtime.enter());
    tokio::task::spawn_blocking(used).await.unwrap();
    server.clean().await;
}
