//! The entity: whose data it is.

use super::{EntityRef, UnixTime};

/// An entity's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entity {
    /// Environment, developer and id.
    pub reference: EntityRef,
    /// Its legal name, for people; 1 to 200 characters, no control characters.
    pub legal_name: String,
    /// When it was made.
    pub created_at: UnixTime,
}
