//! The sessions with curl of the README and of the how-to pages, played against the real program.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use std::path::Path;
use std::process::{Command, Stdio};

use support::{Server, program_on};

const PROGRAM: &str = support::LEDGER_AXUM;

const README: &str = include_str!("../../../README.md");
const OAUTH_CLIENTS: &str = include_str!("../../../docs/how-to/oauth-clients.md");
const TOKEN_EXCHANGE: &str = include_str!("../../../docs/how-to/token-exchange.md");

/// What comes after the comment in the README that begins with `mark`.
fn marked(mark: &str) -> &'static str {
    marked_in(README, mark)
}

fn marked_in(page: &'static str, mark: &str) -> &'static str {
    page.split_once(&format!("<!-- {mark}:")).expect("the mark").1
}

/// The contents of the first fenced block of `language` in `text`, and what comes after it.
fn block<'a>(text: &'a str, language: &str) -> (&'a str, &'a str) {
    let (_, rest) = text.split_once(&format!("```{language}\n")).expect("a fenced block");
    rest.split_once("```").expect("its end")
}

/// The program, started as `command` says.
fn start(folder: &Path, command: &str) -> Server {
    let arguments = command.trim().strip_prefix("cargo run --release --bin ledger-axum").expect("how it is started");
    let arguments = arguments.strip_prefix(" --").unwrap_or_default().split_whitespace();
    let mut program = program_on(folder, "127.0.0.1:0");
    Server::spawn(program.args(arguments).stderr(Stdio::null())).expect("it listens")
}

/// What `commands` print, with the server's own address in place of the usual one.
fn play(folder: &Path, commands: &str, server: Option<&Server>) -> String {
    let commands = match server {
        None => commands.to_owned(),
        Some(server) => commands.replacen("127.0.0.1:8080", &server.address, 1),
    };
    let played = Command::new("bash")
        .args(["-euc", &commands])
        .current_dir(folder)
        .env("NO_PROXY", "*")
        .env_remove("LATCHBOOK_MASTER_KEY")
        .env_remove("LATCHBOOK_MASTER_KEY_FILE")
        .output()
        .expect("bash, curl and python3");
    let stderr = String::from_utf8_lossy(&played.stderr);
    // openssl shows its progress there, latchbook what it made; curl must have nothing to say.
    let is_quiet = stderr.lines().all(|line| line.starts_with("latchbook: made "));
    assert!(played.status.success() && (server.is_none() || is_quiet), "{stderr}");
    String::from_utf8(played.stdout).unwrap()
}

/// Plays the session of `page`, which starts on nothing.
fn assert_session(page: &'static str) {
    let (commands, rest) = block(marked_in(page, "session"), "sh");
    let (expected, _) = block(rest, "text");
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), "cargo run --release --bin ledger-axum");
    assert_eq!(play(folder.path(), commands, Some(&server)), expected);
}

#[test]
fn the_readme_session_prints_what_the_readme_says() {
    assert_session(README);
}

#[test]
fn oauth_clients_are_told_what_the_how_to_page_says() {
    assert_session(OAUTH_CLIENTS);
}

#[test]
fn a_token_is_narrowed_as_the_how_to_page_says() {
    assert_session(TOKEN_EXCHANGE);
}

#[test]
fn the_readme_makes_a_live_developer() {
    let (started, rest) = block(marked("live"), "sh");
    let (commands, rest) = block(rest, "sh");
    let (expected, _) = block(rest, "text");
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), started);
    assert_eq!(play(folder.path(), commands, Some(&server)), expected);
}

#[test]
fn the_readme_hands_out_a_key_and_takes_it_back() {
    let (started, rest) = block(marked("operator"), "sh");
    let (commands, rest) = block(rest, "sh");
    let (expected, _) = block(rest, "text");
    let (run, built) = ("cargo run -q --release --bin latchbook --", support::latchbook());
    assert!(commands.contains(run));
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), started);
    let commands = commands.replace(run, built.to_str().unwrap());
    assert_eq!(play(folder.path(), &commands, Some(&server)), expected);
}

#[test]
fn the_readme_speaks_tls() {
    if Command::new("openssl").arg("version").output().is_err() {
        println!("skipped: no openssl command");
        return;
    }
    let (certificate, rest) = block(marked("tls"), "sh");
    let (started, rest) = block(rest, "sh");
    let (commands, rest) = block(rest, "sh");
    let (expected, _) = block(rest, "text");
    let folder = tempfile::tempdir().unwrap();
    play(folder.path(), certificate, None);
    let server = start(folder.path(), started);
    assert_eq!(play(folder.path(), commands, Some(&server)), expected);
}
