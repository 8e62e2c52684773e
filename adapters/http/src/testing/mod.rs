//! For the tests of whoever guards routes: an authority that issues real tokens, and what looks at answers.
//!
//! ```
//! use latchbook_http::testing::{Answer, TestAuthority, assert_refused};
//! use latchbook_http::{Head, Serves};
//! # latchbook_core::scopes! {
//! #     /// The ledger's scopes.
//! #     pub mod scopes {
//! #         /// Read transactions.
//! #         LedgerRead = "ledger:read";
//! #         /// Post transactions.
//! #         LedgerWrite = "ledger:write";
//! #     }
//! # }
//! # use scopes::{LedgerRead, LedgerWrite};
//!
//! # futures_executor::block_on(async {
//! let test = TestAuthority::new(scopes::ALL).await;
//! let gate = test.gate();
//! let bearer = test.acting_as("acme").entity("ent_1").scope(LedgerRead).bearer().await;
//!
//! let head = Head { authorization: &[bearer.as_bytes()], ..Head::default() };
//! let entity = gate.entity_context::<LedgerRead>(&head, Serves::Home).await.expect("let in");
//! assert_eq!(entity.entity_id().as_str(), "ent_1");
//!
//! let refused = Answer::from(gate.entity_context::<LedgerWrite>(&head, Serves::Home).await.unwrap_err());
//! assert_refused(&refused, 403, "insufficient_scope");
//!
//! test.clock().advance(900);
//! let refused = Answer::from(gate.entity_context::<LedgerRead>(&head, Serves::Home).await.unwrap_err());
//! assert_refused(&refused, 401, "token_expired");
//! # });
//! ```
//!
//! Nothing here is pretended: tokens come from the exchange of an API key, are signed by a key that lives as long as the
//! test, and are checked as any other. Adapters add what knows their framework's requests and answers.
//!
//! Everything panics where it cannot do what it was asked for, since that is how a test fails.
#![expect(clippy::panic, reason = "a test fails by a panic")]

mod acting;
mod answer;
mod authority;
mod clock;
mod guarded;
mod raw;
mod refused;
mod routes;
mod socket;

pub use acting::{ActingAs, TestToken};
pub use answer::Answer;
pub use authority::{TestAuthority, TestAuthorityBuilder};
pub use clock::TestClock;
pub use guarded::assert_guarded;
pub use raw::RawRequest;
pub use refused::assert_refused;
pub use routes::Routes;
pub use socket::send_over_socket;
