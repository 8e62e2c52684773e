//! Token exchange at the token endpoint: what is asked for, what comes of it, and every way in which it fails.

use std::time::Duration;

use futures_executor::block_on;
use latchbook_core::authority::{Actor, Limits};
use latchbook_core::check::Limit;
use latchbook_core::model::{AnyScope, Source};
use latchbook_http::{Reply, Serves};
use serde_json::{Value, json as object};

use crate::ask::{Ask, Fields, assert_oauth_refused, json, post_form, text};
use crate::house::House;

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// A token exchange of `token`, with further parameters.
fn narrow(token: &str, more: &[(&str, &str)]) -> Ask {
    let own = [("grant_type", GRANT_TYPE), ("subject_token", token), ("subject_token_type", ACCESS_TOKEN)];
    post_form("/oauth/token", &[&own[..], more].concat())
}

fn narrowed(house: &House, token: &str, more: &[(&str, &str)]) -> Value {
    let reply = narrow(token, more).send(&house.gate);
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    json(&reply)
}

/// The claims of a token, as they are in it.
fn claims(token: &str) -> Value {
    use base64::Engine as _;
    let payload = token.split('.').nth(1).expect("a payload");
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).expect("base64url");
    serde_json::from_slice(&payload).expect("claims")
}

#[test]
fn h13_e14_a_token_is_narrowed_without_a_client_and_says_where_it_came_from() {
    let house = House::new();
    let token = house.token(&house.acme);
    let reply = narrow(&token, &[("scope", "ledger:read"), ("entity_id", "acme-a")]).send(&house.gate);
    assert_eq!((reply.status, reply.header("cache-control")), (200, Some("no-store")));
    let body = json(&reply);
    let narrow = text(&body["access_token"]);
    let want = object!({
        "access_token": narrow, "issued_token_type": ACCESS_TOKEN, "token_type": "Bearer", "expires_in": 900,
        "scope": "ledger:read",
    });
    assert_eq!(body, want);
    let (first, second) = (claims(&token), claims(&narrow));
    assert_eq!(second["act"], object!({"sub": "acme", "client_id": first["client_id"]}));
    assert_eq!(second["origin"], first["jti"]);
    for same in ["iss", "aud", "exp", "client_id", "developer", "env", "gen", "epoch"] {
        assert_eq!(first[same], second[same], "{same}");
    }
    assert_eq!((&second["sub"], &second["entity"]), (&object!("acme-a"), &object!("acme-a")));
    let fields = Fields::bearer(&narrow);
    let context = fields.head(|head| block_on(house.gate.entity_context::<AnyScope>(head, Serves::Home)));
    assert_eq!(context.expect("let in").entity_id().as_str(), "acme-a");
}

#[test]
fn e22_what_came_of_an_exchange_is_exchanged_again_and_never_lives_longer() {
    let house = House::new();
    let token = house.token(&house.acme);
    house.clock.advance(300);
    let second = narrowed(&house, &token, &[("scope", "ledger:read ledger:write")]);
    assert_eq!(second["expires_in"], 600);
    house.clock.advance(300);
    let third = narrowed(&house, &text(&second["access_token"]), &[("scope", "ledger:read")]);
    assert_eq!(third["expires_in"], 300);
    assert_eq!(claims(&text(&third["access_token"]))["origin"], claims(&token)["jti"]);
    assert_eq!(narrowed(&house, &token, &[]).get("scope"), None, "the subject token's own");
    house.clock.advance(300);
    for over in [&token, &text(&third["access_token"])] {
        assert_oauth_refused(&narrow(over, &[]).send(&house.gate), 400, "invalid_request");
    }
}

#[test]
fn e14_e22_nothing_is_widened() {
    let house = House::new();
    let token = house.narrow_token(&house.acme, "ledger:read keys:manage");
    for scope in ["ledger:write", "ledger:read ledger:write", "ledger:*", "unknown:read", "ledger:read "] {
        assert_oauth_refused(&narrow(&token, &[("scope", scope)]).send(&house.gate), 400, "invalid_scope");
    }
    let managing = narrow(&token, &[("scope", "keys:manage"), ("entity_id", "acme-a")]);
    assert_oauth_refused(&managing.send(&house.gate), 400, "invalid_scope");
    let mut answers = Vec::new();
    for entity in ["other-a", "nobody", "acme-s", "..", "a/b"] {
        answers.push(narrow(&token, &[("entity_id", entity)]).send(&house.gate));
        assert_oauth_refused(answers.last().expect("an answer"), 400, "invalid_target");
    }
    answers.dedup();
    assert_eq!(answers.len(), 1);
    let entitys = house.entity_token(&house.acme, "acme-a");
    for entity in ["", "acme-a", "acme-b", "other-a"] {
        let reply = narrow(&entitys, &[("entity_id", entity)]).send(&house.gate);
        assert_oauth_refused(&reply, 400, "invalid_request");
    }
}

#[test]
fn every_bad_subject_token_has_the_same_bytes() {
    let house = House::new();
    let (actor, source) = (Actor::Host, Source::UNKNOWN);
    let good = house.token(&house.acme);
    let others = house.token(&house.other);
    block_on(house.authority.developers().suspend(&actor, source, &house.other.developer)).expect("suspended");
    let first = narrow("nonsense", &[]).send(&house.gate);
    assert_oauth_refused(&first, 400, "invalid_request");
    let tampered = good.replace('.', "A.");
    let key = house.acme.text.expose();
    for bad in
        ["a.b.c", "...", &good[..good.len() - 1], &tampered, &format!(" {good}"), &"a".repeat(9_000), &others, key]
    {
        assert_eq!(narrow(bad, &[]).send(&house.gate), first, "{bad}");
    }
    let elsewhere = house.token(&house.boxed);
    assert_eq!(narrow(&elsewhere, &[]).send(&house.gate).status, 200, "every mounted environment is served");
    house.clock.advance(900);
    assert_eq!(narrow(&good, &[]).send(&house.gate), first, "expired");
}

