//! The gate: an HTTP policy around an authority, asked before a handler runs.

mod answers;
mod policy;
mod verdict;

use std::borrow::Cow;
use std::sync::Arc;

use latchbook_core::authority::{Authority, EntityContext, Presented, Principal, Refusal};
use latchbook_core::model::{EntityId, Rejection, ScopeRule, Source};
use utoipa::openapi::OpenApi;

use self::policy::Policy;
pub use self::policy::SandboxAccess;
pub use self::verdict::Verdict;
use crate::fields::KeptHead;
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
    /// field. Nothing is looked for, nor copied, where it named none.
    #[must_use]
    #[inline]
    pub fn identified<'a, V: Iterator<Item = &'a [u8]>>(&self, values: impl FnOnce(&str) -> V) -> Cow<'_, Self> {
        if self.policy.request_id_field.is_none() { Cow::Borrowed(self) } else { self.with_id_in(values) }
    }

    // Apart, so that a host without ids pays for a look at one flag.
    #[cold]
    fn with_id_in<'a, V: Iterator<Item = &'a [u8]>>(&self, values: impl FnOnce(&str) -> V) -> Cow<'_, Self> {
        let id = self.policy.request_id_field.as_deref().and_then(|field| {
            let mut found = values(field);
            found.next().filter(|_| found.next().is_none())
        });
        match id {
            Some(id) => Cow::Owned(self.clone().with_request_id(id)),
            None => Cow::Borrowed(self),
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
    #[inline]
    pub fn principal(&self, head: &Head<'_>, serves: Serves) -> Verdict<Principal> {
        self.admit(head, serves, |gate, _, admitted| Verdict::given(gate.answered(admitted)))
    }

    /// The caller, with a developer token.
    ///
    /// # Errors
    /// As [`principal`](Self::principal), and 403 for an entity token.
    #[inline]
    pub fn developer(&self, head: &Head<'_>, serves: Serves) -> Verdict<Principal> {
        self.admit(head, serves, |gate, _, admitted| {
            Verdict::given(gate.answered(admitted).and_then(|principal| gate.check_developer(principal)))
        })
    }

    /// The caller, with a token of either kind; `None` where none was sent. A bad one is refused.
    ///
    /// # Errors
    /// As [`principal`](Self::principal).
    #[inline]
    pub fn maybe_principal(&self, head: &Head<'_>, serves: Serves) -> Verdict<Option<Principal>> {
        self.admit(head, serves, |gate, _, admitted| {
            Verdict::given(match admitted {
                Err(Refusal::Rejected(Rejection::CredentialMissing)) => Ok(None),
                admitted => gate.answered(admitted).map(Some),
            })
        })
    }

    /// The caller, with a developer token that holds `S`.
    ///
    /// # Errors
    /// As [`principal`](Self::principal), 403 where a scope lacks, and for an entity token.
    #[inline]
    pub fn scoped<S: ScopeRule>(&self, head: &Head<'_>, serves: Serves) -> Verdict<Principal> {
        self.admit(head, serves, |gate, _, admitted| {
            let principal = gate.answered(admitted).and_then(|principal| gate.check_scope::<S>(principal));
            Verdict::given(principal.and_then(|principal| gate.check_developer(principal)))
        })
    }

    /// The caller, with a token of either kind that holds `S`, and the entity that the request is about.
    ///
    /// # Errors
    /// As [`principal`](Self::principal), 403 where a scope lacks, 400 where no entity or no well-formed one is named,
    /// 403 for one that the caller does not reach.
    #[inline]
    pub fn entity_context<S: ScopeRule>(&self, head: &Head<'_>, serves: Serves) -> Verdict<EntityContext> {
        self.admit(head, serves, |gate, head, admitted| match gate.asked::<S>(head, admitted) {
            Ok((principal, requested)) => gate.reach(principal, requested),
            Err(reply) => Verdict::given(Err(reply)),
        })
    }

    /// As [`entity_context`](Self::entity_context), but a developer token without a named entity is let in without one.
    ///
    /// # Errors
    /// As [`entity_context`](Self::entity_context).
    #[inline]
    pub fn maybe_entity_context<S: ScopeRule>(
        &self,
        head: &Head<'_>,
        serves: Serves,
    ) -> Verdict<(Principal, Option<EntityContext>)> {
        self.admit(head, serves, |gate, head, admitted| match gate.asked::<S>(head, admitted) {
            Ok((principal, None)) if principal.entity().is_none() => Verdict::given(Ok((principal, None))),
            Ok((principal, requested)) => {
                gate.reach(principal.clone(), requested).map(|context| (principal, Some(context)))
            }
            Err(reply) => Verdict::given(Err(reply)),
        })
    }

    /// What `then` makes of whoever shows a token here, or of why that one is not admitted.
    #[inline]
    fn admit<T: Send + 'static>(
        &self,
        head: &Head<'_>,
        serves: Serves,
        then: impl FnOnce(&Self, &Head<'_>, Result<Principal, Refusal>) -> Verdict<T> + Send + 'static,
    ) -> Verdict<T> {
        match self.admitted_at_once(head, serves) {
            Some(admitted) => then(self, head, admitted),
            None => self.admit_later(head, serves, then),
        }
    }

    // Apart, since nearly no request goes this way.
    #[cold]
    fn admit_later<T: Send + 'static>(
        &self,
        head: &Head<'_>,
        serves: Serves,
        then: impl FnOnce(&Self, &Head<'_>, Result<Principal, Refusal>) -> Verdict<T> + Send + 'static,
    ) -> Verdict<T> {
        let (gate, kept) = (self.clone(), KeptHead::of(head));
        Verdict::later(async move {
            let fields = kept.fields();
            let head = fields.head();
            let admitted = match gate.shown(&head) {
                Ok(presented) => gate.served(gate.authority().authenticate(&presented).await, &presented, serves),
                Err(rejection) => Err(rejection.into()),
            };
            then(&gate, &head, admitted).await
        })
    }

    /// Nothing where that cannot be told at once: then nothing was done.
    fn admitted_at_once(&self, head: &Head<'_>, serves: Serves) -> Option<Result<Principal, Refusal>> {
        let presented = match self.shown(head) {
            Ok(presented) => presented,
            Err(rejection) => return Some(Err(rejection.into())),
        };
        let let_in = self.authority().authenticate_at_once(&presented)?;
        Some(self.served(let_in, &presented, serves))
    }

    fn shown<'a>(&self, head: &Head<'a>) -> Result<Presented<'a>, Rejection> {
        let token = credential::find(head.authorization, head.query)?.ok_or(Rejection::CredentialMissing)?;
        Ok(Presented { token, source: self.source(head) })
    }

    fn served(
        &self,
        let_in: Result<Principal, Refusal>,
        presented: &Presented<'_>,
        serves: Serves,
    ) -> Result<Principal, Refusal> {
        // What is let in is well written. Only of what is not must be said which of both is at fault, token or field.
        let principal =
            let_in.map_err(|refusal| credential::check(presented.token).map_or_else(Refusal::from, |_| refusal))?;
        serves.check(principal.environment(), self.authority().home())?;
        Ok(principal)
    }

    fn answered<T>(&self, asked: Result<T, Refusal>) -> Result<T, Reply> {
        asked.map_err(|refusal| self.refuse(&refusal))
    }

    fn check_scope<S: ScopeRule>(&self, principal: Principal) -> Result<Principal, Reply> {
        if S::allows(principal.scopes()) {
            return Ok(principal);
        }
        Err(self.refuse(&Rejection::InsufficientScope { wanted: S::wanted() }.into()))
    }

    fn check_developer(&self, principal: Principal) -> Result<Principal, Reply> {
        match principal.entity() {
            None => Ok(principal),
            Some(_) => Err(self.refuse(&Rejection::DeveloperTokenNeeded.into())),
        }
    }

    /// Whoever holds `S`, and the entity that the query names.
    fn asked<S: ScopeRule>(
        &self,
        head: &Head<'_>,
        admitted: Result<Principal, Refusal>,
    ) -> Result<(Principal, Option<EntityId>), Reply> {
        let principal = self.check_scope::<S>(self.answered(admitted)?)?;
        let malformed = || self.refuse(&Rejection::EntityMalformed.into());
        let requested = match query::find(head.query, &self.policy.entity_parameter).map_err(|_| malformed())? {
            None => None,
            Some(text) => Some(EntityId::parse(&text).map_err(|_| malformed())?),
        };
        Ok((principal, requested))
    }

    fn reach(&self, principal: Principal, requested: Option<EntityId>) -> Verdict<EntityContext> {
        let rule = self.policy.entity_rule;
        match self.authority().entity_at_once(&principal, requested.as_ref(), rule) {
            Some(reached) => Verdict::given(self.answered(reached)),
            None => {
                let gate = self.clone();
                Verdict::later(async move {
                    gate.answered(gate.authority().entity(&principal, requested.as_ref(), rule).await)
                })
            }
        }
    }
}
