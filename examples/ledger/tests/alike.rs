//! Both programs, asked the same: a difference in status, fields or body is a fault of one of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;
use support::{Server, text};

const PROGRAM: &str = support::LEDGER_AXUM;

const PATHS: [&str; 34] = [
    "/",
    "/ping",
    "/healthz",
    "/metrics",
    "/nowhere",
    "/v1",
    "/v1/transactions",
    "/v1/transactions/",
    "/v1//transactions",
    "/v1/Transactions",
    "/v1/trans%61ctions",
    "/v1/transactions?entityId=",
    "/v1/transactions?entityId=%zz",
    "/v1/transactions?entityId=another",
    "/v1/transactions?entityId=ENTITY",
    "/v1/transactions?entityId=ENTITY&pageSize=0",
    "/v1/transactions?%65ntityId=ENTITY&entityId=ENTITY",
    "/v1/categories?entityId=ENTITY",
    "/v1/banks/accounts?entityId=ENTITY",
    "/v1/reports/balances?entityId=ENTITY&currency=x",
    "/v1/entities?cursor=%00",
    "/v1/entities?entityId=another",
    "/v1/live/ping",
    "/v1/sandbox/ping",
    "/v1/auth/tokens",
    "/v1/auth/whoam%69",
    "/v1/auth/whoami",
    "/v1/developers/keys?pageSize=1000",
    "/v1/developers/keys/0123456789abcdEF",
    "/v1/developers/keys/%FF",
    "/v1/developers/usage?from=x",
    "/v1/sandbox",
    "/.well-known/jwks/nowhere.json",
    "/.well-known/jwks/%6Cive.json",
];

/// A running program, and what its sandbox was given.
struct Played {
    server: Server,
    token: String,
    entity: String,
}

/// Status, fields, and the body where it names nothing that is drawn by chance.
#[derive(Debug, PartialEq)]
struct Answer {
    status: String,
    fields: BTreeMap<String, String>,
    body: String,
}

impl Played {
    fn start(program: &str, folder: &Path) -> Self {
        let mut command = Command::new(program);
        command.current_dir(folder).args(["--listen", "127.0.0.1:0", "--limits", "off", "--store", "memory:"]);
        for variable in ["LATCHBOOK_MASTER_KEY", "LATCHBOOK_MASTER_KEY_FILE", "RUST_LOG"] {
            command.env_remove(variable);
        }
        let server = Server::spawn(command.stderr(Stdio::null())).expect("it listens");
        let order = json!({"name": "Platypus Trading", "developer_id": "platypus"});
        let (status, made) = server.call("POST", "/v1/sandbox", "", Some(&order));
        assert_eq!(status, 201, "{made}");
        Self { server, token: text(&made["data"]["token"]), entity: text(&made["data"]["entity"]["id"]) }
    }

    fn ask(&self, method: &str, path: &str, fields: &str, body: &str) -> Answer {
        let path = path.replace("ENTITY", &self.entity);
        let fields = fields.replace("TOKEN", &self.token);
        let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: ledger\r\nConnection: close\r\n{fields}{length}\r\n{body}");
        let mut stream = TcpStream::connect(&self.server.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        // A program that has heard enough hangs up while the rest is being sent.
        let _ = stream.write_all(request.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{method} {path}: {answer:?}"));
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().to_owned();
        let fields = lines.map(|line| line.split_once(": ").unwrap());
        let mut fields: BTreeMap<_, _> = fields.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
        // When it was sent, and how connections are kept, is each server's own.
        for name in ["date", "connection"] {
            fields.remove(name);
        }
        let drawn = status.starts_with('2') && !path.contains("ping") || path == "/healthz" || path == "/metrics";
        if drawn {
            fields.remove("content-length");
        }
        Answer { status, fields, body: if drawn { String::new() } else { body.replace(&self.entity, "ENTITY") } }
    }
}

#[test]
fn h17_both_programs_give_the_same_answers() {
    let folder = tempfile::tempdir().unwrap();
    let axum = Played::start(support::LEDGER_AXUM, folder.path());
    let actix = Played::start(support::LEDGER_ACTIX, folder.path());
    let json = "Content-Type: application/json\r\n";
    let credentials =
        ["", "Authorization: Bearer TOKEN\r\n", "Authorization: Bearer a.b.c\r\n", "Authorization: Bearer\r\n"];
    let long = format!("{{\"name\": \"{}\"}}", "a".repeat(70_000));
    let bodies = [
        ("", ""),
        (json, "{}"),
        (json, "{\"a\": 1, \"a\": 2}"),
        ("Content-Type: text/plain\r\n", "{}"),
        (json, &*long),
    ];
    let (mut asked, mut different) = (0, Vec::new());
    for path in PATHS {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"] {
            // What is made or removed stays so for the requests after it: the same on both.
            let bodies = if method == "POST" { &bodies[..] } else { &bodies[..1] };
            for credential in credentials {
                for (content_type, body) in bodies {
                    let fields = format!("{credential}{content_type}");
                    let (one, two) = (axum.ask(method, path, &fields, body), actix.ask(method, path, &fields, body));
                    asked += 1;
                    if one != two {
                        different
                            .push(format!("{method} {path} {fields:?} {body:.40}\n  axum  {one:?}\n  actix {two:?}"));
                    }
                }
            }
        }
    }
    println!("{asked} requests asked of both, {} answered differently", different.len());
    assert!(different.is_empty(), "{} of {asked}\n{}", different.len(), different.join("\n"));
}
