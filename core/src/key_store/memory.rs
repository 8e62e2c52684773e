//! A store in memory: the reference model of every other one, and a store for tests.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{KeyStore, Sharing, StoreError};
use crate::model::{
    Announcement, AuditDraft, ChangeId, ChangeSet, Committed, FIRST_LINK, FeedEntry, FeedPage, FeedPosition, Index,
    Merge, Page, Position, Pruned, Record, RecordKey, Revision, Row, StoreMeta, Stored, UnixTime, UsageRow,
};

/// A [`KeyStore`] in memory. Nothing of it outlives the process.
pub struct MemoryStore {
    state: Mutex<State>,
    sharing: Sharing,
}

impl MemoryStore {
    /// An empty store for one authority.
    #[must_use]
    pub fn new() -> Self {
        Self { state: Mutex::default(), sharing: Sharing::Exclusive }
    }

    /// An empty store that several authorities may use, as they would a database server.
    #[must_use]
    pub fn shared() -> Self {
        Self { state: Mutex::default(), sharing: Sharing::Shared }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every method checks first and cannot fail after that, so a poisoned lock still guards a whole state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("sharing", &self.sharing).finish_non_exhaustive()
    }
}

#[async_trait]
impl KeyStore for MemoryStore {
    async fn get(&self, keys: &[RecordKey]) -> Result<Vec<Option<Stored>>, StoreError> {
        let state = self.state();
        Ok(keys.iter().map(|key| state.records.get(&key.to_bytes()).cloned()).collect())
    }

    async fn page(&self, index: &Index, after: Option<&Position>, limit: usize) -> Result<Page, StoreError> {
        Ok(self.state().page(index, after, limit))
    }

    async fn changes(&self, after: FeedPosition, limit: usize) -> Result<FeedPage, StoreError> {
        let state = self.state();
        let entries = state.feed.range((Bound::Excluded(after), Bound::Unbounded)).take(limit);
        Ok(FeedPage {
            entries: entries.map(|(_, entry)| entry.clone()).collect(),
            head: state.meta.feed_head,
            pruned_to: state.meta.pruned_to,
            pruned_at: state.meta.pruned_at,
        })
    }

    async fn commit(&self, set: ChangeSet) -> Result<Committed, StoreError> {
        self.state().commit(set)
    }

    async fn prune(&self, before: UnixTime, limit: usize) -> Result<Pruned, StoreError> {
        Ok(self.state().prune(before, limit))
    }

    async fn scan(&self, after: Option<&Position>, limit: usize) -> Result<Page, StoreError> {
        Ok(self.state().scan(after, limit))
    }

    async fn load(&self, rows: Vec<Row>) -> Result<(), StoreError> {
        let mut state = self.state();
        rows.into_iter().for_each(|row| state.load(row));
        Ok(())
    }

    fn sharing(&self) -> Sharing {
        self.sharing
    }
}

#[derive(Default)]
struct State {
    /// By the key's bytes.
    records: BTreeMap<Vec<u8>, Stored>,
    /// By the list's bytes and the place in it.
    lists: BTreeMap<Vec<u8>, Listed>,
    feed: BTreeMap<FeedPosition, FeedEntry>,
    changes: BTreeMap<ChangeId, (UnixTime, Committed)>,
    meta: StoreMeta,
}

/// What stands in a list: a record elsewhere, or a row that lives there.
enum Listed {
    Record(Vec<u8>),
    Row(Box<Row>),
}

impl State {
    fn commit(&mut self, set: ChangeSet) -> Result<Committed, StoreError> {
        if let Some((_, first)) = self.changes.get(&set.id) {
            return Ok(first.clone());
        }
        self.check(&set)?;
        let revision = Revision(set.id);
        for record in set.insert.into_iter().chain(set.update) {
            self.put(Stored { record, revision });
        }
        set.remove.iter().for_each(|key| self.remove(&key.to_bytes()));
        set.merge.into_iter().for_each(|merge| self.merge(merge, revision));
        self.meta.pruned_at = set.pruned_at.unwrap_or(self.meta.pruned_at);
        let announced =
            set.feed.into_iter().map(|(announcement, ends_at)| self.announce(set.at, announcement, ends_at));
        let feed = announced.last();
        let audit = set.audit.into_iter().map(|draft| self.link(draft)).collect();
        let committed = Committed { id: set.id, feed, audit };
        self.changes.insert(set.id, (set.at, committed.clone()));
        Ok(committed)
    }

