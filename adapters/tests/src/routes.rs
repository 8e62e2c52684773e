//! The routes of the contract as they are mounted: every endpoint, its methods, its limits.

use std::collections::BTreeMap;

use latchbook_http::{Gate, SandboxAccess, endpoints};
use serde_json::{Value, json};

use crate::stage::opened;
use crate::{Answer, Holder, LIVE, Open, Raw, SANDBOX, Stage, World, assert_endpoint_refused, assert_refused};

async fn set_up(open: Open) -> (World, Gate, Stage) {
    let world = World::open().await;
    let gate = Gate::new(world.authority.clone()).sandbox(SandboxAccess::Open);
    let stage = opened(open, gate.clone()).await;
    (world, gate, stage)
}

/// A path of the contract with something in place of its parameter.
fn concrete(path: &str) -> String {
    path.replace("server/{environment}", "server/live")
        .replace("{environment}", "live.json")
        .replace("{id}", "0123456789abcdEF")
        .replace("{developer}", "acme")
}

fn posting(path: &str, body: &Value) -> Raw {
    Raw::new("POST", path).json(body)
}

async fn exchange(stage: &Stage, holder: &Holder) -> Answer {
    let body = json!({"userType": "developer", "id": holder.developer.id.as_str(), "apiKey": holder.text.expose()});
    stage.send(posting("/v1/auth/tokens", &body)).await
}

pub async fn every_endpoint_of_the_contract_is_mounted(open: Open) {
    let (_world, gate, stage) = set_up(open).await;
    let mounted = endpoints(&gate);
    assert!(!mounted.is_empty());
    for endpoint in mounted {
        let path = concrete(endpoint.path);
        let answer = stage.ask(endpoint.method, &path).await;
        assert!(![405, 500].contains(&answer.status.as_u16()), "{} {path}: {answer:?}", endpoint.method);
        assert!(answer.status != 404 || answer.code() == "not_found", "{} {path}: {answer:?}", endpoint.method);
    }
    assert_eq!(stage.ask("GET", "/ping").await.text(), "pong");
}

pub async fn h14_other_methods_get_405_with_allow_and_a_problem(open: Open) {
    let (_world, gate, stage) = set_up(open).await;
    let mut paths: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for endpoint in endpoints(&gate) {
        let methods = paths.entry(endpoint.path).or_default();
        methods.push(endpoint.method);
        if endpoint.method == "GET" {
            methods.push("HEAD");
        }
    }
    for (path, methods) in paths {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"] {
            if methods.contains(&method) {
                continue;
            }
            let answer = stage.ask(method, &concrete(path)).await;
            assert_eq!(answer.status, 405, "{method} {path}: {answer:?}");
            let allow: Vec<_> = answer.header("allow").expect("allow").split(", ").collect();
            assert_eq!(allow, methods, "{method} {path}");
            if method != "HEAD" {
                assert_endpoint_refused(path, &answer, 405, "method_not_allowed");
            }
        }
    }
}

pub async fn h15_head_is_answered_like_get_without_the_body(open: Open) {
    let (_world, _, stage) = set_up(open).await;
    for path in ["/.well-known/jwks.json", "/v1/auth/whoami"] {
        let got = stage.ask("GET", path).await;
        let head = stage.ask("HEAD", path).await;
        assert!(!got.body.is_empty() && head.body.is_empty(), "{path}");
        assert_eq!((got.status, got.headers), (head.status, head.headers), "{path}");
    }
}

pub async fn the_whole_way_from_a_key_to_a_guarded_answer(open: Open) {
    let (world, _, stage) = set_up(open).await;
    let holder = world.holder(LIVE, "acme").await;
    let issued = exchange(&stage, &holder).await;
    assert_eq!((issued.status.as_u16(), issued.header("cache-control")), (200, Some("no-store")), "{issued:?}");
    assert_eq!((&issued.json()["token_type"], &issued.json()["expires_in"]), (&json!("Bearer"), &json!(900)));
    let token = issued.json()["access_token"].as_str().unwrap().to_owned();

    let whoami = stage.get("/v1/auth/whoami", &token).await;
    assert_eq!(whoami.status, 200);
    assert!(whoami.text().contains("acme"));

    let made = posting("/v1/developers/keys", &json!({"name": "second", "scopes": ["ledger:read"]}));
    let made = stage.send(made.bearer(&token)).await;
    assert_eq!(made.status, 201, "{made:?}");
    let listed = stage.get("/v1/developers/keys?pageSize=1", &token).await.json();
    assert_eq!((listed["keys"].as_array().unwrap().len(), &listed["hasMore"]), (1, &json!(true)));

    let mine = format!("/v1/developers/keys/{}", holder.key);
    assert_eq!(stage.get(&mine, &token).await.json()["id"], holder.key.as_str());
    assert_eq!(stage.send(Raw::new("DELETE", &mine).bearer(&token)).await.status, 204);
    // K10: the key's own token ends with it, and the key makes no other.
    assert_refused(&stage.get("/v1/auth/whoami", &token).await, 401, "token_revoked");
    assert_eq!(exchange(&stage, &holder).await.verdict(), (401, "invalid_client".into()));
}

