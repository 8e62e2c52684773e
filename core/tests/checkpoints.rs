//! Signed checkpoints of audit chains: written as chains go on, kept elsewhere, and held against what the store shows.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

#[path = "support/tended.rs"]
mod tended;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_executor::block_on;
use latchbook_core::authority::{Actor, AuditReport, AuthorityBuilder, CheckpointSink, KeptCheckpoint};
use latchbook_core::jose::{SigningPair, VerifyingKey, read_checkpoint, sign_checkpoint};
use latchbook_core::key_store::{KeyStore, KeyStoreExt as _, MemoryStore};
use latchbook_core::model::{
    Algorithm, AuditAction, AuditActor, AuditDraft, AuditEvent, AuditKey, CHECKPOINT_DETAIL, ChainId, ChangeId,
    ChangeSet, Checkpoint, PepperPurpose, Rejection, Row, SignedCheckpoint, Source, UnixTime,
};
use latchbook_core::seal::{SealPurpose, Vault};
use latchbook_core::token_issuer::JwtIssuer;
use latchbook_core::{MasterKey, Refusal};

use tended::*;

/// Keeps what it is given.
#[derive(Debug, Default)]
struct Shelf(Mutex<Vec<SignedCheckpoint>>);

impl CheckpointSink for Shelf {
    fn keep(&self, checkpoint: &SignedCheckpoint) {
        self.0.lock().unwrap().push(checkpoint.clone());
    }
}

impl Shelf {
    fn of(&self, chain: &ChainId) -> Vec<SignedCheckpoint> {
        self.0.lock().unwrap().iter().filter(|signed| signed.checkpoint.chain == *chain).cloned().collect()
    }

    fn last(&self, chain: &ChainId) -> String {
        self.of(chain).pop().unwrap().compact
    }
}

type Spoil = fn(&mut Vec<AuditEvent>);
type Lie = fn(&mut Checkpoint);

struct House {
    store: Arc<TestStore>,
    clock: Arc<TestClock>,
    shelf: Arc<Shelf>,
    process: Process,
    ada: Holder,
}

impl House {
    fn new() -> Self {
        Self::with(TestStore::new(), |builder| builder)
    }

    fn with(store: Arc<TestStore>, change: impl FnOnce(AuthorityBuilder) -> AuthorityBuilder) -> Self {
        let (clock, shelf) = (Arc::new(TestClock::at(START)), Arc::new(Shelf::default()));
        let sink = Arc::clone(&shelf) as Arc<dyn CheckpointSink>;
        let process = Process::start(&store, &clock, |builder| change(builder.checkpoint_sink(sink)));
        let ada = process.developer("ada");
        Self { store, clock, shelf, process, ada }
    }

    /// Makes an event in ada's chain.
    fn act(&self) {
        act_by(&self.process, &self.ada);
    }

    fn checkpoint(&self) {
        block_on(self.process.authority.shutdown()).unwrap();
    }

    fn events(&self) -> Vec<AuditEvent> {
        self.store.events(&self.ada.chain())
    }

    fn verify(&self) -> AuditReport {
        block_on(self.process.authority.audit().verify(&self.ada.chain())).unwrap()
    }

    /// The verdict on the last checkpoint that the sink was given.
    fn kept(&self) -> Option<KeptCheckpoint> {
        let kept = self.shelf.last(&self.ada.chain());
        block_on(self.process.authority.audit().verify_against(&self.ada.chain(), &kept)).unwrap().kept
    }

    /// The same host, on a copy of the store in which ada's chain holds `events` instead of its own.
    fn with_events(&self, events: Vec<AuditEvent>) -> Self {
        let store = TestStore::new();
        let page = block_on(self.store.scan(None, 100_000)).unwrap();
        let others =
            page.rows.into_iter().filter(|row| !matches!(row, Row::Audit(event) if event.chain == self.ada.chain()));
        block_on(store.load(others.chain(events.into_iter().map(Row::Audit)).collect())).unwrap();
        let sink = Arc::clone(&self.shelf) as Arc<dyn CheckpointSink>;
        let process = Process::start(&store, &self.clock, |builder| builder.checkpoint_sink(sink));
        let ada = Holder { developer: self.ada.developer.clone(), text: self.ada.text.clone() };
        Self { store, clock: Arc::clone(&self.clock), shelf: Arc::clone(&self.shelf), process, ada }
    }

