//! The pages in `docs/errors`: one for each code, and each shows what the gate says, byte for byte.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use futures_executor::block_on;
use latchbook_core::authority::{Authority, Refusal};
use latchbook_core::key_store::{MemoryStore, StoreError};
use latchbook_core::model::{Rejection, RevokedBy};
use latchbook_core::seal::MasterKey;
use latchbook_http::{
    Gate, Reply, Request, SandboxAccess, endpoints, internal_error, method_not_allowed, not_found, openapi,
    payload_too_large,
};
use serde_json::Value;

/// Codes that only `/oauth` has. Their bodies are those of RFC 6749 §5.2.
const OAUTH: [&str; 2] = ["invalid_target", "unsupported_grant_type"];

fn gate() -> Gate {
    let builder = Authority::builder().store(MemoryStore::new()).issuer("https://api.example.com");
    let authority = block_on(builder.master_key(MasterKey::from_bytes([7; 32])).build()).expect("an authority");
    Gate::new(authority).sandbox(SandboxAccess::Open)
}

fn pages() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/errors"))
}

fn page(code: &str) -> String {
    fs::read_to_string(pages().join(format!("{code}.md")))
        .unwrap_or_else(|_| panic!("docs/errors/{code}.md is missing"))
}

/// Every reason to refuse.
fn rejections() -> Vec<Rejection> {
    use Rejection as R;
    let all = vec![
        R::CredentialMissing,
        R::CredentialMalformed,
        R::CredentialRepeated,
        R::TokenTooLong,
        R::TokenShape,
        R::TokenHeader,
        R::TokenType,
        R::UnknownSigningKey,
        R::AlgorithmMismatch,
        R::BadSignature,
        R::TokenClaims,
        R::WrongIssuer,
        R::WrongAudience,
        R::ForeignEnvironmentClaim,
        R::WrongEnvironment,
        R::NotYetValid,
        R::Expired,
        R::LifetimeTooLong,
        R::AddressNotAllowed,
        R::Revoked { by: RevokedBy::Key },
        R::InsufficientScope { wanted: "ledger:read".to_owned() },
        R::DeveloperTokenNeeded,
        R::EntityMissing,
        R::EntityMalformed,
        R::EntityMismatch,
        R::EntityForbidden,
        R::KeyText,
        R::KeyEnvironment,
        R::KeyUnknown,
        R::KeyDigest,
        R::KeyRevoked,
        R::KeyExpired,
        R::DeveloperUnknown,
        R::DeveloperSuspended,
        R::InvalidScope,
        R::InvalidRequest { message: "the body is malformed" },
        R::WiderThanMaker { what: "scopes" },
        R::NotFound,
        R::Conflict,
        R::IdempotencyMismatch,
        R::RateLimited { retry_after: 7 },
    ];
    for rejection in &all {
        // A new reason does not compile here until it is in the list above.
        match rejection {
            R::CredentialMissing | R::CredentialMalformed | R::CredentialRepeated => {}
            R::TokenTooLong | R::TokenShape | R::TokenHeader | R::TokenType | R::TokenClaims => {}
            R::UnknownSigningKey | R::AlgorithmMismatch | R::BadSignature | R::WrongIssuer | R::WrongAudience => {}
            R::ForeignEnvironmentClaim | R::WrongEnvironment | R::NotYetValid | R::Expired | R::LifetimeTooLong => {}
            R::AddressNotAllowed | R::Revoked { .. } | R::InsufficientScope { .. } | R::DeveloperTokenNeeded => {}
            R::EntityMissing | R::EntityMalformed | R::EntityMismatch | R::EntityForbidden => {}
            R::KeyText | R::KeyEnvironment | R::KeyUnknown | R::KeyDigest | R::KeyRevoked | R::KeyExpired => {}
            R::DeveloperUnknown | R::DeveloperSuspended | R::InvalidScope | R::InvalidRequest { .. } => {}
            R::WiderThanMaker { .. } | R::NotFound | R::Conflict | R::IdempotencyMismatch | R::RateLimited { .. } => {}
        }
    }
    all
}

