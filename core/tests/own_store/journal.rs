//! A store in one file: a journal of every change, and a map in memory that is rebuilt from it.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use latchbook_core::key_store::encoding::{decode, encode};
use latchbook_core::key_store::{KeyStore, Sharing, StoreError};
use latchbook_core::model::{
    ChangeId, ChangeSet, Committed, FIRST_LINK, FeedEntry, FeedPage, FeedPosition, Index, Merge, Page, Position,
    Pruned, Record, RecordKey, Revision, Row, StoreMeta, Stored, UnixTime,
};

const RECORD: u8 = 1; // a record, by its key
const FEED: u8 = 2; // an announcement, by its position
const LIST: u8 = 3; // a record once more, a usage row or an audit event, by its place in a list
const META: u8 = 4; // the counters
const DONE: u8 = 5; // in the journal alone: the id of a change that is forgotten

/// What one commit writes: rows, the keys of rows that go, and answers to remember.
type Entry = (Vec<Row>, Vec<Vec<u8>>, Vec<(UnixTime, Committed)>);

struct Journal {
    rows: BTreeMap<Vec<u8>, Row>,
    done: BTreeMap<ChangeId, (UnixTime, Committed)>,
    entry: Entry,
    file: File,
    length: usize,
}

fn tagged(tag: u8, key: &[u8]) -> Vec<u8> {
    [&[tag], key].concat()
}

fn place(index: &Index, position: &Position) -> Vec<u8> {
    tagged(LIST, &[index.to_bytes(), position.0.clone()].concat())
}

fn key_of(row: &Row) -> Vec<u8> {
    match row {
        Row::Record(stored) => tagged(RECORD, &stored.record.key().to_bytes()),
        Row::Usage(row) => place(&Index::Usage(row.developer.clone()), &Position::of_usage(row.day, row.key.as_str())),
        Row::Audit(event) => place(&Index::Audit(event.chain.clone()), &Position::of_audit(event.number)),
        Row::Feed(entry) => tagged(FEED, &entry.position.0.to_be_bytes()),
        Row::Meta(_) => vec![META],
    }
}

impl Journal {
    /// Writes a row as `scan` gives it.
    fn put(&mut self, row: Row) {
        self.entry.0.push(row.clone());
        match &row {
            Row::Record(stored) => {
                self.unlist(&key_of(&row));
                if let Some((index, position)) = Index::of_record(&stored.record) {
                    self.rows.insert(place(&index, &position), row.clone());
                }
            }
            Row::Feed(entry) => self.count(StoreMeta { feed_head: entry.position, ..StoreMeta::default() }),
            Row::Usage(_) | Row::Audit(_) | Row::Meta(_) => {}
        }
        self.rows.insert(key_of(&row), row);
    }

    fn count(&mut self, meta: StoreMeta) {
        self.rows.insert(vec![META], Row::Meta(self.meta().raised_to(meta)));
    }

    fn unlist(&mut self, key: &[u8]) {
        if let Some(Row::Record(stored)) = self.rows.get(key)
            && let Some((index, position)) = Index::of_record(&stored.record)
        {
            self.rows.remove(&place(&index, &position));
        }
    }

    fn remove(&mut self, key: Vec<u8>) {
        self.unlist(&key);
        if let Some(Row::Feed(entry)) = self.rows.remove(&key) {
            self.count(StoreMeta { pruned_to: entry.position, ..StoreMeta::default() });
        }
        if let Some(id) = key.strip_prefix(&[DONE]).and_then(|id| id.try_into().ok()) {
            self.done.remove(&ChangeId::from_bytes(id));
        }
        self.entry.1.push(key);
    }

    fn remember(&mut self, at: UnixTime, committed: Committed) {
        self.done.insert(committed.id, (at, committed.clone()));
        self.entry.2.push((at, committed));
    }

    fn meta(&self) -> StoreMeta {
        if let Some(Row::Meta(meta)) = self.rows.get([META].as_slice()) { *meta } else { StoreMeta::default() }
    }

    fn record(&self, key: &RecordKey) -> Option<&Stored> {
        let row = self.rows.get(&tagged(RECORD, &key.to_bytes()));
        row.and_then(|row| if let Row::Record(stored) = row { Some(stored) } else { None })
    }
}

