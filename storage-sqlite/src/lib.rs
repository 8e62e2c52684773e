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
mod store;
mod tables;
mod timeout;
mod writer;

pub use store::{SqliteStore, SqliteStoreBuilder};