    fn check(&self, set: &ChangeSet) -> Result<(), StoreError> {
        let exists = |key: &RecordKey| self.records.contains_key(&key.to_bytes());
        let as_read = set.expect.iter().all(|expected| {
            self.records.get(&expected.key.to_bytes()).map(|stored| stored.revision) == expected.revision
        });
        let good = as_read
            && !set.insert.iter().any(|record| exists(&record.key()))
            && set.update.iter().all(|record| exists(&record.key()))
            && set.remove.iter().all(exists);
        if good { Ok(()) } else { Err(StoreError::Conflict) }
    }

    /// Writes a record, and moves it in its list where its place changed.
    fn put(&mut self, stored: Stored) {
        let key = stored.record.key().to_bytes();
        self.remove(&key);
        if let Some((index, position)) = Index::of_record(&stored.record) {
            self.lists.insert(place(&index, &position), Listed::Record(key.clone()));
        }
        self.records.insert(key, stored);
    }

    fn remove(&mut self, key: &[u8]) {
        let removed = self.records.remove(key);
        if let Some((index, position)) = removed.and_then(|stored| Index::of_record(&stored.record)) {
            self.lists.remove(&place(&index, &position));
        }
    }

    fn merge(&mut self, merge: Merge, revision: Revision) {
        match merge {
            Merge::Usage(mut row) => {
                let place = place_of_usage(&row);
                if let Some(Listed::Row(held)) = self.lists.get(&place)
                    && let Row::Usage(held) = &**held
                {
                    row.counts = row.counts.plus(held.counts);
                }
                self.lists.insert(place, Listed::Row(Box::new(Row::Usage(row))));
            }
            Merge::LastUsed(activity) => {
                let record = Record::KeyActivity(activity.clone());
                match self.records.get_mut(&record.key().to_bytes()) {
                    Some(Stored { record: Record::KeyActivity(held), .. }) => {
                        held.last_used_at = held.last_used_at.max(activity.last_used_at);
                    }
                    _ => self.put(Stored { record, revision }),
                }
            }
        }
    }

    fn announce(&mut self, at: UnixTime, announcement: Announcement, ends_at: UnixTime) -> FeedPosition {
        let position = FeedPosition(self.meta.feed_head.0 + 1);
        self.meta.feed_head = position;
        self.feed.insert(position, FeedEntry { position, at, ends_at, announcement });
        position
    }

    fn link(&mut self, draft: AuditDraft) -> u64 {
        let index = Index::Audit(draft.chain.clone());
        // The list is newest first, so its first row is the chain's head.
        let (number, link) = match self.page(&index, None, 1).rows.pop() {
            Some(Row::Audit(head)) => (head.number + 1, head.link),
            _ => (1, FIRST_LINK),
        };
        let event = draft.link(number, &link);
        self.lists.insert(place(&index, &Position::of_audit(number)), Listed::Row(Box::new(Row::Audit(event))));
        number
    }

    fn page(&self, index: &Index, after: Option<&Position>, limit: usize) -> Page {
        let list = index.to_bytes();
        let start = match after {
            Some(position) => Bound::Excluded(place(index, position)),
            None => Bound::Included(list.clone()),
        };
        let listed = self.lists.range::<Vec<u8>, _>((start, Bound::Unbounded));
        let rows = listed.map_while(|(place, listed)| {
            let position = place.strip_prefix(&*list)?.to_vec();
            match listed {
                Listed::Record(key) => Some((position, Row::Record(self.records.get(key)?.clone()))),
                Listed::Row(row) => Some((position, (**row).clone())),
            }
        });
        first_of(rows, limit)
    }

    fn prune(&mut self, before: UnixTime, limit: usize) -> Pruned {
        self.meta.pruned_at = self.meta.pruned_at.max(before);
        // One more than may go shows whether there is more.
        let mut left = limit.saturating_add(1);
        let over = |entry: &FeedEntry| entry.ends_at < before;
        let entries: Vec<_> =
            self.feed.values().filter(|entry| over(entry)).map(|entry| entry.position).take(left).collect();
        left -= entries.len();
        let forgotten = |at: UnixTime| at.plus(DAY) < before;
        let changes: Vec<_> =
            self.changes.iter().filter(|(_, (at, _))| forgotten(*at)).map(|(id, _)| *id).take(left).collect();
        left -= changes.len();
        let ended =
            |stored: &Stored| matches!(&stored.record, Record::SandboxRequest(request) if request.ends_at < before);
        let requests: Vec<_> =
            self.records.iter().filter(|(_, stored)| ended(stored)).map(|(key, _)| key.clone()).take(left).collect();
        let found = entries.len() + changes.len() + requests.len();

        let mut room = limit;
        for position in entries.into_iter().take(room) {
            self.feed.remove(&position);
            self.meta.pruned_to = self.meta.pruned_to.max(position);
            room -= 1;
        }
        for id in changes.into_iter().take(room) {
            self.changes.remove(&id);
            room -= 1;
        }
        for key in requests.into_iter().take(room) {
            self.remove(&key);
            room -= 1;
        }
        Pruned { removed: limit - room, more: found > limit }
    }

