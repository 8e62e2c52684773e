//! Sandboxes that another service makes: reserved, furnished, then committed; cleared where that did not come to an end.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use futures_executor::block_on;
use latchbook_core::authority::{Fault, SandboxActor};
use latchbook_core::key_store::{KeyStoreExt as _, MemoryStore};
use latchbook_core::model::{AuditAction, ChainId, Rejection, SandboxRecord, SandboxState, SealedBytes, SecretBytes};
use latchbook_core::sandbox::{FixtureSandbox, Furnished, Sandbox, SandboxError, SandboxOrigin};

use crate::sandboxes::{holder, kinds};
use crate::support::{
    Calls, House, NOWHERE, SANDBOX, START, TestClock, TestStore, Trouble, Upkeep, developer, fault, idempotent, order,
    rejection,
};

const LEASE: u64 = 120;
const LIFETIME: u64 = 7 * 86_400;
const RECEIPT: &[u8] = b"access-sandbox-0123456789abcdef";

/// What the service is asked for next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mood {
    #[default]
    Works,
    /// It makes the data, or a part of it, and then fails.
    Fails,
    /// It does not answer while it is in this mood.
    Hangs,
    /// Neither furnishing nor clearing works.
    Down,
}

/// A service that makes a sandbox's data, and remembers what it was asked.
#[derive(Debug, Default)]
struct Service {
    mood: Mutex<Mood>,
    /// The seeds of what is there.
    there: Mutex<Vec<[u8; 32]>>,
    /// How often each was asked.
    furnished: Mutex<usize>,
    cleared: Mutex<Vec<SandboxRecord>>,
    receipt: Mutex<usize>,
    /// The developer whose data cannot be cleared.
    stuck: Mutex<Option<&'static str>>,
}

impl Service {
    fn mood(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    async fn wakes_up(&self) {
        poll_fn(|_| if *self.mood.lock().unwrap() == Mood::Hangs { Poll::Pending } else { Poll::Ready(()) }).await;
    }

    fn there(&self) -> usize {
        self.there.lock().unwrap().len()
    }

    fn failure<T>() -> Result<T, SandboxError> {
        Err(SandboxError("the service is down".into()))
    }
}

#[async_trait]
impl Sandbox for Service {
    fn origin(&self) -> SandboxOrigin {
        SandboxOrigin::Elsewhere
    }

    async fn furnish(&self, sandbox: &SandboxRecord) -> Result<Furnished, SandboxError> {
        let mood = *self.mood.lock().unwrap();
        *self.furnished.lock().unwrap() += 1;
        if mood == Mood::Down {
            return Self::failure();
        }
        let is_new = !self.there.lock().unwrap().contains(&sandbox.seed);
        if is_new {
            self.there.lock().unwrap().push(sandbox.seed);
        }
        match mood {
            Mood::Fails | Mood::Down => return Self::failure(),
            Mood::Hangs => self.wakes_up().await,
            Mood::Works => {}
        }
        let mut furnished = FixtureSandbox.furnish(sandbox).await?;
        let extra = *self.receipt.lock().unwrap();
        furnished.receipt = Some(SecretBytes::new([RECEIPT, &vec![b'x'; extra]].concat()));
        Ok(furnished)
    }

