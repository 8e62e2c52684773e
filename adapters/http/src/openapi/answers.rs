//! The schemas of what the contract's routes answer.

use latchbook_core::model::EnvironmentName;
use serde_json::json;
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{RefOr, SchemaFormat};

use super::words::{
    ID, SCOPE, always, count, day, decimal, flag, instant, list, maybe, object, one_of, or_null, shared, string,
};

/// Every shared schema of an answer, by name.
pub(super) fn all() -> Vec<(&'static str, RefOr<Schema>)> {
    vec![
        ("AccessToken", access_token().into()),
        ("ApiKey", api_key().into()),
        ("CreatedApiKey", created_api_key().into()),
        ("ApiKeyPage", page("keys", "Keys, newest first; never a secret.", "ApiKey").into()),
        ("AuditEvent", audit_event().into()),
        ("AuditPage", page("events", "Events, newest first.", "AuditEvent").into()),
        ("Usage", usage().into()),
        ("Caller", caller().into()),
        ("JwkSet", jwk_set().into()),
        ("SandboxOpened", sandbox_opened().into()),
    ]
}

fn access_token() -> ObjectBuilder {
    object(
        "A token that was issued (RFC 6749 §5.1).",
        [
            always("access_token", string("The access token: a JWS in compact form (RFC 9068).")),
            always("token_type", one_of("How it is used (RFC 6750).", ["Bearer"])),
            always("expires_in", count("Seconds until it is over.", 1)),
            maybe("scope", string("Its scopes, where they are not those that the key allows.").pattern(Some(SCOPE))),
        ],
    )
    .examples([
        json!({"access_token": "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFZERTQSIsImtpZCI6Ii4uLiJ9.eyJpc3MiOiIuLi4ifQ.c2ln",
                         "token_type": "Bearer", "expires_in": 900}),
    ])
}

fn api_key() -> ObjectBuilder {
    let texts = ObjectBuilder::new().schema_type(Type::String).build();
    object(
        "An API key as it can be shown: never its text.",
        [
            always("id", key_id("The key's id, part of its text.")),
            always("name", string("A name for people.")),
            always("environment", environment()),
            always("scopes", list("What it may do; `resource:*` is every scope of the resource.", texts.clone())),
            always("hint", string("The part of its text that is safe to show: brand, environment, id.")),
            always("createdAt", instant("When it was made.")),
            always("expiresAt", or_null(instant("From when on it is over, if ever."))),
            always("revokedAt", or_null(instant("When it was revoked, if it was."))),
            always("lastUsedAt", or_null(instant("When it was last exchanged, if it was."))),
            always("generation", count("Counts its rotations from 1.", 1)),
            always("allowedIps", list("The ranges that its caller must be in; none is anywhere.", texts.clone())),
            always(
                "metadata",
                object("The developer's own pairs.", []).additional_properties(Some(Schema::Object(texts))),
            ),
        ],
    )
    .examples([json!({
        "id": "5kQw0123456789ab", "name": "Nightly export", "environment": "live", "scopes": ["ledger:read"],
        "hint": "lb_live_5kQw0123456789ab", "createdAt": "2026-11-24T00:00:00Z", "expiresAt": null, "revokedAt": null,
        "lastUsedAt": null, "generation": 1, "allowedIps": ["192.0.2.0/24"], "metadata": {},
    })])
}

fn created_api_key() -> Schema {
    let text = object("", [always("apiKey", string("The key's text: shown here, and never again."))]);
    Schema::AllOf(AllOfBuilder::new().item(shared("ApiKey")).item(text).build())
}

/// A page of a list.
fn page(name: &'static str, description: &str, item: &str) -> ObjectBuilder {
    object(
        "A page.",
        [
            always(name, list(description, shared(item))),
            always("nextCursor", or_null(string("The `cursor` of the next page, where there is one."))),
            always("hasMore", flag("Whether there is a next page.")),
        ],
    )
}

