//! Times cases side by side: every round runs one batch of each, and medians are taken.
//!
//! So a drift of the machine hits all cases of a table alike. Without words a program runs all its cases; with words,
//! those whose name has one of them. `--operations N NAME` runs that one case N times, for a profiler: [`operate`] is where to look.

use std::hint::black_box;
use std::num::ParseIntError;
use std::time::{Duration, Instant};

use crate::median;

const ROUNDS: usize = 101;
// Shorter than what another program takes the processor away for, so that most batches run through.
const BATCH: Duration = Duration::from_millis(2);

/// What the command line asks for.
#[derive(Clone, Debug)]
pub enum Mode {
    /// Cases whose name has one of the words are timed; all where there is none.
    Time(Vec<String>),
    /// This case runs that many times.
    Operations(usize, String),
}

impl Mode {
    /// What the words of the command line say.
    pub fn of(words: &[String]) -> Result<Self, ParseIntError> {
        Ok(match words {
            [option, count, name] if option == "--operations" => Self::Operations(count.parse()?, name.clone()),
            _ => Self::Time(words.to_vec()),
        })
    }

    /// Whether the case `name` runs.
    pub fn wants(&self, name: &str) -> bool {
        match self {
            Self::Time(words) => words.is_empty() || words.iter().any(|word| name.contains(word)),
            Self::Operations(_, wanted) => name == wanted,
        }
    }
}

/// A table, and what is read from its medians.
pub struct Part {
    pub title: &'static str,
    pub fill: fn(&mut Table),
    pub figures: fn(&Times),
}

impl Part {
    /// Its cases, where they are wanted.
    pub fn table(&self, mode: &Mode) -> Table {
        let mut table = Table::new(mode);
        (self.fill)(&mut table);
        table
    }

    /// Times its cases, and prints them and its figures.
    pub fn run(&self, mode: &Mode) {
        (self.figures)(&self.table(mode).run(self.title));
    }
}

/// Operations that can be repeated.
pub trait Work {
    /// Readies the next chunk of operations; this is not timed.
    fn prepare(&mut self) {}
    /// Runs the first `count` of a chunk.
    fn run(&mut self, count: usize);
    /// How many operations one `prepare` is good for.
    fn chunk(&self) -> usize {
        usize::MAX
    }
}

/// The same operation again and again.
pub struct Again<F>(pub F);

impl<R, F: FnMut() -> R> Work for Again<F> {
    fn run(&mut self, count: usize) {
        for _ in 0..count {
            black_box((self.0)());
        }
    }
}

/// Operations on a state that is readied for each chunk of them; an operation gets its number within its chunk.
pub struct Prepared<S, P, F> {
    pub state: S,
    pub chunk: usize,
    pub prepare: P,
    pub operation: F,
}

impl<S, R, P: FnMut(&mut S), F: FnMut(&mut S, usize) -> R> Work for Prepared<S, P, F> {
    fn prepare(&mut self) {
        (self.prepare)(&mut self.state);
    }

    fn run(&mut self, count: usize) {
        for number in 0..count {
            black_box((self.operation)(&mut self.state, number));
        }
    }

    fn chunk(&self) -> usize {
        self.chunk
    }
}

/// Cases that are run side by side.
pub struct Table {
    mode: Mode,
    cases: Vec<Case>,
}

struct Case {
    name: String,
    work: Box<dyn Work>,
}

impl Table {
    pub fn new(mode: &Mode) -> Self {
        Self { mode: mode.clone(), cases: Vec::new() }
    }

    /// Adds the case `name`, made only where it is wanted.
    pub fn add<W: Work + 'static>(&mut self, name: impl Into<String>, make: impl FnOnce() -> W) {
        let name = name.into();
        if self.mode.wants(&name) {
            self.cases.push(Case { name, work: Box::new(make()) });
        }
    }

    /// Adds an operation that is repeated as it is.
    pub fn again<R, F: FnMut() -> R + 'static>(&mut self, name: impl Into<String>, make: impl FnOnce() -> F) {
        self.add(name, || Again(make()));
    }

    /// Runs the table and prints the median of each case under `title`.
    pub fn run(mut self, title: &str) -> Times {
        if let Mode::Operations(count, _) = self.mode {
            for case in &mut self.cases {
                let took = run(&mut *case.work, count);
                println!("{} operations of {} in {took:?}", count, case.name);
            }
            return Times::default();
        }
        if self.cases.is_empty() {
            return Times::default();
        }
        let batches: Vec<usize> = self.cases.iter_mut().map(|case| batch(&mut *case.work)).collect();
        let mut times = vec![Vec::with_capacity(ROUNDS); self.cases.len()];
        for _ in 0..ROUNDS {
            for ((case, &batch), times) in self.cases.iter_mut().zip(&batches).zip(&mut times) {
                times.push(run(&mut *case.work, batch).as_secs_f64() * 1e9 / batch as f64);
            }
        }
        println!("\n{title:<72} {:>12} {:>14}", "ns", "a second");
        let mut medians = Vec::with_capacity(times.len());
        for (case, times) in self.cases.into_iter().zip(times) {
            let median = median(times);
            println!("  {:<70} {median:>12.1} {:>14.0}", case.name, 1e9 / median);
            medians.push((case.name, median));
        }
        Times(medians)
    }

    /// Hands every case to `look`, for a program that counts rather than times.
    pub fn each(&mut self, mut look: impl FnMut(&str, &mut dyn Work)) {
        for case in &mut self.cases {
            look(&case.name, &mut *case.work);
        }
    }
}

/// Medians by the cases' names.
#[derive(Debug, Default)]
pub struct Times(Vec<(String, f64)>);

impl Times {
    /// Nanoseconds of an operation; `None` where the case did not run.
    pub fn of(&self, name: &str) -> Option<f64> {
        self.0.iter().find(|(case, _)| case == name).map(|(_, nanoseconds)| *nanoseconds)
    }

    /// How many times as long `name` takes as `beside`.
    pub fn ratio(&self, name: &str, beside: &str) -> Option<f64> {
        Some(self.of(name)? / self.of(beside)?)
    }

    /// How much longer `name` takes than `beside`, in nanoseconds.
    pub fn more(&self, name: &str, beside: &str) -> Option<f64> {
        Some(self.of(name)? - self.of(beside)?)
    }
}

/// Runs `count` operations: how long they took, without what readies them.
pub fn run(work: &mut dyn Work, count: usize) -> Duration {
    let chunk = work.chunk();
    let (mut left, mut took) = (count, Duration::ZERO);
    while left > 0 {
        let now = left.min(chunk);
        work.prepare();
        let began = Instant::now();
        operate(work, now);
        took += began.elapsed();
        left -= now;
    }
    took
}

/// What is timed. A function of its own, so that a profiler can be told to look at nothing else.
#[inline(never)]
fn operate(work: &mut dyn Work, count: usize) {
    black_box(work).run(count);
}

/// How many operations fill a batch.
fn batch(work: &mut dyn Work) -> usize {
    // The first use may seed a random generator, or fault pages in.
    run(work, 3);
    let mut count = 1;
    loop {
        let took = run(work, count);
        if took * 4 > BATCH {
            let count = count as f64 * BATCH.as_secs_f64() / took.as_secs_f64();
            return (count as usize).max(1);
        }
        count *= 2;
    }
}
