//! The examples of an adapter, asked over a socket as their readers will.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::Raw;

/// The text of the README that comes after `<!-- mark -->` and its fence, up to the end of the fence.
fn quoted<'a>(readme: &'a str, mark: &str) -> &'a str {
    let (_, rest) = readme.split_once(&format!("<!-- {mark}")).expect("the mark");
    let (_, rest) = rest.split_once("```rust\n").expect("a fenced block");
    rest.split_once("```").expect("its end").0
}

/// `example` is what the README shows below `mark`, and a user writes at most 35 lines of it.
pub fn is_the_quickstart(readme: &str, mark: &str, example: &str) {
    assert_eq!(quoted(readme, mark), example);
    let written = example.lines().filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with("//"));
    let lines = written.count();
    println!("{mark}: {lines} lines");
    assert!(lines <= 35, "{lines} lines");
}

/// `minimal`: a developer's token, or 401.
pub async fn minimal(address: SocketAddr) {
    let refused = Raw::new("GET", "/hello").send(address).await;
    assert_eq!(refused.verdict(), (401, "missing_credentials".into()));
    assert_eq!(Raw::new("GET", "/hello").bearer("a.b.c").send(address).await.status, 401);
    assert_eq!(Raw::new("GET", "/.well-known/jwks.json").send(address).await.status, 200);
}

/// `entities`: from a sandbox to its entity's data.
pub async fn entities(address: SocketAddr) {
    let get = |target: String, token: &str| Raw::new("GET", &target).bearer(token).send(address);
    let order = json!({"name": "Acme", "developer_id": "acme"});
    let made = Raw::new("POST", "/v1/sandbox").json(&order).send(address).await;
    assert_eq!(made.status, 201, "{made:?}");
    let data = made.json()["data"].clone();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let (token, entity) = (text(&data["token"]), text(&data["entity"]["id"]));
    let listed = get(format!("/v1/transactions?entityId={entity}"), &token).await;
    assert_eq!((listed.status.as_u16(), listed.text()), (200, &*format!("the transactions of {entity}\n")));
    assert_eq!(get("/v1/transactions".into(), &token).await.verdict(), (400, "missing_entity".into()));
    assert_eq!(get("/v1/transactions?entityId=other".into(), &token).await.verdict(), (403, "entity_forbidden".into()));
    let anonymous = Raw::new("GET", &format!("/v1/transactions?entityId={entity}")).send(address).await;
    assert_eq!(anonymous.verdict(), (401, "missing_credentials".into()));
}