impl Journal {
    fn commit(&mut self, set: ChangeSet) -> Result<Committed, StoreError> {
        if let Some((_, first)) = self.done.get(&set.id) {
            return Ok(first.clone());
        }
        let held = |key: &RecordKey| self.record(key).map(|stored| stored.revision);
        let is_as_expected = set.expect.iter().all(|expected| held(&expected.key) == expected.revision)
            && set.insert.iter().all(|record| held(&record.key()).is_none())
            && set.update.iter().all(|record| held(&record.key()).is_some())
            && set.remove.iter().all(|key| held(key).is_some());
        if !is_as_expected {
            return Err(StoreError::Conflict);
        }
        let revision = Revision(set.id);
        for record in set.insert.into_iter().chain(set.update) {
            self.put(Row::Record(Stored { record, revision }));
        }
        set.remove.iter().for_each(|key| self.remove(tagged(RECORD, &key.to_bytes())));
        set.merge.into_iter().for_each(|merge| self.merge(merge, revision));
        let mut committed = Committed { id: set.id, feed: None, audit: Vec::new() };
        for (announcement, ends_at) in set.feed {
            let position = FeedPosition(self.meta().feed_head.0 + 1);
            self.put(Row::Feed(FeedEntry { position, at: set.at, ends_at, announcement }));
            committed.feed = Some(position);
        }
        if let Some(pruned_at) = set.pruned_at {
            self.put(Row::Meta(StoreMeta { pruned_at, ..self.meta() }));
        }
        for draft in set.audit {
            let newest_first = tagged(LIST, &Index::Audit(draft.chain.clone()).to_bytes());
            let (last, link) = match self.page(&newest_first, None, 1).rows.pop() {
                Some(Row::Audit(head)) => (head.number, head.link),
                _ => (0, FIRST_LINK),
            };
            self.put(Row::Audit(draft.link(last + 1, &link)));
            committed.audit.push(last + 1);
        }
        self.remember(set.at, committed.clone());
        Ok(committed)
    }

    fn merge(&mut self, merge: Merge, mut revision: Revision) {
        let row = match merge {
            Merge::Usage(mut row) => {
                if let Some(Row::Usage(held)) = self.rows.get(&key_of(&Row::Usage(row.clone()))) {
                    row.counts = row.counts.plus(held.counts);
                }
                Row::Usage(row)
            }
            Merge::LastUsed(mut used) => {
                let key = RecordKey::KeyActivity(used.developer.clone(), used.key);
                if let Some(Stored { record: Record::KeyActivity(held), revision: first }) = self.record(&key) {
                    (used.last_used_at, revision) = (used.last_used_at.max(held.last_used_at), *first);
                }
                Row::Record(Stored { record: Record::KeyActivity(used), revision })
            }
        };
        self.put(row);
    }

    fn prune(&mut self, before: UnixTime, limit: usize) -> Pruned {
        let has_ended = |row: &Row| match row {
            Row::Feed(entry) => entry.ends_at < before,
            Row::Record(Stored { record: Record::SandboxRequest(request), .. }) => request.ends_at < before,
            _ => false,
        };
        let ended = self.rows.range(..vec![LIST]).filter(|(_, row)| has_ended(row)).map(|(key, _)| key.clone());
        let forgotten = self.done.iter().filter(|(_, (at, _))| at.plus(86_400) < before);
        let ended: Vec<_> = ended.chain(forgotten.map(|(id, _)| tagged(DONE, id.as_bytes()))).collect();
        let pruned = Pruned { removed: ended.len().min(limit), more: ended.len() > limit };
        ended.into_iter().take(limit).for_each(|key| self.remove(key));
        self.put(Row::Meta(StoreMeta { pruned_at: self.meta().pruned_at.max(before), ..self.meta() }));
        pruned
    }

    /// A page looks at one row more than it gives, to know whether there is more.
    fn page(&self, prefix: &[u8], after: Option<&Position>, limit: usize) -> Page {
        // With one more byte, a zero: the least place after it.
        let first = after.map_or_else(Vec::new, |position| [position.0.as_slice(), &[0]].concat());
        let (mut page, mut last) = (Page::default(), None);
        for (key, row) in self.rows.range([prefix, &first].concat()..) {
            let Some(place) = key.strip_prefix(prefix) else { break };
            // The whole store is a page without a prefix, and gives a record once.
            if prefix.is_empty() && key.first() == Some(&LIST) && matches!(row, Row::Record(_)) {
                continue;
            }
            if page.rows.len() == limit {
                return Page { next: last, ..page };
            }
            page.rows.push(row.clone());
            last = Some(Position(place.to_vec()));
        }
        page
    }
}

const MAGIC: &[u8] = b"journal of latchbook 1\n";

impl Journal {
    fn open(folder: &Path) -> Result<Self, StoreError> {
        let (path, beside) = (folder.join("journal"), folder.join("journal.new"));
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => MAGIC.to_vec(),
            read => read.map_err(StoreError::unavailable)?,
        };
        let foreign = || StoreError::Foreign("the file `journal` is none of latchbook's: name another folder".into());
        let mut rest = bytes.strip_prefix(MAGIC).ok_or_else(foreign)?;
        let (file, entry) = (File::create(&beside).map_err(StoreError::unavailable)?, Entry::default());
        let mut journal = Self { rows: BTreeMap::new(), done: BTreeMap::new(), entry, file, length: 0 };
        while let Some(((rows, gone, done), after)) = next_record(bytes.len() - rest.len(), rest)? {
            rows.into_iter().for_each(|row| journal.put(row));
            gone.into_iter().for_each(|key| journal.remove(key));
            done.into_iter().for_each(|(at, committed)| journal.remember(at, committed));
            rest = after;
        }
        let everything = journal.page(&[], None, usize::MAX).rows;
        journal.entry = (everything, Vec::new(), journal.done.values().cloned().collect());
        journal.write(MAGIC).and_then(|()| journal.append())?;
        let renamed = fs::rename(&beside, &path).and_then(|()| File::open(folder)?.sync_all());
        renamed.map(|()| journal).map_err(StoreError::unavailable)
    }

    /// Writes down what the map has and the file lacks.
    fn append(&mut self) -> Result<(), StoreError> {
        let entry = std::mem::take(&mut self.entry);
        if entry == Entry::default() {
            return Ok(());
        }
        let place = self.length.to_be_bytes();
        let body = encode(&place, &entry);
        self.write(&[encode(&place, &(body.len() as u64)), body].concat())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.length += bytes.len();
        self.file.write_all(bytes).and_then(|()| self.file.sync_data()).map_err(StoreError::unavailable)
    }
}

