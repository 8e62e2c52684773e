//! The published recipes of hostile requests, sent byte for byte over a real socket.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::routing::{get, post};
use latchbook_axum::{AnyEnvironment, Gate, Home, MaybeEntity, RequireScope, Sandboxed, routes};
use latchbook_core::authority::Actor;
use latchbook_core::check::{Brand, print_key_text};
use latchbook_core::model::{AnyScope, KeyId, SecretText, Source};
use serde_json::{Value, json};

use support::log::Log;
use support::scopes::LedgerWrite;
use support::wire::{OverWire as _, Raw, serve};
use support::{Answer, Holder, LIVE, SANDBOX, World, vectors};

/// Every path that exchanges a key for a token.
const EXCHANGE_PATHS: [&str; 5] = [
    "/v1/auth/tokens",
    "/v1/developers/auth/generate-token",
    "/v1/entities/auth/generate-token",
    "/v1/auth/developer-token",
    "/v1/auth/entity-token",
];

/// The server that the recipes ask for, and how often its guarded handlers ran.
fn server(gate: &Gate) -> (Router, Arc<AtomicUsize>) {
    fn entity<E>(found: &MaybeEntity<AnyScope, E>) -> String {
        found.entity().map_or_else(String::new, |entity| entity.entity_id().to_string())
    }
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let guarded = move |found: MaybeEntity<AnyScope, AnyEnvironment>| async move {
        counted.fetch_add(1, Ordering::SeqCst);
        entity(&found)
    };
    let router = Router::new()
        .route("/guarded", get(guarded.clone()).post(guarded))
        .route("/guarded/write", post(|_: RequireScope<LedgerWrite>| async { "written" }))
        .route("/live/guarded", get(|found: MaybeEntity<AnyScope, Home>| async move { entity(&found) }))
        .route("/sandbox/guarded", get(|found: MaybeEntity<AnyScope, Sandboxed>| async move { entity(&found) }))
        .route("/open", get(|| async { "open" }))
        .merge(routes(gate))
        .with_state(gate.clone());
    (router, runs)
}

struct Cast {
    world: World,
    acme: Holder,
    other: Holder,
    server: SocketAddr,
    runs: Arc<AtomicUsize>,
    places: HashMap<&'static str, String>,
}

async fn cast() -> Cast {
    let world = World::open().await;
    let acme = world.holder(LIVE, "acme").await;
    let other = world.holder(LIVE, "other").await;
    let boxed = world.holder(SANDBOX, "acme").await;
    for (developer, id) in [
        (&acme.developer, "ent_a"),
        (&acme.developer, "ent_b"),
        (&other.developer, "ent_other"),
        (&boxed.developer, "ent_sandbox"),
    ] {
        world.entity(developer, id).await;
    }
    let places = HashMap::from([
        ("token_unscoped", world.token(&acme).await),
        ("token_A", world.token_for(&acme, Some("ent_a"), None).await),
        ("token_read", world.token_for(&acme, None, Some("ledger:read")).await),
        ("token_sandbox", world.token(&boxed).await),
        ("api_key", acme.text.expose().to_owned()),
        ("account", "acme".to_owned()),
        ("entity_A", "ent_a".to_owned()),
        ("entity_B", "ent_b".to_owned()),
        ("entity_other", "ent_other".to_owned()),
        ("entity_none", "ent_none".to_owned()),
        ("entity_sandbox", "ent_sandbox".to_owned()),
    ]);
    let (router, runs) = server(&Gate::new(world.authority.clone()));
    Cast { world, acme, other, server: serve(router), runs, places }
}

impl Cast {
    /// `text` with every place filled.
    fn fill(&self, text: &str, exchange_path: &str) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (place, after) = after.split_once("}}").expect("an end of a place");
            filled.push_str(before);
            match (place, place.strip_prefix("fill:")) {
                ("exchange_path", _) => filled.push_str(exchange_path),
                (_, Some(count)) => filled.push_str(&"a".repeat(count.parse().expect("a number"))),
                _ => filled.push_str(self.places.get(place).unwrap_or_else(|| panic!("no place `{place}`"))),
            }
            rest = after;
        }
        filled + rest
    }

    fn request(&self, recipe: &Value, exchange_path: &str) -> Raw {
        let text = |value: &Value| self.fill(value.as_str().expect("a text"), exchange_path);
        // One character, one byte.
        let latin1 = |text: String| -> Vec<u8> { text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect() };
        let (path, query) = (text(&recipe["path"]), text(&recipe["query"]));
        let target = if query.is_empty() { path } else { format!("{path}?{query}") };
        let mut raw = Raw::new(text(&recipe["method"]), target);
        for field in recipe["headers"].as_array().expect("fields") {
            raw = raw.header(field[0].as_str().expect("a name"), latin1(text(&field[1])));
        }
        raw.body = recipe.get("body").map(|body| text(body).into_bytes());
        raw
    }
}

