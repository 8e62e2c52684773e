//! What a store holds after a kill, held against what its writers were told.

use std::collections::{BTreeMap, BTreeSet};

use latchbook_core::key_store::conformance::samples;
use latchbook_core::key_store::{KeyStore, KeyStoreExt as _, MemoryStore};
use latchbook_core::model::{
    Announcement, AuditAction, AuditEvent, ChainId, FIRST_LINK, FeedPosition, Index, Position, Record, RecordKey,
    Revision, Row, Stored,
};

use super::work::{developers, key_of, making, number_of, revoking};

/// What was acknowledged over all kills, and what was found that must not be.
#[derive(Debug, Default)]
pub struct Tally {
    kills: usize,
    acknowledged: usize,
    /// Keys that there must be: acknowledged, or found after a kill.
    made: BTreeSet<u64>,
    /// Keys that must not live: their end was acknowledged, or found after a kill.
    revoked: BTreeSet<u64>,
    lost: BTreeSet<u64>,
    resurrected: BTreeSet<u64>,
    half_made: Vec<String>,
}

/// Everything that is stored of one key.
#[derive(Debug, Default, PartialEq, Eq)]
struct Traces {
    /// Whether it lives, where there is a record.
    key: Option<bool>,
    entities: u32,
    creations: u32,
    revocations: u32,
    announced: u32,
    announced_end: u32,
    counted: u64,
}

impl Traces {
    /// A change is done as a whole or not at all, so there are three ways for a key to be.
    fn is_whole(&self) -> bool {
        let made = Self { key: Some(true), entities: 1, creations: 1, announced: 1, counted: 1, ..Self::default() };
        let revoked = Self {
            key: Some(false),
            creations: 1,
            revocations: 1,
            announced: 1,
            announced_end: 1,
            counted: 2,
            ..Self::default()
        };
        [made, revoked].contains(self)
    }
}

impl Tally {
    /// Notes a line of the process that writes; whether it acknowledges anything.
    pub fn hear(&mut self, line: &str) -> bool {
        // The test runner's own words may stand in front.
        let Some((_, said)) = line.rsplit_once("done ") else { return false };
        let (list, number) = match said.split_once(' ') {
            Some(("made", number)) => (&mut self.made, number),
            Some(("revoked", number)) => (&mut self.revoked, number),
            _ => panic!("`{line}`"),
        };
        list.insert(number.parse().unwrap());
        self.acknowledged += 1;
        true
    }

    /// Prints the counts, where enough was written for them to say something.
    pub fn finish(&self) {
        assert!(self.acknowledged >= self.kills && !self.revoked.is_empty(), "{}", self.line());
        println!("{}", self.line());
    }

    /// Looks at the whole store after a kill, while nobody writes.
    pub async fn check(&mut self, store: &dyn KeyStore) {
        self.kills += 1;
        self.find(store).await;
        let clean = self.lost.is_empty() && self.resurrected.is_empty() && self.half_made.is_empty();
        let some = self.half_made.iter().take(5).collect::<Vec<_>>();
        assert!(clean, "{}: lost {:?}, resurrected {:?}, {some:?}", self.line(), self.lost, self.resurrected);
    }

    async fn find(&mut self, store: &dyn KeyStore) {
        let mut keys: BTreeMap<u64, Traces> = BTreeMap::new();
        let rows = everything(store).await;
        for row in &rows {
            if note(row, &mut keys).is_none() {
                self.half_made.push(format!("a row that nobody wrote: {row:?}"));
            }
        }
        self.half_made.extend(keys.iter().filter(|(_, traces)| !traces.is_whole()).map(|found| format!("{found:?}")));
        self.compare_lists(store, &rows).await;
        self.check_chains(store, &rows).await;
        self.check_feed(store, &rows).await;

        let record = |number: &u64| keys.get(number).and_then(|traces| traces.key);
        self.lost.extend(self.made.iter().filter(|number| record(number).is_none()));
        let lives = |number: &&u64| keys.get(number).is_some_and(|one| one.key == Some(true) || one.entities > 0);
        self.resurrected.extend(self.revoked.iter().filter(lives));
        self.lost.extend(self.revoked.iter().filter(|number| record(number).is_none()));
        // What is there once must be there after every later kill as well, acknowledged or not.
        self.made.extend(keys.iter().filter(|(_, traces)| traces.key.is_some()).map(|(number, _)| number));
        self.revoked.extend(keys.iter().filter(|(_, traces)| traces.key == Some(false)).map(|(number, _)| number));
    }

