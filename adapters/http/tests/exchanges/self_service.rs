//! What a developer does with a token: who it is, its keys, its audit events.

use latchbook_http::Reply;
use serde_json::{Value, json as object};

use crate::ask::{BEARER, INSUFFICIENT, INVALID_TOKEN, assert_refused, delete, get, json, post, text};
use crate::house::{ALL_SCOPES, Holder, House};

const KEYS: &str = "/v1/developers/keys";
const AUDIT: &str = "/v1/developers/audit";
const NEEDS_KEYS: Option<&str> =
    Some("Bearer realm=\"latchbook\", error=\"insufficient_scope\", scope=\"keys:manage\"");
const NEEDS_AUDIT: Option<&str> =
    Some("Bearer realm=\"latchbook\", error=\"insufficient_scope\", scope=\"audit:read\"");

fn create(house: &House, token: &str, body: &Value) -> Reply {
    post(KEYS, body).bearer(token).send(&house.gate)
}

#[test]
fn whoami_tells_either_kind_of_token_what_it_is() {
    let house = House::new();
    let reply = get("/v1/auth/whoami").bearer(&house.token(&house.acme)).send(&house.gate);
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let scopes: Vec<&str> = ALL_SCOPES.split(' ').collect();
    let want = object!({
        "developerId": "acme", "keyId": house.acme.key.as_str(), "entityId": null, "environment": "live",
        "scopes": scopes, "expiresAt": "2026-11-24T00:15:00Z",
    });
    assert_eq!(json(&reply), want);
    let reply = get("/v1/auth/whoami").bearer(&house.entity_token(&house.boxed, "acme-s")).send(&house.gate);
    let body = json(&reply);
    assert_eq!((&body["entityId"], &body["environment"]), (&object!("acme-s"), &object!("sandbox")));
    assert_eq!(body["scopes"], object!(["ledger:read", "ledger:write"]));
}

#[test]
fn h1_every_route_of_self_service_wants_a_token() {
    let house = House::new();
    let id = format!("{KEYS}/{}", house.acme.key);
    for ask in [get("/v1/auth/whoami"), get(KEYS), post(KEYS, &object!({})), get(&id), delete(&id), get(AUDIT)] {
        assert_refused(&ask.send(&house.gate), 401, "missing_credentials", BEARER);
        assert_refused(&ask.clone().bearer("x.y.z").send(&house.gate), 401, "token_invalid", INVALID_TOKEN);
    }
}

#[test]
fn e21_an_entity_token_manages_nothing() {
    let house = House::new();
    let token = house.entity_token(&house.acme, "acme-a");
    let id = format!("{KEYS}/{}", house.acme.key);
    for ask in [get(KEYS), post(KEYS, &object!({"name": "x", "scopes": ["ledger:read"]})), get(&id), delete(&id)] {
        assert_refused(&ask.bearer(&token).send(&house.gate), 403, "insufficient_scope", NEEDS_KEYS);
    }
    assert_refused(&get(AUDIT).bearer(&token).send(&house.gate), 403, "insufficient_scope", NEEDS_AUDIT);
}

#[test]
fn a_developer_token_needs_the_scope() {
    let house = House::new();
    let token = house.narrow_token(&house.acme, "ledger:read");
    assert_refused(&get(KEYS).bearer(&token).send(&house.gate), 403, "insufficient_scope", NEEDS_KEYS);
    assert_refused(&get(AUDIT).bearer(&token).send(&house.gate), 403, "insufficient_scope", NEEDS_AUDIT);
    assert_ne!(NEEDS_KEYS, INSUFFICIENT);
}