    fn scan(&self, after: Option<&Position>, limit: usize) -> Page {
        let after = after.map(|position| position.0.as_slice());
        let within = |kind: u8| after_in_kind(after, kind);
        let meta = within(META).map(|_| (vec![META], Row::Meta(self.meta)));
        let meta = meta.filter(|(position, _)| after.is_none_or(|after| after < position.as_slice()));
        let records =
            within(RECORDS).into_iter().flat_map(|start| self.records.range::<Vec<u8>, _>((start, Bound::Unbounded)));
        let lists =
            within(LISTS).into_iter().flat_map(|start| self.lists.range::<Vec<u8>, _>((start, Bound::Unbounded)));
        let rows = lists.filter_map(|(place, listed)| match listed {
            Listed::Record(_) => None,
            Listed::Row(row) => Some((tagged(LISTS, place), (**row).clone())),
        });
        let feed = self.feed.iter().map(|(position, entry)| (tagged(FEED, &position.0.to_be_bytes()), entry));
        let feed = feed.filter(|(position, _)| after.is_none_or(|after| after < position.as_slice()));
        first_of(
            meta.into_iter()
                .chain(records.map(|(key, stored)| (tagged(RECORDS, key), Row::Record(stored.clone()))))
                .chain(rows)
                .chain(feed.map(|(position, entry)| (position, Row::Feed(entry.clone())))),
            limit,
        )
    }

    fn load(&mut self, row: Row) {
        match row {
            Row::Record(stored) => self.put(stored),
            Row::Usage(row) => {
                self.lists.insert(place_of_usage(&row), Listed::Row(Box::new(Row::Usage(row))));
            }
            Row::Audit(event) => {
                let place = place(&Index::Audit(event.chain.clone()), &Position::of_audit(event.number));
                self.lists.insert(place, Listed::Row(Box::new(Row::Audit(event))));
            }
            Row::Feed(entry) => {
                self.meta.feed_head = self.meta.feed_head.max(entry.position);
                self.feed.insert(entry.position, entry);
            }
            // The counters only rise, so it does not matter which row of a copy comes first.
            Row::Meta(meta) => self.meta = self.meta.raised_to(meta),
        }
    }
}

/// The first `limit` of `rows`, and where to go on.
fn first_of(rows: impl Iterator<Item = (Vec<u8>, Row)>, limit: usize) -> Page {
    let mut rows = rows.peekable();
    let mut page = Page::default();
    let mut last = None;
    while page.rows.len() < limit.max(1)
        && let Some((position, row)) = rows.next()
    {
        page.rows.push(row);
        last = Some(Position(position));
    }
    page.next = last.filter(|_| rows.peek().is_some());
    page
}

fn place(index: &Index, position: &Position) -> Vec<u8> {
    let mut place = index.to_bytes();
    place.extend_from_slice(&position.0);
    place
}

fn place_of_usage(row: &UsageRow) -> Vec<u8> {
    place(&Index::Usage(row.developer.clone()), &Position::of_usage(row.day, row.key.as_str()))
}

/// Where the rows of `kind` that come after `after` start; `None` where `after` is past all of them.
fn after_in_kind(after: Option<&[u8]>, kind: u8) -> Option<Bound<Vec<u8>>> {
    match after.and_then(<[u8]>::split_first) {
        Some((&tag, rest)) if tag == kind => Some(Bound::Excluded(rest.to_vec())),
        Some((&tag, _)) if tag > kind => None,
        _ => Some(Bound::Unbounded),
    }
}

fn tagged(kind: u8, key: &[u8]) -> Vec<u8> {
    let mut position = vec![kind];
    position.extend_from_slice(key);
    position
}

/// How long the id of a change is remembered, in seconds.
const DAY: u64 = 86_400;

// The kinds of rows in the order that `scan` gives them.
const META: u8 = 1;
const RECORDS: u8 = 2;
const LISTS: u8 = 3;
const FEED: u8 = 4;
