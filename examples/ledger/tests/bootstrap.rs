//! `--bootstrap`: the first developer and its key, through restarts, crashes at every step, and files that are no good.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use latchbook::authority::NewEntity;
use latchbook::model::{DeveloperId, EntityId};
use latchbook::{Actor, Authority, DeveloperRef, EnvironmentName, MasterKey, RedbStore, Source};
use latchbook_ledger::scopes;
use serde_json::{Value, json};
use support::{Server, listing, program, refused_in, refused_store, text};

const PROGRAM: &str = support::LEDGER_AXUM;

const ARGUMENTS: [&str; 2] = ["--bootstrap", "first.json"];

/// The file, as text and as JSON.
struct First {
    bytes: Vec<u8>,
    json: Value,
}

impl First {
    fn read(folder: &Path) -> Self {
        let bytes = fs::read(path(folder)).unwrap();
        let json = serde_json::from_slice(&bytes).unwrap();
        Self { bytes, json }
    }

    fn developer(&self) -> String {
        text(&self.json["developer"])
    }

    fn key(&self) -> String {
        text(&self.json["apiKey"])
    }

    fn entities(&self) -> Vec<String> {
        self.json["entities"].as_array().unwrap().iter().map(text).collect()
    }
}

fn path(folder: &Path) -> PathBuf {
    folder.join("first.json")
}

fn start(folder: &Path) -> Server {
    Server::start_with(folder, &ARGUMENTS)
}

fn token(server: &Server, first: &First) -> String {
    let (status, issued) = server.exchange(&first.developer(), &first.key());
    assert_eq!(status, 200, "{issued}");
    text(&issued["access_token"])
}

fn entities(server: &Server, token: &str) -> Vec<String> {
    let (status, answer) = server.call("GET", "/v1/entities", token, None);
    assert_eq!(status, 200, "{answer}");
    let mut ids: Vec<_> = answer["entities"].as_array().unwrap().iter().map(|entity| text(&entity["id"])).collect();
    ids.sort();
    ids
}

/// What was done, newest first, but for the checkpoints that a stop writes.
fn audit(server: &Server, token: &str) -> Vec<String> {
    let (status, answer) = server.call("GET", "/v1/developers/audit?pageSize=100", token, None);
    assert_eq!(status, 200, "{answer}");
    let list = answer.as_object().unwrap().values().find_map(Value::as_array).unwrap();
    list.iter().map(|event| text(&event["action"])).filter(|action| action != "audit.checkpoint").collect()
}

#[test]
fn the_first_start_makes_a_developer_with_a_key_of_every_scope_and_the_second_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path());
    let first = First::read(folder.path());
    assert_eq!(first.json.as_object().unwrap().len(), 4);
    assert_eq!((&first.json["environment"], first.entities().len()), (&json!("live"), 2));
    assert!(first.key().starts_with("lb_live_"));
    assert_eq!(fs::metadata(path(folder.path())).unwrap().permissions().mode() & 0o777, 0o600);
    let token = token(&server, &first);
    let mut sorted = first.entities();
    sorted.sort();
    assert_eq!(entities(&server, &token), sorted);
    assert_eq!(server.call("GET", "/v1/live/ping", &token, None).0, 200);
    assert_eq!(server.call("GET", "/v1/developers/keys", &token, None).0, 200);
    let posting = format!("/v1/categories?entityId={}", first.entities()[0]);
    assert_eq!(server.call("GET", &posting, &token, None).0, 200);
    let before = audit(&server, &token);
    assert_eq!(before, ["token.issued", "key.imported", "entity.created", "entity.created", "developer.created"]);
    server.stop();

    for _ in 0..2 {
        let server = start(folder.path());
        assert!(First::read(folder.path()).bytes == first.bytes);
        assert_eq!(audit(&server, &token), before);
        server.stop();
    }
    let log = fs::read(folder.path().join("log")).unwrap();
    let key = first.key();
    assert!(!log.windows(key.len()).any(|window| window == key.as_bytes()), "the key is in the log");
}

#[test]
fn what_was_revoked_or_removed_since_stays_so() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path());
    let first = First::read(folder.path());
    let made = token(&server, &first);
    let [gone, left] = <[String; 2]>::try_from(first.entities()).unwrap();
    assert_eq!(server.call("DELETE", &format!("/v1/entities?entityId={gone}"), &made, None).0, 200);
    server.stop();

    let server = start(folder.path());
    assert_eq!(entities(&server, &made), [left]);
    let removal = format!("/v1/developers/keys/{}", first.key().split('_').nth(2).unwrap());
    assert_eq!(server.call("DELETE", &removal, &made, None).0, 204);
    server.stop();

    let server = start(folder.path());
    assert_eq!(server.exchange(&first.developer(), &first.key()).0, 401);
    assert!(First::read(folder.path()).bytes == first.bytes);
}

#[test]
fn a_file_without_a_store_is_carried_out() {
    let folder = tempfile::tempdir().unwrap();
    start(folder.path()).kill();
    let first = First::read(folder.path());
    fs::remove_dir_all(folder.path().join("ledger-data")).unwrap();
    let server = start(folder.path());
    assert!(First::read(folder.path()).bytes == first.bytes);
    let token = token(&server, &first);
    assert_eq!(entities(&server, &token).len(), 2);
    server.kill();

    let memory = Server::start_with(folder.path(), &["--store", "memory:", "--bootstrap", "first.json"]);
    assert_eq!(memory.exchange(&first.developer(), &first.key()).0, 200);
}

