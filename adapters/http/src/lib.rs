//! latchbook's wire contract without a framework: the parts of a request in, the whole reply out.
#![doc = include_str!("../README.md")]

mod challenge;
pub mod credential;
mod endpoints;
mod gate;
mod grpc;
pub mod instant;
mod json;
pub mod objects;
pub mod openapi;
mod page;
mod problem;
pub mod query;
mod refusal;
mod reply;
mod request;
mod request_id;
mod serves;
mod source;

pub use challenge::RealmError;
pub use endpoints::{Endpoint, Group, endpoints, internal_error, method_not_allowed, not_found, payload_too_large};
pub use gate::{Gate, SandboxAccess};
pub use grpc::is_grpc;
pub use problem::{RejectBody, Rejected};
pub use reply::Reply;
pub use request::{Head, Request};
pub use serves::Serves;
