//! The one table from the reason of a refusal to what the client sees of it.

use std::borrow::Cow;

use latchbook_core::authority::{Fault, Refusal};
use latchbook_core::model::Rejection;

use crate::challenge::Challenge;
use crate::json::BodyError;

/// Seconds after which a fault is worth another try: stores recover by themselves, and wait 2 s at most.
const RETRY_AFTER_FAULT: u64 = 2;

/// What a client sees of a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) error: &'static str,
    pub(crate) message: Cow<'static, str>,
    pub(crate) challenge: Challenge,
    pub(crate) retry_after: Option<u64>,
}

/// What the caller shows at a route, which decides what a refusal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shows {
    /// A bearer token.
    Token,
    /// An API key, in the body. Whatever is wrong with it has one answer, the same to the byte.
    ApiKey,
}

impl Answer {
    /// The answer to `refusal`.
    pub(crate) fn to(refusal: &Refusal, shown: Shows) -> Self {
        match (refusal, shown) {
            (Refusal::Rejected(rejection), Shows::Token) => Self::to_rejection(rejection),
            (Refusal::Rejected(rejection), Shows::ApiKey) => Self::to_key_rejection(rejection),
            (Refusal::Fault(fault), _) => Self::to_fault(fault),
        }
    }

    pub(crate) fn to_rejection(rejection: &Rejection) -> Self {
        match rejection {
            Rejection::CredentialMissing => {
                let mut answer = Self::new(401, "missing_credentials", "An access token is needed.");
                answer.challenge = Challenge::Bearer;
                answer
            }
            Rejection::CredentialMalformed => {
                bearer_request("The `Authorization` field must be `Bearer` and one token.")
            }
            Rejection::CredentialRepeated => bearer_request("One credential must be sent, once."),

            // Up to the signature, and for whatever a token of ours never has, there is one answer without a detail.
            Rejection::TokenTooLong
            | Rejection::TokenShape
            | Rejection::TokenHeader
            | Rejection::TokenType
            | Rejection::UnknownSigningKey
            | Rejection::AlgorithmMismatch
            | Rejection::BadSignature
            | Rejection::TokenClaims
            | Rejection::WrongIssuer
            | Rejection::LifetimeTooLong
            | Rejection::AddressNotAllowed => token("token_invalid", "The access token is not valid."),
            Rejection::WrongAudience => token("wrong_audience", "The access token is for another service."),
            Rejection::WrongEnvironment | Rejection::ForeignEnvironmentClaim => {
                token("wrong_environment", "The access token is of another environment.")
            }
            Rejection::NotYetValid => token("token_not_active", "The access token is not valid yet."),
            Rejection::Expired => token("token_expired", "The access token has expired."),
            Rejection::Revoked { by: _ } => token("token_revoked", "The access token has been revoked."),

            Rejection::InsufficientScope { wanted } => {
                let mut answer = scope("insufficient_scope", "The access token lacks a scope that is needed here.");
                answer.challenge = Challenge::BearerError { error: "insufficient_scope", scope: Some(wanted.clone()) };
                answer
            }
            Rejection::DeveloperTokenNeeded => {
                scope("insufficient_scope", "A developer's access token is needed here.")
            }
            Rejection::EntityMissing => Self::new(400, "missing_entity", "The request must name an entity."),
            Rejection::EntityMalformed => {
                Self::new(400, "invalid_request", "The request must name one entity, by its id.")
            }
            Rejection::EntityMismatch => scope("entity_mismatch", "The access token is limited to another entity."),
            Rejection::EntityForbidden => scope("entity_forbidden", "The access token does not reach this entity."),

            Rejection::KeyText
            | Rejection::KeyEnvironment
            | Rejection::KeyUnknown
            | Rejection::KeyDigest
            | Rejection::KeyRevoked
            | Rejection::KeyExpired
            | Rejection::DeveloperUnknown
            | Rejection::DeveloperSuspended => {
                let mut answer =
                    Self::new(401, "invalid_client", "The developer and the API key are not valid together.");
                answer.challenge = Challenge::ApiKey;
                answer
            }

            Rejection::InvalidScope => {
                Self::new(400, "invalid_scope", "The scope is empty, unknown, or wider than may be given.")
            }
            Rejection::InvalidRequest { message } => Self::invalid_request(message),
            Rejection::WiderThanMaker { what } => Self::invalid_request(&format!(
                "`{what}` is wider than that of the key behind the access token; it may only be the same or narrower"
            )),
            Rejection::NotFound => Self::not_found(),
            Rejection::Conflict => Self::new(409, "conflict", "It exists already, or was changed at the same time."),
            Rejection::IdempotencyMismatch => {
                Self::new(422, "idempotency_mismatch", "The `Idempotency-Key` was used with another body.")
            }
            Rejection::RateLimited { retry_after } => {
                let mut answer = Self::new(429, "rate_limited", "There were too many requests.");
                answer.retry_after = Some(*retry_after);
                answer
            }
        }
    }

