//! What a change writes, worked out in full before any of it is written.

use latchbook_core::key_store::StoreError;
use latchbook_core::model::{
    Announcement, AuditDraft, ChangeSet, Committed, FIRST_LINK, FeedEntry, FeedPosition, Index, Merge, Position,
    Pruned, Record, RecordKey, Revision, Row, StoreMeta, Stored, UnixTime, UsageRow,
};

use latchbook_core::key_store::encoding::{Coded, decode, decode_first, encode};

use crate::tables::{COUNTERS, Tables, Tree, Writes};

/// What `set` writes and what its caller is told.
pub(crate) fn commit(tables: &Tables<'_>, set: ChangeSet) -> Result<(Writes, Committed), StoreError> {
    let mut draft = Draft::new(tables);
    let id = set.id.as_bytes().to_vec();
    if let Some((_, first)) = draft.row::<(UnixTime, Committed)>(Tree::Changes, &id)? {
        return Ok((Writes::new(), first));
    }
    draft.check(&set)?;
    let revision = Revision(set.id);
    for record in set.insert.into_iter().chain(set.update) {
        draft.put_record(&Stored { record, revision })?;
    }
    for key in &set.remove {
        draft.remove_record(&key.to_bytes())?;
    }
    for merge in set.merge {
        draft.merge(merge, revision)?;
    }
    let feed = draft.announce(set.at, set.feed, set.pruned_at)?;
    let audit = set.audit.into_iter().map(|event| draft.link(event)).collect::<Result<_, _>>()?;
    let committed = Committed { id: set.id, feed, audit };
    draft.mark(&change_ending(set.at, &id));
    draft.put(Tree::Changes, id, &(set.at, committed.clone()));
    Ok((draft.writes, committed))
}

/// What a step of pruning removes.
pub(crate) fn prune(tables: &Tables<'_>, before: UnixTime, limit: usize) -> Result<(Writes, Pruned), StoreError> {
    let mut draft = Draft::new(tables);
    let mut meta = draft.counters()?;
    meta.pruned_at = meta.pruned_at.max(before);
    // One more than may go shows whether there is more.
    let mut found = 0;
    let left = |found: usize| limit.saturating_add(1) - found;

    let end = instant(FEED_ENDING, before);
    let entries = tables.keys(Tree::Endings, &[FEED_ENDING], &end, left(found))?;
    for ending in entries.iter().take(limit) {
        let position = ending.get(1 + 8..).unwrap_or_default();
        let number = position.try_into().map(u64::from_be_bytes).map_err(StoreError::corrupt)?;
        meta.pruned_to = meta.pruned_to.max(FeedPosition(number));
        draft.remove(Tree::Feed, position.to_vec());
        draft.remove(Tree::Endings, ending.clone());
    }
    found += entries.len();

    let end = instant(CHANGE_ENDING, before.minus(DAY));
    let changes = tables.keys(Tree::Endings, &[CHANGE_ENDING], &end, left(found))?;
    for ending in changes.iter().take(limit - found.min(limit)) {
        draft.remove(Tree::Changes, ending.get(1 + 8..).unwrap_or_default().to_vec());
        draft.remove(Tree::Endings, ending.clone());
    }
    found += changes.len();

    let list = Index::SandboxRequestsEnding.to_bytes();
    let end = [list.as_slice(), &before.seconds().to_be_bytes()].concat();
    let requests = tables.keys(Tree::Lists, &list, &end, left(found))?;
    for place in requests.iter().take(limit - found.min(limit)) {
        if let Some(key) = tables.read(Tree::Lists, place, |key| Ok(key.to_vec()))? {
            draft.remove_record(&key)?;
        }
    }
    found += requests.len();

    draft.put(Tree::Meta, COUNTERS.to_vec(), &meta);
    Ok((draft.writes, Pruned { removed: found.min(limit), more: found > limit }))
}

