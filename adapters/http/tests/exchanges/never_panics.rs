//! Laws of what sees hostile bytes first: the two readers, and every endpoint.

use std::cell::RefCell;
use std::collections::BTreeMap;

use latchbook_http::form::{Form, FormError};
use latchbook_http::{credential, endpoints, query};
use proptest::prelude::*;

use crate::ask::{Ask, FORM};
use crate::house::House;

fn field() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..64),
        "(?i)bearer[ \t]{0,3}[A-Za-z0-9._~+/=,\" -]{0,40}".prop_map(String::into_bytes),
        "[Bb]earer .{0,20}".prop_map(String::into_bytes),
    ]
}

fn query_text() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,64}",
        "(entityId|%65ntityId|entity%|x|access_token)?=?[a-z%0-9&;=+]{0,24}(&entityId=?[a-z%0-9]{0,6}){0,3}",
    ]
}

/// JSON that an endpoint may not expect, as text. Every string in it says `ECHO`.
fn hostile_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("-0".to_owned()),
        Just("1e999".to_owned()),
        Just("18446744073709551616".to_owned()),
        Just("1.5".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        "[^\\p{Cc}\"\\\\]{0,8}".prop_map(|text| format!("\"ECHO{text}\"")),
        Just(r#""ECHO\u0000\r\n\u202e""#.to_owned()),
        Just(r#""ECHO\ud800""#.to_owned()),
        Just(format!("\"ECHO{}\"", "a".repeat(300))),
        (1..4_000_usize).prop_map(|depth| "[".repeat(depth) + &"]".repeat(depth)),
        Just(String::new()),
    ];
    leaf.prop_recursive(2, 12, 3, |inside| {
        prop_oneof![
            prop::collection::vec(inside.clone(), 0..3).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec((member(), inside), 0..3).prop_map(|members| object(&members)),
        ]
    })
}

fn member() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "userType",
        "id",
        "developerId",
        "entityId",
        "apiKey",
        "scope",
        "expiresIn",
        "name",
        "developer_id",
        "industry",
        "preferences",
        "currency",
        "timezone",
        "locale",
        "scopes",
        "expiresAt",
        "allowedIps",
        "metadata",
        "",
        "\\u0069d",
    ])
    .prop_map(str::to_owned)
}

fn object(members: &[(String, String)]) -> String {
    let members: Vec<String> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", members.join(","))
}

/// Members that make a good body at each endpoint, with `others` in place of some.
fn spoiled(others: Vec<(String, String)>) -> Vec<(String, String)> {
    let good = [
        ("userType", "\"entity\""),
        ("id", "\"acme-a\""),
        ("developerId", "\"acme\""),
        ("entityId", "\"acme-a\""),
        ("apiKey", "\"lb_live_0123456789abcdEF_ECHO\""),
        ("name", "\"A name\""),
        ("developer_id", "\"newcomer\""),
        ("scopes", "[\"ledger:read\"]"),
    ];
    let mut members: BTreeMap<String, String> =
        good.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    members.extend(others);
    members.into_iter().collect()
}

/// A form that an endpoint may not expect. Every value in it says `ECHO`.
fn hostile_form() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "grant_type",
        "client_id",
        "client_secret",
        "scope",
        "entity_id",
        "subject_token",
        "subject_token_type",
        "requested_token_type",
        "actor_token",
        "resource",
        "audience",
        "token",
        "token_type_hint",
        "%74oken",
        "",
    ]);
    let value = prop_oneof![
        2 => Just("client_credentials".to_owned()),
        2 => Just("urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange".to_owned()),
        2 => Just("urn:ietf:params:oauth:token-type:access_token".to_owned()),
        1 => Just("acme".to_owned()),
        1 => Just(String::new()),
        1 => "ECHO[a-z+%=;:. ]{0,12}",
        1 => "ECHO.{0,12}",
        1 => "ECHO(%[0-9a-fA-F]{2}){0,6}",
        1 => Just(format!("ECHO{}", "a".repeat(9_000))),
    ];
    prop::collection::vec((name, value), 0..7).prop_map(|pairs| {
        let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("&")
    })
}

/// A request to one of the endpoints, with or without a good token.
fn hostile_ask() -> impl Strategy<Value = (prop::sample::Index, String, Option<String>, String, bool)> {
    let body = prop_oneof![
        prop::collection::vec((member(), hostile_json()), 0..3).prop_map(|members| object(&spoiled(members))),
        prop::collection::vec((member(), hostile_json()), 0..8).prop_map(|members| object(&members)),
        hostile_json(),
        "[{}\"\\[\\]:,a0\\\\ ]{0,40}",
        hostile_form(),
    ];
    let content_type = prop::option::weighted(
        0.9,
        prop_oneof![9 => Just("application/json".to_owned()), 9 => Just(FORM.to_owned()), 1 => ".{0,20}"],
    );
    (any::<prop::sample::Index>(), body, content_type, query_text(), any::<bool>())
}

