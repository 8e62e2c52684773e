//! What is measured of tokens: one room for each table.

pub mod again;
pub mod issue;
pub mod refuse;
pub mod revoked;
pub mod threads;
pub mod verify;

use crate::harness::Part;

/// In the order that they are printed in.
pub const PARTS: &[Part] = &[verify::PART, issue::PART, again::PART, refuse::PART, revoked::PART];
