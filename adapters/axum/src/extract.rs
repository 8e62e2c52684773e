//! Extractors: what a handler asks for is what was checked.

use std::fmt::{self, Debug};
use std::marker::PhantomData;
use std::ops::Deref;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use latchbook_core::authority;
use latchbook_core::model::{AnyScope, ScopeRule};
use latchbook_http::Gate;

use crate::head::Fields;
use crate::reply::Refused;
use crate::request_id::for_request;
use crate::serving::{Home, Serving};

/// An entity that the caller reaches, by a token of either kind that holds `S`. The guard of a route about one entity's
/// data. Derefs to the context, and that to the principal.
///
/// Refuses, in this order: 401 without a valid token, 401 where it is of an environment that `E` does not serve, 403
/// without the scope, 400 where no entity is named or the name is no id, 403 for an entity out of reach.
///
/// ```
/// use latchbook_axum::EntityContext;
/// # latchbook_axum::scopes! {
/// #     /// The ledger's scopes.
/// #     pub mod scopes {
/// #         /// Read transactions.
/// #         LedgerRead = "ledger:read";
/// #     }
/// # }
/// # use scopes::LedgerRead;
///
/// async fn list(entity: EntityContext<LedgerRead>) -> String {
///     format!("transactions of {} of {}", entity.entity_id(), entity.developer())
/// }
/// ```
pub struct EntityContext<S = AnyScope, E = Home>(authority::EntityContext, PhantomData<fn() -> (S, E)>);

/// A developer, by a developer token.
///
/// Refuses: 401 without a valid token, 401 in an environment that `E` does not serve, 403 for an entity token.
pub struct Principal<E = Home>(authority::Principal, PhantomData<fn() -> E>);

/// A developer, by a developer token that holds `S`: one scope, a tuple for all of several, [`AnyOf`](crate::AnyOf) for
/// one of several.
///
/// Refuses like [`Principal`], and then 403 without the scope.
pub struct RequireScope<S, E = Home>(authority::Principal, PhantomData<fn() -> (S, E)>);

/// Whoever holds a valid token, of either kind.
///
/// Refuses: 401 without a valid token, 401 in an environment that `E` does not serve.
pub struct AnyPrincipal<E = Home>(authority::Principal, PhantomData<fn() -> E>);

/// Whoever holds a token of either kind; `None` where no credential came. A bad one is refused, never taken for none.
///
/// `Option` around the other extractors is not offered: it would not say which of the two it means.
pub struct MaybePrincipal<E = Home>(Option<authority::Principal>, PhantomData<fn() -> E>);

/// Like [`EntityContext`], but a developer token that names no entity is let in without one. For a route that lists
/// entities or shows one of them.
pub struct MaybeEntity<S = AnyScope, E = Home>(
    authority::Principal,
    Option<authority::EntityContext>,
    PhantomData<fn() -> (S, E)>,
);

impl<S, E> MaybeEntity<S, E> {
    /// Who holds the token.
    #[must_use]
    pub fn principal(&self) -> &authority::Principal {
        &self.0
    }

    /// The entity, where the request is about one: always for an entity token.
    #[must_use]
    pub fn entity(&self) -> Option<&authority::EntityContext> {
        self.1.as_ref()
    }

    /// Both, as core's types.
    #[must_use]
    pub fn into_inner(self) -> (authority::Principal, Option<authority::EntityContext>) {
        (self.0, self.1)
    }
}

/// Asks the gate for what an extractor holds.
macro_rules! extracted {
    ($name:ident<$($parameter:ident: $bound:ident),+> by $ask:ident $(::<$rule:ident>)?, $got:pat => $made:expr) => {
        impl<State, $($parameter: $bound),+> FromRequestParts<State> for $name<$($parameter),+>
        where
            State: Send + Sync,
            Gate: FromRef<State>,
        {
            type Rejection = Refused;

            async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Refused> {
                let gate = for_request(Gate::from_ref(state), parts);
                let fields = Fields::of(parts, gate.trusts_proxies());
                let $got = gate.$ask $(::<$rule>)? (&fields.head(), E::serves()).await?;
                Ok($made)
            }
        }
    };
}

extracted!(EntityContext<S: ScopeRule, E: Serving> by entity_context::<S>, entity => Self(entity, PhantomData));
extracted!(Principal<E: Serving> by developer, principal => Self(principal, PhantomData));
extracted!(RequireScope<S: ScopeRule, E: Serving> by scoped::<S>, principal => Self(principal, PhantomData));
extracted!(AnyPrincipal<E: Serving> by principal, principal => Self(principal, PhantomData));
extracted!(MaybePrincipal<E: Serving> by maybe_principal, principal => Self(principal, PhantomData));
extracted!(
    MaybeEntity<S: ScopeRule, E: Serving> by maybe_entity_context::<S>,
    (principal, entity) => Self(principal, entity, PhantomData)
);

/// What every newtype offers, whatever its markers are.
macro_rules! newtype {
    ($name:ident<$($parameter:ident),+> of $inner:ty) => {
        impl<$($parameter),+> $name<$($parameter),+> {
            /// Core's own type.
            #[must_use]
            pub fn into_inner(self) -> $inner {
                self.0
            }
        }

        impl<$($parameter),+> Deref for $name<$($parameter),+> {
            type Target = $inner;

            fn deref(&self) -> &$inner {
                &self.0
            }
        }

        impl<$($parameter),+> Clone for $name<$($parameter),+> {
            fn clone(&self) -> Self {
                Self(self.0.clone(), PhantomData)
            }
        }

        impl<$($parameter),+> Debug for $name<$($parameter),+> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.0).finish()
            }
        }
    };
}

newtype!(EntityContext<S, E> of authority::EntityContext);
newtype!(Principal<E> of authority::Principal);
newtype!(RequireScope<S, E> of authority::Principal);
newtype!(AnyPrincipal<E> of authority::Principal);
newtype!(MaybePrincipal<E> of Option<authority::Principal>);

impl<S, E> Clone for MaybeEntity<S, E> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), self.1.clone(), PhantomData)
    }
}

impl<S, E> Debug for MaybeEntity<S, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MaybeEntity").field(&self.0).field(&self.1).finish()
    }
}
