//! The OpenAPI document: complete, sound, and true.

use std::collections::{BTreeMap, BTreeSet};

use latchbook_core::model::{AnyOf, AnyScope, AuditRead, EntitiesManage, KeysManage};
use latchbook_http::openapi::{self, Guard, SecurityAddon, guard, security_of};
use latchbook_http::{Gate, SandboxAccess, endpoints};
use serde_json::{Value, json};
use utoipa::Modify as _;
use utoipa::openapi::{HttpMethod, OpenApi};

use crate::ask::{Ask, get, json};
use crate::documented::{document, resolved};
use crate::house::{House, scopes::LedgerRead};

/// Every operation of `document`: path, method in capitals, itself.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let of = |(path, item): (&String, &Value)| {
        let item = item.as_object().expect("a path item").clone();
        let path = path.clone();
        item.into_iter().map(move |(method, operation)| (path.clone(), method.to_uppercase(), operation))
    };
    paths.iter().flat_map(of).collect()
}

fn gates(house: &House) -> [Gate; 3] {
    [SandboxAccess::Off, SandboxAccess::Open, SandboxAccess::Bearer].map(|access| house.gate.clone().sandbox(access))
}

/// A path with something in place of its parameter.
fn concrete(path: &str) -> String {
    path.replace("{environment}", "live.json").replace("{id}", "0123456789abcdEF").replace("{developer}", "acme")
}

#[test]
fn every_mounted_endpoint_has_exactly_one_operation_and_nothing_else_has() {
    let house = House::new();
    for gate in gates(&house) {
        let mounted: Vec<_> =
            endpoints(&gate).iter().map(|endpoint| (endpoint.path.to_owned(), endpoint.method.to_owned())).collect();
        let described: Vec<_> =
            operations(&document(&gate)).into_iter().map(|(path, method, _)| (path, method)).collect();
        assert_eq!(described.len(), mounted.len());
        assert_eq!(BTreeSet::from_iter(described), BTreeSet::from_iter(mounted));
    }
}

