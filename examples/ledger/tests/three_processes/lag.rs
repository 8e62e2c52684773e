//! How soon a revocation in one process is seen by the others, at the default bound.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::postgres;
use crate::trio::Trio;

/// The default of `--max-staleness`.
const BOUND: Duration = Duration::from_secs(5);
/// Revocations at once.
const LANES: usize = 4;

#[test]
fn r4_a_revocation_in_one_process_is_seen_by_all_within_the_bound() {
    let Some(database) = postgres::Server::own() else { return };
    let trio = Trio::start(&format!("postgres://tester@127.0.0.1:{}/postgres", database.port()), &[]);
    let count = std::env::var("LATCHBOOK_REVOCATIONS").map_or(8, |text| text.parse().expect("a number"));
    let next = AtomicUsize::new(0);
    let lags = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    if number >= count {
                        return;
                    }
                    let lag = revoke_one(&trio, number);
                    lags.lock().unwrap().push(lag);
                }
            });
        }
    });
    let mut lags = lags.into_inner().unwrap();
    assert_eq!(lags.len(), count);
    lags.sort_unstable();
    let of = |percent: usize| lags[(lags.len() * percent).div_ceil(100) - 1].as_millis();
    println!(
        "revocations seen by all: {count}, p50 {} ms, p99 {} ms, most {} ms",
        of(50),
        of(99),
        lags[count - 1].as_millis()
    );
}

/// From the answer to the revocation until the last process has begun to refuse.
fn revoke_one(trio: &Trio, number: usize) -> Duration {
    let admin = trio.admin(0);
    let key = trio.make(0, &admin).expect("a key");
    let token = trio.token(1, &key);
    for at in 0..3 {
        assert_eq!(trio.ask(at, &token), 200);
    }
    // The one before ended with a reading of the feed. Not always as long before the next one.
    std::thread::sleep(Duration::from_millis(u64::try_from(number).unwrap() * 617 % 1000));
    assert!(trio.revoke(0, &admin, &key));
    let revoked = Instant::now();
    assert_eq!(trio.ask(0, &token), 401, "whoever revokes sees it at once");
    let mut waiting = vec![1, 2];
    let mut lag = Duration::ZERO;
    while !waiting.is_empty() {
        waiting.retain(|at| {
            let asked = revoked.elapsed();
            let status = trio.ask(*at, &token);
            // This is no hope about speed: whoever cannot know must refuse.
            assert!(status != 200 || asked <= BOUND, "accepted {asked:?} after its revocation");
            assert!([200, 401, 503].contains(&status), "{status}");
            lag = lag.max(revoked.elapsed());
            status != 401
        });
        std::thread::sleep(Duration::from_millis(5));
    }
    for at in 0..3 {
        assert_eq!(trio.ask(at, &token), 401, "it stays revoked");
        assert_eq!(trio.exchange(at, &key).0, 401);
    }
    lag
}