    /// Writes a checkpoint event into ada's chain, rightly linked, as one can who holds the master key.
    fn plant(&self, compact: &str) {
        let vault = Vault::new(&MasterKey::from_bytes([7; 32]));
        let peppers = block_on(self.store.peppers()).unwrap();
        let pepper = peppers.into_iter().find(|pepper| pepper.purpose == PepperPurpose::AuditLink).unwrap();
        let secret = vault.open(SealPurpose::Pepper, pepper.id.as_bytes(), &pepper.sealed).unwrap();
        let at = UnixTime::from_seconds(START);
        let mut set = ChangeSet::new(ChangeId::from_bytes([9; 16]), at);
        set.audit.push(AuditDraft {
            chain: self.ada.chain(),
            at,
            actor: AuditActor::Upkeep,
            action: AuditAction::AuditCheckpoint,
            subject: String::new(),
            source: None,
            details: vec![(CHECKPOINT_DETAIL.to_owned(), compact.to_owned())],
            key: Arc::new(AuditKey::new(pepper.id, &secret)),
        });
        block_on(self.store.commit(set)).unwrap();
    }

    /// The active signing key, taken out as one can who holds the master key.
    fn signing_pair(&self) -> SigningPair {
        let vault = Vault::new(&MasterKey::from_bytes([7; 32]));
        let key = self.store.keys(LIVE).pop().unwrap();
        let private = vault.open(SealPurpose::SigningKey, key.id.as_str().as_bytes(), &key.private).unwrap();
        SigningPair::from_pkcs8(&private).unwrap()
    }

    /// What a right checkpoint says now.
    fn truth(&self) -> Checkpoint {
        let head = self.events().pop().unwrap();
        Checkpoint {
            issuer: "https://a.test/live".to_owned(),
            chain: self.ada.chain(),
            count: head.number,
            head: head.link,
            at: UnixTime::from_seconds(START),
        }
    }
}

fn act_by(process: &Process, holder: &Holder) {
    let developers = process.authority.developers();
    block_on(developers.revoke_tokens(&Actor::Host, Source::UNKNOWN, &holder.developer)).unwrap();
}

fn is_checkpoint(event: &AuditEvent) -> bool {
    event.action == AuditAction::AuditCheckpoint
}

#[test]
fn a_chain_that_went_on_gets_one_checkpoint_an_hour_later_and_the_sink_the_same() {
    let mut house = House::new();
    house.process.tend();
    house.clock.advance(HOUR - 1);
    house.act();
    house.process.tend();
    assert!(!house.events().iter().any(is_checkpoint), "not a second early");
    house.clock.advance(1);
    house.process.tend();
    let events = house.events();
    let (last, before) = events.split_last().unwrap();
    assert!(is_checkpoint(last) && last.actor == AuditActor::Upkeep);
    let kept = house.shelf.of(&house.ada.chain());
    assert_eq!(kept.len(), 1);
    let detail = |name: &str| last.details.iter().find(|(found, _)| found == name).unwrap().1.clone();
    assert_eq!(detail(CHECKPOINT_DETAIL), kept[0].compact);
    assert_eq!(detail("count"), before.len().to_string());
    assert_eq!(last.subject, house.store.active().as_str());
    let Checkpoint { issuer, count, head, .. } = &kept[0].checkpoint;
    assert_eq!((issuer.as_str(), *count), ("https://a.test/live", before.len() as u64));
    assert_eq!(*head, before.last().unwrap().link);
    // Nothing new, nothing written; not on the system chain either, once it is at rest.
    let system = house.store.events(&SYSTEM).len();
    for _ in 0..48 {
        house.clock.advance(HOUR);
        house.process.tend();
    }
    assert_eq!(house.events().len(), events.len());
    let (checkpoints, others): (Vec<_>, Vec<_>) =
        house.store.events(&SYSTEM)[system..].iter().cloned().partition(is_checkpoint);
    assert!(checkpoints.is_empty() && others.len() < 8, "{others:?}");
}

