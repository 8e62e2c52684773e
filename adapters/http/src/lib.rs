//! latchbook's wire contract without a framework.

mod challenge;
pub mod credential;
mod instant;
mod json;
mod page;
mod problem;
pub mod query;
mod reply;
mod request;
mod serves;
mod source;

pub use challenge::RealmError;
pub use problem::{RejectBody, Rejected};
pub use reply::Reply;
pub use request::{Head, Request};
pub use serves::Serves;
