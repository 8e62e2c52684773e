//! The ledger's own routes in OpenAPI 3.1, for whatever framework mounts them.

use latchbook::Gate;
use latchbook::http::openapi::utoipa::openapi::{HttpMethod, OpenApi};
use latchbook::http::openapi::{Guard, guard};
use latchbook::model::EntitiesManage;
use serde_json::{Value, json};

use crate::scopes::{LedgerRead, LedgerWrite};

/// The document of the ledger's routes, each described as it is guarded. [`Gate::openapi`] takes it and adds latchbook's.
///
/// # Errors
/// A text that says what is wrong with the document; a test holds that nothing is.
pub fn document(gate: &Gate) -> Result<OpenApi, String> {
    let mut document: OpenApi = serde_json::from_value(text()).map_err(|error| error.to_string())?;
    let guards = [
        (HttpMethod::Get, "/v1/live/ping", Guard::principal()),
        (HttpMethod::Get, "/v1/sandbox/ping", Guard::principal()),
        (HttpMethod::Get, "/v1/transactions", Guard::entity::<LedgerRead>(gate)),
        (HttpMethod::Post, "/v1/transactions", Guard::entity::<LedgerWrite>(gate)),
        (HttpMethod::Get, "/v1/categories", Guard::entity::<LedgerRead>(gate)),
        (HttpMethod::Get, "/v1/banks/accounts", Guard::entity::<LedgerRead>(gate)),
        (HttpMethod::Get, "/v1/reports/balances", Guard::entity::<LedgerRead>(gate)),
        (HttpMethod::Get, "/v1/entities", Guard::entity::<LedgerRead>(gate)),
        (HttpMethod::Post, "/v1/entities", Guard::scoped::<EntitiesManage>()),
        (HttpMethod::Delete, "/v1/entities", Guard::entity::<EntitiesManage>(gate)),
    ];
    for (method, path, guarded) in guards {
        guard(&mut document, method, path, &guarded).map_err(|error| error.to_string())?;
    }
    Ok(document)
}

