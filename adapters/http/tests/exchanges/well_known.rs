//! Public keys.

use crate::ask::{assert_refused, get, json};
use crate::house::House;

#[test]
fn each_environment_publishes_its_own_keys_for_everyone_to_keep_a_while() {
    let house = House::new();
    let home = get("/.well-known/jwks.json").send(&house.gate);
    assert_eq!(home.status, 200);
    assert_eq!(home.header("cache-control"), Some("public, max-age=300"));
    assert_eq!(home.header("content-type"), Some("application/jwk-set+json"));
    let keys = json(&home)["keys"].as_array().expect("a list").clone();
    assert_eq!(keys.len(), 1);
    assert_eq!((&keys[0]["kty"], &keys[0]["use"]), (&serde_json::json!("OKP"), &serde_json::json!("sig")));
    assert!(keys[0].get("d").is_none(), "no private part");
    assert_eq!(get("/.well-known/jwks/live.json").send(&house.gate), home);
    let sandbox = get("/.well-known/jwks/sandbox.json").send(&house.gate);
    assert_eq!(sandbox.status, 200);
    assert_ne!(json(&sandbox)["keys"][0]["kid"], keys[0]["kid"]);
}

#[test]
fn an_environment_that_is_not_mounted_has_none() {
    let house = House::new();
    for name in ["staging.json", "live", ".json", "LIVE.json", "live.json.json", "..", "%00.json"] {
        let reply = get(&format!("/.well-known/jwks/{name}")).send(&house.gate);
        assert_refused(&reply, 404, "not_found", None);
    }
}

#[test]
fn nobody_needs_a_token_or_is_refused_for_one() {
    let house = House::new();
    let reply = get("/.well-known/jwks.json?access_token=x").bearer("x y").send(&house.gate);
    assert_eq!(reply.status, 200);
}
