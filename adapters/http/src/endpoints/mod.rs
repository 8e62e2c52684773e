//! The routes of the contract: one function each, from the parts of a request to its reply.

mod audit;
mod failure;
mod keys;
mod oauth;
mod openapi;
mod sandbox;
mod tokens;
mod usage;
mod well_known;
mod whoami;

use std::collections::BTreeMap;
use std::pin::Pin;

use failure::Failure;

use crate::problem::{self, Rejected};
use crate::refusal::Answer;
use crate::reply::{content_type, no_store};
use crate::{Gate, Reply, Request};

/// A route, to be mounted by an adapter for any framework.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Endpoint {
    /// Its method: `GET`, `POST` or `DELETE`.
    pub method: &'static str,
    /// Its path. A `{…}` stands for one whole segment, which goes into [`Request::parameter`].
    pub path: &'static str,
    /// The group that it belongs to, so that a host can leave groups out.
    pub group: Group,
    /// The longest body that it reads, in bytes; where that is 0, a body is not read at all.
    pub max_body: usize,
    pub(crate) route: Route,
}

/// A group of routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Group {
    /// Getting a token.
    Tokens,
    /// Sandboxes.
    Sandbox,
    /// The same for clients that speak OAuth: tokens, introspection, revocation, and the metadata that names them.
    OAuth,
    /// Public keys.
    WellKnown,
    /// What a developer does with a token: its keys, its audit events, its usage.
    SelfService,
    /// The OpenAPI document.
    OpenApi,
}

/// What an endpoint does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Route {
    AnyToken,
    DeveloperToken,
    EntityToken,
    OpenSandbox,
    OAuthToken,
    Introspect,
    RevokeToken,
    Metadata,
    HomeKeySet,
    KeySet,
    Whoami,
    ListKeys,
    CreateKey,
    GetKey,
    RevokeKey,
    Audit,
    Usage,
    OpenApi,
}

/// Longest body of a request for a token or a sandbox.
const SMALL: usize = 16 << 10;
/// Longest body of a request for a key, which may bring metadata.
const LARGE: usize = 64 << 10;

const ROUTES: &[Endpoint] = &[
    post("/v1/auth/tokens", Group::Tokens, SMALL, Route::AnyToken),
    post("/v1/developers/auth/generate-token", Group::Tokens, SMALL, Route::DeveloperToken),
    post("/v1/entities/auth/generate-token", Group::Tokens, SMALL, Route::EntityToken),
    post("/v1/auth/developer-token", Group::Tokens, SMALL, Route::DeveloperToken),
    post("/v1/auth/entity-token", Group::Tokens, SMALL, Route::EntityToken),
    post("/v1/sandbox", Group::Sandbox, SMALL, Route::OpenSandbox),
    post("/oauth/token", Group::OAuth, SMALL, Route::OAuthToken),
    post("/oauth/introspect", Group::OAuth, SMALL, Route::Introspect),
    post("/oauth/revoke", Group::OAuth, SMALL, Route::RevokeToken),
    get("/.well-known/oauth-authorization-server/{environment}", Group::OAuth, Route::Metadata),
    get("/.well-known/jwks.json", Group::WellKnown, Route::HomeKeySet),
    get("/.well-known/jwks/{environment}", Group::WellKnown, Route::KeySet),
    get("/v1/auth/whoami", Group::SelfService, Route::Whoami),
    get("/v1/developers/keys", Group::SelfService, Route::ListKeys),
    post("/v1/developers/keys", Group::SelfService, LARGE, Route::CreateKey),
    get("/v1/developers/keys/{id}", Group::SelfService, Route::GetKey),
    Endpoint {
        method: "DELETE",
        path: "/v1/developers/keys/{id}",
        group: Group::SelfService,
        max_body: 0,
        route: Route::RevokeKey,
    },
    get("/v1/developers/audit", Group::SelfService, Route::Audit),
    get("/v1/developers/usage", Group::SelfService, Route::Usage),
    get("/openapi.json", Group::OpenApi, Route::OpenApi),
];

const fn get(path: &'static str, group: Group, route: Route) -> Endpoint {
    Endpoint { method: "GET", path, group, max_body: 0, route }
}

const fn post(path: &'static str, group: Group, max_body: usize, route: Route) -> Endpoint {
    Endpoint { method: "POST", path, group, max_body, route }
}

/// The routes that `gate`'s policy has: those of sandboxes only where somebody may open one, and none of a group that
/// the host has left out.
///
/// `/.well-known/jwks/{environment}` takes the segment with its `.json`, such as `sandbox.json`: routers want a `{…}` to
/// be a whole segment.
#[must_use]
pub fn endpoints(gate: &Gate) -> Vec<Endpoint> {
    ROUTES.iter().copied().filter(|endpoint| gate.offers(endpoint.group)).collect()
}

/// The same, by path: a path is mounted once, with every method that it has.
#[must_use]
pub fn endpoints_by_path(gate: &Gate) -> BTreeMap<&'static str, Vec<Endpoint>> {
    let mut paths: BTreeMap<&'static str, Vec<Endpoint>> = BTreeMap::new();
    for endpoint in endpoints(gate) {
        paths.entry(endpoint.path).or_default().push(endpoint);
    }
    paths
}

