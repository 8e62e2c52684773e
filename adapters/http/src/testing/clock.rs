//! A clock that stands still until the test moves it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use latchbook_core::clock::{Clock, Sleep, SystemClock, Timer};
use latchbook_core::model::UnixTime;

/// A clock that stands still until the test moves it.
///
/// Waiting is not its business: who sleeps by it sleeps as long as by any other clock, in real time.
#[derive(Debug)]
pub struct TestClock {
    start: UnixTime,
    passed: AtomicU64,
    timer: Timer,
}

impl TestClock {
    /// A clock that shows the system's present, so that tokens are good for others who check them as well.
    #[must_use]
    pub fn new() -> Self {
        Self::at(SystemClock::new().now())
    }

    /// A clock that shows `start`.
    #[must_use]
    pub fn at(start: UnixTime) -> Self {
        Self { start, passed: AtomicU64::new(0), timer: Timer::new() }
    }

    /// Lets `seconds` pass.
    pub fn advance(&self, seconds: u64) {
        self.passed.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Default for TestClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for TestClock {
    fn now(&self) -> UnixTime {
        self.start.plus(self.passed.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_secs(self.passed.load(Ordering::SeqCst))
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        self.timer.sleep(duration)
    }
}
