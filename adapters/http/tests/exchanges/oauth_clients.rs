//! Clients of the OAuth endpoints: how they show themselves, and how each is refused that does not rightly.

use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use futures_executor::block_on;
use latchbook_core::authority::{Actor, Limits, PresentedClient};
use latchbook_core::check::Limit;
use latchbook_core::model::{ScopeSet, Source};
use latchbook_http::{Reply, Serves};
use serde_json::json as object;

use crate::ask::{Ask, FORM, Fields, assert_oauth_refused, get, json, post, post_form, post_form_text, text};
use crate::house::{Holder, House};

const TOKEN: &str = "/oauth/token";
/// Where a client must show itself.
const ENDPOINTS: [&str; 3] = [TOKEN, "/oauth/introspect", "/oauth/revoke"];

/// A form that is good at every endpoint, once its client has shown itself.
const GOOD: [(&str, &str); 2] = [("grant_type", "client_credentials"), ("token", "no.to.ken")];

/// Asks for a token with further parameters, by HTTP Basic.
fn ask(house: &House, more: &[(&str, &str)]) -> Reply {
    let parameters = [&[("grant_type", "client_credentials")], more].concat();
    post_form(TOKEN, &parameters).basic("acme", house.acme.text.expose()).send(&house.gate)
}

/// Shows `id` and `secret` at `path` in the form.
fn in_form(house: &House, path: &str, id: &str, secret: &str) -> Reply {
    let parameters = [&GOOD[..], &[("client_id", id), ("client_secret", secret)]].concat();
    post_form(path, &parameters).send(&house.gate)
}

fn by_basic(house: &House, path: &str, id: &str, secret: &str) -> Reply {
    post_form(path, &GOOD).basic(id, secret).send(&house.gate)
}

#[test]
fn a_key_is_exchanged_by_basic_and_in_the_form_and_its_text_says_which_environment() {
    let house = House::new();
    for (holder, environment) in [(&house.acme, "live"), (&house.boxed, "sandbox")] {
        let key = holder.text.expose();
        for reply in [by_basic(&house, TOKEN, "acme", key), in_form(&house, TOKEN, "acme", key)] {
            assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
            let fields = Fields::bearer(&text(&json(&reply)["access_token"]));
            let principal = fields.head(|head| block_on(house.gate.principal(head, Serves::Any))).expect("let in");
            assert_eq!((principal.developer().id.as_str(), principal.environment().as_str()), ("acme", environment));
        }
    }
}

#[test]
fn h13_the_answer_is_for_no_cache_and_says_bearer_and_how_long() {
    let house = House::new();
    let reply = ask(&house, &[]);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let body = json(&reply);
    assert_eq!((&body["token_type"], &body["expires_in"]), (&object!("Bearer"), &object!(900)));
    assert_eq!(body.as_object().map(serde_json::Map::len), Some(3), "no `scope` where it is the key's");
    assert!(!format!("{reply:?}").contains(&text(&body["access_token"])));
}

#[test]
fn a_scope_and_an_entity_narrow_the_token_and_empty_and_unknown_parameters_count_for_nothing() {
    let house = House::new();
    assert_eq!(json(&ask(&house, &[("scope", "ledger:read")]))["scope"], "ledger:read");
    assert_eq!(json(&ask(&house, &[("entity_id", "acme-a")]))["scope"], "ledger:read ledger:write");
    let odd = [("scope", ""), ("entity_id", ""), ("unknown", "1"), ("resource", "a"), ("resource", "b")];
    assert_eq!(json(&ask(&house, &odd)).get("scope"), None);
}