fn text() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Ledger",
            "description": "A small ledger API guarded by latchbook.",
            "version": env!("CARGO_PKG_VERSION"),
        },
        "servers": [{"url": "/"}],
        "tags": [
            {"name": "Ledger", "description": "Accounts, transactions and balances of one entity."},
            {"name": "Entities", "description": "Whose ledgers there are."},
            {"name": "Operation", "description": "Whether the service is there."},
        ],
        "paths": {
            "/ping": {"get": open("ping", "Whether the service answers", pong())},
            "/healthz": {"get": also(open("health", "Whether the store answers", health()), "503", "Unavailable")},
            "/metrics": {"get": open("metrics", "Counters, for Prometheus", metrics())},
            "/v1/live/ping": {"get": guarded("livePing", "Ledger", "Whether a token of the home environment works", "200", pong())},
            "/v1/sandbox/ping": {"get": guarded("sandboxPing", "Ledger", "Whether a token of the sandbox works", "200", pong())},
            "/v1/transactions": {
                "get": with(guarded("listTransactions", "Ledger", "Transactions, in the order they came", "200",
                    answer("A page of transactions.", page("transactions", "Transaction"))),
                    "parameters", json!([cursor("^t[0-9]{1,19}$"), page_size()])),
                "post": takes(guarded("postTransaction", "Ledger", "Post a transaction", "201",
                    answer("The transaction, durable.", object(json!({"transaction": shared("Transaction")})))),
                    "NewTransaction",
                    json!({"amount": 12.34, "debitAccountId": "acct_1", "creditAccountId": "acct_2", "status": "CLEARED"})),
            },
            "/v1/categories": {"get": guarded("listCategories", "Ledger", "The chart of accounts", "200",
                answer("The accounts.", object(json!({"categories": list("Category")}))))},
            "/v1/banks/accounts": {"get": guarded("listBankAccounts", "Ledger", "Bank accounts", "200",
                answer("The accounts.", object(json!({"accounts": list("BankAccount")}))))},
            "/v1/reports/balances": {"get": with(guarded("readBalances", "Ledger", "Debits and credits of every account", "200",
                answer("The balances; the totals are equal.", shared("Balances"))),
                "parameters", json!([{"name": "currency", "in": "query", "required": false,
                    "description": "The currency; by default the ledger's.", "schema": currency()}]))},
            "/v1/entities": {
                "get": with(guarded("readEntities", "Entities", "A developer's entities; with an entity named, that one", "200",
                    answer("A page of entities, or one.", json!({"oneOf": [
                        page("entities", "Entity"), object(json!({"entity": shared("Entity")}))]}))),
                    "parameters", json!([cursor(ID), page_size()])),
                "post": also(takes(guarded("createEntity", "Entities", "Make an entity", "201",
                    answer("The entity.", object(json!({"entity": shared("Entity")})))),
                    "NewEntity", json!({"legalName": "Acme Retail Inc."})), "403", "EntityOutOfReach"),
                "delete": guarded("removeEntity", "Entities", "Remove an entity; its tokens end", "200",
                    answer("It is removed.", object(json!({"message": {"type": "string"}})))),
            },
        },
        "components": {"schemas": {
            "Transaction": object(json!({
                "id": {"type": "string"},
                "entityId": {"type": "string"},
                "timestamp": instant(),
                "amount": amount(),
                "currency": currency(),
                "description": {"type": ["string", "null"]},
                "debitAccountId": {"type": "string"},
                "creditAccountId": {"type": "string"},
                "status": {"type": "string", "enum": ["PENDING", "POSTED"]},
                "metadata": {"type": ["object", "null"]},
            })),
            "NewTransaction": new_transaction(),
            "Category": object(json!({
                "id": {"type": "string"},
                "name": {"type": "string"},
                "type": account_type(),
                "code": {"type": "integer"},
                "entityId": {"type": "string"},
                "ledgerId": {"type": "string"},
            })),
            "BankAccount": object(json!({
                "id": {"type": "string"},
                "name": {"type": "string"},
                "mask": {"type": "string"},
                "type": {"type": "string"},
                "subtype": {"type": "string"},
                "balance": object(json!({"available": {"type": ["number", "null"]}, "current": {"type": "number"}})),
            })),
            "Balances": object(json!({
                "balances": {"type": "array", "items": object(json!({
                    "accountId": {"type": "string"},
                    "code": {"type": "integer"},
                    "name": {"type": "string"},
                    "type": account_type(),
                    "debit": {"type": "number"},
                    "credit": {"type": "number"},
                }))},
                "currency": currency(),
                "totalDebit": {"type": "number"},
                "totalCredit": {"type": "number"},
            })),
            "Entity": object(json!({
                "id": {"type": "string"},
                "name": {"type": "string"},
                "legalName": {"type": "string"},
                "developerId": {"type": "string"},
                "createdAt": instant(),
            })),
            "NewEntity": {
                "type": "object",
                "required": ["legalName"],
                "properties": {
                    "legalName": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": PLAIN_TEXT},
                    "developerId": {"type": ["string", "null"], "description": "The token's developer, if any."},
                },
            },
        }},
    })
}

fn new_transaction() -> Value {
    let optional_instant = |description: &str| json!({"type": ["string", "null"], "description": description, "examples": ["2026-11-24", "2026-11-24T12:00:00Z"]});
    json!({
        "type": "object",
        "required": ["amount", "debitAccountId", "creditAccountId"],
        "properties": {
            "amount": amount(),
            "currency": {"type": ["string", "null"], "pattern": "^[A-Z]{3}$"},
            "description": {"type": ["string", "null"], "maxLength": 500},
            "debitAccountId": {"type": "string", "description": "A category's id."},
            "creditAccountId": {"type": "string", "description": "Another category's id."},
            "date": optional_instant("A day, or an instant (RFC 3339); not beside `timestamp`."),
            "timestamp": optional_instant("An instant (RFC 3339), or a day; not beside `date`."),
            "status": {"type": ["string", "null"], "enum": ["PENDING", "CLEARED", null]},
            "metadata": {"type": ["object", "null"], "description": "An object of at most 16 KiB."},
        },
    })
}

/// An operation that anybody may call.
fn open(id: &str, summary: &str, answer: Value) -> Value {
    with(operation(id, "Operation", summary, json!({"200": answer})), "security", json!([]))
}

