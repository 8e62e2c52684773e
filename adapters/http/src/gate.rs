//! The gate: an HTTP policy around an authority, asked before a handler runs.

use std::fmt;
use std::sync::{Arc, OnceLock};

use ipnet::IpNet;
use latchbook_core::authority::{Authority, EntityContext, Presented, Principal, Refusal};
use latchbook_core::check::EntityRule;
use latchbook_core::model::{EntityId, Rejection, ScopeRule, Source};
use utoipa::openapi::OpenApi;

use crate::challenge::{Realm, RealmError};
use crate::mount::{MountPath, MountPathError};
use crate::problem::{self, OnReject, RejectBody, Rejected};
use crate::refusal::{Answer, Shows};
use crate::reply::{content_type, no_store};
use crate::request_id::RequestId;
use crate::{Group, Head, Reply, Serves, credential, grpc, oauth_error, query, source};

/// An authority, and how it is spoken to over HTTP. Cheap to clone.
///
/// Checks run in a fixed order: credential (401), environment (401), scope (403), kind of token (403), entity (400, then
/// 403). Whatever is refused comes back as the whole [`Reply`].
#[derive(Clone, Debug)]
pub struct Gate {
    authority: Authority,
    policy: Arc<Policy>,
    /// Of the one request that it answers, where it is known.
    request_id: Option<RequestId>,
    /// Whether that request is gRPC's.
    grpc: bool,
}

/// What the host decided.
#[derive(Clone, Debug)]
struct Policy {
    realm: Realm,
    entity_parameter: String,
    entity_rule: EntityRule,
    proxies: Vec<IpNet>,
    on_reject: Option<OnReject>,
    request_id_field: Option<String>,
    sandbox: SandboxAccess,
    mount: MountPath,
    left_out: Vec<Group>,
    host_document: Option<HostDocument>,
    /// The whole document as JSON, once somebody asked for it. Made anew after every change of the policy.
    printed_document: OnceLock<Vec<u8>>,
}

/// The host's own part of the OpenAPI document.
#[derive(Clone)]
struct HostDocument(Box<OpenApi>);

impl fmt::Debug for HostDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HostDocument(…)")
    }
}

/// Who may open a sandbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SandboxAccess {
    /// Nobody: the routes are not there.
    #[default]
    Off,
    /// Anybody who reaches the server, so that this is for machines that only their owner reaches.
    Open,
    /// A developer of the home environment, with a token that holds `sandbox:manage`.
    Bearer,
}

impl Gate {
    /// A gate with the default policy: realm `latchbook`, parameter `entityId`, an entity token brings its own entity,
    /// no trusted proxy, no sandboxes.
    #[must_use]
    pub fn new(authority: Authority) -> Self {
        let policy = Policy {
            realm: Realm::default(),
            entity_parameter: "entityId".to_owned(),
            entity_rule: EntityRule::default(),
            proxies: Vec::new(),
            on_reject: None,
            request_id_field: None,
            sandbox: SandboxAccess::default(),
            mount: MountPath::default(),
            left_out: Vec::new(),
            host_document: None,
            printed_document: OnceLock::new(),
        };
        Self { authority, policy: Arc::new(policy), request_id: None, grpc: false }
    }

    /// The protection space that challenges name (RFC 9110 §11.5).
    ///
    /// # Errors
    /// [`RealmError`] unless it is 1 to 200 characters of visible ASCII and spaces.
    pub fn realm(self, realm: &str) -> Result<Self, RealmError> {
        let realm = Realm::parse(realm)?;
        Ok(self.with(|policy| policy.realm = realm))
    }

    /// The query parameter that names the entity. It must be no other parameter's name.
    #[must_use]
    pub fn entity_parameter(self, name: &str) -> Self {
        self.with(|policy| name.clone_into(&mut policy.entity_parameter))
    }

    /// Whether an entity token needs its entity named.
    #[must_use]
    pub fn entity_rule(self, rule: EntityRule) -> Self {
        self.with(|policy| policy.entity_rule = rule)
    }

    /// The proxies whose `X-Forwarded-For` is believed.
    #[must_use]
    pub fn trust_proxies(self, proxies: Vec<IpNet>) -> Self {
        self.with(|policy| policy.proxies = proxies)
    }

