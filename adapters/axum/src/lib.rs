#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod extract;
mod head;
mod layer;
mod reply;
mod routes;
#[cfg(feature = "testing")]
pub mod testing;

pub use extract::{AnyPrincipal, EntityContext, MaybeEntity, MaybePrincipal, Principal, RequireScope};
pub use head::fields_of;
pub use latchbook_core::model::{AnyOf, AnyScope};
pub use latchbook_core::scopes;
pub use latchbook_http::{AnyEnvironment, Fields, Gate, Home, Sandboxed, Serving};
pub use layer::{Guarded, RequirePrincipal, require_principal};
pub use reply::Refused;
pub use routes::routes;
