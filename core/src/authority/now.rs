//! The instant that decisions are made at.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::{Clock, milliseconds};
use crate::model::UnixTime;

/// Both clocks and a floor. The floor moves on as time passes, wherever the wall clock is set.
#[derive(Debug)]
pub(super) struct Time {
    clock: Arc<dyn Clock>,
    started: Duration,
    /// The floor as it was at the start, in milliseconds: whole seconds would let two nodes that share a store round
    /// each other upwards.
    floor_at_start: AtomicU64,
}

/// Both clocks as they were read together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Instant {
    /// What decisions are made at.
    pub(super) now: UnixTime,
    pub(super) monotonic: Duration,
}

impl Time {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let floor_at_start = AtomicU64::new(millis(clock.now()));
        let started = clock.monotonic();
        Self { clock, started, floor_at_start }
    }

    /// The wall clock, but never before the start plus the time that has passed since, nor before what was pruned plus
    /// the time that has passed since that was known.
    pub(super) fn now(&self) -> UnixTime {
        self.read().now
    }

    /// [`now`](Self::now), and the monotonic clock as it was then.
    pub(super) fn read(&self) -> Instant {
        let (wall, monotonic) = self.clock.both();
        let floor = self.floor_at_start.load(Ordering::Relaxed).saturating_add(self.passed(monotonic));
        Instant { now: wall.max(UnixTime::from_seconds(floor / 1_000)), monotonic }
    }

    /// The monotonic clock.
    pub(super) fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    /// What had ended by `pruned_at` stays ended.
    pub(super) fn raise_floor(&self, pruned_at: UnixTime) {
        let passed = self.passed(self.clock.monotonic());
        self.floor_at_start.fetch_max(millis(pruned_at).saturating_sub(passed), Ordering::Relaxed);
    }

    /// The wall clock alone counts, until the floor is raised again.
    pub(super) fn forget_floor(&self) {
        let (wall, monotonic) = self.clock.both();
        self.floor_at_start.store(millis(wall).saturating_sub(self.passed(monotonic)), Ordering::Relaxed);
    }

    /// Milliseconds from the start to `monotonic`.
    fn passed(&self, monotonic: Duration) -> u64 {
        milliseconds(monotonic.saturating_sub(self.started))
    }
}

fn millis(at: UnixTime) -> u64 {
    at.seconds().saturating_mul(1_000)
}
