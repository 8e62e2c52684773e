//! Copies, digests and checks, on the store in memory.
#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures_executor::block_on;
use latchbook_core::authority::BuildError;
use latchbook_core::key_store::conformance::samples;
use latchbook_core::key_store::{KeyStore, KeyStoreExt as _, MemoryStore, StoreError};
use latchbook_core::model::{
    ApiKey, Entity, EnvironmentName, FeedPosition, KeyText, Page, PepperPurpose, Position, Record, Revision, Row,
    SigningKey, StoreMeta, Stored,
};
use latchbook_core::moving::{self, MoveError, Progress, Rows, Stage};
use latchbook_core::{Actor, Authority, MasterKey, Source};
use proptest::prelude::*;

/// A store that an authority set up, with `entities` entities of one developer.
fn house(entities: usize) -> Arc<MemoryStore> {
    let store = Arc::new(MemoryStore::new());
    let authority = block_on(open(&store)).unwrap();
    let ada = samples::developer_ref("ada").unwrap();
    block_on(authority.developers().create(&Actor::Host, Source::UNKNOWN, &ada, "Ada")).unwrap();
    let rows = (0..entities).map(|number| samples::entity(&ada, &format!("e{number}"), samples::at(1)).unwrap());
    block_on(store.load(rows.map(Record::Entity).map(row).collect())).unwrap();
    store
}

async fn open(store: &Arc<MemoryStore>) -> Result<Authority, BuildError> {
    let builder = Authority::builder().store(Arc::clone(store)).issuer("https://api.example.com");
    builder.master_key(MasterKey::from_bytes([7; 32])).build().await
}

fn row(record: Record) -> Row {
    Row::Record(Stored { record, revision: Revision(latchbook_core::model::ChangeId::from_bytes([1; 16])) })
}

fn rows_of(store: &MemoryStore) -> Vec<Row> {
    block_on(KeyStore::scan(store, None, usize::MAX)).unwrap().rows
}

fn digest(rows: &impl Rows) -> moving::StoreDigest {
    block_on(moving::digest(rows, &mut |_| {})).unwrap()
}

fn copied(from: &impl Rows, to: &MemoryStore, after: Option<Position>) -> Result<moving::Copied, MoveError> {
    block_on(moving::copy(from, to, after, &mut |_| {}))
}

/// A source that answers so many times and then no more.
struct Failing<'a>(&'a MemoryStore, AtomicUsize);

#[async_trait]
impl Rows for Failing<'_> {
    async fn scan(&self, after: Option<&Position>, limit: usize) -> Result<Page, StoreError> {
        let left = self.1.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        left.map_err(|_| StoreError::unavailable("unplugged"))?;
        KeyStore::scan(self.0, after, limit).await
    }
}

#[test]
fn a_copy_that_is_interrupted_at_any_page_goes_on_where_it_was() {
    let source = house(1_700);
    let want = digest(&source);
    let mut interrupted = 0;
    for pages in 0.. {
        for forgotten in [false, true] {
            let target = Arc::new(MemoryStore::new());
            let mut positions = vec![None];
            let failing = Failing(&source, AtomicUsize::new(pages));
            let first = block_on(moving::copy(&failing, &target, None, &mut |progress| {
                positions.push(progress.position.clone());
            }));
            if first.is_ok() {
                assert!(interrupted >= 8, "interrupted {interrupted} times");
                return;
            }
            interrupted += 1;
            assert!(matches!(first, Err(MoveError::Source(StoreError::Unavailable(_)))));
            // A half copy is no store.
            let half = block_on(target.settings()).unwrap().is_none();
            assert!(half && (pages == 0 || matches!(block_on(open(&target)), Err(BuildError::Unfinished))));
            // Killed before the last position was kept, or before any was.
            let kept = if forgotten { positions[positions.len() / 2].clone() } else { positions.pop().unwrap() };
            let done = copied(&source, &target, kept).unwrap();
            assert_eq!((&done.digest, &digest(&target)), (&want, &want), "after {pages} pages");
            assert!(block_on(open(&target)).is_ok());
            // Once more writes nothing.
            assert_eq!(copied(&source, &target, None).unwrap().written, 0);
        }
    }
}

