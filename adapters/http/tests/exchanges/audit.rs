//! The audit: an event in the same commit as every change, on one line, and no change without it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_executor::block_on;
use latchbook_core::authority::{Actor, ImportError, NewEntity, Refusal};
use latchbook_core::check::NewKey;
use latchbook_core::jose::SigningPair;
use latchbook_core::model::{
    Algorithm, DeveloperId, DeveloperRef, EntityId, EntityRef, EnvironmentName, Metadata, ScopeSet, SecretText, Source,
    TokenId,
};
use latchbook_http::Reply;
use serde_json::json as object;

use crate::ask::{assert_refused, delete, get, json, post, text};
use crate::house::{House, Written};

const KEYS: &str = "/v1/developers/keys";
const AUDIT: &str = "/v1/developers/audit?pageSize=100";

/// A change by HTTP or by the host's own code, and the action that its event names.
type Change<'a> = (&'static str, Box<dyn Fn(&House) -> Result<(), u16> + 'a>);

fn by_http(reply: &Reply) -> Result<(), u16> {
    if reply.status < 300 { Ok(()) } else { Err(reply.status) }
}

fn by_host<T>(done: Result<T, Refusal>) -> Result<(), u16> {
    match done {
        Ok(_) => Ok(()),
        Err(Refusal::Fault(_)) => Err(503),
        Err(Refusal::Rejected(rejection)) => panic!("{}", rejection.reason()),
    }
}

/// The changes of state that somebody can ask for, in an order in which each is possible.
fn changes(token: &str) -> Vec<Change<'_>> {
    const HOST: Actor<'static> = Actor::Host;
    const SOURCE: Source = Source::UNKNOWN;
    fn fresh() -> DeveloperRef {
        DeveloperRef { environment: EnvironmentName::LIVE, id: DeveloperId::parse("fresh").expect("an id") }
    }
    fn entity() -> EntityId {
        EntityId::parse("fresh-e").expect("an id")
    }
    vec![
        (
            "token.issued",
            Box::new(|house| {
                let body = object!({"developerId": "acme", "apiKey": house.acme.text.expose()});
                by_http(&post("/v1/auth/developer-token", &body).send(&house.gate))
            }),
        ),
        (
            "key.created",
            Box::new(|house| {
                let body = object!({"name": "x", "scopes": ["ledger:read"]});
                by_http(&post(KEYS, &body).bearer(token).send(&house.gate))
            }),
        ),
        (
            "key.revoked",
            Box::new(|house| {
                let listed = json(&get(KEYS).bearer(token).send(&house.gate));
                let keys = listed["keys"].as_array().expect("a list");
                let made = keys.iter().map(|key| text(&key["id"])).find(|id| *id != house.acme.key.as_str());
                by_http(&delete(&format!("{KEYS}/{}", made.expect("a key"))).bearer(token).send(&house.gate))
            }),
        ),
        (
            "sandbox.created",
            Box::new(|house| {
                let body = object!({"name": "Try it", "developer_id": "newcomer"});
                by_http(&post("/v1/sandbox", &body).send(&house.gate))
            }),
        ),
        (
            "developer.created",
            Box::new(|house| {
                let developers = house.authority.developers();
                by_host(block_on(developers.create(&HOST, SOURCE, &fresh(), "Fresh")))
            }),
        ),
        (
            "key.imported",
            Box::new(|house| {
                let keys = house.authority.keys();
                let new = NewKey {
                    name: "drawn".to_owned(),
                    scopes: ScopeSet::parse("ledger:read").expect("scopes"),
                    expires_at: None,
                    allowed_ips: Vec::new(),
                    metadata: Metadata::default(),
                };
                let text = keys.draw(EnvironmentName::LIVE).expect("a text");
                by_host(block_on(keys.import(&HOST, SOURCE, &fresh(), &text, &new)))
            }),
        ),
        (
            "entity.created",
            Box::new(|house| {
                let new = NewEntity { id: Some(entity()), legal_name: "An entity".to_owned() };
                by_host(block_on(house.authority.entities().create(&HOST, SOURCE, &fresh(), &new)))
            }),
        ),
        (
            "entity.removed",
            Box::new(|house| {
                let reference = EntityRef { developer: fresh(), id: entity() };
                by_host(block_on(house.authority.entities().remove(&HOST, SOURCE, &reference)))
            }),
        ),
        (
            "developer.suspended",
            Box::new(|house| by_host(block_on(house.authority.developers().suspend(&HOST, SOURCE, &fresh())))),
        ),
        (
            "developer.resumed",
            Box::new(|house| by_host(block_on(house.authority.developers().resume(&HOST, SOURCE, &fresh())))),
        ),
        (
            "developer.tokens_revoked",
            Box::new(|house| by_host(block_on(house.authority.developers().revoke_tokens(&HOST, SOURCE, &fresh())))),
        ),
        (
            "token.revoked",
            Box::new(|house| {
                let id = TokenId::parse("revoked000000000000000").expect("an id");
                let until = house.authority.now().plus(60);
                by_host(block_on(house.authority.revocation().token(&HOST, SOURCE, &fresh(), id, until)))
            }),
        ),
        (
            "signing_key.created",
            Box::new(|house| by_host(block_on(house.authority.signing_keys().rotate(EnvironmentName::LIVE)))),
        ),
        (
            "signing_key.imported",
            Box::new(|house| {
                let (_, der) = SigningPair::generate(Algorithm::EdDsa).expect("a key");
                let body = STANDARD.encode(der.expose());
                let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
                let (keys, pem) = (house.authority.signing_keys(), SecretText::new(pem));
                match block_on(keys.import(EnvironmentName::LIVE, &pem)) {
                    Ok(_) => Ok(()),
                    Err(ImportError::Refusal(Refusal::Fault(_))) => Err(503),
                    Err(other) => panic!("{other}"),
                }
            }),
        ),
        (
            "signing_key.retired",
            Box::new(|house| {
                let keys = block_on(house.authority.signing_keys().list(EnvironmentName::SANDBOX)).expect("keys");
                let id = keys.last().expect("a key").id.clone();
                by_host(block_on(house.authority.signing_keys().retire_now(EnvironmentName::SANDBOX, &id)))
            }),
        ),
    ]
}

