//! What is wrong with an answer.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::script::{Claims, Errors, Exchange, Statuses, Want};
use crate::testing::{Answer, RawRequest};

/// The realm that challenges name.
const REALM: &str = "latchbook";

/// What is wrong with `answer`, if anything. `secrets` are keys and tokens that no refusal may hold.
pub(super) fn check(
    exchange: &Exchange,
    request: &RawRequest,
    answer: &Answer,
    errors: Errors,
    secrets: &[String],
) -> Result<(), String> {
    let want = &exchange.want;
    let several = check_status(&want.status, answer)?;
    // Of a server that would not even read the head, nothing more is asked.
    if several && answer.status == 431 {
        return Ok(());
    }
    let bodiless = request.method == "HEAD" || answer.status == 204;
    demand(!bodiless || answer.body.is_empty(), || "a body, wanted none".to_owned())?;
    if answer.status >= 400 {
        check_refusal(want, answer, errors, bodiless, several)?;
        let shown = shown(answer);
        let leaked = secrets.iter().any(|secret| shown.contains(secret.as_str()));
        demand(!leaked, || "a key or a token is in the refusal".to_owned())?;
    }
    let challenge = want.challenge.as_deref().map(spelled_out);
    // Where several statuses will do, each has the challenge that it has.
    let left_open = several && challenge.is_none();
    demand(left_open || answer.challenge() == challenge.as_deref(), || {
        format!("challenge {:?}, wanted {challenge:?}", answer.challenge())
    })?;
    for (name, value) in &want.headers {
        demand(answer.header(name) == value.as_deref(), || {
            format!("field `{name}` is {:?}, wanted {value:?}", answer.header(name))
        })?;
    }
    if let Some(body) = &want.body {
        matches(&answer.json(), body).map_err(|what| format!("body{what}"))?;
    }
    if ["/access_token", "/apiKey", "/data/token"].iter().any(|secret| answer.json().pointer(secret).is_some()) {
        demand(answer.header("cache-control") == Some("no-store"), || "a secret that caches may keep".to_owned())?;
    }
    if let Some(claims) = &want.claims {
        check_claims(claims, &answer.json())?;
    }
    let shown = shown(answer);
    match want.never.iter().find(|text| shown.contains(text.as_str())) {
        Some(text) => Err(format!("`{text}` is in the answer")),
        None => Ok(()),
    }
}

/// Whether the status is right, and whether there are several that would be.
fn check_status(wanted: &Statuses, answer: &Answer) -> Result<bool, String> {
    let status = answer.status;
    match wanted {
        Statuses::One(wanted) => {
            demand(status == *wanted, || format!("status {status}, wanted {wanted}")).map(|()| false)
        }
        Statuses::Several(any) => {
            demand(any.contains(&status), || format!("status {status}, wanted one of {any:?}")).map(|()| true)
        }
    }
}

/// All of an answer, to be searched.
fn shown(answer: &Answer) -> String {
    format!("{:?}{}", answer.headers, String::from_utf8_lossy(&answer.body))
}

