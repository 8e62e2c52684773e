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

#[cfg(test)]
mod tests {
    use super::super::samples::source;
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn table(count: u32, capacity: usize) -> LimitTable<&'static str> {
        LimitTable::new(Limit { count, per: MINUTE }, capacity)
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn k7_after_the_limit_one_is_regained_at_a_time() {
        let mut table = table(20, 10);
        for _ in 0..20 {
            assert_eq!(table.take("a", at(100)), Ok(()));
        }
        let cases = [
            (at(100), Err(3)),
            (Duration::from_millis(100_500), Err(3)),
            (Duration::from_millis(102_999), Err(1)),
            (at(103), Ok(())),
            (at(103), Err(3)),
            (at(109), Ok(())),
            (at(109), Ok(())),
            (at(109), Err(3)),
        ];
        for (now, want) in cases {
            assert_eq!(table.take("a", now), want, "{now:?}");
        }
        assert_eq!(table.take("b", at(109)), Ok(()), "another key has its own");
    }

    #[test]
    fn all_is_regained_after_the_whole_time() {
        let mut table = table(20, 10);
        for start in [0, 60, 120] {
            for _ in 0..20 {
                assert_eq!(table.take("a", at(start)), Ok(()));
            }
            assert!(table.take("a", at(start)).is_err());
        }
    }

    #[test]
    fn ten_an_hour_are_ten_and_then_one_every_six_minutes() {
        let mut table = LimitTable::new(Limit { count: 10, per: at(3600) }, 1);
        for _ in 0..10 {
            assert_eq!(table.take((), at(0)), Ok(()));
        }
        assert_eq!(table.take((), at(0)), Err(360));
        assert_eq!(table.take((), at(359)), Err(1));
        assert_eq!(table.take((), at(360)), Ok(()));
    }

    #[test]
    fn a_limit_of_none_lets_none_through() {
        assert_eq!(table(0, 10).take("a", at(0)), Err(60));
        assert_eq!(LimitTable::new(Limit { count: 0, per: Duration::ZERO }, 0).take("a", at(0)), Err(1));
    }

    #[test]
    fn uneven_and_extreme_limits_do_not_overflow() {
        for (count, per) in
            [(7, MINUTE), (u32::MAX, Duration::from_nanos(1)), (1, Duration::MAX), (u32::MAX, Duration::MAX)]
        {
            let mut table = LimitTable::new(Limit { count, per }, 1);
            assert_eq!(table.take((), Duration::ZERO), Ok(()));
            for now in [Duration::ZERO, MINUTE, Duration::MAX] {
                let _ = table.take((), now);
            }
        }
    }

    #[test]
    fn when_full_the_key_that_was_idle_longest_is_forgotten() {
        let mut table = table(1, 2);
        assert_eq!(table.take("a", at(0)), Ok(()));
        assert_eq!(table.take("b", at(1)), Ok(()));
        assert!(table.take("a", at(2)).is_err(), "a refusal is a sign of life too");
        assert_eq!(table.take("c", at(3)), Ok(()));
        assert!(table.take("a", at(4)).is_err(), "a is remembered");
        assert_eq!(table.take("b", at(5)), Ok(()), "b was forgotten");
    }

    #[test]
    fn the_table_never_grows_past_its_capacity() {
        let mut table = LimitTable::new(Limit { count: 5, per: MINUTE }, 100);
        for step in 0..100_000_u64 {
            let key = if step % 3 == 0 { 0 } else { step };
            let _ = table.take(key, at(step));
            assert!(table.cells.len() <= 100 && table.touches.len() <= 201, "step {step}");
        }
    }

    #[test]
    fn an_ipv6_address_counts_as_its_network() {
        let cases = [
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::"),
            ("2001:db8:1:3::", "2001:db8:1:3::"),
        ];
        for (address, want) in cases {
            assert_eq!(address_key(&source(address)), want.parse().ok(), "{address}");
        }
        assert_eq!(address_key(&Source::UNKNOWN), None);
    }
}
