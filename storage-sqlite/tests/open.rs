//! Opening: what is made, what is kept, and what is refused in which words.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::fs;
use std::path::Path;
use std::time::Duration;

use futures_executor::block_on;
use latchbook_core::key_store::{KeyStore as _, StoreError};
use latchbook_core::model::Record;
use latchbook_sqlite::SqliteStore;
use rusqlite::Connection;
use support::{beside, empty_set, filled, names};

/// The error of opening `path`, which must name the path and leave the file as it is.
fn refused(path: &Path) -> StoreError {
    let before = (fs::read(path).ok(), names(path));
    let error = SqliteStore::open(path).expect_err("refused");
    assert_eq!((fs::read(path).ok(), names(path)), before, "a refused file is left unchanged: {error}");
    let shown = error.to_string();
    assert!(shown.contains(&*path.to_string_lossy()) && !shown.contains('\n'), "{shown}");
    error
}

#[cfg(unix)]
#[test]
fn s13_a_new_store_is_readable_by_its_user_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/deep/auth.db");
    let store = SqliteStore::open(&path).unwrap();
    block_on(store.commit(empty_set(1))).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for file in [path.clone(), beside(&path, "-wal"), beside(&path, "-shm")] {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    drop(store);
    assert_eq!(names(&path), ["auth.db"], "a clean stop leaves one file");
}

#[test]
fn a_store_that_is_opened_again_holds_everything() {
    let folder = tempfile::tempdir().unwrap();
    // Names that mean something to SQLite, or in a URI.
    for name in ["auth.db", ":memory:", "file:x?mode=memory", "a b%20c#d.db", "日本"] {
        let path = folder.path().join(name);
        let set = filled(&path);
        let store = SqliteStore::open(&path).unwrap();
        let keys: Vec<_> = set.insert.iter().map(Record::key).collect();
        let found: Vec<_> = block_on(store.get(&keys)).unwrap().into_iter().map(|s| s.unwrap().record).collect();
        assert_eq!(found, set.insert);
        // The change's id is remembered as well.
        assert_eq!(block_on(store.commit(set.clone())).unwrap().id, set.id);
    }
}

#[test]
fn a_file_of_another_kind_is_foreign() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    for content in [&b""[..], b"x", b"redb\x1a\x0a\xa9\x0d\x0a", &[0; 10_000], &[b'x'; 10_000]] {
        fs::write(&path, content).unwrap();
        let error = refused(&path);
        assert!(matches!(error, StoreError::Foreign(_)), "{error:?}");
    }
    let error = refused(folder.path());
    assert!(matches!(error, StoreError::Foreign(_)), "{error:?}");
}

#[test]
fn a_database_of_another_program_is_foreign() {
    let folder = tempfile::tempdir().unwrap();
    for mode in ["DELETE", "WAL"] {
        let path = folder.path().join(mode);
        let database = Connection::open(&path).unwrap();
        database.execute_batch(&format!("PRAGMA journal_mode = {mode}; CREATE TABLE theirs (x)")).unwrap();
        // Also while its program has it open.
        assert!(matches!(SqliteStore::open(&path), Err(StoreError::Foreign(_))));
        database.execute_batch("INSERT INTO theirs VALUES (1)").unwrap();
        drop(database);
        let error = refused(&path);
        assert!(matches!(error, StoreError::Foreign(_)), "{error:?}");
    }
}

#[test]
fn s8_a_store_of_a_newer_format_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auth.db");
    filled(&path);
    let newer = Connection::open(&path).unwrap();
    newer.execute_batch("PRAGMA user_version = 2; CREATE TABLE later (x)").unwrap();
    // While the newer one has it open, its version may stand in the log alone.
    let before = fs::metadata(&path).unwrap().len();
    let error = SqliteStore::open(&path).expect_err("newer");
    assert!(matches!(error, StoreError::Newer(_)), "{error:?}");
    assert!(error.to_string().contains("format 2 of a newer latchbook"), "{error}");
    assert_eq!(fs::metadata(&path).unwrap().len(), before);
    drop(newer);
    let error = refused(&path);
    assert!(matches!(error, StoreError::Newer(_)), "{error:?}");
}

#[test]
fn s5_a_store_that_another_process_keeps_locked_is_locked_at_open() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auth.db");
    filled(&path);
    let other = Connection::open(&path).unwrap();
    other.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; DELETE FROM usage;").unwrap();
    let error = SqliteStore::builder(&path).timeout(Duration::from_millis(50)).open().expect_err("locked");
    assert!(matches!(error, StoreError::Locked(_)), "{error:?}");
    assert!(error.to_string().contains("auth.db` is locked by another process"), "{error}");
    drop(other);
    SqliteStore::open(&path).unwrap();
}

#[test]
fn s2_a_store_that_was_cut_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auth.db");
    filled(&path);
    let whole = fs::read(&path).unwrap();
    assert_eq!(whole.len() % 4096, 0);
    let borders = (1..whole.len() / 4096).map(|page| page * 4096);
    for length in [9, 100, 4095, 4097].into_iter().chain(borders) {
        fs::write(&path, whole.get(..length).unwrap()).unwrap();
        let error = refused(&path);
        assert!(matches!(error, StoreError::Corrupt(_) | StoreError::Foreign(_)), "{length}: {error:?}");
    }
}

#[test]
fn a_log_without_its_file_is_not_given_to_a_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auth.db");
    let store = SqliteStore::open(&path).unwrap();
    block_on(store.commit(empty_set(1))).unwrap();
    fs::copy(beside(&path, "-wal"), folder.path().join("kept")).unwrap();
    drop(store);
    fs::remove_file(&path).unwrap();
    fs::rename(folder.path().join("kept"), beside(&path, "-wal")).unwrap();
    let error = refused(&path);
    assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
}

#[test]
fn an_operator_reads_it_with_the_shell() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auth.db");
    filled(&path);
    let store = SqliteStore::open(&path).unwrap();
    let shell = Connection::open(&path).unwrap();
    let one = |sql: &str| shell.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!(one("SELECT group_concat(id, ' ') FROM developers WHERE status = 'active'"), "ada");
    assert_eq!(one("SELECT issuer || ' ' || environments FROM settings"), "https://api.example.com live sandbox");
    assert_eq!(
        one("SELECT datetime(expires_at, 'unixepoch') FROM api_keys WHERE made_by IS NOT NULL"),
        "9999-12-31 23:59:59"
    );
    assert_eq!(one("SELECT json_extract(metadata, '$') FROM api_keys WHERE made_by IS NULL"), "{}");
    // Nothing refers to what is not there, and the whole file is in order.
    assert!(shell.query_row("PRAGMA foreign_key_check", [], |_| Ok(())).is_err());
    assert_eq!(one("PRAGMA integrity_check"), "ok");
    drop(store);
}