#[test]
fn shutdown_writes_what_is_missing_for_every_chain_however_many() {
    let house = House::new();
    let many: Vec<_> = (0..150).map(|number| house.process.developer(&format!("dev{number}"))).collect();
    house.checkpoint();
    house.checkpoint();
    for holder in &many {
        assert_eq!(house.store.events(&holder.chain()).iter().filter(|event| is_checkpoint(event)).count(), 1);
        assert_eq!(house.shelf.of(&holder.chain()).len(), 1);
    }
}

#[test]
fn a_host_can_say_how_often_or_never() {
    let mut often = House::with(TestStore::new(), |builder| builder.checkpoint_interval(Duration::from_secs(10)));
    often.clock.advance(10);
    often.process.tend();
    assert!(often.events().iter().any(is_checkpoint));
    let never = House::with(TestStore::new(), |builder| builder.checkpoint_interval(None));
    never.checkpoint();
    assert!(!never.events().iter().any(is_checkpoint) && never.verify().holds());
}

#[test]
fn a_chain_with_checkpoints_holds_and_the_report_says_what_they_do_not_cover() {
    let house = House::new();
    house.checkpoint();
    house.act();
    house.checkpoint();
    let report = house.verify();
    assert!(report.holds());
    assert_eq!((report.events, report.checkpoints, report.after_last), (5, 2, 0));
    house.act();
    house.act();
    let report = house.verify();
    assert!(report.holds());
    assert_eq!((report.events, report.checkpoints, report.after_last), (7, 2, 2));
    assert_eq!(
        report.to_string(),
        "7 events, every link holds; 2 checkpoints are right; 2 events came after the last checkpoint: whether there \
         were more cannot be seen, nor, without a checkpoint kept elsewhere, whether one was cut off"
    );
    assert_eq!(house.kept(), Some(KeptCheckpoint::Holds));
    assert!(report.signs);
}

#[test]
fn a_checkpoint_of_a_key_that_is_retired_by_now_is_still_right() {
    let house = House::new();
    house.checkpoint();
    block_on(house.process.authority.signing_keys().retire_now(LIVE, &house.store.active())).unwrap();
    house.act();
    house.checkpoint();
    let report = house.verify();
    assert!(report.holds() && report.checkpoints == 2, "{report}");
}

#[test]
fn an_event_that_is_changed_removed_or_swapped_is_found() {
    let house = House::new();
    (0..3).for_each(|_| house.act());
    house.checkpoint();
    house.act();
    let good = house.events();
    assert!(house.with_events(good.clone()).verify().holds(), "the copy is no different");
    let spoil: [(Spoil, u64); 6] = [
        (|events| events[2].subject.push('x'), 3),
        (|events| events[5].details[0].1 = "9".to_owned(), 6),
        (|events| events[5].details[2].1.push('A'), 6),
        (|events| _ = events.remove(2), 4),
        (|events| _ = events.remove(0), 2),
        (
            |events| {
                events.swap(1, 2);
                (events[1].number, events[2].number) = (2, 3);
            },
            4,
        ),
    ];
    for (case, (spoil, broken_at)) in spoil.into_iter().enumerate() {
        let mut events = good.clone();
        spoil(&mut events);
        let report = house.with_events(events).verify();
        assert!(!report.holds(), "case {case}");
        assert_eq!(report.broken_at, Some(broken_at), "case {case}: {report}");
    }
}