    /// The lists hold each record that is stored and no other, and whoever asks for one gets it.
    async fn compare_lists(&mut self, store: &dyn KeyStore, rows: &[Row]) {
        for developer in developers() {
            for index in [Index::KeysOf(developer.clone()), Index::EntitiesOf(developer.clone())] {
                let stored: BTreeMap<RecordKey, &Row> = rows
                    .iter()
                    .filter_map(|row| match row {
                        Row::Record(Stored { record, .. }) => {
                            (Index::of_record(record)?.0 == index).then(|| (record.key(), row))
                        }
                        _ => None,
                    })
                    .collect();
                let listed = store.all(&index).await.unwrap();
                let listed_once: BTreeMap<RecordKey, &Row> = listed
                    .iter()
                    .map(|row| match row {
                        Row::Record(Stored { record, .. }) => (record.key(), row),
                        other => panic!("{other:?} in {index:?}"),
                    })
                    .collect();
                if listed.len() != listed_once.len() || listed_once != stored {
                    self.half_made.push(format!("{index:?} lists other records than there are"));
                }
                let asked: Vec<_> = stored.keys().cloned().collect();
                for some in asked.chunks(500) {
                    for (key, got) in some.iter().zip(store.get(some).await.unwrap()) {
                        if got.map(Row::Record).as_ref() != stored.get(key).copied() {
                            self.half_made.push(format!("{key:?} is not what is listed"));
                        }
                    }
                }
            }
            let counted = store.all(&Index::Usage(developer.clone())).await.unwrap().len();
            let stored = rows.iter().filter(|row| matches!(row, Row::Usage(usage) if usage.developer == developer));
            if counted != stored.count() {
                self.half_made.push(format!("the usage of {developer} is listed otherwise than stored"));
            }
        }
    }

    /// Every chain counts from 1 without a gap, and each link holds.
    async fn check_chains(&mut self, store: &dyn KeyStore, rows: &[Row]) {
        let mut in_chains = 0;
        for developer in developers() {
            let chain = ChainId::Developer(developer);
            let mut events: Vec<AuditEvent> = Vec::new();
            for row in store.all(&Index::Audit(chain.clone())).await.unwrap() {
                if let Row::Audit(event) = row {
                    events.push(event);
                }
            }
            in_chains += events.len();
            let mut previous = FIRST_LINK;
            for (number, event) in (1..).zip(events.iter().rev()) {
                if event.number != number || !samples::audit_key().verifies(event, &previous) {
                    self.half_made.push(format!("the chain {chain} has a gap before event {number}"));
                    break;
                }
                previous = event.link;
            }
        }
        if in_chains != rows.iter().filter(|row| matches!(row, Row::Audit(_))).count() {
            self.half_made.push("events outside of every chain".to_owned());
        }
    }

    /// The feed counts from 1 to its head without a gap.
    async fn check_feed(&mut self, store: &dyn KeyStore, rows: &[Row]) {
        let mut at = FeedPosition(0);
        loop {
            let page = store.changes(at, 1000).await.unwrap();
            for entry in &page.entries {
                at = FeedPosition(at.0 + 1);
                if entry.position != at {
                    self.half_made.push(format!("the feed has a gap before {:?}", entry.position));
                    return;
                }
            }
            if page.entries.is_empty() {
                let stored = rows.iter().filter(|row| matches!(row, Row::Feed(_))).count();
                if page.head != at || u64::try_from(stored).unwrap() != at.0 {
                    self.half_made.push(format!("the feed ends at {at:?}, its head is {:?}", page.head));
                }
                return;
            }
        }
    }