/// An operation that answers `status`, and to which its guard is added.
fn guarded(id: &str, tag: &str, summary: &str, status: &str, answer: Value) -> Value {
    operation(id, tag, summary, json!({status: answer, "500": refused("InternalError")}))
}

fn operation(id: &str, tag: &str, summary: &str, responses: Value) -> Value {
    let responses = with(responses, "405", refused("MethodNotAllowed"));
    json!({"operationId": id, "tags": [tag], "summary": summary, "responses": responses})
}

/// The operation with a JSON body.
fn takes(operation: Value, schema: &str, example: Value) -> Value {
    let content = json!({"application/json": {"schema": shared(schema), "example": example}});
    let operation = with(operation, "requestBody", json!({"required": true, "content": content}));
    also(also(operation, "413", "PayloadTooLarge"), "415", "UnsupportedMediaType")
}

/// The operation with one more refusal, or with this one in place of its guard's.
fn also(mut operation: Value, status: &str, name: &str) -> Value {
    if let Some(responses) = operation.get_mut("responses") {
        *responses = with(responses.take(), status, refused(name));
    }
    operation
}

fn with(mut value: Value, name: &str, member: Value) -> Value {
    if let Some(object) = value.as_object_mut() {
        object.insert(name.to_owned(), member);
    }
    value
}

/// One of latchbook's shared responses.
fn refused(name: &str) -> Value {
    json!({"$ref": format!("#/components/responses/{name}")})
}

fn answer(description: &str, schema: Value) -> Value {
    json!({"description": description, "content": {"application/json": {"schema": schema}}})
}

fn pong() -> Value {
    answer("It does.", object(json!({"pong": {"type": "boolean"}})))
}

fn health() -> Value {
    let healthy = object(json!({
        "status": {"type": "string"},
        "store": {"type": "string"},
        "feedAgeSeconds": {"type": "number"},
        "revocations": {"type": "integer"},
        "cachedTokens": {"type": "integer"},
    }));
    answer("It does.", healthy)
}

fn metrics() -> Value {
    json!({"description": "The counters.", "content": {"text/plain": {"schema": {"type": "string"}}}})
}

/// An object whose members are always there.
fn object(properties: Value) -> Value {
    let names: Vec<String> = properties.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
    json!({"type": "object", "required": names, "properties": properties})
}

fn list(item: &str) -> Value {
    json!({"type": "array", "items": shared(item)})
}

fn page(name: &str, item: &str) -> Value {
    object(json!({name: list(item), "nextCursor": {"type": ["string", "null"]}, "hasMore": {"type": "boolean"}}))
}

fn shared(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn cursor(pattern: &str) -> Value {
    json!({"name": "cursor", "in": "query", "required": false, "description": "The `nextCursor` of the page before.",
           "schema": {"type": "string", "pattern": pattern, "maxLength": 128}})
}

fn page_size() -> Value {
    json!({"name": "pageSize", "in": "query", "required": false, "description": "The most rows.",
           "schema": {"type": "integer", "minimum": 1, "maximum": 100, "default": 25}})
}

fn amount() -> Value {
    json!({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1_000_000_000_000_000_000_u64,
           "description": "A decimal with at most 18 places; its digits are kept."})
}

fn currency() -> Value {
    json!({"type": "string", "pattern": "^[A-Z]{3}$", "description": "ISO 4217."})
}

fn account_type() -> Value {
    json!({"type": "string", "enum": ["ASSET", "LIABILITY", "EQUITY", "REVENUE", "EXPENSE"]})
}

fn instant() -> Value {
    json!({"type": "string", "format": "date-time"})
}

const PLAIN_TEXT: &str = r"^[^\u0000-\u001f\u007f-\u009f]*$";
const ID: &str = r"^(\.{0,2}[0-9A-Za-z_~-][0-9A-Za-z._~-]*|\.{3}[0-9A-Za-z._~-]*)$";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_document_is_lost_when_it_is_read() {
        let read: OpenApi = serde_json::from_value(text()).expect("a document");
        assert_eq!(serde_json::to_value(&read).expect("JSON"), text());
    }
}
