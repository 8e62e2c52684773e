//! PostgreSQL away for longer than the bound: refused meanwhile, nothing revoked is accepted, and all recover by themselves.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::postgres;
use crate::support::{Server, read_answer, request};
use crate::trio::{End, Trio, wait_until};

/// How old revocation knowledge may be here, in seconds.
const BOUND: u64 = 2;

/// What a process answered to a token.
struct Answer {
    at: usize,
    token: usize,
    asked: Instant,
    status: u16,
}

/// The tokens, in this order.
const LIVING: usize = 0;
const REVOKED_LONG_AGO: usize = 1;
const REVOKED_JUST_NOW: usize = 2;

#[test]
fn s10_r4_while_the_server_is_away_nothing_revoked_is_accepted_and_afterwards_all_recover_by_themselves() {
    let Some(mut database) = postgres::Server::own() else { return };
    let store = format!("postgres://tester@127.0.0.1:{}/postgres", database.port());
    let trio = Trio::start(&store, &["--max-staleness", &BOUND.to_string()]);
    let admin = trio.admin(0);
    let keys = [0, 1, 2].map(|at| trio.make(at, &admin).expect("a key"));
    let tokens = [0, 1, 2].map(|at| trio.token(at, &keys[at]));
    for at in 0..3 {
        tokens.iter().for_each(|token| assert_eq!(trio.ask(at, token), 200));
    }
    assert!(trio.revoke(1, &admin, &keys[REVOKED_LONG_AGO]));
    for at in 0..3 {
        wait_until("seen by all", || trio.ask(at, &tokens[REVOKED_LONG_AGO]) == 401);
    }

    let (answers, ended) = (Mutex::new(Vec::new()), AtomicBool::new(false));
    let revoked = std::thread::scope(|scope| {
        for at in 0..3 {
            let (trio, tokens, answers, ended) = (&trio, &tokens, &answers, &ended);
            scope.spawn(move || {
                while !ended.load(Ordering::SeqCst) {
                    for (token, text) in tokens.iter().enumerate() {
                        let asked = Instant::now();
                        let status = trio.ask(at, text);
                        answers.lock().unwrap().push(Answer { at, token, asked, status });
                    }
                    std::thread::sleep(Duration::from_millis(20));
                }
            });
        }
        let _end = End::of(&ended);
        assert!(trio.revoke(0, &admin, &keys[REVOKED_JUST_NOW]));
        let revoked = Instant::now();
        database.cluster().kill();
        for server in &trio.servers {
            wait_until("refused as unavailable", || {
                let (status, retry_after) = with_retry_after(server, &tokens[LIVING]);
                assert!(status != 503 || retry_after.is_some_and(|seconds| seconds > 0), "503 without Retry-After");
                status == 503
            });
        }
        std::thread::sleep(Duration::from_secs(BOUND));
        for at in 0..3 {
            assert_eq!(trio.ask(at, &tokens[LIVING]), 503);
            keys.iter().for_each(|key| assert_eq!(trio.exchange(at, key).0, 503));
        }
        database.cluster().run();
        for at in 0..3 {
            wait_until("recovered", || trio.ask(at, &tokens[LIVING]) == 200);
            wait_until("writing again", || trio.make(at, &admin).is_some());
            assert_eq!(trio.exchange(at, &keys[LIVING]).0, 200);
            for over in [REVOKED_LONG_AGO, REVOKED_JUST_NOW] {
                assert_eq!((trio.ask(at, &tokens[over]), trio.exchange(at, &keys[over]).0), (401, 401));
            }
            // Whoever went on asking comes by again.
            wait_until("refused to all", || {
                let answers = answers.lock().unwrap();
                answers.iter().any(|answer| (answer.at, answer.token, answer.status) == (at, REVOKED_JUST_NOW, 401))
            });
        }
        revoked
    });

    let answers = answers.into_inner().unwrap();
    let count = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    println!(
        "server away for more than {BOUND} s: {} accepted, {} refused, {} unavailable",
        count(200),
        count(401),
        count(503)
    );
    assert_eq!(count(200) + count(401) + count(503), answers.len());
    let mut refused = [false; 3];
    for answer in &answers {
        let accepted = answer.status == 200;
        match answer.token {
            LIVING => assert_ne!(answer.status, 401),
            REVOKED_LONG_AGO => assert!(!accepted),
            _ => {
                // Until the bound is over it may be accepted where it is not known yet, and never after it was known.
                let late = answer.asked > revoked + Duration::from_secs(BOUND);
                assert!(!accepted || !(late || refused[answer.at]), "accepted {:?} after", answer.asked - revoked);
                refused[answer.at] |= answer.status == 401;
            }
        }
    }
    assert_eq!(refused, [true; 3]);
}

/// The status, and the seconds of `Retry-After`.
fn with_retry_after(server: &Server, token: &str) -> (u16, Option<u64>) {
    let mut stream = TcpStream::connect(&server.address).unwrap();
    stream.write_all(request("GET", "/v1/live/ping", token, None).as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let field = answer.lines().find_map(|line| line.to_lowercase().strip_prefix("retry-after:")?.trim().parse().ok());
    (read_answer(&answer).expect("an answer").0, field)
}
