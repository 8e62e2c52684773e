//! The program on SQLite: several processes on one file, and files that are not ours.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use support::{Server, refused_in, text};

const PROGRAM: &str = support::LEDGER_AXUM;

const STORE: [&str; 2] = ["--store", "sqlite:data/auth.db"];
/// How old revocation knowledge may be here, in seconds.
const BOUND: u64 = 1;

fn start(folder: &Path) -> Server {
    Server::start_with(folder, &[&STORE[..], &["--max-staleness", &BOUND.to_string()]].concat())
}

#[test]
fn r4_s9_two_processes_on_one_file_serve_the_same_and_revoke_for_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (start(folder.path()), start(folder.path()));
    let order = json!({"name": "Platypus Trading", "developer_id": "platypus"});
    let (status, answer) = first.call("POST", "/v1/sandbox", "", Some(&order));
    assert_eq!(status, 201, "{answer}");
    let key = text(&answer["data"]["developer"]["apiKey"]);
    let entity = text(&answer["data"]["entity"]["id"]);
    let (status, issued) = second.exchange("platypus", &key);
    assert_eq!(status, 200, "{issued}");
    let token = text(&issued["access_token"]);

    // What is posted at one is listed at both.
    let (_, answer) = second.call("GET", &format!("/v1/categories?entityId={entity}"), &token, None);
    let account = |place: usize| answer["categories"][place]["id"].clone();
    let body =
        json!({"amount": 12.34, "debitAccountId": account(0), "creditAccountId": account(9), "status": "CLEARED"});
    let list = format!("/v1/transactions?entityId={entity}&pageSize=100");
    for server in [&first, &second] {
        assert_eq!(server.call("POST", &list, &token, Some(&body)).0, 201);
    }
    let (status, listed) = first.call("GET", &list, &token, None);
    assert_eq!((status, listed["transactions"].as_array().unwrap().len()), (200, 20));
    assert_eq!(second.call("GET", &list, &token, None).1, listed);

    // The key is revoked at one: exchanges end at once, and its tokens within the bound.
    let removal = format!("/v1/developers/keys/{}", key.split('_').nth(2).unwrap());
    assert_eq!(first.call("DELETE", &removal, &token, None).0, 204);
    assert_eq!(second.exchange("platypus", &key).0, 401);
    assert_eq!(first.call("GET", &list, &token, None).0, 401);
    std::thread::sleep(Duration::from_secs(BOUND));
    assert_eq!(second.call("GET", &list, &token, None).0, 401);

    // One goes, the other serves on; and a new one finds everything.
    first.stop();
    assert_eq!(second.call("GET", "/healthz", "", None).0, 200);
    second.kill();
    let third = start(folder.path());
    assert_eq!(third.call("GET", &list, &token, None).0, 401);
    assert_eq!(third.exchange("platypus", &key).0, 401);
    third.stop();
    let names = ["auth.db", "ledger.db", "master.key"].map(|name| folder.path().join("data").join(name));
    for file in &names {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600, "{}", file.display());
    }
}

#[test]
fn a_file_that_is_no_store_of_ours_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    for content in [&b""[..], b"x", &[0; 10_000]] {
        fs::write(data.join("auth.db"), content).unwrap();
        refused_in(folder.path(), &STORE, &[], &["`data/auth.db` is"]);
    }
    refused_in(folder.path(), &["--store", "sqlite:data/auth.db/x"], &[], &["`data/auth.db/", "cannot be"]);
}
