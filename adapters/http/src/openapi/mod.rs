//! The contract as OpenAPI 3.1: one operation for each mounted route, and what a host needs to describe its own.
//!
//! [`document`] is made from the table that adapters mount, so that no route is missing and none is extra. A host adds
//! its own routes with [`Gate::openapi`]; [`SecurityAddon`], [`security_of`] and [`Guard`] give them the same security
//! scheme, requirements and refusals:
//!
//! ```
//! use latchbook_http::openapi::{Guard, SecurityAddon, guard};
//! use utoipa::OpenApi as _;
//! use utoipa::openapi::HttpMethod;
//! # use latchbook_core::{authority::Authority, key_store::MemoryStore, seal::MasterKey};
//! # latchbook_core::scopes! {
//! #     /// The ledger's scopes.
//! #     pub mod scopes {
//! #         /// Read transactions.
//! #         LedgerRead = "ledger:read";
//! #     }
//! # }
//! # use scopes::LedgerRead;
//! # let authority = Authority::builder().store(MemoryStore::new()).issuer("https://api.example.com");
//! # let authority = authority.master_key(MasterKey::from_bytes([7; 32])).scopes(scopes::ALL).build();
//! # let gate = latchbook_http::Gate::new(futures_executor::block_on(authority)?);
//!
//! /// The transactions of an entity.
//! #[utoipa::path(get, path = "/v1/transactions", responses((status = 200, description = "The transactions.")))]
//! async fn list() { /* … */ }
//!
//! #[derive(utoipa::OpenApi)]
//! #[openapi(paths(list), modifiers(&SecurityAddon))]
//! struct Api;
//!
//! let mut api = Api::openapi();
//! guard(&mut api, HttpMethod::Get, "/v1/transactions", &Guard::entity::<LedgerRead>(&gate))?;
//! let gate = gate.openapi(api); // `/openapi.json` has everything now
//! # assert!(latchbook_http::openapi::document(&gate).paths.paths.len() > 10);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod answers;
mod guard;
mod oauth;
mod operations;
mod orders;
mod refusals;
mod words;

use utoipa::Modify;
use utoipa::openapi::path::{HttpMethod, PathItem, PathsBuilder};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{Components, ComponentsBuilder, InfoBuilder, OpenApi, OpenApiBuilder, ServerBuilder};

pub use guard::{Guard, NoOperation, guard, security_of};
pub use utoipa;

use crate::{Gate, Group, endpoints};

/// The name of the security scheme.
pub const BEARER: &str = "bearerAuth";

/// The document of every route that `gate` offers, and of the host's own where it gave them to [`Gate::openapi`].
///
/// What the host's document says comes first: its `info`, its `servers` (else `/`), and its own schema where both have
/// one of the same name. A host that restyles refusals says so by a `Problem` of its own.
#[must_use]
pub fn document(gate: &Gate) -> OpenApi {
    let ours = contract(gate);
    match gate.host_document() {
        None => ours,
        Some(host) => {
            let mut whole = host.clone();
            let said = whole.servers.clone();
            whole.merge(ours);
            whole.servers = said.filter(|servers| !servers.is_empty()).or(whole.servers);
            whole
        }
    }
}

fn contract(gate: &Gate) -> OpenApi {
    let info = InfoBuilder::new()
        .title("API keys and access tokens")
        .description(Some(
            "API keys, exchanged for short-lived access tokens; what a developer does with its own keys.",
        ))
        .version(env!("CARGO_PKG_VERSION"))
        .build();
    let paths = endpoints(gate).iter().fold(PathsBuilder::new(), |paths, endpoint| {
        let item = PathItem::new(method(endpoint.method), operations::of(endpoint, gate));
        paths.path(endpoint.path, item)
    });
    let mut components = shared();
    components.schemas.extend(answers::all().into_iter().map(|(name, schema)| (name.to_owned(), schema)));
    components
        .schemas
        .extend(orders::all(gate.authority()).into_iter().map(|(name, schema)| (name.to_owned(), schema)));
    if gate.offers(Group::OAuth) {
        components.schemas.extend(oauth::schemas().into_iter().map(|(name, schema)| (name.to_owned(), schema)));
        components.add_security_scheme(oauth::BASIC, client_scheme());
    }
    let tags = [
        ("Tokens", "Getting an access token."),
        ("Sandbox", "Developers, keys and test data for a trial."),
        ("OAuth", "The same, and more, for OAuth clients."),
        ("Public keys", "For whoever verifies tokens elsewhere."),
        ("Self-service", "What a developer does with a token."),
        ("Documentation", "This document."),
    ];
    OpenApiBuilder::new()
        .info(info)
        .servers(Some([ServerBuilder::new().url("/").build()]))
        .paths(paths)
        .components(Some(components))
        .tags(Some(tags.map(|(name, description)| TagBuilder::new().name(name).description(Some(description)).build())))
        .build()
}

fn client_scheme() -> SecurityScheme {
    let basic = HttpBuilder::new().scheme(HttpAuthScheme::Basic);
    SecurityScheme::Http(basic.description(Some("The developer's id, and an API key (RFC 6749 §2.3.1).")).build())
}

/// What operations of any document refer to: the security scheme, the refusals and their schema.
fn shared() -> Components {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some(
            "An access token of RFC 9068. A requirement's list names the scopes that the token must hold.",
        ))
        .build();
    let components = ComponentsBuilder::new()
        .security_scheme(BEARER, SecurityScheme::Http(bearer))
        .schema(refusals::PROBLEM, refusals::problem());
    refusals::Refused::ALL
        .iter()
        .fold(components, |components, refused| components.response(refused.name(), refused.response()))
        .build()
}

/// Adds to a document what guarded operations refer to: the scheme `bearerAuth`, the shared refusals, and the schema
/// `Problem`. For `#[openapi(modifiers(&SecurityAddon))]`; a document that goes to [`Gate::openapi`] gets them anyway.
#[derive(Clone, Copy, Debug, Default)]
pub struct SecurityAddon;

impl Modify for SecurityAddon {
    fn modify(&self, document: &mut OpenApi) {
        document.merge(OpenApiBuilder::new().components(Some(shared())).build());
    }
}

fn method(method: &str) -> HttpMethod {
    match method {
        "POST" => HttpMethod::Post,
        "PATCH" => HttpMethod::Patch,
        "DELETE" => HttpMethod::Delete,
        "PUT" => HttpMethod::Put,
        // INVARIANT: the contract has no others; a test compares document and table.
        _ => HttpMethod::Get,
    }
}