thread_local! {
    // One house for all cases of a test: it must stand them all.
    static HOUSE: RefCell<Option<(House, String)>> = const { RefCell::new(None) };
}

fn with_house<T>(look: impl FnOnce(&House, &str) -> T) -> T {
    HOUSE.with_borrow_mut(|house| {
        let (house, token) = house.get_or_insert_with(|| {
            let house = House::new();
            let token = house.token(&house.acme);
            (house, token)
        });
        look(house, token)
    })
}

proptest! {
    #[test]
    fn every_endpoint_answers_whatever_is_sent_without_a_fault_and_without_an_echo(
        (endpoint, body, content_type, query, signed_in) in hostile_ask(), parameter in "(ECHO)?[^/?]{0,20}"
    ) {
        let reply = with_house(|house, token| {
            let endpoints = endpoints(&house.gate);
            let endpoint = endpoint.get(&endpoints);
            let path = match endpoint.path.split_once('{') {
                Some((before, _)) => format!("{before}{parameter}"),
                None => endpoint.path.to_owned(),
            };
            let ask = Ask::hostile(endpoint.method, &path, &query, content_type.as_deref(), body.as_bytes());
            let ask = if signed_in { ask.bearer(token) } else { ask };
            ask.send(&house.gate)
        });
        let text = String::from_utf8_lossy(&reply.body);
        prop_assert!(reply.status < 500, "{} {}", reply.status, text);
        prop_assert!(reply.status < 400 || !text.contains("ECHO"), "{}", text);
        for (_, value) in &reply.headers {
            prop_assert!(value.bytes().all(|byte| matches!(byte, b' '..=b'~')) && !value.contains("ECHO"));
        }
        prop_assert_eq!(reply.header("cache-control").is_some(), true);
    }

    #[test]
    fn a_credential_is_read_the_same_each_time_and_is_part_of_its_field(
        fields in prop::collection::vec(field(), 0..3), query in prop::option::of(query_text())
    ) {
        let fields: Vec<&[u8]> = fields.iter().map(Vec::as_slice).collect();
        let first = credential::parse(&fields, query.as_deref());
        prop_assert_eq!(&credential::parse(&fields, query.as_deref()), &first);
        if let Ok(Some(token)) = first {
            prop_assert_eq!(fields.len(), 1);
            prop_assert!(!token.is_empty() && token.len() <= credential::MAX_TOKEN && token.is_ascii());
            prop_assert!(fields[0].trim_ascii_end().ends_with(token.as_bytes()));
            let again = format!("Bearer {token}");
            prop_assert_eq!(credential::parse(&[again.as_bytes()], None), Ok(Some(token)));
        }
    }

    #[test]
    fn a_parameter_is_read_the_same_each_time_and_is_there_when_it_is_found(query in query_text()) {
        let first = query::find(Some(&query), "entityId");
        prop_assert_eq!(&query::find(Some(&query), "entityId"), &first);
        prop_assert_eq!(query::contains(&query, "entityId"), first != Ok(None));
    }

    #[test]
    fn a_form_that_is_read_says_of_each_parameter_what_was_put_in_it(
        pairs in prop::collection::btree_map("[a-z_]{1,6}", ".{0,12}", 0..6), repeated: prop::sample::Index
    ) {
        let coded = |text: &str| -> String { text.bytes().map(|byte| format!("%{byte:02X}")).collect() };
        let mut body: Vec<String> = pairs.iter().map(|(name, value)| format!("{}={}", coded(name), coded(value))).collect();
        let form = Form::parse(body.join("&").as_bytes(), &[]).expect("a form");
        for (name, value) in &pairs {
            prop_assert_eq!(form.text(name), Some(value.as_str()).filter(|value| !value.is_empty()));
        }
        if !body.is_empty() {
            body.push(repeated.get(&body).clone());
            let twice = Form::parse(body.join("&").as_bytes(), &[]).map(|_| ());
            prop_assert_eq!(twice, Err(FormError::Repeated));
        }
    }

    #[test]
    fn no_bytes_make_the_form_reader_panic_and_what_it_reads_it_reads_again(
        body in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..64),
            hostile_form().prop_map(String::into_bytes),
        ]
    ) {
        let read = || Form::parse(&body, &[]).map(|form| form.text("token").map(str::to_owned));
        prop_assert_eq!(read(), read());
    }

    #[test]
    fn a_percent_coded_value_comes_back_whole(value in ".{0,32}") {
        let coded: String = value.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let query = format!("x=1&entityId={coded}&y");
        let found = query::find(Some(&query), "entityId");
        prop_assert_eq!(found.as_ref().map(|found| found.as_deref()), Ok(Some(&*value)));
        let twice = format!("{query}&entity%49d=1");
        prop_assert_eq!(query::find(Some(&twice), "entityId"), Err(query::QueryError::Repeated));
    }
}