#[test]
fn k12_e14_a_wider_scope_and_anothers_entity_are_refused() {
    let house = House::new();
    let narrow = Holder::another_key(&house.authority, &house.acme.developer, |new| {
        new.scopes = ScopeSet::parse("keys:manage ledger:read").expect("scopes");
    });
    let ask = |more: &[(&str, &str)]| {
        let parameters = [&GOOD[..], more].concat();
        post_form(TOKEN, &parameters).basic("acme", narrow.text.expose()).send(&house.gate)
    };
    for scope in ["ledger:write", "unknown:read", " ledger:read", "ledger:*"] {
        assert_oauth_refused(&ask(&[("scope", scope)]), 400, "invalid_scope");
    }
    assert_oauth_refused(&ask(&[("scope", "keys:manage"), ("entity_id", "acme-a")]), 400, "invalid_scope");
    let mut answers = Vec::new();
    for entity in ["other-a", "nobody", "acme-s", "..", "a/b", "a b"] {
        let reply = ask(&[("entity_id", entity)]);
        assert_oauth_refused(&reply, 400, "invalid_target");
        answers.push(reply);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1);
}

#[test]
fn k1_k2_k4_k5_e12_e16_every_cause_has_the_same_bytes_at_every_endpoint() {
    let house = House::new();
    let (actor, source) = (Actor::Host, Source::UNKNOWN);
    let good = house.acme.text.expose().to_owned();
    let developer = &house.acme.developer;
    let revoked = Holder::another_key(&house.authority, developer, |_| {});
    block_on(house.authority.keys().revoke(&actor, source, developer, revoked.key)).expect("revoked");
    let expired = Holder::another_key(&house.authority, developer, |new| {
        new.expires_at = Some(house.authority.now().plus(10));
    });
    let confined = Holder::another_key(&house.authority, developer, |new| {
        new.allowed_ips = vec!["10.0.0.0/8".parse().expect("a range")];
    });
    house.clock.advance(10);
    let token = house.token(&house.acme);
    block_on(house.authority.developers().suspend(&actor, source, &house.other.developer)).expect("suspended");
    let cases: Vec<(&str, String)> = vec![
        ("nobody", good.clone()),
        ("a/b", good.clone()),
        ("other", good.clone()),
        ("acme", revoked.text.expose().to_owned()),
        ("acme", expired.text.expose().to_owned()),
        ("acme", confined.text.expose().to_owned()),
        ("acme", house.other.text.expose().to_owned()),
        ("other", house.other.text.expose().to_owned()),
        ("acme", good.to_uppercase()),
        ("acme", format!("{good} ")),
        ("acme", format!("{good}\n")),
        ("acme", format!("{good}0")),
        ("acme", good[..good.len() - 1].to_owned()),
        ("acme", good.replacen("_live_", "_sandbox_", 1)),
        ("acme", good.replacen("_live_", "_nowhere_", 1)),
        ("acme", "a".repeat(10_000)),
        ("acme", token),
    ];
    let first = by_basic(&house, TOKEN, "nobody", "no key");
    assert_oauth_refused(&first, 401, "invalid_client");
    for path in ENDPOINTS {
        for (id, secret) in &cases {
            assert_eq!(by_basic(&house, path, id, secret), first, "{path} {id} {}", secret.len());
            assert_eq!(in_form(&house, path, id, secret), first, "{path} {id} {}", secret.len());
        }
        for nothing in ["Basic", "Basic !", "Basic YWNtZQ==", "Bearer x.y.z", "Digest a=\"b\"", ""] {
            assert_eq!(post_form(path, &GOOD).authorization(nothing).send(&house.gate), first, "{path} {nothing}");
        }
        for (id, secret) in [("acme", ""), ("", &*good), ("", "")] {
            assert_eq!(in_form(&house, path, id, secret), first, "{path} {id}");
            assert_eq!(by_basic(&house, path, id, secret), first, "{path} {id}");
        }
        assert_eq!(post_form(path, &GOOD).send(&house.gate), first, "{path}: no client at all");
        assert_eq!(by_basic(&house, path, "acme", &good).status, 200, "{path}");
    }
}

