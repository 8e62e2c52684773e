//! The contract, played against a whole authority over a store in memory.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test fails by panicking, and this is one program"
)]

mod ask;
mod audit;
mod checkpoints;
mod claims;
mod documented;
mod faults;
mod guard;
mod house;
mod logs;
mod never_panics;
mod oauth_clients;
mod oauth_exchange;
mod oauth_metadata;
mod oauth_own_tokens;
mod openapi;
mod recipes;
mod sandbox;
mod self_service;
mod tokens;
mod usage;
mod well_known;
