//! Extractors: what a handler asks for is what was checked.

use std::marker::PhantomData;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use latchbook_core::model::ScopeRule;
use latchbook_http::{Gate, Serving};

use crate::head::{fields, for_request};
use crate::reply::Refused;

latchbook_http::extractors! {
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
                // In a block, so that none of it is kept over the wait.
                let verdict = {
                    let gate = Gate::from_ref(state);
                    let gate = for_request(&gate, parts);
                    let fields = fields(parts, gate.trusts_proxies());
                    gate.$ask $(::<$rule>)? (&fields.head(), E::serves())
                };
                let $got = verdict.await?;
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
