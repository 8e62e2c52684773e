//! Whether an answer is the refusal that it should be.

use super::Answer;

/// Demands that `answer` is the refusal with this status and this code, as the contract has it: problem details that
/// nobody keeps, and the challenge that belongs to the code.
///
/// For bodies that [`Gate::on_reject`](crate::Gate::on_reject) restyled, look at [`Answer`]'s parts instead.
///
/// # Panics
/// If it is anything else. The message shows status, code and challenge of what came.
#[track_caller]
pub fn assert_refused(answer: &Answer, status: u16, code: &str) {
    let wrong = |what: &str| panic!("wanted {status} `{code}`, {what}; got {answer:?}");
    if answer.verdict() != (status, code.to_owned()) {
        wrong("with its status and its code");
    }
    if answer.header("content-type") != Some("application/problem+json") {
        wrong("as `application/problem+json`");
    }
    if answer.header("cache-control") != Some("no-store") {
        wrong("with `cache-control: no-store`");
    }
    let challenge = Challenge::parse(answer.challenge());
    if !wanted(status, code).contains(&challenge) {
        wrong("with the challenge that belongs to it");
    }
}

/// What a challenge says, its realm apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Challenge<'a> {
    None,
    ApiKey,
    Bearer { error: Option<&'a str>, scope: bool },
    Other,
}

impl<'a> Challenge<'a> {
    fn parse(field: Option<&'a str>) -> Self {
        let Some(field) = field else { return Self::None };
        if let Some(realm) = field.strip_prefix("ApiKey realm=\"") {
            return if realm.ends_with('"') { Self::ApiKey } else { Self::Other };
        }
        let Some(rest) = field.strip_prefix("Bearer realm=\"") else { return Self::Other };
        // The realm is the host's, and may hold whatever can be quoted.
        let Some((_, error)) = rest.split_once("\", error=\"") else {
            return if rest.ends_with('"') { Self::Bearer { error: None, scope: false } } else { Self::Other };
        };
        match error.split_once("\", scope=\"") {
            Some((error, scope)) if scope.ends_with('"') => Self::Bearer { error: Some(error), scope: true },
            _ => error.strip_suffix('"').map_or(Self::Other, |error| Self::Bearer { error: Some(error), scope: false }),
        }
    }
}

/// The challenges that may stand beside a code.
fn wanted(status: u16, code: &str) -> &'static [Challenge<'static>] {
    const fn bearer(error: &'static str, scope: bool) -> Challenge<'static> {
        Challenge::Bearer { error: Some(error), scope }
    }
    match (status, code) {
        (401, "missing_credentials") => &[Challenge::Bearer { error: None, scope: false }],
        (401, "invalid_client") => &[Challenge::ApiKey],
        (401, _) => const { &[bearer("invalid_token", false)] },
        // A scope lacks, or a developer's token is wanted, which no scope helps with.
        (403, "insufficient_scope") => {
            const { &[bearer("insufficient_scope", true), bearer("insufficient_scope", false)] }
        }
        // An access token does not reach the entity, or an API key does not.
        (403, "entity_forbidden") => const { &[bearer("insufficient_scope", false), Challenge::ApiKey] },
        (403, _) => const { &[bearer("insufficient_scope", false)] },
        // About the credential, or about something else.
        (400, "invalid_request") => const { &[bearer("invalid_request", false), Challenge::None] },
        _ => &[Challenge::None],
    }
}

#[cfg(test)]
mod tests {
    use latchbook_core::model::Rejection;

    use super::*;
    use crate::testing::TestAuthority;

    fn refused(rejection: Rejection) -> Answer {
        let test = futures_executor::block_on(TestAuthority::new(&[]));
        test.gate().realm("a, error=b").expect("a realm").refuse(&rejection.into()).into()
    }

    #[test]
    fn refusals_of_ours_pass() {
        let wanted = || "ledger:read".to_owned();
        for (rejection, status, code) in [
            (Rejection::CredentialMissing, 401, "missing_credentials"),
            (Rejection::CredentialRepeated, 400, "invalid_request"),
            (Rejection::EntityMalformed, 400, "invalid_request"),
            (Rejection::EntityMissing, 400, "missing_entity"),
            (Rejection::BadSignature, 401, "token_invalid"),
            (Rejection::Expired, 401, "token_expired"),
            (Rejection::InsufficientScope { wanted: wanted() }, 403, "insufficient_scope"),
            (Rejection::DeveloperTokenNeeded, 403, "insufficient_scope"),
            (Rejection::EntityForbidden, 403, "entity_forbidden"),
            (Rejection::EntityMismatch, 403, "entity_mismatch"),
            (Rejection::KeyUnknown, 401, "invalid_client"),
            (Rejection::NotFound, 404, "not_found"),
            (Rejection::Conflict, 409, "conflict"),
            (Rejection::RateLimited { retry_after: 3 }, 429, "rate_limited"),
        ] {
            assert_refused(&refused(rejection), status, code);
        }
    }

    #[test]
    #[should_panic(expected = "wanted 403 `entity_forbidden`, with its status and its code; got status 403, code \
                               `entity_mismatch`, challenge Bearer realm=\"a, error=b\", error=\"insufficient_scope\"")]
    fn another_code_fails_and_says_what_came() {
        assert_refused(&refused(Rejection::EntityMismatch), 403, "entity_forbidden");
    }

    #[test]
    fn each_part_that_lacks_is_missed() {
        let good = refused(Rejection::Expired);
        for name in ["content-type", "cache-control", "www-authenticate"] {
            let mut bad = good.clone();
            bad.headers.retain(|(known, _)| known != name);
            let failed = std::panic::catch_unwind(|| assert_refused(&bad, 401, "token_expired"));
            assert!(failed.is_err(), "without {name}");
        }
        for challenge in ["Bearer", "Bearer realm=\"a\"", "Bearer realm=\"a\", error=\"invalid_request\"", "Basic x"] {
            let mut bad = good.clone();
            bad.headers.retain(|(known, _)| known != "www-authenticate");
            bad.headers.push(("www-authenticate".to_owned(), challenge.to_owned()));
            let failed = std::panic::catch_unwind(|| assert_refused(&bad, 401, "token_expired"));
            assert!(failed.is_err(), "{challenge}");
        }
    }
}
