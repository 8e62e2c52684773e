//! The operator's command beside a running program, on the same store.
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
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use support::{Server, latchbook, program, text};

const PROGRAM: &str = support::LEDGER_AXUM;

/// How old revocation knowledge may be here, in seconds.
const BOUND: u64 = 1;
const SCOPES: &str = "ledger:read ledger:write";

/// A folder with a store, and what both programs are told of it.
struct Place {
    folder: tempfile::TempDir,
    store: String,
    password: String,
}

impl Place {
    fn new(store: &str, password: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("master.key"), "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U=").unwrap();
        Self { folder, store: store.to_owned(), password: password.to_owned() }
    }

    fn told(&self, mut command: Command) -> Command {
        let key = self.folder.path().join("master.key");
        command.env("LATCHBOOK_MASTER_KEY_FILE", key).env("PGPASSWORD", &self.password);
        command.args(["--store", &self.store]).current_dir(self.folder.path());
        command
    }

    fn start(&self) -> Server {
        let mut command = self.told(program(self.folder.path()));
        command.args(["--max-staleness", &BOUND.to_string()]);
        Server::spawn(command.stderr(Stdio::null())).expect("it listens")
    }

    fn operate(&self, arguments: &[&str]) -> Output {
        let mut command = self.told(Command::new(latchbook()));
        command.args(arguments).env_remove("LATCHBOOK_MASTER_KEY").env("LATCHBOOK_SCOPES", SCOPES);
        command.stdin(Stdio::null()).output().unwrap()
    }

    /// The JSON values that the command answers.
    fn asked(&self, arguments: &[&str]) -> Vec<Value> {
        let output = self.operate(&[arguments, &["--json"]].concat());
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        let stdout = String::from_utf8(output.stdout).unwrap();
        stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn one(&self, arguments: &[&str]) -> Value {
        let mut answers = self.asked(arguments);
        assert_eq!(answers.len(), 1, "{answers:?}");
        answers.remove(0)
    }
}

/// Waits for what must come about within the bound; slow machines are given far longer before it is a failure.
fn comes_about(what: &str, mut is_so: impl FnMut() -> bool) {
    let came = (0..300).any(|try_| {
        if try_ > 0 {
            std::thread::sleep(Duration::from_millis(100));
        }
        is_so()
    });
    assert!(came, "{what}");
}