#[test]
fn k9_a_key_is_shown_once_when_it_is_made() {
    let house = House::new();
    let token = house.token(&house.acme);
    let body = object!({
        "name": "ci", "scopes": ["ledger:write", "ledger:read"], "expiresAt": "2026-12-01T01:00:00+01:00",
        "allowedIps": ["192.0.2.1", "2001:db8::/32"], "metadata": {"team": "books"}, "unknown": 1,
    });
    let reply = create(&house, &token, &body);
    assert_eq!(reply.status, 201, "{}", String::from_utf8_lossy(&reply.body));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let mut made = json(&reply);
    let key = text(&made["apiKey"]);
    let id = text(&made["id"]);
    let hint = format!("lb_live_{id}");
    assert!(key.starts_with(&format!("{hint}_")), "{hint}");
    made.as_object_mut().expect("an object").remove("apiKey");
    let want = object!({
        "id": id, "name": "ci", "environment": "live", "scopes": ["ledger:read", "ledger:write"], "hint": hint,
        "createdAt": "2026-11-24T00:00:00Z", "expiresAt": "2026-12-01T00:00:00Z", "revokedAt": null,
        "lastUsedAt": null, "generation": 1, "allowedIps": ["192.0.2.1/32", "2001:db8::/32"],
        "metadata": {"team": "books"},
    });
    assert_eq!(made, want);

    let secret = key.rsplit('_').next().expect("a secret");
    let shown = get(&format!("{KEYS}/{id}")).bearer(&token).send(&house.gate);
    assert_eq!(json(&shown), want);
    let asks = [
        get(&format!("{KEYS}/{id}")).bearer(&token),
        get(KEYS).bearer(&token),
        get(AUDIT).bearer(&token),
        delete(&format!("{KEYS}/{id}")).bearer(&token),
        get(&format!("{KEYS}/{id}")).bearer(&token),
    ];
    for ask in asks {
        assert!(!String::from_utf8_lossy(&ask.send(&house.gate).body).contains(secret));
    }
}

#[test]
fn a_made_key_works_and_remembers_its_limits() {
    let house = House::new();
    let body = object!({"name": "ci", "scopes": ["ledger:*"], "expiresAt": "2026-11-24T00:05:00Z"});
    // A wildcard needs a maker that holds one.
    let token = house.token(&house.acme);
    assert_refused(&create(&house, &token, &body), 400, "invalid_scope", None);
    let body =
        object!({"name": "ci", "scopes": ["ledger:read"], "expiresAt": "2026-11-24T00:05:00Z", "allowedIps": null});
    let key = text(&json(&create(&house, &token, &body))["apiKey"]);
    let exchange = post("/v1/auth/developer-token", &object!({"developerId": "acme", "apiKey": key}));
    assert_eq!(json(&exchange.send(&house.gate))["expires_in"], 300, "never beyond the key");
    house.clock.advance(300);
    assert_eq!(exchange.send(&house.gate).status, 401);
}

#[test]
fn a_key_is_never_wider_than_its_maker() {
    let house = House::new();
    let narrow = house.narrow_token(&house.acme, "keys:manage");
    let wider = create(&house, &narrow, &object!({"name": "x", "scopes": ["ledger:read"]}));
    assert_refused(&wider, 400, "invalid_scope", None);
    let ending = Holder::another_key(&house.authority, &house.acme.developer, |new| {
        new.expires_at = Some(house.authority.now().plus(100));
    });
    let token = house.token(&ending);
    let forever = create(&house, &token, &object!({"name": "x", "scopes": ["ledger:read"]}));
    assert_refused(&forever, 400, "invalid_request", None);
    assert!(text(&json(&forever)["message"]).contains("`expiresAt`"));
}

