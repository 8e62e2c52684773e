//! What only a socket can show: who is called, which fields, bodies and paths count, whose address it is.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::routing::{any, get};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use latchbook_axum::{AnyPrincipal, AnyScope, EntityContext, Gate, require_principal, routes};
use latchbook_core::authority::{Actor, Limits};
use latchbook_core::check::NewKey;
use latchbook_core::model::{Algorithm, Metadata, ScopeSet, Source};
use serde_json::json;

use support::log::Log;
use support::signing::{jwk, pair};
use support::wire::{OverWire as _, Raw, serve};
use support::{Answer, Holder, LIVE, World};

const DEVELOPER_TOKEN: &str = "/v1/auth/developer-token";

/// A server whose route `/entity` answers with the entity that was let in, and the contract's routes.
fn entity_server(gate: &Gate) -> SocketAddr {
    let handler = |entity: EntityContext<AnyScope>| async move { entity.entity_id().to_string() };
    serve(Router::new().route("/entity", any(handler)).merge(routes(gate)).with_state(gate.clone()))
}

fn bearer(raw: Raw, token: &str) -> Raw {
    raw.header("Authorization", format!("Bearer {token}"))
}

fn exchange(holder: &Holder, key: &str) -> Raw {
    Raw::new("POST", DEVELOPER_TOKEN).json(&json!({"developerId": holder.developer.id.as_str(), "apiKey": key}))
}

