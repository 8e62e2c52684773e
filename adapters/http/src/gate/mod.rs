//! The gate: an HTTP policy around an authority, asked before a handler runs.

mod answers;
mod policy;

use std::sync::Arc;

use latchbook_core::authority::{Authority, EntityContext, Presented, Principal, Refusal};
use latchbook_core::model::{EntityId, Rejection, ScopeRule, Source};
use utoipa::openapi::OpenApi;

use self::policy::Policy;
pub use self::policy::SandboxAccess;
use crate::request_id::RequestId;
use crate::{Group, Head, Reply, Serves, credential, query, source};

/// An authority, and how it is spoken to over HTTP. Cheap to clone.
///
/// Checks run in a fixed order: credential (401), environment (401), scope (403), kind of token (403), entity (400, then
/// 403). Whatever is refused comes back as the whole [`Reply`].
#[derive(Clone, Debug)]
pub struct Gate {
    // Behind one pointer, since every request copies it.
    policy: Arc<Policy>,
    /// Of the one request that it answers, where it is known.
    request_id: Option<RequestId>,
    /// Whether that request is gRPC's.
    grpc: bool,
}

impl Gate {
    /// A gate with the default policy: realm `latchbook`, parameter `entityId`, an entity token brings its own entity,
    /// no trusted proxy, no sandboxes.
    #[must_use]
    pub fn new(authority: Authority) -> Self {
        Self { policy: Arc::new(Policy::of(authority)), request_id: None, grpc: false }
    }

    /// This gate for one request: its refusals show `id`, unless it is none (see
    /// [`request_id_from`](Self::request_id_from)). For adapters, and for handlers that refuse by themselves.
    #[must_use]
    pub fn with_request_id(self, id: &[u8]) -> Self {
        Self { request_id: RequestId::parse(id), ..self }
    }

    /// The same, where the id is looked for in the values of the field that the host named: `values` finds those of a
    /// field. Nothing is looked for where it named none.
    #[must_use]
    #[inline]
    pub fn identified<'a, V: Iterator<Item = &'a [u8]>>(self, values: impl FnOnce(&str) -> V) -> Self {
        if self.policy.request_id_field.is_none() { self } else { self.with_id_in(values) }
    }

    // Apart, so that a host without ids pays for a look at one flag.
    #[cold]
    fn with_id_in<'a, V: Iterator<Item = &'a [u8]>>(self, values: impl FnOnce(&str) -> V) -> Self {
        let id = self.policy.request_id_field.as_deref().and_then(|field| {
            let mut found = values(field);
            found.next().filter(|_| found.next().is_none())
        });
        match id {
            Some(id) => self.with_request_id(id),
            None => self,
        }
    }

    /// This gate for one gRPC request: its refusals are gRPC statuses in the head of an answer without a body, with HTTP
    /// 200, as gRPC's clients read them. What `on_reject` styles are bodies, so it has no part in it.
    #[must_use]
    pub fn answering_grpc(self) -> Self {
        Self { grpc: true, ..self }
    }

    /// The name of the query parameter that names the entity.
    #[must_use]
    pub fn entity_parameter_name(&self) -> &str {
        &self.policy.entity_parameter
    }

    pub(crate) fn host_document(&self) -> Option<&OpenApi> {
        self.policy.host_document.as_ref().map(|document| &*document.0)
    }

    /// The OpenAPI document as JSON.
    pub(crate) fn printed_document(&self) -> &[u8] {
        let print = || serde_json::to_vec(&crate::openapi::document(self)).unwrap_or_default();
        self.policy.printed_document.get_or_init(print)
    }

    /// The field of a request that holds its id, where the host named one.
    #[must_use]
    #[inline]
    pub fn request_id_field(&self) -> Option<&str> {
        self.policy.request_id_field.as_deref()
    }

