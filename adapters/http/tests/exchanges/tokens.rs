//! Getting a token: every path, every way in which it fails.

use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use futures_executor::block_on;
use latchbook_core::authority::{Actor, Exchange, Limits};
use latchbook_core::check::Limit;
use latchbook_core::model::{ScopeSet, Source};
use latchbook_http::{Reply, Serves};
use serde_json::{Value, json as object};

use crate::ask::{API_KEY, Fields, assert_refused, get, json, post, post_text, text};
use crate::house::{Holder, House};

const DEVELOPER_PATHS: [&str; 2] = ["/v1/developers/auth/generate-token", "/v1/auth/developer-token"];
const ENTITY_PATHS: [&str; 2] = ["/v1/entities/auth/generate-token", "/v1/auth/entity-token"];

fn exchange(house: &House, developer: &str, key: &str) -> Reply {
    post(DEVELOPER_PATHS[0], &object!({"developerId": developer, "apiKey": key})).send(&house.gate)
}

/// Who a token is let in as.
fn caller(house: &House, reply: &Reply) -> (String, Option<String>, String) {
    let fields = Fields::bearer(&text(&json(reply)["access_token"]));
    let principal = fields.head(|head| block_on(house.gate.principal(head, Serves::Any))).expect("let in");
    let entity = principal.entity().map(ToString::to_string);
    (principal.developer().id.to_string(), entity, principal.environment().to_string())
}

#[test]
fn every_path_of_both_generations_gives_its_kind_of_token() {
    let house = House::new();
    let key = house.acme.text.expose();
    let developer = object!({"developerId": "acme", "apiKey": key, "unknown": [1]});
    let entity = object!({"developerId": "acme", "apiKey": key, "entityId": "acme-a"});
    let newer_developer = object!({"userType": "developer", "id": "acme", "apiKey": key, "developerId": null});
    let newer_entity = object!({"userType": "entity", "id": "acme-a", "developerId": "acme", "apiKey": key});
    let cases = [
        ("/v1/auth/tokens", newer_developer, None),
        ("/v1/auth/tokens", newer_entity, Some("acme-a")),
        (DEVELOPER_PATHS[0], developer.clone(), None),
        (DEVELOPER_PATHS[1], developer, None),
        (ENTITY_PATHS[0], entity.clone(), Some("acme-a")),
        (ENTITY_PATHS[1], entity, Some("acme-a")),
    ];
    for (path, body, want) in cases {
        let reply = post(path, &body).send(&house.gate);
        assert_eq!(reply.status, 200, "{path}: {}", String::from_utf8_lossy(&reply.body));
        assert_eq!(caller(&house, &reply), ("acme".to_owned(), want.map(str::to_owned), "live".to_owned()), "{path}");
    }
}

#[test]
fn h13_the_answer_is_for_no_cache_and_says_bearer_and_how_long() {
    let house = House::new();
    let reply = exchange(&house, "acme", house.acme.text.expose());
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let body = json(&reply);
    assert_eq!((&body["token_type"], &body["expires_in"]), (&object!("Bearer"), &object!(900)));
    assert_eq!(body.as_object().map(serde_json::Map::len), Some(3), "no `scope` where it is the key's");
    assert!(!format!("{reply:?}").contains(&text(&body["access_token"])));
}

#[test]
fn the_keys_text_says_which_environment() {
    let house = House::new();
    let reply = exchange(&house, "acme", house.boxed.text.expose());
    assert_eq!(caller(&house, &reply), ("acme".to_owned(), None, "sandbox".to_owned()));
}

#[test]
fn authorization_is_not_looked_at() {
    let house = House::new();
    let body = object!({"developerId": "acme", "apiKey": house.acme.text.expose()});
    for token in ["anything", "", "\"x\"", "a b"] {
        let reply = post(DEVELOPER_PATHS[0], &body).bearer(token).bearer("second").send(&house.gate);
        assert_eq!(reply.status, 200, "{token}");
    }
}