fn hand_out_and_take_back(place: &Place) {
    let server = place.start();
    assert_eq!(place.one(&["developer", "create", "acme", "--name", "Acme Inc."])["status"], "active");
    let made = place.one(&["entity", "create", "acme", "--legal-name", "Acme Trading"]);
    let entity = text(&made["id"]);
    let made = place.one(&["key", "create", "acme", "--scopes", "ledger:* keys:manage audit:read"]);
    let (key, id) = (text(&made["apiKey"]), text(&made["id"]));

    // It exchanges at once, over both ways, and its tokens reach what they are for.
    let (status, issued) = server.exchange("acme", &key);
    assert_eq!(status, 200, "{issued}");
    let token = text(&issued["access_token"]);
    let body = json!({"userType": "entity", "id": entity, "developerId": "acme", "apiKey": key});
    let (status, issued) = server.call("POST", "/v1/auth/tokens", "", Some(&body));
    assert_eq!(status, 200, "{issued}");
    let narrow = text(&issued["access_token"]);
    let list = format!("/v1/transactions?entityId={entity}");
    for token in [&token, &narrow] {
        assert_eq!(server.call("GET", &list, token, None).0, 200);
    }
    assert_eq!(server.call("GET", "/v1/live/ping", &token, None).0, 200);

    // What the server counted can be read beside it.
    comes_about("usage is written", || {
        let rows = place.asked(&["usage", "acme"]);
        rows.iter().any(|row| row["keyId"] == *id && row["exchanges"] == 2 && row["requests"].as_u64() >= Some(3))
    });

    // Revoked: exchanges end at once, and its tokens within the bound, whether they are used meanwhile or not.
    assert!(place.one(&["key", "revoke", "acme", &id])["revokedAt"].is_string());
    assert_eq!(server.exchange("acme", &key).0, 401);
    std::thread::sleep(Duration::from_secs(BOUND));
    for token in [&token, &narrow] {
        let (status, answer) = server.call("GET", &list, token, None);
        assert_eq!((status, &answer["error"]), (401, &json!("token_revoked")));
    }

    // The same for an entity and for the whole developer.
    let made = place.one(&["key", "create", "acme", "--scopes", "ledger:read"]);
    let key = text(&made["apiKey"]);
    let token = text(&server.exchange("acme", &key).1["access_token"]);
    assert_eq!(server.call("GET", &list, &token, None).0, 200);
    place.one(&["entity", "remove", "acme", &entity]);
    comes_about("the entity is gone", || server.call("GET", &list, &token, None).0 == 403);
    assert_eq!(server.call("GET", "/v1/live/ping", &token, None).0, 200);
    place.one(&["developer", "suspend", "acme"]);
    assert_eq!(server.exchange("acme", &key).0, 401);
    comes_about("tokens of a suspended developer end", || server.call("GET", "/v1/live/ping", &token, None).0 == 401);
    place.one(&["developer", "resume", "acme"]);
    comes_about("its keys work again", || server.exchange("acme", &key).0 == 200);

    // Two processes wrote to one chain, and it holds.
    let reports = place.asked(&["audit", "verify"]);
    assert!(reports.len() == 2 && reports.iter().all(|report| report["holds"] == true), "{reports:?}");
    let events = place.asked(&["audit", "query", "acme", "--limit", "1000"]);
    for action in ["developer.created", "key.created", "token.issued", "key.revoked", "developer.suspended"] {
        assert!(events.iter().any(|event| event["action"] == action), "{action}");
    }
    server.stop();
}

#[test]
fn keys_made_beside_a_program_on_sqlite_work_at_once_and_end_within_the_bound() {
    hand_out_and_take_back(&Place::new("sqlite:data/auth.db", ""));
}

#[test]
fn keys_made_beside_a_program_on_postgresql_work_at_once_and_end_within_the_bound() {
    let Some(database) = postgres::Server::own() else { return };
    let store = format!("postgres://tester@127.0.0.1:{}/postgres", database.port());
    hand_out_and_take_back(&Place::new(&store, &postgres::PASSWORD.replace("%20", " ")));
}

#[test]
fn a_redb_store_is_the_running_programs_alone() {
    let place = Place::new("redb:data/auth.redb", "");
    let server = place.start();
    let refused = place.operate(&["key", "list", "acme"]);
    let stderr = String::from_utf8(refused.stderr).unwrap();
    assert_eq!((refused.status.code(), stderr.lines().count()), (Some(1), 1), "{stderr}");
    assert!(stderr.contains("`data/auth.redb` is in use by another process"), "{stderr}");
    assert_eq!(server.call("GET", "/healthz", "", None).0, 200);
    server.stop();
    // Stopped, it can be worked on; started again, the program finds what was made.
    place.one(&["developer", "create", "acme"]);
    let key = text(&place.one(&["key", "create", "acme", "--scopes", "ledger:read"])["apiKey"]);
    assert_eq!(place.start().exchange("acme", &key).0, 200);
}

#[test]
fn a_store_that_the_operator_set_up_is_the_programs_too() {
    let place = Place::new("sqlite:data/auth.db", "");
    place.one(&["developer", "create", "acme", "--issuer", "http://127.0.0.1:8080"]);
    let key = text(&place.one(&["key", "create", "acme", "--scopes", "ledger:read"])["apiKey"]);
    let server = place.start();
    assert_eq!(server.exchange("acme", &key).0, 200);
    server.stop();
}
