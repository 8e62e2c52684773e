//! Time: the one room that reads the system's clocks.

mod timer;

use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

pub use timer::{Beginning, Sleep, Timer, within};

use crate::model::UnixTime;

/// Both clocks, and a way to wait.
pub trait Clock: Debug + Send + Sync + 'static {
    /// The wall clock. Before 1970 it reads as [`UnixTime::EPOCH`], after 9999 as [`UnixTime::MAX`].
    fn now(&self) -> UnixTime;
    /// Time since some fixed instant; it never goes back.
    fn monotonic(&self) -> Duration;
    /// Both of them.
    fn both(&self) -> (UnixTime, Duration) {
        (self.now(), self.monotonic())
    }
    /// A future that ends after `duration`.
    fn sleep(&self, duration: Duration) -> Sleep;
}

/// The system's clocks. Waiting needs no runtime: one thread, started by the first sleep and ended with this value.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
    timer: Timer,
    /// The wall clock as it was read last, and in which millisecond.
    latest: Latest,
}

impl SystemClock {
    /// The system's clocks.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the room that reads clocks")]
    pub fn new() -> Self {
        Self { started: Instant::now(), timer: Timer::new(), latest: Latest::default() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the room that reads clocks")]
    fn now(&self) -> UnixTime {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        UnixTime::from_seconds(since_epoch.as_secs())
    }

    #[expect(clippy::disallowed_methods, reason = "this is the room that reads clocks")]
    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    /// Reads the wall clock once in a millisecond at most: busy servers ask oftener, and for whole seconds.
    fn both(&self) -> (UnixTime, Duration) {
        let monotonic = self.monotonic();
        (self.latest.in_millisecond_of(monotonic, || self.now()), monotonic)
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        self.timer.sleep(duration)
    }
}

/// Whole milliseconds of `span`.
pub(crate) fn milliseconds(span: Duration) -> u64 {
    span.as_secs().saturating_mul(1_000).saturating_add(span.subsec_millis().into())
}

/// Seconds of the wall clock, with the millisecond of their reading in the low bits: one word, so that both fit. The
/// milliseconds come round every 18 hours; 0 is no reading.
#[derive(Debug, Default)]
struct Latest(AtomicU64);

const MILLISECOND_BITS: u32 = 26;
const MILLISECONDS: u64 = (1 << MILLISECOND_BITS) - 1;

impl Latest {
    fn in_millisecond_of(&self, monotonic: Duration, read: impl FnOnce() -> UnixTime) -> UnixTime {
        let millisecond = milliseconds(monotonic) % MILLISECONDS + 1;
        let latest = self.0.load(Ordering::Relaxed);
        if latest & MILLISECONDS == millisecond {
            return UnixTime::from_seconds(latest >> MILLISECOND_BITS);
        }
        let now = read();
        self.0.store(now.seconds() << MILLISECOND_BITS | millisecond, Ordering::Relaxed);
        now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wall_clock_is_read_once_in_a_millisecond() {
        let latest = Latest::default();
        let day = 86_400_000;
        let cases: [(u64, u64, u64); 8] = [
            // Microseconds passed, what the wall clock shows, what is said.
            (0, 100, 100),
            (999, 101, 100),
            (1_000, 101, 101),
            (1_001, 90, 101),
            (2_000, 90, 90),
            (2_999, UnixTime::MAX.seconds(), 90),
            (3_000, UnixTime::MAX.seconds(), UnixTime::MAX.seconds()),
            (day * 1_000, 7, 7),
        ];
        for (passed, shown, said) in cases {
            let now = latest.in_millisecond_of(Duration::from_micros(passed), || UnixTime::from_seconds(shown));
            assert_eq!(now.seconds(), said, "after {passed} us");
        }
    }

    #[test]
    fn both_clocks_are_those_that_are_read_alone() {
        let clock = SystemClock::new();
        for _ in 0..1_000 {
            let before = (clock.now(), clock.monotonic());
            let both = clock.both();
            let after = (clock.now(), clock.monotonic());
            assert!(before.1 <= both.1 && both.1 <= after.1);
            // A second may begin in the millisecond that the wall clock was read in.
            assert!(before.0 <= both.0.plus(1) && both.0 <= after.0);
        }
    }
}