#[test]
fn progress_counts_the_rows_of_each_stage() {
    let source = house(1_200);
    let mut told: Vec<Progress> = Vec::new();
    let target = MemoryStore::new();
    let done = block_on(moving::copy(&source, &target, None, &mut |progress| told.push(progress.clone()))).unwrap();
    let last = |stage| told.iter().rev().find(|progress| progress.stage == stage).unwrap().rows;
    assert_eq!(last(Stage::Copying) + 1, done.written);
    assert_eq!(last(Stage::ReadingSource), rows_of(&source).len() as u64);
    assert_eq!(last(Stage::ReadingSource), last(Stage::ReadingTarget) + 1, "the settings come last");
    assert!(told.iter().filter(|progress| progress.stage == Stage::Copying).count() >= 3);
}

#[test]
fn a_target_that_holds_another_stores_data_is_refused_and_unchanged() {
    let (source, whole) = (house(3), house(3));
    let half = Arc::new(MemoryStore::new());
    let mut rows = rows_of(&whole);
    rows.retain(|row| !matches!(row, Row::Record(Stored { record: Record::Settings(_), .. })));
    block_on(half.load(rows)).unwrap();
    let other = Arc::new(MemoryStore::new());
    let elsewhere = Authority::builder().store(Arc::clone(&other)).issuer("https://other.example.com");
    block_on(elsewhere.master_key(MasterKey::from_bytes([8; 32])).build()).unwrap();
    for (target, says) in [(&half, "another store;"), (&other, "the issuer `https://other.example.com`")] {
        let before = rows_of(target);
        let refused = copied(&source, target, None).unwrap_err();
        assert!(matches!(refused, MoveError::Occupied { .. }), "{refused}");
        assert!(refused.to_string().contains(says), "{refused}");
        assert!(rows_of(target) == before);
    }
    // The same settings and other rows, as of a backup that was made before.
    let backup = MemoryStore::new();
    copied(&source, &backup, None).unwrap();
    let late = samples::entity(&samples::developer_ref("ada").unwrap(), "late", samples::at(1)).unwrap();
    block_on(source.load(vec![row(Record::Entity(late))])).unwrap();
    let before = rows_of(&backup);
    assert!(matches!(copied(&source, &backup, None), Err(MoveError::Differs { .. })));
    assert!(rows_of(&backup) == before);
}

#[test]
fn a_source_that_changes_while_it_is_copied_is_found() {
    let source = house(1_200);
    let ada = samples::developer_ref("ada").unwrap();
    let target = Arc::new(MemoryStore::new());
    let changing = Arc::clone(&source);
    let result = block_on(moving::copy(&source, &target, None, &mut |progress| {
        if progress.stage == Stage::Copying && progress.rows < 600 {
            // On a page that was copied already.
            let mut changed: Entity = samples::entity(&ada, "e1", samples::at(1)).unwrap();
            changed.legal_name = "Another".to_owned();
            let change = vec![row(Record::Entity(changed))];
            // On a thread of its own, since an executor is at work on this one.
            std::thread::scope(|scope| scope.spawn(|| block_on(changing.load(change))).join().unwrap()).unwrap();
        }
    }));
    assert!(matches!(result, Err(MoveError::Differs { .. })), "{result:?}");
    assert!(matches!(block_on(open(&target)), Err(BuildError::Unfinished)));
    assert!(copied(&source, &target, None).is_ok(), "anew, it is whole");
}

#[test]
fn a_store_without_settings_is_not_copied() {
    let source = MemoryStore::new();
    assert!(matches!(copied(&source, &MemoryStore::new(), None), Err(MoveError::NotWhole)));
}