#[test]
fn a_tail_cut_before_the_last_checkpoint_is_found_with_the_one_that_was_kept() {
    let house = House::new();
    (0..3).for_each(|_| house.act());
    house.checkpoint();
    house.act();
    let good = house.events();
    let length = good.len();
    assert!(is_checkpoint(&good[length - 2]));
    for left in [0, 1, 3, length - 3] {
        let cut = house.with_events(good[..left].to_vec());
        assert!(cut.verify().holds(), "without the one that was kept, nothing is seen");
        let missing = (length - 2 - left) as u64;
        assert_eq!(cut.kept(), Some(KeptCheckpoint::Cut { missing }), "{left} events are left");
    }
    // The chain may have gone on since.
    let cut = house.with_events(good[..3].to_vec());
    cut.clock.advance(1);
    (0..9).for_each(|_| cut.act());
    assert!(cut.verify().holds());
    assert_eq!(cut.kept(), Some(KeptCheckpoint::Contradicted));
    let report =
        block_on(cut.process.authority.audit().verify_against(&cut.ada.chain(), &cut.shelf.last(&cut.ada.chain())));
    assert!(!report.unwrap().holds());
}

#[test]
fn a_tail_cut_after_the_last_checkpoint_cannot_be_seen_and_the_report_says_so() {
    let house = House::new();
    house.checkpoint();
    (0..3).for_each(|_| house.act());
    let good = house.events();
    let cut = house.with_events(good[..good.len() - 2].to_vec());
    let report = cut.verify();
    assert!(report.holds() && report.after_last == 1, "{report}");
    assert!(
        report.to_string().contains("1 events came after the last checkpoint: whether there were more cannot be seen")
    );
    assert_eq!(cut.kept(), Some(KeptCheckpoint::Holds));
    // The checkpoint's own event gone with what followed: the one that was kept covers the rest.
    let cut = house.with_events(good[..2].to_vec());
    assert_eq!(cut.kept(), Some(KeptCheckpoint::Holds));
    let report = cut.verify();
    assert_eq!((report.checkpoints, report.after_last), (0, 2));
}

#[test]
fn a_process_that_saw_the_chain_longer_does_not_sign_what_is_left() {
    let house = House::new();
    let cut = house.with_events(house.events());
    cut.act();
    // Cut under the running process, by way of its store.
    assert_eq!(cut.events().len(), 3);
    let left = MemoryStore::new();
    let page = block_on(cut.store.scan(None, 100_000)).unwrap();
    let rows = page.rows.into_iter().filter(|row| !matches!(row, Row::Audit(event) if event.number == 3));
    block_on(left.load(rows.collect())).unwrap();
    cut.store.replace(left);
    cut.checkpoint();
    assert_eq!(cut.events().len(), 2, "no checkpoint vouches for it");
}

#[test]
fn a_chain_whose_end_was_changed_gets_no_checkpoint_and_others_do() {
    let house = House::new();
    let other = house.process.developer("other");
    let mut spoilt = house.events().pop().unwrap();
    spoilt.subject.push('x');
    block_on(house.store.load(vec![Row::Audit(spoilt)])).unwrap();
    house.checkpoint();
    assert!(house.shelf.of(&house.ada.chain()).is_empty());
    assert_eq!(house.shelf.of(&other.chain()).len(), 1);
}

#[test]
fn a_checkpoint_that_nobody_of_ours_signed_or_that_lies_is_found() {
    let (stranger, _) = SigningPair::generate(Algorithm::EdDsa).unwrap();
    let lies: [(&str, Lie); 6] = [
        ("another chain", |truth| truth.chain = SYSTEM),
        ("another issuer", |truth| truth.issuer = "https://a.test/sandbox".to_owned()),
        ("another head", |truth| truth.head[0] ^= 1),
        ("fewer events", |truth| truth.count -= 1),
        ("none at all", |truth| truth.count = 0),
        ("more events", |truth| truth.count += 1),
    ];
    for (what, lie) in lies {
        let house = House::new();
        let mut told = house.truth();
        lie(&mut told);
        let signed = sign_checkpoint(told, &house.signing_pair()).unwrap();
        house.plant(&signed.compact);
        let report = house.verify();
        assert_eq!((report.broken_at, report.bad_checkpoint_at), (None, Some(3)), "{what}: {report}");
        assert_eq!((report.checkpoints, report.after_last), (0, 2), "{what}");
    }
    for compact in
        [sign_checkpoint(House::new().truth(), &stranger).unwrap().compact, String::new(), "a.b.c".to_owned()]
    {
        let house = House::new();
        house.plant(&compact);
        assert_eq!(house.verify().bad_checkpoint_at, Some(3));
    }
    // The same by the right key is right.
    let house = House::new();
    house.plant(&sign_checkpoint(house.truth(), &house.signing_pair()).unwrap().compact);
    assert!(house.verify().holds());
}

