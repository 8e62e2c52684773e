//! The first trip of a commit: what the set relies on is locked and compared, and the heads of its audit chains locked.

use std::collections::BTreeMap;

use latchbook_core::key_store::StoreError;
use latchbook_core::model::{ChainId, DeveloperRef, Revision};
use tokio_postgres::Row;

use crate::columns::{Columns, Value};
use crate::events::chain_values;
use crate::parts::{Part, all_of};
use crate::records::{Kind, key_values};
use crate::session::Step;
use crate::statements::Statements;
use crate::touched::{Relied, Touched, owner};

/// Number and link of the last event of each chain; `None` where a chain has none.
pub(crate) type Heads<'a> = BTreeMap<&'a ChainId, Option<(u64, [u8; 32])>>;

/// The rows to lock, in the order in which all writers lock them: records, then heads. Those of one statement are one developer's.
pub(crate) struct Locks<'a>(Vec<Vec<Lock<'a>>>);

struct Lock<'a> {
    owner: Option<&'a DeveloperRef>,
    part: &'a Part,
    values: Vec<Value>,
    row: Wanted<'a>,
}

enum Wanted<'a> {
    Revision(Revision),
    Any,
    Head(&'a ChainId),
}

impl<'a> Locks<'a> {
    pub(crate) fn new(statements: &'a Statements, touched: &'a [Touched<'_>], chains: &[&'a ChainId]) -> Self {
        let mut locks = Self(Vec::new());
        for one in touched {
            let Some(sql) = statements.kinds.get(Kind::of(&one.key)) else { continue };
            let row = match one.relied {
                // There is nothing to lock: who inserts waits for whoever inserts the same.
                Relied::Absent => continue,
                Relied::There => Wanted::Any,
                Relied::Revision(read) => Wanted::Revision(read),
            };
            let part = if one.write.is_some() { &sql.own } else { &sql.share };
            locks.put(Lock { owner: owner(&one.key), part, values: key_values(&one.key), row });
        }
        for chain in chains {
            let owner = if let ChainId::Developer(developer) = chain { Some(developer) } else { None };
            let (part, values) = (&statements.lock_head, chain_values(chain));
            locks.put(Lock { owner, part, values, row: Wanted::Head(chain) });
        }
        locks
    }

    fn put(&mut self, lock: Lock<'a>) {
        match self.0.last_mut() {
            Some(group)
                if group.len() < MOST
                    && lock.owner.is_some()
                    && group.iter().all(|other| other.owner == lock.owner) =>
            {
                group.push(lock);
            }
            _ => self.0.push(vec![lock]),
        }
    }

    pub(crate) fn steps(&self) -> impl Iterator<Item = Step<'static>> {
        self.0.iter().map(|group| {
            let sql = all_of(group.iter().map(|lock| (lock.part, lock.values.len())));
            Step::new(sql, group.iter().flat_map(|lock| lock.values.iter().cloned()).collect())
        })
    }

    /// The heads that there are, by what the statements gave; `None` where something that the set relies on is not so.
    pub(crate) fn heads(&self, answers: &[Vec<Row>]) -> Result<Option<Heads<'a>>, StoreError> {
        let mut heads = Heads::new();
        for (group, rows) in self.0.iter().zip(answers) {
            let mut found = vec![None; group.len()];
            for row in rows {
                let mut columns = Columns::of(row);
                let number = usize::try_from(columns.int()?).unwrap_or(usize::MAX);
                if let Some(place) = found.get_mut(number) {
                    *place = Some((columns.maybe_int()?, columns.bytes()?));
                }
            }
            for (lock, found) in group.iter().zip(found) {
                let is_met = match lock.row {
                    Wanted::Revision(read) => found.is_some_and(|(_, held)| held == read.0.as_bytes()),
                    Wanted::Any => found.is_some(),
                    Wanted::Head(chain) => {
                        heads.insert(chain, found.map(head).transpose()?);
                        true
                    }
                };
                if !is_met {
                    return Ok(None);
                }
            }
        }
        Ok(Some(heads))
    }
}

fn head((number, link): (Option<u64>, &[u8])) -> Result<(u64, [u8; 32]), StoreError> {
    match (number, link.try_into()) {
        (Some(number), Ok(link)) => Ok((number, link)),
        _ => Err(StoreError::corrupt("the head of an audit chain is damaged")),
    }
}

/// How many rows one statement locks at most, so that there are not too many different statements.
const MOST: usize = 4;
