//! Every command on every store: what it does, its JSON, and its exit codes.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    unreachable_pub,
    reason = "tests"
)]

#[path = "../../storage-postgres/tests/support/server.rs"]
mod postgres;
mod support;

use serde_json::{Value, json};
use support::{Bench, ISSUER, members, text};

#[test]
fn every_command_works_on_redb() {
    every_command(&Bench::new("redb:data/auth.redb"));
}

#[test]
fn every_command_works_on_sqlite() {
    every_command(&Bench::new("sqlite:data/auth.db"));
}

#[test]
fn every_command_works_on_postgresql() {
    let Some(server) = postgres::Server::own() else { return };
    let store = format!("postgres://tester@127.0.0.1:{}/postgres", server.port());
    every_command(&Bench::with_password(&store, &postgres::PASSWORD.replace("%20", " ")));
}

fn every_command(bench: &Bench) {
    set_up(bench);
    developers(bench);
    keys(bench);
    found(bench);
    found_elsewhere(bench);
    entities(bench);
    audit(bench);
    usage(bench);
}

/// A store is made for whoever names its issuer alone, and remembers it.
fn set_up(bench: &Bench) {
    bench.run(&["developer", "list"]).fails(1, &["there is no store", "--issuer URL"]);
    bench.run(&["--issuer", "ftp://x", "developer", "list"]).fails(2, &["the issuer `ftp://x`"]);
    let answer = bench.run(&["developer", "create", "acme", "--name", "Acme Inc.", "--issuer", ISSUER]);
    assert!(answer.stderr.contains("made a new master key in "), "{answer:?}");
    assert!(answer.done().contains("Acme Inc."));
    bench.run(&["developer", "list", "--issuer", "https://other.example"]).fails(3, &["was set up for the issuer"]);
    bench.run(&["developer", "list", "--environment", "staging"]).fails(4, &["`staging`", "it holds live, sandbox"]);
    let wrong = [("LATCHBOOK_MASTER_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")];
    bench.run_with(&["developer", "list"], &wrong, "").fails(3, &["not the master key", "LATCHBOOK_MASTER_KEY_FILE"]);
    let short = [("LATCHBOOK_MASTER_KEY", "AAAA")];
    bench.run_with(&["developer", "list"], &short, "").fails(1, &["has 3 bytes, not 32"]);
}

fn developers(bench: &Bench) {
    let shown = bench.json(&["developer", "show", "acme"]).value();
    assert_eq!(members(&shown), ["createdAt", "environment", "id", "name", "status"]);
    assert_eq!((&shown["name"], &shown["status"]), (&json!("Acme Inc."), &json!("active")));
    assert_eq!(bench.json(&["developer", "create", "other"]).value()["name"], "other");
    for (command, status) in [("suspend", "suspended"), ("resume", "active")] {
        assert_eq!(bench.json(&["developer", command, "other"]).value()["status"], status);
        assert_eq!(bench.json(&["developer", "show", "other"]).value()["status"], status);
    }
    let listed = bench.json(&["developer", "list"]).values();
    assert_eq!(listed.iter().map(|each| text(&each["id"])).collect::<Vec<_>>(), ["acme", "other"]);
    assert_eq!(listed[0], shown);
    let table = bench.run(&["developer", "list"]).done();
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!((rows[0][0], rows[1][0], rows.len()), ("ID", "acme", 3), "{table}");
    let elsewhere = bench.json(&["developer", "list", "--environment", "sandbox"]).values();
    assert!(elsewhere.is_empty(), "one environment does not show another's");

    bench.run(&["developer", "create", "acme"]).fails(3, &["the developer `acme`", "exists already"]);
    bench.run(&["developer", "create", "bad", "--name", "a\tb"]).fails(3, &["a name has 1 to 200 characters"]);
    for command in ["show", "suspend", "resume"] {
        bench.run(&["developer", command, "nobody"]).fails(4, &["there is no developer `nobody`"]);
    }
    bench.run(&["developer", "show", "a/b"]).fails(2, &["a/b", "see `latchbook help`"]);
}

