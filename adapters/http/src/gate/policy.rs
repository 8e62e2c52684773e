//! What the host decided about HTTP.

use std::fmt;
use std::sync::{Arc, OnceLock};

use ipnet::IpNet;
use latchbook_core::authority::Authority;
use latchbook_core::check::EntityRule;
use utoipa::openapi::OpenApi;

use super::Gate;
use crate::Group;
use crate::challenge::{Realm, RealmError};
use crate::mount::{MountPath, MountPathError};
use crate::problem::{OnReject, RejectBody, Rejected};

/// What the host decided.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    pub(super) authority: Authority,
    pub(super) realm: Realm,
    pub(super) entity_parameter: String,
    pub(super) entity_rule: EntityRule,
    pub(super) proxies: Vec<IpNet>,
    pub(super) on_reject: Option<OnReject>,
    pub(super) request_id_field: Option<String>,
    pub(super) sandbox: SandboxAccess,
    pub(super) mount: MountPath,
    pub(super) left_out: Vec<Group>,
    pub(super) host_document: Option<HostDocument>,
    /// The whole document as JSON, once somebody asked for it. Made anew after every change of the policy.
    pub(super) printed_document: OnceLock<Vec<u8>>,
}

/// The host's own part of the OpenAPI document.
#[derive(Clone)]
pub(super) struct HostDocument(pub(super) Box<OpenApi>);

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

impl Policy {
    pub(super) fn of(authority: Authority) -> Self {
        Self {
            authority,
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
        }
    }
}

impl Gate {
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
}
