//! Which entity a request is about, as far as its token decides that.

use super::access_token::VerifiedToken;
use crate::model::{EntityId, Rejection};

/// Whether an entity token needs its entity named in the request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EntityRule {
    /// It brings its own; naming it again is allowed.
    #[default]
    Implied,
    /// It must be named.
    Explicit,
}

/// The entity that a request with `token` is about. Whether a developer token's developer reaches it is asked later, of
/// an `EntityScope`, for either kind of token.
///
/// # Errors
/// [`Rejection::EntityMissing`] where none is named and the token does not bring one; [`Rejection::EntityMismatch`]
/// where an entity token names another than its own.
pub fn check_entity(
    token: &VerifiedToken,
    requested: Option<&EntityId>,
    rule: EntityRule,
) -> Result<EntityId, Rejection> {
    match (token.entity(), requested) {
        (None, Some(requested)) => Ok(requested.clone()),
        (Some(own), Some(requested)) if own == requested => Ok(own.clone()),
        (Some(_), Some(_)) => Err(Rejection::EntityMismatch),
        (Some(own), None) if rule == EntityRule::Implied => Ok(own.clone()),
        (_, None) => Err(Rejection::EntityMissing),
    }
}