#[test]
fn a_lifetime_and_a_narrower_scope_can_be_asked_for() {
    let house = House::new();
    let ask = |scope: Value, lifetime: Value| {
        let body =
            object!({"developerId": "acme", "apiKey": house.acme.text.expose(), "scope": scope, "expiresIn": lifetime});
        post(DEVELOPER_PATHS[0], &body).send(&house.gate)
    };
    let body = json(&ask(object!("ledger:read"), object!(60)));
    assert_eq!((&body["scope"], &body["expires_in"]), (&object!("ledger:read"), &object!(60)));
    assert_eq!(json(&ask(Value::Null, Value::Null))["expires_in"], 900);
    assert_eq!(json(&ask(Value::Null, object!(3600)))["expires_in"], 3600);
    for lifetime in [object!(0), object!(3601), object!(-1), object!(1.5), object!("60"), object!(true)] {
        assert_refused(&ask(Value::Null, lifetime), 400, "invalid_request", None);
    }
    for scope in ["", "unknown:scope", " ledger:read", "ledger:read  ledger:write"] {
        assert_refused(&ask(object!(scope), Value::Null), 400, "invalid_scope", None);
    }
    assert_refused(&ask(object!(["ledger:read"]), Value::Null), 400, "invalid_request", None);
}

#[test]
fn k12_e14_a_wider_scope_is_refused_and_a_narrower_one_granted() {
    let house = House::new();
    let narrow = Holder::another_key(&house.authority, &house.acme.developer, |new| {
        new.scopes = ScopeSet::parse("keys:manage ledger:read").expect("scopes");
    });
    let ask = |path: &str, scope: &str| {
        let key = narrow.text.expose();
        let body = object!({"developerId": "acme", "entityId": "acme-a", "apiKey": key, "scope": scope});
        post(path, &body).send(&house.gate)
    };
    assert_refused(&ask(DEVELOPER_PATHS[0], "ledger:write"), 400, "invalid_scope", None);
    assert_refused(&ask(ENTITY_PATHS[0], "keys:manage"), 400, "invalid_scope", None);
    assert_eq!(ask(DEVELOPER_PATHS[0], "ledger:read").status, 200);
}

#[test]
fn e14_a_right_key_reaches_no_entity_of_another() {
    let house = House::new();
    let ask = |path: &str, body: &Value| post(path, body).send(&house.gate);
    let key = house.acme.text.expose();
    let mut answers = Vec::new();
    for entity in ["other-a", "nobody", "acme-s", "", "..", "a/b"] {
        let body = object!({"developerId": "acme", "apiKey": key, "entityId": entity});
        let reply = ask(ENTITY_PATHS[0], &body);
        assert_refused(&reply, 403, "entity_forbidden", API_KEY);
        answers.push(reply);
        let newer = object!({"userType": "entity", "id": entity, "developerId": "acme", "apiKey": key});
        answers.push(ask("/v1/auth/tokens", &newer));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1);
}

#[test]
fn k1_k2_k5_e12_e16_every_cause_has_the_same_bytes() {
    let house = House::new();
    let (actor, source) = (Actor::Host, Source::UNKNOWN);
    let good = house.acme.text.expose().to_owned();
    let developer = &house.acme.developer;
    let revoked = Holder::another_key(&house.authority, developer, |_| {});
    block_on(house.authority.keys().revoke(&actor, source, developer, revoked.key)).expect("revoked");
    let expired = Holder::another_key(&house.authority, developer, |new| {
        new.expires_at = Some(house.authority.now().plus(10));
    });
    house.clock.advance(10);
    block_on(house.authority.developers().suspend(&actor, source, &house.other.developer)).expect("suspended");
    let wrong_secret = Holder::another_key(&house.authority, &house.boxed.developer, |_| {});
    let upper = good.to_uppercase();
    let cases: Vec<(&str, String)> = vec![
        ("nobody", good.clone()),
        ("", good.clone()),
        ("a/b", good.clone()),
        ("other", good.clone()),
        ("acme", revoked.text.expose().to_owned()),
        ("acme", expired.text.expose().to_owned()),
        ("other", house.other.text.expose().to_owned()),
        ("other", wrong_secret.text.expose().to_owned()),
        ("acme", upper),
        ("acme", format!("{good} ")),
        ("acme", format!("{good}\n")),
        ("acme", format!("{good}0")),
        ("acme", good[..good.len() - 1].to_owned()),
        ("acme", good.replacen("_live_", "_sandbox_", 1)),
        ("acme", good.replacen("_live_", "_nowhere_", 1)),
        ("acme", house.token(&house.acme)),
        ("acme", String::new()),
    ];
    let first = exchange(&house, "nobody", "no key");
    assert_refused(&first, 401, "invalid_client", API_KEY);
    for (developer, key) in cases {
        assert_eq!(exchange(&house, developer, &key), first, "{developer} {}", key.len());
    }
    assert_eq!(exchange(&house, "acme", &good).status, 200);
}