#[test]
fn a_malformed_key_request_is_refused_in_its_part() {
    let house = House::new();
    let token = house.token(&house.acme);
    let long = "x".repeat(201);
    let many: Vec<String> = (0..17).map(|n| format!("192.0.2.{n}")).collect();
    let cases = [
        (object!({"scopes": ["ledger:read"]}), "invalid_request", "`name`"),
        (object!({"name": "", "scopes": ["ledger:read"]}), "invalid_request", "`name`"),
        (object!({"name": long, "scopes": ["ledger:read"]}), "invalid_request", "`name`"),
        (object!({"name": "x"}), "invalid_request", "`scopes`"),
        (object!({"name": "x", "scopes": null}), "invalid_request", "`scopes`"),
        (object!({"name": "x", "scopes": "ledger:read"}), "invalid_request", "`scopes`"),
        (object!({"name": "x", "scopes": [1]}), "invalid_request", "`scopes`"),
        (object!({"name": "x", "scopes": []}), "invalid_scope", ""),
        (object!({"name": "x", "scopes": ["nothing:here"]}), "invalid_scope", ""),
        (object!({"name": "x", "scopes": ["ledger:read ledger:write"]}), "invalid_scope", ""),
        (object!({"name": "x", "scopes": ["ledger:read"], "expiresAt": "tomorrow"}), "invalid_request", "`expiresAt`"),
        (object!({"name": "x", "scopes": ["ledger:read"], "expiresAt": 1}), "invalid_request", "`expiresAt`"),
        (
            object!({"name": "x", "scopes": ["ledger:read"], "expiresAt": "2026-11-24T00:00:00Z"}),
            "invalid_request",
            "`expiresAt`",
        ),
        (
            object!({"name": "x", "scopes": ["ledger:read"], "allowedIps": ["nowhere"]}),
            "invalid_request",
            "`allowedIps`",
        ),
        (object!({"name": "x", "scopes": ["ledger:read"], "allowedIps": many}), "invalid_request", "`allowedIps`"),
        (object!({"name": "x", "scopes": ["ledger:read"], "metadata": {"a": 1}}), "invalid_request", "`metadata`"),
        (object!({"name": "x", "scopes": ["ledger:read"], "metadata": {"": "a"}}), "invalid_request", "`metadata`"),
    ];
    for (body, error, part) in cases {
        let reply = create(&house, &token, &body);
        assert_refused(&reply, 400, error, None);
        assert!(text(&json(&reply)["message"]).contains(part), "{body}: {}", json(&reply)["message"]);
    }
    let plain = post(KEYS, &object!({})).content_type(Some("text/plain")).bearer(&token).send(&house.gate);
    assert_refused(&plain, 415, "unsupported_media_type", None);
}

#[test]
fn keys_are_listed_newest_first_in_pages() {
    let house = House::new();
    let token = house.token(&house.acme);
    let mut made = vec![house.acme.key.to_string()];
    for number in 0..4 {
        house.clock.advance(1);
        let reply = create(&house, &token, &object!({"name": format!("key {number}"), "scopes": ["ledger:read"]}));
        made.insert(0, text(&json(&reply)["id"]));
    }
    let mut seen = Vec::new();
    let mut query = "?pageSize=2".to_owned();
    loop {
        let page = json(&get(&format!("{KEYS}{query}")).bearer(&token).send(&house.gate));
        let keys = page["keys"].as_array().expect("a list");
        assert!(keys.len() <= 2);
        seen.extend(keys.iter().map(|key| text(&key["id"])));
        assert_eq!(page["hasMore"], page["nextCursor"].is_string());
        match page["nextCursor"].as_str() {
            Some(cursor) => query = format!("?cursor={cursor}&pageSize=2"),
            None => break,
        }
    }
    assert_eq!(seen, made);
    for bad in ["?pageSize=0", "?pageSize=101", "?pageSize=x", "?cursor=x", "?cursor=", "?cursor=x&cursor=x"] {
        let reply = get(&format!("{KEYS}{bad}")).bearer(&token).send(&house.gate);
        assert_refused(&reply, 400, "invalid_request", None);
    }
}

#[test]
fn e17_k14_keys_of_others_and_keys_that_are_not_there_look_the_same() {
    let house = House::new();
    let token = house.token(&house.acme);
    let missing = get(&format!("{KEYS}/0000000000000000")).bearer(&token).send(&house.gate);
    assert_refused(&missing, 404, "not_found", None);
    for id in [house.other.key.as_str(), house.boxed.key.as_str(), "x", "%00", "..", "0000000000000000"] {
        let path = format!("{KEYS}/{id}");
        for ask in [get(&path), delete(&path)] {
            assert_eq!(ask.bearer(&token).send(&house.gate), missing, "{id}");
        }
    }
    let other = house.token(&house.other);
    let own = get(&format!("{KEYS}/{}", house.other.key)).bearer(&other).send(&house.gate);
    assert_eq!((own.status, &json(&own)["revokedAt"]), (200, &Value::Null), "and nothing was revoked");
}