#[test]
fn k1_no_refused_client_is_answered_as_soon_as_it_was_looked_at() {
    let house = House::new();
    let (actor, source) = (Actor::Host, Source::UNKNOWN);
    let revoked = Holder::another_key(&house.authority, &house.acme.developer, |_| {});
    block_on(house.authority.keys().revoke(&actor, source, &house.acme.developer, revoked.key)).expect("revoked");
    let ready_at_once = |developer: &str, key: &Holder| {
        let client = PresentedClient { developer, api_key: &key.text, source };
        pin!(house.authority.authenticate_client(&client)).poll(&mut Context::from_waker(Waker::noop())).is_ready()
    };
    assert!(ready_at_once("acme", &house.acme));
    for (developer, key) in [("acme", &house.other), ("acme", &revoked), ("nobody", &house.acme), ("a/b", &house.acme)]
    {
        // The machine may hold a test up until the wait is over, but not each time.
        assert!((0..100).any(|_| !ready_at_once(developer, key)), "{developer}");
    }
}

#[test]
fn k3_a_secret_of_a_wrong_shape_is_refused_without_a_storage_read() {
    let house = House::new();
    let before = house.store.asked();
    for path in ENDPOINTS {
        for secret in ["", "lb_live_x", "not a key"] {
            assert_oauth_refused(&by_basic(&house, path, "acme", secret), 401, "invalid_client");
        }
    }
    assert_eq!(house.store.asked(), before);
}

#[test]
fn k7_refused_clients_of_one_address_are_limited_over_all_endpoints_and_right_ones_are_not() {
    let limits = Limits { failed_exchanges: Some(Limit { count: 6, per: Duration::from_secs(60) }), ..Limits::OFF };
    let house = House::with_limits(limits);
    let ask = |path: &str, key: &Holder, peer: &str| {
        post_form(path, &GOOD).basic("acme", key.text.expose()).from(peer).send(&house.gate)
    };
    let statuses: Vec<u16> =
        ENDPOINTS.iter().cycle().take(9).map(|path| ask(path, &house.other, "192.0.2.1").status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 6, "{statuses:?}");
    let body = object!({"developerId": "acme", "apiKey": house.other.text.expose()});
    assert_eq!(post("/v1/auth/developer-token", &body).from("192.0.2.1").send(&house.gate).status, 429);
    for path in ENDPOINTS {
        assert_oauth_refused(&ask(path, &house.other, "192.0.2.1"), 429, "rate_limited");
        assert_oauth_refused(&ask(path, &house.other, "192.0.2.2"), 401, "invalid_client");
        assert_eq!(ask(path, &house.acme, "192.0.2.1").status, 200);
    }
}

#[test]
fn tokens_of_one_key_are_limited_together_with_those_of_the_other_routes() {
    let limits = Limits { issued_tokens: Some(Limit { count: 3, per: Duration::from_secs(60) }), ..Limits::OFF };
    let house = House::with_limits(limits);
    house.token(&house.acme);
    assert_eq!(ask(&house, &[]).status, 200);
    assert_eq!(ask(&house, &[]).status, 200);
    let reply = ask(&house, &[]);
    assert_oauth_refused(&reply, 429, "rate_limited");
    assert_eq!(reply.header("retry-after"), Some("20"));
}

#[test]
fn h14_the_method_the_media_type_and_the_length_must_be_right() {
    let house = House::new();
    let good = |path: &str| post_form(path, &GOOD).basic("acme", house.acme.text.expose());
    for path in ENDPOINTS {
        let reply = get(path).send(&house.gate);
        assert_oauth_refused(&reply, 405, "invalid_request");
        assert_eq!(reply.header("allow"), Some("POST"));
        for bad in
            [None, Some(""), Some("text/plain"), Some("application/json"), Some("multipart/form-data; boundary=a")]
        {
            assert_oauth_refused(&good(path).content_type(bad).send(&house.gate), 415, "invalid_request");
        }
        for right in [FORM, "Application/X-WWW-Form-Urlencoded", &format!("{FORM}; charset=UTF-8")] {
            assert_eq!(good(path).content_type(Some(right)).send(&house.gate).status, 200, "{right}");
        }
        for length in [16 << 10, 10 << 20] {
            let reply = post_form(path, &[("client_id", "acme"), ("client_secret", &"a".repeat(length))]);
            assert_oauth_refused(&reply.send(&house.gate), 413, "invalid_request");
        }
    }
}

