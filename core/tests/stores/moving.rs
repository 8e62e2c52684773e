//! Copies to and from a store in a file, snapshots of one in use, and stores that are opened for reading. Shared by the stores in a file, which give `Store` and `FILE`.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use futures_executor::block_on;
use latchbook_core::authority::Exchange;
use latchbook_core::check::NewKey;
use latchbook_core::key_store::conformance::samples;
use latchbook_core::key_store::{KeyStore, KeyStoreExt as _, MemoryStore, StoreError};
use latchbook_core::model::{
    ChainId, ChangeId, ChangeSet, Metadata, Position, Record, RecordKey, ScopeSet, SecretText, UnixTime,
};
use latchbook_core::moving::{self, Copied, MoveError, Rows};
use latchbook_core::{Actor, Authority, MasterKey, Source};

use super::{FILE, Store};

fn authority(store: Arc<dyn KeyStore>) -> Authority {
    let builder = Authority::builder().shared_store(store).issuer("https://api.example.com");
    block_on(builder.master_key(MasterKey::from_bytes([7; 32])).build()).unwrap()
}

/// A developer's first key, in a store that an authority sets up.
fn set_up(store: &Arc<Store>) -> SecretText {
    let authority = authority(Arc::clone(store) as Arc<dyn KeyStore>);
    let ada = samples::developer_ref("ada").unwrap();
    block_on(authority.developers().create(&Actor::Host, Source::UNKNOWN, &ada, "Ada")).unwrap();
    let new = NewKey {
        name: "first".to_owned(),
        scopes: ScopeSet::parse("audit:read").unwrap(),
        expires_at: None,
        allowed_ips: Vec::new(),
        metadata: Metadata::default(),
    };
    let made = block_on(authority.keys().create(&Actor::Host, Source::UNKNOWN, &ada, &new)).unwrap();
    made.text
}

fn exchanges(store: Arc<dyn KeyStore>, api_key: &SecretText) -> bool {
    let (developer, source) = ("ada", Source::UNKNOWN);
    let exchange = Exchange { developer, api_key, entity: None, scope: None, lifetime: None, source };
    block_on(authority(store).exchange(&exchange)).is_ok()
}

/// One more entity of `ada`, with its event and announcement.
fn write(store: &Store, number: u64) {
    let ada = samples::developer_ref("ada").unwrap();
    let mut set = ChangeSet::new(ChangeId::from_bytes(u128::from(number).to_be_bytes()), UnixTime::from_seconds(1));
    set.insert.push(Record::Entity(samples::entity(&ada, &format!("e{number}"), samples::at(1)).unwrap()));
    set.audit.push(samples::event(&ChainId::Developer(ada), "written"));
    set.feed.push((samples::announcements().unwrap().remove(0), samples::at(99)));
    block_on(store.commit(set)).unwrap();
}

fn copied(from: &impl Rows, to: &impl KeyStore, after: Option<Position>) -> Result<Copied, MoveError> {
    block_on(moving::copy(from, to, after, &mut |_| {}))
}

fn digest(rows: &impl Rows) -> moving::StoreDigest {
    block_on(moving::digest(rows, &mut |_| {})).unwrap()
}

fn make(folder: &Path, name: &str) -> Arc<Store> {
    Arc::new(Store::open(folder.join(format!("{name}-{FILE}"))).unwrap())
}

#[test]
fn a_copy_there_and_back_is_the_same_and_its_keys_work() {
    let folder = tempfile::tempdir().unwrap();
    let first = make(folder.path(), "first");
    let key = set_up(&first);
    // Every kind of row, at its limits, beside what the authority made.
    let mut records = samples::one_of_each().unwrap();
    records.retain(|record| !matches!(record, Record::Settings(_) | Record::Pepper(_) | Record::SigningKey(_)));
    records.retain(|record| record.key() != RecordKey::Developer(samples::developer_ref("ada").unwrap()));
    let mut set = ChangeSet::new(ChangeId::from_bytes([1; 16]), UnixTime::from_seconds(1));
    set.insert = records;
    block_on(first.commit(set)).unwrap();
    (1..=700).for_each(|number| write(&first, number));
    let memory = Arc::new(MemoryStore::new());
    let second = make(folder.path(), "second");
    let one = copied(&first, &memory, None).unwrap();
    let two = copied(&memory, &second, None).unwrap();
    assert_eq!(one.digest, two.digest);
    assert_eq!(digest(&first), digest(&second));
    assert!(one.written > 1_400);
    assert!(exchanges(Arc::clone(&memory) as Arc<dyn KeyStore>, &key));
    assert!(exchanges(Arc::clone(&second) as Arc<dyn KeyStore>, &key));
    // The commits went on in the copies, so they are no copies any more.
    assert!(matches!(copied(&memory, &second, None), Err(MoveError::Differs { .. })));
}