#[test]
fn l8_every_change_is_audited_in_its_own_commit_and_does_not_happen_without() {
    let house = House::new();
    let token = house.token(&house.acme);
    for (action, change) in changes(&token) {
        let before = house.store.written().len();
        house.store.refuse_writes();
        assert_eq!(change(&house), Err(503), "{action}");
        house.store.allow_writes();
        assert_eq!(house.store.written().len(), before, "{action}: nothing was written");
        // That it can be done now shows that nothing of the first try was kept.
        assert_eq!(change(&house), Ok(()), "{action}");
        let written: Vec<Written> = house.store.written().drain(before..).collect();
        assert!(!written.is_empty(), "{action}");
        for commit in &written {
            assert!(commit.changes == 0 || !commit.audited.is_empty(), "{action}: {commit:?}");
        }
        assert!(written.iter().any(|commit| commit.audited.contains(&action)), "{action}: {written:?}");
    }
}

#[test]
fn l8_a_token_that_could_not_be_audited_is_not_given_out() {
    let house = House::new();
    house.store.refuse_writes();
    let body = object!({"developerId": "acme", "apiKey": house.acme.text.expose()});
    let reply = post("/v1/auth/developer-token", &body).send(&house.gate);
    assert_refused(&reply, 503, "temporarily_unavailable", None);
    assert!(json(&reply).get("access_token").is_none());
}

#[test]
fn l4_names_that_would_break_a_line_are_refused_or_kept_out_of_the_audit() {
    let house = House::new();
    let token = house.token(&house.acme);
    for name in ["a\r\nb", "a\nb", "a\u{1b}[31mb", "a\0b", "a\u{7f}", "a\u{85}b"] {
        let key = post(KEYS, &object!({"name": name, "scopes": ["ledger:read"]})).bearer(&token).send(&house.gate);
        assert_refused(&key, 400, "invalid_request", None);
        let pairs = object!({"name": "x", "scopes": ["ledger:read"], "metadata": {name: name}});
        assert_refused(&post(KEYS, &pairs).bearer(&token).send(&house.gate), 400, "invalid_request", None);
        let sandbox = post("/v1/sandbox", &object!({"name": name, "developer_id": "newcomer"})).send(&house.gate);
        assert_refused(&sandbox, 400, "invalid_request", None);
        let id = post("/v1/sandbox", &object!({"name": "Try it", "developer_id": name})).send(&house.gate);
        assert_refused(&id, 400, "invalid_request", None);
    }
    // A text that changes the direction of what follows is a name, and stays where names are shown.
    let turned = "gpj.\u{202e}exe";
    let made = post(KEYS, &object!({"name": turned, "scopes": ["ledger:read"]})).bearer(&token).send(&house.gate);
    assert_eq!((made.status, text(&json(&made)["name"])), (201, turned.to_owned()));
    let audit = get(AUDIT).bearer(&token).send(&house.gate);
    let shown = String::from_utf8(audit.body).expect("a text");
    assert!(shown.contains("key.created"));
    assert!(!shown.chars().any(|c| c.is_control() || c == '\u{202e}'), "{shown}");
}
