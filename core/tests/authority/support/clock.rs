//! A clock that the test moves, wall and monotonic apart, and upkeep driven round by round.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use latchbook_core::Authority;
use latchbook_core::clock::{Clock, Sleep};
use latchbook_core::model::UnixTime;

/// 2026-11-24T00:00:00Z.
pub const START: u64 = 1_795_478_400;
pub const HOUR: u64 = 3_600;
pub const YEAR: u64 = 365 * 86_400;

/// Both clocks of one machine, in milliseconds.
#[derive(Debug)]
pub struct TestClock {
    wall: AtomicU64,
    monotonic: AtomicU64,
    slept: AtomicU64,
}

impl TestClock {
    pub fn at(wall: u64) -> Self {
        let (wall, monotonic) = (AtomicU64::new(wall.saturating_mul(1_000)), AtomicU64::new(1_000_000));
        Self { wall, monotonic, slept: AtomicU64::new(0) }
    }

    /// Time passes.
    pub fn advance(&self, seconds: u64) {
        self.advance_millis(seconds * 1_000);
    }

    pub fn advance_millis(&self, millis: u64) {
        self.set_ahead_millis(millis);
        self.monotonic.fetch_add(millis, Ordering::SeqCst);
    }

    /// Somebody sets the wall clock.
    pub fn set(&self, wall: u64) {
        self.wall.store(wall.saturating_mul(1_000), Ordering::SeqCst);
    }

    pub fn set_back(&self, seconds: u64) {
        self.wall.fetch_sub(seconds * 1_000, Ordering::SeqCst);
    }

    pub fn set_ahead(&self, seconds: u64) {
        self.set_ahead_millis(seconds * 1_000);
    }

    fn set_ahead_millis(&self, millis: u64) {
        let wall = self.wall.load(Ordering::SeqCst);
        self.wall.store(wall.saturating_add(millis), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> UnixTime {
        UnixTime::from_seconds(self.wall.load(Ordering::SeqCst) / 1_000)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.monotonic.load(Ordering::SeqCst))
    }

    /// Over when it is asked a second time, so that each poll of a loop that sleeps is one round.
    fn sleep(&self, _: Duration) -> Sleep {
        let mut asked = false;
        self.slept.fetch_add(1, Ordering::SeqCst);
        Box::pin(poll_fn(move |_| if std::mem::replace(&mut asked, true) { Poll::Ready(()) } else { Poll::Pending }))
    }
}

/// An authority's upkeep.
pub struct Upkeep(Pin<Box<dyn Future<Output = ()> + Send>>);

impl Upkeep {
    pub fn of(authority: &Authority) -> Self {
        Self(Box::pin(authority.upkeep()))
    }

    /// One round; whether it goes on, which it does until its authority is gone.
    pub fn round(&mut self) -> bool {
        self.0.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending()
    }

    /// One round up to where it sleeps, over a store that has to be waited for.
    pub fn round_to_its_end(&mut self, clock: &TestClock) {
        let before = clock.slept.load(Ordering::SeqCst);
        futures_executor::block_on(poll_fn(|context| match self.0.as_mut().poll(context) {
            Poll::Pending if clock.slept.load(Ordering::SeqCst) == before => Poll::Pending,
            _ => Poll::Ready(()),
        }));
    }
}
