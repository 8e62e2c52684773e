//! The README's session, played with the real command.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use std::path::Path;
use std::process::Command;

const README: &str = include_str!("../README.md");

/// The contents of the first fenced block of `language` in `text`, and what comes after it.
fn block<'a>(text: &'a str, language: &str) -> (&'a str, &'a str) {
    let (_, rest) = text.split_once(&format!("```{language}\n")).expect("a fenced block");
    rest.split_once("```").expect("its end")
}

#[test]
fn the_readme_session_prints_what_the_readme_says() {
    let (_, rest) = README.split_once("<!-- session:").expect("the mark");
    let (commands, rest) = block(rest, "sh");
    let (expected, _) = block(rest, "text");
    let folder = tempfile::tempdir().unwrap();
    let programs = Path::new(env!("CARGO_BIN_EXE_latchbook")).parent().unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("bash");
    shell.args(["-euo", "pipefail", "-c", commands]).current_dir(folder.path()).env("PATH", path);
    for variable in ["LATCHBOOK_MASTER_KEY", "LATCHBOOK_MASTER_KEY_FILE"] {
        shell.env_remove(variable);
    }
    let played = support::run(&mut shell, "");
    assert_eq!(played.code, Some(0), "{played:?}");
    assert_eq!(played.stdout, expected);
}