#[test]
fn what_is_given_as_kept_is_believed_only_where_our_key_signed_it_for_this_chain() {
    let house = House::new();
    house.checkpoint();
    let audit = house.process.authority.audit();
    let verdict = |kept: &str| block_on(audit.verify_against(&house.ada.chain(), kept)).unwrap();
    let (stranger, _) = SigningPair::generate(Algorithm::EdDsa).unwrap();
    let forged = sign_checkpoint(house.truth(), &stranger).unwrap().compact;
    let of_another = house.shelf.last(&SYSTEM);
    let token = house.process.token(&house.ada).expose().to_owned();
    for kept in ["", "nonsense", &forged, &of_another, &token] {
        let report = verdict(kept);
        assert_eq!(report.kept, Some(KeptCheckpoint::NotOurs), "{kept}");
        assert!(!report.holds());
    }
}

#[test]
fn a15_a_checkpoint_is_no_bearer_token() {
    let house = House::new();
    house.checkpoint();
    let compact = house.shelf.last(&house.ada.chain());
    let keys: Vec<_> = house.process.authority.public_keys(LIVE).unwrap();
    let keys: Vec<_> = keys.iter().map(|(_, key)| VerifyingKey::new(key).unwrap()).collect();
    assert!(read_checkpoint(&compact, &keys).is_ok(), "the key that signs tokens signed it");
    let refused = house.process.admits(&compact);
    assert!(matches!(refused, Err(Refusal::Rejected(Rejection::TokenType))));
    let token = house.process.token(&house.ada);
    assert_eq!(read_checkpoint(token.expose(), &keys), Err(Rejection::TokenType));
}

#[test]
fn a_store_fault_leaves_chain_and_sink_as_they_were_and_it_is_written_later() {
    let mut house = House::new();
    let before = house.events();
    house.store.fail(true);
    house.clock.advance(HOUR);
    house.process.tend();
    assert!(block_on(house.process.authority.shutdown()).is_err());
    assert_eq!(house.events(), before);
    assert!(house.shelf.of(&house.ada.chain()).is_empty());
    house.store.fail(false);
    house.process.tend();
    assert_eq!(house.events(), before, "not at once");
    house.clock.advance(MINUTE);
    house.process.tend();
    assert_eq!(house.events().len(), before.len() + 1);
    assert_eq!(house.shelf.of(&house.ada.chain()).len(), 1);
    assert!(house.verify().holds());
}

#[test]
fn of_two_processes_the_second_writes_none_where_the_first_has_covered_everything() {
    let house = House::with(TestStore::shared(), |builder| builder);
    let sink = Arc::clone(&house.shelf) as Arc<dyn CheckpointSink>;
    let other = Process::start(&house.store, &house.clock, |builder| builder.checkpoint_sink(sink));
    act_by(&other, &house.ada);
    house.checkpoint();
    block_on(other.authority.shutdown()).unwrap();
    assert_eq!(house.shelf.of(&house.ada.chain()).len(), 1);
    let report = house.verify();
    assert_eq!((report.events, report.checkpoints, report.after_last), (4, 1, 0));
}

#[test]
fn where_the_hosts_own_issuer_signs_there_are_none_and_the_report_says_so() {
    let pair = Arc::new(SigningPair::generate(Algorithm::EdDsa).unwrap().0);
    let issuer = Arc::new(JwtIssuer::new(Vec::new(), Some(pair)).unwrap());
    let house = House::with(TestStore::new(), |builder| builder.token_issuer(LIVE, issuer));
    house.act();
    house.checkpoint();
    let report = house.verify();
    assert!(report.holds() && !report.signs && report.checkpoints == 0);
    assert_eq!(report.after_last, report.events);
    assert!(report.to_string().contains("the host's own issuer signs here, so no checkpoints are written"));
}
