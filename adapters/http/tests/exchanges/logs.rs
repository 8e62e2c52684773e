//! The log at its finest: no secret in it, and no event on more than one line.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use futures_executor::block_on;
use latchbook_core::model::AnyScope;
use latchbook_http::Serves;
use serde_json::json as object;
use tracing_subscriber::filter::LevelFilter;

use crate::ask::{Fields, delete, get, json, post, post_form, post_text, text};
use crate::house::{FAULT, House};

/// What is written by `run`, at every level.
fn logged(run: impl FnOnce()) -> String {
    let log = Log::default();
    let writer = Mutex::new(log.clone());
    let subscriber = tracing_subscriber::fmt().without_time().with_ansi(false).with_max_level(LevelFilter::TRACE);
    tracing::subscriber::with_default(subscriber.with_writer(writer).finish(), run);
    let bytes = log.0.lock().expect("a log").clone();
    String::from_utf8(bytes).expect("a text")
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("a log").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn ask_guard(house: &House, fields: &Fields) -> u16 {
    let answer = fields.head(|head| block_on(house.gate.entity_context::<AnyScope>(head, Serves::Home)));
    answer.map_or_else(|reply| reply.status, |_| 200)
}

#[test]
fn l2_k6_no_secret_is_logged_wherever_it_is_sent() {
    let house = House::new();
    let key = house.acme.text.expose().to_owned();
    let token = house.token(&house.acme);
    let idempotency_key = "thirty-two-characters-that-nobody-guesses";
    let mut secrets = vec![key.clone(), token.clone(), idempotency_key.to_owned()];
    let log = logged(|| {
        // Where they belong.
        let body = object!({"developerId": "acme", "apiKey": key});
        secrets.push(text(&json(&post("/v1/auth/developer-token", &body).send(&house.gate))["access_token"]));
        let new = object!({"name": "x", "scopes": ["ledger:read"]});
        let made = json(&post("/v1/developers/keys", &new).bearer(&token).send(&house.gate));
        secrets.push(text(&made["apiKey"]));
        let path = format!("/v1/developers/keys/{}", text(&made["id"]));
        assert_eq!(delete(&path).bearer(&token).send(&house.gate).status, 204);
        let order = object!({"name": "Try it", "developer_id": "newcomer"});
        let opened = json(&post("/v1/sandbox", &order).idempotency_key(idempotency_key).send(&house.gate));
        secrets.extend([text(&opened["data"]["developer"]["apiKey"]), text(&opened["data"]["token"])]);
        let form = [("grant_type", "client_credentials")];
        let issued = post_form("/oauth/token", &form).basic("acme", &key).send(&house.gate);
        let issued = text(&json(&issued)["access_token"]);
        secrets.push(text(&json(&post_form("/oauth/token", &exchanged(&issued)).send(&house.gate))["access_token"]));
        for path in ["/oauth/introspect", "/oauth/revoke"] {
            let reply = post_form(path, &[("token", &issued)]).basic("acme", &key).send(&house.gate);
            assert_eq!(reply.status, 200, "{path}");
        }
        secrets.push(issued);
        // Where they do not: in a URL, in place of each other and of an id, in a broken body, revoked, mistyped.
        for secret in secrets.clone() {
            for path in ["/v1/auth/whoami", "/v1/developers/keys", "/v1/developers/audit", "/v1/developers/usage"] {
                get(&format!("{path}?apiKey={secret}&access_token={secret}&cursor={secret}")).send(&house.gate);
                get(&format!("{path}?cursor={secret}")).bearer(&token).send(&house.gate);
            }
            get(&format!("/v1/developers/keys/{secret}")).bearer(&token).send(&house.gate);
            get(&format!("/.well-known/jwks/{secret}")).send(&house.gate);
            get("/v1/auth/whoami").bearer(&secret).send(&house.gate);
            ask_guard(&house, &Fields::bearer(&secret).query(&format!("entityId={secret}")));
            ask_guard(&house, &Fields::bearer(&token).query(&format!("entityId={secret}")));
            for (developer, key) in [("acme", &*secret), (&*secret, &*key), ("acme", &format!("{secret}0"))] {
                let body = object!({"developerId": developer, "apiKey": key, "entityId": secret, "scope": secret});
                for path in ["/v1/auth/developer-token", "/v1/auth/entity-token", "/v1/auth/tokens"] {
                    post(path, &body).send(&house.gate);
                }
            }
            for path in ["/oauth/token", "/oauth/introspect", "/oauth/revoke"] {
                post_form(path, &spoilt(&secret)).basic("acme", &secret).send(&house.gate);
                post_form(path, &[("grant_type", "client_credentials"), ("token", &secret)])
                    .basic(&secret, &key)
                    .send(&house.gate);
                post_form(&format!("{path}?token={secret}"), &[("grant_type", &secret), (&secret, &secret)])
                    .bearer(&secret)
                    .send(&house.gate);
            }
            post_form("/oauth/token", &spoilt(&secret)).send(&house.gate);
            post_text("/v1/auth/tokens", &secret).send(&house.gate);
            post("/v1/sandbox", &object!({"name": secret, "developer_id": secret})).send(&house.gate);
        }
        house.store.break_down();
        post("/v1/auth/developer-token", &body).send(&house.gate);
        ask_guard(&house, &Fields::bearer(&token).query("entityId=acme-b"));
    });
    assert!(
        log.contains("exchange refused") && log.contains("request refused") && log.contains("not answered"),
        "{log}"
    );
    for secret in &secrets {
        assert!(!log.contains(secret.as_str()), "a secret is in the log");
        // A key's secret part and a token's signature give as much away as the whole.
        let part = secret.rsplit(['.', '_']).next().expect("a part");
        assert!(!log.contains(part), "a part of a secret is in the log");
    }
}

const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// A token exchange of `token`.
fn exchanged(token: &str) -> [(&str, &str); 3] {
    [("grant_type", TOKEN_EXCHANGE), ("subject_token", token), ("subject_token_type", ACCESS_TOKEN)]
}

/// The same with `secret` wherever it does not belong.
fn spoilt(secret: &str) -> [(&str, &str); 6] {
    let [grant_type, subject_token, kind] = exchanged(secret);
    [grant_type, subject_token, kind, ("scope", secret), ("entity_id", secret), ("token", secret)]
}

#[test]
fn l4_every_event_stays_on_one_line() {
    let house = House::new();
    let token = house.token(&house.acme);
    // CR, LF, ESC and U+202E, as they are and as they are coded in a query and in JSON.
    let hostile = "a\r\n ERROR forged\u{1b}[31m\u{202e}";
    let coded = "a%0d%0a%20ERROR%20forged%1b%5b31m%e2%80%ae";
    let kid = r#"{"alg":"EdDSA","typ":"at+jwt","kid":"a\r\n ERROR forged\u001b[31m\u202e"}"#;
    let log = logged(|| {
        assert_eq!(ask_guard(&house, &Fields::bearer(&token).query(&format!("entityId={coded}"))), 400);
        assert_eq!(ask_guard(&house, &Fields::bearer(&token).query(&format!("entityId={hostile}"))), 400);
        assert_eq!(ask_guard(&house, &Fields::bearer(hostile)), 400);
        assert_eq!(ask_guard(&house, &Fields::bearer(&format!("{}.e30.AAAA", base64url(kid)))), 401);
        for (developer, key) in [(hostile, house.acme.text.expose()), ("acme", hostile), (hostile, hostile)] {
            let body = object!({"developerId": developer, "apiKey": key, "entityId": hostile, "scope": hostile});
            assert_eq!(post("/v1/auth/developer-token", &body).send(&house.gate).status, 401);
            let form = [("grant_type", "client_credentials"), ("scope", hostile), ("token", hostile)];
            for path in ["/oauth/token", "/oauth/introspect", "/oauth/revoke"] {
                assert_eq!(post_form(path, &form).basic(developer, key).send(&house.gate).status, 401);
            }
        }
        assert_eq!(post_form("/oauth/token", &exchanged(hostile)).send(&house.gate).status, 400);
        let body = object!({
            "developerId": "acme", "apiKey": house.acme.text.expose(), "entityId": hostile, "scope": "ledger:read",
        });
        assert_eq!(post("/v1/auth/entity-token", &body).send(&house.gate).status, 403);
        post(&format!("/v1/sandbox?{hostile}"), &object!({"name": hostile, "developer_id": hostile})).send(&house.gate);
        get(&format!("/v1/developers/keys/{hostile}")).bearer(&token).send(&house.gate);
        // A store says what it likes.
        assert!(FAULT.contains('\n') && FAULT.contains('\u{202e}'));
        house.store.break_down();
        assert_eq!(ask_guard(&house, &Fields::bearer(&token).query("entityId=acme-b")), 503);
        let body = object!({"developerId": "acme", "apiKey": house.acme.text.expose()});
        assert_eq!(post("/v1/auth/developer-token", &body).send(&house.gate).status, 503);
        assert!(block_on(house.authority.shutdown()).is_err());
    });
    assert!(log.contains("secret-disk"), "the log says what failed: {log}");
    for line in log.lines() {
        let level = line.split_whitespace().next().unwrap_or_default();
        assert!(["TRACE", "DEBUG", "INFO", "WARN", "ERROR"].contains(&level), "{line:?}");
        assert!(!line.trim_start().starts_with("ERROR forged"), "{line:?}");
        assert!(!line.chars().any(|c| c.is_control() || c == '\u{202e}'), "{line:?}");
    }
}

fn base64url(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
}
