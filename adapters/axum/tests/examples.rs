//! The examples run and do what they say, and the README's quickstart is one of them.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "tests; an example's `main` is not called")]

#[path = "../examples/entities.rs"]
mod entities;
#[path = "../examples/minimal.rs"]
mod minimal;

use std::net::SocketAddr;

use latchbook_adapter_tests::{examples, run};
use tokio::net::TcpListener;

async fn free_port() -> (SocketAddr, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    (listener.local_addr().unwrap(), listener)
}

#[test]
fn the_minimal_example_guards_its_route() {
    run(async {
        let (address, listener) = free_port().await;
        tokio::task::spawn_local(async { minimal::run(listener).await.unwrap() });
        examples::minimal(address).await;
    });
}

#[test]
fn the_entities_example_shows_an_entitys_data_to_its_developer_alone() {
    run(async {
        let (address, listener) = free_port().await;
        tokio::task::spawn_local(async { entities::run(listener).await.unwrap() });
        examples::entities(address).await;
    });
}

#[test]
fn the_readmes_quickstart_is_the_entities_example() {
    let readme = include_str!("../../../README.md");
    examples::is_the_quickstart(readme, "quickstart on axum", include_str!("../examples/entities.rs"));
}
