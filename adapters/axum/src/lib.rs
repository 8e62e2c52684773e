#![doc = include_str!("../README.md")]

mod extract;
mod head;
mod layer;
mod reply;
mod request_id;
mod routes;
mod serving;

pub use extract::{AnyPrincipal, EntityContext, MaybeEntity, MaybePrincipal, Principal, RequireScope};
pub use head::Fields;
pub use latchbook_core::model::{AnyOf, AnyScope};
pub use latchbook_core::scopes;
pub use latchbook_http::Gate;
pub use layer::{Guarded, RequirePrincipal, require_principal};
pub use reply::Refused;
pub use routes::routes;
pub use serving::{AnyEnvironment, Home, Sandboxed, Serving};
