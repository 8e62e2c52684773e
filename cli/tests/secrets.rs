//! Secrets: never taken from arguments, shown once, written where nobody else can read.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use support::{Bench, command, text};

fn bench() -> Bench {
    Bench::new("sqlite:data/auth.db").set_up()
}

#[test]
fn a_secret_in_the_arguments_is_refused_and_not_shown_again() {
    let bench = bench();
    let key = bench.run(&["key", "create", "acme", "--scopes", "audit:read"]).done();
    let key = key.trim();
    let url = "postgres://tester:hunter2@127.0.0.1/db";
    let store = format!("--store={url}");
    for arguments in [
        &["key", "find", key][..],
        &["key", "find", "--file", key],
        &["key", "show", "acme", key],
        &["--store", url, "developer", "list"],
        &[&store, "developer", "list"],
        &["--store", "postgres:///db?password=hunter2", "developer", "list"],
    ] {
        let answer = bench.run(arguments);
        assert!(!answer.stderr.contains("hunter2") && !answer.stderr.contains(key), "{}", answer.stderr);
        answer.fails(2, &["in the arguments, where every user of this machine can see it"]);
    }
    // From the environment a URL may bring its password; it is not shown either.
    let answer = bench.run_with(&["developer", "list"], &[("LATCHBOOK_STORE", "postgres:me:hunter2@host")], "");
    assert!(!answer.stderr.contains("hunter2"), "{}", answer.stderr);
    answer.fails(2, &["redb:PATH"]);
}

#[test]
fn no_option_takes_a_secret() {
    let bench = bench();
    for option in ["--master-key", "--password", "--api-key", "--key", "--secret", "--token"] {
        for command in [&["developer", "list"][..], &["key", "find"], &["key", "create", "acme", "--scopes", "a"]] {
            bench.run(&[command, &[option, "hunter2"]].concat()).fails(2, &["unexpected argument", option]);
        }
    }
}

#[test]
fn keys_go_into_a_new_file_that_its_user_alone_can_read() {
    let bench = bench();
    let create = ["key", "create", "acme", "--scopes", "audit:read", "--count", "3", "--out", "keys"];
    let file = bench.path().join("keys");
    // Whatever the user's mask would let others do.
    let mut shell = std::process::Command::new("sh");
    let made = support::run(
        shell
            .args(["-c", "umask 0; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_latchbook")])
            .args(create)
            .current_dir(bench.path())
            .env("LATCHBOOK_STORE", &bench.store),
        "",
    );
    assert!(made.stderr.contains("made 3 keys") && made.stderr.contains("`keys`"), "{made:?}");
    let shown = made.done();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let texts = fs::read_to_string(&file).unwrap();
    assert_eq!(texts.lines().count(), 3);
    for (hint, text) in shown.lines().zip(texts.lines()) {
        assert!(text.starts_with(hint) && !shown.contains(text), "hints alone are shown");
        let found = bench.run_with(&["key", "find", "--json"], &[], text).value();
        assert_eq!(found["text"], "current");
    }

    // Never over another file, and then no key is made.
    bench.run(&create).fails(1, &["`keys` is there already", "--out"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), texts);
    let json = bench.json(&["key", "create", "acme", "--scopes", "audit:read", "--out", "one"]).value();
    assert!(json.get("apiKey").is_none() && json["id"].is_string(), "{json}");
    assert_eq!(bench.json(&["key", "list", "acme"]).values().len(), 4);
    // A file that got no key goes again.
    let refused =
        ["key", "create", "acme", "--scopes", "audit:read", "--expires-at", "2001-01-01T00:00:00Z", "--out", "two"];
    bench.run(&refused).fails(3, &["expiresAt"]);
    assert!(!bench.path().join("two").exists());
    bench
        .run(&["key", "create", "acme", "--scopes", "audit:read", "--out", "absent/two"])
        .fails(1, &["cannot be made"]);
}

#[test]
fn what_is_stored_said_or_audited_holds_no_text_of_a_key() {
    let bench = bench();
    let made = bench.json(&["key", "create", "acme", "--scopes", "audit:read"]).value();
    let key = text(&made["apiKey"]);
    let secret = key.rsplit('_').next().unwrap().to_owned();
    for arguments in
        [&["key", "list", "acme"][..], &["audit", "query", "acme"], &["key", "show", "acme", &text(&made["id"])]]
    {
        for answer in [bench.run(arguments), bench.json(arguments)] {
            assert!(!answer.done().contains(&secret));
        }
    }
    for entry in fs::read_dir(bench.path().join("data")).unwrap() {
        let content = fs::read(entry.unwrap().path()).unwrap();
        assert!(!content.windows(secret.len()).any(|part| part == secret.as_bytes()));
    }
}

#[test]
fn a_key_that_could_not_be_shown_is_said_and_no_other_is_made() {
    let bench = bench();
    let closed = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = command(bench.path())
        .env("LATCHBOOK_STORE", &bench.store)
        .args(["key", "create", "acme", "--scopes", "audit:read", "--count", "3"])
        .stdin(Stdio::null())
        .stdout(closed)
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("could not be shown: revoke it with `latchbook key revoke acme "), "{stderr}");
    assert_eq!(bench.json(&["key", "list", "acme"]).values().len(), 1);
}
