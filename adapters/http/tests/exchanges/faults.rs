//! A store that fails at any step of any route: an opaque 503, nothing changed, and a right answer afterwards.

use std::collections::BTreeSet;

use futures_executor::block_on;
use latchbook_core::key_store::conformance::{Calls, Trouble};
use latchbook_core::model::Row;
use latchbook_http::{Reply, endpoints};
use serde_json::json as object;

use crate::ask::{Ask, assert_oauth_refused, assert_refused, delete, get, post, post_form};
use crate::house::House;

/// A house, and what is asked of it by everybody's right.
struct Scene {
    house: House,
    token: String,
}

impl Scene {
    fn new(shared: bool) -> Self {
        let house = if shared { House::shared() } else { House::new() };
        let token = house.token(&house.acme);
        block_on(house.authority.shutdown()).expect("counts to read");
        // Older than the bound, so that what is known of revocations must be read anew where others may write.
        house.clock.advance(6);
        Self { house, token }
    }

    fn rows(&self) -> Vec<Row> {
        block_on(self.house.store.rows()).expect("memory")
    }
}

/// A good request.
type Request = fn(&Scene) -> Ask;

/// One for each route, by its method and path.
const ROUTES: &[(&str, &str, Request)] = &[
    ("POST", "/v1/auth/tokens", |s| {
        let body = object!({"userType": "developer", "id": "acme", "apiKey": s.house.acme.text.expose()});
        post("/v1/auth/tokens", &body)
    }),
    ("POST", "/v1/developers/auth/generate-token", |s| developer_token(s, "/v1/developers/auth/generate-token")),
    ("POST", "/v1/auth/developer-token", |s| developer_token(s, "/v1/auth/developer-token")),
    ("POST", "/v1/entities/auth/generate-token", |s| entity_token(s, "/v1/entities/auth/generate-token")),
    ("POST", "/v1/auth/entity-token", |s| entity_token(s, "/v1/auth/entity-token")),
    ("POST", "/v1/sandbox", |_| {
        let body = object!({"name": "Try it", "developer_id": "newcomer"});
        post("/v1/sandbox", &body).idempotency_key(&"k".repeat(40))
    }),
    ("POST", "/oauth/token", |s| {
        let key = s.house.acme.text.expose();
        post_form("/oauth/token", &[("grant_type", "client_credentials"), ("scope", "ledger:read")]).basic("acme", key)
    }),
    ("POST", "/oauth/introspect", |s| of_client(s, "/oauth/introspect")),
    ("POST", "/oauth/revoke", |s| of_client(s, "/oauth/revoke")),
    ("GET", "/.well-known/oauth-authorization-server/{environment}", |_| {
        get("/.well-known/oauth-authorization-server/live")
    }),
    ("GET", "/.well-known/jwks.json", |_| get("/.well-known/jwks.json")),
    ("GET", "/.well-known/jwks/{environment}", |_| get("/.well-known/jwks/live.json")),
    ("GET", "/v1/auth/whoami", |s| get("/v1/auth/whoami").bearer(&s.token)),
    ("GET", "/v1/developers/keys", |s| get("/v1/developers/keys").bearer(&s.token)),
    ("POST", "/v1/developers/keys", |s| {
        let body = object!({"name": "x", "scopes": ["ledger:read"]});
        post("/v1/developers/keys", &body).bearer(&s.token)
    }),
    ("GET", "/v1/developers/keys/{id}", |s| get(&own_key(s)).bearer(&s.token)),
    ("DELETE", "/v1/developers/keys/{id}", |s| delete(&own_key(s)).bearer(&s.token)),
    ("GET", "/v1/developers/audit", |s| get("/v1/developers/audit").bearer(&s.token)),
    ("GET", "/v1/developers/usage", |s| get("/v1/developers/usage").bearer(&s.token)),
    ("GET", "/openapi.json", |_| get("/openapi.json")),
];

fn developer_token(scene: &Scene, path: &str) -> Ask {
    post(path, &object!({"developerId": "acme", "apiKey": scene.house.acme.text.expose()}))
}

fn entity_token(scene: &Scene, path: &str) -> Ask {
    post(path, &object!({"developerId": "acme", "apiKey": scene.house.acme.text.expose(), "entityId": "acme-a"}))
}

/// The second way to use the token endpoint.
fn token_exchange(scene: &Scene) -> Ask {
    let asked = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token", &scene.token),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ("entity_id", "acme-a"),
    ];
    post_form("/oauth/token", &asked).basic("acme", scene.house.acme.text.expose())
}

/// Every request here: those to each route, and the second one to the token endpoint.
fn requests() -> Vec<(&'static str, &'static str, Request)> {
    let exchange: Request = token_exchange;
    ROUTES.iter().copied().chain([("POST", "/oauth/token", exchange)]).collect()
}

fn of_client(scene: &Scene, path: &str) -> Ask {
    let form = [("client_id", "acme"), ("client_secret", scene.house.acme.text.expose()), ("token", &scene.token)];
    post_form(path, &form)
}

