//! Introspection and revocation: a client and its own tokens.

use futures_executor::block_on;
use latchbook_core::authority::Actor;
use latchbook_core::model::Source;
use latchbook_http::{Reply, Serves};
use serde_json::{Value, json as object};

use crate::ask::{Fields, assert_oauth_refused, json, post_form, text};
use crate::house::{Holder, House, START};

fn ask(house: &House, path: &str, holder: &Holder, token: &str) -> Reply {
    let form = [("token", token), ("token_type_hint", "refresh_token")];
    post_form(path, &form).basic(holder.developer.id.as_str(), holder.text.expose()).send(&house.gate)
}

fn introspect(house: &House, holder: &Holder, token: &str) -> Value {
    let reply = ask(house, "/oauth/introspect", holder, token);
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.header("content-type"), Some("application/json"));
    json(&reply)
}

fn revoke(house: &House, holder: &Holder, token: &str) {
    let reply = ask(house, "/oauth/revoke", holder, token);
    assert_eq!((reply.status, reply.body.len()), (200, 0), "{}", String::from_utf8_lossy(&reply.body));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
}

fn is_let_in(house: &House, token: &str) -> bool {
    let fields = Fields::bearer(token);
    fields.head(|head| block_on(house.gate.principal(head, Serves::Any))).is_ok()
}

#[test]
fn an_active_token_says_what_it_carries() {
    let house = House::new();
    let token = house.narrow_token(&house.acme, "ledger:read");
    let claims = introspect(&house, &house.acme, &token);
    let want = object!({
        "active": true, "token_type": "Bearer", "scope": "ledger:read", "client_id": house.acme.key.as_str(),
        "sub": "acme", "aud": "https://api.example.com/live", "iss": "https://api.example.com/live",
        "exp": START + 900, "iat": START, "nbf": START, "jti": claims["jti"], "developer": "acme", "env": "live",
    });
    assert_eq!(claims, want);
    let entitys = introspect(&house, &house.boxed, &house.entity_token(&house.boxed, "acme-s"));
    assert_eq!((&entitys["sub"], &entitys["entity"]), (&object!("acme-s"), &object!("acme-s")));
    assert_eq!((&entitys["developer"], &entitys["env"]), (&object!("acme"), &object!("sandbox")));
    let asked = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token", &*token),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
    ];
    let narrow = text(&json(&post_form("/oauth/token", &asked).send(&house.gate))["access_token"]);
    let narrow = introspect(&house, &house.acme, &narrow);
    assert_eq!(narrow["origin"], claims["jti"]);
    assert_eq!(narrow["act"], object!({"sub": "acme", "client_id": claims["client_id"]}));
}

#[test]
fn e17_all_else_is_inactive_and_says_no_more() {
    let house = House::new();
    let inactive = object!({"active": false});
    let token = house.token(&house.acme);
    for (holder, foreign) in [
        (&house.other, &token),
        (&house.boxed, &token),
        (&house.acme, &house.token(&house.boxed)),
        (&house.acme, &house.token(&house.other)),
        (&house.acme, &house.acme.text.expose().to_owned()),
        (&house.acme, &"a.b.c".to_owned()),
        (&house.acme, &"a".repeat(9_000)),
        (&house.acme, &token[..token.len() - 1].to_owned()),
        (&house.acme, &format!("{token}\n")),
    ] {
        assert_eq!(introspect(&house, holder, foreign), inactive);
    }
    let doomed = house.token(&house.acme);
    revoke(&house, &house.acme, &doomed);
    assert_eq!(introspect(&house, &house.acme, &doomed), inactive);
    assert_eq!(introspect(&house, &house.acme, &token)["active"], true);
    house.clock.advance(900);
    assert_eq!(introspect(&house, &house.acme, &token), inactive);
}

#[test]
fn e16_the_tokens_of_a_revoked_key_are_inactive_for_the_developers_other_keys() {
    let house = House::new();
    let second = Holder::another_key(&house.authority, &house.acme.developer, |_| {});
    let token = house.token(&house.acme);
    assert_eq!(introspect(&house, &second, &token)["client_id"], house.acme.key.as_str());
    let developer = &house.acme.developer;
    block_on(house.authority.keys().revoke(&Actor::Host, Source::UNKNOWN, developer, house.acme.key)).expect("revoked");
    assert_eq!(introspect(&house, &second, &token), object!({"active": false}));
    assert_oauth_refused(&ask(&house, "/oauth/introspect", &house.acme, &token), 401, "invalid_client");
}

#[test]
fn a_confined_token_says_its_ranges_to_whoever_must_compare_the_address() {
    let house = House::new();
    let confined = Holder::another_key(&house.authority, &house.acme.developer, |new| {
        new.allowed_ips = vec!["192.0.2.0/24".parse().expect("a range")];
    });
    let form = [("grant_type", "client_credentials")];
    let issued = post_form("/oauth/token", &form).basic("acme", confined.text.expose()).from("192.0.2.1");
    let token = text(&json(&issued.send(&house.gate))["access_token"]);
    assert_eq!(introspect(&house, &house.acme, &token)["ips"], object!(["192.0.2.0/24"]));
}

#[test]
fn k14_a_client_ends_its_own_tokens_alone_and_the_answer_is_always_the_same() {
    let house = House::new();
    let (token, others) = (house.token(&house.acme), house.token(&house.other));
    let elsewhere = house.token(&house.boxed);
    for _ in 0..2 {
        for foreign in [&*others, &elsewhere, "a.b.c", &"a".repeat(9_000)] {
            revoke(&house, &house.acme, foreign);
        }
        assert!(is_let_in(&house, &others) && is_let_in(&house, &elsewhere));
    }
    assert!(is_let_in(&house, &token));
    let before = house.store.written().len();
    revoke(&house, &house.acme, &token);
    assert!(!is_let_in(&house, &token));
    let written = house.store.written();
    assert_eq!((written.len(), &*written[before].audited), (before + 1, &["token.revoked"][..]));
    revoke(&house, &house.acme, &token);
    assert_eq!(house.store.written().len(), before + 1, "nothing is left to revoke");
}

#[test]
fn a_token_must_be_named_once_whoever_asks_has_shown_itself() {
    let house = House::new();
    for path in ["/oauth/introspect", "/oauth/revoke"] {
        for form in [&[][..], &[("token", "")], &[("token", "a"), ("token", "a")]] {
            let named = post_form(path, form).basic("acme", house.acme.text.expose());
            assert_oauth_refused(&named.send(&house.gate), 400, "invalid_request");
        }
        let nobody = post_form(path, &[]).basic("acme", "wrong");
        assert_oauth_refused(&nobody.send(&house.gate), 401, "invalid_client");
    }
}
