//! Opening a sandbox: a developer, a key, an entity and test data, in the sandbox environment.

use latchbook_core::authority::{OpenedSandbox, SandboxActor, SandboxOrder};
use latchbook_core::model::{EnvironmentName, Rejection, SandboxManage, SandboxPreferences, SecretText};
use latchbook_core::sandbox::{BankAccount, DecimalText};
use serde::Serialize;
use serde_json::value::RawValue;

use super::failure::{Failure, invalid_request, json_body, json_reply, shown_once};
use crate::json::Members;
use crate::{Gate, Reply, Request, SandboxAccess, Serves, instant};

/// `POST /v1/sandbox`: 201, or 200 for the same `Idempotency-Key` again.
pub(super) async fn open(gate: &Gate, request: &Request<'_>) -> Result<Reply, Failure> {
    let caller = match gate.sandbox_access() {
        SandboxAccess::Off => return Err(Rejection::NotFound.into()),
        // Whatever stands in `Authorization` is not looked at: the API's own clients send something there.
        SandboxAccess::Open => None,
        SandboxAccess::Bearer => Some(gate.scoped::<SandboxManage>(&request.head, Serves::Home).await?),
    };
    let actor = caller.as_ref().map_or(SandboxActor::Open, SandboxActor::Principal);
    let order = order(request)?;
    let opened = gate.authority().sandboxes().create(&actor, gate.source(&request.head), &order).await?;
    answer(&opened)
}

fn order(request: &Request<'_>) -> Result<SandboxOrder, Failure> {
    let idempotency_key = idempotency_key(request.idempotency_key)?;
    let body = json_body(request)?;
    Ok(SandboxOrder {
        environment: EnvironmentName::SANDBOX,
        name: body.text("name")?,
        developer_id: body.text("developer_id")?,
        industry: body.optional_text("industry")?,
        preferences: preferences(body.optional_members("preferences")?.as_ref())?,
        idempotency_key,
    })
}

fn preferences(wanted: Option<&Members<'_>>) -> Result<SandboxPreferences, Failure> {
    let mut preferences = SandboxPreferences::default();
    let Some(wanted) = wanted else { return Ok(preferences) };
    let SandboxPreferences { currency, timezone, locale } = &mut preferences;
    for (name, preference) in [("currency", currency), ("timezone", timezone), ("locale", locale)] {
        if let Some(text) = wanted.optional_text(name)? {
            *preference = text;
        }
    }
    Ok(preferences)
}

/// The `Idempotency-Key`. It opens the sandbox again, so it must be hard to guess, and is a secret from here on.
fn idempotency_key(fields: &[&[u8]]) -> Result<Option<SecretText>, Failure> {
    let field = match fields {
        [] => return Ok(None),
        [field] => field.trim_ascii(),
        _ => return Err(invalid_request("the `Idempotency-Key` field must be sent once")),
    };
    let fits = (32..=128).contains(&field.len()) && field.iter().all(u8::is_ascii_graphic);
    match std::str::from_utf8(field) {
        Ok(text) if fits => Ok(Some(SecretText::new(text.to_owned()))),
        _ => Err(invalid_request("the `Idempotency-Key` field must have 32 to 128 characters of visible ASCII")),
    }
}

fn answer(opened: &OpenedSandbox) -> Result<Reply, Failure> {
    let furnished = &opened.furnished;
    let data = Data {
        developer: DeveloperObject {
            id: opened.developer.reference.id.as_str(),
            name: &opened.developer.name,
            api_key: &opened.api_key,
        },
        entity: EntityObject { id: opened.entity.reference.id.as_str(), legal_name: &opened.entity.legal_name },
        ledger: LedgerObject { id: &furnished.ledger_id, name: &furnished.ledger_name },
        plaid_accounts: furnished.bank_accounts.iter().map(AccountObject::new).collect(),
        token: &opened.token,
        expires_at: instant::print(opened.expires_at),
    };
    json_reply(if opened.created { 201 } else { 200 }, &SandboxAnswer { success: true, data })
}

#[derive(Serialize)]
struct SandboxAnswer<'a> {
    success: bool,
    data: Data<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    developer: DeveloperObject<'a>,
    entity: EntityObject<'a>,
    ledger: LedgerObject<'a>,
    plaid_accounts: Vec<AccountObject<'a>>,
    #[serde(serialize_with = "shown_once")]
    token: &'a SecretText,
    expires_at: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeveloperObject<'a> {
    id: &'a str,
    name: &'a str,
    #[serde(serialize_with = "shown_once")]
    api_key: &'a SecretText,
}

#[derive(Serialize)]
struct EntityObject<'a> {
    id: &'a str,
    legal_name: &'a str,
}

#[derive(Serialize)]
struct LedgerObject<'a> {
    id: &'a str,
    name: &'a str,
}

#[derive(Serialize)]
struct AccountObject<'a> {
    id: &'a str,
    name: &'a str,
    mask: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    subtype: &'a str,
    balance: BalanceObject<'a>,
}

impl<'a> AccountObject<'a> {
    fn new(account: &'a BankAccount) -> Self {
        Self {
            id: &account.id,
            name: &account.name,
            mask: &account.mask,
            kind: &account.kind,
            subtype: &account.subtype,
            balance: BalanceObject {
                available: account.available.as_ref().and_then(number),
                current: number(&account.current),
            },
        }
    }
}

#[derive(Serialize)]
struct BalanceObject<'a> {
    available: Option<&'a RawValue>,
    current: Option<&'a RawValue>,
}

/// An amount as a JSON number with exactly the digits that it has.
fn number(amount: &DecimalText) -> Option<&RawValue> {
    // INVARIANT: a `DecimalText` is a JSON number as it stands.
    serde_json::from_str(amount.as_str()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idempotency_key_is_32_to_128_visible_characters_sent_once() {
        let text = "a".repeat(129);
        let text = text.as_bytes();
        let key = |length: usize| text.get(..length).unwrap_or_default();
        assert!(matches!(idempotency_key(&[]), Ok(None)));
        for length in [32, 128] {
            assert!(matches!(idempotency_key(&[key(length)]), Ok(Some(_))), "{length}");
        }
        let inner_space = [key(32), b" ", key(32)].concat();
        let not_ascii = [key(32), &b"\xc3\xa9"[..]].concat();
        for bad in [&[key(31)][..], &[key(129)], &[b""], &[&inner_space], &[&not_ascii], &[key(32), key(32)]] {
            assert!(idempotency_key(bad).is_err());
        }
    }

    #[test]
    fn amounts_keep_their_digits() {
        for digits in ["100", "320.76", "23631.9805", "0.10", "-5.00", "123456789012345678901234567.89"] {
            let amount = DecimalText::parse(digits).expect("an amount");
            assert_eq!(serde_json::to_string(&number(&amount)).expect("JSON"), digits);
        }
    }
}