/// How long causes really take is measured by `key_timing` in `bench`.
#[test]
fn k1_no_refused_key_is_answered_as_soon_as_it_was_looked_at() {
    let house = House::new();
    let (actor, source) = (Actor::Host, Source::UNKNOWN);
    let revoked = Holder::another_key(&house.authority, &house.acme.developer, |_| {});
    block_on(house.authority.keys().revoke(&actor, source, &house.acme.developer, revoked.key)).expect("revoked");
    // The store is in memory and the clock stands still: whatever is not ready at the first look waits on purpose.
    let ready_at_once = |developer: &str, key: &Holder| {
        let api_key = &key.text;
        let exchange = Exchange { developer, api_key, entity: None, scope: None, lifetime: None, source };
        pin!(house.authority.exchange(&exchange)).poll(&mut Context::from_waker(Waker::noop())).is_ready()
    };
    assert!(ready_at_once("acme", &house.acme));
    for (developer, key) in [("acme", &house.other), ("acme", &revoked), ("nobody", &house.acme), ("a/b", &house.acme)]
    {
        // The machine may hold a test up until the wait is over, but not each time.
        assert!((0..100).any(|_| !ready_at_once(developer, key)), "{developer}");
    }
}

#[test]
fn k3_a_key_of_a_wrong_shape_is_refused_without_a_storage_read() {
    let house = House::new();
    let good = house.acme.text.expose();
    let mut mistyped = good.to_owned();
    let last = mistyped.pop().expect("a character");
    mistyped.push(if last == '0' { '1' } else { '0' });
    let before = house.store.asked();
    for key in [&*mistyped, "", "lb_live_x", "not a key"] {
        assert_refused(&exchange(&house, "acme", key), 401, "invalid_client", API_KEY);
    }
    assert_eq!(house.store.asked(), before);
}

#[test]
fn k4_h14_a_long_key_is_refused_by_its_length() {
    let house = House::new();
    assert_refused(&exchange(&house, "acme", &"a".repeat(10_000)), 401, "invalid_client", API_KEY);
    for length in [100 << 10, 10 << 20] {
        assert_refused(&exchange(&house, "acme", &"a".repeat(length)), 413, "payload_too_large", None);
    }
}

#[test]
fn k7_failures_from_one_address_are_limited_and_a_good_key_is_not() {
    let limits = Limits { failed_exchanges: Some(Limit { count: 3, per: Duration::from_secs(60) }), ..Limits::OFF };
    let house = House::with_limits(limits);
    let ask = |key: &str, peer: &str| {
        post(DEVELOPER_PATHS[0], &object!({"developerId": "acme", "apiKey": key})).from(peer).send(&house.gate)
    };
    let wrong = house.other.text.expose();
    let statuses: Vec<u16> = (0..6).map(|_| ask(wrong, "192.0.2.1").status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 3, "{statuses:?}");
    assert_refused(&ask(wrong, "192.0.2.1"), 429, "rate_limited", None);
    assert_refused(&ask(wrong, "192.0.2.2"), 401, "invalid_client", API_KEY);
    assert_eq!(ask(house.acme.text.expose(), "192.0.2.1").status, 200);
}