    async fn clear(&self, sandbox: &SandboxRecord) -> Result<(), SandboxError> {
        let is_stuck = self.stuck.lock().unwrap().is_some_and(|id| id == sandbox.developer.id.as_str());
        if is_stuck || *self.mood.lock().unwrap() == Mood::Down {
            return Self::failure();
        }
        self.there.lock().unwrap().retain(|seed| *seed != sandbox.seed);
        self.cleared.lock().unwrap().push(sandbox.clone());
        Ok(())
    }
}

fn house() -> (House, Arc<Service>) {
    let service = Arc::new(Service::default());
    let store = TestStore::over(Arc::new(MemoryStore::new()));
    (node(store, START, &service), service)
}

fn node(store: Arc<TestStore>, wall: u64, service: &Arc<Service>) -> House {
    let sandbox = Arc::clone(service) as Arc<dyn Sandbox>;
    House::open(store, Arc::new(TestClock::at(wall)), |builder| builder.sandbox(sandbox))
}

fn record(house: &House, id: &str) -> Option<SandboxRecord> {
    block_on(house.store.inner().sandbox(&developer(SANDBOX, id))).unwrap().map(|(record, _)| record)
}

/// Begins to open a sandbox, and hangs up while the service makes it.
fn hang_up(house: &House, service: &Service, id: &str) {
    service.mood(Mood::Hangs);
    let order = order(id);
    let sandboxes = house.authority.sandboxes();
    let mut opening = pin!(sandboxes.create(&SandboxActor::Host, NOWHERE, &order));
    assert!(matches!(opening.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Pending));
    service.mood(Mood::Works);
}

const WHOLE: [&str; 4] = ["developer", "key", "entity", "sandbox"];

#[test]
fn a_sandbox_made_elsewhere_is_reserved_furnished_and_committed() {
    let (house, service) = house();
    let opened = house.open_sandbox(&order("acme")).unwrap();
    assert!(opened.created && house.admit(opened.token.expose()).is_ok());
    assert!(house.exchange(&holder(&opened)).is_ok());
    assert_eq!(kinds(&house, "acme"), WHOLE);
    assert_eq!((service.there(), record(&house, "acme").unwrap().state), (1, SandboxState::Open));
    assert!(block_on(house.authority.sandboxes().get(&developer(SANDBOX, "acme"))).is_ok());
    let actions: Vec<_> = house.events(&ChainId::System(SANDBOX)).iter().map(|event| event.action).collect();
    assert_eq!(actions.last(), Some(&AuditAction::SandboxReserved));
    let own: Vec<_> =
        house.events(&ChainId::Developer(developer(SANDBOX, "acme"))).iter().map(|event| event.action).collect();
    assert_eq!(own[..2], [AuditAction::SandboxCreated, AuditAction::TokenIssued]);
}

#[test]
fn l5_a_receipt_is_sealed_and_never_longer_than_64_kib() {
    let (house, service) = house();
    house.open_sandbox(&order("acme")).unwrap();
    let Some(SealedBytes(sealed)) = record(&house, "acme").unwrap().receipt else { panic!("no receipt") };
    assert!(sealed.len() > RECEIPT.len() && !sealed.windows(8).any(|bytes| bytes == &RECEIPT[..8]));
    for (extra, fits) in [(65_536 - RECEIPT.len(), true), (65_537 - RECEIPT.len(), false)] {
        *service.receipt.lock().unwrap() = extra;
        let opened = house.open_sandbox(&order(&format!("long-{extra}")));
        assert_eq!(opened.is_ok(), fits, "{extra}");
    }
}

#[test]
fn while_it_is_being_made_nobody_can_take_its_id_and_it_does_not_exist() {
    let (house, service) = house();
    hang_up(&house, &service, "acme");
    assert_eq!(kinds(&house, "acme"), ["sandbox"]);
    assert!(matches!(record(&house, "acme").unwrap().state, SandboxState::Reserved { .. }));
    assert_eq!(rejection(block_on(house.authority.sandboxes().get(&developer(SANDBOX, "acme")))), Rejection::NotFound);
    for passed in [0, LEASE - 1] {
        house.clock.advance(passed);
        assert_eq!(rejection(house.open_sandbox(&order("acme"))), Rejection::Conflict);
        assert_eq!(rejection(house.open_sandbox(&idempotent("acme", 'k'))), Rejection::Conflict);
    }
    assert_eq!(service.there(), 1);
}

#[test]
fn an_expired_lease_is_cleared_by_whoever_takes_it_over_also_after_a_restart() {
    let (house, service) = house();
    hang_up(&house, &service, "acme");
    let left_behind = record(&house, "acme").unwrap();
    let house = node(TestStore::over(Arc::clone(house.store.inner())), START + LEASE, &service);
    let opened = house.open_sandbox(&order("acme")).unwrap();
    assert_eq!(*service.cleared.lock().unwrap(), [left_behind]);
    assert_eq!((service.there(), kinds(&house, "acme")), (1, WHOLE.to_vec()));
    assert!(house.admit(opened.token.expose()).is_ok());
}

#[test]
fn a_service_that_fails_leaves_no_sandbox_and_no_data() {
    let (house, service) = house();
    service.mood(Mood::Fails);
    assert!(matches!(fault(house.open_sandbox(&idempotent("acme", 'k'))), Fault::Sandbox(_)));
    assert_eq!((service.there(), kinds(&house, "acme")), (0, vec!["sandbox"]), "the lease stays");
    service.mood(Mood::Works);
    house.clock.advance(LEASE);
    assert!(house.open_sandbox(&idempotent("acme", 'k')).unwrap().created);
    assert!(!house.open_sandbox(&idempotent("acme", 'k')).unwrap().created);
    assert_eq!(service.there(), 1);
}

#[test]
fn a_lease_that_cannot_be_cleared_is_not_taken_over() {
    let (house, service) = house();
    hang_up(&house, &service, "acme");
    house.clock.advance(LEASE);
    let before = house.store.rows();
    service.mood(Mood::Down);
    assert!(matches!(fault(house.open_sandbox(&order("acme"))), Fault::Sandbox(_)));
    assert!(house.store.rows() == before);
    service.mood(Mood::Works);
    assert!(house.open_sandbox(&order("acme")).is_ok());
    assert_eq!(service.there(), 1);
}

#[test]
fn of_two_that_open_the_same_at_once_one_wins_and_one_set_of_data_is_there() {
    for _ in 0..20 {
        let (house, service) = house();
        let results: Vec<_> = std::thread::scope(|scope| {
            let opening =
                [(); 4].map(|()| scope.spawn(|| house.open_sandbox(&order("acme")).map(|opened| opened.created)));
            opening.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(results.iter().filter(|result| matches!(result, Ok(true))).count(), 1);
        for refused in results.into_iter().filter(Result::is_err) {
            assert_eq!(rejection(refused), Rejection::Conflict);
        }
        assert_eq!((service.there(), kinds(&house, "acme")), (1, WHOLE.to_vec()));
    }
}

#[test]
fn a_maker_whose_lease_was_taken_over_does_not_commit() {
    let (house, service) = house();
    let late = order("acme");
    service.mood(Mood::Hangs);
    // The first maker is slow; a second one takes the lease over before it ends.
    let sandboxes = house.authority.sandboxes();
    let mut slow = pin!(sandboxes.create(&SandboxActor::Host, NOWHERE, &late));
    let mut context = Context::from_waker(Waker::noop());
    assert!(slow.as_mut().poll(&mut context).is_pending());
    service.mood(Mood::Works);
    house.clock.advance(LEASE);
    let second = house.open_sandbox(&order("acme")).unwrap();
    let rows = house.store.rows();
    let Poll::Ready(first) = slow.as_mut().poll(&mut context) else { panic!("still slow") };
    assert_eq!(rejection(first), Rejection::Conflict);
    assert!(house.store.rows() == rows);
    assert!(house.admit(second.token.expose()).is_ok());
    assert_eq!(kinds(&house, "acme"), WHOLE);
}

#[test]
fn a_maker_whose_lease_was_taken_over_does_not_commit_the_others_reservation() {
    let (house, service) = house();
    let late = order("acme");
    service.mood(Mood::Hangs);
    let sandboxes = house.authority.sandboxes();
    let mut slow = pin!(sandboxes.create(&SandboxActor::Host, NOWHERE, &late));
    let mut context = Context::from_waker(Waker::noop());
    assert!(slow.as_mut().poll(&mut context).is_pending());
    house.clock.advance(LEASE);
    hang_up(&house, &service, "acme");
    let Poll::Ready(first) = slow.as_mut().poll(&mut context) else { panic!("still slow") };
    assert_eq!(rejection(first), Rejection::Conflict);
    assert_eq!(kinds(&house, "acme"), ["sandbox"], "the other one's reservation is as it was");
}

#[test]
fn a_store_fault_at_any_step_leaves_a_lease_at_most_and_it_works_once_that_has_run_out() {
    for trouble in [Trouble::Fails, Trouble::DoneButFails] {
        for step in 0.. {
            assert!(step < 20, "it never ends");
            let (house, service) = house();
            house.store.trouble(Calls::All, trouble, step..step + 1);
            let opened = house.open_sandbox(&idempotent("acme", 'k'));
            if !house.store.heal() {
                assert!(opened.unwrap().created);
                break;
            }
            assert!(matches!(fault(opened), Fault::Store(_)), "step {step}");
            let is_open = record(&house, "acme").is_some_and(|record| record.state == SandboxState::Open);
            house.clock.advance(LEASE);
            let again = house.open_sandbox(&idempotent("acme", 'k')).unwrap();
            assert_eq!(again.created, !is_open, "step {step}");
            assert_eq!(service.there(), 1, "step {step}");
            assert_eq!(kinds(&house, "acme").len(), 5, "step {step}");
        }
    }
}

#[test]
fn a_signing_key_that_goes_while_it_is_made_costs_nothing() {
    let (house, service) = house();
    let there = node(TestStore::over(Arc::clone(house.store.inner())), START, &service);
    there.retire(SANDBOX).unwrap();
    // `house` thinks that its store is its own, and still signs with the old key.
    let opened = house.open_sandbox(&order("acme")).unwrap();
    assert!(there.admit(opened.token.expose()).is_ok());
    assert_eq!(*service.furnished.lock().unwrap(), 1);
}

#[test]
fn ended_sandboxes_and_leases_are_cleared_and_one_that_cannot_be_does_not_keep_the_others() {
    let (house, service) = house();
    hang_up(&house, &service, "lease");
    house.open_sandbox(&order("open")).unwrap();
    assert_eq!(service.there(), 2);
    house.clock.advance(LIFETIME);
    let mut upkeep = Upkeep::of(&house.authority);
    service.mood(Mood::Down);
    upkeep.round();
    assert_eq!((kinds(&house, "lease").len(), kinds(&house, "open").len()), (1, 4), "not before they are cleared");
    service.mood(Mood::Works);
    *service.stuck.lock().unwrap() = Some("lease");
    house.clock.advance(60);
    upkeep.round();
    assert_eq!((kinds(&house, "lease").len(), kinds(&house, "open").len(), service.there()), (1, 0, 1));
    *service.stuck.lock().unwrap() = None;
    house.clock.advance(60);
    upkeep.round();
    assert_eq!((kinds(&house, "lease").len(), kinds(&house, "open").len(), service.there()), (0, 0, 0));
}
