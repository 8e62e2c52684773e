//! Stores as a whole: copied from one back end to the next, interrupted and resumed, checked, pruned, put back.
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

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use support::{Bench, members, text};

/// A store with a developer, `count` keys, some of them revoked, and an entity.
fn furnished(store: &str, count: u32) -> Bench {
    let bench = Bench::new(store).set_up();
    let made = bench.json(&["key", "create", "acme", "--scopes", "audit:read", "--count", &count.to_string()]).values();
    bench.run(&["key", "revoke", "acme", &text(&made[0]["id"])]).done();
    bench.run(&["entity", "create", "acme", "--legal-name", "Acme Trading", "--id", "first"]).done();
    bench
}

fn copy(bench: &Bench, from: &str, to: &str) -> Value {
    bench.json(&["store", "copy", "--store", from, to]).value()
}

#[test]
fn a_store_copied_round_every_back_end_is_the_same_in_each() {
    let Some(server) = postgres::Server::own() else { return };
    let first = "redb:data/auth.redb";
    let bench = furnished(first, 40).with(&postgres::PASSWORD.replace("%20", " "));
    let postgres = format!("postgres://tester@127.0.0.1:{}/postgres", server.port());
    let stores = [first, "sqlite:data/auth.db", &postgres, "redb:data/again.redb"];
    let mut digests = Vec::new();
    for (from, to) in stores.iter().zip(&stores[1..]) {
        let copied = copy(&bench, from, to);
        assert_eq!(members(&copied), ["counts", "digest", "rows", "written"]);
        assert_eq!(copied["rows"], copied["written"]);
        assert_eq!((&copied["counts"]["keys"], &copied["counts"]["entities"]), (&json!(40), &json!(1)));
        digests.push(text(&copied["digest"]));
        // Once more: it is recognised, and writes nothing.
        let again = copy(&bench, from, to);
        assert_eq!((&again["digest"], &again["written"]), (&copied["digest"], &json!(0)));
    }
    assert!(digests.iter().all(|digest| *digest == digests[0] && digest.len() == 64), "{digests:?}");

    // Each is a whole store, under the same master key, with the same keys in it.
    let key = fs::read(bench.path().join("data/master.key")).unwrap();
    let variables = [("LATCHBOOK_MASTER_KEY", std::str::from_utf8(&key).unwrap().trim())];
    let listed = bench.json(&["key", "list", "acme", "--store", first]).values();
    for store in stores {
        let told =
            |arguments: &[&str]| bench.run_with(&[arguments, &["--json", "--store", store]].concat(), &variables, "");
        assert_eq!(told(&["key", "list", "acme"]).values(), listed, "{store}");
        let checked = told(&["store", "check"]).value();
        assert_eq!((&checked["holds"], &checked["chains"]), (&json!(true), &json!(3)), "{checked}");
        assert_eq!(told(&["store", "migrate"]).value()["issuer"], support::ISSUER);
        assert_eq!(told(&["store", "prune"]).value()["removed"], 0);
    }

    let backup = bench.run_with(&["store", "backup", "sqlite:backup.db", "--json", "--store", &postgres], &[], "");
    let (backup, copied) = (backup.value(), copy(&bench, &postgres, "sqlite:backup.db"));
    assert_eq!((&copied["digest"], &copied["written"]), (&backup["digest"], &json!(0)), "the backup is that copy");

    // An event taken out of a chain is found.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = server.client().await;
        let taken = client.execute("DELETE FROM latchbook.audit_events WHERE developer = 'acme' AND number = 3", &[]);
        assert_eq!(taken.await.unwrap(), 1);
    });
    let answer = bench.run_with(&["store", "check", "--store", &postgres], &variables, "");
    assert_eq!(answer.code, Some(1), "{answer:?}");
    assert!(answer.stdout.contains("the audit chain `live/acme` has gaps"), "{answer:?}");
    assert!(answer.stderr.contains("the store is not whole"), "{answer:?}");
    let reports = bench.run_with(&["audit", "verify", "--store", &postgres, "--json"], &variables, "");
    assert!(reports.code == Some(1) && reports.stderr.contains("1 of 2 audit chains do not hold: live/acme"));
}

#[test]
fn a_copy_that_is_cut_off_is_no_store_and_goes_on_where_it_was() {
    let bench = furnished("sqlite:data/auth.db", 600);
    let target = "sqlite:copy/auth.db";
    let mark = bench.path().join("mark");
    // The process is killed when a file of its grows over a limit: the first limit that lets a page through is taken.
    let is_cut_off = (1..100).any(|limit| {
        let _ = fs::remove_dir_all(bench.path().join("copy"));
        let _ = fs::remove_file(&mark);
        let limited = format!("ulimit -f {}; exec \"$0\" store copy {target} --resume mark", limit * 40);
        let mut shell = Command::new("bash");
        shell.args(["-c", &limited, env!("CARGO_BIN_EXE_latchbook")]).current_dir(bench.path());
        let answer = support::run(shell.env("LATCHBOOK_STORE", &bench.store), "");
        assert_ne!(answer.code, Some(0), "no limit cuts it off half-way");
        mark.exists()
    });
    assert!(is_cut_off);
    let key = bench.path().join("data/master.key");
    fs::copy(key, bench.path().join("copy/master.key")).unwrap();
    let unfinished = ["developer", "list", "--store", target];
    bench.run(&[&unfinished[..], &["--issuer", support::ISSUER]].concat()).fails(1, &["a copy that was not finished"]);

    let copied = bench.json(&["store", "copy", target, "--resume", "mark"]).value();
    let (rows, written) = (copied["rows"].as_u64().unwrap(), copied["written"].as_u64().unwrap());
    assert!(written < rows && rows > 1200, "{copied}");
    assert!(!mark.exists(), "the copy is done");
    assert_eq!(copy(&bench, &bench.store, target)["digest"], copied["digest"]);
    assert_eq!(bench.json(&["store", "check", "--store", target]).value()["holds"], true);
}

