//! Moving house: a store copied into another, compared, checked and pruned, whichever back ends they are on.
//!
//! All of it reads [`Rows`]: a store, or a snapshot of one that sees a single instant while commits go on. A backup is a
//! [`copy`] of a snapshot into a new store, which opens under the same master key.
//!
//! ```
//! use latchbook_core::key_store::MemoryStore;
//! use latchbook_core::moving;
//! # use latchbook_core::{Authority, MasterKey};
//!
//! # futures_executor::block_on(async {
//! # let store = std::sync::Arc::new(MemoryStore::new());
//! # let authority = Authority::builder().store(store.clone()).issuer("https://api.example.com");
//! # authority.master_key(MasterKey::from_bytes([7; 32])).build().await?;
//! let mut kept = None;
//! let elsewhere = MemoryStore::new();
//! // Kept by the caller, and handed back as the third argument, the position lets an interrupted copy go on.
//! let copied = moving::copy(&store, &elsewhere, None, &mut |progress| kept.clone_from(&progress.position)).await?;
//! assert_eq!(moving::digest(&elsewhere, &mut |_| {}).await?, copied.digest);
//! assert!(moving::check(&elsewhere, &mut |_| {}).await?.holds());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).expect("a copy");
//! ```

mod check;
mod copy;
mod digest;
mod findings;
mod prune;
mod rows;

pub use check::check;
pub use copy::{Copied, MoveError, copy};
pub use digest::{StoreDigest, digest};
pub use findings::CheckReport;
pub use prune::prune;
pub(crate) use rows::every_row;
pub use rows::{Progress, Rows, Stage};
