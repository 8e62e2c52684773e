//! The examples run and do what they say, and the README's quickstart is one of them.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "tests; an example's `main` is not called")]

#[path = "../examples/entities.rs"]
mod entities;
#[path = "../examples/minimal.rs"]
mod minimal;

use std::net::{SocketAddr, TcpListener};

use latchbook_adapter_tests::{examples, run};

fn free_port() -> (SocketAddr, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    (listener.local_addr().unwrap(), listener)
}

#[test]
fn the_minimal_example_guards_its_route() {
    run(async {
        let (address, listener) = free_port();
        tokio::task::spawn_local(async { minimal::run(listener).await.unwrap() });
        examples::minimal(address).await;
    });
}

#[test]
fn the_entities_example_shows_an_entitys_data_to_its_developer_alone() {
    run(async {
        let (address, listener) = free_port();
        tokio::task::spawn_local(async { entities::run(listener).await.unwrap() });
        examples::entities(address).await;
    });
}

#[test]
fn the_readmes_quickstart_is_the_entities_example() {
    let readme = include_str!("../../../README.md");
    examples::is_the_quickstart(readme, "quickstart on actix", include_str!("../examples/entities.rs"));
}