#[test]
fn a_store_without_settings_that_holds_anything_is_not_set_up() {
    let ada = samples::developer_ref("ada").unwrap();
    let kinds = [
        row(Record::Developer(samples::developer(&ada))),
        Row::Usage(samples::usage(&ada, samples::key_id(1).unwrap(), 1, 1, 1)),
        Row::Audit(samples::event(&latchbook_core::model::ChainId::Developer(ada), "x").link(1, &[0; 32])),
    ];
    for held in kinds {
        let store = Arc::new(MemoryStore::new());
        block_on(store.load(vec![held])).unwrap();
        let before = rows_of(&store);
        let refused = block_on(open(&store)).unwrap_err();
        assert!(matches!(refused, BuildError::Unfinished) && refused.to_string().contains("not finished"));
        assert!(rows_of(&store) == before);
    }
    // Counters alone are in every store.
    let store = Arc::new(MemoryStore::new());
    let meta = StoreMeta { feed_head: FeedPosition(7), pruned_to: FeedPosition(7), ..StoreMeta::default() };
    block_on(store.load(vec![Row::Meta(meta)])).unwrap();
    assert!(block_on(open(&store)).is_ok());
}

/// What a check says of a good store after `damage`.
fn checked(damage: impl FnOnce(&mut Vec<Row>)) -> moving::CheckReport {
    let mut rows = rows_of(&house(2));
    let ada = samples::developer_ref("ada").unwrap();
    let pepper = rows.iter().find_map(|row| match row {
        Row::Record(Stored { record: Record::Pepper(pepper), .. }) if pepper.purpose == PepperPurpose::KeyDigest => {
            Some(pepper.id)
        }
        _ => None,
    });
    let mut key = samples::key(&ada, samples::key_id(1).unwrap(), samples::at(5));
    key.current.digest.pepper = pepper.unwrap();
    rows.push(row(Record::ApiKey(key)));
    let id = samples::key_id(1).unwrap();
    rows.push(row(Record::KeyActivity(samples::activity(&ada, id, samples::at(6)))));
    rows.push(Row::Usage(samples::usage(&ada, id, 1, 2, 3)));
    damage(&mut rows);
    let store = MemoryStore::new();
    block_on(store.load(rows)).unwrap();
    block_on(moving::check(&store, &mut |_| {})).unwrap()
}

fn remove(rows: &mut Vec<Row>, is_it: fn(&Record) -> bool) {
    let before = rows.len();
    rows.retain(|row| !matches!(row, Row::Record(stored) if is_it(&stored.record)));
    assert!(rows.len() < before);
}

fn change(rows: &mut [Row], change: impl Fn(&mut Record) -> bool) {
    let changed = rows.iter_mut().any(|row| match row {
        Row::Record(stored) => change(&mut stored.record),
        _ => false,
    });
    assert!(changed);
}

#[test]
fn a_good_store_holds() {
    let report = checked(|_| {});
    assert!(report.holds(), "{report}");
    assert!(report.to_string().ends_with("rows, nothing wrong"), "{report}");
}

