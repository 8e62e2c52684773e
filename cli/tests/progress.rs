//! Progress is for terminals: shown there, and nowhere else.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use std::process::Command;

use support::Bench;

const CREATE: [&str; 8] = ["key", "create", "acme", "--scopes", "audit:read", "--count", "40", "--out"];

#[test]
fn long_work_shows_a_bar_on_a_terminal_alone() {
    let bench = Bench::new("sqlite:data/auth.db").set_up();
    let quiet = bench.run(&[&CREATE[..], &["quiet"]].concat());
    assert!(!quiet.stderr.contains(['\u{1b}', '\r']) && quiet.stderr.lines().count() == 1, "{quiet:?}");
    assert_eq!(quiet.done().lines().count(), 40);

    if Command::new("script").arg("--version").output().is_err() {
        println!("skipped: no script command, which lends a terminal");
        return;
    }
    // `script` gives the command a terminal and shows what it wrote there; the key's hints go elsewhere.
    let line = format!("{} {} shown >hints", env!("CARGO_BIN_EXE_latchbook"), CREATE.join(" "));
    let mut script = Command::new("script");
    script.args(["-qec", &line, "/dev/null"]).current_dir(bench.path()).env("LATCHBOOK_STORE", &bench.store);
    let shown = support::run(&mut script, "").done();
    assert!(shown.contains("making keys [") && shown.contains("] 40/40"), "{shown:?}");
    assert!(shown.contains("made 40 keys"), "{shown:?}");
}