/// Leaves a store behind in which only a part of what the file says was made.
async fn made_in_part(folder: &Path, first: &First, entities: usize) {
    let data = folder.join("ledger-data");
    let authority = Authority::builder()
        .store(RedbStore::open(data.join("auth.redb")).unwrap())
        .issuer("http://127.0.0.1:8080")
        .master_key(MasterKey::from_file(data.join("master.key")).unwrap())
        .scopes(scopes::ALL)
        .build()
        .await
        .unwrap();
    let developer =
        DeveloperRef { environment: EnvironmentName::LIVE, id: DeveloperId::parse(&first.developer()).unwrap() };
    let (host, source) = (Actor::Host, Source::UNKNOWN);
    authority.developers().create(&host, source, &developer, "First developer").await.unwrap();
    for id in first.entities().iter().take(entities) {
        let new = NewEntity { id: Some(EntityId::parse(id).unwrap()), legal_name: "First entity".to_owned() };
        authority.entities().create(&host, source, &developer, &new).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_was_cut_off_is_completed_by_the_next() {
    for entities_made in 0..=2 {
        let folder = tempfile::tempdir().unwrap();
        start(folder.path()).stop();
        let first = First::read(folder.path());
        fs::remove_file(folder.path().join("ledger-data/auth.redb")).unwrap();
        // A new store under the same master key.
        made_in_part(folder.path(), &first, entities_made).await;
        let server = start(folder.path());
        let token = token(&server, &first);
        assert_eq!(entities(&server, &token).len(), 2, "{entities_made}");
        let mut events = audit(&server, &token);
        events.sort();
        assert_eq!(
            events,
            ["developer.created", "entity.created", "entity.created", "key.imported", "token.issued"],
            "nothing was made twice"
        );
    }
}

#[test]
fn s1_a_first_start_that_is_killed_at_any_moment_is_completed_by_the_next() {
    let steps = ["ledger-data/master.key", "ledger-data/auth.redb", "ledger-data/ledger.redb", "first.json"];
    let mut written = 0;
    for round in 0..40_u64 {
        let folder = tempfile::tempdir().unwrap();
        let mut child =
            program(folder.path()).args(ARGUMENTS).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // As soon as a step is done, and a little later in every round.
        let step = folder.path().join(steps[usize::try_from(round % 4).unwrap()]);
        while !step.exists() && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_micros(50));
        }
        std::thread::sleep(Duration::from_micros(round / 4 * 300));
        child.kill().unwrap();
        child.wait().unwrap();
        let before = fs::read(path(folder.path())).ok();
        written += u64::from(before.is_some());
        let server = start(folder.path());
        let first = First::read(folder.path());
        assert!(before.is_none_or(|bytes| bytes == first.bytes), "the file was never half written");
        assert_eq!(entities(&server, &token(&server, &first)).len(), 2);
    }
    assert!(written > 0);
    println!("killed 40 times, {written} of them after the bootstrap file was there");
}

#[test]
fn a_file_that_cannot_be_used_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    start(here).stop();
    let good = First::read(here);
    fs::remove_dir_all(here.join("ledger-data")).unwrap();
    let text = String::from_utf8(good.bytes.clone()).unwrap();
    let says = |what: &'static str| ["the bootstrap file `first.json`", what];
    for spoilt in [&text[..text.len() / 2], "", "{}", "no JSON", &text.replacen("lb_live_", "lb_live_x", 1)] {
        fs::write(path(here), spoilt).unwrap();
        refused_in(here, &ARGUMENTS, &[], &says("is damaged"));
    }
    fs::write(path(here), &text).unwrap();
    refused_in(
        here,
        &["--environments", "sandbox", ARGUMENTS[0], ARGUMENTS[1]],
        &[],
        &says("`live`, which is not served"),
    );
    fs::set_permissions(path(here), fs::Permissions::from_mode(0o644)).unwrap();
    refused_in(here, &ARGUMENTS, &[], &says("others can read it; let this user alone read it (`chmod 600`)"));
    fs::remove_file(path(here)).unwrap();
    fs::create_dir(path(here)).unwrap();
    refused_in(here, &ARGUMENTS, &[], &says("it is not a file"));
    assert!(!listing(here).contains_key(&here.join("ledger-data")));
}

#[test]
fn a_file_whose_key_is_not_the_stores_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    start(here).stop();
    let first = First::read(here);
    let id = latchbook::model::KeyId::parse(first.key().split('_').nth(2).unwrap()).unwrap();
    let brand = latchbook::check::Brand::default();
    let other = latchbook::check::print_key_text(&brand, EnvironmentName::LIVE, id, &"A".repeat(43));
    let text = String::from_utf8(first.bytes.clone()).unwrap().replace(&first.key(), other.expose());
    fs::write(path(here), text).unwrap();
    refused_store(here, &ARGUMENTS, &[], &["holds another key than the store under the same id"]);
    fs::write(path(here), &first.bytes).unwrap();
    assert_eq!(start(here).exchange(&first.developer(), &first.key()).0, 200);
}
