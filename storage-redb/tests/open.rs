//! Opening: what is made, what is kept, and what is refused in which words.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::fs;
use std::path::Path;

use futures_executor::block_on;
use latchbook_core::key_store::conformance::samples;
use latchbook_core::key_store::{KeyStore as _, StoreError};
use latchbook_core::model::{ChangeId, ChangeSet, Record, UnixTime};
use latchbook_redb::RedbStore;
use redb::{Database, ReadableDatabase as _, TableDefinition};

fn filled(path: &Path) -> ChangeSet {
    let store = RedbStore::open(path).unwrap();
    let mut set = ChangeSet::new(ChangeId::from_bytes([1; 16]), UnixTime::from_seconds(1));
    set.insert = samples::one_of_each().unwrap();
    block_on(store.commit(set.clone())).unwrap();
    set
}

/// The error of opening `path`, which must name the path and leave the file as it is.
fn refused(path: &Path) -> StoreError {
    let before = fs::read(path).ok();
    let error = RedbStore::open(path).expect_err("refused");
    assert_eq!(fs::read(path).ok(), before, "a refused file is left unchanged");
    let shown = error.to_string();
    assert!(shown.contains(&*path.to_string_lossy()) && !shown.contains('\n'), "{shown}");
    error
}

#[cfg(unix)]
#[test]
fn s13_a_new_store_is_readable_by_its_user_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/deep/auth.redb");
    drop(RedbStore::open(&path).unwrap());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    let names: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["auth.redb"]);
}

#[test]
fn a_store_that_is_opened_again_holds_everything() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auth.redb");
    let set = filled(&path);
    let store = RedbStore::open(&path).unwrap();
    let keys: Vec<_> = set.insert.iter().map(Record::key).collect();
    let found: Vec<_> = block_on(store.get(&keys)).unwrap().into_iter().map(|s| s.unwrap().record).collect();
    assert_eq!(found, set.insert);
    // The change's id is remembered as well.
    assert_eq!(block_on(store.commit(set.clone())).unwrap().id, set.id);
}

#[test]
fn a_store_with_no_memory_for_its_file_holds_everything_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auth.redb");
    let set = filled(&path);
    let store = RedbStore::builder(&path).cache_bytes(0).open().unwrap();
    for record in set.insert {
        let found = block_on(store.get(&[record.key()])).unwrap();
        assert_eq!(found[0].as_ref().map(|stored| &stored.record), Some(&record));
    }
}

#[test]
fn s9_a_store_that_is_open_is_locked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auth.redb");
    let first = RedbStore::open(&path).unwrap();
    let error = RedbStore::open(&path).expect_err("locked");
    assert!(matches!(error, StoreError::Locked(_)), "{error:?}");
    assert!(error.to_string().contains(&*path.to_string_lossy()) && error.to_string().contains("in use"), "{error}");
    drop(first);
    RedbStore::open(&path).unwrap();
}

#[test]
fn a_file_of_another_kind_is_foreign() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    for content in [&b""[..], b"x", b"SQLite format 3\0 and more", &[0; 10_000]] {
        fs::write(&path, content).unwrap();
        let error = refused(&path);
        assert!(matches!(error, StoreError::Foreign(_)), "{error:?}");
    }
    let error = refused(folder.path());
    assert!(matches!(error, StoreError::Foreign(_)), "{error:?}");
}

#[test]
fn a_redb_database_of_another_program_is_foreign() {
    const TABLE: TableDefinition<'_, &str, u64> = TableDefinition::new("theirs");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let database = Database::create(&path).unwrap();
    let write = database.begin_write().unwrap();
    write.open_table(TABLE).unwrap().insert("a", 1).unwrap();
    write.commit().unwrap();
    // As a crash leaves it: redb must repair it before it can be read.
    let crashed = folder.path().join("crashed");
    fs::copy(&path, &crashed).unwrap();
    assert!(database.begin_read().is_ok());
    drop(database);
    for path in [path, crashed] {
        let error = refused(&path);
        assert!(matches!(error, StoreError::Foreign(_)), "{error:?}");
    }
}

#[test]
fn s8_a_store_of_a_newer_format_is_refused() {
    const META: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("latchbook.meta");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auth.redb");
    filled(&path);
    let database = Database::open(&path).unwrap();
    let write = database.begin_write().unwrap();
    let row = [&b"latchbook store\n"[..], &2_u32.to_be_bytes()].concat();
    write.open_table(META).unwrap().insert(&b"format"[..], &*row).unwrap();
    write.commit().unwrap();
    drop(database);
    let error = refused(&path);
    assert!(matches!(error, StoreError::Newer(_)), "{error:?}");
}

#[test]
fn s2_a_store_that_was_cut_is_refused_or_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auth.redb");
    filled(&path);
    let whole = fs::read(&path).unwrap();
    for length in [9, 100, 4096, 8192, whole.len() / 2] {
        fs::write(&path, whole.get(..length).unwrap()).unwrap();
        let error = refused(&path);
        assert!(matches!(error, StoreError::Corrupt(_)), "{length}: {error:?}");
    }
}

#[test]
fn s11_a_store_that_is_removed_while_open_is_unavailable() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auth.redb");
    let store = RedbStore::open(&path).unwrap();
    let set = |n| ChangeSet::new(ChangeId::from_bytes([n; 16]), UnixTime::from_seconds(1));
    block_on(store.commit(set(1))).unwrap();
    let elsewhere = folder.path().join("elsewhere");
    fs::rename(&path, &elsewhere).unwrap();
    assert!(matches!(block_on(store.commit(set(2))), Err(StoreError::Unavailable(_))));
    assert!(matches!(block_on(store.get(&[])), Err(StoreError::Unavailable(_))));
    // Another store in its place is not trusted; the same one put back is.
    drop(RedbStore::open(&path).unwrap());
    assert!(matches!(block_on(store.commit(set(3))), Err(StoreError::Unavailable(_))));
    fs::remove_file(&path).unwrap();
    fs::rename(&elsewhere, &path).unwrap();
    block_on(store.commit(set(4))).unwrap();
}

#[test]
fn s6_a_store_that_a_crash_left_is_read_without_being_repaired() {
    let folder = tempfile::tempdir().unwrap();
    let (path, crashed) = (folder.path().join("auth.redb"), folder.path().join("crashed.redb"));
    let set = filled(&path);
    let store = RedbStore::open(&path).unwrap();
    block_on(store.commit(ChangeSet::new(ChangeId::from_bytes([2; 16]), UnixTime::from_seconds(1)))).unwrap();
    // As a killed process leaves it.
    fs::copy(&path, &crashed).unwrap();
    let error = RedbStore::builder(&path).read_only().open().expect_err("who writes keeps readers away");
    assert!(matches!(error, StoreError::Locked(_)), "{error:?}");
    let before = fs::read(&crashed).unwrap();
    let reading = RedbStore::builder(&crashed).read_only().open().unwrap();
    let keys: Vec<_> = set.insert.iter().map(Record::key).collect();
    assert!(block_on(reading.get(&keys)).unwrap().iter().all(Option::is_some));
    assert!(matches!(RedbStore::open(&crashed), Err(StoreError::Locked(_))), "and a reader who writes");
    drop(reading);
    assert_eq!(fs::read(&crashed).unwrap(), before);
    RedbStore::open(&crashed).unwrap();
}
