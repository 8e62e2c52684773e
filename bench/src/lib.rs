//! Measures latchbook beside the crates that people use instead, and beside the bare engines that it stands on.

#![expect(clippy::disallowed_methods, reason = "clocks and other crates' signers are what is measured here")]

pub mod bare;
pub mod claims;
pub mod client;
pub mod data;
pub mod figure;
pub mod harness;
pub mod keys;
pub mod peers;
pub mod picks;
pub mod prepared;
pub mod routes;
pub mod running;
pub mod shown;
pub mod tables;
pub mod tokens;
pub mod world;
pub mod wrk;

/// Whatever ends a measurement.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The middle of `values`, or between the two in the middle.
#[must_use]
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = |place: usize| values.get(place).copied().unwrap_or_default();
    (at(values.len().saturating_sub(1) / 2) + at(values.len() / 2)) / 2.0
}
