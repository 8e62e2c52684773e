//! What a set has to do with each record: what it relies on, and what it writes.

use std::collections::BTreeMap;

use latchbook_core::model::{ChainId, ChangeSet, DeveloperRef, Record, RecordKey, Revision};

/// A record that a set names.
pub(crate) struct Touched<'a> {
    pub(crate) key: RecordKey,
    pub(crate) relied: Relied,
    pub(crate) write: Option<Write<'a>>,
}

/// What must be so of a record, or the set is lost.
#[derive(Clone, Copy)]
pub(crate) enum Relied {
    Absent,
    There,
    Revision(Revision),
}

#[derive(Clone, Copy)]
pub(crate) enum Write<'a> {
    Insert(&'a Record),
    Update(&'a Record),
    Remove,
}

/// The records of `set` in the order of their keys: in that order all writers lock them. `None` where what is expected of
/// one contradicts itself, or rules out what is written.
pub(crate) fn touched(set: &ChangeSet) -> Option<Vec<Touched<'_>>> {
    let mut named = BTreeMap::new();
    for expected in &set.expect {
        let one = name(&mut named, expected.key.clone());
        if one.expected.is_some_and(|other| other != expected.revision) {
            return None;
        }
        one.expected = Some(expected.revision);
    }
    for record in &set.insert {
        name(&mut named, record.key()).write = Some(Write::Insert(record));
    }
    for record in &set.update {
        name(&mut named, record.key()).write = Some(Write::Update(record));
    }
    for key in &set.remove {
        name(&mut named, key.clone()).write = Some(Write::Remove);
    }
    named.into_values().map(Named::touched).collect()
}

struct Named<'a> {
    key: RecordKey,
    expected: Option<Option<Revision>>,
    write: Option<Write<'a>>,
}

fn name<'m, 'a>(named: &'m mut BTreeMap<Vec<u8>, Named<'a>>, key: RecordKey) -> &'m mut Named<'a> {
    named.entry(key.to_bytes()).or_insert(Named { key, expected: None, write: None })
}

impl<'a> Named<'a> {
    fn touched(self) -> Option<Touched<'a>> {
        let relied = match (self.write, self.expected) {
            (Some(Write::Insert(_)) | None, None | Some(None)) => Relied::Absent,
            (Some(Write::Update(_) | Write::Remove), None) => Relied::There,
            (Some(Write::Update(_) | Write::Remove) | None, Some(Some(read))) => Relied::Revision(read),
            (Some(Write::Insert(_)), Some(Some(_))) | (Some(Write::Update(_) | Write::Remove), Some(None)) => {
                return None;
            }
        };
        Some(Touched { key: self.key, relied, write: self.write })
    }
}

/// The developer that a record belongs to. A server that is spread over machines keeps what is one developer's together.
pub(crate) fn owner(key: &RecordKey) -> Option<&DeveloperRef> {
    match key {
        RecordKey::Developer(developer)
        | RecordKey::ApiKey(developer, _)
        | RecordKey::KeyActivity(developer, _)
        | RecordKey::Sandbox(developer) => Some(developer),
        RecordKey::Entity(entity) => Some(&entity.developer),
        RecordKey::Settings | RecordKey::SigningKey(..) | RecordKey::Pepper(_) | RecordKey::SandboxRequest(..) => None,
    }
}

/// The chains that get events, each once, in the order in which all writers lock them.
pub(crate) fn chains(set: &ChangeSet) -> Vec<&ChainId> {
    let mut chains: Vec<_> = set.audit.iter().map(|draft| &draft.chain).collect();
    chains.sort_unstable();
    chains.dedup();
    chains
}