fn own_key(scene: &Scene) -> String {
    format!("/v1/developers/keys/{}", scene.house.acme.key)
}

/// What every client sees of a fault, whatever it was and wherever it was met: these bytes.
#[track_caller]
fn assert_opaque(reply: &Reply, told: &str) {
    let body = String::from_utf8_lossy(&reply.body);
    assert_eq!(reply.status, 503, "{told}: {body}");
    if body.contains("error_description") {
        assert_oauth_refused(reply, 503, "temporarily_unavailable");
        let rest = r#""error_description":"The service cannot answer right now."}"#;
        assert_eq!(body, format!(r#"{{"error":"temporarily_unavailable",{rest}"#), "{told}");
        assert!(told.contains(" /oauth/"), "{told}");
        return;
    }
    assert!(!told.contains(" /oauth/"), "{told}");
    assert_refused(reply, 503, "temporarily_unavailable", None);
    let names: Vec<_> = reply.headers.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["content-type", "cache-control", "retry-after"], "{told}");
    let seconds = reply.header("retry-after").expect("told when to try again");
    let problem =
        r#"{"type":"urn:latchbook:problem:temporarily_unavailable","title":"Service Unavailable","status":503,"#;
    let rest = r#""error":"temporarily_unavailable","message":"The service cannot answer right now.","retry_after":"#;
    assert_eq!(body, format!("{problem}{rest}{seconds}}}"), "{told}");
}

#[test]
fn every_route_has_its_place_here() {
    let house = House::new();
    let mounted: BTreeSet<_> = endpoints(&house.gate).iter().map(|route| (route.method, route.path)).collect();
    let asked: BTreeSet<_> = ROUTES.iter().map(|(method, path, _)| (*method, *path)).collect();
    assert_eq!(asked, mounted);
}

#[test]
fn s5_a_fault_at_any_step_of_any_route_is_an_opaque_503_and_changes_nothing() {
    let mut faults = 0;
    for (method, path, request) in requests() {
        for (shared, trouble) in
            [(false, Trouble::Fails), (false, Trouble::Corrupt), (true, Trouble::Fails), (true, Trouble::Corrupt)]
        {
            for step in 0.. {
                let told = format!("{method} {path}, {trouble:?} at step {step}, shared: {shared}");
                assert!(step < 20, "{told}: it never ends");
                let scene = Scene::new(shared);
                let before = scene.rows();
                let ask = request(&scene);
                scene.house.store.trouble(Calls::All, trouble, step..step + 1);
                let reply = ask.send(&scene.house.gate);
                if !scene.house.store.heal() {
                    assert!(reply.status < 300, "{told}: {}", String::from_utf8_lossy(&reply.body));
                    break;
                }
                faults += 1;
                assert_opaque(&reply, &told);
                assert!(scene.rows() == before, "{told}: nothing is changed");
                let again = ask.send(&scene.house.gate);
                assert!(again.status < 300, "{told}, again: {}", String::from_utf8_lossy(&again.body));
            }
        }
    }
    // No route was left alone by mistake: only the public keys never ask the store.
    assert!(faults >= 4 * 12, "{faults}");
}

#[test]
fn s5_what_was_done_in_spite_of_a_fault_is_an_opaque_503_and_asking_again_settles_it() {
    for (method, path, request) in requests() {
        for step in 0.. {
            let told = format!("{method} {path}, write {step}");
            assert!(step < 20, "{told}: it never ends");
            let scene = Scene::new(false);
            let ask = request(&scene);
            scene.house.store.trouble(Calls::Writes, Trouble::DoneButFails, step..step + 1);
            let reply = ask.send(&scene.house.gate);
            if !scene.house.store.heal() {
                assert!(reply.status < 300, "{told}");
                break;
            }
            assert_opaque(&reply, &told);
            let again = ask.send(&scene.house.gate);
            // A key that was revoked after all has taken its token along.
            let settled = again.status < 300 || (method == "DELETE" && again.status == 401);
            assert!(settled, "{told}, again: {}", String::from_utf8_lossy(&again.body));
        }
    }
}

#[test]
fn s5_while_the_store_is_away_every_route_that_needs_it_is_503_and_none_is_401() {
    for shared in [false, true] {
        let scene = Scene::new(shared);
        scene.house.store.break_down();
        for (method, path, request) in requests() {
            let reply = request(&scene).send(&scene.house.gate);
            let public = path.starts_with("/.well-known/") || path == "/openapi.json";
            let needs_none = public || (path == "/v1/auth/whoami" && !shared);
            if needs_none {
                assert_eq!(reply.status, 200, "{method} {path}");
            } else {
                assert_opaque(&reply, &format!("{method} {path}, shared: {shared}"));
            }
        }
        scene.house.store.recover();
        for (method, path, request) in requests() {
            // These end the token that the others are asked with.
            if method != "DELETE" && path != "/oauth/revoke" {
                assert!(request(&scene).send(&scene.house.gate).status < 300, "{method} {path}");
            }
        }
    }
}