const KEY_MEMBERS: [&str; 13] = [
    "allowedIps",
    "createdAt",
    "developerId",
    "environment",
    "expiresAt",
    "generation",
    "hint",
    "id",
    "lastUsedAt",
    "metadata",
    "name",
    "revokedAt",
    "scopes",
];

fn keys(bench: &Bench) {
    // What the host declares is told; what nobody declared is refused.
    let create = ["key", "create", "acme", "--scopes", "ledger:read"];
    bench.run(&create).fails(3, &["the scope `ledger:read`", "LATCHBOOK_SCOPES"]);
    let scopes = [("LATCHBOOK_SCOPES", "ledger:read ledger:write")];
    let key = bench.run_with(&create, &scopes, "").done();
    assert!(key.starts_with("lb_live_") && key.lines().count() == 1, "the key's text alone");
    bench.run_with(&["key", "create", "acme", "--scopes", "ledger:raed"], &scopes, "").fails(3, &["`ledger:raed`"]);
    let told = ["--host-scopes", "ledger:read,ledger:write", "--allowed-ip", "192.0.2.0/24", "--allowed-ip", "::1"];
    let more = ["--scopes", "ledger:* keys:manage", "--expires-at", "2999-01-01T00:00:00Z", "--name", "Nightly"];
    let made = bench.json(&[&["key", "create", "acme"], &told[..], &more[..]].concat()).value();
    assert!(text(&made["apiKey"]).starts_with(&text(&made["hint"])));
    let id = text(&made["id"]);
    let shown = bench.json(&["key", "show", "acme", &id]).value();
    assert_eq!(members(&shown), KEY_MEMBERS);
    assert_eq!(shown["scopes"], json!(["keys:manage", "ledger:*"]));
    assert_eq!(shown["allowedIps"], json!(["192.0.2.0/24", "::1/128"]));
    assert_eq!((&shown["expiresAt"], &shown["name"]), (&json!("2999-01-01T00:00:00Z"), &json!("Nightly")));
    for (name, value) in shown.as_object().unwrap() {
        assert_eq!(made[name], *value, "{name}");
    }

    // Many at once.
    let many = bench.json(&["key", "create", "acme", "--scopes", "audit:read", "--count", "12"]).values();
    let mut texts: Vec<_> = many.iter().map(|each| text(&each["apiKey"])).collect();
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), 12);
    let listed = bench.json(&["key", "list", "acme"]).values();
    assert_eq!(listed.len(), 14);
    assert!(listed.iter().all(|each| members(each) == KEY_MEMBERS), "never with a text");
    assert_eq!(bench.run(&["key", "list", "acme"]).done().lines().count(), 15);
    assert!(bench.json(&["key", "list", "other"]).values().is_empty());

    let revoked = bench.json(&["key", "revoke", "acme", &id, &text(&many[0]["id"])]).values();
    assert!(revoked.len() == 2 && revoked.iter().all(|each| each["revokedAt"].is_string()));
    assert!(bench.run(&["key", "show", "acme", &id]).done().contains("revoked"));
    bench.run(&["key", "revoke", "acme", &id]).done();

    let absent = "0123456789abcdef";
    for command in ["show", "revoke"] {
        bench.run(&["key", command, "acme", absent]).fails(4, &["there is no key `0123456789abcdef`"]);
        bench.run(&["key", command, "other", &id]).fails(4, &["there is no key"]);
        bench.run(&["key", command, "acme", "short"]).fails(2, &["short"]);
    }
    let create = |arguments: &[&str]| bench.run(&[&["key", "create"], arguments].concat());
    create(&["nobody", "--scopes", "audit:read"]).fails(4, &["there is no developer `nobody`"]);
    bench.run(&["key", "list", "nobody"]).fails(4, &["there is no developer `nobody`"]);
    create(&["acme"]).fails(2, &["--scopes"]);
    create(&["acme", "--scopes", " "]).fails(2, &["at least one"]);
    create(&["acme", "--scopes", "audit:read", "--count", "0"]).fails(2, &["--count"]);
    create(&["acme", "--scopes", "audit:read", "--expires-at", "tomorrow"]).fails(2, &["2026-12-01T00:00:00Z"]);
    create(&["acme", "--scopes", "audit:read", "--allowed-ip", "here"]).fails(2, &["192.0.2.1"]);
    create(&["acme", "--scopes", "audit:read", "--expires-at", "2001-01-01T00:00:00Z"]).fails(3, &["expiresAt"]);
}