/// What the challenge must be, from the table at the head of the threat list.
fn assert_challenge(recipe: &Value, answer: &Answer, what: &str) {
    let challenge = answer.challenge();
    let row = recipe["row"].as_str().unwrap_or_default();
    let wanted = match answer.status {
        // A 413, a 404 or a 405 is not about a credential, nor is a refused key's 401 on the exchange routes.
        200..=299 | 404 | 405 | 413 | 415 | 431 => None,
        400 if row.starts_with('E') || recipe["path"] == "{{exchange_path}}" => None,
        400 => Some(Some("invalid_request")),
        401 if answer.code() == "missing_credentials" || recipe["method"] == "HEAD" => Some(None),
        401 => Some(Some("invalid_token")),
        403 => Some(Some("insufficient_scope")),
        status => panic!("{what}: no rule for {status}"),
    };
    match (wanted, challenge) {
        (None, None) => {}
        (Some(None), Some(challenge)) => assert!(is_bearer(challenge) && !challenge.contains("error="), "{what}"),
        (Some(Some(error)), Some(challenge)) => {
            assert!(is_bearer(challenge) && challenge.contains(&format!("error=\"{error}\"")), "{what}");
            assert_eq!(challenge.contains("scope=\""), answer.code() == "insufficient_scope", "{what}");
        }
        _ => panic!("{what}: {challenge:?}, wanted {wanted:?}"),
    }
}

/// H11: a scheme and quoted parameters, nothing between them but a comma.
fn is_bearer(challenge: &str) -> bool {
    let parameters = challenge.strip_prefix("Bearer ").unwrap_or_default();
    parameters.starts_with("realm=\"")
        && parameters.split("\", ").all(|parameter| {
            let (name, value) = parameter.split_once("=\"").unwrap_or_default();
            let value = value.strip_suffix('"').unwrap_or(value);
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') && !value.contains('"')
        })
}