#[test]
fn a_copy_into_a_file_that_is_interrupted_at_any_page_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let source = make(folder.path(), "source");
    set_up(&source);
    (1..=600).for_each(|number| write(&source, number));
    let want = digest(&source);
    for stop in 1..=3 {
        let mut positions = Vec::new();
        {
            let target = make(folder.path(), &stop.to_string());
            let mut told = |progress: &moving::Progress| {
                positions.push(progress.position.clone());
                // As a process does that ends here.
                assert!(positions.len() < stop, "stopped");
            };
            let copying = || block_on(moving::copy(&source, &target, None, &mut told));
            let stopped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(copying));
            assert!(stopped.is_err());
        }
        let target = make(folder.path(), &stop.to_string());
        assert!(block_on(target.settings()).unwrap().is_none());
        assert_eq!(copied(&source, &target, positions.pop().unwrap()).unwrap().digest, want);
        assert_eq!(digest(&target), want);
    }
}

#[test]
fn a_snapshot_sees_one_instant_while_a_writer_commits() {
    let folder = tempfile::tempdir().unwrap();
    let store = make(folder.path(), "store");
    let key = set_up(&store);
    (1..=600).for_each(|number| write(&store, number));
    let before = digest(&store);
    let snapshot = block_on(store.snapshot()).unwrap();
    let ends = Arc::new(AtomicBool::new(false));
    let writer = thread::spawn({
        let (store, ends) = (Arc::clone(&store), Arc::clone(&ends));
        move || {
            let mut number = 1_000;
            while !ends.load(Ordering::SeqCst) {
                number += 1;
                write(&store, number);
            }
            number - 1_000
        }
    });
    let backup = make(folder.path(), "backup");
    let copied = copied(&snapshot, &backup, None);
    // Once it is surely written to.
    while block_on(store.entity(&entity("e1001"))).unwrap().is_none() {
        thread::yield_now();
    }
    assert_eq!(digest(&snapshot), before);
    ends.store(true, Ordering::SeqCst);
    assert!(writer.join().unwrap() > 0);
    assert_eq!(copied.unwrap().digest, before);
    assert_ne!(digest(&store), before);
    assert_ne!(digest(&block_on(store.snapshot()).unwrap()), before, "a new one sees more");
    drop(snapshot);
    let report = block_on(moving::check(&backup, &mut |_| {})).unwrap();
    // The samples' events are linked by a key that no store has.
    assert_eq!(report.findings.len(), 1, "{report}");
    assert!(report.findings[0].contains("names the pepper"), "{report}");
    assert!(exchanges(backup, &key));
}

fn entity(id: &str) -> latchbook_core::EntityRef {
    samples::entity(&samples::developer_ref("ada").unwrap(), id, samples::at(1)).unwrap().reference
}

#[cfg(unix)]
#[test]
fn s13_a_backup_is_readable_by_its_user_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let store = make(folder.path(), "store");
    set_up(&store);
    copied(&block_on(store.snapshot()).unwrap(), &make(folder.path(), "backup"), None).unwrap();
    let backup = fs::metadata(folder.path().join(format!("backup-{FILE}"))).unwrap();
    assert_eq!(backup.permissions().mode() & 0o777, 0o600);
}

#[cfg(unix)]
#[test]
fn s6_a_store_on_a_read_only_file_system_opens_for_reading_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kept").join(FILE);
    let want = {
        let store = Arc::new(Store::open(&path).unwrap());
        set_up(&store);
        digest(&store)
    };
    let bytes = fs::read(&path).unwrap();
    let allow = |file, folder| {
        fs::set_permissions(&path, fs::Permissions::from_mode(file)).unwrap();
        fs::set_permissions(path.parent().unwrap(), fs::Permissions::from_mode(folder)).unwrap();
    };
    allow(0o400, 0o500);
    // The superuser is not held back by permissions.
    let is_held_back = fs::OpenOptions::new().write(true).open(&path).is_err();
    if is_held_back {
        let error = Store::open(&path).expect_err("refused at start");
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
        assert!(error.to_string().contains("let this process read and write it"), "{error}");
    }
    {
        let store = Arc::new(Store::builder(&path).read_only().open().unwrap());
        let another = Store::builder(&path).read_only().open().unwrap();
        assert_eq!((digest(&store), digest(&another)), (want.clone(), want.clone()));
        assert_eq!(digest(&block_on(store.snapshot()).unwrap()), want);
        assert!(block_on(moving::check(&*store, &mut |_| {})).unwrap().holds());
        let change = ChangeSet::new(ChangeId::from_bytes([9; 16]), samples::at(1));
        let refused = [
            block_on(store.commit(change)).map(drop),
            block_on(store.load(Vec::new())),
            block_on(store.prune(samples::at(1), 1)).map(drop),
        ];
        for refused in refused {
            let error = refused.expect_err("for reading alone");
            assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
            assert!(error.to_string().contains("was opened for reading alone"), "{error}");
        }
    }
    allow(0o600, 0o700);
    assert_eq!(fs::read(&path).unwrap(), bytes);
    // And as before for writing.
    write(&Store::open(&path).unwrap(), 1);
}

#[test]
fn a_store_that_is_not_there_is_not_made_for_reading() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    let error = Store::builder(&path).read_only().open().expect_err("there is none");
    assert!(matches!(error, StoreError::Unavailable(_)) && error.to_string().contains("must exist"), "{error}");
    assert!(!path.exists());
}
