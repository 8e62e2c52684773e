//! Claims of rightly signed tokens: each that is wrong gets the answer of its row, and the code that goes with it.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD as BASE64URL};
use futures_executor::block_on;
use latchbook_core::jose::SigningPair;
use latchbook_core::model::{Algorithm, EnvironmentName, SecretText};
use latchbook_http::{Reply, Serves};
use serde_json::{Map, Value, json};

use crate::ask::{Fields, INVALID_TOKEN, assert_refused};
use crate::house::{House, START};

/// A house whose live signing key the test has too.
struct Forge {
    house: House,
    pair: SigningPair,
    claims: Map<String, Value>,
    entity_claims: Map<String, Value>,
}

impl Forge {
    fn new() -> Self {
        let (pair, der) = SigningPair::generate(Algorithm::EdDsa).expect("a key");
        let body = STANDARD.encode(der.expose());
        let pem = SecretText::new(format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"));
        let house = House::with(|builder| builder.signing_key(EnvironmentName::LIVE, pem));
        let claims = |token: String| {
            let payload = BASE64URL.decode(token.split('.').nth(1).expect("a payload")).expect("base64url");
            serde_json::from_slice(&payload).expect("claims")
        };
        let entity_claims = claims(house.entity_token(&house.acme, "acme-a"));
        Self { claims: claims(house.token(&house.acme)), entity_claims, house, pair }
    }

    /// Sends a token of this payload, rightly signed.
    fn send(&self, payload: &str) -> Result<(), Reply> {
        let header = format!(r#"{{"alg":"EdDSA","typ":"at+jwt","kid":"{}"}}"#, self.pair.id());
        let signed = format!("{}.{}", BASE64URL.encode(header), BASE64URL.encode(payload));
        let token = format!("{signed}.{}", BASE64URL.encode(self.pair.sign(signed.as_bytes()).expect("a signature")));
        let fields = Fields { peer: Some(IpAddr::from([192, 0, 2, 1])), ..Fields::bearer(&token) };
        fields.head(|head| block_on(self.house.gate.principal(head, Serves::Home))).map(|_| ())
    }

    /// Sends the developer token's claims with `name` as the JSON text `value`, or without it.
    fn with(&self, name: &str, value: Option<&str>) -> Result<(), Reply> {
        self.send(&spoiled(&self.claims, name, value))
    }

    #[track_caller]
    fn refused(&self, name: &str, values: &[Option<&str>], error: &str) {
        for value in values {
            match self.with(name, *value) {
                Ok(()) => panic!("let in with `{name}` as {value:?}"),
                Err(reply) => assert_refused(&reply, 401, error, INVALID_TOKEN),
            }
        }
    }
}

/// `claims` as JSON, with `name` as the JSON text `value` (which need not be one that serde would print), or without it.
fn spoiled(claims: &Map<String, Value>, name: &str, value: Option<&str>) -> String {
    let others =
        claims.iter().filter(|(other, _)| *other != name).map(|(other, value)| format!("{}:{value}", json!(other)));
    let own = value.map(|value| format!("{}:{value}", json!(name)));
    format!("{{{}}}", others.chain(own).collect::<Vec<_>>().join(","))
}

/// What is no NumericDate of ours.
const NO_INSTANTS: [Option<&str>; 12] = [
    None,
    Some("null"),
    Some("true"),
    Some("\"1795478400\""),
    Some("[1795478400]"),
    Some("{}"),
    Some("-1"),
    Some("1e999"),
    Some("1e9"),
    Some("1795478400.5"),
    Some("18446744073709551616"),
    Some("253402300800"),
];

#[test]
fn the_claims_of_our_own_tokens_are_let_in() {
    let forge = Forge::new();
    for claims in [&forge.claims, &forge.entity_claims] {
        assert_eq!(forge.send(&Value::Object(claims.clone()).to_string()), Ok(()));
        assert_eq!(forge.send(&spoiled(claims, "unknown", Some(r#"{"a":[1,null]}"#))), Ok(()));
    }
}

#[test]
fn c1_an_exp_that_is_none_is_an_invalid_token() {
    Forge::new().refused("exp", &NO_INSTANTS, "token_invalid");
}

#[test]
fn c2_an_exp_that_has_come_is_an_expired_token() {
    let forge = Forge::new();
    let at = |seconds: u64| seconds.to_string();
    forge.refused("exp", &[Some(&at(START)), Some(&at(START - 1)), Some("0")], "token_expired");
    assert_eq!(forge.with("exp", Some(&at(START + 1))), Ok(()));
}

#[test]
fn c3_an_exp_beyond_the_longest_life_is_an_invalid_token() {
    let forge = Forge::new();
    let at = |seconds: u64| seconds.to_string();
    forge.refused("exp", &[Some(&at(START + 315_360_000)), Some("253402300799")], "token_invalid");
}

#[test]
fn c4_c5_an_nbf_or_iat_that_is_none_is_an_invalid_token_and_one_ahead_an_early_one() {
    let forge = Forge::new();
    for name in ["nbf", "iat"] {
        forge.refused(name, &NO_INSTANTS, "token_invalid");
        let at = |ahead: u64| (START + ahead).to_string();
        forge.refused(name, &[Some(&at(6)), Some(&at(3600))], "token_not_active");
        assert_eq!(forge.with(name, Some(&at(5))), Ok(()), "{name} ahead by the leeway");
    }
}

#[test]
fn c6_another_audience_is_told_and_one_of_a_wrong_type_is_an_invalid_token() {
    let forge = Forge::new();
    let aud = forge.claims["aud"].as_str().expect("a text").to_owned();
    let others = [
        json!("other"),
        json!(""),
        json!(aud.to_uppercase()),
        json!(format!("{aud}/")),
        json!(format!("{aud} ")),
        json!(aud.replace("live", "sandbox")),
    ];
    let others: Vec<String> = others.iter().map(Value::to_string).collect();
    for other in &others {
        forge.refused("aud", &[Some(other)], "wrong_audience");
    }
    let list = json!([aud]).to_string();
    let mixed = json!([aud, 5]).to_string();
    forge.refused("aud", &[None, Some("null"), Some("5"), Some("[]"), Some(&list), Some(&mixed)], "token_invalid");
}

#[test]
fn c7_another_issuer_is_an_invalid_token() {
    let forge = Forge::new();
    let iss = forge.claims["iss"].as_str().expect("a text").to_owned();
    let texts: Vec<String> = [
        "other".to_owned(),
        iss.to_uppercase(),
        format!("{iss}/"),
        iss.replace("live", "sandbox"),
        iss.replace("https", "http"),
    ]
    .iter()
    .map(|text| json!(text).to_string())
    .collect();
    for text in &texts {
        forge.refused("iss", &[Some(text)], "token_invalid");
    }
    let list = json!([iss]).to_string();
    forge.refused("iss", &[None, Some("null"), Some("5"), Some(&list)], "token_invalid");
}

#[test]
fn c8_a_subject_that_is_none_or_unlike_the_rest_is_an_invalid_token() {
    let forge = Forge::new();
    let nobody =
        [None, Some("\"\""), Some("5"), Some("null"), Some("[\"acme\"]"), Some("\"other\""), Some("\"acme-a\"")];
    forge.refused("sub", &nobody, "token_invalid");
    forge.refused("developer", &[None, Some("\"other\""), Some("\"\""), Some("5")], "token_invalid");
    // An entity token's subject is its entity.
    for (name, value) in [
        ("sub", Some("\"acme\"")),
        ("sub", Some("\"acme-b\"")),
        ("entity", Some("\"acme-b\"")),
        ("entity", Some("null")),
        ("entity", Some("[\"acme-a\"]")),
        ("entity", None),
    ] {
        let reply = forge.send(&spoiled(&forge.entity_claims, name, value)).expect_err("refused");
        assert_refused(&reply, 401, "token_invalid", INVALID_TOKEN);
    }
    // A developer token does not become an entity token by one more claim.
    forge.refused("entity", &[Some("\"acme-a\""), Some("null")], "token_invalid");
}

#[test]
fn c9_a_token_without_an_id_is_an_invalid_one() {
    Forge::new().refused("jti", &[None, Some("null"), Some("\"\""), Some("5"), Some("\"a b\"")], "token_invalid");
}

#[test]
fn c8_c9_act_and_origin_are_well_formed_or_the_token_is_invalid() {
    let forge = Forge::new();
    let (key, token) = (forge.claims["client_id"].to_string(), forge.claims["jti"].to_string());
    let act = |members: &str| format!("{{{members}}}");
    let good = act(&format!(r#""sub":"acme","client_id":{key},"more":1"#));
    assert_eq!(forge.with("act", Some(&good)), Ok(()));
    assert_eq!(forge.with("origin", Some(&token)), Ok(()));
    let bad = [
        "null".to_owned(),
        act(""),
        act(r#""sub":"acme""#),
        act(&format!(r#""client_id":{key}"#)),
        act(&format!(r#""sub":"","client_id":{key}"#)),
        act(&format!(r#""sub":["acme"],"client_id":{key}"#)),
        act(r#""sub":"acme","client_id":"short""#),
        act(r#""sub":"acme","client_id":5"#),
        act(&format!(r#""sub":"acme","client_id":{key},"sub":"acme""#)),
        format!("[{good}]"),
    ];
    for act in &bad {
        forge.refused("act", &[Some(act)], "token_invalid");
    }
    let list = format!("[{token}]");
    let none = [Some("null"), Some("\"\""), Some("\"short\""), Some("5"), Some(&*list)];
    forge.refused("origin", &none, "token_invalid");
    let twice = format!(r#"{token},"origin":{token}"#);
    forge.refused("origin", &[Some(&twice)], "token_invalid");
}

#[test]
fn c10_another_environment_claim_is_told_and_none_is_an_invalid_token() {
    let forge = Forge::new();
    forge.refused("env", &[Some("\"sandbox\""), Some("\"nowhere\"")], "wrong_environment");
    let none = [None, Some("\"\""), Some("\"Live\""), Some("null"), Some("5"), Some("[\"live\"]")];
    forge.refused("env", &none, "token_invalid");
}

#[test]
fn the_other_claims_of_ours_must_be_there_and_of_their_type() {
    let forge = Forge::new();
    for name in ["client_id", "scope"] {
        forge.refused(name, &[None, Some("null"), Some("5"), Some("[]"), Some("{}")], "token_invalid");
    }
    for name in ["gen", "epoch"] {
        let values =
            [None, Some("null"), Some("\"0\""), Some("-1"), Some("1.5"), Some("[]"), Some("18446744073709551616")];
        forge.refused(name, &values, "token_invalid");
    }
    for name in ["ips", "act", "origin"] {
        forge.refused(name, &[Some("5"), Some("\"everywhere\""), Some("[5]"), Some("true")], "token_invalid");
    }
    // Ranges that came with the token bind it.
    forge.refused("ips", &[Some("[\"198.51.100.0/24\"]")], "token_invalid");
    assert_eq!(forge.with("ips", Some("[\"192.0.2.0/24\"]")), Ok(()));
}
