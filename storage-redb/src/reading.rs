//! Reads, each as of one instant.

use std::ops::Bound;

use latchbook_core::key_store::StoreError;
use latchbook_core::model::{FeedPage, FeedPosition, Index, Page, Position, RecordKey, Row, StoreMeta, Stored};

use crate::tables::{COUNTERS, OpenView, Tree, View};
use crate::transaction::fault;
use latchbook_core::key_store::encoding::decode;

pub(crate) fn get(view: &View, keys: &[RecordKey]) -> Result<Vec<Option<Stored>>, StoreError> {
    keys.iter().map(|key| record(view.records(), &key.to_bytes())).collect()
}

pub(crate) fn page(view: &View, index: &Index, after: Option<&Position>, limit: usize) -> Result<Page, StoreError> {
    let list = index.to_bytes();
    let mut steps = Steps::new(limit);
    match index {
        Index::Audit(_) => {
            steps.take(&view.table(Tree::Audit)?, &list, after, |key, row| decode(key, row).map(Row::Audit))?
        }
        Index::Usage(_) => {
            steps.take(&view.table(Tree::Usage)?, &list, after, |key, row| decode(key, row).map(Row::Usage))?
        }
        _ => {
            steps.take(&view.table(Tree::Lists)?, &list, after, |_, key| {
                let stored = record(view.records(), key)?;
                stored.map(Row::Record).ok_or_else(|| StoreError::corrupt("a list names a record that is not there"))
            })?;
        }
    }
    Ok(steps.page)
}

pub(crate) fn changes(view: &View, after: FeedPosition, limit: usize) -> Result<FeedPage, StoreError> {
    let feed = view.table(Tree::Feed)?;
    let meta = counters(view)?;
    let after = after.0.to_be_bytes();
    let range = feed.range::<&[u8]>((Bound::Excluded(after.as_slice()), Bound::Unbounded)).map_err(fault)?;
    let entries = range.take(limit).map(|row| {
        let (key, row) = row.map_err(fault)?;
        decode(key.value(), row.value())
    });
    Ok(FeedPage {
        entries: entries.collect::<Result<_, _>>()?,
        head: meta.feed_head,
        pruned_to: meta.pruned_to,
        pruned_at: meta.pruned_at,
    })
}

/// The whole store: a row's place is the kind of its tree and its key there.
pub(crate) fn scan(view: &View, after: Option<&Position>, limit: usize) -> Result<Page, StoreError> {
    let mut steps = Steps::new(limit);
    let (kind, key) = match after.map(|position| position.0.split_first()) {
        Some(Some((kind, key))) => (*kind, key),
        _ => (0, [].as_slice()),
    };
    for (place, tree, read) in SCANNED {
        let after = match place.cmp(&kind) {
            std::cmp::Ordering::Less => continue,
            std::cmp::Ordering::Equal => Some(Position(key.to_vec())),
            std::cmp::Ordering::Greater => None,
        };
        // The format's row shares a tree with the counters and is none of the store's rows.
        let list = if tree == Tree::Meta { COUNTERS } else { &[] };
        steps.prefix = vec![place];
        steps.take(&view.table(tree)?, list, after.as_ref(), read)?;
        if steps.is_full() {
            break;
        }
    }
    Ok(steps.page)
}

type ReadRow = fn(&[u8], &[u8]) -> Result<Row, StoreError>;

const SCANNED: [(u8, Tree, ReadRow); 5] = [
    (1, Tree::Records, |key, row| decode(key, row).map(Row::Record)),
    (2, Tree::Usage, |key, row| decode(key, row).map(Row::Usage)),
    (3, Tree::Audit, |key, row| decode(key, row).map(Row::Audit)),
    (4, Tree::Feed, |key, row| decode(key, row).map(Row::Feed)),
    (5, Tree::Meta, |key, row| decode(key, row).map(Row::Meta)),
];

pub(crate) fn counters(view: &View) -> Result<StoreMeta, StoreError> {
    let meta = view.table(Tree::Meta)?;
    let row = meta.get(COUNTERS).map_err(fault)?;
    row.map_or(Ok(StoreMeta::default()), |row| decode(COUNTERS, row.value()))
}

fn record(records: &OpenView, key: &[u8]) -> Result<Option<Stored>, StoreError> {
    let row = records.get(key).map_err(fault)?;
    row.map(|row| decode(key, row.value())).transpose()
}

/// A page that is being filled.
struct Steps {
    page: Page,
    last: Option<Position>,
    limit: usize,
    prefix: Vec<u8>,
}

impl Steps {
    fn new(limit: usize) -> Self {
        Self { page: Page::default(), last: None, limit: limit.max(1), prefix: Vec::new() }
    }

    fn is_full(&self) -> bool {
        self.page.next.is_some()
    }

    /// Adds the rows of `list` after `after`, until the page is full and one more was seen.
    fn take(
        &mut self,
        table: &OpenView,
        list: &[u8],
        after: Option<&Position>,
        read: impl Fn(&[u8], &[u8]) -> Result<Row, StoreError>,
    ) -> Result<(), StoreError> {
        let start = [list, after.map_or([].as_slice(), |position| &position.0)].concat();
        let start = if after.is_some() { Bound::Excluded(&*start) } else { Bound::Included(&*start) };
        for row in table.range::<&[u8]>((start, Bound::Unbounded)).map_err(fault)? {
            let (key, row) = row.map_err(fault)?;
            let Some(place) = key.value().strip_prefix(list) else { break };
            if self.page.rows.len() == self.limit {
                self.page.next = self.last.take();
                break;
            }
            self.page.rows.push(read(key.value(), row.value())?);
            self.last = Some(Position([&self.prefix, place].concat()));
        }
        Ok(())
    }
}