fn audit_event() -> ObjectBuilder {
    let actor = object(
        "Who did it.",
        [
            always("kind", one_of("What it was.", ["host", "upkeep", "anonymous", "key"])),
            maybe("keyId", key_id("The key, where it was one.")),
            maybe("jti", string("The token, where one was shown.")),
        ],
    );
    let texts = ObjectBuilder::new().schema_type(Type::String).build();
    object(
        "What was done to what, when, by whom, from where, and how it ended.",
        [
            always("number", count("Its place in the chain.", 1)),
            always("at", instant("When.")),
            always("actor", actor),
            always("action", string("What was done, such as `key.created`.")),
            always("outcome", one_of("How it ended.", ["done", "refused"])),
            always("subject", string("What it was done to.")),
            always("source", or_null(string("The address that it came from, where it is known."))),
            always("details", object("What else is known.", []).additional_properties(Some(Schema::Object(texts)))),
        ],
    )
}

fn usage() -> ObjectBuilder {
    let row = object(
        "The counts of a key on a day.",
        [
            always("keyId", key_id("The key.")),
            always("date", day("The day (UTC).")),
            always("requests", count("Guarded requests.", 0)),
            always("exchanges", count("Tokens that it was exchanged for.", 0)),
        ],
    );
    object(
        "Counts by day, then by key.",
        [
            always("from", day("The first day (UTC).")),
            always("to", day("The last day, included.")),
            always("usage", list("The counts.", row)),
        ],
    )
}

fn caller() -> ObjectBuilder {
    let scope = ObjectBuilder::new().schema_type(Type::String);
    object(
        "Whoever holds the access token.",
        [
            always("developerId", string("The developer.").pattern(Some(ID))),
            always("keyId", key_id("The key that the token came from.")),
            always("entityId", or_null(string("The entity, of an entity token."))),
            always("environment", environment()),
            always("scopes", list("What the token may do.", scope)),
            always("expiresAt", instant("When the token is over.")),
        ],
    )
}

fn jwk_set() -> ObjectBuilder {
    let key = object(
        "A public key (RFC 7517 §4); its parameters depend on `kty`.",
        [
            always("kty", one_of("The key's type.", ["OKP", "EC", "RSA"])),
            always("kid", string("The key's id: its RFC 7638 thumbprint.")),
            always("alg", one_of("The one algorithm that it is for.", ["EdDSA", "ES256", "RS256"])),
            always("use", one_of("What it is for.", ["sig"])),
        ],
    );
    object("A key set (RFC 7517 §5).", [always("keys", list("Active, next and retiring keys.", key))])
}

fn sandbox_opened() -> ObjectBuilder {
    let developer = object(
        "The developer.",
        [
            always("id", string("Its id, as it was asked for.").pattern(Some(ID))),
            always("name", string("Its name.")),
            always("apiKey", string("A key with every scope: shown here, and never again.")),
        ],
    );
    let entity = object("Its entity.", [always("id", string("Its id.")), always("legal_name", string("Its name."))]);
    let ledger = object("Its ledger.", [always("id", string("Its id.")), always("name", string("Its name."))]);
    let data = object(
        "What was made.",
        [
            always("developer", developer),
            always("entity", entity),
            always("ledger", ledger),
            always("plaidAccounts", list("Its bank accounts.", bank_account())),
            always("token", string("A developer's access token of the sandbox environment.")),
            always("expiresAt", instant("When the sandbox ends by itself.")),
        ],
    );
    object("A sandbox.", [always("success", flag("`true`.")), always("data", data)])
}

fn bank_account() -> ObjectBuilder {
    let balance = object(
        "Amounts with the digits that they have.",
        [
            always("available", or_null(decimal("What can be spent, where that is known."))),
            always("current", or_null(decimal("What is there."))),
        ],
    );
    object(
        "A bank account.",
        [
            always("id", string("Its id.")),
            always("name", string("Its name.")),
            always("mask", string("The last digits of its number.")),
            always("type", string("Such as `depository`.")),
            always("subtype", string("Such as `checking`.")),
            always("balance", balance),
        ],
    )
}

pub(super) fn key_id(description: &str) -> ObjectBuilder {
    string(description).pattern(Some("^[0-9A-Za-z]{16}$"))
}

fn environment() -> ObjectBuilder {
    string("The environment that it belongs to.")
        .pattern(Some("^[0-9a-z]{1,16}$"))
        .examples([json!(EnvironmentName::LIVE.as_str())])
}

/// A secret, for those who print forms.
pub(super) fn password(description: &str) -> ObjectBuilder {
    string(description).format(Some(SchemaFormat::Custom("password".to_owned())))
}
