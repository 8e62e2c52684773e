//! What a change writes, inside a transaction of the caller's.

use latchbook_core::key_store::StoreError;
use latchbook_core::model::{
    AuditDraft, AuditEvent, ChangeSet, Committed, FIRST_LINK, FeedEntry, FeedPosition, Merge, Pruned, Record,
    RecordKey, Revision, Row, Stored, UnixTime, UsageRow,
};
use rusqlite::Connection;

use crate::cells::{Cell as _, ordered};
use crate::connection::fault;
use crate::rows::{self, Chain, Change, Counters, ONLY, owner_of};
use crate::tables::{self, Tabled as _, find, insert, put};

/// Does `set`. [`StoreError::Conflict`] is found before any row is written.
pub(crate) fn commit(db: &Connection, set: &ChangeSet) -> Result<Committed, StoreError> {
    if let Some(Change { committed, .. }) = find(db, &[set.id.write()])? {
        return Ok(committed);
    }
    check(db, set)?;
    let revision = Revision(set.id);
    for record in &set.insert {
        rows::insert(db, record, revision)?;
    }
    for record in &set.update {
        rows::put(db, record, revision)?;
    }
    for key in &set.remove {
        rows::remove(db, key)?;
    }
    for merge in &set.merge {
        merged(db, merge, revision)?;
    }
    let feed = announce(db, set)?;
    let audit = set.audit.iter().map(|draft| link(db, draft.clone())).collect::<Result<_, _>>()?;
    let committed = Committed { id: set.id, feed, audit };
    let change = Change { at: set.at, committed };
    insert(db, &change)?;
    Ok(change.committed)
}

/// Does one step of pruning.
pub(crate) fn prune(db: &Connection, before: UnixTime, limit: usize) -> Result<Pruned, StoreError> {
    let mut counters = counters(db)?;
    let meta = &mut counters.meta;
    meta.pruned_at = meta.pruned_at.max(before);
    let mut step = Step { removed: 0, limit, more: false };
    let entries = "SELECT position FROM feed WHERE ends_at < ?1 ORDER BY ends_at, position LIMIT ?2";
    for position in step.ended::<i64>(db, entries, before)? {
        let position = FeedPosition(position.cast_unsigned());
        tables::remove(db, FeedEntry::table(), &[position.write()])?;
        meta.pruned_to = meta.pruned_to.max(position);
    }
    let ids = "SELECT id FROM changes WHERE at < ?1 ORDER BY at, id LIMIT ?2";
    for id in step.ended::<String>(db, ids, before.minus(DAY))? {
        tables::remove(db, Change::table(), &[id.write()])?;
    }
    let requests = "SELECT place FROM sandbox_requests WHERE ends_at < ?1 ORDER BY ends_at, place LIMIT ?2";
    for place in step.ended::<Vec<u8>>(db, requests, before)? {
        let mut gone = db.prepare_cached("DELETE FROM sandbox_requests WHERE ends_at < ?1 AND place = ?2");
        gone.as_mut().map_or(Ok(0), |gone| gone.execute((ordered(before.seconds()), place))).map_err(fault)?;
    }
    put(db, &counters)?;
    Ok(Pruned { removed: step.removed, more: step.more })
}

struct Step {
    removed: usize,
    limit: usize,
    more: bool,
}

impl Step {
    /// What `sql` finds to have ended before `before`, as far as the limit still allows.
    fn ended<T: rusqlite::types::FromSql>(
        &mut self,
        db: &Connection,
        sql: &str,
        before: UnixTime,
    ) -> Result<Vec<T>, StoreError> {
        let room = self.limit.saturating_sub(self.removed);
        // One more than may go shows whether there is more.
        let asked = ordered(room.saturating_add(1) as u64);
        let mut statement = db.prepare_cached(sql).map_err(fault)?;
        let found = statement.query_map((ordered(before.seconds()), asked), |row| row.get(0)).map_err(fault)?;
        let mut found = found.collect::<Result<Vec<T>, _>>().map_err(fault)?;
        self.more |= found.len() > room;
        found.truncate(room);
        self.removed += found.len();
        Ok(found)
    }
}

