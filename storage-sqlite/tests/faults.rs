//! What goes wrong while a store is open, and that it recovers by itself.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod support;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use futures_executor::block_on;
use latchbook_core::key_store::conformance::samples;
use latchbook_core::key_store::{KeyStore, StoreError};
use latchbook_core::model::{
    Announcement, ChainId, ChangeSet, DeveloperRef, FeedPosition, Index, Position, Record, RecordKey, Row, Stored,
};
use latchbook_sqlite::SqliteStore;
use rusqlite::Connection;
use support::{beside, empty_set, filled, full_set};

fn unavailable<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> String {
    match answer {
        Err(error @ StoreError::Unavailable(_)) => error.to_string(),
        other => panic!("want unavailable, found {other:?}"),
    }
}

/// Tries until `store` works again, without anything that asks it to.
fn recovered(store: &SqliteStore, set: &ChangeSet) {
    for _ in 0..100 {
        if block_on(store.get(&[RecordKey::Settings])).is_ok() && block_on(store.commit(set.clone())).is_ok() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("the store did not recover");
}

#[test]
fn s5_a_store_that_is_locked_too_long_is_unavailable_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auth.db");
    filled(&path);
    let timeout = Duration::from_millis(200);
    let store = SqliteStore::builder(&path).timeout(timeout).open().unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    for number in 2..5 {
        let asked = Instant::now();
        unavailable(block_on(store.commit(empty_set(number))));
        assert!(asked.elapsed() < timeout * 3, "{:?}", asked.elapsed());
        // Who only reads is not in anybody's way.
        block_on(store.get(&[RecordKey::Settings])).unwrap();
    }
    other.execute_batch("ROLLBACK").unwrap();
    let asked = Instant::now();
    block_on(store.commit(empty_set(9))).unwrap();
    assert!(asked.elapsed() < timeout);
}

#[test]
fn s11_a_store_that_is_removed_while_open_is_unavailable() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auth.db");
    let store = SqliteStore::open(&path).unwrap();
    block_on(store.commit(empty_set(1))).unwrap();
    let elsewhere = folder.path().join("elsewhere.db");
    let files = ["", "-wal", "-shm"];
    for end in files {
        fs::rename(beside(&path, end), beside(&elsewhere, end)).unwrap();
    }
    unavailable(block_on(store.get(&[RecordKey::Settings])));
    unavailable(block_on(store.commit(empty_set(2))));
    unavailable(block_on(store.changes(FeedPosition(0), 1)));
    // Another store in its place is not trusted; the same one put back is.
    drop(SqliteStore::open(&path).unwrap());
    unavailable(block_on(store.commit(empty_set(3))));
    unavailable(block_on(store.get(&[RecordKey::Settings])));
    fs::remove_file(&path).unwrap();
    for end in files {
        // Whoever closed it last may have tidied these up.
        let _ = fs::rename(beside(&elsewhere, end), beside(&path, end));
    }
    recovered(&store, &empty_set(4));
    // What was committed before is there: its id is known.
    assert_eq!(block_on(store.commit(empty_set(1))).unwrap().id, empty_set(1).id);
}

#[test]
fn s11_a_log_that_is_removed_while_open_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auth.db");
    let store = SqliteStore::open(&path).unwrap();
    block_on(store.commit(empty_set(1))).unwrap();
    fs::remove_file(beside(&path, "-wal")).unwrap();
    assert!(unavailable(block_on(store.commit(empty_set(2)))).contains("write-ahead log"));
    recovered(&store, &empty_set(3));
}

#[test]
fn a_batch_with_a_damaged_row_fails_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auth.db");
    filled(&path);
    let hand = Connection::open(&path).unwrap();
    hand.execute_batch("UPDATE audit_chains SET events = 3 WHERE developer = 'ada'").unwrap();
    let store = SqliteStore::open(&path).unwrap();
    let (ada, eve) = (samples::developer_ref("ada").unwrap(), samples::developer_ref("eve").unwrap());
    let set = |number: u64, developer| {
        let mut set = empty_set(number);
        set.insert.push(Record::Entity(samples::entity(developer, &number.to_string(), samples::at(1)).unwrap()));
        set.audit.push(samples::event(&ChainId::Developer(developer.clone()), "made"));
        set
    };
    let answers = std::thread::scope(|scope| {
        let tasks: Vec<_> = (10..30)
            .map(|number| {
                let set = set(number, if number % 4 == 0 { &ada } else { &eve });
                let store = &store;
                scope.spawn(move || block_on(store.commit(set)))
            })
            .collect();
        tasks.into_iter().map(|task| task.join().unwrap()).collect::<Vec<_>>()
    });
    for (number, answer) in (10..30).zip(answers) {
        if number % 4 == 0 {
            assert!(matches!(answer, Err(StoreError::Corrupt(_))), "{answer:?}");
        } else {
            answer.unwrap();
        }
    }
    let count = |developer: &_| {
        let page = block_on(store.page(&Index::EntitiesOf(DeveloperRef::clone(developer)), None, 100)).unwrap();
        page.rows.len()
    };
    assert_eq!((count(&eve), count(&ada)), (15, 1));
}

