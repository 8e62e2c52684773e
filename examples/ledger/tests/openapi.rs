//! The document that the real program serves: every route of it is there, and none besides.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use support::{Server, text};

const PROGRAM: &str = support::LEDGER_AXUM;

const METHODS: [&str; 6] = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

#[test]
fn what_the_document_says_is_what_the_program_serves() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let (status, document) = server.call("GET", "/openapi.json", "", None);
    assert_eq!((status, &document["openapi"]), (200, &json!("3.1.0")));
    let mut called = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let target = path.replace("server/{environment}", "server/live").replace("{environment}", "live.json");
        let target = target.replace("{id}", "0123456789abcdEF").replace("{developer}", "a");
        let not_allowed = if path.starts_with("/oauth/") { "invalid_request" } else { "method_not_allowed" };
        for method in METHODS {
            let operation = &item[method.to_lowercase()];
            if operation.is_null() {
                let (status, problem) = server.call(method, &target, "", None);
                assert_eq!((status, &problem["error"]), (405, &json!(not_allowed)), "{method} {path}");
                continue;
            }
            if path == "/metrics" {
                continue; // no JSON
            }
            let (status, answer) = server.call(method, &target, "", None);
            assert!(![404, 405, 500].contains(&status), "{method} {path}: {status} {answer}");
            assert!(operation["responses"].get(status.to_string()).is_some(), "{method} {path}: {status}");
            let asked = status == 401 && answer["error"] == "missing_credentials";
            let requirements = operation["security"].as_array().unwrap();
            // OAuth clients show themselves by HTTP Basic, and may do so in the form instead.
            let guarded = requirements.iter().any(|one| one.get("bearerAuth").is_some());
            assert_eq!(asked, guarded, "{method} {path}: {answer}");
            called += 1;
        }
    }
    assert!(called > 25, "{called}");
}

#[test]
fn every_reference_leads_somewhere_and_every_operation_has_its_own_id() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_with(folder.path(), &["--sandbox", "bearer"]);
    let (_, document) = server.call("GET", "/openapi.json", "", None);
    let mut references = Vec::new();
    collect(&document, &mut references);
    for reference in &references {
        assert!(document.pointer(reference.strip_prefix('#').unwrap()).is_some(), "{reference}");
    }
    assert!(references.len() > 100, "{}", references.len());
    let operations =
        document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values());
    let ids: Vec<_> = operations.map(|operation| text(&operation["operationId"])).collect();
    assert_eq!(BTreeSet::from_iter(&ids).len(), ids.len(), "{ids:?}");
    assert_eq!(document["paths"]["/v1/sandbox"]["post"]["security"], json!([{"bearerAuth": ["sandbox:manage"]}]));
    let posting = &document["paths"]["/v1/transactions"]["post"];
    assert_eq!(posting["security"], json!([{"bearerAuth": ["ledger:write"]}]));
    assert!(posting["responses"].get("403").is_some());
    assert!(document["info"]["title"] == "Ledger" && document["paths"].get("/metrics").is_some());
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        Value::Object(members) => {
            references.extend(members.get("$ref").map(text));
            members.values().for_each(|member| collect(member, references));
        }
        _ => {}
    }
}
