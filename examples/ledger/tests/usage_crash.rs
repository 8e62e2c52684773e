//! A process that is killed loses at most the last second of what it counted, and counts nothing twice.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;
use support::{Server, text, try_call};

const PROGRAM: &str = support::LEDGER_AXUM;

/// The stated bound is one second; the rest is for machines that are busy with other tests.
const BOUND: Duration = Duration::from_secs(4);
const WORKERS: usize = 3;

#[test]
fn s1_a_kill_loses_at_most_the_last_counts_on_redb() {
    use_it_and_kill("redb:data/auth.redb");
}

#[test]
fn s1_a_kill_loses_at_most_the_last_counts_on_sqlite() {
    use_it_and_kill("sqlite:data/auth.db");
}

/// Uses a key until the process is killed, twice, and reads what was counted each time.
fn use_it_and_kill(store: &str) {
    let folder = tempfile::tempdir().unwrap();
    let start = || Server::start_with(folder.path(), &["--store", store]);
    let mut server = start();
    let order = json!({"name": "Platypus Trading", "developer_id": "platypus"});
    let (status, answer) = server.call("POST", "/v1/sandbox", "", Some(&order));
    assert_eq!(status, 201, "{answer}");
    let key = text(&answer["data"]["developer"]["apiKey"]);
    let (status, issued) = server.exchange("platypus", &key);
    assert_eq!(status, 200, "{issued}");
    let user = User { key: key_id(&key), token: text(&issued["access_token"]), ..User::default() };
    let mut stored = 0;
    for cycle in 1..=2 {
        let address = server.address.clone();
        let earlier = user.answered.load(Ordering::SeqCst);
        let in_time = std::thread::scope(|scope| {
            for _ in 0..WORKERS {
                scope.spawn(|| while user.call(&address) {});
            }
            let answered = || user.answered.load(Ordering::SeqCst);
            let wanted = answered() + 200;
            while answered() < wanted {
                std::thread::sleep(Duration::from_millis(5));
            }
            // So many were counted longer before the end than the bound; and they go on until then.
            let in_time = answered();
            std::thread::sleep(BOUND);
            server.kill();
            in_time
        });
        let answered = user.answered.load(Ordering::SeqCst);
        assert!(answered > in_time, "in use up to its end: {in_time}, then {answered}");

        server = start();
        let (requests, exchanges) = user.counted(&server);
        let (least, most) = (stored + in_time - earlier, user.sent.load(Ordering::SeqCst));
        assert!(requests >= least, "cycle {cycle}: {least} were counted in time, and {requests} are stored");
        assert!(requests <= most, "cycle {cycle}: {most} were sent, and {requests} are stored");
        assert_eq!(exchanges, 1, "cycle {cycle}: one exchange, long before the end");
        println!("{store}, cycle {cycle}: {least} in time, {answered} answered, {most} sent, {requests} stored");
        stored = requests;
    }
    // A clean stop writes everything that it counted: after it, only what the kills lost is missing.
    let before = user.counted(&server).0;
    (0..100).for_each(|_| assert!(user.call(&server.address)));
    server.stop();
    let server = start();
    let after = user.counted(&server).0;
    assert!(after >= before + 100, "{before}, then {after}");
    assert!(after <= user.sent.load(Ordering::SeqCst));
    server.kill();
}

/// Somebody who calls, and how often.
#[derive(Default)]
struct User {
    key: String,
    token: String,
    sent: AtomicU64,
    answered: AtomicU64,
}

impl User {
    /// One guarded request; whether it was answered.
    fn call(&self, address: &str) -> bool {
        self.sent.fetch_add(1, Ordering::SeqCst);
        match try_call(address, "GET", "/v1/auth/whoami", &self.token, None) {
            Some((status, answer)) => {
                assert_eq!(status, 200, "{answer}");
                self.answered.fetch_add(1, Ordering::SeqCst);
                true
            }
            None => false,
        }
    }

    /// The requests and exchanges that are stored. Reading them is a request too.
    fn counted(&self, server: &Server) -> (u64, u64) {
        self.sent.fetch_add(1, Ordering::SeqCst);
        let (status, answer) = server.call("GET", "/v1/developers/usage", &self.token, None);
        assert_eq!(status, 200, "{answer}");
        let (mut requests, mut exchanges) = (0, 0);
        for row in answer["usage"].as_array().unwrap() {
            assert_eq!(row["keyId"], self.key.as_str());
            requests += row["requests"].as_u64().unwrap();
            exchanges += row["exchanges"].as_u64().unwrap();
        }
        (requests, exchanges)
    }
}

/// The id in a key's text.
fn key_id(key: &str) -> String {
    key.split('_').nth(2).unwrap().to_owned()
}