/// The record at `place`, and what follows it; none where the journal ends, or was torn.
fn next_record(place: usize, rest: &[u8]) -> Result<Option<(Entry, &[u8])>, StoreError> {
    let place = place.to_be_bytes();
    let head = rest.split_at_checked(encode(&place, &0_u64).len());
    let Some((head, rest)) = head.filter(|(head, _)| head.iter().any(|byte| *byte != 0)) else { return Ok(None) };
    let length = usize::try_from(decode::<u64>(&place, head)?).map_err(StoreError::corrupt)?;
    let Some((body, after)) = rest.split_at_checked(length) else { return Ok(None) };
    match decode(&place, body) {
        Err(_) if after.is_empty() => Ok(None),
        entry => Ok(Some((entry?, after))),
    }
}

/// A store for one process, in a folder of its own.
pub(crate) struct JournalStore {
    folder: PathBuf,
    journal: Mutex<Option<Journal>>,
    _lock: File,
}

impl JournalStore {
    pub(crate) fn open(folder: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let folder = folder.into();
        fs::create_dir_all(&folder).map_err(StoreError::unavailable)?;
        let lock = File::create(folder.join("lock")).map_err(StoreError::unavailable)?;
        lock.try_lock().map_err(|error| StoreError::Locked(format!("the journal is open already: {error}").into()))?;
        let journal = Mutex::new(Some(Journal::open(&folder)?));
        Ok(Self { folder, journal, _lock: lock })
    }

    fn with<T>(&self, act: impl FnOnce(&mut Journal) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut held = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        let mut journal = held.take().map_or_else(|| Journal::open(&self.folder), Ok)?;
        let answer = act(&mut journal).and_then(|answer| journal.append().map(|()| answer));
        *held = Some(journal).filter(|_| matches!(answer, Ok(_) | Err(StoreError::Conflict)));
        answer
    }
}

impl fmt::Debug for JournalStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JournalStore({})", self.folder.display())
    }
}

#[async_trait]
impl KeyStore for JournalStore {
    async fn get(&self, keys: &[RecordKey]) -> Result<Vec<Option<Stored>>, StoreError> {
        self.with(|journal| Ok(keys.iter().map(|key| journal.record(key).cloned()).collect()))
    }

    async fn page(&self, index: &Index, after: Option<&Position>, limit: usize) -> Result<Page, StoreError> {
        self.with(|journal| Ok(journal.page(&tagged(LIST, &index.to_bytes()), after, limit)))
    }

    async fn changes(&self, after: FeedPosition, limit: usize) -> Result<FeedPage, StoreError> {
        self.with(|journal| {
            let StoreMeta { feed_head: head, pruned_to, pruned_at } = journal.meta();
            let after = Position(after.0.to_be_bytes().to_vec());
            let rows = journal.page(&[FEED], Some(&after), limit).rows.into_iter();
            let entries = rows.filter_map(|row| if let Row::Feed(entry) = row { Some(entry) } else { None }).collect();
            Ok(FeedPage { entries, head, pruned_to, pruned_at })
        })
    }

    async fn commit(&self, set: ChangeSet) -> Result<Committed, StoreError> {
        self.with(|journal| journal.commit(set))
    }

    async fn prune(&self, before: UnixTime, limit: usize) -> Result<Pruned, StoreError> {
        self.with(|journal| Ok(journal.prune(before, limit)))
    }

    async fn scan(&self, after: Option<&Position>, limit: usize) -> Result<Page, StoreError> {
        self.with(|journal| Ok(journal.page(&[], after, limit)))
    }

    async fn load(&self, rows: Vec<Row>) -> Result<(), StoreError> {
        self.with(|journal| {
            let raised = |row, to: StoreMeta| if let Row::Meta(row) = row { Row::Meta(to.raised_to(row)) } else { row };
            rows.into_iter().for_each(|row| journal.put(raised(row, journal.meta())));
            Ok(())
        })
    }

    fn sharing(&self) -> Sharing {
        Sharing::Exclusive
    }
}
