//! Usage: counts per key and day, of the caller's own keys, between two dates.

use futures_executor::block_on;
use serde_json::{Value, json as object};

use crate::ask::{BEARER, assert_refused, delete, get, json, post};
use crate::house::{Holder, House};

const USAGE: &str = "/v1/developers/usage";
const DAY: u64 = 86_400;

/// `requests` requests with one token of `holder`, then everything that was counted is written.
fn use_it(house: &House, holder: &Holder, requests: u64) {
    let token = house.token(holder);
    for _ in 0..requests {
        assert_eq!(get("/v1/auth/whoami").bearer(&token).send(&house.gate).status, 200);
    }
    block_on(house.authority.shutdown()).expect("written");
}

fn row(holder: &Holder, date: &str, requests: u64, exchanges: u64) -> Value {
    object!({"keyId": holder.key.as_str(), "date": date, "requests": requests, "exchanges": exchanges})
}

#[test]
fn l7_a_developer_reads_how_often_its_own_keys_were_used_by_day_then_by_key() {
    let house = House::new();
    let another = Holder::another_key(&house.authority, &house.acme.developer, |_| {});
    let mut keys = [&house.acme, &another];
    keys.sort_by_key(|holder| holder.key);
    for day in 1..=3 {
        use_it(&house, keys[1], day);
        use_it(&house, keys[0], 7);
        use_it(&house, &house.other, 9);
        use_it(&house, &house.boxed, 11);
        house.clock.advance(DAY);
    }
    let all = [
        row(keys[0], "2026-11-24", 7, 1),
        row(keys[1], "2026-11-24", 1, 1),
        row(keys[0], "2026-11-25", 7, 1),
        row(keys[1], "2026-11-25", 2, 1),
        row(keys[0], "2026-11-26", 7, 1),
        row(keys[1], "2026-11-26", 3, 1),
    ];
    let token = house.token(&house.acme);
    // What these requests count themselves is not written yet.
    let cases = [
        ("", ("2026-10-29", "2026-11-27"), &all[..]),
        ("?from=2026-11-24&to=2026-11-26", ("2026-11-24", "2026-11-26"), &all[..]),
        ("?to=2026-11-25&from=2026-11-25", ("2026-11-25", "2026-11-25"), &all[2..4]),
        ("?from=2026-11-26", ("2026-11-26", "2026-11-27"), &all[4..]),
        ("?to=2026-11-24", ("2026-10-26", "2026-11-24"), &all[..2]),
        ("?to=2026-11-23", ("2026-10-25", "2026-11-23"), &[]),
        ("?from=2026-11-24&to=2027-11-24", ("2026-11-24", "2027-11-24"), &all[..]),
    ];
    for (query, (from, to), rows) in cases {
        let reply = get(&format!("{USAGE}{query}")).bearer(&token).send(&house.gate);
        assert_eq!(reply.status, 200, "{query}");
        assert_eq!(reply.header("content-type"), Some("application/json"));
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        assert_eq!(json(&reply), object!({"from": from, "to": to, "usage": rows}), "{query}");
    }
    // Every mounted environment is served, and they are kept apart.
    let boxed = get(USAGE).bearer(&house.token(&house.boxed)).send(&house.gate);
    let rows: Vec<_> = ["2026-11-24", "2026-11-25", "2026-11-26"].map(|date| row(&house.boxed, date, 11, 1)).into();
    assert_eq!(json(&boxed)["usage"], object!(rows));
}

#[test]
fn usage_is_for_developer_tokens_that_hold_audit_read() {
    let house = House::new();
    assert_refused(&get(USAGE).send(&house.gate), 401, "missing_credentials", BEARER);
    let narrow = house.narrow_token(&house.acme, "keys:manage ledger:read");
    let reply = get(USAGE).bearer(&narrow).send(&house.gate);
    let lacking = Some("Bearer realm=\"latchbook\", error=\"insufficient_scope\", scope=\"audit:read\"");
    assert_refused(&reply, 403, "insufficient_scope", lacking);
    // An entity token carries no management scope.
    let entity = house.entity_token(&house.acme, "acme-a");
    assert_refused(&get(USAGE).bearer(&entity).send(&house.gate), 403, "insufficient_scope", lacking);
    let enough = house.narrow_token(&house.acme, "audit:read");
    assert_eq!(get(USAGE).bearer(&enough).send(&house.gate).status, 200);
    for other in [post(USAGE, &object!({})), delete(USAGE)] {
        assert_eq!(other.bearer(&enough).send(&house.gate).status, 405);
    }
    // Who may not ask is not told what is wrong with the question.
    assert_refused(
        &get(&format!("{USAGE}?from=x")).bearer(&narrow).send(&house.gate),
        403,
        "insufficient_scope",
        lacking,
    );
}

#[test]
fn dates_that_are_none_or_in_the_wrong_order_or_too_far_apart_are_400() {
    let house = House::new();
    let token = house.token(&house.acme);
    for (query, says) in [
        ("from=24.11.2026", "`from` must be given once"),
        ("from=2026-11-31", "`from` must be given once"),
        ("from=2026-11-24T00:00:00Z", "`from` must be given once"),
        ("from=", "`from` must be given once"),
        ("from", "`from` must be given once"),
        ("from=2026-11-24&from=2026-11-24", "`from` must be given once"),
        ("from=2026-11-24&fro%6d=2026-11-24", "`from` must be given once"),
        ("to=now", "`to` must be given once"),
        ("to=1969-12-31", "`to` must be given once"),
        ("to=2026-11-24&to=2026-11-25", "`to` must be given once"),
        ("from=2026-11-24&to=2026-11-23", "`from` must not be after `to`"),
        ("from=2026-11-25", "which is today"),
        ("from=2025-11-23&to=2026-11-24", "at most 366 days"),
    ] {
        let reply = get(&format!("{USAGE}?{query}")).bearer(&token).send(&house.gate);
        assert_refused(&reply, 400, "invalid_request", None);
        let message = json(&reply)["message"].to_string();
        assert!(message.contains(says), "{query}: {message}");
    }
}
