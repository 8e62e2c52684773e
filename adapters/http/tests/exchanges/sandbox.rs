//! Opening a sandbox.

use latchbook_http::{Gate, Group, Reply, SandboxAccess, endpoints};
use serde_json::{Value, json as object};

use crate::ask::{BEARER, INVALID_TOKEN, assert_refused, get, json, post, text};
use crate::house::House;

const PATH: &str = "/v1/sandbox";

fn body() -> Value {
    object!({"name": "Try it", "developer_id": "newcomer"})
}

fn open(gate: &Gate, body: &Value) -> Reply {
    post(PATH, body).send(gate)
}

#[test]
fn a_sandbox_has_a_developer_a_key_an_entity_a_ledger_accounts_and_a_token() {
    let house = House::new();
    let preferences = object!({"currency": "USD", "timezone": null, "locale": "en-US", "unknown": 1});
    let mut order = body();
    order["preferences"] = preferences;
    order["industry"] = object!("bakery");
    let reply = post(PATH, &order).bearer("anything").send(&house.gate);
    assert_eq!(reply.status, 201, "{}", String::from_utf8_lossy(&reply.body));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let answer = json(&reply);
    assert_eq!(answer["success"], true);
    let data = &answer["data"];
    assert_eq!(data["developer"]["id"], "newcomer");
    assert!(text(&data["developer"]["apiKey"]).starts_with("lb_sandbox_"));
    assert!(text(&data["entity"]["id"]).starts_with("entity_"));
    assert!(data["entity"]["legal_name"].is_string());
    assert!(text(&data["ledger"]["id"]).starts_with("ldgr_"));
    assert!(data["ledger"]["name"].is_string());
    assert_eq!(data["expiresAt"], "2026-12-01T00:00:00Z");
    let whoami = json(&get("/v1/auth/whoami").bearer(&text(&data["token"])).send(&house.gate));
    assert_eq!((&whoami["developerId"], &whoami["environment"]), (&object!("newcomer"), &object!("sandbox")));
    assert_eq!(whoami["entityId"], Value::Null);
    let exchange =
        object!({"developerId": "newcomer", "apiKey": data["developer"]["apiKey"], "entityId": data["entity"]["id"]});
    assert_eq!(post("/v1/auth/entity-token", &exchange).send(&house.gate).status, 200);
}

#[test]
fn amounts_are_numbers_with_the_digits_that_were_given() {
    let house = House::new();
    let reply = open(&house.gate, &body());
    let shown = String::from_utf8_lossy(&reply.body);
    for digits in
        ["\"available\":100,\"current\":110", "\"current\":320.76", "\"current\":23631.9805", "\"available\":null"]
    {
        assert!(shown.contains(digits), "{digits}: {shown}");
    }
    let account = &json(&reply)["data"]["plaidAccounts"][0];
    assert_eq!((&account["name"], &account["mask"]), (&object!("Plaid Checking"), &object!("0000")));
    assert_eq!((&account["type"], &account["subtype"]), (&object!("depository"), &object!("checking")));
}

#[test]
fn a_taken_developer_is_a_conflict() {
    let house = House::new();
    assert_eq!(open(&house.gate, &body()).status, 201);
    assert_refused(&open(&house.gate, &body()), 409, "conflict", None);
}

#[test]
fn k9_r5_the_same_idempotency_key_gives_the_same_sandbox_and_a_new_api_key() {
    let house = House::new();
    let ask = |key: &str, body: &Value| post(PATH, body).idempotency_key(key).send(&house.gate);
    let key = "0123456789abcdef0123456789abcdef";
    let (first, second) = (ask(key, &body()), ask(key, &body()));
    assert_eq!((first.status, second.status), (201, 200));
    let (first, second) = (json(&first)["data"].clone(), json(&second)["data"].clone());
    for same in ["entity", "ledger", "plaidAccounts", "expiresAt"] {
        assert_eq!(first[same], second[same], "{same}");
    }
    assert_ne!(first["developer"]["apiKey"], second["developer"]["apiKey"]);
    let exchange = |data: &Value| {
        let body = object!({"developerId": "newcomer", "apiKey": data["developer"]["apiKey"]});
        post("/v1/auth/developer-token", &body).send(&house.gate).status
    };
    assert_eq!((exchange(&first), exchange(&second)), (401, 200));
    let mut other = body();
    other["name"] = object!("Something else");
    assert_refused(&ask(key, &other), 422, "idempotency_mismatch", None);
}

