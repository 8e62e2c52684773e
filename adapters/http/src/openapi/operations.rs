//! One operation for each route of the contract. The match is exhaustive: a route without an operation does not compile.

use latchbook_core::model::{AuditRead, KeysManage, SandboxManage};
use serde_json::json;
use utoipa::openapi::path::{Operation, OperationBuilder, Parameter};
use utoipa::openapi::schema::{ObjectBuilder, Schema};
use utoipa::openapi::{ContentBuilder, RefOr, ResponseBuilder};

use super::answers::key_id;
use super::guard::Guard;
use super::oauth;
use super::refusals::Refused;
use super::words::{count, day, field, json_body, kept, not_kept, number, one_of, query, segment, shared, string};
use crate::endpoints::{Endpoint, Route};
use crate::{Gate, Group, SandboxAccess};

/// The operation of `endpoint`.
pub(super) fn of(endpoint: &Endpoint, gate: &Gate) -> Operation {
    let described = match endpoint.route {
        Route::AnyToken => exchange("exchangeKey", "Exchange an API key for an access token", "TokenRequest", ANY),
        Route::DeveloperToken => exchange(
            named(endpoint, "exchangeKeyForDeveloper", "developerToken"),
            "Exchange an API key for a developer token",
            "DeveloperTokenRequest",
            OWN,
        ),
        Route::EntityToken => exchange(
            named(endpoint, "exchangeKeyForEntity", "entityToken"),
            "Exchange an API key for an entity token",
            "EntityTokenRequest",
            ANY,
        ),
        Route::OpenSandbox => open_sandbox(gate),
        Route::OAuthToken => return oauth::token(),
        Route::Introspect => return oauth::introspect(),
        Route::RevokeToken => return oauth::revoke(),
        Route::Metadata => metadata(gate),
        Route::HomeKeySet => key_set("homeKeySet", "Public keys of the home environment"),
        Route::KeySet => key_set("environmentKeySet", "Public keys of one environment")
            .parameter(environment(gate))
            .refused(Refused::NotFound),
        Route::Whoami => Described::new("whoami", "Who the caller is")
            .answers("200", "The caller.", "Caller")
            .guarded(Guard::any_principal()),
        Route::ListKeys => Described::new("listKeys", "One's own API keys")
            .parameters(paging())
            .answers("200", "A page of keys.", "ApiKeyPage")
            .guarded(Guard::scoped::<KeysManage>()),
        Route::CreateKey => Described::new("createKey", "Make an API key")
            .takes("NewApiKey", json!({"name": "Nightly export", "scopes": ["ledger:read"]}))
            .answers("201", "The key, and its text: shown here, and never again.", "CreatedApiKey")
            .refused(Refused::InvalidScopeRequest)
            .refused(Refused::Conflict)
            .guarded(Guard::scoped::<KeysManage>()),
        Route::GetKey => Described::new("getKey", "One of one's own API keys")
            .parameter(segment("id", key_id("The key's id.")))
            .answers("200", "The key.", "ApiKey")
            .refused(Refused::NotFound)
            .guarded(Guard::scoped::<KeysManage>()),
        Route::RevokeKey => Described::new("revokeKey", "Revoke an API key, and every token that came from it")
            .parameter(segment("id", key_id("The key's id.")))
            .answers_nothing("The key is revoked; the same answer the second time.")
            .refused(Refused::NotFound)
            .guarded(Guard::scoped::<KeysManage>()),
        Route::Audit => Described::new("listAuditEvents", "One's own audit events")
            .parameters(paging())
            .answers("200", "A page of events.", "AuditPage")
            .guarded(Guard::scoped::<AuditRead>()),
        Route::Usage => Described::new("readUsage", "How often one's own keys were used")
            .parameter(query("from", day("The first day (UTC); at most 365 before `to`.")))
            .parameter(query("to", day("The last day, included; today where it is left out.")))
            .answers("200", "Counts per key and day.", "Usage")
            .guarded(Guard::scoped::<AuditRead>()),
        Route::OpenApi => Described::new("openApi", "This document").answers_kept(
            "The document (OpenAPI 3.1).",
            "application/json",
            ObjectBuilder::new(),
        ),
    };
    described.finish(endpoint)
}

/// The id of an operation that two paths have: the second one is the API's own alias under `/v1/auth`.
fn named(endpoint: &Endpoint, id: &'static str, alias: &'static str) -> &'static str {
    if endpoint.path.starts_with("/v1/auth/") { alias } else { id }
}

/// Who can be refused at an exchange: for an entity token, also for the entity.
const ANY: &[Refused] = &[Refused::EntityForbidden];
const OWN: &[Refused] = &[];

fn exchange(id: &'static str, summary: &'static str, body: &'static str, more: &[Refused]) -> Described {
    let key = "lb_live_5kQw0123456789ab_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let example = match body {
        "TokenRequest" => json!({"userType": "developer", "id": "acme", "apiKey": key}),
        "DeveloperTokenRequest" => json!({"developerId": "acme", "apiKey": key}),
        _ => json!({"developerId": "acme", "apiKey": key, "entityId": "acme-retail"}),
    };
    let described = Described::new(id, summary)
        .takes(body, example)
        .answers("200", "The token.", "AccessToken")
        .refused(Refused::InvalidScopeRequest)
        .refused(Refused::InvalidClient)
        .refused(Refused::RateLimited)
        .refused(Refused::Unavailable);
    more.iter().fold(described, |described, refused| described.refused(*refused))
}

