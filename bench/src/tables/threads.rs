//! Two threads beside one, on tokens that were seen before.
//!
//! Operations are counted per second of each thread's own processor time, so that other programs on the machine do not
//! count as bad scaling; by the wall as well.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::figure::{Asked, figure};
use crate::keys::Algorithm;
use crate::median;
use crate::picks::Picks;
use crate::world::{Provider, ROOM, authenticate, authority, tokens};

const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_millis(200);
const TOKENS: usize = 1_000;

/// What a thread does: its number, and how many times it did so before.
type Operation<'a> = dyn Fn(usize, usize) + Sync + 'a;

/// Measures and prints.
pub fn run() {
    let authority = authority(Provider::Ring, Algorithm::EdDsa, ROOM);
    let tokens = tokens(TOKENS as u64, TOKENS as u64);
    for token in &tokens {
        authenticate(&authority, token).expect("a good token");
    }
    let mut picks = Picks::new(5);
    let order: Vec<usize> = (0..1 << 16).map(|_| picks.below(TOKENS)).collect();
    let show = |token: usize| assert!(authenticate(&authority, &tokens[token]).is_ok());
    let uniform = |thread: usize, number: usize| show(order[(number + thread * 9_973) & 0xffff]);
    let hot = |_: usize, _: usize| show(5);
    // Nothing is shared here: what two of these processors can do at best.
    let alone = |thread: usize, number: usize| {
        let token = tokens[(number + thread) % 500].as_bytes();
        black_box(ring::digest::digest(&ring::digest::SHA256, token));
    };
    let before = authority.statistics().verified;

    let kinds: [(&str, &Operation<'_>, Asked); 3] = [
        ("SHA-256 of a token, nothing shared", &alone, Asked::Nothing),
        ("1,000 tokens, uniform", &uniform, Asked::AtLeast(1.8)),
        ("one hot token", &hot, Asked::AtLeast(1.5)),
    ];
    let mut rates = kinds.map(|_| [const { (Vec::new(), Vec::new()) }; 2]);
    for _ in 0..ROUNDS {
        for ((_, operation, _), rates) in kinds.iter().zip(&mut rates) {
            for (threads, (by_processor, by_wall)) in (1..).zip(rates) {
                let (processor, wall) = at_once(threads, operation);
                by_processor.push(processor);
                by_wall.push(wall);
            }
        }
    }
    assert_eq!(authority.statistics().verified, before, "every token was remembered");

    println!("\n{:<40} {:>12} {:>12} {:>8} {:>8}", "Two threads", "1, ns", "2, ns each", "x", "x, wall");
    for ((what, _, asked), rates) in kinds.iter().zip(rates) {
        let [(one, one_wall), (two, two_wall)] = rates.map(|(processor, wall)| (median(processor), median(wall)));
        let (x, x_wall) = (two / one, two_wall / one_wall);
        println!("  {what:<38} {:>12.1} {:>12.1} {x:>8.2} {x_wall:>8.2}", 1e9 / one, 2e9 / two);
        figure(format!("two threads over one, {what}"), *asked, x, "x");
        figure(format!("two threads over one, {what}, by the wall"), Asked::Nothing, x_wall, "x");
    }
}

/// Operations of `threads` threads at once: a second of their own processor time, and a second.
fn at_once(threads: usize, operation: &Operation<'_>) -> (f64, f64) {
    let (stop, start) = (AtomicBool::new(false), Barrier::new(threads + 1));
    let (rate, done) = (Mutex::new(0.0), Mutex::new(0));
    let took = thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|thread| {
                let (stop, start, rate, done) = (&stop, &start, &rate, &done);
                scope.spawn(move || {
                    start.wait();
                    let (began, mut number) = (processor_time(), 0);
                    while !stop.load(Ordering::Relaxed) {
                        for _ in 0..64 {
                            operation(thread, number);
                            number += 1;
                        }
                    }
                    *rate.lock().expect("a lock") += number as f64 / (processor_time() - began);
                    *done.lock().expect("a lock") += number;
                })
            })
            .collect();
        start.wait();
        let began = Instant::now();
        thread::sleep(ROUND);
        stop.store(true, Ordering::Relaxed);
        running.into_iter().for_each(|thread| thread.join().expect("no panic"));
        began.elapsed()
    });
    let done = *done.lock().expect("a lock");
    (*rate.lock().expect("a lock"), done as f64 / took.as_secs_f64())
}

/// Seconds of processor time of this thread.
fn processor_time() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