#[test]
fn a_weak_or_repeated_idempotency_key_is_refused() {
    let house = House::new();
    let good = "0123456789abcdef0123456789abcdef";
    for bad in ["", "short", &good[..31], &format!("{good} {good}"), &"a".repeat(129)] {
        let reply = post(PATH, &body()).idempotency_key(bad).send(&house.gate);
        assert_refused(&reply, 400, "invalid_request", None);
    }
    let twice = post(PATH, &body()).idempotency_key(good).idempotency_key(good).send(&house.gate);
    assert_refused(&twice, 400, "invalid_request", None);
}

#[test]
fn a_malformed_order_is_a_bad_request() {
    let house = House::new();
    for body in [
        object!({}),
        object!({"name": "x"}),
        object!({"developer_id": "x"}),
        object!({"name": 1, "developer_id": "x"}),
        object!({"name": "", "developer_id": "x"}),
        object!({"name": "x", "developer_id": "a/b"}),
        object!({"name": "x", "developer_id": ".."}),
        object!({"name": "x", "developer_id": "x", "preferences": []}),
        object!({"name": "x", "developer_id": "x", "preferences": {"currency": 1}}),
        object!({"name": "x", "developer_id": "x", "industry": 1}),
    ] {
        assert_refused(&open(&house.gate, &body), 400, "invalid_request", None);
    }
    let plain = post(PATH, &body()).content_type(Some("text/plain")).send(&house.gate);
    assert_refused(&plain, 415, "unsupported_media_type", None);
}

#[test]
fn where_sandboxes_are_off_the_route_is_not_there() {
    let house = House::new();
    let gate = house.gate.clone().sandbox(SandboxAccess::Off);
    assert!(endpoints(&gate).iter().all(|endpoint| endpoint.group != Group::Sandbox));
    assert_refused(&open(&gate, &body()), 404, "not_found", None);
}

#[test]
fn e19_under_bearer_a_home_token_with_the_scope_opens_one_and_no_other_does() {
    let house = House::new();
    let gate = house.gate.clone().sandbox(SandboxAccess::Bearer);
    let challenge = Some("Bearer realm=\"latchbook\", error=\"insufficient_scope\", scope=\"sandbox:manage\"");
    assert_refused(&open(&gate, &body()), 401, "missing_credentials", BEARER);
    let ask = |token: &str| post(PATH, &body()).bearer(token).send(&gate);
    assert_refused(&ask(&house.token(&house.boxed)), 401, "wrong_environment", INVALID_TOKEN);
    assert_refused(&ask(&house.narrow_token(&house.acme, "ledger:read")), 403, "insufficient_scope", challenge);
    assert_refused(&ask(&house.entity_token(&house.acme, "acme-a")), 403, "insufficient_scope", challenge);
    let reply = ask(&house.token(&house.acme));
    assert_eq!(reply.status, 201);
    let whoami = json(&get("/v1/auth/whoami").bearer(&text(&json(&reply)["data"]["token"])).send(&gate));
    assert_eq!(whoami["environment"], "sandbox");
}

#[test]
fn s5_a_store_that_does_not_answer_is_an_opaque_503_and_no_half_sandbox() {
    let house = House::new();
    house.store.break_down();
    assert_refused(&open(&house.gate, &body()), 503, "temporarily_unavailable", None);
    house.store.recover();
    assert_eq!(open(&house.gate, &body()).status, 201);
}

#[test]
fn an_industry_has_at_most_100_characters_in_any_script() {
    let house = House::new();
    let with = |industry: String| open(&house.gate, &object!({"name": "x", "developer_id": "x", "industry": industry}));
    assert_refused(&with("ß".repeat(101)), 400, "invalid_request", None);
    assert_refused(&with(String::new()), 400, "invalid_request", None);
    assert_eq!(with("ß".repeat(100)).status, 201);
}
