//! A developer's own API keys, managed by a token that holds `keys:manage`.

use ipnet::IpNet;
use latchbook_core::authority::{Actor, Principal};
use latchbook_core::check::NewKey;
use latchbook_core::model::{KeyId, KeysManage, Metadata, Rejection, ScopeSet, ScopeToken, SecretText, UnixTime};
use serde::Serialize;

use super::failure::{Failure, invalid_request, json_body, json_reply, shown_once};
use crate::objects::{KeyObject, parse_range};
use crate::page::List;
use crate::{Gate, Reply, Request, Serves, instant};

/// `GET /v1/developers/keys`: newest first, never a secret.
pub(super) async fn list(gate: &Gate, request: &Request<'_>) -> Result<Reply, Failure> {
    let caller = manager(gate, request).await?;
    let wanted = List::Keys.wanted(request.head.query)?;
    let (keys, next) = gate.authority().keys().list(caller.developer(), wanted.after.as_ref(), wanted.size).await?;
    json_reply(
        200,
        &KeyList {
            keys: keys.iter().map(KeyObject::of_view).collect(),
            has_more: next.is_some(),
            next_cursor: next.map(|place| List::Keys.cursor(&place)),
        },
    )
}

/// `POST /v1/developers/keys`: the one answer that shows the key's text.
pub(super) async fn create(gate: &Gate, request: &Request<'_>) -> Result<Reply, Failure> {
    let caller = manager(gate, request).await?;
    let new = new_key(request)?;
    let source = gate.source(&request.head);
    let keys = gate.authority().keys();
    let created = keys.create(&Actor::Principal(&caller), source, caller.developer(), &new).await?;
    json_reply(201, &CreatedObject { key: KeyObject::new(&created.key, None), api_key: &created.text })
}

/// `GET /v1/developers/keys/{id}`.
pub(super) async fn get(gate: &Gate, request: &Request<'_>) -> Result<Reply, Failure> {
    let caller = manager(gate, request).await?;
    let view = gate.authority().keys().get(caller.developer(), key_id(request)?).await?;
    json_reply(200, &KeyObject::of_view(&view))
}

/// `DELETE /v1/developers/keys/{id}`: revokes it; the same answer the second time.
pub(super) async fn revoke(gate: &Gate, request: &Request<'_>) -> Result<Reply, Failure> {
    let caller = manager(gate, request).await?;
    let id = key_id(request)?;
    let source = gate.source(&request.head);
    gate.authority().keys().revoke(&Actor::Principal(&caller), source, caller.developer(), id).await?;
    Ok(Reply::empty(204))
}

async fn manager(gate: &Gate, request: &Request<'_>) -> Result<Principal, Reply> {
    gate.scoped::<KeysManage>(&request.head, Serves::Any).await
}

/// The key that the path names. What cannot be an id is one that is not there.
fn key_id(request: &Request<'_>) -> Result<KeyId, Rejection> {
    request.parameter.and_then(|segment| KeyId::parse(segment).ok()).ok_or(Rejection::NotFound)
}

fn new_key(request: &Request<'_>) -> Result<NewKey, Failure> {
    let body = json_body(request)?;
    let Some(scopes) = body.optional_texts("scopes")? else {
        return Err(invalid_request("`scopes` is missing; it must be a list of strings"));
    };
    Ok(NewKey {
        name: body.text("name")?,
        scopes: scope_set(&scopes)?,
        expires_at: match body.optional_text("expiresAt")? {
            None => None,
            Some(text) => Some(expiry(&text)?),
        },
        allowed_ips: ranges(&body.optional_texts("allowedIps")?.unwrap_or_default())?,
        metadata: Metadata::parse(body.optional_pairs("metadata")?.unwrap_or_default())
            .map_err(|error| invalid_request(&error.to_string()))?,
    })
}

fn scope_set(tokens: &[String]) -> Result<ScopeSet, Rejection> {
    let parsed = tokens.iter().map(|token| ScopeToken::parse(token)).collect::<Result<Vec<_>, _>>();
    let parsed = parsed.map_err(|_| Rejection::InvalidScope)?;
    // Through its printed form, so that the limit on the number of tokens holds here as well.
    let printed = parsed.iter().map(ScopeToken::as_str).collect::<Vec<_>>().join(" ");
    ScopeSet::parse(&printed).map_err(|_| Rejection::InvalidScope)
}

fn expiry(text: &str) -> Result<UnixTime, Failure> {
    instant::parse(text).ok_or_else(|| invalid_request("`expiresAt` must be an instant such as `2026-12-01T00:00:00Z`"))
}

fn ranges(texts: &[String]) -> Result<Vec<IpNet>, Failure> {
    texts.iter().map(|text| parse_range(text)).collect::<Option<_>>().ok_or_else(|| {
        invalid_request("`allowedIps` must be a list of addresses and ranges, such as `192.0.2.1` and `2001:db8::/32`")
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct KeyList<'a> {
    keys: Vec<KeyObject<'a>>,
    next_cursor: Option<String>,
    has_more: bool,
}

#[derive(Serialize)]
struct CreatedObject<'a> {
    #[serde(flatten)]
    key: KeyObject<'a>,
    #[serde(rename = "apiKey", serialize_with = "shown_once")]
    api_key: &'a SecretText,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_a_list_of_tokens_and_no_token_hides_two() {
        let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        assert_eq!(scope_set(&own(&["b", "a", "b", "l:*"])).map(|set| set.to_string()), Ok("a b l:*".to_owned()));
        assert_eq!(scope_set(&[]), Ok(ScopeSet::EMPTY), "which the authority refuses");
        for bad in [own(&["a b"]), own(&[""]), own(&["a\""]), (0..101).map(|n| format!("s{n}")).collect()] {
            assert_eq!(scope_set(&bad), Err(Rejection::InvalidScope));
        }
    }
}
