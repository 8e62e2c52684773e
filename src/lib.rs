//! API keys, short-lived access tokens and tenant-safe route guards for Rust servers.

pub mod program;

pub use latchbook_core::*;
pub use latchbook_http as http;
pub use latchbook_http::Gate;
pub use program::StoreUrl;

#[cfg(feature = "actix")]
pub use latchbook_actix as actix;
#[cfg(feature = "axum")]
pub use latchbook_axum as axum;
#[cfg(feature = "testing")]
pub use latchbook_http::testing;
#[cfg(feature = "postgres")]
pub use latchbook_postgres::PostgresStore;
#[cfg(feature = "redb")]
pub use latchbook_redb::RedbStore;
#[cfg(feature = "sqlite")]
pub use latchbook_sqlite::SqliteStore;

// The code of the how-to pages is tested.
#[cfg(all(doctest, feature = "axum", feature = "testing"))]
#[doc = include_str!("../docs/how-to/test-your-routes.md")]
struct TestYourRoutes;
#[cfg(all(doctest, feature = "aws-lc"))]
#[doc = include_str!("../docs/how-to/sign-faster.md")]
struct SignFaster;