    /// Where an API key is shown, an address that the key does not allow is one more way in which it is no good here.
    fn to_key_rejection(rejection: &Rejection) -> Self {
        let same = match rejection {
            Rejection::AddressNotAllowed => &Rejection::KeyUnknown,
            other => other,
        };
        let mut answer = Self::to_rejection(same);
        if answer.status == 401 || answer.status == 403 {
            answer.challenge = Challenge::ApiKey;
        }
        if *same == Rejection::EntityForbidden {
            answer.message = "The API key does not reach this entity.".into();
        }
        answer
    }

    pub(crate) fn to_fault(fault: &Fault) -> Self {
        if let Fault::Internal(_) = fault {
            return Self::internal_error();
        }
        Self::unavailable(RETRY_AFTER_FAULT)
    }

    /// 503, worth another try after so many seconds.
    pub(crate) fn unavailable(retry_after: u64) -> Self {
        let mut answer = Self::new(503, "temporarily_unavailable", "The service cannot answer right now.");
        answer.retry_after = Some(retry_after);
        answer
    }

    /// 400 for a malformed part of a request. `what` says what is wrong, as a fragment or a sentence.
    pub(crate) fn invalid_request(what: &str) -> Self {
        let mut characters = what.chars();
        let first = characters.next().map(|first| first.to_ascii_uppercase());
        let stop = (!what.ends_with('.')).then_some('.');
        let sentence: String = first.into_iter().chain(characters).chain(stop).collect();
        Self { message: sentence.into(), ..Self::new(400, "invalid_request", "") }
    }

    /// 415.
    pub(crate) fn unsupported_media_type() -> Self {
        Self::new(415, "unsupported_media_type", "The body must be `application/json`.")
    }

    /// 413.
    pub(crate) fn payload_too_large() -> Self {
        Self::new(413, "payload_too_large", "The body is too large.")
    }

    /// 405.
    pub(crate) fn method_not_allowed() -> Self {
        Self::new(405, "method_not_allowed", "This path has other methods: the `Allow` field names them.")
    }

    /// 404.
    pub(crate) fn not_found() -> Self {
        Self::new(404, "not_found", "There is no such thing.")
    }

    /// 500.
    pub(crate) fn internal_error() -> Self {
        Self::new(500, "internal_error", "The service is not set up rightly.")
    }

    pub(crate) fn new(status: u16, error: &'static str, message: &'static str) -> Self {
        Self { status, error, message: message.into(), challenge: Challenge::None, retry_after: None }
    }
}

impl From<BodyError> for Answer {
    fn from(error: BodyError) -> Self {
        Self::invalid_request(&error.0)
    }
}

fn bearer_request(message: &'static str) -> Answer {
    let mut answer = Answer::new(400, "invalid_request", message);
    answer.challenge = Challenge::BearerError { error: "invalid_request", scope: None };
    answer
}

fn token(error: &'static str, message: &'static str) -> Answer {
    let mut answer = Answer::new(401, error, message);
    answer.challenge = Challenge::BearerError { error: "invalid_token", scope: None };
    answer
}

fn scope(error: &'static str, message: &'static str) -> Answer {
    let mut answer = Answer::new(403, error, message);
    answer.challenge = Challenge::BearerError { error: "insufficient_scope", scope: None };
    answer
}

#[cfg(test)]
mod tests {
    use latchbook_core::key_store::StoreError;
    use latchbook_core::model::RevokedBy;

    use super::*;

    fn shown(rejection: Rejection) -> (u16, &'static str, Option<&'static str>) {
        let answer = Answer::to(&rejection.into(), Shows::Token);
        let error = match answer.challenge {
            Challenge::None => None,
            Challenge::Bearer => Some("Bearer"),
            Challenge::ApiKey => Some("ApiKey"),
            Challenge::Basic => Some("Basic"),
            Challenge::BearerError { error, .. } => Some(error),
        };
        (answer.status, answer.error, error)
    }