fn open_sandbox(gate: &Gate) -> Described {
    let secret = "A secret of 32 to 128 visible characters: the same one again gives the same sandbox, with a new key.";
    let described = Described::new("openSandbox", "Open a sandbox: developer, key, entity, ledger and test data")
        .parameter(field("Idempotency-Key", string(secret).pattern(Some("^[!-~]{32,128}$"))))
        .takes("NewSandbox", json!({"name": "Platypus Trading", "developer_id": "platypus"}))
        .answers("201", "The sandbox.", "SandboxOpened")
        .answers("200", "The sandbox that the same `Idempotency-Key` opened before.", "SandboxOpened")
        .refused(Refused::Conflict)
        .refused(Refused::IdempotencyMismatch)
        .refused(Refused::RateLimited);
    match gate.sandbox_access() {
        SandboxAccess::Bearer => described.guarded(Guard::scoped::<SandboxManage>()),
        SandboxAccess::Open | SandboxAccess::Off => {
            described.refused(Refused::InvalidRequest).refused(Refused::Unavailable)
        }
    }
}

fn key_set(id: &'static str, summary: &'static str) -> Described {
    Described::new(id, summary).answers_kept("The key set.", "application/jwk-set+json", shared("JwkSet"))
}

fn metadata(gate: &Gate) -> Described {
    let environments = gate.authority().environments();
    let name = one_of("The environment's name.", environments.iter().map(|name| name.as_str()));
    let described = Described::new("serverMetadata", "Where OAuth clients find what in one environment");
    let described = described.answers_kept("The metadata.", "application/json", shared("ServerMetadata"));
    described.parameter(segment("environment", name)).refused(Refused::NotFound)
}

fn environment(gate: &Gate) -> Parameter {
    let files: Vec<String> = gate.authority().environments().iter().map(|name| format!("{name}.json")).collect();
    segment("environment", one_of("The environment's name and `.json`.", files.iter().map(String::as_str)))
}

fn paging() -> [Parameter; 2] {
    let size = count("The most rows.", 1).maximum(Some(number(100))).default(Some(json!(25)));
    let cursor = string("The `nextCursor` of the page before: opaque, and of this very list.");
    [query("cursor", cursor.pattern(Some("^[0-9A-Za-z_-]{1,64}$"))), query("pageSize", size)]
}

/// An operation that is being described.
struct Described {
    operation: OperationBuilder,
    guard: Option<Guard>,
}

impl Described {
    fn new(id: &str, summary: &str) -> Self {
        Self { operation: OperationBuilder::new().operation_id(Some(id)).summary(Some(summary)), guard: None }
    }

    fn parameter(self, parameter: Parameter) -> Self {
        Self { operation: self.operation.parameter(parameter), ..self }
    }

    fn parameters(self, parameters: impl IntoIterator<Item = Parameter>) -> Self {
        parameters.into_iter().fold(self, Self::parameter)
    }

    /// A body of the shared schema `schema`.
    fn takes(self, schema: &str, example: serde_json::Value) -> Self {
        let operation = self.operation.request_body(Some(json_body(schema, example)));
        Self { operation, ..self }.refused(Refused::PayloadTooLarge).refused(Refused::UnsupportedMediaType)
    }

    /// An answer of the shared schema `schema`, for nobody's cache.
    fn answers(self, status: &str, description: &str, schema: &str) -> Self {
        let content = ContentBuilder::new().schema(Some(shared(schema))).build();
        let response = ResponseBuilder::new()
            .description(description)
            .content("application/json", content)
            .header("Cache-Control", not_kept());
        Self { operation: self.operation.response(status, response), ..self }
    }

    /// 204.
    fn answers_nothing(self, description: &str) -> Self {
        let response = ResponseBuilder::new().description(description).header("Cache-Control", not_kept());
        Self { operation: self.operation.response("204", response), ..self }
    }

    /// 200 with what caches may keep.
    fn answers_kept(self, description: &str, media_type: &str, schema: impl Into<RefOr<Schema>>) -> Self {
        let content = ContentBuilder::new().schema(Some(schema)).build();
        let response = ResponseBuilder::new().description(description).content(media_type, content);
        Self { operation: self.operation.response("200", response.header("Cache-Control", kept())), ..self }
    }

    fn refused(self, refused: Refused) -> Self {
        Self { operation: self.operation.response(refused.status().to_string(), refused.reference()), ..self }
    }

    fn guarded(self, guard: Guard) -> Self {
        Self { guard: Some(guard), ..self }
    }

    fn finish(self, endpoint: &Endpoint) -> Operation {
        let everywhere = self.refused(Refused::MethodNotAllowed).refused(Refused::InternalError);
        let mut operation = everywhere.operation.tag(tag(endpoint.group)).build();
        match everywhere.guard {
            Some(guard) => guard.describe(&mut operation),
            None => operation.security = Some(Vec::new()),
        }
        operation
    }
}

/// The tag of a group's operations.
const fn tag(group: Group) -> &'static str {
    match group {
        Group::Tokens => "Tokens",
        Group::Sandbox => "Sandbox",
        Group::OAuth => "OAuth",
        Group::WellKnown => "Public keys",
        Group::SelfService => "Self-service",
        Group::OpenApi => "Documentation",
    }
}
