use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use futures_executor::block_on;
use latchbook_core::key_store::conformance::samples;
use latchbook_core::model::{ChangeId, Record};
use redb::backends::FileBackend;
use redb::{Database, StorageBackend};

use super::*;
use crate::transaction::fault;

/// A disk that refuses to sync while it is told to.
#[derive(Debug)]
struct Faulty {
    file: FileBackend,
    broken: Arc<AtomicBool>,
}

impl StorageBackend for Faulty {
    fn len(&self) -> std::io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> std::io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> std::io::Result<()> {
        if self.broken.load(Ordering::SeqCst) { Err(std::io::Error::other("EIO")) } else { self.file.sync_data() }
    }

    fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        self.file.write(offset, data)
    }
}

struct FaultyOrigin {
    path: PathBuf,
    broken: Arc<AtomicBool>,
    opened: Arc<AtomicU32>,
}

impl Origin for FaultyOrigin {
    fn open(&self) -> Result<Database, StoreError> {
        self.opened.fetch_add(1, Ordering::SeqCst);
        let file =
            std::fs::OpenOptions::new().read(true).write(true).open(&self.path).map_err(StoreError::unavailable)?;
        let file = FileBackend::new(file).map_err(fault)?;
        Database::builder().create_with_backend(Faulty { file, broken: Arc::clone(&self.broken) }).map_err(fault)
    }

    fn verify(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

#[test]
fn s4_a_failed_commit_is_unavailable_and_the_store_opens_itself_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auth.redb");
    drop(RedbStore::open(&path).unwrap());
    let (broken, opened) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let origin = FaultyOrigin { path: path.clone(), broken: Arc::clone(&broken), opened: Arc::clone(&opened) };
    let store = RedbStore::start(path, origin, DEFAULT_TIMEOUT, false).unwrap();
    let set = |number: u8| {
        let developer = samples::developer(&samples::developer_ref(&format!("d{number}")).unwrap());
        let mut set = ChangeSet::new(ChangeId::from_bytes([number; 16]), UnixTime::from_seconds(1));
        set.insert.push(Record::Developer(developer));
        set
    };
    let there = |number: u8| {
        let key = set(number).insert[0].key();
        block_on(store.get(&[key])).map(|found| found[0].is_some())
    };
    block_on(store.commit(set(1))).unwrap();
    broken.store(true, Ordering::SeqCst);
    assert!(matches!(block_on(store.commit(set(2))), Err(StoreError::Unavailable(_))));
    assert!(matches!(block_on(store.commit(set(3))), Err(StoreError::Unavailable(_))));
    broken.store(false, Ordering::SeqCst);
    // It opens again by itself, without a change that asks for it.
    let mut tries = 0;
    while there(1).is_err() && tries < 100 {
        std::thread::sleep(Duration::from_millis(50));
        tries += 1;
    }
    assert!(there(1).unwrap());
    assert!(opened.load(Ordering::SeqCst) >= 2);
    // Committing the same set again settles whether it was done.
    assert_eq!(block_on(store.commit(set(2))).unwrap().id, set(2).id);
    assert!(there(2).unwrap());
}

#[test]
fn a_store_shows_its_path_and_nothing_that_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let store = RedbStore::open(folder.path().join("auth.redb")).unwrap();
    assert!(format!("{store:?}").contains("auth.redb"));
}
