//! The OAuth endpoints, asked what a client library would tidy up before it is sent.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use latchbook_core::authority::Limits;
use latchbook_http::Gate;
use serde_json::json;

use crate::stage::opened;
use crate::{Holder, LIVE, Open, Raw, SANDBOX, World, assert_oauth_refused};

const FORM: &str = "application/x-www-form-urlencoded";
const ENDPOINTS: [&str; 3] = ["/oauth/token", "/oauth/introspect", "/oauth/revoke"];
const GOOD: &str = "grant_type=client_credentials&token=no.to.ken";

fn form(path: &str, body: &str) -> Raw {
    Raw { body: Some(body.into()), ..Raw::new("POST", path).field("Content-Type", FORM) }
}

fn basic(holder: &Holder) -> String {
    format!("Basic {}", STANDARD.encode(format!("{}:{}", holder.developer.id, holder.text.expose())))
}

pub async fn the_whole_way_of_a_client_that_has_never_heard_of_us(open: Open) {
    let world = World::open().await;
    let holder = world.holder(LIVE, "acme").await;
    let stage = opened(open, Gate::new(world.authority.clone())).await;
    let field = basic(&holder);
    let ask = |path: &str, body: &str| stage.send(form(path, body).field("Authorization", field.clone()));

    let server = stage.send(Raw::new("GET", "/.well-known/oauth-authorization-server/live")).await;
    assert_eq!((server.status.as_u16(), server.header("cache-control")), (200, Some("public, max-age=300")));
    assert_eq!(server.json()["response_types_supported"], json!(["none"]));

    let issued = ask("/oauth/token", "grant_type=client_credentials&scope=ledger%3Aread+ledger:write").await;
    assert_eq!((issued.status.as_u16(), issued.header("cache-control")), (200, Some("no-store")), "{issued:?}");
    assert_eq!(issued.json()["scope"], "ledger:read ledger:write");
    let token = issued.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(stage.get("/guarded", &token).await.status, 200);

    let exchange = format!(
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&subject_token={token}\
         &subject_token_type=urn:ietf:params:oauth:token-type:access_token&scope=ledger:read"
    );
    let narrow = stage.send(form("/oauth/token", &exchange)).await.json();
    assert_eq!(narrow["issued_token_type"], "urn:ietf:params:oauth:token-type:access_token");
    let narrow = narrow["access_token"].as_str().unwrap().to_owned();
    assert_eq!(stage.get("/guarded", &narrow).await.status, 200);

    let told = ask("/oauth/introspect", &format!("token={narrow}&token_type_hint=access_token")).await.json();
    assert_eq!((&told["active"], &told["scope"]), (&json!(true), &json!("ledger:read")));
    let revoked = ask("/oauth/revoke", &format!("token={token}")).await;
    assert_eq!((revoked.status.as_u16(), revoked.body.len()), (200, 0), "{revoked:?}");
    for token in [&token, &narrow] {
        assert_eq!(stage.get("/guarded", token).await.verdict(), (401, "token_revoked".into()));
        let told = ask("/oauth/introspect", &format!("token={token}")).await.json();
        assert_eq!(told, json!({"active": false}));
    }
}

pub async fn h3_h5_h7_a_client_shows_itself_in_one_field_however_that_is_written(open: Open) {
    let world = World::open().await;
    let holder = world.holder(LIVE, "acme").await;
    let stage = opened(open, Gate::new(world.authority.clone())).await;
    let good = basic(&holder);
    for path in ENDPOINTS {
        let ask = |fields: &[&str]| {
            let raw = fields.iter().fold(form(path, GOOD), |raw, field| raw.field("Authorization", *field));
            stage.send(raw)
        };
        for field in [good.replace("Basic ", "bASIC   "), format!("  {good} \t")] {
            assert_eq!(ask(&[&field]).await.status, 200, "{path} {field}");
        }
        for fields in [[&*good, &*good], [&*good, "Bearer x"], ["Bearer x", "Bearer x"]] {
            assert_oauth_refused(&ask(&fields).await, 400, "invalid_request");
        }
        let tab = good.replace("Basic ", "Basic\t");
        for field in [&*tab, "Basic", "Basic =", "Basic YQ", "Basic \u{e9}", "\u{e9}", "Bearer x.y.z"] {
            assert_oauth_refused(&ask(&[field]).await, 401, "invalid_client");
        }
    }
}