#[test]
fn s7_a_row_that_was_changed_by_hand_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auth.db");
    let set = filled(&path);
    let store = SqliteStore::open(&path).unwrap();
    let hand = Connection::open(&path).unwrap();
    let corrupt = |answer: Result<Vec<Option<Stored>>, StoreError>| {
        let error = answer.expect_err("damaged");
        assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
    };
    let keys: Vec<_> = set.insert.iter().map(Record::key).collect();
    for change in [
        "UPDATE developers SET status = 'active' WHERE status = 'suspended'",
        "UPDATE api_keys SET revoked_at = NULL WHERE revoked_at IS NOT NULL",
        "UPDATE signing_keys SET state = 'active' WHERE state = 'retired'",
        "UPDATE settings SET master_check = zeroblob(32)",
    ] {
        hand.execute_batch("BEGIN").unwrap();
        assert!(hand.execute(change, []).unwrap() > 0, "{change}");
        hand.execute_batch("COMMIT").unwrap();
        corrupt(block_on(store.get(&keys)));
    }
    // A revocation that vanished.
    hand.execute_batch("DELETE FROM feed WHERE position = 3").unwrap();
    for (after, limit) in [(0, 100), (1, 100), (2, 100), (2, 1), (0, 3)] {
        let answer = block_on(store.changes(FeedPosition(after), limit));
        assert!(matches!(answer, Err(StoreError::Corrupt(_))), "after {after}: {answer:?}");
    }
    assert_eq!(block_on(store.changes(FeedPosition(3), 100)).unwrap().entries.len(), 3);
    hand.execute_batch("DELETE FROM feed WHERE position = 6").unwrap();
    assert!(matches!(block_on(store.changes(FeedPosition(3), 100)), Err(StoreError::Corrupt(_))));
}

/// Everything that a store gives, where it gives all of it.
fn everything(store: &SqliteStore) -> Result<Vec<Row>, StoreError> {
    let mut rows = Vec::new();
    let mut after: Option<Position> = None;
    loop {
        let page = block_on(store.scan(after.as_ref(), 50))?;
        rows.extend(page.rows);
        match page.next {
            Some(next) if after.as_ref() != Some(&next) && rows.len() < 1000 => after = Some(next),
            _ => return Ok(rows),
        }
    }
}

#[test]
fn s7_flipped_bits_give_an_error_or_the_right_data() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auth.db");
    let set = filled(&path);
    let whole = fs::read(&path).unwrap();
    let store = SqliteStore::open(&path).unwrap();
    let good: Vec<_> = everything(&store).unwrap().iter().map(|row| format!("{row:?}")).collect();
    let keys: Vec<_> = set.insert.iter().map(Record::key).collect();
    drop(store);
    // A walk over the file that visits every page, the same in each run.
    let (mut place, mut opened, mut errors) = (12_345_usize, 0, 0);
    for step in 0..400_usize {
        place = place.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut flipped = whole.clone();
        let length = flipped.len();
        flipped[(place >> 16) % length] ^= 1 << (step % 8);
        replace(&path, &flipped);
        let Ok(store) = SqliteStore::open(&path) else { continue };
        opened += 1;
        match block_on(store.get(&keys)) {
            Err(_) => errors += 1,
            // What is there is as it was written; a record that cannot be found lets nobody in.
            Ok(found) => {
                for (found, want) in found.into_iter().zip(&set.insert) {
                    assert!(found.is_none_or(|found| found.record == *want), "step {step}");
                }
            }
        }
        match everything(&store) {
            Err(_) => errors += 1,
            Ok(rows) => rows.iter().for_each(|row| assert!(good.contains(&format!("{row:?}")), "step {step}: {row:?}")),
        }
        // No revocation is lost without a word.
        if let Ok(feed) = block_on(store.changes(FeedPosition(0), 100)) {
            let said: Vec<Announcement> = feed.entries.into_iter().map(|entry| entry.announcement).collect();
            assert_eq!(said, samples::announcements().unwrap(), "step {step}");
        }
        // Writing on it may fail, and does not panic. Each waits for the disk, so not in each step.
        if step % 4 > 0 {
            continue;
        }
        let _ = block_on(store.commit(ChangeSet { insert: Vec::new(), ..full_set() }));
        let _ = block_on(store.prune(samples::at(50), 10));
    }
    println!("{opened} of 400 opened, {errors} errors on reading");
    assert!(opened > 150 && errors > 30, "{opened} opened, {errors} errors");
}

/// Puts `bytes` in the place of a store that nobody has open.
fn replace(path: &Path, bytes: &[u8]) {
    for end in ["-wal", "-shm"] {
        let _ = fs::remove_file(beside(path, end));
    }
    fs::write(path, bytes).unwrap();
}
