//! Measures latchbook beside the crates that people use instead, and beside the bare engines that it stands on.

pub mod client;
pub mod data;
pub mod figure;
pub mod prepared;
pub mod running;
pub mod tokens;
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
