//! The metadata of an authorization server.

use latchbook_http::{Group, endpoints};
use serde_json::json as object;

use crate::ask::{assert_refused, get, json};
use crate::house::{ALL_SCOPES, House};

const PATH: &str = "/.well-known/oauth-authorization-server";

#[test]
fn each_environment_has_an_authorization_server_of_its_own() {
    let house = House::new();
    let reply = get(&format!("{PATH}/live")).send(&house.gate);
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.header("cache-control"), Some("public, max-age=300"));
    assert_eq!(reply.headers.iter().filter(|(name, _)| *name == "cache-control").count(), 1);
    let methods = ["client_secret_basic", "client_secret_post"];
    let scopes: Vec<&str> = ALL_SCOPES.split(' ').collect();
    let want = object!({
        "issuer": "https://api.example.com/live",
        "token_endpoint": "https://api.example.com/oauth/token",
        "introspection_endpoint": "https://api.example.com/oauth/introspect",
        "revocation_endpoint": "https://api.example.com/oauth/revoke",
        "jwks_uri": "https://api.example.com/.well-known/jwks/live.json",
        "scopes_supported": scopes,
        "response_types_supported": ["none"],
        "grant_types_supported": ["client_credentials", "urn:ietf:params:oauth:grant-type:token-exchange"],
        "token_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_methods_supported": methods,
    });
    assert_eq!(json(&reply), want);
    let sandbox = json(&get(&format!("{PATH}/sandbox")).send(&house.gate));
    assert_eq!(sandbox["issuer"], "https://api.example.com/sandbox");
    assert_eq!(sandbox["jwks_uri"], "https://api.example.com/.well-known/jwks/sandbox.json");
    for unknown in ["staging", "LIVE", "live.json", ""] {
        assert_refused(&get(&format!("{PATH}/{unknown}")).send(&house.gate), 404, "not_found", None);
    }
}

#[test]
fn the_keys_that_it_names_are_those_of_its_environment() {
    let house = House::new();
    for environment in ["live", "sandbox"] {
        let server = json(&get(&format!("{PATH}/{environment}")).send(&house.gate));
        let uri = server["jwks_uri"].as_str().and_then(|uri| uri.strip_prefix("https://api.example.com"));
        let keys = get(uri.expect("under the issuer's URL")).send(&house.gate);
        let own = get(&format!("/.well-known/jwks/{environment}.json")).send(&house.gate);
        assert_eq!((keys.status, &keys), (200, &own));
    }
}

#[test]
fn it_names_the_endpoints_where_the_host_has_mounted_them() {
    let house = House::new();
    let gate = house.gate.clone().mounted_at("/auth/v2").expect("a path");
    let server = json(&get(&format!("{PATH}/live")).send(&gate));
    assert_eq!(server["issuer"], "https://api.example.com/live");
    assert_eq!(server["token_endpoint"], "https://api.example.com/auth/v2/oauth/token");
    assert_eq!(server["jwks_uri"], "https://api.example.com/auth/v2/.well-known/jwks/live.json");
    assert!(house.gate.clone().mounted_at("/auth/").is_err());
}

#[test]
fn a_group_of_routes_can_be_left_out() {
    let house = House::new();
    let gate = house.gate.clone().without(Group::OAuth);
    assert!(endpoints(&gate).iter().all(|endpoint| !endpoint.path.contains("oauth")));
    assert_eq!(endpoints(&gate).len() + 4, endpoints(&house.gate).len());
    assert_refused(&get(&format!("{PATH}/live")).send(&gate), 404, "not_found", None);
}
