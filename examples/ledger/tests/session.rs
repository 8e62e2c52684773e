//! The whole story over HTTP, against the real program: a session, a restart, kills, and starts that fail.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use std::collections::HashSet;
use std::fs;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};
use support::{Server, text, try_call};

const PROGRAM: &str = support::LEDGER_AXUM;

struct Opened {
    key: String,
    token: String,
    entity: String,
    expires_at: String,
}

fn open_sandbox(server: &Server) -> Opened {
    let order = json!({"name": "Platypus Trading", "developer_id": "platypus"});
    let (status, answer) = server.call("POST", "/v1/sandbox", "", Some(&order));
    assert_eq!(status, 201, "{answer}");
    let key = text(&answer["data"]["developer"]["apiKey"]);
    let expires_at = text(&answer["data"]["expiresAt"]);
    let (status, issued) = server.exchange("platypus", &key);
    assert_eq!(status, 200, "{issued}");
    Opened { key, token: text(&issued["access_token"]), entity: text(&answer["data"]["entity"]["id"]), expires_at }
}

fn transaction(server: &Server, opened: &Opened) -> Value {
    let (_, answer) = server.call("GET", &format!("/v1/categories?entityId={}", opened.entity), &opened.token, None);
    let account = |place: usize| answer["categories"][place]["id"].clone();
    json!({"amount": 12.34, "debitAccountId": account(0), "creditAccountId": account(9), "status": "CLEARED"})
}

fn listed(server: &Server, opened: &Opened) -> Vec<String> {
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/transactions?entityId={}&pageSize=5{cursor}", opened.entity);
        let (status, page) = server.call("GET", &path, &opened.token, None);
        assert_eq!(status, 200, "{page}");
        ids.extend(page["transactions"].as_array().unwrap().iter().map(|row| text(&row["id"])));
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return ids,
        }
    }
}

#[test]
#[cfg(unix)]
fn a_session_survives_a_restart_and_leaves_no_secret_behind() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("ledger-data")).unwrap();
    let server = Server::start(folder.path());
    let opened = open_sandbox(&server);
    let entity = &opened.entity;
    let path = format!("/v1/transactions?entityId={entity}");
    assert_eq!(listed(&server, &opened).len(), 18);
    let status = |method: &str, path: &str, token: &str, body: Option<&Value>| server.call(method, path, token, body).0;
    assert_eq!(status("GET", "/v1/transactions", &opened.token, None), 400);
    assert_eq!(status("GET", &path, "", None), 401);
    let exchange = json!({"developerId": "platypus", "apiKey": opened.key, "entityId": entity});
    let (code, issued) = server.call("POST", "/v1/entities/auth/generate-token", "", Some(&exchange));
    assert_eq!(code, 200);
    let entity_token = text(&issued["access_token"]);
    assert_eq!(status("GET", "/v1/transactions", &entity_token, None), 200);
    let (code, made) = server.call("POST", "/v1/entities", &opened.token, Some(&json!({"legalName": "Second"})));
    assert_eq!(code, 201);
    let second = text(&made["entity"]["id"]);
    let other = format!("/v1/transactions?entityId={second}");
    assert_eq!(status("GET", &other, &entity_token, None), 403);
    assert_eq!(status("GET", &other, &opened.token, None), 200);
    assert_eq!(status("GET", "/v1/sandbox/ping", &opened.token, None), 200);
    assert_eq!(status("GET", "/v1/live/ping", &opened.token, None), 401);
    let (code, posted) = server.call("POST", &path, &opened.token, Some(&transaction(&server, &opened)));
    assert_eq!((code, &posted["transaction"]["amount"]), (201, &json!(12.34)));
    let mut equal = transaction(&server, &opened);
    equal["creditAccountId"] = equal["debitAccountId"].clone();
    assert_eq!(status("POST", &path, &opened.token, Some(&equal)), 400);
    let (_, report) = server.call("GET", &format!("/v1/reports/balances?entityId={entity}"), &opened.token, None);
    assert_eq!(report["totalDebit"], report["totalCredit"]);
    let new = json!({"name": "second", "scopes": ["ledger:read"], "expiresAt": opened.expires_at});
    let (code, made) = server.call("POST", "/v1/developers/keys", &opened.token, Some(&new));
    assert_eq!(code, 201, "{made}");
    let revoked = text(&made["apiKey"]);
    let removal = format!("/v1/developers/keys/{}", revoked.split('_').nth(2).unwrap());
    assert_eq!(status("DELETE", &removal, &opened.token, None), 204);
    server.stop();

    let server = Server::start(folder.path());
    let ids = listed(&server, &opened);
    assert!(ids.contains(&text(&posted["transaction"]["id"])) && ids.len() == 19);
    let ask = |key: &str| server.exchange("platypus", key).0;
    assert_eq!((ask(&revoked), ask(&opened.key)), (401, 200), "k10");
    server.stop();

    let data = folder.path().join("ledger-data");
    let master = fs::read_to_string(data.join("master.key")).unwrap();
    for file in [folder.path().join("log"), data.join("auth.redb"), data.join("ledger.redb")] {
        let bytes = fs::read(&file).unwrap();
        for secret in [&opened.key, &opened.token, &entity_token, &revoked, master.trim()] {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "l2, l5: a secret is in {}", file.display());
        }
    }
}

