//! The tests of `ledger-axum`, played against `ledger-actix`.

#![allow(
    dead_code,
    clippy::duplicate_mod,
    reason = "each of them is a crate by itself too, with its own support and program"
)]

#[path = "../bootstrap.rs"]
mod bootstrap;
#[path = "../contract.rs"]
mod contract;
#[path = "../openapi.rs"]
mod openapi;
#[path = "../readme.rs"]
mod readme;
#[path = "../session.rs"]
mod session;
#[path = "../sqlite.rs"]
mod sqlite;
#[path = "../start.rs"]
mod start;
#[path = "../tls.rs"]
mod tls;
#[path = "../usage_crash.rs"]
mod usage_crash;

const PROGRAM: &str = env!("CARGO_BIN_EXE_ledger-actix");