/// What rows of another store's `scan` write.
pub(crate) fn load(tables: &Tables<'_>, rows: Vec<Row>) -> Result<(Writes, ()), StoreError> {
    let mut draft = Draft::new(tables);
    let mut meta = draft.counters()?;
    for row in rows {
        match row {
            Row::Record(stored) => draft.put_record(&stored)?,
            Row::Usage(row) => draft.put(Tree::Usage, place_of_usage(&row), &row),
            Row::Audit(event) => {
                let list = Index::Audit(event.chain.clone()).to_bytes();
                let head = draft.row::<(u64, [u8; 32])>(Tree::Heads, &list)?;
                if head.is_none_or(|(number, _)| number <= event.number) {
                    draft.put(Tree::Heads, list.clone(), &(event.number, event.link));
                }
                draft.put(Tree::Audit, place(&list, &Position::of_audit(event.number)), &event);
            }
            Row::Feed(entry) => {
                meta.feed_head = meta.feed_head.max(entry.position);
                draft.put_entry(&entry)?;
            }
            // The counters only rise, so it does not matter which row of a copy comes first.
            Row::Meta(loaded) => meta = meta.raised_to(loaded),
        }
    }
    draft.put(Tree::Meta, COUNTERS.to_vec(), &meta);
    Ok((draft.writes, ()))
}

/// Rows to be written, read through to those that are there.
struct Draft<'a, 'txn> {
    tables: &'a Tables<'txn>,
    writes: Writes,
}

impl<'a, 'txn> Draft<'a, 'txn> {
    fn new(tables: &'a Tables<'txn>) -> Self {
        Self { tables, writes: Writes::new() }
    }

    fn check(&self, set: &ChangeSet) -> Result<(), StoreError> {
        let demand = |met: bool| if met { Ok(()) } else { Err(StoreError::Conflict) };
        for expected in &set.expect {
            demand(self.revision(&expected.key)? == expected.revision)?;
        }
        for record in &set.insert {
            demand(self.revision(&record.key())?.is_none())?;
        }
        for key in set.update.iter().map(Record::key).chain(set.remove.iter().cloned()) {
            demand(self.revision(&key)?.is_some())?;
        }
        Ok(())
    }

    fn revision(&self, key: &RecordKey) -> Result<Option<Revision>, StoreError> {
        let key = key.to_bytes();
        self.tables.read(Tree::Records, &key, |row| decode_first(&key, row))
    }

    /// Writes a record, and moves it in its list where its place changed.
    fn put_record(&mut self, stored: &Stored) -> Result<(), StoreError> {
        let key = stored.record.key().to_bytes();
        self.remove_record(&key)?;
        if let Some((index, position)) = Index::of_record(&stored.record) {
            self.writes.insert((Tree::Lists, place(&index.to_bytes(), &position)), Some(key.clone()));
        }
        self.put(Tree::Records, key, stored);
        Ok(())
    }

    fn remove_record(&mut self, key: &[u8]) -> Result<(), StoreError> {
        if let Some(held) = self.row::<Stored>(Tree::Records, key)? {
            if let Some((index, position)) = Index::of_record(&held.record) {
                self.remove(Tree::Lists, place(&index.to_bytes(), &position));
            }
            self.remove(Tree::Records, key.to_vec());
        }
        Ok(())
    }

    fn merge(&mut self, merge: Merge, revision: Revision) -> Result<(), StoreError> {
        match merge {
            Merge::Usage(mut row) => {
                let place = place_of_usage(&row);
                if let Some(held) = self.row::<UsageRow>(Tree::Usage, &place)? {
                    row.counts = row.counts.plus(held.counts);
                }
                self.put(Tree::Usage, place, &row);
            }
            Merge::LastUsed(activity) => {
                let at = activity.last_used_at;
                let record = Record::KeyActivity(activity);
                match self.row::<Stored>(Tree::Records, &record.key().to_bytes())? {
                    None => self.put_record(&Stored { record, revision })?,
                    Some(Stored { record: Record::KeyActivity(held), .. }) if held.last_used_at >= at => {}
                    Some(Stored { revision, .. }) => self.put_record(&Stored { record, revision })?,
                }
            }
        }
        Ok(())
    }

