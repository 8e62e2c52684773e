#![doc = include_str!("../README.md")]

mod address;
mod builder;
mod columns;
mod commit;
mod copies;
mod events;
mod fault;
mod locks;
mod migrations;
mod news;
mod parts;
mod reading;
mod records;
mod session;
mod snapshot;
mod statements;
mod store;
mod timeout;
mod touched;
mod writes;

pub use builder::{PostgresStoreBuilder, danger};
pub use snapshot::PostgresSnapshot;
pub use store::PostgresStore;