/// What the recipe says in words.
fn assert_check(words: &str, answer: &Answer, ran: bool, what: &str) {
    for part in words.split("; ") {
        match part {
            "context is entity_A" => assert_eq!(answer.text(), "ent_a", "{what}"),
            "WWW-Authenticate: Bearer with realm and without error=" => {
                let challenge = answer.challenge().unwrap_or_default();
                assert!(challenge.starts_with("Bearer realm=\"") && !challenge.contains("error="), "{what}");
            }
            "WWW-Authenticate has error=\"insufficient_scope\" and scope=" => {
                let challenge = answer.challenge().unwrap_or_default();
                assert!(challenge.contains("error=\"insufficient_scope\"") && challenge.contains("scope=\""), "{what}");
            }
            "the guarded handler did not run" => assert!(!ran, "{what}"),
            // Checked for all recipes together: by the context above, by `pair`, by the log that is searched at the end.
            "the header is not read" | "same bytes as the other of the pair, but for ids" | "key not in any log" => {}
            unknown => panic!("{what}: no check for `{unknown}`"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_recipe_gets_the_status_the_code_and_the_challenge_that_it_asks_for() {
    let Some(file) = vectors::read("own/http_requests.json") else { return };
    let log = Log::capture();
    let cast = cast().await;
    let recipes = file["requests"].as_array().expect("a list");
    let mut pairs: HashMap<&str, Vec<Answer>> = HashMap::new();
    let mut played = 0;
    for recipe in recipes {
        let exchanges = recipe["path"] == "{{exchange_path}}";
        for path in if exchanges { &EXCHANGE_PATHS[..] } else { &EXCHANGE_PATHS[..1] } {
            let runs = cast.runs.load(Ordering::SeqCst);
            let answer = cast.request(recipe, path).send(cast.server).await;
            let ran = cast.runs.load(Ordering::SeqCst) != runs;
            let what = format!("{} {} {}: {answer:.300?}", recipe["id"], recipe["row"], recipe["name"]);
            let status = Value::from(answer.status);
            let allowed = recipe["status"].as_array().map_or(recipe["status"] == status, |any| any.contains(&status));
            assert!(allowed, "{what}");
            let code = recipe["code"].as_str().expect("a code");
            assert!(code.is_empty() || answer.code() == code, "{what}");
            assert!(answer.status != 405 || answer.header("allow").is_some(), "{what}");
            assert_challenge(recipe, &answer, &what);
            if !answer.code().is_empty() {
                assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{what}");
                assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}");
            }
            if let Some(words) = recipe.get("check").and_then(Value::as_str) {
                assert_check(words, &answer, ran, &what);
            }
            if let Some(pair) = recipe.get("pair").and_then(Value::as_str) {
                pairs.entry(pair).or_default().push(answer);
            }
        }
        played += 1;
    }
    for (pair, answers) in &pairs {
        assert_eq!(answers.len(), 2, "{pair}");
        assert_eq!(answers[0], answers[1], "{pair}");
    }
    println!("{played} of {} requests played, none skipped; {} pairs compared", recipes.len(), pairs.len());
    assert_eq!(played, recipes.len());
    // K6, L2: neither key nor token is in the log, at its finest.
    let log = log.text();
    for name in ["token_unscoped", "token_A", "token_read", "token_sandbox", "api_key"] {
        let secret = &cast.places[name];
        assert!(!log.contains(secret.as_str()), "{name} is in the log");
        let signature = secret.rsplit(['.', '_']).next().unwrap();
        assert!(!log.contains(signature), "a part of {name} is in the log");
    }
    assert!(log.contains("refused"), "nothing was logged");
}

#[tokio::test(flavor = "multi_thread")]
async fn e2_an_entity_out_of_reach_and_one_that_is_not_there_get_the_same_bytes() {
    let cast = cast().await;
    let ask = |entity: &str| {
        let bearer = format!("Bearer {}", cast.places["token_unscoped"]);
        Raw::new("GET", format!("/guarded?entityId={entity}")).header("Authorization", bearer).send(cast.server)
    };
    let anothers = ask("ent_other").await;
    assert_eq!(anothers.verdict(), (403, "entity_forbidden".into()));
    for entity in ["ent_none", "ent_sandbox", "acme", "other"] {
        assert_eq!(ask(entity).await, anothers, "{entity}");
    }
    let removed = latchbook_core::model::EntityRef {
        developer: cast.acme.developer.clone(),
        id: latchbook_core::model::EntityId::parse("ent_b").unwrap(),
    };
    assert_eq!(ask("ent_b").await.status, 200);
    cast.world.authority.entities().remove(&Actor::Host, Source::UNKNOWN, &removed).await.unwrap();
    assert_eq!(ask("ent_b").await, anothers, "E15");
}

#[tokio::test(flavor = "multi_thread")]
async fn k1_k2_k3_e12_every_failed_exchange_gets_the_same_bytes() {
    let cast = cast().await;
    let (world, acme) = (&cast.world, &cast.acme);
    let host = Actor::Host;
    let brand = Brand::default();
    let revoked = world.key(&acme.developer, "ledger:read").await;
    world.authority.keys().revoke(&host, Source::UNKNOWN, &acme.developer, revoked.key).await.unwrap();
    let soon = world.authority.now().plus(60);
    let expired = world.key_until(&acme.developer, "ledger:read", Some(soon)).await;
    world.advance(61);
    let suspended = world.holder(LIVE, "suspended").await;
    world.authority.developers().suspend(&host, Source::UNKNOWN, &suspended.developer).await.unwrap();

    let good = acme.text.expose();
    let secret = "A".repeat(43);
    let unknown = print_key_text(&brand, LIVE, KeyId::parse("0123456789abcdEF").unwrap(), &secret);
    let wrong_secret = print_key_text(&brand, LIVE, acme.key, &secret);
    let letter = good.rfind(|c: char| c.is_ascii_lowercase()).expect("a letter");
    let mut swapped_case = good.to_owned();
    swapped_case[letter..=letter].make_ascii_uppercase();
    let last = if good.ends_with('0') { "1" } else { "0" };
    let keys: Vec<(&str, &str, SecretText)> = vec![
        ("unknown key", "acme", unknown),
        ("right id, wrong secret", "acme", wrong_secret),
        ("revoked", "acme", revoked.text.clone()),
        ("expired", "acme", expired.text.clone()),
        ("suspended developer", "suspended", suspended.text.clone()),
        ("key of another developer", "acme", cast.other.text.clone()),
        ("unknown developer", "nobody", acme.text.clone()),
        ("a developer's name that is no id", "a b", acme.text.clone()),
        ("letter case", "acme", SecretText::new(swapped_case)),
        ("space after", "acme", SecretText::new(format!("{good} "))),
        ("newline after", "acme", SecretText::new(format!("{good}\n"))),
        ("one character cut", "acme", SecretText::new(good[..good.len() - 1].to_owned())),
        ("one character added", "acme", SecretText::new(format!("{good}0"))),
        ("wrong checksum", "acme", SecretText::new(format!("{}{last}", &good[..good.len() - 1]))),
        ("empty", "acme", SecretText::new(String::new())),
        ("prefix edited", "acme", SecretText::new(good.replace("_live_", "_sandbox_"))),
        ("other brand", "acme", SecretText::new(good.replacen("lb_", "xx_", 1))),
        ("a token", "acme", SecretText::new(cast.places["token_unscoped"].clone())),
        ("10 KiB", "acme", SecretText::new("a".repeat(10 << 10))),
    ];
    for path in EXCHANGE_PATHS {
        let ask = |developer: &str, key: &SecretText| {
            let key = key.expose();
            let body = match path {
                "/v1/auth/tokens" => json!({"userType": "developer", "id": developer, "apiKey": key}),
                _ => json!({"developerId": developer, "apiKey": key, "entityId": "ent_a"}),
            };
            Raw::new("POST", path).json(&body).send(cast.server)
        };
        let let_in = ask("acme", &acme.text).await;
        assert_eq!((let_in.status, let_in.header("cache-control")), (200, Some("no-store")), "{path}");
        let mut first: Option<Answer> = None;
        for (what, developer, key) in &keys {
            let refused = ask(developer, key).await;
            assert_eq!(refused.verdict(), (401, "invalid_client".into()), "{path}: {what}");
            assert!(refused.challenge().unwrap().starts_with("ApiKey realm=\""), "{path}: {what}");
            assert_eq!(&refused, first.get_or_insert_with(|| refused.clone()), "{path}: {what}");
        }
    }
}