impl Endpoint {
    /// Answers `request`, which came by this endpoint's method and path.
    pub fn call<'a>(&self, gate: &'a Gate, request: Request<'a>) -> Pin<Box<dyn Future<Output = Reply> + Send + 'a>> {
        let route = self.route;
        Box::pin(async move {
            let outcome = match route {
                Route::AnyToken => tokens::any(gate, &request).await,
                Route::DeveloperToken => tokens::developer(gate, &request).await,
                Route::EntityToken => tokens::entity(gate, &request).await,
                Route::OpenSandbox => sandbox::open(gate, &request).await,
                Route::OAuthToken => oauth_outcome(gate, oauth::token(gate, &request).await),
                Route::Introspect => oauth_outcome(gate, oauth::introspect(gate, &request).await),
                Route::RevokeToken => oauth_outcome(gate, oauth::revoke(gate, &request).await),
                Route::Metadata => oauth::metadata(gate, &request),
                Route::HomeKeySet => well_known::home_key_set(gate),
                Route::KeySet => well_known::key_set(gate, &request),
                Route::Whoami => whoami::whoami(gate, &request).await,
                Route::ListKeys => keys::list(gate, &request).await,
                Route::CreateKey => keys::create(gate, &request).await,
                Route::GetKey => keys::get(gate, &request).await,
                Route::RevokeKey => keys::revoke(gate, &request).await,
                Route::Audit => audit::list(gate, &request).await,
                Route::Usage => usage::list(gate, &request).await,
                Route::OpenApi => Ok(openapi::document(gate)),
            };
            outcome.unwrap_or_else(|failure: Failure| failure.into_reply(gate))
        })
    }

    /// 405, for this endpoint's path called by a method that it does not have. `Allow` names those that it has.
    #[must_use]
    pub fn method_not_allowed(&self, gate: &Gate) -> Reply {
        let mut reply = self.refuse(gate, &Answer::method_not_allowed());
        reply.headers.push(("allow", self.allow()));
        reply
    }

    /// 413, for a body longer than [`max_body`](Self::max_body).
    #[must_use]
    pub fn payload_too_large(&self, gate: &Gate) -> Reply {
        self.refuse(gate, &Answer::payload_too_large())
    }

    /// 400, for a body that broke off or could not be read.
    #[must_use]
    pub fn body_cut_off(&self, gate: &Gate) -> Reply {
        self.refuse(gate, &Answer::invalid_request(CUT_OFF))
    }

    /// The methods of the path, as `Allow` has them: GET is HEAD too.
    fn allow(&self) -> String {
        let methods = ROUTES.iter().filter(|other| other.path == self.path).map(|other| other.method);
        let methods = methods.map(|method| if method == "GET" { "GET, HEAD" } else { method });
        methods.collect::<Vec<_>>().join(", ")
    }

    /// `answer` in the form that errors have at this path: RFC 6749's (§5.2) under `/oauth`, else problem details.
    fn refuse(&self, gate: &Gate, answer: &Answer) -> Reply {
        if self.path.starts_with("/oauth/") { gate.oauth_reply(answer) } else { gate.reply(answer) }
    }
}

fn oauth_outcome(gate: &Gate, outcome: Result<Reply, Answer>) -> Result<Reply, Failure> {
    outcome.map_err(|answer| Failure::Replied(gate.oauth_reply(&answer)))
}

/// 405, for a path of the host's own. `allow` names the methods that it has, separated by `, `.
#[must_use]
pub fn method_not_allowed(gate: &Gate, allow: &str) -> Reply {
    let mut reply = gate.reply(&Answer::method_not_allowed());
    reply.headers.push(("allow", allow.to_owned()));
    reply
}

/// 413, for a body that is too long at a path of the host's own.
#[must_use]
pub fn payload_too_large(gate: &Gate) -> Reply {
    gate.reply(&Answer::payload_too_large())
}

/// 400, for a body that broke off at a path of the host's own.
#[must_use]
pub fn body_cut_off(gate: &Gate) -> Reply {
    gate.reply(&Answer::invalid_request(CUT_OFF))
}

const CUT_OFF: &str = "the body could not be read to its end; send it whole";

/// 500, for a server that is not set up rightly. The log must say what is missing; this does not.
#[must_use]
pub fn internal_error(gate: &Gate) -> Reply {
    gate.reply(&Answer::internal_error())
}

/// The same where there is no gate, and so no policy that the reply could follow.
#[must_use]
pub fn gate_missing() -> Reply {
    let Answer { status, error, message, .. } = Answer::internal_error();
    let rejected = Rejected { status, error, message: &message, request_id: None, retry_after: None };
    let headers = vec![content_type(problem::CONTENT_TYPE), no_store()];
    Reply { status, headers, body: problem::print(&rejected) }
}

/// 404, the same as for a thing that is not there.
#[must_use]
pub fn not_found(gate: &Gate) -> Reply {
    gate.reply(&Answer::not_found())
}
