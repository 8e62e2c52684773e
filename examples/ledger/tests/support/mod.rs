//! The real program, started in a folder of its own, and calls to it.
#![allow(dead_code, unreachable_pub, reason = "every test crate takes what it needs")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

/// The reference programs. Every test crate names the one that it plays as its `PROGRAM`.
pub const LEDGER_AXUM: &str = env!("CARGO_BIN_EXE_ledger-axum");
pub const LEDGER_ACTIX: &str = env!("CARGO_BIN_EXE_ledger-actix");

/// The program, to be started in `folder` on a free port and without limits.
pub fn program(folder: &Path) -> Command {
    let mut command = program_on(folder, "127.0.0.1:0");
    command.args(["--limits", "off"]);
    command
}

/// The program, to be started in `folder` on the port `listen`, without what the tester's environment says.
pub fn program_on(folder: &Path, listen: &str) -> Command {
    let mut command = Command::new(crate::PROGRAM);
    command.current_dir(folder).args(["--listen", listen]);
    for variable in ["LATCHBOOK_MASTER_KEY", "LATCHBOOK_MASTER_KEY_FILE", "RUST_LOG"] {
        command.env_remove(variable);
    }
    command
}

/// `latchbook`, whose package is built with this one's in a test of the whole workspace, and here where it was not.
pub fn latchbook() -> PathBuf {
    let program = Path::new(crate::PROGRAM).with_file_name("latchbook");
    if !program.exists() {
        let target = program.ancestors().nth(2).unwrap();
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "-p", "latchbook-cli", "--target-dir"]).arg(target);
        assert!(build.current_dir(env!("CARGO_MANIFEST_DIR")).status().unwrap().success());
    }
    program
}

/// A program that listens; killed when this is dropped.
pub struct Server {
    child: Child,
    /// `http` or `https`.
    pub scheme: String,
    /// Address and port.
    pub address: String,
}

impl Server {
    pub fn start(folder: &Path) -> Self {
        Self::start_with(folder, &[])
    }

    /// Starts with more arguments; everything that the program logs is appended to the file `log`.
    pub fn start_with(folder: &Path, arguments: &[&str]) -> Self {
        let log = fs::OpenOptions::new().create(true).append(true).open(folder.join("log")).unwrap();
        let mut command = program(folder);
        command.env("RUST_LOG", "trace").args(arguments);
        Self::spawn(command.stderr(log)).unwrap_or_else(|(code, _)| {
            let log = fs::read_to_string(folder.join("log")).unwrap();
            panic!("it ended with {code:?}: {}", log.lines().last().unwrap_or_default())
        })
    }

    /// The program once it listens, or its exit code and what it wrote to standard error, where that is a pipe.
    pub fn spawn(command: &mut Command) -> Result<Self, (Option<i32>, String)> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        match line.strip_prefix("listening on ").and_then(|url| url.trim().split_once("://")) {
            Some((scheme, address)) => Ok(Self { child, scheme: scheme.to_owned(), address: address.to_owned() }),
            None => {
                let output = child.wait_with_output().unwrap();
                assert_eq!(line, "", "nothing but where it listens goes to standard output");
                Err((output.status.code(), String::from_utf8(output.stderr).unwrap()))
            }
        }
    }

    pub fn call(&self, method: &str, path: &str, token: &str, body: Option<&Value>) -> (u16, Value) {
        try_call(&self.address, method, path, token, body).expect("an answer")
    }

    /// Exchanges a key for a developer token.
    pub fn exchange(&self, developer: &str, key: &str) -> (u16, Value) {
        let body = json!({"developerId": developer, "apiKey": key});
        self.call("POST", "/v1/developers/auth/generate-token", "", Some(&body))
    }

    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    #[cfg(unix)]
    pub fn stop(mut self) {
        // An idle connection must not hold the program up.
        let _idle = TcpStream::connect(&self.address).unwrap();
        // The shell's own, since the program is not on every machine.
        let kill = format!("kill {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One call on a connection of its own; `None` if no whole answer came.
pub fn try_call(address: &str, method: &str, path: &str, token: &str, body: Option<&Value>) -> Option<(u16, Value)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.write_all(request(method, path, token, body).as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    read_answer(&answer)
}

/// A request's bytes.
pub fn request(method: &str, path: &str, token: &str, body: Option<&Value>) -> String {
    let body = body.map(Value::to_string).unwrap_or_default();
    let authorization = if token.is_empty() { String::new() } else { format!("Authorization: Bearer {token}\r\n") };
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: ledger\r\n{authorization}Content-Type: application/json\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

/// Status and JSON of an answer that is whole.
pub fn read_answer(answer: &str) -> Option<(u16, Value)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.get(9..12)?.parse().ok()?;
    Some((status, if body.is_empty() { Value::Null } else { serde_json::from_str(body).ok()? }))
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no string: {value}")).to_owned()
}

/// Every file below `folder` and what is in it; a folder has no content, and neither has what cannot be read.
pub fn listing(folder: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(listing(&path));
        }
        found.insert(path.clone(), fs::read(&path).ok());
    }
    found
}

/// Starts `command`, which must fail with one line that holds every one of `says`.
pub fn fails(command: &mut Command, says: &[&str]) {
    let (code, stderr) = match Server::spawn(command.stderr(Stdio::piped())) {
        Err(ended) => ended,
        Ok(server) => panic!("it listens on {}: {says:?}", server.address),
    };
    assert_eq!(code, Some(1), "{stderr}");
    assert_one_line(&stderr);
    for part in says {
        assert!(stderr.contains(part), "`{part}` is not in: {stderr}");
    }
}

/// What people read is one line, and is no Rust.
pub fn assert_one_line(stderr: &str) {
    let name = Path::new(crate::PROGRAM).file_stem().and_then(|name| name.to_str()).unwrap();
    assert!(
        stderr.starts_with(&format!("{name}: ")) && stderr.ends_with('\n') && stderr.lines().count() == 1,
        "{stderr}"
    );
    assert!(!stderr.contains("panicked") && !stderr.contains("Error") && !stderr.contains("Some("), "{stderr}");
}

/// The same, and `folder` is as it was before.
pub fn refused_in(folder: &Path, arguments: &[&str], variables: &[(&str, &str)], says: &[&str]) {
    let before = listing(folder);
    fails(program(folder).args(arguments).envs(variables.iter().copied()), says);
    let after = listing(folder);
    assert!(before == after, "{says:?}: {:?} became {:?}", before.keys(), after.keys());
}

/// The same where a store is opened before the start fails: redb marks the files that it opens, so names are compared.
pub fn refused_store(folder: &Path, arguments: &[&str], variables: &[(&str, &str)], says: &[&str]) {
    let names = || listing(folder).into_keys().collect::<Vec<_>>();
    let before = names();
    fails(program(folder).args(arguments).envs(variables.iter().copied()), says);
    assert_eq!(names(), before);
}

/// A folder with a store that was stopped cleanly.
pub fn set_up() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::spawn(program(folder.path()).stderr(Stdio::null())).unwrap();
    #[cfg(unix)]
    server.stop();
    #[cfg(not(unix))]
    server.kill();
    folder
}