#[test]
fn a_client_shows_itself_once_and_no_parameter_is_repeated() {
    let house = House::new();
    let key = house.acme.text.expose();
    let send = |ask: Ask| ask.send(&house.gate);
    for path in ENDPOINTS {
        let twice = [&GOOD[..], &[("client_id", "acme"), ("client_secret", key)]].concat();
        assert_oauth_refused(&send(post_form(path, &twice).basic("acme", key)), 400, "invalid_request");
        let other = [&GOOD[..], &[("client_id", "other")]].concat();
        assert_oauth_refused(&send(post_form(path, &other).basic("acme", key)), 400, "invalid_request");
        let named = [&GOOD[..], &[("client_id", "acme")]].concat();
        assert_eq!(send(post_form(path, &named).basic("acme", key)).status, 200, "{path}");
        let fields = post_form(path, &GOOD).basic("acme", key).basic("acme", key);
        assert_oauth_refused(&send(fields), 400, "invalid_request");
        let repeated = [&GOOD[..], &[("x", "1"), ("x", "1")]].concat();
        assert_oauth_refused(&send(post_form(path, &repeated).basic("acme", key)), 400, "invalid_request");
        // A bearer token is not looked at.
        let bearer = [&GOOD[..], &[("client_id", "acme"), ("client_secret", key)]].concat();
        assert_eq!(send(post_form(path, &bearer).bearer("x.y.z")).status, 200, "{path}");
    }
}

#[test]
fn h12_a_malformed_form_is_an_invalid_request_and_never_echoed() {
    let house = House::new();
    let forms = ["ECHO=%", "grant_type=%zz&ECHO", "a=%ff&ECHO=%fe", "ECHO=1&ECHO=2"];
    for path in ENDPOINTS {
        for form in forms {
            let reply = post_form_text(path, form).basic("acme", house.acme.text.expose()).send(&house.gate);
            assert_oauth_refused(&reply, 400, "invalid_request");
            assert!(!String::from_utf8_lossy(&reply.body).contains("ECHO"), "{form}");
        }
    }
    let send = |form: &[(&str, &str)]| post_form(TOKEN, form).basic("acme", house.acme.text.expose()).send(&house.gate);
    for kind in ["ECHO", "password", "authorization_code", "refresh_token", "Client_Credentials", "client_credentials "]
    {
        let reply = send(&[("grant_type", kind)]);
        assert_oauth_refused(&reply, 400, "unsupported_grant_type");
        assert!(!String::from_utf8_lossy(&reply.body).contains("ECHO"), "{kind}");
    }
    assert_oauth_refused(&send(&[]), 400, "invalid_request");
    assert_oauth_refused(&send(&[("grant_type", "")]), 400, "invalid_request");
}

#[test]
fn the_hosts_own_bodies_have_no_place_under_oauth() {
    let house = House::new();
    let body = |_: &latchbook_http::Rejected<'_>| {
        Some(latchbook_http::RejectBody { content_type: "text/plain".to_owned(), body: b"own".to_vec() })
    };
    let gate = house.gate.clone().on_reject(body).realm("ledger").expect("a realm");
    let reply = post_form(TOKEN, &GOOD).basic("acme", "wrong").send(&gate);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.header("www-authenticate"), Some("Basic realm=\"ledger\""));
    assert_eq!(get(TOKEN).send(&gate).header("content-type"), Some("application/json"));
    assert_eq!(get("/v1/auth/tokens").send(&gate).body, b"own");
}