    /// A function that restyles the bodies of refusals. Status, challenge and cache fields stay, and so do the bodies of
    /// `/oauth`, whose form is RFC 6749's (§5.2): clients that nobody here wrote read them.
    #[must_use]
    pub fn on_reject(self, restyle: impl Fn(&Rejected<'_>) -> Option<RejectBody> + Send + Sync + 'static) -> Self {
        self.with(|policy| policy.on_reject = Some(OnReject(Arc::new(restyle))))
    }

    /// The field of a request that holds its id, such as `x-request-id`, set by the host's own middleware in front of
    /// the guard. Bodies of refusals show it as `request_id`; without this there is none.
    ///
    /// A field that came twice, or that holds anything but 1 to 128 visible ASCII characters without quotes, `\`, `<`,
    /// `>` and `&`, is passed over.
    #[must_use]
    pub fn request_id_from(self, field: &str) -> Self {
        self.with(|policy| policy.request_id_field = Some(field.to_owned()))
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

    /// Who may open a sandbox.
    #[must_use]
    pub fn sandbox(self, access: SandboxAccess) -> Self {
        self.with(|policy| policy.sandbox = access)
    }

    /// The path under which the routes are mounted, such as `/auth`, where that is not the root of the issuer's URL.
    /// The OAuth metadata names the endpoints by it.
    ///
    /// # Errors
    /// [`MountPathError`] unless it is empty, or segments of `0-9A-Za-z-._~` with a slash before each and none at the end.
    pub fn mounted_at(self, path: &str) -> Result<Self, MountPathError> {
        let mount = MountPath::parse(path)?;
        Ok(self.with(|policy| policy.mount = mount))
    }

    /// This gate without the routes of `group`.
    #[must_use]
    pub fn without(self, group: Group) -> Self {
        self.with(|policy| policy.left_out.push(group))
    }

    /// The host's own routes, to be described at `/openapi.json` beside ours. [`openapi`](crate::openapi) has what they
    /// need to say how they are guarded.
    #[must_use]
    pub fn openapi(self, document: OpenApi) -> Self {
        self.with(|policy| policy.host_document = Some(HostDocument(Box::new(document))))
    }

    fn with(mut self, change: impl FnOnce(&mut Policy)) -> Self {
        let policy = Arc::make_mut(&mut self.policy);
        change(policy);
        policy.printed_document = OnceLock::new();
        self
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
        &self.authority
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
        format!("{}{}", self.authority.issuer(), self.policy.mount.as_str())
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

    /// The reply to a refusal of a caller that shows a bearer token, or should.
    #[must_use]
    pub fn refuse(&self, refusal: &Refusal) -> Reply {
        self.refuse_as(refusal, Shows::Token)
    }

    pub(crate) fn refuse_as(&self, refusal: &Refusal, shown: Shows) -> Reply {
        let answer = Answer::to(refusal, shown);
        Self::log(refusal, answer.status);
        self.reply(&answer)
    }

    /// Says why a request is answered with `status`.
    pub(crate) fn log(refusal: &Refusal, status: u16) {
        match refusal {
            Refusal::Rejected(rejection) => {
                tracing::debug!(reason = rejection.reason(), status, "request refused");
            }
            // As `Debug`, so that whatever a backend says stays on one line.
            Refusal::Fault(fault) => tracing::error!(fault = ?fault.to_string(), status, "request not answered"),
        }
    }

    /// `answer` as a reply: problem details, or the host's own body.
    pub(crate) fn reply(&self, answer: &Answer) -> Reply {
        if self.grpc {
            return grpc::reply(answer, answer.challenge.print(&self.policy.realm));
        }
        let rejected = Rejected {
            status: answer.status,
            error: answer.error,
            message: &answer.message,
            request_id: self.request_id.as_ref().map(RequestId::as_str),
            retry_after: answer.retry_after,
        };
        let own = self.policy.on_reject.as_ref().and_then(|restyle| restyle.0(&rejected));
        let (media_type, body) = match own {
            Some(own) if own.content_type.bytes().all(|byte| matches!(byte, b' '..=b'~')) => {
                (own.content_type, own.body)
            }
            _ => (problem::CONTENT_TYPE.to_owned(), problem::print(&rejected)),
        };
        self.dress(answer, &media_type, body)
    }

    /// `answer` as a reply of an OAuth endpoint. The host's own body has no place there.
    pub(crate) fn oauth_reply(&self, answer: &Answer) -> Reply {
        self.dress(answer, oauth_error::CONTENT_TYPE, oauth_error::print(answer))
    }

    /// `body` with the status and the fields of `answer`.
    fn dress(&self, answer: &Answer, media_type: &str, body: Vec<u8>) -> Reply {
        let mut headers = vec![content_type(media_type), no_store()];
        if let Some(challenge) = answer.challenge.print(&self.policy.realm) {
            headers.push(("www-authenticate", challenge));
        }
        if let Some(seconds) = answer.retry_after {
            headers.push(("retry-after", seconds.to_string()));
        }
        Reply { status: answer.status, headers, body }
    }

    async fn admit(&self, head: &Head<'_>, serves: Serves) -> Result<Principal, Refusal> {
        let token = credential::find(head.authorization, head.query)?.ok_or(Rejection::CredentialMissing)?;
        let let_in = self.authority.authenticate(&Presented { token, source: self.source(head) }).await;
        // What is let in is well written. Only of what is not must be said which of both is at fault, token or field.
        let principal = let_in.map_err(|refusal| credential::check(token).map_or_else(Refusal::from, |_| refusal))?;
        serves.check(principal.environment(), self.authority.home())?;
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
        let reached = self.authority.entity(principal, requested, self.policy.entity_rule).await;
        reached.map_err(|refusal| self.refuse(&refusal))
    }
}
