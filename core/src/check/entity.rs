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

#[cfg(test)]
mod tests {
    use super::super::samples::{entity, for_entity, token};
    use super::*;

    #[test]
    fn e0_e1_the_entity_comes_from_the_request_or_the_token_and_they_never_differ() {
        use EntityRule::{Explicit, Implied};
        let developers = token(|_| {});
        let entitys = token(|claims| for_entity(claims, "acme"));
        let acme = Ok(entity("acme"));
        let cases = [
            (&developers, Some("acme"), Implied, acme.clone()),
            (&developers, Some("acme"), Explicit, acme.clone()),
            (&developers, None, Implied, Err(Rejection::EntityMissing)),
            (&developers, None, Explicit, Err(Rejection::EntityMissing)),
            (&entitys, Some("acme"), Implied, acme.clone()),
            (&entitys, Some("acme"), Explicit, acme.clone()),
            (&entitys, None, Implied, acme),
            (&entitys, None, Explicit, Err(Rejection::EntityMissing)),
            (&entitys, Some("other"), Implied, Err(Rejection::EntityMismatch)),
            (&entitys, Some("other"), Explicit, Err(Rejection::EntityMismatch)),
            (&entitys, Some("Acme"), Implied, Err(Rejection::EntityMismatch)),
            (&entitys, Some("dev"), Implied, Err(Rejection::EntityMismatch)),
        ];
        for (token, requested, rule, want) in cases {
            let named = requested.map(entity);
            assert_eq!(check_entity(token, named.as_ref(), rule), want, "{requested:?}, {rule:?}");
        }
    }
}