/// Writes rows that another store's `scan` gave.
pub(crate) fn load(db: &Connection, rows: &[Row]) -> Result<(), StoreError> {
    let mut counters = counters(db)?;
    for row in rows {
        match row {
            Row::Record(Stored { record, revision }) => rows::put(db, record, *revision)?,
            Row::Usage(row) => put(db, row)?,
            Row::Audit(event) => load_event(db, event)?,
            Row::Feed(entry) => {
                counters.meta.feed_head = counters.meta.feed_head.max(entry.position);
                counters.feed_loaded_to = counters.feed_loaded_to.max(entry.position);
                put(db, entry)?;
            }
            // The counters only rise, so it does not matter which row of a copy comes first.
            Row::Meta(loaded) => {
                counters.meta = counters.meta.raised_to(*loaded);
                counters.feed_loaded_to = counters.feed_loaded_to.max(loaded.feed_head);
            }
        }
    }
    put(db, &counters)
}

fn load_event(db: &Connection, event: &AuditEvent) -> Result<(), StoreError> {
    let chain: Option<Chain> = find(db, &owner_of(&event.chain))?;
    if chain.is_none_or(|chain| chain.events <= event.number) {
        put(db, &Chain { id: event.chain.clone(), events: event.number, head: event.link })?;
    }
    put(db, event)
}

fn check(db: &Connection, set: &ChangeSet) -> Result<(), StoreError> {
    let demand = |met: bool| if met { Ok(()) } else { Err(StoreError::Conflict) };
    for expected in &set.expect {
        demand(rows::revision(db, &expected.key)? == expected.revision)?;
    }
    let there = |key: &RecordKey| rows::revision(db, key).map(|revision| revision.is_some());
    for record in &set.insert {
        demand(!there(&record.key())?)?;
    }
    for record in &set.update {
        demand(there(&record.key())?)?;
    }
    for key in &set.remove {
        demand(there(key)?)?;
    }
    Ok(())
}

fn merged(db: &Connection, merge: &Merge, revision: Revision) -> Result<(), StoreError> {
    match merge {
        Merge::Usage(row) => {
            let held = find::<UsageRow>(db, &row.key())?.map(|held| held.counts).unwrap_or_default();
            put(db, &UsageRow { counts: row.counts.plus(held), ..row.clone() })
        }
        Merge::LastUsed(activity) => {
            let record = Record::KeyActivity(activity.clone());
            match rows::find(db, &record.key())? {
                None => rows::put(db, &record, revision),
                Some(Stored { record: Record::KeyActivity(held), .. })
                    if held.last_used_at >= activity.last_used_at =>
                {
                    Ok(())
                }
                Some(Stored { revision, .. }) => rows::put(db, &record, revision),
            }
        }
    }
}

fn announce(db: &Connection, set: &ChangeSet) -> Result<Option<FeedPosition>, StoreError> {
    if set.feed.is_empty() && set.pruned_at.is_none() {
        return Ok(None);
    }
    let mut counters = counters(db)?;
    counters.meta.pruned_at = set.pruned_at.unwrap_or(counters.meta.pruned_at);
    for (announcement, ends_at) in &set.feed {
        let position = FeedPosition(counters.meta.feed_head.0.saturating_add(1));
        counters.meta.feed_head = position;
        insert(db, &FeedEntry { position, at: set.at, ends_at: *ends_at, announcement: announcement.clone() })?;
    }
    put(db, &counters)?;
    Ok((!set.feed.is_empty()).then_some(counters.meta.feed_head))
}

fn link(db: &Connection, draft: AuditDraft) -> Result<u64, StoreError> {
    let chain: Option<Chain> = find(db, &owner_of(&draft.chain))?;
    let (last, head) = chain.map_or((0, FIRST_LINK), |chain| (chain.events, chain.head));
    let event = draft.link(last.saturating_add(1), &head);
    // The chain first: its events refer to it.
    put(db, &Chain { id: event.chain.clone(), events: event.number, head: event.link })?;
    insert(db, &event)?;
    Ok(event.number)
}

/// The counters; a store without them was damaged.
pub(crate) fn counters(db: &Connection) -> Result<Counters, StoreError> {
    find(db, &[ONLY.write()])?.ok_or_else(|| StoreError::corrupt("the counters are missing"))
}

/// How long the id of a change is remembered, in seconds.
const DAY: u64 = 86_400;
