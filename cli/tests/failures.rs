//! Stores that are not there, not ours or in use, and arguments that make no sense: a line, a code, nothing made.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use std::fs;
use std::net::TcpListener;

use latchbook::RedbStore;
use serde_json::Value;
use support::{Bench, ISSUER};

#[test]
fn a_store_that_is_not_there_is_not_made_by_the_way() {
    for store in ["redb:data/auth.redb", "sqlite:data/auth.db"] {
        let bench = Bench::new(store);
        for arguments in [&["developer", "list"][..], &["developer", "create", "acme"], &["audit", "verify"]] {
            bench.run(arguments).fails(1, &["there is no store at `data/auth.", "--issuer URL"]);
        }
        // Nor for an issuer that cannot be one.
        bench.run(&["--issuer", "nonsense", "developer", "list"]).fails(2, &["the issuer `nonsense`"]);
        assert_eq!(fs::read_dir(bench.path()).unwrap().count(), 0, "{store}");
    }
}

#[test]
fn without_a_url_the_store_is_the_one_of_ledger_axum() {
    let bench = Bench::new("");
    let answer = support::run(support::command(bench.path()).args(["developer", "list"]), "");
    answer.fails(1, &["there is no store at `ledger-data/auth.redb`"]);
}

#[test]
fn a_file_that_is_no_store_is_left_alone() {
    for store in ["redb:theirs", "sqlite:theirs"] {
        let bench = Bench::new(store);
        fs::write(bench.path().join("theirs"), "their text").unwrap();
        bench.run(&["--issuer", ISSUER, "developer", "list"]).fails(1, &["`theirs` is no store of latchbook's"]);
        assert_eq!(fs::read_to_string(bench.path().join("theirs")).unwrap(), "their text");
    }
}

#[test]
fn a_server_that_does_not_answer_is_a_failure() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let bench = Bench::new(&format!("postgres://me@127.0.0.1:{nobody}/db"));
    bench.run(&["developer", "list"]).fails(1, &["cannot be opened"]);
}

#[test]
fn s9_a_redb_store_in_use_is_said_with_what_to_do() {
    let bench = Bench::new("redb:data/auth.redb").set_up();
    let held = RedbStore::open(bench.path().join("data/auth.redb")).unwrap();
    let says = ["`data/auth.redb` is in use by another process", "SQLite or PostgreSQL"];
    bench.run(&["developer", "list"]).fails(1, &says);
    drop(held);
    bench.run(&["developer", "list"]).done();
}

#[test]
fn a_master_key_that_is_gone_is_not_made_anew() {
    let bench = Bench::new("sqlite:data/auth.db").set_up();
    fs::remove_file(bench.path().join("data/master.key")).unwrap();
    bench.run(&["developer", "list"]).fails(1, &["its master key `data/master.key` is not", "put it back"]);
    assert!(!bench.path().join("data/master.key").exists());
}

#[test]
fn a_store_of_other_environments_is_worked_on_by_their_names() {
    let bench = Bench::new("sqlite:data/auth.db");
    bench.run(&["--issuer", ISSUER, "--environment", "staging", "developer", "create", "acme"]).done();
    assert_eq!(bench.json(&["--environment", "staging", "developer", "list"]).values().len(), 1);
    assert!(bench.json(&["developer", "list"]).values().is_empty());
    let key = bench.run(&["--environment", "staging", "key", "create", "acme", "--scopes", "audit:read"]).done();
    assert!(key.starts_with("lb_staging_"), "its environment stands in its text");
    bench.run(&["--environment", "test", "developer", "list"]).fails(4, &["`test`", "it holds live, sandbox, staging"]);
    // What is about the whole store needs none.
    bench.run(&["--environment", "test", "store", "check"]).done();
}

#[test]
fn arguments_that_make_no_sense_are_a_line_each() {
    let bench = Bench::new("sqlite:data/auth.db");
    for (arguments, says) in [
        (&[][..], "a command is missing"),
        (&["key"], "a command is missing"),
        (&["kez", "list"], "unrecognized subcommand 'kez'"),
        (&["developer", "show"], "<ID>"),
        (&["developer", "list", "--nonsense"], "--nonsense"),
        (&["developer", "list", "--environment", "Live"], "an environment's name has 1 to 16 characters"),
        (&["developer", "list", "--store-timeout", "0"], "--store-timeout"),
        (&["developer", "list", "--store", "auth.redb"], "redb:PATH"),
        (&["developer", "list", "--store", "memory:"], "a store in memory ends with its process"),
        (&["audit", "verify", "--checkpoint", "x"], "DEVELOPER"),
    ] {
        bench.run(arguments).fails(2, &[says]);
    }
    assert_eq!(fs::read_dir(bench.path()).unwrap().count(), 0);
}

#[test]
fn help_and_version_are_no_errors() {
    let bench = Bench::new("sqlite:data/auth.db");
    for arguments in [&["help"][..], &["--help"], &["key", "create", "--help"], &["--version"]] {
        let said = bench.run(arguments).done();
        assert!(said.contains("latchbook"), "{said}");
    }
    let said = bench.run(&["--help"]).done();
    assert!(said.contains("Exit codes: 0 done, 1 ") && said.contains("LATCHBOOK_MASTER_KEY_FILE"), "{said}");
}

#[test]
fn with_json_an_error_is_json_too() {
    let bench = Bench::new("sqlite:data/auth.db").set_up();
    for (arguments, code, name) in [
        (&["developer", "list", "--store", "sqlite:absent"][..], 1, "failure"),
        (&["developer", "nonsense"], 2, "usage"),
        (&["developer", "create", "acme"], 3, "refused"),
        (&["developer", "show", "nobody"], 4, "not_found"),
    ] {
        let answer = bench.json(arguments);
        assert_eq!((answer.code, answer.stdout.as_str()), (Some(code), ""), "{answer:?}");
        let (line, json) = answer.stderr.trim_end().split_once('\n').expect("a line and a line of JSON");
        let error: Value = serde_json::from_str(json).unwrap();
        assert_eq!((&error["error"]["code"], &error["error"]["exitCode"]), (&name.into(), &code.into()));
        assert_eq!(line, format!("latchbook: {}", support::text(&error["error"]["message"])));
    }
}
