//! The primary dies and its standby takes its place: the processes go on, and nothing acknowledged is lost.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::postgres;
use crate::trio::{End, Made, Trio, wait_until};

/// How old revocation knowledge may be here, in seconds.
const BOUND: u64 = 1;

/// What one writer was told.
#[derive(Default)]
struct Told {
    living: Vec<Made>,
    /// With a token that was made before.
    revoked: Vec<(Made, String)>,
}

#[test]
fn s10_when_the_standby_is_promoted_the_processes_go_on_and_nothing_acknowledged_is_lost() {
    let Some(mut primary) = postgres::Server::own() else { return };
    let mut standby = primary.standby();
    follow(&primary);
    let store = format!(
        "postgres://tester@127.0.0.1:{},127.0.0.1:{}/postgres?target_session_attrs=read-write",
        primary.port(),
        standby.port()
    );
    let trio = Trio::start(&store, &["--max-staleness", &BOUND.to_string()]);
    let admin = trio.admin(0);
    let counts = [const { AtomicUsize::new(0) }; 3];
    let ended = AtomicBool::new(false);
    let (told, before) = std::thread::scope(|scope| {
        let writers = [0, 1, 2].map(|at| {
            let (trio, admin, count, ended) = (&trio, &admin, &counts[at], &ended);
            scope.spawn(move || write(trio, at, admin, count, ended))
        });
        let _end = End::of(&ended);
        let all_at = |least: [usize; 3]| (0..3).all(|at| counts[at].load(Ordering::SeqCst) >= least[at]);
        wait_until("written before", || all_at([10; 3]));
        primary.cluster().kill();
        let before: [usize; 3] = std::array::from_fn(|at| counts[at].load(Ordering::SeqCst));
        standby.cluster().promote();
        // An acknowledgement may have been under way at the kill, so more than that one.
        wait_until("written after", || all_at(before.map(|count| count + 6)));
        ended.store(true, Ordering::SeqCst);
        (writers.map(|writer| writer.join().unwrap()), before.iter().sum::<usize>())
    });

    // Tokens end within the bound.
    std::thread::sleep(Duration::from_secs(BOUND));
    let (mut living, mut revoked, mut lost, mut resurrected) = (0, 0, 0, 0);
    for at in 0..3 {
        // Each process is asked about what another was told.
        let told = &told[(at + 1) % 3];
        living += told.living.len();
        revoked += told.revoked.len();
        lost += told.living.iter().filter(|key| trio.exchange(at, key).0 != 200).count();
        for (key, token) in &told.revoked {
            let answers = [trio.exchange(at, key).0, trio.ask(at, token), trio.ask((at + 2) % 3, token)];
            resurrected += usize::from(answers != [401; 3]);
        }
    }
    let acknowledged: usize = counts.iter().map(|count| count.load(Ordering::SeqCst)).sum();
    println!(
        "standby promoted after {before} of {acknowledged} acknowledgements: {living} keys live, {lost} lost; \
         {revoked} keys revoked, {resurrected} resurrected"
    );
    assert_eq!((lost, resurrected), (0, 0));
    assert!(living > 0 && revoked > 0);
    drop(standby);
}

/// Makes keys, and revokes every second one again, until the end.
fn write(trio: &Trio, at: usize, admin: &str, count: &AtomicUsize, ended: &AtomicBool) -> Told {
    let mut told = Told::default();
    for number in 0.. {
        if ended.load(Ordering::SeqCst) {
            break;
        }
        let Some(key) = trio.make(at, admin) else {
            // Whether there is such a key nobody knows, and nobody has its text.
            std::thread::sleep(Duration::from_millis(50));
            continue;
        };
        count.fetch_add(1, Ordering::SeqCst);
        let token = match trio.exchange(at, &key) {
            (200, issued) if number % 2 == 0 => crate::support::text(&issued["access_token"]),
            (200 | 503, _) => {
                told.living.push(key);
                continue;
            }
            other => panic!("a key that was acknowledged is refused: {other:?}"),
        };
        // After 503 it is not known, and asking again settles it.
        let mut known = trio.revoke(at, admin, &key);
        while !known && !ended.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(50));
            known = trio.revoke(at, admin, &key);
        }
        if known {
            count.fetch_add(1, Ordering::SeqCst);
            told.revoked.push((key, token));
        }
    }
    told
}

/// From here on the primary acknowledges nothing that the standby does not have.
fn follow(primary: &postgres::Server) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = primary.client().await;
        client.batch_execute("ALTER SYSTEM SET synchronous_standby_names = '*'").await.unwrap();
        client.batch_execute("SELECT pg_reload_conf()").await.unwrap();
        let following = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        while client.query_one(following, &[]).await.unwrap().get::<_, i64>(0) != 1 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
}
