//! Extractors: what a handler asks for is what was checked.

use std::borrow::Cow;
use std::marker::PhantomData;

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use latchbook_core::model::ScopeRule;
use latchbook_http::{Gate, Reply, Serving, Verdict, gate_missing};

use crate::head::{fields, for_request};
use crate::line::InTurn;
use crate::reply::Refused;

latchbook_http::extractors! {
    ///
    /// ```
    /// use latchbook_actix::EntityContext;
    /// # latchbook_actix::scopes! {
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
        impl<$($parameter: $bound),+> FromRequest for $name<$($parameter),+> {
            type Error = Refused;
            type Future = InTurn<Self>;

            fn from_request(request: &HttpRequest, _: &mut Payload) -> InTurn<Self> {
                let verdict = match gate(request) {
                    Ok(gate) => {
                        let fields = fields(request, gate.trusts_proxies());
                        gate.$ask $(::<$rule>)? (&fields.head(), E::serves()).map(|$got| $made)
                    }
                    Err(reply) => Verdict::given(Err(reply)),
                };
                InTurn::new(request, verdict)
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

/// The gate that is nearest to the route, as it answers `request`.
///
/// actix cannot see at compile time that there is none. Then nobody is let in, and the log says what to add.
fn gate(request: &HttpRequest) -> Result<Cow<'_, Gate>, Reply> {
    if let Some(gate) = request.app_data::<Data<Gate>>() {
        return Ok(for_request(gate, request));
    }
    let bare =
        if request.app_data::<Gate>().is_some() { "; the bare `Gate` that is there is not looked for" } else { "" };
    let route = request.match_pattern().unwrap_or_default();
    tracing::error!(
        route,
        "no gate is wired, so every request to this route is refused: add `.configure(latchbook_actix::configure(&gate))` \
         or `.app_data(web::Data::new(gate))` to the `App` or to the scope of the route{bare}"
    );
    Err(gate_missing())
}
