//! A host's own answer to which entities a developer reaches: asked anew unless it says until when it holds.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use latchbook_core::authority::Fault;
use latchbook_core::check::EntityRule;
use latchbook_core::entity_scope::{EntityScope, Reach};
use latchbook_core::key_store::StoreError;
use latchbook_core::model::{DeveloperRef, EntityId, Rejection, UnixTime};

use crate::support::{House, START, fault, rejection};

/// Answers what it is told, and counts how often it is asked.
#[derive(Debug)]
struct Told {
    answer: Mutex<Option<Reach>>,
    asked: AtomicUsize,
}

#[async_trait]
impl EntityScope for Told {
    async fn reaches(&self, _: &DeveloperRef, _: &EntityId) -> Result<Reach, StoreError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.answer.lock().unwrap().ok_or_else(|| StoreError::unavailable("the host's directory is away"))
    }
}

fn house() -> (House, Arc<Told>) {
    let told = Arc::new(Told { answer: Mutex::new(Some(Reach::No)), asked: AtomicUsize::new(0) });
    let scope = Arc::clone(&told) as Arc<dyn EntityScope>;
    (House::with(|builder| builder.entity_scope(scope)), told)
}

impl Told {
    fn say(&self, answer: Option<Reach>) {
        *self.answer.lock().unwrap() = answer;
    }

    fn asked(&self) -> usize {
        self.asked.swap(0, Ordering::SeqCst)
    }
}

const YES: Reach = Reach::Yes { reusable_until: None };

#[test]
fn a_no_is_never_kept_nor_a_yes_without_an_end() {
    let (house, told) = house();
    let token = house.token(&house.holder("acme"));
    for (answer, reaches) in [(Reach::No, false), (YES, true), (Reach::No, false), (YES, true)] {
        told.say(Some(answer));
        for _ in 0..2 {
            assert_eq!(house.reach(&token, Some("acme-a")).is_ok(), reaches, "{answer:?}");
        }
        assert_eq!(told.asked(), 2);
    }
}

#[test]
fn a_yes_is_kept_up_to_the_instant_that_it_names_and_not_at_it() {
    let (house, told) = house();
    let token = house.token(&house.holder("acme"));
    told.say(Some(Reach::Yes { reusable_until: Some(UnixTime::from_seconds(START + 10)) }));
    assert!(house.reach(&token, Some("acme-a")).is_ok());
    told.say(Some(Reach::No));
    assert_eq!(told.asked(), 1);
    house.clock.advance(9);
    assert!(house.reach(&token, Some("acme-a")).is_ok());
    assert_eq!(told.asked(), 0);
    house.clock.advance(1);
    assert_eq!(rejection(house.reach(&token, Some("acme-a"))), Rejection::EntityForbidden);
    assert_eq!(told.asked(), 1);
}

#[test]
fn e1_it_only_ever_narrows() {
    let (house, told) = house();
    let (acme, other) = (house.holder("acme"), house.holder("other"));
    told.say(Some(YES));
    let scoped = house.entity_token(&acme, "acme-a");
    told.asked();
    assert_eq!(rejection(house.reach(&scoped, Some("acme-b"))), Rejection::EntityMismatch);
    assert_eq!(told.asked(), 0, "an entity token never reaches another entity, whatever the host would say");
    assert!(house.reach(&scoped, None).is_ok());
    told.say(Some(Reach::No));
    assert_eq!(rejection(house.reach(&scoped, None)), Rejection::EntityForbidden, "nor its own against the host's no");
    let asked = house.exchange_with(&other, |exchange| exchange.entity = Some("acme-a"));
    assert_eq!(rejection(asked), Rejection::EntityForbidden);
}

#[test]
fn an_answer_that_cannot_be_had_is_a_fault_and_never_a_yes_or_a_no() {
    let (house, told) = house();
    let acme = house.holder("acme");
    let token = house.token(&acme);
    told.say(None);
    assert!(matches!(fault(house.reach(&token, Some("acme-a"))), Fault::Store(_)));
    let asked = house.exchange_with(&acme, |exchange| exchange.entity = Some("acme-a"));
    assert!(matches!(fault(asked), Fault::Store(_)));
    assert!(house.admit(&token).is_ok(), "what needs no entity goes on");
    told.say(Some(YES));
    assert!(house.reach(&token, Some("acme-a")).is_ok());
}

/// Answers yes, each time only when it has been asked for a third time whether it is ready.
#[derive(Debug, Default)]
struct Slow {
    asked: AtomicUsize,
}

#[async_trait]
impl EntityScope for Slow {
    async fn reaches(&self, _: &DeveloperRef, _: &EntityId) -> Result<Reach, StoreError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut polls = 0;
        std::future::poll_fn(|context| {
            polls += 1;
            context.waker().wake_by_ref();
            if polls < 3 { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
        })
        .await;
        Ok(Reach::Yes { reusable_until: Some(UnixTime::MAX) })
    }
}

#[test]
fn of_many_who_ask_for_the_same_entity_at_once_one_asks_the_host() {
    let slow = Arc::new(Slow::default());
    let house = House::with(|builder| builder.entity_scope(Arc::clone(&slow) as Arc<dyn EntityScope>));
    let principal = house.admit(&house.token(&house.holder("acme"))).unwrap();
    let wanted = EntityId::parse("acme-a").unwrap();
    let ask = || house.authority.entity(&principal, Some(&wanted), EntityRule::default());
    let mut asking: Vec<_> = (0..100).map(|_| Box::pin(ask())).collect();
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let mut answered = 0;
    for _ in 0..10 {
        asking.retain_mut(|asking| match asking.as_mut().poll(&mut context) {
            std::task::Poll::Ready(answer) => {
                answered += usize::from(answer.is_ok());
                false
            }
            std::task::Poll::Pending => true,
        });
    }
    assert_eq!((answered, slow.asked.load(Ordering::SeqCst)), (100, 1));
}
