//! redb, and the store on it.

use std::collections::HashMap;
use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_executor::block_on;
use latchbook::RedbStore;
use latchbook::key_store::encoding::encode;
use latchbook::model::{
    ChainId, ChangeSet, Committed, FIRST_LINK, Index, Position, RecordKey, Revision, Stored, UnixTime,
};
use redb::{Database, Durability, ReadableDatabase as _, ReadableTable as _, TableDefinition, TableHandle as _};

use crate::data;
use crate::engine::Engine;
use crate::{Failure, fill};

pub struct Redb {
    store: Arc<RedbStore>,
    path: PathBuf,
    bare: Database,
}

type Table = TableDefinition<'static, &'static [u8], &'static [u8]>;

const RECORDS: Table = TableDefinition::new("latchbook.records");
const LISTS: Table = TableDefinition::new("latchbook.lists");
const AUDIT: Table = TableDefinition::new("latchbook.audit");
const HEADS: Table = TableDefinition::new("latchbook.heads");
const CHANGES: Table = TableDefinition::new("latchbook.changes");
const ENDINGS: Table = TableDefinition::new("latchbook.endings");

impl Engine for Redb {
    type Store = RedbStore;
    type Rows = Vec<(Table, Vec<u8>, Vec<u8>)>;
    const NAME: &'static str = "redb";
    const BATCHES: bool = true;

    fn filled(folder: &Path, keys: u64) -> Result<Self, Failure> {
        let path = folder.join(format!("{keys}.redb"));
        if !path.exists() {
            let unfinished = folder.join("unfinished.redb");
            let _ = fs::remove_file(&unfinished);
            block_on(fill(&RedbStore::builder(&unfinished).timeout(PATIENCE).open()?, keys))?;
            fs::rename(&unfinished, &path)?;
        }
        // Only one may have a file open, so the engine alone gets a copy.
        let copy = folder.join("bare.redb");
        fs::copy(&path, &copy)?;
        let store = Arc::new(RedbStore::builder(&path).timeout(PATIENCE).open()?);
        Ok(Self { store, path, bare: Database::builder().set_cache_size(CACHE).open(&copy)? })
    }

    fn store(&self) -> &Arc<RedbStore> {
        &self.store
    }

    fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        block_on(future)
    }

    fn read_bare(&self, names: &[RecordKey]) -> Result<(), Failure> {
        for name in names {
            let name = name.to_bytes();
            let transaction = self.bare.begin_read()?;
            let row = transaction.open_table(RECORDS)?.get(name.as_slice())?.map(|row| row.value().to_vec());
            std::hint::black_box(row.ok_or("a key is missing")?);
        }
        Ok(())
    }

    fn rows(&self, sets: Vec<ChangeSet>) -> Result<Vec<Self::Rows>, Failure> {
        let mut heads = HashMap::<ChainId, (u64, [u8; 32])>::new();
        let mut rows = Vec::with_capacity(sets.len());
        for mut set in sets {
            let mut own: Self::Rows = Vec::with_capacity(6);
            for record in set.insert.drain(..) {
                let stored = Stored { record, revision: Revision(set.id) };
                let key = stored.record.key().to_bytes();
                let (index, place) = Index::of_record(&stored.record).ok_or("a key stands in a list")?;
                own.push((LISTS, [index.to_bytes(), place.0].concat(), key.clone()));
                own.push((RECORDS, key.clone(), encode(&key, &stored)));
            }
            let mut numbers = Vec::new();
            for draft in set.audit.drain(..) {
                let chain = draft.chain.clone();
                let (number, head) = heads.get(&chain).copied().unwrap_or((0, FIRST_LINK));
                let event = draft.link(number + 1, &head);
                let list = Index::Audit(chain.clone()).to_bytes();
                let head = (event.number, event.link);
                heads.insert(chain, head);
                own.push((HEADS, list.clone(), encode(&list, &head)));
                let place = [list, Position::of_audit(event.number).0].concat();
                own.push((AUDIT, place.clone(), encode(&place, &event)));
                numbers.push(event.number);
            }
            let id = set.id.as_bytes().to_vec();
            let committed: (UnixTime, Committed) = (set.at, Committed { id: set.id, feed: None, audit: numbers });
            own.push((CHANGES, id.clone(), encode(&id, &committed)));
            own.push((ENDINGS, [[2].as_slice(), &set.at.seconds().to_be_bytes(), &id].concat(), Vec::new()));
            rows.push(own);
        }
        Ok(rows)
    }

    fn write_bare(&self, batches: Vec<Vec<Self::Rows>>) -> Result<(), Failure> {
        for batch in batches {
            let mut transaction = self.bare.begin_write()?;
            transaction.set_durability(Durability::Immediate)?;
            transaction.set_two_phase_commit(true);
            transaction.set_quick_repair(true);
            {
                let open = |table: Table| transaction.open_table(table).map(|open| (table.name().to_owned(), open));
                let tables = [LISTS, RECORDS, HEADS, AUDIT, CHANGES, ENDINGS].map(open);
                let mut tables = tables.into_iter().collect::<Result<HashMap<_, _>, _>>()?;
                for (table, key, row) in batch.iter().flatten() {
                    let table = tables.get_mut(table.name()).ok_or("no such table")?;
                    table.insert(key.as_slice(), row.as_slice())?;
                }
            }
            transaction.commit()?;
        }
        Ok(())
    }

    fn disk(&self, folder: &Path) -> Result<(u64, u64), Failure> {
        let path = folder.join("disk.redb");
        let _ = fs::remove_file(&path);
        let copy = Database::builder().set_cache_size(CACHE).create(&path)?;
        let read = self.bare.begin_read()?;
        for handle in read.list_tables()? {
            let name = handle.name().to_owned();
            let mut rows = Vec::new();
            for row in read.open_table(table(&name))?.iter()? {
                let (key, row) = row?;
                rows.push((key.value().to_vec(), row.value().to_vec()));
            }
            // In no order of the key, as keys are made.
            rows.sort_by_key(|(key, _)| {
                data::scattered(key.iter().fold(7, |sum, byte| sum * 31 % (1 << 40) + u64::from(*byte)), 1)
            });
            for rows in rows.chunks(5_000) {
                let write = copy.begin_write()?;
                {
                    let mut to = write.open_table(table(&name))?;
                    for (key, row) in rows {
                        to.insert(key.as_slice(), row.as_slice())?;
                    }
                }
                write.commit()?;
            }
        }
        drop(copy);
        let sizes = (fs::metadata(&path)?.len(), fs::metadata(&self.path)?.len());
        fs::remove_file(&path)?;
        Ok(sizes)
    }
}

fn table(name: &str) -> TableDefinition<'_, &'static [u8], &'static [u8]> {
    TableDefinition::new(name)
}

/// As the store has it.
const CACHE: usize = 256 * 1024 * 1024;
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);
