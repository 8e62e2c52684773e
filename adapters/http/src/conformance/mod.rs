//! The wire contract as data, and a player: every adapter and every server gives the same answers.
//!
//! The exchanges lie in `contract/*.json`, one file per subject, with what was asked and what must come back.
//! [`furnish`] fills a store with the developers, entities, keys and tokens that they are about; [`play`] sends every
//! exchange, in order, to a server on that store, and reports each difference.
//!
//! ```
//! use std::sync::Arc;
//! use latchbook_core::key_store::MemoryStore;
//! use latchbook_http::conformance::{furnish, gate, play};
//! # use latchbook_http::testing::{Answer, RawRequest};
//! # struct App;
//! # fn app(_: latchbook_http::Gate) -> App { App }
//! # async fn send(_: &App, _: RawRequest) -> Result<Answer, String> { Err("nobody is there".to_owned()) }
//!
//! # futures_executor::block_on(async {
//! let store = Arc::new(MemoryStore::new());
//! let world = furnish(store.clone()).await?;
//! let app = app(gate(store).await?); // with the routes below
//! let report = play(&world, async |request| send(&app, request).await);
//! println!("{}", report.await); // or `report.await.assert_none()`, in a test
//! # Ok::<(), latchbook_http::conformance::FurnishError>(())
//! # }).expect("a world");
//! ```
//!
//! The server serves the contract's routes and these, as the ledger of the examples does; what is not listed is a 404
//! and a 405 as the contract has them:
//!
//! | route | guard | answer |
//! | --- | --- | --- |
//! | `GET /ping` | none | 200 |
//! | `GET /v1/live/ping` | a developer token of the home environment | 200 |
//! | `GET /v1/sandbox/ping` | a developer token of `sandbox` | 200 |
//! | `GET /v1/transactions` | an entity, `ledger:read`, any environment | 200 |
//! | `POST /v1/transactions` | an entity, `ledger:write`, any environment | whatever |
//! | `GET /v1/entities` | `ledger:read`, any environment, with an entity or, for a developer, without | 200, `{"entity": {"id": …}}` or `{"entities": […]}` |
//! | `POST /v1/entities` | a developer, `entities:manage`, any environment | whatever |

mod check;
mod player;
mod script;
mod world;

pub use player::{Difference, Report, play, play_files};
pub use world::{FurnishError, ISSUER, MASTER_KEY, World, furnish, gate, scopes};

/// The exchanges: the name of each file, and its JSON.
pub const FILES: &[(&str, &str)] = &[
    ("credentials", include_str!("../../contract/credentials.json")),
    ("entities", include_str!("../../contract/entities.json")),
    ("exchange", include_str!("../../contract/exchange.json")),
    ("keys", include_str!("../../contract/keys.json")),
    ("oauth", include_str!("../../contract/oauth.json")),
    ("paths", include_str!("../../contract/paths.json")),
    ("sandbox", include_str!("../../contract/sandbox.json")),
    ("self_service", include_str!("../../contract/self_service.json")),
    ("well_known", include_str!("../../contract/well_known.json")),
];

/// What the same server answers while its store is away, to be played by [`play_files`] where a test can take the store
/// away: with a `Faulty` one of `latchbook_core::key_store::conformance`, say.
pub const STORE_FAULT: &[(&str, &str)] = &[("store_fault", include_str!("../../contract/store_fault.json"))];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_rows_of_the_threat_list_that_a_client_can_play_are_played() {
        let mut rows = BTreeSet::new();
        for (name, text) in FILES.iter().chain(STORE_FAULT) {
            let file = script::File::parse(text).unwrap_or_else(|error| panic!("{name}: {error}"));
            for exchange in &file.exchanges {
                rows.extend(exchange["row"].as_str().expect("a row").split(' ').map(str::to_owned));
            }
        }
        let h = (1..=19).filter(|row| *row != 17).map(|row| format!("H{row}"));
        let k = [1, 2, 3, 4, 5, 6, 9, 10, 12, 14].iter().map(|row| format!("K{row}"));
        let e = (0..=22).map(|row| format!("E{row}"));
        let missing: Vec<String> = h.chain(k).chain(e).filter(|row| !rows.contains(row)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
