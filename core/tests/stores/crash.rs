//! A process that is killed while it commits loses nothing that it acknowledged. Shared by the stores in a file, which give `Store` and `FILE`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_executor::block_on;

use super::{FILE, Store};

mod kills;

use kills::{BlockOn, Process, Tally, cycles, moment, told, write_until_told};

/// Does nothing by itself: the test below runs it in a process of its own, which it kills.
#[test]
fn child() {
    let Some((path, first)) = told() else { return };
    let on_this_thread: BlockOn = Arc::new(block_on);
    write_until_told(Arc::new(Store::open(path).unwrap()), first, &on_this_thread);
}

#[test]
fn s1_a_kill_loses_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    drop(Store::open(&path).unwrap());
    let mut tally = Tally::default();
    for cycle in 0..cycles(20) {
        let mut child = Process::start("shared::child", path.as_os_str(), cycle);
        // Mostly not before its first commit; else while it starts, and repairs what the kill before left.
        if cycle % 5 != 4 {
            child.await_one(&mut tally);
        }
        std::thread::sleep(moment(cycle, Duration::from_millis(100)));
        child.kill(&mut tally);

        let opening = Instant::now();
        let store = Store::open(&path).unwrap();
        assert!(opening.elapsed() < Duration::from_secs(2), "opened in {:?}", opening.elapsed());
        block_on(tally.check(&store));
    }
    tally.finish();
}