#[test]
fn the_document_is_served_to_everybody_and_is_openapi_3_1() {
    let house = House::new();
    let reply = get("/openapi.json").send(&house.gate);
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")));
    assert_eq!(reply.header("cache-control"), Some("public, max-age=300"));
    let served = json(&reply);
    assert_eq!(served, document(&house.gate));
    assert_eq!(served["openapi"], "3.1.0");
    assert_eq!(served["info"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(served["servers"], json!([{"url": "/"}]));
    assert_eq!(
        json(&get("/openapi.json").send(&house.gate.clone().sandbox(SandboxAccess::Off)))["paths"]["/v1/sandbox"],
        json!(null)
    );
}

#[test]
fn the_document_keeps_the_rules_of_openapi() {
    let house = House::new();
    for gate in gates(&house) {
        let document = document(&gate);
        references(&document, &document);
        let tags: Vec<_> = document["tags"].as_array().expect("tags").iter().map(|tag| tag["name"].clone()).collect();
        let mut ids = BTreeSet::new();
        for (path, method, operation) in operations(&document) {
            let id = operation["operationId"].as_str().expect("an id").to_owned();
            assert!(ids.insert(id.clone()), "{id} is there twice");
            assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{method} {path}");
            assert_eq!(operation["tags"].as_array().map(Vec::len), Some(1), "{method} {path}");
            assert!(tags.contains(&operation["tags"][0]), "{method} {path}");
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let in_path: Vec<_> = parameters.iter().filter(|parameter| parameter["in"] == "path").collect();
            let named = path.split('/').filter(|segment| segment.starts_with('{')).count();
            assert_eq!(in_path.len(), named, "{method} {path}");
            for parameter in in_path {
                assert!(
                    path.contains(&format!("{{{}}}", parameter["name"].as_str().expect("a name"))),
                    "{method} {path}"
                );
                assert_eq!(parameter["required"], true);
            }
            let responses = operation["responses"].as_object().expect("responses");
            assert!(responses.keys().any(|status| status.starts_with('2')), "{method} {path}");
            for response in responses.values() {
                assert!(resolved(&document, response)["description"].is_string(), "{method} {path}");
            }
            let has_body =
                endpoints(&gate).iter().any(|known| known.path == path && known.method == method && known.max_body > 0);
            assert_eq!(operation.get("requestBody").is_some(), has_body, "{method} {path}");
            for requirement in operation["security"].as_array().expect("security, if only to say that there is none") {
                for scheme in requirement.as_object().expect("a requirement").keys() {
                    assert!(document["components"]["securitySchemes"][scheme].is_object(), "{scheme}");
                }
            }
        }
    }
}

/// Follows every reference in `value`.
fn references(document: &Value, value: &Value) {
    resolved(document, value);
    match value {
        Value::Array(items) => items.iter().for_each(|item| references(document, item)),
        Value::Object(members) => members.values().for_each(|member| references(document, member)),
        _ => {}
    }
}

#[test]
fn an_operation_asks_for_a_token_exactly_where_its_endpoint_does() {
    let house = House::new();
    let token = house.narrow_token(&house.acme, "ledger:read");
    for gate in gates(&house) {
        for (path, method, operation) in operations(&document(&gate)) {
            let method: &'static str =
                endpoints(&gate).iter().find(|known| known.method == method).expect("mounted").method;
            // A client of OAuth shows itself by HTTP Basic, and may do so in its form instead.
            let guarded = operation["security"][0].get("bearerAuth").is_some();
            let ask = Ask::hostile(method, &concrete(&path), "", Some("application/json"), b"{}");
            let bare = ask.send(&gate);
            assert_eq!(bare.status == 401 && json(&bare)["error"] == "missing_credentials", guarded, "{method} {path}");
            // A token that lacks the scopes which the document names is refused, and told those.
            let scopes = operation["security"][0]["bearerAuth"].as_array().cloned().unwrap_or_default();
            let narrow = ask.bearer(&token).send(&gate);
            let challenge = narrow.header("www-authenticate").unwrap_or_default();
            match scopes.first() {
                None => assert_ne!(narrow.status, 403, "{method} {path}"),
                Some(scope) => {
                    let named = format!("scope={scope}");
                    assert!(narrow.status == 403 && challenge.ends_with(&named), "{method} {path}: {challenge}");
                }
            }
        }
    }
}

#[test]
fn what_a_body_must_have_is_what_is_asked_for() {
    let house = House::new();
    let token = house.token(&house.acme);
    let document = document(&house.gate);
    let mut tried = 0;
    for (path, method, operation) in operations(&document) {
        let Some(content) = operation["requestBody"]["content"].get("application/json") else { continue };
        let method = if method == "POST" { "POST" } else { panic!("say how {method} is sent") };
        let send = |body: &Value| {
            let ask = Ask::hostile(method, &concrete(&path), "", Some("application/json"), body.to_string().as_bytes());
            ask.bearer(&token).send(&house.gate)
        };
        let example = content["example"].clone();
        assert_ne!(send(&example).status, 400, "{path}: the example is refused");
        let schema = resolved(&document, &content["schema"]);
        let schema = schema["oneOf"].get(0).unwrap_or(schema);
        let required: Vec<_> = schema["required"].as_array().expect("required").iter().map(crate::ask::text).collect();
        for (name, member) in schema["properties"].as_object().expect("properties") {
            let (mut without, mut wrong) = (example.clone(), example.clone());
            without[name] = Value::Null;
            wrong[name] = json!([1]);
            assert_eq!(send(&without).status == 400, required.contains(name), "{path}: {name}");
            assert_eq!(send(&wrong).status, 400, "{path}: {name} of a wrong type");
            let nullable = member["type"].as_array().is_some_and(|kinds| kinds.contains(&json!("null")));
            assert_eq!(nullable, !required.contains(name), "{path}: {name}");
            tried += 1;
        }
        let mut more = example.clone();
        more["unheard-of"] = json!({"a": [1]});
        assert_ne!(send(&more).status, 400, "{path}: other members mean nothing");
    }
    assert!(tried > 20, "{tried}");
}

/// A host's document with one operation at `path`.
fn hosts(path: &str) -> OpenApi {
    serde_json::from_value(json!({
        "openapi": "3.1.0",
        "info": {"title": "Ledger", "version": "7"},
        "servers": [{"url": "https://api.example.com"}],
        "paths": {path: {"get": {"operationId": "list", "responses": {"200": {"description": "The list."}}}}},
        "components": {"schemas": {"Problem": {"type": "object", "description": "Restyled."}}},
    }))
    .expect("a document")
}

#[test]
fn a_hosts_own_routes_stand_beside_ours_with_the_same_security() {
    let house = House::new();
    let gate = house.gate.clone().entity_parameter("customer");
    let mut host = hosts("/v1/transactions");
    SecurityAddon.modify(&mut host);
    guard(&mut host, HttpMethod::Get, "/v1/transactions", &Guard::entity::<LedgerRead>(&gate)).expect("the operation");
    let gate = gate.openapi(host);
    let document = json(&get("/openapi.json").send(&gate));
    assert_eq!(document["info"], json!({"title": "Ledger", "version": "7"}));
    assert_eq!(document["servers"], json!([{"url": "https://api.example.com"}]));
    assert_eq!(document["components"]["schemas"]["Problem"]["description"], "Restyled.");
    assert_eq!(document["paths"].as_object().map(|paths| paths.len()), Some(paths(&gate).len() + 1));
    references(&document, &document);
    let operation = &document["paths"]["/v1/transactions"]["get"];
    assert_eq!(operation["security"], json!([{"bearerAuth": ["ledger:read"]}]));
    assert_eq!(
        (&operation["parameters"][0]["name"], &operation["parameters"][0]["required"]),
        (&json!("customer"), &json!(false))
    );
    let statuses: Vec<_> = operation["responses"].as_object().expect("responses").keys().collect();
    assert_eq!(statuses, ["200", "400", "401", "403", "503"]);
    let unguarded = guard(&mut hosts("/a"), HttpMethod::Post, "/a", &Guard::principal());
    assert_eq!(unguarded.expect_err("no such method").to_string(), "the document has no such operation at `/a`");
}

fn paths(gate: &Gate) -> BTreeMap<&'static str, ()> {
    endpoints(gate).iter().map(|endpoint| (endpoint.path, ())).collect()
}

#[test]
fn security_names_every_way_to_be_let_in() {
    let said = |requirements: Vec<openapi::utoipa::openapi::SecurityRequirement>| {
        serde_json::to_value(requirements).expect("JSON")
    };
    assert_eq!(said(security_of::<AnyScope>()), json!([{"bearerAuth": []}]));
    assert_eq!(said(security_of::<(KeysManage, AuditRead)>()), json!([{"bearerAuth": ["keys:manage", "audit:read"]}]));
    assert_eq!(
        said(security_of::<AnyOf<(KeysManage, EntitiesManage)>>()),
        json!([{"bearerAuth": ["keys:manage"]}, {"bearerAuth": ["entities:manage"]}])
    );
    let mut host = hosts("/maybe");
    guard(&mut host, HttpMethod::Get, "/maybe", &Guard::maybe_principal()).expect("the operation");
    let maybe = serde_json::to_value(&host).expect("JSON")["paths"]["/maybe"]["get"]["security"].clone();
    assert_eq!(maybe, json!([{}, {"bearerAuth": []}]));
}
