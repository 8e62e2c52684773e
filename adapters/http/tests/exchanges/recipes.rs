//! The published recipes of hostile requests, as far as they reach the gate.

use futures_executor::block_on;
use latchbook_core::model::{AnyScope, EnvironmentName};
use latchbook_http::{Head, Reply, Serves};
use serde_json::Value;

use crate::ask::Fields;
use crate::house::{House, scopes::LedgerWrite};

/// What a recipe's guarded route would do: who was let in for which entity, or the refusal.
fn guarded(house: &House, path: &str, head: &Head<'_>) -> Option<Result<Option<String>, Reply>> {
    let serves = match path {
        "/guarded" | "/live/guarded" => Serves::Home,
        "/sandbox/guarded" => Serves::Environment(EnvironmentName::SANDBOX),
        "/guarded/write" => {
            let outcome = block_on(house.gate.maybe_entity_context::<LedgerWrite>(head, Serves::Home));
            return Some(outcome.map(|(_, context)| context.map(|context| context.entity_id().to_string())));
        }
        _ => return None,
    };
    let outcome = block_on(house.gate.maybe_entity_context::<AnyScope>(head, serves));
    Some(outcome.map(|(_, context)| context.map(|context| context.entity_id().to_string())))
}

#[test]
fn the_recipes_get_the_status_and_the_code_that_they_ask_for() {
    let directory = std::env::var("LATCHBOOK_VECTORS")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors").to_owned());
    let Ok(file) = std::fs::read(format!("{directory}/own/http_requests.json")) else {
        println!("skipped: no vectors at {directory}");
        return;
    };
    let file: Value = serde_json::from_slice(&file).expect("the recipes");
    let house = House::new();
    let places = [
        ("{{token_unscoped}}", house.token(&house.acme)),
        ("{{token_A}}", house.entity_token(&house.acme, "acme-a")),
        ("{{token_read}}", house.narrow_token(&house.acme, "ledger:read")),
        ("{{token_sandbox}}", house.token(&house.boxed)),
        ("{{api_key}}", house.acme.text.expose().to_owned()),
        ("{{account}}", "acme".to_owned()),
        ("{{entity_A}}", "acme-a".to_owned()),
        ("{{entity_B}}", "acme-b".to_owned()),
        ("{{entity_other}}", "other-a".to_owned()),
        ("{{entity_none}}", "nobody".to_owned()),
        ("{{entity_sandbox}}", "acme-s".to_owned()),
        ("{{fill:300}}", "a".repeat(300)),
        ("{{fill:102400}}", "a".repeat(102_400)),
    ];
    let fill = |text: &Value| {
        places
            .iter()
            .fold(text.as_str().unwrap_or_default().to_owned(), |text, (place, value)| text.replace(place, value))
    };
    let mut played = 0;
    for recipe in file["requests"].as_array().expect("a list") {
        let id = format!("{} {}: {}", recipe["id"], recipe["row"], recipe["name"]);
        let mut fields = Fields::default().query(&fill(&recipe["query"]));
        for field in recipe["headers"].as_array().into_iter().flatten() {
            if field[0].as_str().is_some_and(|name| name.eq_ignore_ascii_case("authorization")) {
                // One byte a character, as the recipes say.
                fields
                    .authorization
                    .push(fill(&field[1]).chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect());
            }
        }
        let path = recipe["path"].as_str().unwrap_or_default();
        let router = ["OPTIONS"].iter().any(|method| recipe["method"] == *method);
        let outcome = if router { None } else { fields.head(|head| guarded(&house, path, head)) };
        let Some(outcome) = outcome else {
            println!("skipped: {id}: a router's, not the gate's");
            continue;
        };
        let (status, code) = match &outcome {
            Ok(_) => (200, String::new()),
            Err(reply) => {
                let body: Value = serde_json::from_slice(&reply.body).expect("a problem");
                (reply.status, body["error"].as_str().unwrap_or_default().to_owned())
            }
        };
        let wanted = match &recipe["status"] {
            Value::Array(several) => several.contains(&Value::from(status)),
            one => one.as_u64() == Some(status.into()),
        };
        assert!(wanted, "{id}: {status} {code}");
        if let Some(want) = recipe["code"].as_str().filter(|want| !want.is_empty()) {
            assert_eq!(code, want, "{id}");
        }
        if recipe["check"].as_str().is_some_and(|check| check.contains("context is entity_A")) {
            assert_eq!(outcome.ok().flatten().as_deref(), Some("acme-a"), "{id}");
        }
        played += 1;
    }
    assert!(played >= 50, "{played}");
}
