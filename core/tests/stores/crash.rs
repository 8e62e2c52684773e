//! A process that is killed while it commits loses nothing that it acknowledged. Shared by the stores in a file, which give `Store` and `FILE`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_executor::block_on;
use latchbook_core::key_store::conformance::samples;
use latchbook_core::key_store::{KeyStore as _, KeyStoreExt as _};
use latchbook_core::model::{
    ChainId, ChangeId, ChangeSet, FIRST_LINK, FeedPosition, Index, Record, RecordKey, UnixTime,
};

use super::{FILE, Store};

const CHILD: &str = "LATCHBOOK_CRASH_TEST_STORE";
const WRITERS: u64 = 4;

/// Does nothing by itself: the test below runs it in a process of its own, which it kills.
#[test]
fn child() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let store = Arc::new(Store::open(path).unwrap());
    let start = block_on(store.changes(FeedPosition(0), 1)).unwrap().head.0 + 1;
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let store = Arc::clone(&store);
            std::thread::spawn(move || {
                for round in 0.. {
                    let number = (start + round) * WRITERS + writer;
                    block_on(store.commit(change(number))).unwrap();
                    let mut out = std::io::stdout().lock();
                    writeln!(out, "done {number}").unwrap();
                    out.flush().unwrap();
                }
            })
        })
        .collect();
    writers.into_iter().for_each(|writer| writer.join().unwrap());
}

fn change(number: u64) -> ChangeSet {
    let ada = samples::developer_ref("ada").unwrap();
    let key = samples::key_id(number).unwrap();
    let mut set = ChangeSet::new(ChangeId::from_bytes(u128::from(number).to_be_bytes()), UnixTime::from_seconds(1));
    set.insert.push(Record::ApiKey(samples::key(&ada, key, samples::at(1))));
    set.insert.push(Record::Entity(samples::entity(&ada, &number.to_string(), samples::at(1)).unwrap()));
    set.audit.push(samples::event(&ChainId::Developer(ada), &number.to_string()));
    set.feed.push((samples::announcements().unwrap().remove(0), samples::at(9)));
    set
}

#[test]
fn s1_a_kill_loses_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    drop(Store::open(&path).unwrap());
    let mut acknowledged = Vec::new();
    for cycle in 0..20_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "shared::child", "--nocapture"])
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        // Not before its first commit, then at a moment of its own in each cycle.
        let first = lines.by_ref().find(|line| line.contains("done ")).expect("a first commit");
        std::thread::sleep(Duration::from_micros(cycle * 2_713 % 31_000));
        child.kill().unwrap();
        child.wait().unwrap();
        let said: Vec<_> = std::iter::once(first).chain(lines).collect();
        // A line that the kill cut short has no end and acknowledges nothing that can be told.
        acknowledged.extend(said.iter().filter_map(|line| line.rsplit_once("done ")?.1.parse::<u64>().ok()));

        let opening = Instant::now();
        let store = Store::open(&path).unwrap();
        assert!(opening.elapsed() < Duration::from_secs(2), "opened in {:?}", opening.elapsed());
        check(&store, &acknowledged);
    }
    assert!(acknowledged.len() >= 20, "{} commits", acknowledged.len());
}

/// Everything that was acknowledged is there, and whatever is there is whole.
fn check(store: &Store, acknowledged: &[u64]) {
    let ada = samples::developer_ref("ada").unwrap();
    let keys: Vec<_> =
        acknowledged.iter().map(|number| RecordKey::ApiKey(ada.clone(), samples::key_id(*number).unwrap())).collect();
    let found = block_on(store.get(&keys)).unwrap();
    assert_eq!(found.iter().filter(|stored| stored.is_none()).count(), 0, "an acknowledged key is missing");
    let length = |index: &Index| block_on(store.all(index)).unwrap().len();
    let count = length(&Index::KeysOf(ada.clone()));
    assert_eq!(length(&Index::EntitiesOf(ada.clone())), count);
    let feed = block_on(store.changes(FeedPosition(0), usize::MAX)).unwrap();
    assert_eq!((feed.entries.len(), feed.head), (count, FeedPosition(count as u64)));
    let (mut events, _) = block_on(store.audit(&ChainId::Developer(ada), None, count + 1)).unwrap();
    events.reverse();
    assert_eq!(events.len(), count);
    let mut previous = FIRST_LINK;
    for (number, event) in (1..).zip(&events) {
        assert!(event.number == number && samples::audit_key().verifies(event, &previous), "event {number}");
        previous = event.link;
    }
}
