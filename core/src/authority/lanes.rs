//! One of a thing for each processor, so that threads which work at the same time seldom share one.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;

use crate::sync::thread_local;

/// As many `T` as there are processors. A thread always gets the same one, and neighbours get different ones; what it
/// writes there slows no other down.
#[derive(Debug)]
pub(super) struct Lanes<T> {
    first: Lane<T>,
    others: Box<[Lane<T>]>,
}

/// Alone on its cache lines; processors fetch them in pairs of 64 bytes.
#[derive(Debug)]
#[repr(align(128))]
struct Lane<T>(T);

impl<T> Lanes<T> {
    /// Made by `make`, which is told how many there will be.
    pub(super) fn new(make: impl Fn(usize) -> T) -> Self {
        let count = available_parallelism().map_or(1, usize::from).min(MOST);
        Self { first: Lane(make(count)), others: (1..count).map(|_| Lane(make(count))).collect() }
    }

    /// The calling thread's.
    pub(super) fn mine(&self) -> &T {
        let number = NUMBER.with(|number| *number);
        let lane = (number % self.len()).checked_sub(1).and_then(|place| self.others.get(place));
        &lane.unwrap_or(&self.first).0
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        std::iter::once(&self.first).chain(&*self.others).map(|lane| &lane.0)
    }

    /// How many there are: at least one.
    pub(super) fn len(&self) -> usize {
        self.others.len() + 1
    }
}

const MOST: usize = 64;

// A number for each thread of the process. It says nothing about any authority.
static NEXT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static NUMBER: usize = NEXT.fetch_add(1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_keeps_its_lane_and_as_many_threads_in_a_row_as_there_are_lanes_have_each_their_own() {
        let lanes: Lanes<AtomicUsize> = Lanes::new(|_| AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..lanes.len() {
                // One after the other, so that no other test's thread need be thought of: it may take a number between.
                let visit = || (0..3).for_each(|_| _ = lanes.mine().fetch_add(1, Ordering::Relaxed));
                scope.spawn(visit).join().expect("joined");
            }
        });
        let visits: Vec<usize> = lanes.iter().map(|lane| lane.load(Ordering::Relaxed)).collect();
        assert_eq!(visits.iter().sum::<usize>(), 3 * lanes.len());
        assert!(visits.iter().all(|visits| visits % 3 == 0), "{visits:?}");
    }
}