    /// The authority behind it.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.policy.authority
    }

    /// Who may open a sandbox.
    #[must_use]
    pub fn sandbox_access(&self) -> SandboxAccess {
        self.policy.sandbox
    }

    /// Whether the host has the routes of `group`: those of sandboxes only where somebody may open one.
    pub(crate) fn offers(&self, group: Group) -> bool {
        let allowed = group != Group::Sandbox || self.policy.sandbox != SandboxAccess::Off;
        allowed && !self.policy.left_out.contains(&group)
    }

    /// The URL that the paths of the routes are added to.
    pub(crate) fn base_url(&self) -> String {
        format!("{}{}", self.authority().issuer(), self.policy.mount.as_str())
    }

    /// Whether any proxy's `X-Forwarded-For` is believed; where none is, the field need not be looked for.
    #[must_use]
    pub fn trusts_proxies(&self) -> bool {
        !self.policy.proxies.is_empty()
    }

    /// Where a request came from, for IP ranges, limits and the audit.
    #[must_use]
    pub fn source(&self, head: &Head<'_>) -> Source {
        source::client(head, &self.policy.proxies)
    }

    /// The caller, with a token of either kind.
    ///
    /// # Errors
    /// The [`Reply`] to send, where the caller is not let in.
    pub async fn principal(&self, head: &Head<'_>, serves: Serves) -> Result<Principal, Reply> {
        self.admit(head, serves).await.map_err(|refusal| self.refuse(&refusal))
    }

    /// The caller, with a developer token.
    ///
    /// # Errors
    /// As [`principal`](Self::principal), and 403 for an entity token.
    pub async fn developer(&self, head: &Head<'_>, serves: Serves) -> Result<Principal, Reply> {
        let principal = self.principal(head, serves).await?;
        self.check_developer(principal)
    }

    /// The caller, with a token of either kind; `None` where none was sent. A bad one is refused.
    ///
    /// # Errors
    /// As [`principal`](Self::principal).
    pub async fn maybe_principal(&self, head: &Head<'_>, serves: Serves) -> Result<Option<Principal>, Reply> {
        match self.admit(head, serves).await {
            Ok(principal) => Ok(Some(principal)),
            Err(Refusal::Rejected(Rejection::CredentialMissing)) => Ok(None),
            Err(refusal) => Err(self.refuse(&refusal)),
        }
    }

    /// The caller, with a developer token that holds `S`.
    ///
    /// # Errors
    /// As [`principal`](Self::principal), 403 where a scope lacks, and for an entity token.
    pub async fn scoped<S: ScopeRule>(&self, head: &Head<'_>, serves: Serves) -> Result<Principal, Reply> {
        let principal = self.principal(head, serves).await?;
        self.check_scope::<S>(&principal)?;
        self.check_developer(principal)
    }

    /// The caller, with a token of either kind that holds `S`, and the entity that the request is about.
    ///
    /// # Errors
    /// As [`principal`](Self::principal), 403 where a scope lacks, 400 where no entity or no well-formed one is named,
    /// 403 for one that the caller does not reach.
    pub async fn entity_context<S: ScopeRule>(&self, head: &Head<'_>, serves: Serves) -> Result<EntityContext, Reply> {
        let principal = self.principal(head, serves).await?;
        self.check_scope::<S>(&principal)?;
        let requested = self.requested_entity(head)?;
        self.reach(&principal, requested.as_ref()).await
    }

    /// As [`entity_context`](Self::entity_context), but a developer token without a named entity is let in without one.
    ///
    /// # Errors
    /// As [`entity_context`](Self::entity_context).
    pub async fn maybe_entity_context<S: ScopeRule>(
        &self,
        head: &Head<'_>,
        serves: Serves,
    ) -> Result<(Principal, Option<EntityContext>), Reply> {
        let principal = self.principal(head, serves).await?;
        self.check_scope::<S>(&principal)?;
        let requested = self.requested_entity(head)?;
        if requested.is_none() && principal.entity().is_none() {
            return Ok((principal, None));
        }
        let context = self.reach(&principal, requested.as_ref()).await?;
        Ok((principal, Some(context)))
    }

    async fn admit(&self, head: &Head<'_>, serves: Serves) -> Result<Principal, Refusal> {
        let token = credential::find(head.authorization, head.query)?.ok_or(Rejection::CredentialMissing)?;
        let let_in = self.authority().authenticate(&Presented { token, source: self.source(head) }).await;
        // What is let in is well written. Only of what is not must be said which of both is at fault, token or field.
        let principal = let_in.map_err(|refusal| credential::check(token).map_or_else(Refusal::from, |_| refusal))?;
        serves.check(principal.environment(), self.authority().home())?;
        Ok(principal)
    }

    fn check_scope<S: ScopeRule>(&self, principal: &Principal) -> Result<(), Reply> {
        if S::allows(principal.scopes()) {
            return Ok(());
        }
        Err(self.refuse(&Rejection::InsufficientScope { wanted: S::wanted() }.into()))
    }

    fn check_developer(&self, principal: Principal) -> Result<Principal, Reply> {
        match principal.entity() {
            None => Ok(principal),
            Some(_) => Err(self.refuse(&Rejection::DeveloperTokenNeeded.into())),
        }
    }

    /// The entity that the query names.
    fn requested_entity(&self, head: &Head<'_>) -> Result<Option<EntityId>, Reply> {
        let malformed = || self.refuse(&Rejection::EntityMalformed.into());
        match query::find(head.query, &self.policy.entity_parameter).map_err(|_| malformed())? {
            None => Ok(None),
            Some(text) => EntityId::parse(&text).map(Some).map_err(|_| malformed()),
        }
    }

    async fn reach(&self, principal: &Principal, requested: Option<&EntityId>) -> Result<EntityContext, Reply> {
        let reached = self.authority().entity(principal, requested, self.policy.entity_rule).await;
        reached.map_err(|refusal| self.refuse(&refusal))
    }
}
