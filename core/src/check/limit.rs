//! How often something may be done: the generic cell rate algorithm, in bounded memory.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use crate::model::Source;

/// A rate: `count` at once, regained evenly over `per`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// How many; 0 lets nothing through.
    pub count: u32,
    /// Over how long.
    pub per: Duration,
}

impl Limit {
    /// The time in which one is regained, rounded up so that the rate is never above the limit.
    fn interval(&self) -> Duration {
        let nanos = self.per.as_nanos().div_ceil(u128::from(self.count.max(1)));
        u64::try_from(nanos).map_or(self.per, Duration::from_nanos)
    }
}

/// Who has done how much of late, for at most `capacity` keys: when full, the key that was idle longest is forgotten.
///
/// Within any span of time `d`, a key that is not forgotten gets at most `count + d × count / per` through.
#[derive(Debug)]
pub struct LimitTable<K> {
    limit: Limit,
    capacity: usize,
    cells: HashMap<K, Cell>,
    // Every touch of a key, in order; only the one with the cell's own number still counts.
    touches: VecDeque<(K, u64)>,
    next_touch: u64,
}

#[derive(Clone, Copy, Debug)]
struct Cell {
    // The theoretical arrival time: when all that was taken will have been regained.
    full_at: Duration,
    touch: u64,
}

impl<K: Hash + Eq + Clone> LimitTable<K> {
    /// An empty table for at most `capacity` keys, at least one.
    #[must_use]
    pub fn new(limit: Limit, capacity: usize) -> Self {
        Self { limit, capacity: capacity.max(1), cells: HashMap::new(), touches: VecDeque::new(), next_touch: 0 }
    }

    /// Takes one for `key` at `now`, a monotonic time. One that is refused costs nothing.
    ///
    /// # Errors
    /// The whole seconds to wait until the next is let through, at least 1.
    pub fn take(&mut self, key: K, now: Duration) -> Result<(), u64> {
        if self.limit.count == 0 {
            return Err(whole_seconds(self.limit.per));
        }
        let interval = self.limit.interval();
        let tolerance = interval.saturating_mul(self.limit.count - 1);
        let full_at = self.cells.get(&key).map_or(now, |cell| cell.full_at.max(now));
        let next_at = full_at.saturating_sub(tolerance);
        let answer = if next_at > now { Err(whole_seconds(next_at - now)) } else { Ok(()) };
        let full_at = if answer.is_ok() { full_at.saturating_add(interval) } else { full_at };
        self.touch(key, full_at);
        answer
    }

    fn touch(&mut self, key: K, full_at: Duration) {
        let touch = self.next_touch;
        self.next_touch += 1;
        if self.cells.insert(key.clone(), Cell { full_at, touch }).is_none() && self.cells.len() > self.capacity {
            self.forget_idle_longest();
        }
        self.touches.push_back((key, touch));
        // Old touches are swept out once they outnumber the keys, so a sweep is paid for by the touches before it.
        if self.touches.len() > self.capacity.saturating_mul(2) {
            let cells = &self.cells;
            self.touches.retain(|(key, touch)| cells.get(key).is_some_and(|cell| cell.touch == *touch));
        }
    }

    fn forget_idle_longest(&mut self) {
        while let Some((key, touch)) = self.touches.pop_front() {
            if self.cells.get(&key).is_some_and(|cell| cell.touch == touch) {
                self.cells.remove(&key);
                return;
            }
        }
    }
}

/// What a client's address counts as: itself, or its /64 where it is IPv6. `None` where it is not known.
#[must_use]
pub fn address_key(source: &Source) -> Option<IpAddr> {
    source.address.map(|address| match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let network = u128::from(address) >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from(network))
        }
    })
}

fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1)
}
