//! The README's session with curl, played against the real program.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

const README: &str = include_str!("../../../README.md");

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The contents of the first fenced block of `language` in `text`, and what comes after it.
fn block<'a>(text: &'a str, language: &str) -> (&'a str, &'a str) {
    let (_, rest) = text.split_once(&format!("```{language}\n")).expect("a fenced block");
    rest.split_once("```").expect("its end")
}

#[test]
fn the_readme_session_prints_what_the_readme_says() {
    let (_, rest) = README.split_once("<!-- session:").expect("the session's mark");
    let (commands, rest) = block(rest, "sh");
    let (expected, _) = block(rest, "text");

    let folder = tempfile::tempdir().unwrap();
    let mut server = Running(
        Command::new(env!("CARGO_BIN_EXE_ledger-axum"))
            .args(["--listen", "127.0.0.1:0"])
            .current_dir(folder.path())
            .env_remove("LATCHBOOK_MASTER_KEY")
            .env_remove("LATCHBOOK_MASTER_KEY_FILE")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let mut line = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim().strip_prefix("listening on ").expect("the line that says where");

    let commands = commands.replacen("http://127.0.0.1:8080", url, 1);
    let played = Command::new("bash")
        .args(["-euc", &commands])
        .current_dir(folder.path())
        .env("NO_PROXY", "*")
        .output()
        .expect("bash, curl and python3");
    assert_eq!(String::from_utf8_lossy(&played.stderr), "");
    assert_eq!(String::from_utf8_lossy(&played.stdout), expected);
}