/// A text that was found says whose it is, by standard input or from a file.
fn found(bench: &Bench) {
    let made = bench.json(&["key", "create", "other", "--scopes", "audit:read"]).value();
    let (key, id) = (text(&made["apiKey"]), text(&made["id"]));
    std::fs::write(bench.path().join("found"), format!("\n{key}\n")).unwrap();
    let from_input = bench.run_with(&["key", "find", "--json"], &[], &key).value();
    let from_file = bench.json(&["key", "find", "--file", "found"]).value();
    assert_eq!(from_input, from_file);
    assert_eq!((&from_input["developerId"], &from_input["text"]), (&json!("other"), &json!("current")));
    assert_eq!(text(&from_input["id"]), id);
    bench.run(&["key", "revoke", "other", &id]).done();
    let shown = bench.run_with(&["key", "find"], &[], &key).done();
    assert!(shown.contains("revoked") && !shown.contains(&key), "{shown}");
    bench.run_with(&["key", "find"], &[], "lb_live_hunter2").fails(3, &["this is no API key"]);
    bench.run_with(&["key", "find"], &[], "").fails(3, &["this is no API key"]);
    bench.run(&["key", "find", "--file", "absent"]).fails(1, &["`absent` cannot be read"]);
    let unknown = "lb_live_0123456789abcdEF_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA0V6vms";
    bench.run_with(&["key", "find"], &[], unknown).fails(4, &["there is no key with the id in this text"]);
}

/// A key's text of an environment that the store does not hold: nothing is known of it.
fn found_elsewhere(bench: &Bench) {
    let staging = "lb_staging_0123456789abcdEF_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA3Uj2k7";
    bench.run_with(&["key", "find"], &[], staging).fails(4, &["does not hold the environment"]);
}

fn entities(bench: &Bench) {
    let made = bench.json(&["entity", "create", "acme", "--legal-name", "Acme Trading", "--id", "first"]).value();
    assert_eq!(members(&made), ["createdAt", "developerId", "environment", "id", "legalName"]);
    let drawn = bench.json(&["entity", "create", "acme", "--legal-name", "Acme Holding"]).value();
    assert!(text(&drawn["id"]).starts_with("entity_"));
    let listed = bench.json(&["entity", "list", "acme"]).values();
    assert!(listed.len() == 2 && listed.contains(&made) && listed.contains(&drawn));
    assert!(bench.run(&["entity", "list", "acme"]).done().contains("Acme Trading"));
    let again = ["entity", "create", "acme", "--legal-name", "Again", "--id", "first"];
    bench.run(&again).fails(3, &["the entity `first`", "exists already"]);
    let removed = bench.json(&["entity", "remove", "acme", "first"]).value();
    assert_eq!((&removed["id"], &removed["removed"]), (&json!("first"), &json!(true)));
    bench.run(&["entity", "remove", "acme", "first"]).fails(4, &["there is no entity `first`"]);
    assert_eq!(bench.json(&["entity", "list", "acme"]).values(), [drawn]);
    bench.run(&["entity", "create", "nobody", "--legal-name", "x"]).fails(4, &["there is no developer `nobody`"]);
    bench.run(&["entity", "list", "nobody"]).fails(4, &["there is no developer `nobody`"]);
    bench.run(&["entity", "create", "acme"]).fails(2, &["--legal-name"]);
}

