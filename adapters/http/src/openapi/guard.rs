//! What a guard adds to an operation: who may call it, the entity's parameter, the refusals.

use latchbook_core::model::{AnyScope, ScopeRule};
use utoipa::openapi::path::Operation;
use utoipa::openapi::{HttpMethod, OpenApi, PathItem, RefOr, SecurityRequirement};

use super::BEARER;
use super::refusals::Refused;
use super::words::{ID, query, string};
use crate::Gate;

/// What a guarded handler's extractor means for its operation. Each constructor is named after what it stands for.
///
/// ```
/// use latchbook_core::model::KeysManage;
/// use latchbook_http::openapi::Guard;
/// use utoipa::openapi::path::OperationBuilder;
///
/// let mut operation = OperationBuilder::new().summary(Some("What my keys cost")).build();
/// Guard::scoped::<KeysManage>().describe(&mut operation);
/// assert_eq!(serde_json::to_value(&operation.security)?, serde_json::json!([{"bearerAuth": ["keys:manage"]}]));
/// assert!(operation.responses.responses.contains_key("403"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct Guard {
    security: Vec<SecurityRequirement>,
    /// The name of the entity's parameter, where an entity is asked for.
    entity: Option<String>,
    refusals: &'static [Refused],
}

impl Guard {
    /// `AnyPrincipal`: a token of either kind.
    #[must_use]
    pub fn any_principal() -> Self {
        Self::without_entity(security_of::<AnyScope>(), NO_SCOPE)
    }

    /// `Principal`: a developer token.
    #[must_use]
    pub fn principal() -> Self {
        Self::without_entity(security_of::<AnyScope>(), SCOPED)
    }

    /// `MaybePrincipal`: a token of either kind, or none.
    #[must_use]
    pub fn maybe_principal() -> Self {
        let mut security = vec![SecurityRequirement::default()];
        security.extend(security_of::<AnyScope>());
        Self::without_entity(security, NO_SCOPE)
    }

    /// `RequireScope<S>`: a developer token that holds `S`.
    #[must_use]
    pub fn scoped<S: ScopeRule>() -> Self {
        Self::without_entity(security_of::<S>(), SCOPED)
    }

    /// `EntityContext<S>`, and `MaybeEntity<S>`: a token of either kind that holds `S`, and the entity that `gate`'s
    /// parameter names. The parameter may be left out: an entity token brings its entity.
    #[must_use]
    pub fn entity<S: ScopeRule>(gate: &Gate) -> Self {
        let entity = Some(gate.entity_parameter_name().to_owned());
        Self { security: security_of::<S>(), entity, refusals: ENTITY }
    }

    fn without_entity(security: Vec<SecurityRequirement>, refusals: &'static [Refused]) -> Self {
        Self { security, entity: None, refusals }
    }

    /// Adds it to `operation`: its security, its parameter, and those refusals whose status `operation` does not
    /// describe itself.
    pub fn describe(&self, operation: &mut Operation) {
        operation.security = Some(self.security.clone());
        if let Some(name) = &self.entity {
            let id = string("The entity that the request is about; an entity token may leave it out.");
            let parameter = query(name, id.pattern(Some(ID)).max_length(Some(128)));
            operation.parameters.get_or_insert_default().push(RefOr::T(parameter));
        }
        for refused in self.refusals {
            let status = refused.status().to_string();
            operation.responses.responses.entry(status).or_insert_with(|| refused.reference());
        }
    }
}

const NO_SCOPE: &[Refused] = &[Refused::InvalidRequest, Refused::Unauthorized, Refused::Unavailable];
const SCOPED: &[Refused] =
    &[Refused::InvalidRequest, Refused::Unauthorized, Refused::InsufficientScope, Refused::Unavailable];
const ENTITY: &[Refused] =
    &[Refused::InvalidEntityRequest, Refused::Unauthorized, Refused::EntityOutOfReach, Refused::Unavailable];

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard").field("entity", &self.entity).field("refusals", &self.refusals).finish_non_exhaustive()
    }
}

/// The security of an operation whose caller's token must hold `S`: one requirement for each way to meet it, any one of
/// which does (OpenAPI 3.1 §4.8.30). The scheme is `bearerAuth`, and its list names the scopes.
#[must_use]
pub fn security_of<S: ScopeRule>() -> Vec<SecurityRequirement> {
    S::alternatives().into_iter().map(|scopes| SecurityRequirement::new(BEARER, scopes)).collect()
}

/// Describes `guard` at an operation of `document`.
///
/// # Errors
/// [`NoOperation`] where `document` has no such path, or no such method there: a route that is guarded and not described
/// would be worse than none.
pub fn guard(document: &mut OpenApi, method: HttpMethod, path: &str, guard: &Guard) -> Result<(), NoOperation> {
    let item = document.paths.paths.get_mut(path);
    let operation = item.and_then(|item| operation(item, &method)).ok_or_else(|| NoOperation(path.to_owned()))?;
    guard.describe(operation);
    Ok(())
}

/// The document does not have the operation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the document has no such operation at `{0}`")]
pub struct NoOperation(String);

/// The operation of `method` in `item`.
fn operation<'a>(item: &'a mut PathItem, method: &HttpMethod) -> Option<&'a mut Operation> {
    match method {
        HttpMethod::Get => item.get.as_mut(),
        HttpMethod::Put => item.put.as_mut(),
        HttpMethod::Post => item.post.as_mut(),
        HttpMethod::Delete => item.delete.as_mut(),
        HttpMethod::Options => item.options.as_mut(),
        HttpMethod::Head => item.head.as_mut(),
        HttpMethod::Patch => item.patch.as_mut(),
        HttpMethod::Trace => item.trace.as_mut(),
    }
}
