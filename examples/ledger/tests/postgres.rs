//! The program on PostgreSQL: several processes on one database, and a server that goes away.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    unreachable_pub,
    reason = "tests"
)]

#[path = "../../../storage-postgres/tests/support/server.rs"]
mod postgres;
mod support;

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use support::{Server, program, refused_in, text};

const PROGRAM: &str = support::LEDGER_AXUM;

/// How old revocation knowledge may be here, in seconds.
const BOUND: u64 = 1;

/// A process in a folder of its own below `folder`, with the master key that all share.
fn start(folder: &Path, name: &str, store: &str) -> Server {
    let own = folder.join(name);
    fs::create_dir_all(&own).unwrap();
    let key = folder.join("master.key");
    if !key.exists() {
        fs::write(&key, "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U=").unwrap();
    }
    let log = fs::OpenOptions::new().create(true).append(true).open(folder.join("log")).unwrap();
    let mut command = program(&own);
    command.args(["--store", store, "--max-staleness", &BOUND.to_string()]);
    command.env("LATCHBOOK_MASTER_KEY_FILE", key).env("PGPASSWORD", postgres::PASSWORD.replace("%20", " "));
    Server::spawn(command.env("RUST_LOG", "trace").stderr(log)).unwrap_or_else(|(code, _)| {
        let log = fs::read_to_string(folder.join("log")).unwrap();
        panic!("it ended with {code:?}: {}", log.lines().last().unwrap_or_default())
    })
}

#[test]
fn r4_s10_processes_on_one_database_revoke_for_each_other_and_outlive_the_server() {
    let Some(mut database) = postgres::Server::own() else { return };
    let folder = tempfile::tempdir().unwrap();
    let store = format!("postgres://tester@127.0.0.1:{}/postgres", database.port());
    let names = ["first", "second", "third"];
    let [first, second, third] = names.map(|name| start(folder.path(), name, &store));
    let order = json!({"name": "Platypus Trading", "developer_id": "platypus"});
    let (status, answer) = first.call("POST", "/v1/sandbox", "", Some(&order));
    assert_eq!(status, 201, "{answer}");
    let key = text(&answer["data"]["developer"]["apiKey"]);
    let entity = text(&answer["data"]["entity"]["id"]);
    let token = text(&second.exchange("platypus", &key).1["access_token"]);
    let list = format!("/v1/transactions?entityId={entity}");
    for server in [&first, &second, &third] {
        assert_eq!(server.call("GET", &list, &token, None).0, 200);
    }

    // Away for longer than the bound: nothing is accepted whose revocation could have been missed.
    database.cluster().kill();
    std::thread::sleep(Duration::from_millis(BOUND * 1000 + 500));
    for server in [&first, &second, &third] {
        assert_eq!(server.call("GET", &list, &token, None).0, 503);
        assert_eq!(server.exchange("platypus", &key).0, 503);
    }
    database.cluster().run();
    for server in [&first, &second, &third] {
        let good = (0..100).any(|_| {
            std::thread::sleep(Duration::from_millis(100));
            server.call("GET", &list, &token, None).0 == 200
        });
        assert!(good, "it recovers by itself");
    }

    // The key is revoked at one: exchanges end at once, and its tokens within the bound.
    let removal = format!("/v1/developers/keys/{}", key.split('_').nth(2).unwrap());
    assert_eq!(first.call("DELETE", &removal, &token, None).0, 204);
    assert_eq!(second.exchange("platypus", &key).0, 401);
    std::thread::sleep(Duration::from_secs(BOUND));
    for server in [first, second, third] {
        assert_eq!(server.call("GET", &list, &token, None).0, 401);
        server.stop();
    }
    let log = fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(!log.contains(&postgres::PASSWORD.replace("%20", " ")), "the password is logged");
}

#[test]
fn a_server_that_does_not_let_us_in_is_said_and_nothing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let store = |rest: &str| format!("postgres://me:hunter2@{rest}");
    refused_in(here, &["--store", &store(&format!("127.0.0.1:{nobody}/db"))], &[], &["cannot be opened"]);
    refused_in(here, &["--store", &store("192.0.2.1/db?sslmode=disable")], &[], &["without TLS"]);
    refused_in(here, &["--store", &store("/db?nonsense=1")], &[], &["cannot be read; write postgres://USER"]);
    let Some(database) = postgres::Server::own() else { return };
    let address = format!("127.0.0.1:{}", database.port());
    let wrong = format!("postgres://tester:hunter2@{address}/postgres");
    refused_in(here, &["--store", &wrong], &[], &["password authentication failed"]);
    // A store of other nodes, without the master key that they share.
    start(here, "first", &format!("postgres://tester@{address}/postgres")).stop();
    let right = database.url().to_owned();
    refused_in(here, &["--store", &right], &[], &["the store in PostgreSQL is there", "put it back"]);
}