#[test]
fn h14_the_method_and_the_media_type_must_be_right() {
    let house = House::new();
    for path in DEVELOPER_PATHS.iter().chain(&ENTITY_PATHS).chain(&["/v1/auth/tokens"]) {
        let reply = get(path).send(&house.gate);
        assert_refused(&reply, 405, "method_not_allowed", None);
        assert_eq!(reply.header("allow"), Some("POST"));
    }
    let body = object!({"developerId": "acme", "apiKey": house.acme.text.expose()});
    let ask = |media_type| post(DEVELOPER_PATHS[0], &body).content_type(media_type).send(&house.gate);
    for bad in
        [None, Some(""), Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("application/jsonx")]
    {
        assert_refused(&ask(bad), 415, "unsupported_media_type", None);
    }
    for good in ["application/json", "Application/JSON", "application/json; charset=utf-8", "application/json ;x"] {
        assert_eq!(ask(Some(good)).status, 200, "{good}");
    }
}

#[test]
fn a_malformed_body_is_a_bad_request_and_never_echoed() {
    let house = House::new();
    let bodies = [
        "",
        "ECHO",
        "[]",
        "[\"acme\", \"ECHO\"]",
        "{\"developerId\": \"ECHO\"}",
        "{\"apiKey\": \"ECHO\"}",
        "{\"developerId\": \"acme\", \"apiKey\": null}",
        "{\"developerId\": 1, \"apiKey\": \"ECHO\"}",
        "{\"developerId\": \"acme\", \"apiKey\": [\"ECHO\"]}",
        "{\"developerId\": \"acme\", \"apiKey\": \"ECHO\", \"apiKey\": \"ECHO\"}",
        "{\"developerId\": \"acme\", \"apiKey\": \"ECHO\", \"api\\u004bey\": \"ECHO\"}",
        "{\"developerId\": \"acme\", \"apiKey\": \"ECHO\", \"scope\": 1}",
        "{\"developerId\": \"acme\", \"apiKey\": \"ECHO\"} {}",
    ];
    for body in bodies {
        let reply = post_text(DEVELOPER_PATHS[0], body).send(&house.gate);
        assert_refused(&reply, 400, "invalid_request", None);
        assert!(!String::from_utf8_lossy(&reply.body).contains("ECHO"), "{body}");
    }
    let entity = post_text(ENTITY_PATHS[0], "{\"developerId\": \"acme\", \"apiKey\": \"x\"}").send(&house.gate);
    assert_refused(&entity, 400, "invalid_request", None);
    assert_eq!(json(&entity)["message"], "`entityId` is missing; it must be a string.");
}

#[test]
fn only_developers_and_entities_are_user_types() {
    let house = House::new();
    let key = house.acme.text.expose();
    for body in [
        object!({"userType": "admin", "id": "acme", "apiKey": key}),
        object!({"userType": "Developer", "id": "acme", "apiKey": key}),
        object!({"userType": "", "id": "acme", "apiKey": key}),
        object!({"userType": 1, "id": "acme", "apiKey": key}),
        object!({"id": "acme", "apiKey": key}),
        object!({"userType": "entity", "id": "acme-a", "apiKey": key}),
        object!({"userType": "developer", "developerId": "acme", "apiKey": key}),
    ] {
        assert_refused(&post("/v1/auth/tokens", &body).send(&house.gate), 400, "invalid_request", None);
    }
}

#[test]
fn s5_a_store_that_does_not_answer_is_an_opaque_503_and_no_wrong_key() {
    let house = House::new();
    house.store.break_down();
    let reply = exchange(&house, "acme", house.acme.text.expose());
    assert_refused(&reply, 503, "temporarily_unavailable", None);
    assert!(!String::from_utf8_lossy(&reply.body).contains("disk"));
    house.store.recover();
    assert_eq!(exchange(&house, "acme", house.acme.text.expose()).status, 200);
}
