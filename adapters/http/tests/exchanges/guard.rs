//! Guarded routes: who is let in, and what everyone else is told.

use futures_executor::block_on;
use latchbook_core::authority::{Actor, EntityContext};
use latchbook_core::check::EntityRule;
use latchbook_core::model::{AnyScope, EntityId, EntityRef, EnvironmentName, ScopeRule, Source};
use latchbook_http::{
    Gate, RejectBody, Reply, Serves, internal_error, method_not_allowed, not_found, payload_too_large,
};

use crate::ask::{BEARER, Fields, INSUFFICIENT, INVALID_REQUEST, INVALID_TOKEN, assert_refused, json};
use crate::house::{Holder, House, scopes::LedgerWrite};

fn context<S: ScopeRule>(gate: &Gate, fields: &Fields) -> Result<String, Reply> {
    fields.head(|head| block_on(gate.entity_context::<S>(head, Serves::Home))).map(|context| entity_of(&context))
}

fn entity_of(context: &EntityContext) -> String {
    context.entity_id().to_string()
}

#[track_caller]
fn refused(gate: &Gate, fields: &Fields, status: u16, error: &str, challenge: Option<&str>) {
    match context::<AnyScope>(gate, fields) {
        Ok(entity) => panic!("let in for {entity}"),
        Err(reply) => assert_refused(&reply, status, error, challenge),
    }
}

fn authorization(value: &[u8]) -> Fields {
    Fields { authorization: vec![value.to_vec()], ..Fields::default() }
}

#[test]
fn h1_h2_h8_h10_without_a_bearer_token_only_the_realm_is_told() {
    let house = House::new();
    let token = house.token(&house.acme);
    refused(&house.gate, &Fields::default(), 401, "missing_credentials", BEARER);
    refused(&house.gate, &authorization(b"Basic Zm9vOmJhcg=="), 401, "missing_credentials", BEARER);
    let in_the_query = Fields::default().query(&format!("access_token={token}&entityId=acme-a"));
    refused(&house.gate, &in_the_query, 401, "missing_credentials", BEARER);
}

#[test]
fn h3_h5_a_bearer_token_is_let_in_in_any_case_after_any_spaces() {
    let house = House::new();
    let token = house.entity_token(&house.acme, "acme-a");
    for scheme in ["Bearer ", "bearer ", "BEARER    ", "bEaReR  "] {
        let fields = authorization(format!("{scheme}{token}").as_bytes());
        assert_eq!(context::<AnyScope>(&house.gate, &fields).ok().as_deref(), Some("acme-a"), "{scheme}");
    }
}

#[test]
fn h4_h6_h7_h8_h9_a_malformed_or_doubled_credential_is_a_bad_request() {
    let house = House::new();
    let token = house.token(&house.acme);
    let malformed =
        ["Bearer", "Bearer ", "Bearer\tx", "Bearer x x", "Bearer x, Bearer x", "Bearer token=\"x\"", "Bearer \"x\""];
    for value in malformed {
        refused(&house.gate, &authorization(value.as_bytes()), 400, "invalid_request", INVALID_REQUEST);
    }
    refused(&house.gate, &authorization(b"Bearer \xff"), 400, "invalid_request", INVALID_REQUEST);
    let mut twice = Fields::bearer(&token);
    twice.authorization.push(format!("Bearer {token}").into_bytes());
    refused(&house.gate, &twice, 400, "invalid_request", INVALID_REQUEST);
    let both = Fields::bearer(&token).query(&format!("access_token={token}"));
    refused(&house.gate, &both, 400, "invalid_request", INVALID_REQUEST);
}