fn audit(bench: &Bench) {
    let events = bench.json(&["audit", "query", "acme", "--limit", "1000"]).values();
    let names = ["action", "actor", "at", "chain", "details", "number", "outcome", "source", "subject"];
    assert!(events.iter().all(|event| members(event) == names && event["chain"] == "live/acme"));
    let of = |action: &str| events.iter().filter(|event| event["action"] == action).collect::<Vec<_>>();
    assert_eq!((of("key.created").len(), of("key.revoked").len(), of("entity.removed").len()), (14, 2, 1));
    assert!(of("key.created").iter().all(|event| event["actor"] == json!({"kind": "host"})));
    let numbers: Vec<_> = events.iter().map(|event| event["number"].as_u64().unwrap()).collect();
    assert!(numbers.is_sorted_by(|a, b| *a == b + 1) && numbers.last() == Some(&1), "{numbers:?}");

    let some = |more: &[&str]| bench.json(&[&["audit", "query", "acme"], more].concat()).values();
    assert_eq!(some(&["--limit", "2"]), events[..2]);
    assert_eq!(some(&["--action", "developer.created"]).len(), 1);
    assert!(some(&["--since", "2999-01-01T00:00:00Z"]).is_empty());
    assert!(bench.json(&["audit", "query"]).values().iter().any(|event| event["action"] == "store.created"));
    assert!(bench.run(&["audit", "query", "acme"]).done().contains("key.created"));
    bench.run(&["audit", "query", "nobody"]).fails(4, &["there is no developer `nobody`"]);
    bench.run(&["audit", "query", "--action", "key.stolen"]).fails(2, &["key.created"]);

    let reports = bench.json(&["audit", "verify"]).values();
    let chains: Vec<_> = reports.iter().map(|report| text(&report["chain"])).collect();
    assert_eq!(chains, ["live", "live/acme", "live/other"]);
    assert!(reports.iter().all(|report| report["holds"] == true && report["afterLast"] == 0), "{reports:?}");
    assert_eq!(reports[1]["events"].as_u64(), numbers.first().copied());
    assert!(bench.run(&["audit", "verify", "acme"]).done().contains("every link holds"));

    // The last checkpoint, as one keeps it elsewhere; and one of another chain.
    let checkpoint = |chain: &str| text(&last_checkpoint(bench, chain)["details"]["checkpoint"]);
    std::fs::write(bench.path().join("kept"), checkpoint("acme")).unwrap();
    std::fs::write(bench.path().join("other"), checkpoint("other")).unwrap();
    let kept = bench.json(&["audit", "verify", "acme", "--checkpoint", "kept"]).value();
    assert_eq!(kept["kept"], "holds");
    let answer = bench.json(&["audit", "verify", "acme", "--checkpoint", "other"]);
    assert_eq!(answer.code, Some(1), "{answer:?}");
    assert!(answer.stdout.contains("notOurs") && answer.stderr.contains("1 of 1 audit chains do not hold: live/acme"));
    bench.run(&["audit", "verify", "acme", "--checkpoint", "absent"]).fails(1, &["`absent` cannot be read"]);
}

fn last_checkpoint(bench: &Bench, developer: &str) -> Value {
    bench.json(&["audit", "query", developer, "--action", "audit.checkpoint", "--limit", "1"]).value()
}

fn usage(bench: &Bench) {
    assert!(bench.json(&["usage", "acme"]).values().is_empty(), "nobody used a key yet");
    bench.run(&["usage", "nobody"]).fails(4, &["there is no developer `nobody`"]);
    bench.run(&["usage", "acme", "--from", "2026-02-02", "--to", "2026-02-01"]).fails(2, &["--from is after --to"]);
    bench.run(&["usage", "acme", "--from", "yesterday"]).fails(2, &["2026-12-01"]);
}
