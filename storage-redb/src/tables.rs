//! The trees of a store file, and what is written to them at once.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};

use latchbook_core::key_store::StoreError;
use redb::{
    Database, ReadTransaction, ReadableDatabase as _, ReadableTable as _, Table, TableDefinition, TableError,
    WriteTransaction,
};

use crate::transaction::fault;

/// One of the trees: bytes to bytes, so that no type of redb's is part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tree {
    /// The format's row, and the counters.
    Meta,
    /// A record's key -> the record and its revision.
    Records,
    /// A list and a place in it -> the record's key.
    Lists,
    /// A chain's list and a place in it -> the event.
    Audit,
    /// A chain's list -> number and link of its last event.
    Heads,
    /// A position -> the announcement there.
    Feed,
    /// A developer's list and a place in it -> the counts.
    Usage,
    /// A change's id -> what was answered.
    Changes,
    /// What can be pruned, the instant first -> nothing.
    Endings,
}

pub(crate) type Definition = TableDefinition<'static, &'static [u8], &'static [u8]>;
type Open<'txn> = Table<'txn, &'static [u8], &'static [u8]>;

impl Tree {
    pub(crate) fn definition(self) -> Definition {
        TableDefinition::new(match self {
            Self::Meta => "latchbook.meta",
            Self::Records => "latchbook.records",
            Self::Lists => "latchbook.lists",
            Self::Audit => "latchbook.audit",
            Self::Heads => "latchbook.heads",
            Self::Feed => "latchbook.feed",
            Self::Usage => "latchbook.usage",
            Self::Changes => "latchbook.changes",
            Self::Endings => "latchbook.endings",
        })
    }
}

/// The counters' row in [`Tree::Meta`].
pub(crate) const COUNTERS: &[u8] = b"counters";

/// Every tree, open in one write transaction.
pub(crate) struct Tables<'txn> {
    meta: Open<'txn>,
    records: Open<'txn>,
    lists: Open<'txn>,
    audit: Open<'txn>,
    heads: Open<'txn>,
    feed: Open<'txn>,
    usage: Open<'txn>,
    changes: Open<'txn>,
    endings: Open<'txn>,
}

/// What a change writes: a row, or `None` where one goes.
pub(crate) type Writes = BTreeMap<(Tree, Vec<u8>), Option<Vec<u8>>>;

impl<'txn> Tables<'txn> {
    pub(crate) fn open(transaction: &'txn WriteTransaction) -> Result<Self, TableError> {
        let open = |tree: Tree| transaction.open_table(tree.definition());
        Ok(Self {
            meta: open(Tree::Meta)?,
            records: open(Tree::Records)?,
            lists: open(Tree::Lists)?,
            audit: open(Tree::Audit)?,
            heads: open(Tree::Heads)?,
            feed: open(Tree::Feed)?,
            usage: open(Tree::Usage)?,
            changes: open(Tree::Changes)?,
            endings: open(Tree::Endings)?,
        })
    }

    /// What `read` makes of the row under `key`.
    pub(crate) fn read<T>(
        &self,
        tree: Tree,
        key: &[u8],
        read: impl FnOnce(&[u8]) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        self.table(tree).get(key).map_err(fault)?.map(|row| read(row.value())).transpose()
    }

    /// At most `limit` keys from `start` up to, but not at, `end`.
    pub(crate) fn keys(&self, tree: Tree, start: &[u8], end: &[u8], limit: usize) -> Result<Vec<Vec<u8>>, StoreError> {
        let range = self.table(tree).range::<&[u8]>((Bound::Included(start), Bound::Excluded(end))).map_err(fault)?;
        range.take(limit).map(|row| row.map(|(key, _)| key.value().to_vec()).map_err(fault)).collect()
    }

    pub(crate) fn write(&mut self, writes: &Writes) -> Result<(), StoreError> {
        for ((tree, key), row) in writes {
            let table = self.table_mut(*tree);
            match row {
                Some(row) => drop(table.insert(key.as_slice(), row.as_slice()).map_err(fault)?),
                None => drop(table.remove(key.as_slice()).map_err(fault)?),
            }
        }
        Ok(())
    }

    fn table(&self, tree: Tree) -> &Open<'txn> {
        match tree {
            Tree::Meta => &self.meta,
            Tree::Records => &self.records,
            Tree::Lists => &self.lists,
            Tree::Audit => &self.audit,
            Tree::Heads => &self.heads,
            Tree::Feed => &self.feed,
            Tree::Usage => &self.usage,
            Tree::Changes => &self.changes,
            Tree::Endings => &self.endings,
        }
    }

    fn table_mut(&mut self, tree: Tree) -> &mut Open<'txn> {
        match tree {
            Tree::Meta => &mut self.meta,
            Tree::Records => &mut self.records,
            Tree::Lists => &mut self.lists,
            Tree::Audit => &mut self.audit,
            Tree::Heads => &mut self.heads,
            Tree::Feed => &mut self.feed,
            Tree::Usage => &mut self.usage,
            Tree::Changes => &mut self.changes,
            Tree::Endings => &mut self.endings,
        }
    }
}

/// The trees as of one instant: the records at hand, the others opened when they are asked for.
pub(crate) struct View {
    transaction: ReadTransaction,
    records: OpenView,
}

pub(crate) type OpenView = redb::ReadOnlyTable<&'static [u8], &'static [u8]>;

impl View {
    pub(crate) fn begin(database: &Database) -> Result<Self, StoreError> {
        let transaction = database.begin_read().map_err(fault)?;
        let records = transaction.open_table(Tree::Records.definition()).map_err(fault)?;
        Ok(Self { transaction, records })
    }

    /// What `read` finds. A damaged page can make redb panic; whoever reads gets an error for it.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Self) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let found = catch_unwind(AssertUnwindSafe(|| read(self)));
        found.unwrap_or_else(|_| Err(StoreError::corrupt("a page of the database is damaged")))
    }

    pub(crate) fn records(&self) -> &OpenView {
        &self.records
    }

    pub(crate) fn table(&self, tree: Tree) -> Result<OpenView, StoreError> {
        self.transaction.open_table(tree.definition()).map_err(fault)
    }
}
