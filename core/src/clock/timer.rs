//! Waiting: one thread that wakes futures at their time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt::{self, Debug};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

/// A future that ends after a while.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What `future` gives, or `None` if `sleep` ends first.
pub async fn within<F: Future>(sleep: Sleep, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut sleep = sleep;
    poll_fn(|context| {
        if let Poll::Ready(output) = future.as_mut().poll(context) {
            return Poll::Ready(Some(output));
        }
        sleep.as_mut().poll(context).map(|()| None)
    })
    .await
}

/// An instant to count from, for [`Timer::sleep_from`].
#[derive(Clone, Copy, Debug)]
pub struct Beginning(Instant);

impl Beginning {
    /// The present.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the room that reads clocks")]
    pub fn now() -> Self {
        Self(Instant::now())
    }
}

/// Wakes futures at their time, from one thread of its own.
#[derive(Default)]
pub struct Timer {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    alarms: BinaryHeap<Reverse<Alarm>>,
    running: bool,
    closed: bool,
}

struct Alarm {
    at: Instant,
    /// Gone where nobody waits any more: most answers come long before their time is over.
    sleeper: Weak<Mutex<Sleeper>>,
}

#[derive(Default)]
struct Sleeper {
    over: bool,
    waker: Option<Waker>,
}

impl Timer {
    /// A timer without a thread; the first sleep starts it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A future that ends after `duration`; at once, should the system refuse the timer its thread.
    #[must_use]
    pub fn sleep(&self, duration: Duration) -> Sleep {
        self.sleep_from(Beginning::now(), duration)
    }

    /// The same, counted from `beginning`: however much of it has passed, the end is the same.
    #[must_use]
    pub fn sleep_from(&self, beginning: Beginning, duration: Duration) -> Sleep {
        let sleeper = Arc::new(Mutex::new(Sleeper::default()));
        let Some(at) = beginning.0.checked_add(duration) else {
            return Box::pin(std::future::pending());
        };
        if !self.start() {
            return Box::pin(std::future::ready(()));
        }
        let mut state = lock(&self.shared.state);
        let comes_first = state.alarms.peek().is_none_or(|Reverse(next)| at < next.at);
        state.alarms.push(Reverse(Alarm { at, sleeper: Arc::downgrade(&sleeper) }));
        drop(state);
        // Else the thread will wake early enough by itself.
        if comes_first {
            self.shared.changed.notify_one();
        }
        Box::pin(poll_fn(move |context| {
            let mut sleeper = lock(&sleeper);
            if sleeper.over {
                return Poll::Ready(());
            }
            sleeper.waker = Some(context.waker().clone());
            Poll::Pending
        }))
    }

    fn start(&self) -> bool {
        let mut state = lock(&self.shared.state);
        if !state.running {
            let shared = Arc::clone(&self.shared);
            let thread = std::thread::Builder::new().name("latchbook-timer".to_owned());
            state.running = thread.spawn(move || shared.run()).is_ok();
        }
        state.running
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        lock(&self.shared.state).closed = true;
        self.shared.changed.notify_one();
    }
}

impl Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Timer")
    }
}

impl Shared {
    #[expect(clippy::disallowed_methods, reason = "this is the room that reads clocks")]
    fn run(&self) {
        let mut state = lock(&self.state);
        loop {
            let now = Instant::now();
            while let Some(Reverse(next)) = state.alarms.peek()
                && (next.at <= now || state.closed || next.sleeper.strong_count() == 0)
            {
                let due = state.alarms.pop();
                if let Some(sleeper) = due.and_then(|Reverse(alarm)| alarm.sleeper.upgrade()) {
                    let mut sleeper = lock(&sleeper);
                    sleeper.over = true;
                    if let Some(waker) = sleeper.waker.take() {
                        waker.wake();
                    }
                }
            }
            if state.closed {
                return;
            }
            state = match state.alarms.peek() {
                Some(Reverse(next)) => {
                    let wait = next.at.saturating_duration_since(now);
                    self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

impl PartialEq for Alarm {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Alarm {}

impl PartialOrd for Alarm {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Alarm {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every critical section here leaves the value whole, so a poisoned lock is still good.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures_executor::block_on;

    use super::super::{Clock as _, SystemClock};
    use super::*;

    #[test]
    fn a_sleep_ends_after_its_time_and_the_earlier_one_first() {
        let clock = SystemClock::new();
        let long = clock.sleep(Duration::from_secs(3600));
        let before = clock.monotonic();
        block_on(clock.sleep(Duration::from_millis(20)));
        assert!(clock.monotonic() - before >= Duration::from_millis(20));
        assert_eq!(block_on(within(clock.sleep(Duration::from_millis(5)), long)), None);
    }

    #[test]
    fn a_sleep_from_an_earlier_beginning_ends_when_that_is_long_enough_ago() {
        let clock = SystemClock::new();
        let (before, beginning) = (clock.monotonic(), Beginning::now());
        block_on(clock.timer.sleep_from(beginning, Duration::from_millis(20)));
        assert!(clock.monotonic() - before >= Duration::from_millis(20));
        block_on(clock.timer.sleep_from(beginning, Duration::from_millis(10)));
    }

    #[test]
    fn sleeps_that_nobody_waits_for_any_more_hold_up_no_other() {
        let timer = Timer::new();
        (0..100).for_each(|_| drop(timer.sleep(Duration::from_millis(1))));
        let (late, early) = (timer.sleep(Duration::from_millis(40)), timer.sleep(Duration::from_millis(10)));
        assert_eq!(block_on(within(late, early)), Some(()));
        block_on(timer.sleep(Duration::from_millis(1)));
    }

    #[test]
    fn dropping_the_timer_ends_its_sleeps() {
        let timer = Timer::new();
        let sleep = timer.sleep(Duration::from_secs(3600));
        drop(timer);
        block_on(sleep);
    }
}
