//! What a client of the OAuth endpoints sees of a refusal (RFC 6749 §5.2).

use latchbook_core::authority::Refusal;
use latchbook_core::model::Rejection;
use serde::Serialize;

use crate::challenge::Challenge;
use crate::refusal::Answer;

/// Seconds after which a change that others were quicker at is worth another try.
const RETRY_AFTER_CONFLICT: u64 = 1;

/// What a client shows, which decides what a refusal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shows {
    /// An API key as its secret. Whatever is wrong with it has one answer, the same to the byte.
    Secret,
    /// A subject token (RFC 8693 §2.2.2). Whatever is wrong with it has one answer too.
    SubjectToken,
}

impl Answer {
    /// The answer to `refusal` of an OAuth endpoint.
    pub(crate) fn to_client(refusal: &Refusal, shown: Shows) -> Self {
        match refusal {
            Refusal::Rejected(rejection) => to_rejection(rejection, shown),
            Refusal::Fault(fault) => Self::to_fault(fault),
        }
    }

    /// 401 for a client that did not show itself, or not rightly.
    pub(crate) fn invalid_client() -> Self {
        let mut answer = Self::new(401, "invalid_client", "The client and its secret are not valid together.");
        answer.challenge = Challenge::Basic;
        answer
    }

    /// 400 for a grant type that there is none of.
    pub(crate) fn unsupported_grant_type() -> Self {
        Self::new(400, "unsupported_grant_type", "The grant type is not one of those that are served here.")
    }

    /// 400 for a target that tokens are not made for (RFC 8693 §2.2.2).
    pub(crate) fn invalid_target() -> Self {
        Self::new(400, "invalid_target", "No token may be made for this target.")
    }

    /// 415 for a body that is no form.
    pub(crate) fn no_form() -> Self {
        Self::new(415, "unsupported_media_type", "The body must be `application/x-www-form-urlencoded`.")
    }
}

fn to_rejection(rejection: &Rejection, shown: Shows) -> Answer {
    match rejection {
        Rejection::KeyText
        | Rejection::KeyEnvironment
        | Rejection::KeyUnknown
        | Rejection::KeyDigest
        | Rejection::KeyRevoked
        | Rejection::KeyExpired
        | Rejection::DeveloperUnknown
        | Rejection::DeveloperSuspended => Answer::invalid_client(),
        // Where a secret is shown, an address that the key does not allow is one more way in which it is no good here.
        Rejection::AddressNotAllowed if shown == Shows::Secret => Answer::invalid_client(),

        Rejection::CredentialMissing
        | Rejection::CredentialMalformed
        | Rejection::CredentialRepeated
        | Rejection::TokenTooLong
        | Rejection::TokenShape
        | Rejection::TokenHeader
        | Rejection::TokenType
        | Rejection::UnknownSigningKey
        | Rejection::AlgorithmMismatch
        | Rejection::BadSignature
        | Rejection::TokenClaims
        | Rejection::WrongIssuer
        | Rejection::WrongAudience
        | Rejection::ForeignEnvironmentClaim
        | Rejection::WrongEnvironment
        | Rejection::NotYetValid
        | Rejection::Expired
        | Rejection::LifetimeTooLong
        | Rejection::AddressNotAllowed
        | Rejection::Revoked { by: _ } => Answer::invalid_request("the subject token is not valid"),
        Rejection::DeveloperTokenNeeded => Answer::invalid_request("the subject token must be a developer's"),

        Rejection::EntityMissing
        | Rejection::EntityMalformed
        | Rejection::EntityMismatch
        | Rejection::EntityForbidden => Answer::invalid_target(),

        Rejection::Conflict => Answer::unavailable(RETRY_AFTER_CONFLICT),

        Rejection::InsufficientScope { .. }
        | Rejection::InvalidScope
        | Rejection::InvalidRequest { .. }
        | Rejection::WiderThanMaker { .. }
        | Rejection::NotFound
        | Rejection::IdempotencyMismatch
        | Rejection::RateLimited { .. } => Answer::to_rejection(rejection),
    }
}