    fn announce(
        &mut self,
        at: UnixTime,
        announcements: Vec<(Announcement, UnixTime)>,
        pruned_at: Option<UnixTime>,
    ) -> Result<Option<FeedPosition>, StoreError> {
        let announces = !announcements.is_empty();
        if !announces && pruned_at.is_none() {
            return Ok(None);
        }
        let mut meta = self.counters()?;
        meta.pruned_at = pruned_at.unwrap_or(meta.pruned_at);
        for (announcement, ends_at) in announcements {
            meta.feed_head = FeedPosition(meta.feed_head.0.saturating_add(1));
            self.put_entry(&FeedEntry { position: meta.feed_head, at, ends_at, announcement })?;
        }
        self.put(Tree::Meta, COUNTERS.to_vec(), &meta);
        Ok(announces.then_some(meta.feed_head))
    }

    fn put_entry(&mut self, entry: &FeedEntry) -> Result<(), StoreError> {
        let position = entry.position.0.to_be_bytes().to_vec();
        if let Some(held) = self.row::<FeedEntry>(Tree::Feed, &position)? {
            self.remove(Tree::Endings, feed_ending(&held));
        }
        self.mark(&feed_ending(entry));
        self.put(Tree::Feed, position, entry);
        Ok(())
    }

    fn link(&mut self, draft: AuditDraft) -> Result<u64, StoreError> {
        let list = Index::Audit(draft.chain.clone()).to_bytes();
        let (last, link) = self.row::<(u64, [u8; 32])>(Tree::Heads, &list)?.unwrap_or((0, FIRST_LINK));
        let event = draft.link(last.saturating_add(1), &link);
        self.put(Tree::Audit, place(&list, &Position::of_audit(event.number)), &event);
        self.put(Tree::Heads, list, &(event.number, event.link));
        Ok(event.number)
    }

    fn counters(&self) -> Result<StoreMeta, StoreError> {
        Ok(self.row(Tree::Meta, COUNTERS)?.unwrap_or_default())
    }

    /// A row as this draft leaves it.
    fn row<T: Coded>(&self, tree: Tree, key: &[u8]) -> Result<Option<T>, StoreError> {
        match self.writes.get(&(tree, key.to_vec())) {
            Some(row) => row.as_deref().map(|row| decode(key, row)).transpose(),
            None => self.tables.read(tree, key, |row| decode(key, row)),
        }
    }

    fn put<T: Coded>(&mut self, tree: Tree, key: Vec<u8>, value: &T) {
        let row = encode(&key, value);
        self.writes.insert((tree, key), Some(row));
    }

    fn remove(&mut self, tree: Tree, key: Vec<u8>) {
        self.writes.insert((tree, key), None);
    }

    fn mark(&mut self, ending: &[u8]) {
        self.writes.insert((Tree::Endings, ending.to_vec()), Some(Vec::new()));
    }
}

fn place(list: &[u8], position: &Position) -> Vec<u8> {
    [list, &position.0].concat()
}

fn place_of_usage(row: &UsageRow) -> Vec<u8> {
    place(&Index::Usage(row.developer.clone()).to_bytes(), &Position::of_usage(row.day, row.key.as_str()))
}

fn feed_ending(entry: &FeedEntry) -> Vec<u8> {
    [instant(FEED_ENDING, entry.ends_at).as_slice(), &entry.position.0.to_be_bytes()].concat()
}

fn change_ending(at: UnixTime, id: &[u8]) -> Vec<u8> {
    [instant(CHANGE_ENDING, at).as_slice(), id].concat()
}

fn instant(kind: u8, at: UnixTime) -> Vec<u8> {
    [[kind].as_slice(), &at.seconds().to_be_bytes()].concat()
}

/// How long the id of a change is remembered, in seconds.
const DAY: u64 = 86_400;

const FEED_ENDING: u8 = 1;
const CHANGE_ENDING: u8 = 2;