pub async fn e17_a_parameter_is_decoded_once_and_names_nothing_where_it_is_no_id(open: Open) {
    let (world, _, stage) = set_up(open).await;
    let holder = world.holder(LIVE, "acme").await;
    let token = world.token(&holder).await;
    let id = holder.key.as_str();
    let coded: String = id.bytes().map(|byte| format!("%{byte:02X}")).collect();
    for good in [id, &coded] {
        assert_eq!(stage.get(&format!("/v1/developers/keys/{good}"), &token).await.status, 200, "{good}");
    }
    let unknown = stage.get("/v1/developers/keys/0123456789abcdEF", &token).await;
    assert_refused(&unknown, 404, "not_found");
    let other = world.holder(LIVE, "other").await;
    for bad in [other.key.as_str(), "%FF", "%C3%28", "%00", "%2E%2E", &coded.replace('%', "%25")] {
        assert_eq!(stage.get(&format!("/v1/developers/keys/{bad}"), &token).await, unknown, "{bad}");
    }
    let nested = format!("/hosts/%2e/v1/developers/keys/{coded}");
    assert_eq!(stage.get(&nested, &token).await.status, 200);
}

pub async fn h18_the_contracts_paths_are_answered_as_they_are_spelled_alone(open: Open) {
    let (world, _, stage) = set_up(open).await;
    let token = world.token(&world.holder(LIVE, "acme").await).await;
    assert_eq!(stage.get("/v1/auth/whoami", &token).await.status, 200);
    for path in ["/v1/auth/whoam%69", "/v1/%61uth/whoami", "/v1/auth/WhoAmI", "/v1//auth/whoami", "/v1/auth/whoami/"] {
        assert_eq!(stage.get(path, &token).await.status, 404, "{path}");
    }
}

pub async fn sandbox_routes_are_there_only_where_the_host_opens_them(open: Open) {
    let (world, _, stage) = set_up(open).await;
    let order = json!({"name": "Acme", "developer_id": "acme_test"});
    let made = stage.send(posting("/v1/sandbox", &order)).await;
    assert_eq!(made.status, 201, "{made:?}");
    let token = made.json()["data"]["token"].as_str().unwrap().to_owned();
    let whoami = stage.get("/v1/auth/whoami", &token).await;
    assert_eq!(whoami.status, 200);
    assert!(whoami.text().contains(SANDBOX.as_str()), "{whoami:?}");
    let off = opened(open, Gate::new(world.authority.clone()).sandbox(SandboxAccess::Off)).await;
    assert_eq!(off.send(posting("/v1/sandbox", &order)).await.status, 404);
}

pub async fn k4_a_body_beyond_the_limit_is_refused(open: Open) {
    let (_world, gate, stage) = set_up(open).await;
    for endpoint in endpoints(&gate).into_iter().filter(|endpoint| endpoint.max_body > 0) {
        for (length, want) in [(endpoint.max_body, false), (endpoint.max_body + 1, true), (10 << 20, true)] {
            let mut posted = posting(&concrete(endpoint.path), &Value::Null);
            posted.body = Some(vec![b' '; length]);
            let answer = stage.send(posted).await;
            assert_eq!(answer.status == 413, want, "{} with {length} bytes: {answer:?}", endpoint.path);
            if want {
                assert_endpoint_refused(endpoint.path, &answer, 413, "payload_too_large");
            }
        }
    }
}

pub async fn k4_a_chunked_body_beyond_the_limit_is_refused(open: Open) {
    let (_world, gate, stage) = set_up(open).await;
    for endpoint in endpoints(&gate).into_iter().filter(|endpoint| endpoint.max_body > 0) {
        let mut posted = posting(&concrete(endpoint.path), &Value::Null).field("Transfer-Encoding", "chunked");
        let chunk = [&b"400\r\n"[..], &[b' '; 0x400], b"\r\n"].concat();
        // The last chunk never comes, and is not waited for.
        posted.body = Some(chunk.repeat(endpoint.max_body / 0x400 + 1));
        assert_endpoint_refused(endpoint.path, &stage.send(posted).await, 413, "payload_too_large");
    }
}