    fn line(&self) -> String {
        format!(
            "after {} kills: {} acknowledged, {} lost, {} resurrected, {} half-made",
            self.kills,
            self.acknowledged,
            self.lost.len(),
            self.resurrected.len(),
            self.half_made.len()
        )
    }
}

async fn everything(store: &dyn KeyStore) -> Vec<Row> {
    let (mut rows, mut after): (_, Option<Position>) = (Vec::new(), None);
    loop {
        let page = store.scan(after.as_ref(), 1000).await.unwrap();
        rows.extend(page.rows);
        match page.next {
            Some(next) => after = Some(next),
            None => return rows,
        }
    }
}

/// Notes what a row tells of its key; `None` for a row that no writer wrote.
fn note(row: &Row, keys: &mut BTreeMap<u64, Traces>) -> Option<()> {
    match row {
        Row::Record(Stored { record: Record::ApiKey(key), .. }) => {
            let number = number_of(key.id.as_str())?;
            let traces = keys.entry(number).or_default();
            (key_of(number) == (key.developer.clone(), key.id)).then(|| traces.key = Some(key.revoked_at.is_none()))
        }
        Row::Record(Stored { record: Record::Entity(entity), .. }) => {
            let number = number_of(entity.reference.id.as_str())?;
            let traces = keys.entry(number).or_default();
            (key_of(number).0 == entity.reference.developer).then(|| traces.entities += 1)
        }
        Row::Usage(usage) => {
            let traces = keys.entry(number_of(usage.key.as_str())?).or_default();
            traces.counted += usage.counts.requests;
            Some(())
        }
        Row::Audit(event) => {
            let traces = keys.entry(number_of(&event.subject)?).or_default();
            match event.action {
                AuditAction::KeyCreated => traces.creations += 1,
                AuditAction::KeyRevoked => traces.revocations += 1,
                _ => return None,
            }
            Some(())
        }
        Row::Feed(entry) => {
            match &entry.announcement {
                Announcement::TokenRevoked { token, .. } => {
                    keys.entry(number_of(token.as_str())?).or_default().announced += 1;
                }
                Announcement::KeyRevoked { key, .. } => {
                    keys.entry(number_of(key.as_str())?).or_default().announced_end += 1;
                }
                _ => return None,
            }
            Some(())
        }
        // The store's own counters.
        Row::Meta(_) => Some(()),
        Row::Record(_) => None,
    }
}

#[test]
fn the_tally_finds_what_is_lost_resurrected_and_half_made() {
    let cases: [(&[&str], usize, [usize; 3]); 6] = [
        (&["made 1", "made 2", "revoked 2"], 5, [0, 0, 0]),
        (&["made 3"], 5, [1, 0, 0]),
        (&["revoked 1"], 5, [0, 1, 0]),
        // The last set without its event, its entity or its announcement.
        (&["made 2"], 0, [0, 0, 1]),
        (&["made 2"], 1, [0, 0, 1]),
        (&["made 2"], 2, [0, 0, 1]),
    ];
    for (lines, without, want) in cases {
        let store = MemoryStore::new();
        let mut last = making(2);
        match without {
            0 => last.audit.clear(),
            1 => drop(last.insert.pop()),
            2 => last.feed.clear(),
            _ => {}
        }
        let mut tally = Tally::default();
        lines.iter().for_each(|line| assert!(tally.hear(&format!("test child ... done {line}"))));
        futures_executor::block_on(async {
            let read = Revision(store.commit(last).await.unwrap().id);
            store.commit(making(1)).await.unwrap();
            if without > 2 {
                store.commit(revoking(2, read)).await.unwrap();
            }
            tally.find(&store).await;
        });
        let found = [tally.lost.len(), tally.resurrected.len(), tally.half_made.len()];
        assert_eq!(found, want, "{lines:?}, {without}: {tally:?}");
    }
}
