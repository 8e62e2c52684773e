#![doc = include_str!("../README.md")]

mod cells;
mod changes;
mod connection;
mod file;
mod place;
mod readers;
mod reading;
mod rows;
mod schema;
mod snapshot;
mod store;
mod tables;
mod timeout;
mod writer;

pub use snapshot::SqliteSnapshot;
pub use store::{SqliteStore, SqliteStoreBuilder};
