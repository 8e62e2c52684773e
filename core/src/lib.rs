//! latchbook's words, pure checks, traits and authority: no I/O, no runtime, no HTTP.

pub mod authority;
pub mod check;
pub mod clock;
pub mod entity_scope;
pub mod jose;
pub mod key_store;
pub mod model;
pub mod moving;
pub mod random;
pub mod sandbox;
pub mod seal;
mod sync;
pub mod token_issuer;

pub use authority::{Actor, Authority, BuildError, EntityContext, Fault, Principal, Refusal};
pub use model::{AnyOf, AnyScope, DeveloperRef, EntityRef, EnvironmentName, Source};
pub use seal::MasterKey;