/// What one round of writing was told is done.
#[derive(Default)]
struct Acknowledged {
    posted: Vec<String>,
    /// Keys that were made and not asked to be revoked.
    kept: Vec<String>,
    /// Keys whose revocation was acknowledged.
    revoked: Vec<String>,
}

/// Posts transactions, makes keys and revokes every second one, on two connections at once, until the server is gone.
fn write_until_killed(address: &str, opened: &Opened, body: &Value, kill: impl FnOnce()) -> Acknowledged {
    let new = json!({"name": "k", "scopes": ["ledger:read"], "expiresAt": opened.expires_at});
    let call = |method, path: &str, body| try_call(address, method, path, &opened.token, body);
    let done = Mutex::new(Acknowledged::default());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let path = format!("/v1/transactions?entityId={}", opened.entity);
            while let Some((201, made)) = call("POST", &path, Some(body)) {
                done.lock().unwrap().posted.push(text(&made["transaction"]["id"]));
            }
        });
        scope.spawn(|| {
            for number in 0_u64.. {
                let Some((201, made)) = call("POST", "/v1/developers/keys", Some(&new)) else { return };
                let key = text(&made["apiKey"]);
                if number % 2 == 0 {
                    done.lock().unwrap().kept.push(key);
                    continue;
                }
                let removal = format!("/v1/developers/keys/{}", key.split('_').nth(2).unwrap());
                let Some((204, _)) = call("DELETE", &removal, None) else { return };
                done.lock().unwrap().revoked.push(key);
            }
        });
        kill();
    });
    done.into_inner().unwrap()
}

#[test]
fn s1_a_kill_loses_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path());
    let opened = open_sandbox(&server);
    let body = transaction(&server, &opened);
    let mut all = Acknowledged::default();
    for round in 0..20_u64 {
        let address = server.address.clone();
        let done = write_until_killed(&address, &opened, &body, || {
            std::thread::sleep(Duration::from_millis(60 + round * 7));
            server.kill();
        });
        all.posted.extend(done.posted);
        all.kept.extend(done.kept);
        all.revoked.extend(done.revoked);
        server = Server::start(folder.path());
    }
    assert!(all.posted.len() >= 20 && all.kept.len() >= 20 && all.revoked.len() >= 10, "hardly anything was done");
    let listed = listed(&server, &opened);
    let ids: HashSet<_> = listed.iter().collect();
    assert_eq!(ids.len(), listed.len(), "no transaction is there twice");
    for id in &all.posted {
        assert!(ids.contains(id), "transaction {id} is lost");
    }
    for (keys, want) in [(&all.kept, 200), (&all.revoked, 401)] {
        for key in keys {
            assert_eq!(server.exchange("platypus", key).0, want, "{}", &key[..28]);
        }
    }
    println!(
        "after 20 kills: {} transactions, {} keys that work, {} that are revoked",
        all.posted.len(),
        all.kept.len(),
        all.revoked.len()
    );
    server.kill();
}
