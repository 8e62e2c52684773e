//! The instant that decisions are made at.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::Clock;
use crate::model::UnixTime;

/// Both clocks and a floor: time never goes back while the process runs, nor behind the last prune.
#[derive(Debug)]
pub(super) struct Time {
    clock: Arc<dyn Clock>,
    started_at: UnixTime,
    started: Duration,
    floor: AtomicU64,
}

impl Time {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let (started_at, started) = (clock.now(), clock.monotonic());
        Self { clock, started_at, started, floor: AtomicU64::new(0) }
    }

    /// The wall clock, but never before the start plus the time that has passed since, nor before the floor.
    pub(super) fn now(&self) -> UnixTime {
        let passed = self.clock.monotonic().saturating_sub(self.started).as_secs();
        let floor = UnixTime::from_seconds(self.floor.load(Ordering::Relaxed));
        self.clock.now().max(self.started_at.plus(passed)).max(floor)
    }

    /// The monotonic clock.
    pub(super) fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    /// What had ended by `pruned_at` stays ended.
    pub(super) fn raise_floor(&self, pruned_at: UnixTime) {
        self.floor.fetch_max(pruned_at.seconds(), Ordering::Relaxed);
    }
}
