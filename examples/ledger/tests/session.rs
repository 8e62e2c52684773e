//! The whole story over HTTP, against the real program: a session, a restart, kills, and starts that fail.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

struct Server {
    child: Child,
    address: String,
}

fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ledger-axum"));
    command.current_dir(folder).env_remove("LATCHBOOK_MASTER_KEY").env_remove("LATCHBOOK_MASTER_KEY_FILE");
    command.env("RUST_LOG", "trace").args(["--listen", "127.0.0.1:0", "--limits", "off"]);
    command
}

impl Server {
    fn start(folder: &Path) -> Self {
        let log = fs::OpenOptions::new().create(true).append(true).open(folder.join("log")).unwrap();
        let mut child = program(folder).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.strip_prefix("listening on http://").expect(&line).trim().to_owned();
        Self { child, address }
    }

    fn call(&self, method: &str, path: &str, token: &str, body: Option<&Value>) -> (u16, Value) {
        try_call(&self.address, method, path, token, body).expect("an answer")
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    #[cfg(unix)]
    fn stop(mut self) {
        // An idle connection must not hold the program up.
        let _idle = TcpStream::connect(&self.address).unwrap();
        Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

fn try_call(address: &str, method: &str, path: &str, token: &str, body: Option<&Value>) -> Option<(u16, Value)> {
    let mut stream = TcpStream::connect(address).ok()?;
    let body = body.map(Value::to_string).unwrap_or_default();
    let authorization = if token.is_empty() { String::new() } else { format!("Authorization: Bearer {token}\r\n") };
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: ledger\r\n{authorization}Content-Type: application/json\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.get(9..12)?.parse().ok()?;
    Some((status, if body.is_empty() { Value::Null } else { serde_json::from_str(body).ok()? }))
}

struct Opened {
    key: String,
    token: String,
    entity: String,
    expires_at: String,
}

fn text(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}

fn open_sandbox(server: &Server) -> Opened {
    let order = json!({"name": "Platypus Trading", "developer_id": "platypus"});
    let (status, answer) = server.call("POST", "/v1/sandbox", "", Some(&order));
    assert_eq!(status, 201, "{answer}");
    let key = text(&answer["data"]["developer"]["apiKey"]);
    let expires_at = text(&answer["data"]["expiresAt"]);
    let exchange = json!({"developerId": "platypus", "apiKey": key});
    let (status, issued) = server.call("POST", "/v1/developers/auth/generate-token", "", Some(&exchange));
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
    let ask = |key: &str| {
        let body = json!({"developerId": "platypus", "apiKey": key});
        server.call("POST", "/v1/developers/auth/generate-token", "", Some(&body)).0
    };
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

#[test]
fn s1_a_kill_loses_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path());
    let opened = open_sandbox(&server);
    let body = transaction(&server, &opened);
    let path = format!("/v1/transactions?entityId={}", opened.entity);
    let (mut posted, mut keys) = (Vec::new(), Vec::new());
    for round in 0..20_u64 {
        let address = server.address.clone();
        let (first, second) = std::thread::scope(|scope| {
            let transactions = scope.spawn(|| {
                let calls = std::iter::from_fn(|| try_call(&address, "POST", &path, &opened.token, Some(&body)));
                calls
                    .take_while(|(status, _)| *status == 201)
                    .map(|(_, made)| text(&made["transaction"]["id"]))
                    .collect::<Vec<_>>()
            });
            let made = scope.spawn(|| {
                let new = json!({"name": "k", "scopes": ["ledger:read"], "expiresAt": opened.expires_at});
                let calls =
                    std::iter::from_fn(|| try_call(&address, "POST", "/v1/developers/keys", &opened.token, Some(&new)));
                calls
                    .take_while(|(status, _)| *status == 201)
                    .map(|(_, made)| text(&made["apiKey"]))
                    .collect::<Vec<_>>()
            });
            std::thread::sleep(std::time::Duration::from_millis(60 + round * 7));
            server.kill();
            (transactions.join().unwrap(), made.join().unwrap())
        });
        posted.extend(first);
        keys.extend(second.into_iter().last());
        server = Server::start(folder.path());
    }
    let ids: std::collections::HashSet<_> = listed(&server, &opened).into_iter().collect();
    assert!(!posted.is_empty() && !keys.is_empty());
    assert!(posted.iter().all(|id| ids.contains(id)));
    for key in &keys {
        let body = json!({"developerId": "platypus", "apiKey": key});
        assert_eq!(server.call("POST", "/v1/developers/auth/generate-token", "", Some(&body)).0, 200);
    }
    println!("{} transactions and {} keys after 20 kills", posted.len(), keys.len());
    server.kill();
}

#[test]
fn a_start_that_fails_says_what_to_do_on_one_line_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("short"), "AAAA").unwrap();
    let failed = |arguments: &[&str], key: Option<&str>, says: &str| {
        let mut command = program(folder.path());
        if let Some(file) = key {
            command.env("LATCHBOOK_MASTER_KEY_FILE", file);
        }
        let Output { status, stderr, stdout } = command.args(arguments).output().unwrap();
        let stderr = String::from_utf8(stderr).unwrap();
        assert_eq!(status.code(), Some(1), "{stderr}");
        assert!(stderr.lines().count() == 1 && stderr.contains(says) && stdout.is_empty(), "{stderr}");
        assert!(!folder.path().join("ledger-data").exists(), "{says}");
    };
    failed(&["--store", "sqlite:x"], None, "--store takes redb:PATH");
    failed(&["--store", "postgres://me:hunter2@host/db"], None, "--store takes redb:PATH");
    failed(&[], Some("short"), "has 3 bytes, not 32");
    failed(&[], Some("absent"), "absent");
    failed(&["--signing-key", "live=short"], None, "the signing key `short` cannot be used");

    let server = Server::start(folder.path());
    let second = program(folder.path()).output().unwrap();
    assert_eq!(second.status.code(), Some(1), "s9");
    server.kill();
    let data = folder.path().join("ledger-data");
    fs::rename(data.join("master.key"), data.join("away")).unwrap();
    let without = program(folder.path()).output().unwrap();
    assert!(String::from_utf8_lossy(&without.stderr).contains("put it back") && without.status.code() == Some(1));
    assert!(!data.join("master.key").exists());
}