#[test]
fn a_check_finds_every_kind_of_damage() {
    type Damage = (&'static str, fn(&mut Vec<Row>));
    let cases: &[Damage] = &[
        ("there are no settings", |rows| remove(rows, |record| matches!(record, Record::Settings(_)))),
        ("developer `live/ada` is not there", |rows| remove(rows, |record| matches!(record, Record::Developer(_)))),
        ("key `0000000000000001` of `live/ada` is not there", |rows| {
            remove(rows, |record| matches!(record, Record::ApiKey(_)));
        }),
        ("is not there, and is named by the last use of", |rows| {
            remove(rows, |record| matches!(record, Record::ApiKey(_)));
            rows.retain(|row| !matches!(row, Row::Usage(_)));
        }),
        ("is not there, and is named by usage of", |rows| {
            remove(rows, |record| matches!(record, Record::ApiKey(_) | Record::KeyActivity(_)));
        }),
        ("`live/bob` is not there, and is named by the entity `live/bob/lost`", |rows| {
            let bob = samples::developer_ref("bob").unwrap();
            rows.push(row(Record::Entity(samples::entity(&bob, "lost", samples::at(1)).unwrap())));
        }),
        ("`live/bob` is not there, and is named by the sandbox", |rows| {
            let bob = samples::developer_ref("bob").unwrap();
            rows.push(row(Record::Sandbox(samples::sandbox(&bob, samples::at(9)).unwrap())));
        }),
        ("names the pepper", |rows| {
            remove(
                rows,
                |record| matches!(record, Record::Pepper(pepper) if pepper.purpose == PepperPurpose::KeyDigest),
            );
        }),
        ("the audit chain", |rows| {
            remove(
                rows,
                |record| matches!(record, Record::Pepper(pepper) if pepper.purpose == PepperPurpose::AuditLink),
            );
        }),
        ("which has another purpose", |rows| {
            change(rows, |record| match record {
                Record::Pepper(pepper) if pepper.purpose == PepperPurpose::KeyDigest => {
                    pepper.purpose = PepperPurpose::AuditLink;
                    true
                }
                _ => false,
            });
        }),
        ("an earlier text's pepper", |rows| {
            change(rows, |record| match record {
                Record::ApiKey(ApiKey { current, previous, .. }) => {
                    let mut earlier: KeyText = current.clone();
                    earlier.digest.pepper = latchbook_core::model::PepperId::from_bytes([0xee; 16]);
                    *previous = Some(earlier);
                    true
                }
                _ => false,
            });
        }),
        ("`live` has 2 active signing keys", |rows| {
            change(rows, |record| match record {
                Record::SigningKey(key) if key.environment == EnvironmentName::SANDBOX => {
                    key.environment = EnvironmentName::LIVE;
                    true
                }
                _ => false,
            });
        }),
        ("has another key's id", |rows| {
            change(rows, |record| match record {
                Record::SigningKey(SigningKey { id, .. }) => {
                    *id = latchbook_core::model::SigningKeyId::parse("another").unwrap();
                    true
                }
                _ => false,
            });
        }),
        ("which the settings do not name", |rows| {
            change(rows, |record| match record {
                Record::Settings(settings) => {
                    settings.environments.retain(|name| *name == EnvironmentName::LIVE);
                    true
                }
                _ => false,
            });
        }),
        ("the change feed has 2 where 1 should come next", |rows| {
            rows.retain(|row| !matches!(row, Row::Feed(entry) if entry.position == FeedPosition(1)));
        }),
        ("the change feed ends at 1, and its head is at 2", |rows| {
            rows.retain(|row| !matches!(row, Row::Feed(entry) if entry.position == FeedPosition(2)));
        }),
        ("past its head", |rows| {
            rows.push(Row::Meta(StoreMeta { pruned_to: FeedPosition(99), ..StoreMeta::default() }));
        }),
        ("the audit chain `live` has gaps: 1 events, the last is number 2", |rows| {
            let first =
                |row: &Row| matches!(row, Row::Audit(event) if event.chain.to_string() == "live" && event.number == 1);
            rows.retain(|row| !first(row));
        }),
    ];
    for (says, damage) in cases {
        let report = checked(damage);
        assert!(!report.holds(), "{says}");
        let says = if says.starts_with("an earlier") {
            "eeeeeeee` , which is not there".replace(" ,", ",")
        } else {
            (*says).to_owned()
        };
        assert!(report.findings.iter().any(|finding| finding.contains(&says)), "{says}: {report}");
    }
}

#[test]
fn what_outlives_a_developer_whose_sandbox_ended_is_explained() {
    let report = checked(|rows| {
        remove(rows, |record| matches!(record, Record::Developer(_) | Record::ApiKey(_)));
        let live = latchbook_core::model::ChainId::System(EnvironmentName::LIVE);
        let last = rows.iter().filter(|row| matches!(row, Row::Audit(event) if event.chain == live)).count() as u64;
        let mut draft = samples::event(&live, "ada");
        draft.action = latchbook_core::model::AuditAction::SandboxEnded;
        let mut event = draft.link(last + 1, &[0; 32]);
        event.key = rows
            .iter()
            .find_map(|row| match row {
                Row::Audit(event) => Some(event.key),
                _ => None,
            })
            .unwrap();
        rows.push(Row::Audit(event));
    });
    assert!(report.holds(), "{report}");
}

#[test]
fn findings_are_bounded_in_number_and_all_counted() {
    let report = checked(|rows| {
        for number in 0..250 {
            let owner = samples::developer_ref(&format!("nobody{number}")).unwrap();
            rows.push(row(Record::Entity(samples::entity(&owner, "e", samples::at(1)).unwrap())));
        }
    });
    assert_eq!((report.findings.len(), report.more), (100, 150));
    assert!(report.to_string().ends_with("wrong: 250, of which 100 are shown"));
}

/// A store one of whose rows is damaged.
struct Damaged<'a>(&'a MemoryStore, usize);

