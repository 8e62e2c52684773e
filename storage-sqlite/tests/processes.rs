//! Several processes on one file.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods, reason = "tests")]

mod support;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use futures_executor::block_on;
use latchbook_core::key_store::conformance::samples;
use latchbook_core::key_store::{KeyStore as _, KeyStoreExt as _, Sharing};
use latchbook_core::model::{
    ChainId, ChangeId, ChangeSet, FIRST_LINK, FeedPosition, Index, Record, RecordKey, UnixTime,
};
use latchbook_sqlite::SqliteStore;

const CHILD: &str = "LATCHBOOK_PROCESS_TEST_STORE";

/// Does nothing by itself: the tests below run it in processes of their own, and tell it what to do line by line.
#[test]
fn child() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let store = SqliteStore::open(path).unwrap();
    println!("\nready");
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let (what, number) = line.split_once(' ').unwrap();
        let number: u64 = number.parse().unwrap();
        match what {
            "revoke" => drop(block_on(store.commit(revocation(number))).unwrap()),
            "commit" => (0..50).for_each(|round| drop(block_on(store.commit(change(number, round))).unwrap())),
            _ => panic!("{line}"),
        }
        println!("done");
    }
}

struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Process {
    fn start(path: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture"])
            .env(CHILD, path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut process = Self { child, input, output };
        process.hears("ready");
        process
    }

    fn says(&mut self, line: &str) {
        writeln!(self.input, "{line}").unwrap();
    }

    fn hears(&mut self, line: &str) {
        let lines = self.output.by_ref().lines();
        assert!(lines.map_while(Result::ok).any(|heard| heard == line), "the process has ended");
    }

    fn ends(self) {
        let Self { mut child, input, output: _ } = self;
        drop(input);
        assert!(child.wait().unwrap().success());
    }
}

fn set(process: u64, round: u64) -> ChangeSet {
    let id = u128::from(process) << 64 | u128::from(round);
    ChangeSet::new(ChangeId::from_bytes(id.to_be_bytes()), UnixTime::from_seconds(1))
}

/// A key, its audit event in a chain that all processes share, and an announcement.
fn change(process: u64, round: u64) -> ChangeSet {
    let ada = samples::developer_ref("ada").unwrap();
    let mut set = set(process, round);
    let key = samples::key_id(process * 1000 + round).unwrap();
    set.insert.push(Record::ApiKey(samples::key(&ada, key, samples::at(1))));
    set.audit.push(samples::event(&ChainId::Developer(ada), &round.to_string()));
    set.feed.push((samples::announcements().unwrap().remove(0), samples::at(9)));
    set
}

fn revocation(number: u64) -> ChangeSet {
    let ada = samples::developer_ref("ada").unwrap();
    let key = samples::key_id(number).unwrap();
    let mut set = set(99, number);
    let mut record = samples::key(&ada, key, samples::at(1));
    record.revoked_at = Some(samples::at(2));
    set.update.push(Record::ApiKey(record));
    set.feed.push((samples::announcements().unwrap().remove(1), samples::at(9)));
    set
}

#[test]
fn r4_what_one_process_revokes_the_other_sees_at_its_next_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auth.db");
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(store.sharing(), Sharing::Shared);
    let ada = samples::developer_ref("ada").unwrap();
    let mut other = Process::start(&path);
    for number in 0..20 {
        let key = samples::key_id(number).unwrap();
        let mut made = set(1, number);
        made.insert.push(Record::ApiKey(samples::key(&ada, key, samples::at(1))));
        block_on(store.commit(made)).unwrap();
        other.says(&format!("revoke {number}"));
        other.hears("done");
        let (found, _) = block_on(store.key(&ada, key)).unwrap().unwrap();
        assert_eq!(found.revoked_at, Some(samples::at(2)));
        let feed = block_on(store.changes(FeedPosition(number), 10)).unwrap();
        assert_eq!((feed.entries.len(), feed.head), (1, FeedPosition(number + 1)));
    }
    other.ends();
}

#[test]
fn s9_processes_that_write_at_once_lose_nothing_and_make_one_chain() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auth.db");
    let mut processes: Vec<_> = (0..3).map(|_| Process::start(&path)).collect();
    for (number, process) in processes.iter_mut().enumerate() {
        process.says(&format!("commit {number}"));
    }
    processes.iter_mut().for_each(|process| process.hears("done"));
    // One goes, the others' log stays.
    processes.pop().unwrap().ends();
    let store = SqliteStore::open(&path).unwrap();
    let ada = samples::developer_ref("ada").unwrap();
    assert_eq!(block_on(store.all(&Index::KeysOf(ada.clone()))).unwrap().len(), 150);
    let feed = block_on(store.changes(FeedPosition(0), 1000)).unwrap();
    assert_eq!((feed.entries.len(), feed.head), (150, FeedPosition(150)));
    let (mut events, _) = block_on(store.audit(&ChainId::Developer(ada), None, 1000)).unwrap();
    events.reverse();
    let mut previous = FIRST_LINK;
    for (number, event) in (1..).zip(&events) {
        assert!(event.number == number && samples::audit_key().verifies(event, &previous), "event {number}");
        previous = event.link;
    }
    assert_eq!(events.len(), 150);
    processes.into_iter().for_each(Process::ends);
    assert!(block_on(store.get_one(RecordKey::Settings)).unwrap().is_none());
}

#[test]
fn s9_processes_that_make_the_store_at_once_share_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/auth.db");
    let processes: Vec<_> = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..4).map(|_| scope.spawn(|| Process::start(&path))).collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    for (number, mut process) in processes.into_iter().enumerate() {
        process.says(&format!("commit {number}"));
        process.hears("done");
        process.ends();
    }
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(block_on(store.changes(FeedPosition(0), 1)).unwrap().head, FeedPosition(200));
}
