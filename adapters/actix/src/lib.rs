#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod configure;
mod extract;
mod head;
mod line;
mod middleware;
mod path;
mod reply;
#[cfg(feature = "testing")]
pub mod testing;
mod unread;

pub use configure::configure;
pub use extract::{AnyPrincipal, EntityContext, MaybeEntity, MaybePrincipal, Principal, RequireScope};
pub use latchbook_core::model::{AnyOf, AnyScope};
pub use latchbook_core::scopes;
pub use latchbook_http::{AnyEnvironment, Gate, Home, Sandboxed, Serving};
pub use line::InTurn;
pub use middleware::{Guarded, RequirePrincipal, require_principal};
pub use reply::Refused;
pub use unread::close_unless_read;