#[tokio::test(flavor = "multi_thread")]
async fn a7_nobody_is_called_for_a_key() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.set_nonblocking(true).expect("a listener");
    let url = format!("http://{}/keys.json", listener.local_addr().unwrap());
    let ((ours, ours_pem), (attacker, _)) = (pair(Algorithm::EdDsa), pair(Algorithm::EdDsa));
    let world = World::open_with(|builder| builder.signing_key(LIVE, ours_pem)).await;
    let holder = world.holder(LIVE, "acme").await;
    let good = world.token(&holder).await;
    let payload = good.split('.').nth(1).unwrap();
    let app = Router::new().route("/guarded", get(|_: AnyPrincipal| async {}));
    let server = serve(app.with_state(Gate::new(world.authority.clone())));
    assert_eq!(bearer(Raw::new("GET", "/guarded"), &good).send(server).await.status, 200);

    let jwk = jwk(attacker.public());
    let more = [
        format!(r#","jku":"{url}""#),
        format!(r#","x5u":"{url}""#),
        format!(r#","jku":"{url}","jwk":{jwk}"#),
        format!(r#","jku":"{url}","x5u":"{url}","x5t":"AA""#),
        String::new(),
    ];
    for (signer, kid) in [(&attacker, ours.id().as_str()), (&attacker, attacker.id().as_str()), (&attacker, &*url)] {
        for more in &more {
            let header = format!(r#"{{"alg":"EdDSA","typ":"at+jwt","kid":"{kid}"{more}}}"#);
            let signed = format!("{}.{payload}", BASE64URL.encode(&header));
            let token = format!("{signed}.{}", BASE64URL.encode(signer.sign(signed.as_bytes()).unwrap()));
            let answer = bearer(Raw::new("GET", "/guarded"), &token).send(server).await;
            assert_eq!(answer.verdict(), (401, "token_invalid".into()), "{header}");
        }
    }
    let heard = listener.accept().expect_err("nobody may call");
    assert_eq!(heard.kind(), ErrorKind::WouldBlock);
}

#[tokio::test(flavor = "multi_thread")]
async fn e4_e10_h16_an_entity_outside_the_query_is_not_read() {
    let world = World::open().await;
    let (acme, other) = (world.holder(LIVE, "acme").await, world.holder(LIVE, "other").await);
    for (developer, id) in [(&acme.developer, "ent_a"), (&acme.developer, "ent_b"), (&other.developer, "ent_other")] {
        world.entity(developer, id).await;
    }
    let (developer, entity) = (world.token(&acme).await, world.token_for(&acme, Some("ent_a"), None).await);
    let server = entity_server(&Gate::new(world.authority.clone()));
    for id in ["ent_b", "ent_other", "nobody"] {
        let pair = format!("entityId={id}");
        let json = json!({"entityId": id});
        let carriers: Vec<Box<dyn Fn(Raw) -> Raw>> = vec![
            Box::new(|raw| raw.header("entityId", id)),
            Box::new(|raw| raw.header("Entity-Id", id).header("X-Entity-Id", id).header("X-Account-Id", id)),
            Box::new(|raw| raw.header("X-Original-URL", format!("/entity?{pair}"))),
            Box::new(|raw| raw.header("X-Forwarded-Uri", format!("/entity?{pair}"))),
            Box::new(|raw| raw.header("Cookie", pair.clone())),
            Box::new(|raw| raw.json(&json)),
            Box::new(|raw| {
                let form = raw.header("Content-Type", "application/x-www-form-urlencoded");
                Raw { body: Some(pair.clone().into_bytes()), ..form }
            }),
        ];
        for (number, carry) in carriers.iter().enumerate() {
            let ask = |target: &str, token: &str| bearer(carry(Raw::new("POST", target)), token).send(server);
            let what = format!("{id}, carrier {number}");
            assert_eq!(ask("/entity", &developer).await.verdict(), (400, "missing_entity".into()), "{what}");
            assert_eq!(ask("/entity?entityId=ent_a", &developer).await.text(), "ent_a", "{what}");
            assert_eq!(ask("/entity", &entity).await.text(), "ent_a", "{what}");
            assert_eq!(ask("/entity?entityId=ent_a", &entity).await.text(), "ent_a", "{what}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn h16_an_address_is_the_sockets_whatever_the_fields_say() {
    let world = World::open().await;
    let acme = world.holder(LIVE, "acme").await;
    let new = NewKey {
        name: "from one network".into(),
        scopes: ScopeSet::parse("ledger:read").unwrap(),
        expires_at: None,
        allowed_ips: vec!["203.0.113.0/24".parse().unwrap()],
        metadata: Metadata::default(),
    };
    let keys = world.authority.keys();
    let made = keys.create(&Actor::Host, Source::UNKNOWN, &acme.developer, &new).await.unwrap();
    let claims = |raw: Raw| {
        ["X-Forwarded-For", "X-Real-IP", "X-Client-IP", "CF-Connecting-IP", "True-Client-IP"]
            .iter()
            .fold(raw.header("Forwarded", "for=203.0.113.5"), |raw, name| raw.header(*name, "203.0.113.5"))
    };
    let gate = Gate::new(world.authority.clone());
    let direct = entity_server(&gate);
    let refused = claims(exchange(&acme, made.text.expose())).send(direct).await;
    assert_eq!(refused.verdict(), (401, "invalid_client".into()));
    assert_eq!(refused, exchange(&acme, "no key at all").send(direct).await, "the same as for any key");

    // Only a proxy that the host named is believed.
    let behind = entity_server(&gate.trust_proxies(vec!["127.0.0.0/8".parse().unwrap()]));
    let issued = exchange(&acme, made.text.expose()).header("X-Forwarded-For", "203.0.113.5").send(behind).await;
    assert_eq!(issued.status, 200, "{issued:?}");
    let token = issued.json()["access_token"].as_str().unwrap().to_owned();
    let whoami = |raw: Raw| bearer(raw, &token);
    let ask = Raw::new("GET", "/v1/auth/whoami");
    assert_eq!(claims(whoami(ask.clone())).send(direct).await.verdict(), (401, "token_invalid".into()));
    assert_eq!(whoami(ask.clone()).header("X-Forwarded-For", "203.0.113.5").send(behind).await.status, 200);
    let spoofed = whoami(ask).header("X-Forwarded-For", "203.0.113.5, 198.51.100.1").send(behind).await;
    assert_eq!(spoofed.verdict(), (401, "token_invalid".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn h18_no_spelling_of_a_path_leads_around_the_guard() {
    let world = World::open().await;
    let gate = Gate::new(world.authority.clone());
    let runs = Arc::new(AtomicUsize::new(0));
    let (extracted, layered) = (Arc::clone(&runs), Arc::clone(&runs));
    let app = Router::new()
        .route(
            "/v1/guarded",
            any(move |_: AnyPrincipal| async move {
                extracted.fetch_add(1, Ordering::SeqCst);
            }),
        )
        .nest(
            "/v1/layered",
            Router::new()
                .route(
                    "/{*rest}",
                    any(move || async move {
                        layered.fetch_add(1, Ordering::SeqCst);
                    }),
                )
                .route_layer(require_principal(&gate)),
        )
        .route("/open", get(|| async { "open" }))
        .merge(routes(&gate))
        .with_state(gate.clone());
    let server = serve(app);
    let mut seen = BTreeSet::new();
    for path in ["/v1/guarded", "/v1/layered/x", "/v1/developers/keys"] {
        let (first, last) = path.rsplit_once('/').unwrap();
        let spellings = [
            path.to_owned(),
            format!("/{path}"),
            format!("{first}//{last}"),
            format!("{first}/./{last}"),
            format!("/open/..{path}"),
            format!("/open/%2e%2e{path}"),
            format!("/open/..%2f..{path}"),
            format!("/open/;{path}"),
            format!("{path}/"),
            format!("{path}/."),
            format!("{path}/../{last}"),
            format!("{path};a=b"),
            format!("{path}%20"),
            format!("{path}%00"),
            format!("{path}%2f"),
            format!("{path}?"),
            format!("{path}?access_token=x"),
            format!("{path}.json"),
            format!("{path}#open"),
            path.to_uppercase(),
            path.replace('g', "%67").replace('k', "%6b").replace('l', "%6c"),
            path.replace('/', "%2f").replacen("%2f", "/", 1),
            path.replace('/', "\\").replacen('\\', "/", 1),
            format!("http://localhost{path}"),
            format!("http://other.example{path}"),
            format!("http://localhost/open/..{path}"),
        ];
        for target in spellings {
            for method in ["GET", "POST", "HEAD", "OPTIONS", "PUT", "TRACE"] {
                let answer = Raw::new(method, &target).header("X-HTTP-Method-Override", "GET").send(server).await;
                let status = answer.status;
                assert!([400, 401, 404, 405].contains(&status), "{method} {target}: {answer:?}");
                seen.insert(status);
            }
        }
    }
    assert_eq!(runs.load(Ordering::SeqCst), 0, "no guarded handler ran");
    assert!(seen.contains(&401) && seen.contains(&404), "{seen:?}");
    let holder = world.holder(LIVE, "acme").await;
    let token = world.token(&holder).await;
    for path in ["/v1/guarded", "/v1/layered/x", "/v1/developers/keys"] {
        assert_eq!(bearer(Raw::new("GET", path), &token).send(server).await.status, 200, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn k6_l2_a_key_or_token_in_a_url_is_neither_read_nor_logged() {
    let log = Log::capture();
    let world = World::open().await;
    let acme = world.holder(LIVE, "acme").await;
    world.entity(&acme.developer, "ent_a").await;
    let (token, key) = (world.token(&acme).await, acme.text.expose());
    let server = entity_server(&Gate::new(world.authority.clone()));
    for name in ["access_token", "token", "jwt", "bearer", "authorization"] {
        let raw = Raw::new("GET", format!("/entity?entityId=ent_a&{name}={token}"));
        assert_eq!(raw.send(server).await.verdict(), (401, "missing_credentials".into()), "{name}");
    }
    for name in ["apiKey", "api_key", "key", "access_token", "client_secret"] {
        let query = format!("{name}={key}&developerId=acme");
        let guarded = Raw::new("GET", format!("/entity?entityId=ent_a&{query}")).send(server).await;
        assert_eq!(guarded.verdict(), (401, "missing_credentials".into()), "{name}");
        let empty = Raw::new("POST", format!("{DEVELOPER_TOKEN}?{query}")).json(&json!({"developerId": "acme"}));
        assert_eq!(empty.send(server).await.verdict(), (400, "invalid_request".into()), "{name}");
    }
    for secret in [&*token, key] {
        for path in [format!("/{secret}"), format!("/v1/developers/keys/{secret}"), format!("/entity/{secret}")] {
            let answer = Raw::new("GET", &path).send(server).await;
            assert!([401, 404].contains(&answer.status), "{answer:?}");
            assert!(!String::from_utf8_lossy(&answer.body).contains(secret));
        }
    }
    let log = log.text();
    assert!(log.contains("request refused"), "something was logged");
    for secret in [&*token, key] {
        let part = secret.rsplit(['.', '_']).next().unwrap();
        assert!(!log.contains(secret) && !log.contains(part), "a secret is in the log");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn k7_wrong_keys_are_limited_by_the_sockets_address_and_lock_nobody_out() {
    let world = World::open_with(|builder| builder.limits(Limits::default())).await;
    let (acme, other) = (world.holder(LIVE, "acme").await, world.holder(LIVE, "other").await);
    let server = entity_server(&Gate::new(world.authority.clone()));
    let mut answers: Vec<Answer> = Vec::new();
    for number in 0..40 {
        // An address of the sender's choice in every one.
        let raw = exchange(&acme, other.text.expose()).header("X-Forwarded-For", format!("192.0.2.{number}"));
        answers.push(raw.send(server).await);
    }
    let refused = answers.iter().filter(|answer| answer.verdict() == (401, "invalid_client".into())).count();
    let limited: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 429).collect();
    assert_eq!(refused + limited.len(), 40, "{answers:?}");
    // 20 at once, and one more for each three seconds that the test may have taken.
    assert!((20..40).contains(&refused), "{refused}");
    for answer in limited {
        assert_eq!(answer.code(), "rate_limited");
        let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=3).contains(&wait));
        assert_eq!(answer.json()["retry_after"], wait);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    for holder in [&acme, &other] {
        let good = exchange(holder, holder.text.expose()).send(server).await;
        assert_eq!(good.status, 200, "a right key is never refused for failures: {good:?}");
    }
}