/// Every answer that is no success, with the reason in the log where there is one.
fn replies(gate: &Gate) -> Vec<(Option<&'static str>, Reply)> {
    let refused = |rejection: Rejection| {
        let reason = rejection.reason();
        (Some(reason), gate.refuse(&Refusal::Rejected(rejection)))
    };
    let exchange = endpoints(gate).into_iter().find(|endpoint| endpoint.path == "/v1/auth/tokens").expect("a route");
    let mut replies: Vec<_> = rejections().into_iter().map(refused).collect();
    replies.extend([
        (None, gate.refuse(&StoreError::unavailable("gone").into())),
        (None, method_not_allowed(gate, "GET, HEAD")),
        (None, payload_too_large(gate)),
        (None, internal_error(gate)),
        (None, not_found(gate)),
        (None, block_on(exchange.call(gate, Request::default()))),
    ]);
    replies
}

fn code(reply: &Reply) -> String {
    let body: Value = serde_json::from_slice(&reply.body).expect("JSON");
    body["error"].as_str().expect("a code").to_owned()
}

/// The JSON blocks of a page.
fn shown(page: &str) -> Vec<&str> {
    page.split("```json\n").skip(1).filter_map(|rest| rest.split("\n```").next()).collect()
}

#[test]
fn every_code_has_a_page_and_no_page_is_left_over() {
    let gate = gate();
    let mut codes: BTreeSet<String> = replies(&gate).iter().map(|(_, reply)| code(reply)).collect();
    let document = serde_json::to_value(openapi::document(&gate)).expect("JSON");
    let documented =
        document["components"]["schemas"]["Problem"]["properties"]["error"]["enum"].as_array().expect("codes");
    let documented: BTreeSet<String> =
        documented.iter().map(|code| code.as_str().expect("a code").to_owned()).collect();
    assert_eq!(codes, documented, "the codes of the OpenAPI document");
    codes.extend(OAUTH.map(str::to_owned));
    let found = fs::read_dir(pages()).expect("docs/errors").map(|entry| entry.expect("a file").file_name());
    let found: BTreeSet<String> = found.map(|name| name.to_string_lossy().trim_end_matches(".md").to_owned()).collect();
    let pages: BTreeSet<String> = found.into_iter().filter(|name| name != "README").collect();
    assert_eq!(pages, codes);
    let index = page("README");
    for code in codes {
        assert!(index.contains(&format!("| [{code}]({code}.md) | ")), "{code} is not in the index");
        assert!(page(&code).starts_with(&format!("# {code}\n")), "{code}");
    }
}

#[test]
fn a_page_shows_the_answer_to_the_byte_and_names_every_reason_in_the_log() {
    let gate = gate();
    let mut by_code: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for (reason, reply) in replies(&gate) {
        by_code.entry(code(&reply)).or_default().push((reason, reply));
    }
    for (code, replies) in by_code {
        let page = page(&code);
        let bodies = shown(&page);
        assert_eq!(bodies.len(), 1, "{code}");
        let answer = replies.iter().find(|(_, reply)| bodies[0].as_bytes() == reply.body);
        let (_, reply) = answer.unwrap_or_else(|| panic!("{code}: no refusal has this body"));
        let challenge =
            reply.header("www-authenticate").map_or("none".to_owned(), |challenge| format!("`{challenge}`"));
        assert!(page.contains(&format!("| status | {} |\n| challenge | {challenge} |\n", reply.status)), "{code}");
        assert_eq!(page.contains("| `Retry-After` |"), reply.header("retry-after").is_some(), "{code}");
        for reason in replies.iter().filter_map(|(reason, _)| *reason) {
            assert!(page.contains(&format!("\"{reason}\"")), "{code}: the log's reason `{reason}`");
        }
        for heading in ["## The answer", "## Usual causes", "## What the caller does", "## What the operator looks for"]
        {
            assert!(page.contains(heading), "{code}: {heading}");
        }
    }
    for code in OAUTH {
        let body: Value = serde_json::from_str(shown(&page(code))[0]).expect("JSON");
        assert_eq!(body["error"], code);
        assert!(body["error_description"].as_str().is_some_and(|text| text.ends_with('.')), "{code}");
    }
}