pub async fn h8_h10_h16_k6_credentials_and_tokens_are_read_nowhere_else(open: Open) {
    let world = World::open().await;
    let holder = world.holder(LIVE, "acme").await;
    let stage = opened(open, Gate::new(world.authority.clone())).await;
    let shown = format!("client_id=acme&client_secret={}&{GOOD}", holder.text.expose());
    for path in ENDPOINTS {
        assert_eq!(stage.send(form(path, &shown)).await.status, 200, "{path}");
        assert_oauth_refused(&stage.send(form(&format!("{path}?{shown}"), GOOD)).await, 401, "invalid_client");
        let elsewhere = form(path, GOOD)
            .field("Cookie", shown.clone())
            .field("X-Api-Key", holder.text.expose())
            .field("Proxy-Authorization", basic(&holder))
            .field("X-Forwarded-Authorization", basic(&holder));
        assert_oauth_refused(&stage.send(elsewhere).await, 401, "invalid_client");
        let empty = form(&format!("{path}?{GOOD}"), "").field("Authorization", basic(&holder));
        assert_oauth_refused(&stage.send(empty).await, 400, "invalid_request");
    }
}

pub async fn h14_k4_other_methods_media_types_and_lengths_have_the_form_of_oauth(open: Open) {
    let world = World::open().await;
    let holder = world.holder(LIVE, "acme").await;
    let stage = opened(open, Gate::new(world.authority.clone())).await;
    for path in ENDPOINTS {
        for method in ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"] {
            let answer = stage.send(Raw { method: method.to_owned(), ..form(path, GOOD) }).await;
            assert_oauth_refused(&answer, 405, "invalid_request");
            assert_eq!(answer.header("allow"), Some("POST"), "{method}");
        }
        let typed = |kind: &str| {
            let raw = Raw { body: Some(GOOD.into()), ..Raw::new("POST", path) };
            raw.field("Content-Type", kind).field("Authorization", basic(&holder))
        };
        for kind in ["", "application/json", "text/plain", "application/x-www-form-urlencoded-too", "form"] {
            assert_oauth_refused(&stage.send(typed(kind)).await, 415, "invalid_request");
        }
        assert_eq!(stage.send(typed("APPLICATION/x-www-form-urlencoded ;charset=utf-8")).await.status, 200);
        for length in [100 << 10, 10 << 20] {
            let long = form(path, &format!("client_id=acme&client_secret={}", "a".repeat(length)));
            assert_oauth_refused(&stage.send(long).await, 413, "invalid_request");
        }
        let body = [&b"4000\r\n"[..], &[b'a'; 0x4000], b"\r\n1\r\na\r\n0\r\n\r\n"].concat();
        let chunked = Raw { body: Some(body), ..form(path, "").field("Transfer-Encoding", "chunked") };
        assert_oauth_refused(&stage.send(chunked).await, 413, "invalid_request");
    }
}

pub async fn k7_refused_clients_are_limited_by_the_sockets_address(open: Open) {
    let world = World::open_with(|builder| builder.limits(Limits::default())).await;
    let (acme, boxed) = (world.holder(LIVE, "acme").await, world.holder(SANDBOX, "other").await);
    let stage = opened(open, Gate::new(world.authority.clone())).await;
    let wrong = basic(&Holder { text: boxed.text, ..acme.clone() });
    let mut limited = 0;
    for number in 0..24 {
        let path = ENDPOINTS[number % 3];
        let ask = form(path, GOOD).field("Authorization", wrong.clone());
        let answer = stage.send(ask.field("X-Forwarded-For", format!("192.0.2.{number}"))).await;
        match answer.status.as_u16() {
            429 => {
                assert_oauth_refused(&answer, 429, "rate_limited");
                assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
                limited += 1;
            }
            _ => assert_oauth_refused(&answer, 401, "invalid_client"),
        }
    }
    // 20 a minute: should the machine be slow, one or two are regained meanwhile.
    assert!((1..=4).contains(&limited), "{limited}");
    for path in ENDPOINTS {
        assert_eq!(stage.send(form(path, GOOD).field("Authorization", basic(&acme))).await.status, 200, "{path}");
    }
}
