//! latchbook's wire contract without a framework: the parts of a request in, the whole reply out.
//!
//! [`Gate`] is the HTTP policy around an authority: it reads the credential and the entity of a request, lets the caller
//! in or says how to refuse it. [`endpoints()`] are the routes of the contract. An adapter for a framework maps types,
//! mounts the endpoints, and decides nothing.

mod challenge;
pub mod credential;
mod endpoints;
mod gate;
mod instant;
mod json;
mod page;
mod problem;
pub mod query;
mod refusal;
mod reply;
mod request;
mod serves;
mod source;

pub use challenge::RealmError;
pub use endpoints::{Endpoint, Group, endpoints, internal_error, method_not_allowed, not_found, payload_too_large};
pub use gate::{Gate, SandboxAccess};
pub use problem::{RejectBody, Rejected};
pub use reply::Reply;
pub use request::{Head, Request};
pub use serves::Serves;
