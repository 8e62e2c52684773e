//! The real command, run in a folder of its own, and what it answers.
#![allow(dead_code, unreachable_pub, reason = "every test crate takes what it needs")]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

/// The issuer that stores are set up with here.
pub const ISSUER: &str = "http://127.0.0.1:8080";

/// A folder and a store, and the command beside them.
pub struct Bench {
    pub folder: tempfile::TempDir,
    pub store: String,
    password: Option<String>,
}

impl Bench {
    /// A folder in which `store`, a URL with a path in the folder, is not there yet.
    pub fn new(store: &str) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), store: store.to_owned(), password: None }
    }

    /// The same, with the store's password.
    pub fn with_password(store: &str, password: &str) -> Self {
        Self::new(store).with(password)
    }

    /// The same, which knows PostgreSQL's password from now on.
    pub fn with(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self
    }

    /// A store that is set up and holds the developer `acme`.
    pub fn set_up(self) -> Self {
        self.run(&["--issuer", ISSUER, "developer", "create", "acme"]).done();
        self
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn run(&self, arguments: &[&str]) -> Answer {
        self.run_with(arguments, &[], "")
    }

    /// The same with `--json`.
    pub fn json(&self, arguments: &[&str]) -> Answer {
        self.run(&[arguments, &["--json"]].concat())
    }

    /// Runs the command with more variables, and `stdin` as its standard input.
    pub fn run_with(&self, arguments: &[&str], variables: &[(&str, &str)], stdin: &str) -> Answer {
        let mut command = command(self.path());
        command.env("LATCHBOOK_STORE", &self.store).args(arguments);
        if let Some(password) = &self.password {
            command.env("PGPASSWORD", password);
        }
        run(command.envs(variables.iter().copied()), stdin)
    }
}

/// The command in `folder`, without what the tester's environment says.
pub fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_latchbook"));
    command.current_dir(folder);
    let ours =
        ["LATCHBOOK_MASTER_KEY", "LATCHBOOK_MASTER_KEY_FILE", "LATCHBOOK_STORE", "LATCHBOOK_SCOPES", "PGPASSWORD"];
    ours.iter().for_each(|variable| _ = command.env_remove(variable));
    command
}

pub fn run(command: &mut Command, stdin: &str) -> Answer {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command");
    // It may have ended without reading it.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let output = child.wait_with_output().unwrap();
    Answer {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// What a command answered.
#[derive(Debug)]
pub struct Answer {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Answer {
    /// Its standard output; it succeeded.
    #[track_caller]
    pub fn done(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.stdout
    }

    /// Its lines of JSON.
    #[track_caller]
    pub fn values(self) -> Vec<Value> {
        self.done().lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }

    /// Its one JSON value.
    #[track_caller]
    pub fn value(self) -> Value {
        let mut values = self.values();
        assert_eq!(values.len(), 1, "{values:?}");
        values.remove(0)
    }

    /// It failed with `code`, and with one line on standard error that holds every one of `says`.
    #[track_caller]
    pub fn fails(self, code: i32, says: &[&str]) {
        assert_eq!((self.code, self.stderr.lines().count()), (Some(code), 1), "{self:?}");
        assert!(self.stderr.starts_with("latchbook: ") && self.stderr.ends_with('\n'), "{self:?}");
        assert_eq!(self.stdout, "", "{self:?}");
        for text in ["panicked", "Error", "Some("] {
            assert!(!self.stderr.contains(text), "{self:?}");
        }
        for part in says {
            assert!(self.stderr.contains(part), "`{part}` is not in: {}", self.stderr);
        }
    }
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no string: {value}")).to_owned()
}

/// The names of a JSON object's members, in order.
pub fn members(value: &Value) -> Vec<&str> {
    value.as_object().unwrap_or_else(|| panic!("no object: {value}")).keys().map(String::as_str).collect()
}
