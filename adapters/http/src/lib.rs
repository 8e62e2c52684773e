//! latchbook's wire contract without a framework: the parts of a request in, the whole reply out.
#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod challenge;
mod client_credentials;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod credential;
mod endpoints;
mod extractors;
mod fields;
pub mod form;
mod gate;
mod grpc;
pub mod instant;
mod json;
mod mount;
mod oauth_error;
pub mod objects;
pub mod openapi;
mod page;
mod percent;
mod problem;
pub mod query;
mod refusal;
mod reply;
mod request;
mod request_id;
mod serves;
mod serving;
mod source;
#[cfg(feature = "testing")]
pub mod testing;

pub use challenge::RealmError;
pub use endpoints::{
    Endpoint, Group, body_cut_off, endpoints, endpoints_by_path, gate_missing, internal_error, method_not_allowed,
    not_found, payload_too_large,
};
#[doc(hidden)]
pub use extractors::parts;
pub use fields::Fields;
pub use gate::{Gate, SandboxAccess, Verdict};
pub use grpc::is_grpc;
pub use mount::MountPathError;
pub use problem::{RejectBody, Rejected};
pub use reply::Reply;
pub use request::{Head, Request};
pub use serves::Serves;
pub use serving::{AnyEnvironment, Home, Sandboxed, Serving};