#[test]
fn k14_k10_a_revoked_key_is_over_at_once_and_revoking_it_again_is_the_same() {
    let house = House::new();
    let token = house.token(&house.acme);
    let made = json(&create(&house, &token, &object!({"name": "x", "scopes": ["ledger:read"]})));
    let (id, key) = (text(&made["id"]), text(&made["apiKey"]));
    let exchange = post("/v1/auth/developer-token", &object!({"developerId": "acme", "apiKey": key}));
    let issued = text(&json(&exchange.send(&house.gate))["access_token"]);
    let path = format!("{KEYS}/{id}");
    let first = delete(&path).bearer(&token).send(&house.gate);
    assert_eq!((first.status, first.body.len(), first.header("cache-control")), (204, 0, Some("no-store")));
    assert_eq!(delete(&path).bearer(&token).send(&house.gate), first);
    assert_eq!(exchange.send(&house.gate).status, 401);
    let used = get("/v1/auth/whoami").bearer(&issued).send(&house.gate);
    assert_refused(&used, 401, "token_revoked", INVALID_TOKEN);
    let shown = json(&get(&path).bearer(&token).send(&house.gate));
    assert_eq!(shown["revokedAt"], "2026-11-24T00:00:00Z");
}

#[test]
fn these_routes_serve_every_environment_and_keep_them_apart() {
    let house = House::new();
    let token = house.token(&house.boxed);
    let made = json(&create(&house, &token, &object!({"name": "x", "scopes": ["ledger:read"]})));
    assert_eq!(made["environment"], "sandbox");
    assert!(text(&made["hint"]).starts_with("lb_sandbox_"));
    let listed = json(&get(KEYS).bearer(&house.token(&house.acme)).send(&house.gate));
    assert_eq!(listed["keys"].as_array().map(Vec::len), Some(1), "the live developer of the same id has its own");
}

#[test]
fn l7_a_developer_reads_its_own_events_newest_first() {
    let house = House::new();
    let token = house.token(&house.acme);
    let made = json(&create(&house, &token, &object!({"name": "x", "scopes": ["ledger:read"]})));
    let reply = get(&format!("{AUDIT}?pageSize=2")).bearer(&token).send(&house.gate);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let page = json(&reply);
    let events = page["events"].as_array().expect("a list");
    assert_eq!(events.len(), 2);
    let (newest, before) = (&events[0], &events[1]);
    assert_eq!((&newest["action"], &newest["subject"]), (&object!("key.created"), &made["id"]));
    assert_eq!(
        (&newest["actor"]["kind"], &newest["actor"]["keyId"]),
        (&object!("key"), &object!(house.acme.key.as_str()))
    );
    assert_eq!((&newest["outcome"], &newest["at"]), (&object!("done"), &object!("2026-11-24T00:00:00Z")));
    assert_eq!(before["action"], "token.issued");
    let jti = text(&newest["actor"]["jti"]);
    assert!(before.to_string().contains(&jti), "an exchange's event carries the token's `jti`: {before}");
    let cursor = text(&page["nextCursor"]);
    let next = json(&get(&format!("{AUDIT}?cursor={cursor}")).bearer(&token).send(&house.gate));
    let first = next["events"].as_array().and_then(|events| events.last()).expect("an event").clone();
    assert_eq!((&first["number"], &first["action"]), (&object!(1), &object!("developer.created")));
    assert_eq!((&next["hasMore"], &next["nextCursor"]), (&object!(false), &Value::Null));
    assert!(!next.to_string().contains("other"), "no event of another developer");
    let crossed = get(&format!("{KEYS}?cursor={cursor}")).bearer(&token).send(&house.gate);
    assert_refused(&crossed, 400, "invalid_request", None);
}

#[test]
fn s5_a_store_that_does_not_answer_is_an_opaque_503() {
    let house = House::new();
    let token = house.token(&house.acme);
    house.store.break_down();
    let id = format!("{KEYS}/{}", house.acme.key);
    let new = object!({"name": "x", "scopes": ["ledger:read"]});
    for ask in [get(KEYS), post(KEYS, &new), get(&id), delete(&id), get(AUDIT), get("/v1/developers/usage")] {
        let reply = ask.bearer(&token).send(&house.gate);
        assert_refused(&reply, 503, "temporarily_unavailable", None);
        assert!(!String::from_utf8_lossy(&reply.body).contains("disk"));
    }
    let whoami = get("/v1/auth/whoami").bearer(&token).send(&house.gate);
    assert_eq!(whoami.status, 200, "what needs no store goes on");
}
