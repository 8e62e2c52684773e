//! What the tests share: a server, and stores on it.
#![allow(dead_code, unreachable_pub, unused_imports, reason = "each test uses a part of it")]

mod server;

use std::time::Duration;

use latchbook_postgres::{PostgresStore, PostgresStoreBuilder};
pub use server::{PASSWORD, Server};

/// A store in a schema of its own. Machines that test are slow: it is given more time.
pub fn builder(server: &Server) -> PostgresStoreBuilder {
    PostgresStore::builder(server.url()).schema(&server.schema()).timeout(Duration::from_secs(20))
}