#[test]
fn j1_j2_k5_h19_what_is_no_token_of_ours_gets_one_answer() {
    let house = House::new();
    let mut answers = Vec::new();
    let token = house.token(&house.acme);
    let mut flipped = token.clone();
    let last = flipped.pop().expect("a character");
    flipped.push(if last == 'A' { 'B' } else { 'A' });
    let cases = [
        ".".repeat(5),
        "x.y.z".to_owned(),
        "a".repeat(8_193),
        "a".repeat(102_400),
        house.acme.text.expose().to_owned(),
        format!("{token}=="),
        flipped,
    ];
    for case in cases {
        let reply = context::<AnyScope>(&house.gate, &Fields::bearer(&case)).expect_err("refused");
        assert_refused(&reply, 401, "token_invalid", INVALID_TOKEN);
        answers.push(reply);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1);
}

#[test]
fn h12_nothing_that_came_is_echoed() {
    let house = House::new();
    let token = house.token(&house.acme);
    for fields in [
        Fields::bearer("ECHO.<script>.\"\r\n"),
        Fields::bearer("ECHO"),
        authorization(b"ECHO ECHO"),
        Fields::bearer(&token).query("entityId=ECHO%0d%0a<script>"),
        Fields::bearer(&token).query("entityId=ECHO"),
    ] {
        let reply = context::<AnyScope>(&house.gate, &fields).expect_err("refused");
        let shown = format!("{:?} {}", reply.headers, String::from_utf8_lossy(&reply.body));
        assert!(!shown.contains("ECHO") && !shown.contains("script"), "{shown}");
    }
}

#[test]
fn c2_a_token_is_over_at_its_exp() {
    let house = House::new();
    let fields = Fields::bearer(&house.entity_token(&house.acme, "acme-a"));
    house.clock.advance(899);
    assert!(context::<AnyScope>(&house.gate, &fields).is_ok());
    house.clock.advance(1);
    refused(&house.gate, &fields, 401, "token_expired", INVALID_TOKEN);
}

#[test]
fn c9_e15_e16_a_token_ends_with_its_key_its_entity_and_its_developer() {
    let house = House::new();
    let (actor, source) = (Actor::Host, Source::UNKNOWN);
    let of_key = Fields::bearer(&house.token(&house.other)).query("entityId=other-a");
    assert!(context::<AnyScope>(&house.gate, &of_key).is_ok());
    block_on(house.authority.keys().revoke(&actor, source, &house.other.developer, house.other.key)).expect("revoked");
    refused(&house.gate, &of_key, 401, "token_revoked", INVALID_TOKEN);

    let (of_entity, of_developer) = (house.entity_token(&house.acme, "acme-a"), house.token(&house.acme));
    let entity = EntityRef { developer: house.acme.developer.clone(), id: EntityId::parse("acme-a").expect("an id") };
    block_on(house.authority.entities().remove(&actor, source, &entity)).expect("removed");
    refused(&house.gate, &Fields::bearer(&of_entity), 401, "token_revoked", INVALID_TOKEN);
    let named = Fields::bearer(&of_developer).query("entityId=acme-a");
    refused(&house.gate, &named, 403, "entity_forbidden", INSUFFICIENT);

    let other = named.clone().query("entityId=acme-b");
    assert!(context::<AnyScope>(&house.gate, &other).is_ok());
    block_on(house.authority.developers().suspend(&actor, source, &house.acme.developer)).expect("suspended");
    refused(&house.gate, &other, 401, "token_revoked", INVALID_TOKEN);
}

#[test]
fn e0_the_entity_is_the_named_one_or_the_tokens_own() {
    let house = House::new();
    let developer = Fields::bearer(&house.token(&house.acme));
    let entity = Fields::bearer(&house.entity_token(&house.acme, "acme-a"));
    let cases = [
        (developer.clone().query("entityId=acme-a"), "acme-a"),
        (developer.clone().query("entityId=acme%2Db"), "acme-b"),
        (entity.clone().query("entityId=acme-a"), "acme-a"),
        (entity, "acme-a"),
    ];
    for (fields, want) in cases {
        assert_eq!(context::<AnyScope>(&house.gate, &fields).ok().as_deref(), Some(want));
    }
    refused(&house.gate, &developer, 400, "missing_entity", None);
}