#[async_trait]
impl Rows for Damaged<'_> {
    async fn scan(&self, after: Option<&Position>, limit: usize) -> Result<Page, StoreError> {
        let page = KeyStore::scan(self.0, after, limit).await?;
        let before = KeyStore::scan(self.0, None, usize::MAX).await?.rows;
        if page.rows.contains(&before[self.1]) { Err(StoreError::corrupt("a checksum")) } else { Ok(page) }
    }
}

#[test]
fn s7_a_row_that_cannot_be_read_is_a_finding_and_names_its_place() {
    let store = house(3);
    for place in 0..rows_of(&store).len() {
        let report = block_on(moving::check(&Damaged(&store, place), &mut |_| {})).unwrap();
        assert_eq!(report.findings.len(), 1, "{report}");
        assert!(report.findings[0].contains(&format!("after the first {place} cannot be read")), "{report}");
        assert!(matches!(copied(&Damaged(&store, place), &MemoryStore::new(), None), Err(MoveError::Source(_))));
    }
}

#[test]
fn a_prune_tells_its_steps_and_counts_all_that_went() {
    let store = house(0);
    let entries = (3..=1_302).map(|number| {
        let announcement = samples::announcements().unwrap().remove(0);
        let (position, at) = (FeedPosition(number), samples::at(1));
        Row::Feed(latchbook_core::model::FeedEntry { position, at, ends_at: samples::at(50), announcement })
    });
    block_on(store.load(entries.collect())).unwrap();
    let mut steps = Vec::new();
    let removed = block_on(moving::prune(&store, samples::at(51), &mut |progress| steps.push(progress.rows))).unwrap();
    assert_eq!((removed, steps), (1_300, vec![500, 1_000, 1_300]));
    assert!(block_on(moving::check(&store, &mut |_| {})).unwrap().holds());
}

proptest! {
    #[test]
    fn a_digest_knows_what_is_held_and_not_in_which_order(
        order in Just((0..60_usize).collect::<Vec<_>>()).prop_shuffle(), kept in 0..60_usize,
    ) {
        let source = house(30);
        let rows = rows_of(&source);
        let shuffled: Vec<Row> = order.iter().filter_map(|place| rows.get(*place).cloned()).collect();
        prop_assert_eq!(shuffled.len(), rows.len().min(60));
        let other = MemoryStore::new();
        block_on(other.load(shuffled)).unwrap();
        block_on(other.load(rows.iter().skip(60).cloned().collect())).unwrap();
        prop_assert_eq!(digest(&other), digest(&source));
        let target = MemoryStore::new();
        prop_assert_eq!(copied(&other, &target, None).unwrap().digest, digest(&source));
        // One row fewer is another digest.
        let less = MemoryStore::new();
        let left_out = kept % rows.len();
        block_on(less.load(rows.iter().enumerate().filter(|(n, _)| *n != left_out).map(|(_, row)| row.clone()).collect())).unwrap();
        if !matches!(rows[left_out], Row::Meta(_)) {
            prop_assert_ne!(digest(&less), digest(&source));
        }
    }
}
