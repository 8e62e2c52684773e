//! The writers of a process that is to be killed: they make keys and revoke them again, and say what was acknowledged.

use std::collections::VecDeque;
use std::future::Future;
use std::io::Write as _;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use latchbook_core::key_store::conformance::samples;
use latchbook_core::key_store::{KeyStore, KeyStoreExt as _, StoreError};
use latchbook_core::model::{
    Announcement, ApiKey, AuditAction, AuditDraft, ChainId, ChangeId, ChangeSet, DeveloperRef, EnvironmentName, Index,
    KeyId, Merge, Record, RecordKey, Revision, Row, Stored, UnixTime,
};

const WRITERS: usize = 4;
/// So many, so that writers meet at one chain and do not at another.
const DEVELOPERS: [&str; 2] = ["ada", "bob"];
/// Keys that wait for their revocation before the first of them is revoked.
const WAITING: usize = 4;

/// Runs a future on the calling thread, as the store needs it.
pub type BlockOn = Arc<dyn Fn(Pin<Box<dyn Future<Output = ()> + Send>>) + Send + Sync>;

/// Writes on several threads, numbers from `first` on, until standard input ends. Whatever was acknowledged by then is
/// said, and nothing is left unknown.
pub fn write_until_told(store: Arc<dyn KeyStore>, first: u64, block_on: &BlockOn) {
    let work = Arc::new(Work {
        store,
        next: AtomicU64::new(first),
        due: Mutex::default(),
        told_to_stop: AtomicBool::new(false),
    });
    let begun = Arc::clone(&work);
    block_on(Box::pin(async move { begun.find_due().await }));
    let writers: Vec<_> = (0..WRITERS)
        .map(|_| {
            let (work, block_on) = (Arc::clone(&work), Arc::clone(block_on));
            std::thread::spawn(move || {
                let _end = EndWithMe;
                block_on(Box::pin(async move { work.write().await }));
            })
        })
        .collect();
    let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    work.told_to_stop.store(true, Ordering::SeqCst);
    writers.into_iter().for_each(|writer| writer.join().unwrap());
}

/// Ends the process where a writer fails, so that its parent finds out whether it kills or tells it to end.
struct EndWithMe;

impl Drop for EndWithMe {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::process::exit(1);
        }
    }
}

struct Work {
    store: Arc<dyn KeyStore>,
    next: AtomicU64,
    /// Numbers of keys to be revoked, and the change that wrote each.
    due: Mutex<VecDeque<(u64, Revision)>>,
    told_to_stop: AtomicBool,
}

impl Work {
    /// What a process before this one has not revoked any more.
    async fn find_due(&self) {
        for developer in developers() {
            let rows = self.store.all(&Index::KeysOf(developer)).await.unwrap();
            let due = rows.into_iter().filter_map(|row| match row {
                Row::Record(Stored { record: Record::ApiKey(key), revision }) if key.revoked_at.is_none() => {
                    number_of(key.id.as_str())
                        .filter(|number| is_revoked_later(*number))
                        .map(|number| (number, revision))
                }
                _ => None,
            });
            self.due.lock().unwrap().extend(due);
        }
    }

    async fn write(&self) {
        while !self.told_to_stop.load(Ordering::SeqCst) {
            let number = self.next.fetch_add(1, Ordering::SeqCst);
            let revision = self.settled(making(number)).await;
            say(&format!("made {number}"));
            if is_revoked_later(number) {
                self.due.lock().unwrap().push_back((number, revision));
            }
            let due = {
                let mut due = self.due.lock().unwrap();
                if due.len() > WAITING { due.pop_front() } else { None }
            };
            if let Some((number, revision)) = due {
                self.settled(revoking(number, revision)).await;
                say(&format!("revoked {number}"));
            }
        }
    }

    /// Commits until it is known that it is done: after `Unavailable` it is not, and the same set again settles it.
    async fn settled(&self, set: ChangeSet) -> Revision {
        loop {
            match self.store.commit(set.clone()).await {
                Ok(committed) => {
                    assert_eq!(committed.id, set.id);
                    return Revision(set.id);
                }
                // Each writer has a thread of its own to sleep on.
                Err(StoreError::Unavailable(_)) => std::thread::sleep(Duration::from_millis(20)),
                Err(error) => panic!("{error:?}"),
            }
        }
    }
}

/// One write to standard output, so that a kill cannot cut it.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("done {text}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

/// A key with an entity, an event, an announcement and a count.
pub(super) fn making(number: u64) -> ChangeSet {
    let (developer, id) = (developer_of(number), samples::key_id(number).unwrap());
    let mut set = change(number, 1, AuditAction::KeyCreated);
    set.insert.push(Record::ApiKey(samples::key(&developer, id, samples::at(1))));
    set.insert.push(Record::Entity(samples::entity(&developer, &number.to_string(), samples::at(1)).unwrap()));
    let said =
        Announcement::TokenRevoked { environment: EnvironmentName::LIVE, token: samples::token_id(number).unwrap() };
    set.feed.push((said, UnixTime::MAX));
    set
}

/// The key revoked, and the entity gone.
pub(super) fn revoking(number: u64, read: Revision) -> ChangeSet {
    let (developer, id) = (developer_of(number), samples::key_id(number).unwrap());
    let mut set = change(number, 2, AuditAction::KeyRevoked);
    let revoked_at = Some(samples::at(2));
    set.replace(Record::ApiKey(ApiKey { revoked_at, ..samples::key(&developer, id, samples::at(1)) }), read);
    let entity = samples::entity(&developer, &number.to_string(), samples::at(1)).unwrap();
    set.remove.push(RecordKey::Entity(entity.reference));
    set.feed.push((Announcement::KeyRevoked { environment: EnvironmentName::LIVE, key: id }, UnixTime::MAX));
    set
}

fn change(number: u64, step: u128, action: AuditAction) -> ChangeSet {
    let (developer, id) = (developer_of(number), samples::key_id(number).unwrap());
    let change = ChangeId::from_bytes((u128::from(number) * 4 + step).to_be_bytes());
    let mut set = ChangeSet::new(change, UnixTime::from_seconds(1));
    set.merge.push(Merge::Usage(samples::usage(&developer, id, 1, 1, 0)));
    set.audit.push(AuditDraft { action, ..samples::event(&ChainId::Developer(developer), &number.to_string()) });
    set
}

pub(super) fn developers() -> Vec<DeveloperRef> {
    DEVELOPERS.iter().map(|id| samples::developer_ref(id).unwrap()).collect()
}

fn developer_of(number: u64) -> DeveloperRef {
    // By pairs, so that each has keys that stay and keys that go.
    developers().swap_remove(usize::from(number / 2 % 2 == 1))
}

pub(super) fn key_of(number: u64) -> (DeveloperRef, KeyId) {
    (developer_of(number), samples::key_id(number).unwrap())
}

/// The number that an id of the samples ends in.
pub(super) fn number_of(id: &str) -> Option<u64> {
    id.parse().ok()
}

fn is_revoked_later(number: u64) -> bool {
    number.is_multiple_of(2)
}