#[test]
fn e1_an_entity_token_reaches_its_own_entity_alone() {
    let house = House::new();
    let fields = Fields::bearer(&house.entity_token(&house.acme, "acme-a"));
    for other in ["acme-b", "other-a", "nobody"] {
        let named = fields.clone().query(&format!("entityId={other}"));
        refused(&house.gate, &named, 403, "entity_mismatch", INSUFFICIENT);
    }
}

#[test]
fn e2_e13_an_entity_that_is_out_of_reach_looks_like_one_that_is_not_there() {
    let house = House::new();
    let fields = Fields::bearer(&house.token(&house.acme));
    let replies: Vec<Reply> = ["other-a", "nobody", "acme-s"]
        .iter()
        .map(|entity| {
            let named = fields.clone().query(&format!("entityId={entity}"));
            let reply = context::<AnyScope>(&house.gate, &named).expect_err("refused");
            assert_refused(&reply, 403, "entity_forbidden", INSUFFICIENT);
            reply
        })
        .collect();
    assert!(replies.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn e3_e5_e9_a_repeated_or_malformed_entity_is_a_bad_request_without_a_challenge() {
    let house = House::new();
    let fields = Fields::bearer(&house.token(&house.acme));
    let long = format!("entityId={}", "a".repeat(300));
    for query in [
        "entityId=acme-a&entityId=acme-b",
        "entityId=acme-a&entityId=acme-a",
        "entityId=acme-a&%65ntityId=acme-b",
        "entityId=",
        "entityId=%20",
        "entityId=%00",
        "entityId=a%0Ab",
        "entityId=%zz",
        "entityId=%ff%fe",
        "entityId=%4",
        "entityId",
        "entityId=..",
        "entityId=acme-a;entityId=acme-b",
        &long,
    ] {
        refused(&house.gate, &fields.clone().query(query), 400, "invalid_request", None);
    }
}

#[test]
fn e6_e7_e8_only_the_parameters_own_name_counts() {
    let house = House::new();
    let fields = Fields::bearer(&house.entity_token(&house.acme, "acme-a"));
    for query in [
        "entityid=acme-b",
        "ENTITYID=acme-b",
        "entity_id=acme-b",
        "entityId%5B%5D=acme-b",
        "entityId[0]=acme-b",
        "entityId.x=acme-b",
    ] {
        let reached = context::<AnyScope>(&house.gate, &fields.clone().query(query));
        assert_eq!(reached.ok().as_deref(), Some("acme-a"), "{query}");
    }
    refused(&house.gate, &fields.query("%65ntityId=acme-b"), 403, "entity_mismatch", INSUFFICIENT);
}

#[test]
fn e11_a_good_token_of_another_environment_is_told_so() {
    let house = House::new();
    let boxed = Fields::bearer(&house.token(&house.boxed)).query("entityId=acme-s");
    refused(&house.gate, &boxed, 401, "wrong_environment", INVALID_TOKEN);
    let live = Fields::bearer(&house.token(&house.acme)).query("entityId=acme-a");
    let at_sandbox = Serves::Environment(EnvironmentName::SANDBOX);
    let call =
        |fields: &Fields, serves| fields.head(|head| block_on(house.gate.entity_context::<AnyScope>(head, serves)));
    assert_refused(&call(&live, at_sandbox).expect_err("refused"), 401, "wrong_environment", INVALID_TOKEN);
    for serves in [at_sandbox, Serves::Any] {
        let context = call(&boxed, serves).expect("let in");
        assert_eq!((context.environment(), entity_of(&context)), (EnvironmentName::SANDBOX, "acme-s".to_owned()));
    }
}

#[test]
fn a_lacking_scope_is_named_in_the_challenge() {
    let house = House::new();
    let challenge = Some("Bearer realm=\"latchbook\", error=\"insufficient_scope\", scope=\"ledger:write\"");
    let fields = Fields::bearer(&house.narrow_token(&house.acme, "ledger:read")).query("entityId=acme-a");
    let reply = context::<LedgerWrite>(&house.gate, &fields).expect_err("refused");
    assert_refused(&reply, 403, "insufficient_scope", challenge);
    let scoped = |fields: &Fields| fields.head(|head| block_on(house.gate.scoped::<LedgerWrite>(head, Serves::Home)));
    assert_refused(&scoped(&fields).expect_err("refused"), 403, "insufficient_scope", challenge);
    assert!(scoped(&Fields::bearer(&house.token(&house.acme))).is_ok());
}

#[test]
fn checks_run_in_the_order_credential_environment_scope_entity() {
    let house = House::new();
    let everything_wrong = "entityId=a&entityId=b";
    refused(&house.gate, &Fields::default().query(everything_wrong), 401, "missing_credentials", BEARER);
    let boxed = Fields::bearer(&house.narrow_token(&house.boxed, "ledger:read")).query(everything_wrong);
    let reply = context::<LedgerWrite>(&house.gate, &boxed).expect_err("refused");
    assert_refused(&reply, 401, "wrong_environment", INVALID_TOKEN);
    let narrow = Fields::bearer(&house.narrow_token(&house.acme, "ledger:read"));
    for query in [everything_wrong, "entityId=other-a"] {
        let reply = context::<LedgerWrite>(&house.gate, &narrow.clone().query(query)).expect_err("refused");
        assert_eq!(reply.status, 403);
        assert_eq!(json(&reply)["error"], "insufficient_scope");
    }
}

#[test]
fn an_entity_token_is_refused_where_a_developer_token_is_needed() {
    let house = House::new();
    let fields = Fields::bearer(&house.entity_token(&house.acme, "acme-a"));
    fields.head(|head| {
        let reply = block_on(house.gate.developer(head, Serves::Home)).expect_err("refused");
        assert_refused(&reply, 403, "insufficient_scope", INSUFFICIENT);
        let principal = block_on(house.gate.principal(head, Serves::Home)).expect("let in");
        assert_eq!(principal.entity().map(|entity| entity.as_str()), Some("acme-a"));
    });
    let developer = Fields::bearer(&house.token(&house.acme));
    let principal = developer.head(|head| block_on(house.gate.developer(head, Serves::Home))).expect("let in");
    assert_eq!(principal.developer(), &house.acme.developer);
}

#[test]
fn where_a_caller_is_optional_none_is_none_and_a_bad_one_is_refused() {
    let house = House::new();
    let maybe = |fields: &Fields| fields.head(|head| block_on(house.gate.maybe_principal(head, Serves::Home)));
    assert!(maybe(&Fields::default()).expect("let in").is_none());
    assert!(maybe(&authorization(b"Basic x")).expect("let in").is_none());
    assert!(maybe(&Fields::bearer(&house.token(&house.acme))).expect("let in").is_some());
    assert_refused(&maybe(&Fields::bearer("x.y.z")).expect_err("refused"), 401, "token_invalid", INVALID_TOKEN);
    assert_refused(&maybe(&authorization(b"Bearer")).expect_err("refused"), 400, "invalid_request", INVALID_REQUEST);
    let boxed = Fields::bearer(&house.token(&house.boxed));
    assert_refused(&maybe(&boxed).expect_err("refused"), 401, "wrong_environment", INVALID_TOKEN);
}

#[test]
fn where_the_entity_is_optional_a_developer_token_may_leave_it_out() {
    let house = House::new();
    let maybe = |fields: &Fields| {
        let outcome = fields.head(|head| block_on(house.gate.maybe_entity_context::<AnyScope>(head, Serves::Home)));
        outcome.map(|(_, context)| context.map(|context| entity_of(&context)))
    };
    let developer = Fields::bearer(&house.token(&house.acme));
    assert_eq!(maybe(&developer), Ok(None));
    assert_eq!(maybe(&developer.clone().query("entityId=acme-b")), Ok(Some("acme-b".to_owned())));
    assert_eq!(maybe(&Fields::bearer(&house.entity_token(&house.acme, "acme-a"))), Ok(Some("acme-a".to_owned())));
    let other = maybe(&developer.clone().query("entityId=other-a")).expect_err("refused");
    assert_refused(&other, 403, "entity_forbidden", INSUFFICIENT);
    assert_refused(&maybe(&developer.query("entityId=")).expect_err("refused"), 400, "invalid_request", None);
}

#[test]
fn the_host_may_rename_the_parameter_and_demand_it() {
    let house = House::new();
    let gate = house.gate.clone().entity_parameter("account").entity_rule(EntityRule::Explicit);
    let entity = Fields::bearer(&house.entity_token(&house.acme, "acme-a"));
    refused(&gate, &entity, 400, "missing_entity", None);
    refused(&gate, &entity.clone().query("entityId=acme-a"), 400, "missing_entity", None);
    let named = entity.query("account=acme-a&entityId=acme-b&entityId=");
    assert_eq!(context::<AnyScope>(&gate, &named).ok().as_deref(), Some("acme-a"));
}

#[test]
fn the_host_may_name_the_realm_and_restyle_bodies_but_not_fields() {
    let house = House::new();
    assert!(house.gate.clone().realm("a\nb").is_err());
    let gate = house.gate.clone().realm("the \"ledger\"").expect("a realm").on_reject(|rejected| {
        (rejected.status == 401).then(|| RejectBody {
            content_type: "text/plain".to_owned(),
            body: format!("{} {}", rejected.status, rejected.error).into_bytes(),
        })
    });
    let reply = context::<AnyScope>(&gate, &Fields::default()).expect_err("refused");
    assert_eq!((reply.status, &*reply.body), (401, &b"401 missing_credentials"[..]));
    assert_eq!(reply.header("content-type"), Some("text/plain"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.header("www-authenticate"), Some("Bearer realm=\"the \\\"ledger\\\"\""));
    assert_eq!(not_found(&gate).header("content-type"), Some("application/problem+json"));
    let smuggled = house
        .gate
        .clone()
        .on_reject(|_| Some(RejectBody { content_type: "text/plain\r\nset-cookie: x=y".to_owned(), body: Vec::new() }));
    refused(&smuggled, &Fields::default(), 401, "missing_credentials", BEARER);
}

#[test]
fn a_refusal_shows_the_id_that_the_host_gave_the_request() {
    let house = House::new();
    let gate = house.gate.clone().with_request_id(b"01890a5d-ac96/1;o=1");
    let shown = |reply: &Reply| json(reply).get("request_id").cloned();
    let wanted = Some(serde_json::json!("01890a5d-ac96/1;o=1"));
    refused(&gate, &Fields::default(), 401, "missing_credentials", BEARER);
    for reply in [
        context::<AnyScope>(&gate, &Fields::default()).expect_err("refused"),
        not_found(&gate),
        crate::ask::post("/v1/auth/tokens", &serde_json::json!({})).send(&gate),
        crate::ask::get("/v1/auth/tokens").send(&gate),
    ] {
        assert_eq!(shown(&reply), wanted);
    }
    assert_eq!(shown(&not_found(&house.gate)), None);
    let own = gate.clone().on_reject(|rejected| {
        let body = rejected.request_id.unwrap_or("none").into();
        Some(RejectBody { content_type: "text/plain".to_owned(), body })
    });
    assert_eq!(not_found(&own).body, b"01890a5d-ac96/1;o=1");
}

#[test]
fn h12_a_request_id_that_is_none_is_not_echoed() {
    let house = House::new();
    for id in ["", "a b", "ECHO\"", "ECHO<script>", "ECHO\r\nset-cookie: a", "ECHO\u{202e}", &"a".repeat(129)] {
        let reply = not_found(&house.gate.clone().with_request_id(id.as_bytes()));
        assert_eq!(reply, not_found(&house.gate), "{id:?}");
    }
}

#[test]
fn a_key_with_address_ranges_works_from_there_alone() {
    let house = House::new();
    let ranged = Holder::another_key(&house.authority, &house.acme.developer, |new| {
        new.allowed_ips = vec!["192.0.2.0/24".parse().expect("a range")];
    });
    let body = serde_json::json!({"developerId": "acme", "entityId": "acme-a", "apiKey": ranged.text.expose()});
    let path = "/v1/entities/auth/generate-token";
    let outside = crate::ask::post(path, &body).from("198.51.100.1").send(&house.gate);
    assert_refused(&outside, 401, "invalid_client", crate::ask::API_KEY);
    let inside = crate::ask::post(path, &body).from("192.0.2.9").send(&house.gate);
    let fields = Fields::bearer(json(&inside)["access_token"].as_str().expect("a token"));
    assert!(context::<AnyScope>(&house.gate, &fields.clone().from("192.0.2.1")).is_ok());
    refused(&house.gate, &fields, 401, "token_invalid", INVALID_TOKEN);
    refused(&house.gate, &fields.clone().from("198.51.100.1"), 401, "token_invalid", INVALID_TOKEN);

    let mut forged = fields.clone().from("198.51.100.1");
    forged.forwarded_for = vec![b"192.0.2.1".to_vec()];
    refused(&house.gate, &forged, 401, "token_invalid", INVALID_TOKEN);
    let gate = house.gate.clone().trust_proxies(vec!["198.51.100.0/24".parse().expect("a range")]);
    assert!(context::<AnyScope>(&gate, &forged).is_ok());
    forged.forwarded_for = vec![b"192.0.2.1, 203.0.113.5".to_vec()];
    refused(&gate, &forged, 401, "token_invalid", INVALID_TOKEN);
}

#[test]
fn s5_a_store_that_does_not_answer_is_an_opaque_503() {
    let house = House::new();
    let fields = Fields::bearer(&house.token(&house.acme)).query("entityId=acme-a");
    house.store.break_down();
    let reply = context::<AnyScope>(&house.gate, &fields).expect_err("refused");
    assert_refused(&reply, 503, "temporarily_unavailable", None);
    assert!(!String::from_utf8_lossy(&reply.body).contains("disk"));
    house.store.recover();
    assert!(context::<AnyScope>(&house.gate, &fields).is_ok());
}

#[test]
fn the_answers_of_a_router_are_problems_too() {
    let house = House::new();
    let reply = method_not_allowed(&house.gate, "GET, POST");
    assert_refused(&reply, 405, "method_not_allowed", None);
    assert_eq!(reply.header("allow"), Some("GET, POST"));
    assert_refused(&payload_too_large(&house.gate), 413, "payload_too_large", None);
    assert_refused(&internal_error(&house.gate), 500, "internal_error", None);
    assert_refused(&not_found(&house.gate), 404, "not_found", None);
}

#[test]
fn what_is_known_is_said_at_once_and_what_must_be_asked_is_waited_for() {
    let house = House::shared();
    let token = house.token(&house.acme);
    let fields = authorization(format!("Bearer {token}").as_bytes()).query("entityId=acme-a");
    let before = house.authority.statistics();
    for (passed, waits, why) in [
        (0, true, "nobody has asked whose the entity is"),
        (0, false, "that is remembered"),
        (6, true, "what was revoked meanwhile is not known"),
        (0, false, "it was read"),
    ] {
        house.clock.advance(passed);
        // Nothing of the request is held over the wait.
        let verdict = fields.head(|head| house.gate.entity_context::<AnyScope>(head, Serves::Home));
        assert_eq!(verdict.waits(), waits, "{why}");
        assert_eq!(block_on(verdict).map(|context| entity_of(&context)).ok().as_deref(), Some("acme-a"), "{why}");
    }
    let after = house.authority.statistics();
    let seen = after.verified + after.recognised - before.verified - before.recognised;
    assert_eq!(seen, 4, "each is looked at once, also where it waits");
    let other = fields.query("entityId=other-a");
    let verdict = other.head(|head| house.gate.entity_context::<AnyScope>(head, Serves::Home));
    assert!(verdict.waits(), "a no is asked for each time");
    assert_refused(&block_on(verdict).expect_err("another's"), 403, "entity_forbidden", INSUFFICIENT);
}