fn demand(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// What every refusal has.
fn check_refusal(want: &Want, answer: &Answer, errors: Errors, bodiless: bool, several: bool) -> Result<(), String> {
    let field = |name: &str, value: &str| {
        demand(answer.header(name) == Some(value), || {
            format!("field `{name}` is {:?}, wanted `{value}`", answer.header(name))
        })
    };
    field("cache-control", "no-store")?;
    let challenged = matches!(answer.status, 401 | 403);
    demand(!challenged || answer.challenge().is_some(), || "no challenge".to_owned())?;
    demand(answer.status != 405 || answer.header("allow").is_some(), || "405 without `allow`".to_owned())?;
    field(
        "content-type",
        match errors {
            Errors::Problem => "application/problem+json",
            Errors::Oauth => "application/json",
        },
    )?;
    if bodiless {
        return Ok(());
    }
    let (code, body) = (answer.code(), answer.json());
    let wanted = want.code.as_ref();
    demand(wanted.is_some() || several, || "a refusal whose exchange names no code".to_owned())?;
    if let Some(wanted) = wanted {
        demand(code == *wanted, || format!("code `{code}`, wanted `{wanted}`"))?;
    }
    let text = |name: &str| body.get(name).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    let shape = match errors {
        Errors::Oauth => text("error") && text("error_description"),
        Errors::Problem => {
            let kind = format!("urn:latchbook:problem:{code}");
            text("title")
                && text("message")
                && text("error")
                && body.get("type").is_some_and(|found| *found == kind)
                && body.get("status").is_some_and(|found| *found == answer.status)
        }
    };
    demand(shape, || format!("the body has not the shape of an error: {answer:?}"))
}

/// The whole field of a challenge that is written without its realm.
fn spelled_out(short: &str) -> String {
    let mut parts = short.splitn(3, ' ');
    let mut field = format!("{} realm=\"{REALM}\"", parts.next().unwrap_or_default());
    for (name, value) in ["error", "scope"].iter().zip(parts) {
        field.push_str(&format!(", {name}=\"{value}\""));
    }
    field
}

/// Whether `found` is what `want` says: of an object the members that are named, of a list every item, and in place of
/// a value `<text>`, `<number>`, `<bool>`, `<list>`, `<instant>` or, of a member, `<absent>`.
fn matches(found: &Value, want: &Value) -> Result<(), String> {
    let wrong = || Err(format!(" is {:.200}, wanted {want:.200}", found.to_string()));
    match want {
        Value::Object(members) => {
            for (name, want) in members {
                match (found.get(name), want.as_str()) {
                    (None, Some("<absent>")) => {}
                    (Some(_), Some("<absent>")) => return Err(format!(".{name} is there, wanted none")),
                    (None, _) => return Err(format!(".{name} is missing")),
                    (Some(found), _) => matches(found, want).map_err(|what| format!(".{name}{what}"))?,
                }
            }
            if found.is_object() { Ok(()) } else { wrong() }
        }
        Value::Array(items) => match found.as_array() {
            Some(all) if all.len() == items.len() => {
                let mut pairs = all.iter().zip(items).enumerate();
                pairs.try_for_each(|(at, (found, want))| matches(found, want).map_err(|what| format!("[{at}]{what}")))
            }
            _ => wrong(),
        },
        Value::String(kind) if kind.starts_with('<') => {
            let holds = match kind.as_str() {
                "<text>" => found.as_str().is_some_and(|text| !text.is_empty()),
                "<number>" => found.is_number(),
                "<bool>" => found.is_boolean(),
                "<list>" => found.is_array(),
                "<instant>" => found.as_str().is_some_and(|text| crate::instant::parse(text).is_some()),
                other => return Err(format!(": there is no `{other}`")),
            };
            if holds { Ok(()) } else { wrong() }
        }
        plain if plain == found => Ok(()),
        _ => wrong(),
    }
}

/// Whether the access token in `body` says what it should; and that its life is as long as the answer says.
fn check_claims(claims: &Claims, body: &Value) -> Result<(), String> {
    let token = body.pointer(&claims.place).and_then(Value::as_str).ok_or("there is no access token")?;
    let mut parts = token.split('.').map(|part| {
        let bytes = URL_SAFE_NO_PAD.decode(part).unwrap_or_default();
        serde_json::from_slice::<Value>(&bytes).unwrap_or_default()
    });
    let (header, payload) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    for (part, found, want) in [("header", &header, &claims.header), ("payload", &payload, &claims.payload)] {
        if let Some(want) = want {
            matches(found, want).map_err(|what| format!("the token's {part}{what}"))?;
        }
    }
    let seconds = |name: &str| payload.get(name).and_then(Value::as_u64).unwrap_or_default();
    let expires_in = body.get("expires_in").and_then(Value::as_u64);
    demand(expires_in.is_none_or(|life| seconds("exp").saturating_sub(seconds("iat")) == life), || {
        "`expires_in` is not the token's life".to_owned()
    })
}

/// What the answers of one name were first.
#[derive(Default)]
pub(super) struct Sames(BTreeMap<String, (String, Answer)>);

impl Sames {
    /// Whether `answer` is, to the byte, what the first one of this name was. The order of fields with different names says
    /// nothing (RFC 9110 §5.3), and some servers draw it.
    pub(super) fn check(&mut self, name: &str, exchange: &str, answer: &Answer) -> Result<(), String> {
        let mut answer = answer.clone();
        answer.headers.sort_by(|(one, _), (other, _)| one.cmp(other));
        let (first, known) = self.0.entry(name.to_owned()).or_insert_with(|| (exchange.to_owned(), answer.clone()));
        demand(*known == answer, || format!("not the same as the answer to `{first}`: {known:?}"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_body_matches_where_all_that_is_named_is_there() {
        let found = json!({"a": [1, {"b": "x"}], "n": null, "t": "2026-11-24T00:00:00Z", "l": true});
        for good in [
            json!({}),
            json!({"a": [1, {"b": "<text>", "c": "<absent>"}], "n": null}),
            json!({"a": ["<number>", {}], "t": "<instant>", "l": "<bool>"}),
            json!({"a": "<list>"}),
        ] {
            assert_eq!(matches(&found, &good), Ok(()), "{good}");
        }
        for bad in [
            json!([]),
            json!({"a": [1]}),
            json!({"a": [1, {"b": "y"}]}),
            json!({"n": "<absent>"}),
            json!({"m": null}),
            json!({"l": "<text>"}),
            json!({"a": [1, {"b": "<instant>"}]}),
            json!({"a": "<nonsense>"}),
            json!("<text>"),
        ] {
            assert!(matches(&found, &bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_challenge_is_written_without_its_realm() {
        assert_eq!(spelled_out("Bearer"), r#"Bearer realm="latchbook""#);
        assert_eq!(
            spelled_out("Bearer insufficient_scope a:b c:d"),
            r#"Bearer realm="latchbook", error="insufficient_scope", scope="a:b c:d""#
        );
    }
}