    #[test]
    fn every_reason_has_its_answer() {
        use Rejection as R;
        let wanted = || "ledger:read".to_owned();
        let cases = [
            (R::CredentialMissing, 401, "missing_credentials", Some("Bearer")),
            (R::CredentialMalformed, 400, "invalid_request", Some("invalid_request")),
            (R::CredentialRepeated, 400, "invalid_request", Some("invalid_request")),
            (R::TokenTooLong, 401, "token_invalid", Some("invalid_token")),
            (R::TokenShape, 401, "token_invalid", Some("invalid_token")),
            (R::TokenHeader, 401, "token_invalid", Some("invalid_token")),
            (R::TokenType, 401, "token_invalid", Some("invalid_token")),
            (R::UnknownSigningKey, 401, "token_invalid", Some("invalid_token")),
            (R::AlgorithmMismatch, 401, "token_invalid", Some("invalid_token")),
            (R::BadSignature, 401, "token_invalid", Some("invalid_token")),
            (R::TokenClaims, 401, "token_invalid", Some("invalid_token")),
            (R::WrongIssuer, 401, "token_invalid", Some("invalid_token")),
            (R::ForeignEnvironmentClaim, 401, "wrong_environment", Some("invalid_token")),
            (R::LifetimeTooLong, 401, "token_invalid", Some("invalid_token")),
            (R::AddressNotAllowed, 401, "token_invalid", Some("invalid_token")),
            (R::WrongAudience, 401, "wrong_audience", Some("invalid_token")),
            (R::WrongEnvironment, 401, "wrong_environment", Some("invalid_token")),
            (R::NotYetValid, 401, "token_not_active", Some("invalid_token")),
            (R::Expired, 401, "token_expired", Some("invalid_token")),
            (R::Revoked { by: RevokedBy::Entity }, 401, "token_revoked", Some("invalid_token")),
            (R::InsufficientScope { wanted: wanted() }, 403, "insufficient_scope", Some("insufficient_scope")),
            (R::DeveloperTokenNeeded, 403, "insufficient_scope", Some("insufficient_scope")),
            (R::EntityMissing, 400, "missing_entity", None),
            (R::EntityMalformed, 400, "invalid_request", None),
            (R::EntityMismatch, 403, "entity_mismatch", Some("insufficient_scope")),
            (R::EntityForbidden, 403, "entity_forbidden", Some("insufficient_scope")),
            (R::KeyText, 401, "invalid_client", Some("ApiKey")),
            (R::DeveloperSuspended, 401, "invalid_client", Some("ApiKey")),
            (R::InvalidScope, 400, "invalid_scope", None),
            (R::InvalidRequest { message: "x" }, 400, "invalid_request", None),
            (R::WiderThanMaker { what: "expiresAt" }, 400, "invalid_request", None),
            (R::NotFound, 404, "not_found", None),
            (R::Conflict, 409, "conflict", None),
            (R::IdempotencyMismatch, 422, "idempotency_mismatch", None),
            (R::RateLimited { retry_after: 7 }, 429, "rate_limited", None),
        ];
        for (rejection, status, error, challenge) in cases {
            assert_eq!(shown(rejection.clone()), (status, error, challenge), "{rejection:?}");
        }
        let lacking = Answer::to(&R::InsufficientScope { wanted: wanted() }.into(), Shows::Token);
        assert_eq!(
            lacking.challenge,
            Challenge::BearerError { error: "insufficient_scope", scope: Some("ledger:read".to_owned()) }
        );
    }

    #[test]
    fn k1_every_cause_at_a_key_exchange_has_the_same_answer() {
        use Rejection as R;
        let first = Answer::to(&R::KeyUnknown.into(), Shows::ApiKey);
        assert_eq!((first.status, first.error), (401, "invalid_client"));
        for cause in [
            R::KeyText,
            R::KeyEnvironment,
            R::KeyDigest,
            R::KeyRevoked,
            R::KeyExpired,
            R::DeveloperUnknown,
            R::DeveloperSuspended,
            R::AddressNotAllowed,
        ] {
            assert_eq!(Answer::to(&cause.clone().into(), Shows::ApiKey), first, "{cause:?}");
        }
    }

    #[test]
    fn a_fault_is_an_opaque_503_and_a_broken_promise_a_500() {
        let fault = Answer::to(&StoreError::unavailable("disk /dev/sda1 is gone").into(), Shows::Token);
        assert_eq!((fault.status, fault.error, fault.retry_after), (503, "temporarily_unavailable", Some(2)));
        assert!(!fault.message.contains("sda1"));
        assert_eq!(fault.challenge, Challenge::None);
        let broken = Answer::to(&Refusal::Fault(Fault::Internal("two active keys")), Shows::ApiKey);
        assert_eq!((broken.status, broken.error, broken.retry_after), (500, "internal_error", None));
        assert!(!broken.message.contains("keys"));
    }

    #[test]
    fn a_fragment_becomes_a_sentence() {
        assert_eq!(Answer::invalid_request("the body is bad").message, "The body is bad.");
        assert_eq!(Answer::invalid_request("`name` is bad").message, "`name` is bad.");
        assert_eq!(Answer::invalid_request("It is bad.").message, "It is bad.");
    }
}
