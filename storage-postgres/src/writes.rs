//! The second trip of a commit: all that the set writes, in few statements.

use std::collections::BTreeMap;

use latchbook_core::model::{
    ChainId, ChangeSet, Committed, FeedEntry, FeedPosition, Index, KeyActivity, Merge, Position, Record, UsageRow,
};

use crate::columns::Value;
use crate::events::{audit_values, chain_values, feed_values, usage_place, usage_values};
use crate::parts::{Part, together};
use crate::records::{KINDS, Kind, key_values, record_values};
use crate::session::Step;
use crate::statements::Statements;
use crate::touched::{Relied, Touched, Write, owner};

/// Statements that write. Those of developers' tables, and the row of the set's id, are put together as long as they are
/// of different tables; the others, which a server that is spread over machines may keep elsewhere, stand alone.
pub(crate) struct Writes<'s> {
    statements: &'s Statements,
    steps: Vec<Step<'s>>,
    group: Vec<(&'static str, &'s Part, Vec<Value>)>,
}

impl<'s> Writes<'s> {
    pub(crate) fn new(statements: &'s Statements) -> Self {
        Self { statements, steps: Vec::new(), group: Vec::new() }
    }

    /// The records. Where one is there that must not be, the server refuses its row, and with it the transaction, though
    /// the order to commit is on its way.
    pub(crate) fn records(&mut self, set: &ChangeSet, touched: &[Touched<'_>]) {
        let revision = Value::bytes(set.id.as_bytes());
        for one in touched {
            let number = Kind::of(&one.key);
            let (Some(sql), Some(kind)) = (self.statements.kinds.get(number), KINDS.get(number)) else { continue };
            let mut put = |part, mut values: Vec<Value>, revision: Option<&Value>| {
                values.extend(revision.cloned());
                if owner(&one.key).is_some() { self.put(kind.table, part, values) } else { self.alone(part, values) }
            };
            match (one.write, one.relied) {
                (Some(Write::Insert(record)), _) => put(&sql.insert, record_values(record), Some(&revision)),
                (Some(Write::Update(record)), _) => put(&sql.update, record_values(record), Some(&revision)),
                (Some(Write::Remove), _) => put(&sql.remove, key_values(&one.key), None),
                // A row that is not there cannot be locked. One that is made and removed again can: whoever would make it
                // waits for the end of this transaction.
                (None, Relied::Absent) => {
                    put(&sql.insert, kind.placeholder(&one.key), Some(&revision));
                    put(&sql.remove, key_values(&one.key), None);
                }
                (None, Relied::There | Relied::Revision(_)) => {}
            }
        }
    }

    /// The merges, those of one row as one, in the order of their rows.
    pub(crate) fn merges(&mut self, set: &ChangeSet) {
        let mut counts: BTreeMap<(Vec<u8>, Position), UsageRow> = BTreeMap::new();
        let mut uses: BTreeMap<Vec<u8>, KeyActivity> = BTreeMap::new();
        for merge in &set.merge {
            match merge {
                Merge::Usage(row) => {
                    let place = (Index::Usage(row.developer.clone()).to_bytes(), usage_place(row));
                    let sum = counts.get(&place).map_or(row.counts, |other| other.counts.plus(row.counts));
                    counts.insert(place, UsageRow { counts: sum, ..row.clone() });
                }
                Merge::LastUsed(activity) => {
                    let key = Record::KeyActivity(activity.clone()).key().to_bytes();
                    let last = uses.entry(key).or_insert_with(|| activity.clone());
                    last.last_used_at = last.last_used_at.max(activity.last_used_at);
                }
            }
        }
        for activity in uses.into_values() {
            let mut values = record_values(&Record::KeyActivity(activity));
            values.push(Value::bytes(set.id.as_bytes()));
            self.put("key_activity", &self.statements.merge_activity, values);
        }
        for row in counts.values() {
            self.put("usage", &self.statements.merge_usage, usage_values(row));
        }
    }

    /// The audit events, linked to the `heads`, which move to them; and the events' numbers.
    pub(crate) fn events(&mut self, set: &ChangeSet, mut heads: BTreeMap<&ChainId, (u64, [u8; 32])>) -> Vec<u64> {
        let mut numbers = Vec::with_capacity(set.audit.len());
        for draft in &set.audit {
            // INVARIANT: `heads` are those of the drafts' chains, locked.
            let Some(head) = heads.get_mut(&draft.chain) else { continue };
            let event = draft.clone().link(head.0.saturating_add(1), &head.1);
            *head = (event.number, event.link);
            numbers.push(event.number);
            self.put(AUDIT_EVENTS, &self.statements.insert_audit, audit_values(&event));
        }
        for (chain, (number, link)) in heads {
            let mut values = chain_values(chain);
            values.extend([Value::int(number), Value::bytes(link)]);
            self.put("audit_heads", &self.statements.move_head, values);
        }
        numbers
    }

    /// The announcements, of which the last has the position `last`.
    pub(crate) fn announcements(&mut self, set: &ChangeSet, last: FeedPosition) {
        let first = last.0.saturating_sub(set.feed.len() as u64) + 1;
        for (position, (announcement, ends_at)) in (first..).zip(&set.feed) {
            let (position, announcement) = (FeedPosition(position), announcement.clone());
            let entry = FeedEntry { position, at: set.at, ends_at: *ends_at, announcement };
            self.alone(&self.statements.insert_feed, feed_values(&entry));
        }
    }

    /// The statements, and among them the row by which the answer is found again. Where the id is there already, the server
    /// refuses all.
    pub(crate) fn finish(mut self, set: &ChangeSet, done: &Committed) -> Vec<Step<'s>> {
        let values = vec![
            Value::bytes(done.id.as_bytes()),
            Value::at(set.at),
            Value::maybe(done.feed, |position| Value::int(position.0)),
            Value::Ints(done.audit.iter().map(|number| i64::try_from(*number).unwrap_or(i64::MAX)).collect()),
        ];
        self.put("changes", &self.statements.insert_change, values);
        self.flush();
        self.steps
    }

    fn put(&mut self, table: &'static str, part: &'s Part, values: Vec<Value>) {
        if self.group.iter().any(|(other, ..)| *other == table) {
            self.flush();
        }
        self.group.push((table, part, values));
    }

    fn alone(&mut self, part: &'s Part, values: Vec<Value>) {
        self.steps.push(Step::new(part.text(), values));
    }

    fn flush(&mut self) {
        let group = std::mem::take(&mut self.group);
        let sql = together(group.iter().map(|(_, part, values)| (*part, values.len())));
        self.steps.push(Step::new(sql, group.into_iter().flat_map(|(.., values)| values).collect()));
    }
}

/// Tables in which a row that is there already is damage, and no lost race: their numbers are given under a lock.
pub(crate) const NUMBERED: [&str; 2] = [AUDIT_EVENTS, "feed"];
const AUDIT_EVENTS: &str = "audit_events";