#[test]
fn what_is_asked_for_must_be_what_can_be_given() {
    let house = House::new();
    let token = house.token(&house.acme);
    let refused = |more: &[(&str, &str)], error: &str| {
        assert_oauth_refused(&narrow(&token, more).send(&house.gate), 400, error);
    };
    for target in ["resource", "audience"] {
        refused(&[(target, "https://api.example.com/live")], "invalid_target");
        refused(&[(target, "a"), (target, "b")], "invalid_target");
    }
    refused(&[("actor_token", &token), ("actor_token_type", ACCESS_TOKEN)], "invalid_request");
    refused(&[("actor_token_type", ACCESS_TOKEN)], "invalid_request");
    refused(&[("requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token")], "invalid_request");
    refused(&[("scope", "ledger:read"), ("scope", "ledger:read")], "invalid_request");
    let good = [("requested_token_type", ACCESS_TOKEN), ("resource", ""), ("actor_token", "")];
    assert_eq!(narrow(&token, &good).send(&house.gate).status, 200);

    let asked = [("grant_type", GRANT_TYPE), ("subject_token", &*token), ("subject_token_type", ACCESS_TOKEN)];
    for left_out in 1..asked.len() {
        let rest: Vec<_> =
            asked.iter().enumerate().filter(|(place, _)| *place != left_out).map(|(_, one)| *one).collect();
        assert_oauth_refused(&post_form("/oauth/token", &rest).send(&house.gate), 400, "invalid_request");
    }
    for kind in ["urn:ietf:params:oauth:token-type:jwt", "access_token", "", ACCESS_TOKEN.to_uppercase().as_str()] {
        let asked = [("grant_type", GRANT_TYPE), ("subject_token", &*token), ("subject_token_type", kind)];
        assert_oauth_refused(&post_form("/oauth/token", &asked).send(&house.gate), 400, "invalid_request");
    }
}

#[test]
fn a_client_that_shows_itself_must_be_right_and_fit_the_subject_token() {
    let house = House::new();
    let token = house.token(&house.acme);
    let with = |id: &str, secret: &str| narrow(&token, &[]).basic(id, secret).send(&house.gate);
    assert_eq!(with("acme", house.acme.text.expose()).status, 200);
    assert_oauth_refused(&with("acme", "wrong"), 401, "invalid_client");
    assert_oauth_refused(&with("acme", house.other.text.expose()), 401, "invalid_client");
    assert_oauth_refused(&with("other", house.other.text.expose()), 400, "invalid_request");
    assert_oauth_refused(&with("acme", house.boxed.text.expose()), 400, "invalid_request");
    let form = |id: &str, secret: &str| narrow(&token, &[("client_id", id), ("client_secret", secret)]);
    assert_eq!(form("acme", house.acme.text.expose()).send(&house.gate).status, 200);
    assert_oauth_refused(&form("acme", "wrong").send(&house.gate), 401, "invalid_client");
    // Whatever else stands in `Authorization` is not looked at.
    assert_eq!(narrow(&token, &[]).bearer("x.y.z").send(&house.gate).status, 200);
}

#[test]
fn h8_a_subject_token_is_read_in_the_form_alone() {
    let house = House::new();
    let token = house.token(&house.acme);
    let without = [("grant_type", GRANT_TYPE), ("subject_token_type", ACCESS_TOKEN)];
    let reply = post_form(&format!("/oauth/token?subject_token={token}"), &without).bearer(&token).send(&house.gate);
    assert_oauth_refused(&reply, 400, "invalid_request");
}

#[test]
fn k7_bad_subject_tokens_count_as_failures_and_good_ones_in_the_limit_of_their_key() {
    let per = Duration::from_secs(60);
    let limits = Limits {
        failed_exchanges: Some(Limit { count: 3, per }),
        issued_tokens: Some(Limit { count: 3, per }),
        ..Limits::OFF
    };
    let house = House::with_limits(limits);
    let token = house.token(&house.acme);
    let from = |token: &str| narrow(token, &[]).from("192.0.2.1").send(&house.gate);
    let statuses: Vec<u16> = (0..5).map(|_| from("a.b.c").status).collect();
    assert_eq!(statuses, [400, 400, 400, 429, 429]);
    assert_eq!((from(&token).status, from(&token).status), (200, 200));
    assert_oauth_refused(&from(&token), 429, "rate_limited");
}

#[test]
fn c9_a_revoked_first_token_refuses_what_came_of_it() {
    let house = House::new();
    let token = house.token(&house.acme);
    let narrow_token = text(&narrowed(&house, &token, &[("scope", "ledger:read")])["access_token"]);
    let revoke = [("token", &*token)];
    let reply = post_form("/oauth/revoke", &revoke).basic("acme", house.acme.text.expose()).send(&house.gate);
    assert_eq!(reply.status, 200);
    let ask = |token: &str| -> Reply {
        let fields = Fields::bearer(token);
        fields.head(|head| block_on(house.gate.principal(head, Serves::Home))).expect_err("refused")
    };
    for token in [&token, &narrow_token] {
        assert_eq!(json(&ask(token))["error"], "token_revoked");
        assert_oauth_refused(&narrow(token, &[]).send(&house.gate), 400, "invalid_request");
    }
}