/// The media type of an error.
pub(crate) const CONTENT_TYPE: &str = "application/json";

/// The body of an error. What has no code of its own in OAuth is an `invalid_request`.
pub(crate) fn print(answer: &Answer) -> Vec<u8> {
    #[derive(Serialize)]
    struct Error<'a> {
        error: &'static str,
        error_description: &'a str,
    }
    let error = match answer.status {
        405 | 413 | 415 => "invalid_request",
        _ => answer.error,
    };
    // INVARIANT: texts in a struct always become JSON.
    serde_json::to_vec(&Error { error, error_description: &answer.message }).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use latchbook_core::authority::Fault;
    use latchbook_core::key_store::StoreError;
    use latchbook_core::model::RevokedBy;

    use super::*;

    fn shown(rejection: Rejection, shows: Shows) -> (u16, &'static str) {
        let answer = Answer::to_client(&rejection.into(), shows);
        assert_eq!(answer.challenge == Challenge::Basic, answer.status == 401);
        assert_eq!(answer.retry_after.is_some(), [429, 503].contains(&answer.status));
        (answer.status, answer.error)
    }

    #[test]
    fn reasons_have_the_codes_of_rfc_6749_and_rfc_8693() {
        use Rejection as R;
        let cases = [
            (R::KeyDigest, 401, "invalid_client"),
            (R::Expired, 400, "invalid_request"),
            (R::DeveloperTokenNeeded, 400, "invalid_request"),
            (R::EntityForbidden, 400, "invalid_target"),
            (R::InvalidScope, 400, "invalid_scope"),
            (R::InvalidRequest { message: "x" }, 400, "invalid_request"),
            (R::RateLimited { retry_after: 7 }, 429, "rate_limited"),
            (R::Conflict, 503, "temporarily_unavailable"),
        ];
        for (rejection, status, error) in cases {
            assert_eq!(shown(rejection.clone(), Shows::SubjectToken), (status, error), "{rejection:?}");
        }
    }

    #[test]
    fn k1_every_cause_of_a_refused_secret_has_the_same_answer() {
        use Rejection as R;
        for cause in [
            R::KeyText,
            R::KeyEnvironment,
            R::KeyUnknown,
            R::KeyRevoked,
            R::KeyExpired,
            R::DeveloperUnknown,
            R::DeveloperSuspended,
            R::AddressNotAllowed,
        ] {
            let answer = Answer::to_client(&cause.clone().into(), Shows::Secret);
            assert_eq!(answer, Answer::invalid_client(), "{cause:?}");
        }
    }

    #[test]
    fn every_cause_of_a_bad_subject_token_has_the_same_answer() {
        use Rejection as R;
        let first = Answer::to_client(&R::TokenShape.into(), Shows::SubjectToken);
        for cause in [R::BadSignature, R::Expired, R::AddressNotAllowed, R::Revoked { by: RevokedBy::Key }] {
            assert_eq!(Answer::to_client(&cause.clone().into(), Shows::SubjectToken), first, "{cause:?}");
        }
    }

    #[test]
    fn a_fault_is_an_opaque_503_and_codes_that_oauth_does_not_have_are_an_invalid_request() {
        let fault = Refusal::Fault(Fault::Store(StoreError::unavailable("disk /dev/sda1 is gone")));
        let answer = Answer::to_client(&fault, Shows::Secret);
        assert_eq!((answer.status, answer.error), (503, "temporarily_unavailable"));
        for answer in [Answer::payload_too_large(), Answer::method_not_allowed(), Answer::no_form()] {
            let body = String::from_utf8(print(&answer)).expect("JSON");
            assert!(body.starts_with(r#"{"error":"invalid_request","error_description":""#), "{body}");
        }
    }
}