#[test]
fn a_copy_never_goes_over_another_store_nor_into_itself() {
    let bench = furnished("sqlite:data/auth.db", 1);
    let other =
        bench.json(&["developer", "create", "other", "--store", "sqlite:other/auth.db", "--issuer", support::ISSUER]);
    other.value();
    bench.run(&["store", "copy", "sqlite:other/auth.db"]).fails(3, &["the target holds another store"]);
    let held = bench.json(&["developer", "list", "--store", "sqlite:other/auth.db"]).values();
    assert!(held.len() == 1 && held[0]["id"] == "other", "it is as it was: {held:?}");
    bench.run(&["store", "copy", "sqlite:data/auth.db"]).fails(2, &["into itself"]);
    bench.run(&["store", "copy", "memory:"]).fails(2, &["a store in memory"]);
    bench.run(&["store", "copy"]).fails(2, &["<TARGET>"]);
    bench.run(&["store", "copy", "sqlite:new.db", "--store", "sqlite:absent"]).fails(1, &["there is no store"]);
    fs::write(bench.path().join("theirs"), "text").unwrap();
    bench.run(&["store", "copy", "sqlite:new.db", "--resume", "theirs"]).fails(1, &["`theirs` is no mark of a copy"]);
    assert!(!bench.path().join("new.db").exists());
}

#[test]
fn a_backup_is_taken_while_a_store_is_in_use_and_never_over_another() {
    let bench = furnished("sqlite:data/auth.db", 20);
    // In use: another process, here this one, has it open.
    let held = latchbook::SqliteStore::open(bench.path().join("data/auth.db")).unwrap();
    let backup = bench.json(&["store", "backup", "sqlite:backup/1.db"]).value();
    assert_eq!((&backup["counts"]["keys"], &backup["rows"]), (&json!(20), &backup["written"]));
    bench.run(&["key", "create", "acme", "--scopes", "audit:read"]).done();
    let second = bench.json(&["store", "backup", "redb:backup/2.redb"]).value();
    assert_eq!(second["counts"]["keys"], 21);
    drop(held);
    // Each is a store of its own, as of its instant.
    fs::copy(bench.path().join("data/master.key"), bench.path().join("backup/master.key")).unwrap();
    for (store, keys) in [("sqlite:backup/1.db", 20), ("redb:backup/2.redb", 21)] {
        assert_eq!(bench.json(&["key", "list", "acme", "--store", store]).values().len(), keys);
        assert_eq!(bench.json(&["store", "check", "--store", store]).value()["holds"], true);
        let before = fs::read(bench.path().join(store.split_once(':').unwrap().1)).unwrap();
        bench.run(&["store", "backup", store]).fails(3, &["is there already"]);
        assert_eq!(fs::read(bench.path().join(store.split_once(':').unwrap().1)).unwrap(), before);
    }
    bench.run(&["store", "backup"]).fails(2, &["<TARGET>"]);
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(fs::metadata(bench.path().join("backup/1.db")).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_copy_that_was_put_back_ends_every_older_token_and_lists_what_is_live() {
    let bench = furnished("sqlite:data/auth.db", 3);
    let report = bench.json(&["store", "restored"]).value();
    let want = ["entities", "liveDevelopers", "liveKeys", "newestEventAt", "retiredSigningKeys"];
    assert_eq!(members(&report), want);
    assert_eq!(
        (&report["liveKeys"], &report["liveDevelopers"], &report["entities"]),
        (&json!(2), &json!(1), &json!(1))
    );
    assert_eq!(report["retiredSigningKeys"].as_array().unwrap().len(), 2);
    let listed = bench.json(&["store", "restored", "--list"]).values();
    let kinds: Vec<_> = listed.iter().filter_map(|each| each["kind"].as_str()).collect();
    assert_eq!((kinds.len(), listed.len()), (4, 5), "{listed:?}");
    for (kind, count) in [("developer", 1), ("key", 2), ("entity", 1)] {
        assert_eq!(kinds.iter().filter(|each| **each == kind).count(), count, "{kind}");
    }
    let events = bench.json(&["audit", "query", "--action", "store.restored"]).values();
    assert_eq!(events.len(), 2);
    assert_eq!(bench.json(&["store", "check"]).value()["holds"], true);
}
