//! Three processes that share a database and a master key, and what a developer does with them.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::postgres;
use crate::support::{Server, program, text, try_call};

/// How long a recovery may take on a machine that is slow.
const PATIENCE: Duration = Duration::from_secs(120);

/// The processes, and a first developer.
pub struct Trio {
    pub servers: [Server; 3],
    developer: String,
    key: String,
    _folder: tempfile::TempDir,
}

/// A key, as its maker was told.
pub struct Made {
    pub id: String,
    pub text: String,
}

impl Trio {
    pub fn start(store: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let servers = ["first", "second", "third"].map(|name| {
            let own = folder.path().join(name);
            fs::create_dir(&own).unwrap();
            start(folder.path(), program(&own).args(["--store", store]).args(arguments))
        });
        let first: Value = serde_json::from_slice(&fs::read(folder.path().join("first.json")).unwrap()).unwrap();
        let (developer, key) = (text(&first["developer"]), text(&first["apiKey"]));
        Self { servers, developer, key, _folder: folder }
    }

    /// A token that may do everything.
    pub fn admin(&self, at: usize) -> String {
        let (status, issued) = self.servers[at].exchange(&self.developer, &self.key);
        assert_eq!(status, 200, "{issued}");
        text(&issued["access_token"])
    }

    /// A new key, where its making was acknowledged.
    pub fn make(&self, at: usize, admin: &str) -> Option<Made> {
        let order = json!({"name": "one of many", "scopes": ["ledger:read"]});
        match try_call(&self.servers[at].address, "POST", "/v1/developers/keys", admin, Some(&order))? {
            (201, made) => {
                let key = text(&made["apiKey"]);
                Some(Made { id: key.split('_').nth(2).unwrap().to_owned(), text: key })
            }
            (503, _) => None,
            other => panic!("{other:?}"),
        }
    }

    /// Revokes a key; whether that was acknowledged.
    pub fn revoke(&self, at: usize, admin: &str, key: &Made) -> bool {
        let path = format!("/v1/developers/keys/{}", key.id);
        match try_call(&self.servers[at].address, "DELETE", &path, admin, None) {
            Some((204, _)) => true,
            None | Some((503, _)) => false,
            other => panic!("{other:?}"),
        }
    }

    pub fn exchange(&self, at: usize, key: &Made) -> (u16, Value) {
        self.servers[at].exchange(&self.developer, &key.text)
    }

    pub fn token(&self, at: usize, key: &Made) -> String {
        let (status, issued) = self.exchange(at, key);
        assert_eq!(status, 200, "{issued}");
        text(&issued["access_token"])
    }

    /// What a guarded route answers.
    pub fn ask(&self, at: usize, token: &str) -> u16 {
        self.servers[at].call("GET", "/v1/live/ping", token, None).0
    }
}

/// Ends the threads of a test when it is dropped, also where the test fails.
pub struct End<'a>(&'a AtomicBool);

impl<'a> End<'a> {
    pub fn of(ended: &'a AtomicBool) -> Self {
        Self(ended)
    }
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Waits until `true`.
pub fn wait_until(what: &str, mut is: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < PATIENCE, "still not: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn start(folder: &Path, command: &mut std::process::Command) -> Server {
    let log = fs::OpenOptions::new().create(true).append(true).open(folder.join("log")).unwrap();
    command.arg("--bootstrap").arg(folder.join("first.json"));
    command.env("LATCHBOOK_MASTER_KEY", "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U=");
    command.env("PGPASSWORD", postgres::PASSWORD.replace("%20", " "));
    Server::spawn(command.stderr(log)).unwrap_or_else(|(code, _)| {
        let log = fs::read_to_string(folder.join("log")).unwrap();
        panic!("it ended with {code:?}: {}", log.lines().last().unwrap_or_default())
    })
}
