//! Why a request is refused: one reason per rule.

/// Whose change ended a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RevokedBy {
    /// The token itself, or the one that it was exchanged from, was revoked.
    Token,
    /// Its key was revoked.
    Key,
    /// Its key's generation ended.
    Generation,
    /// Its developer's epoch was raised.
    Developer,
    /// Its entity was removed.
    Entity,
}

macro_rules! rejections {
    ($($(#[$doc:meta])* $name:ident $({ $($(#[$field_doc:meta])* $field:ident: $type:ty),+ })? = $reason:literal;)+) => {
        /// A refusal: an answer, not a fault. Clients learn a coarse code from it, logs the exact reason.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Rejection {
            $($(#[$doc])* $name $({ $($(#[$field_doc])* $field: $type),+ })?),+
        }

        impl Rejection {
            /// The reason's name in logs, metrics and audit.
            #[must_use]
            pub const fn reason(&self) -> &'static str {
                match self {
                    $(Self::$name { .. } => $reason),+
                }
            }
        }
    };
}

rejections! {
    /// No bearer token was offered.
    CredentialMissing = "credential_missing";
    /// The credential's field is malformed.
    CredentialMalformed = "credential_malformed";
    /// Two credentials were offered.
    CredentialRepeated = "credential_repeated";

    /// The token is longer than 8,192 bytes.
    TokenTooLong = "token_too_long";
    /// Not three parts of canonical base64url (RFC 7515 §7.1).
    TokenShape = "token_shape";
    /// The header is not exactly `alg`, `typ` and `kid`, each a string, once.
    TokenHeader = "token_header";
    /// `typ` is not `at+jwt`.
    TokenType = "token_type";
    /// `kid` names no key that verifies here.
    UnknownSigningKey = "unknown_signing_key";
    /// `alg` is not the key's.
    AlgorithmMismatch = "algorithm_mismatch";
    /// The signature is wrong.
    BadSignature = "bad_signature";
    /// The claims are not what a token of ours carries: missing, of a wrong type, twice, or at odds with each other.
    TokenClaims = "token_claims";
    /// `iss` is not the environment's.
    WrongIssuer = "wrong_issuer";
    /// `aud` is not the environment's.
    WrongAudience = "wrong_audience";
    /// `env` is not the signing key's environment.
    ForeignEnvironmentClaim = "foreign_environment_claim";
    /// A good token of another mounted environment than the route serves.
    WrongEnvironment = "wrong_environment";
    /// `nbf` or `iat` lies ahead by more than the leeway.
    NotYetValid = "not_yet_valid";
    /// `exp` has come.
    Expired = "expired";
    /// `exp` lies further ahead than any token's may.
    LifetimeTooLong = "lifetime_too_long";
    /// The caller's address is unknown or in none of the key's ranges.
    AddressNotAllowed = "address_not_allowed";
    /// Something that the token stands on was revoked.
    Revoked {
        /// What.
        by: RevokedBy
    } = "revoked";

    /// The token lacks a scope.
    InsufficientScope {
        /// The scopes that would do, separated by spaces.
        wanted: String
    } = "insufficient_scope";
    /// An entity token where a developer token is needed.
    DeveloperTokenNeeded = "developer_token_needed";
    /// No entity was named where one is needed.
    EntityMissing = "entity_missing";
    /// The entity's parameter is given twice or is no id.
    EntityMalformed = "entity_malformed";
    /// An entity token, and another entity than its own.
    EntityMismatch = "entity_mismatch";
    /// An entity that the developer does not reach, existing or not.
    EntityForbidden = "entity_forbidden";

    /// The key's text has the wrong shape or checksum.
    KeyText = "key_text";
    /// The key is of another environment or brand than those served here.
    KeyEnvironment = "key_environment";
    /// No such key of that developer.
    KeyUnknown = "key_unknown";
    /// The key's text is not, or no longer, the right one.
    KeyDigest = "key_digest";
    /// The key was revoked.
    KeyRevoked = "key_revoked";
    /// The key has expired.
    KeyExpired = "key_expired";
    /// The developer is unknown.
    DeveloperUnknown = "developer_unknown";
    /// The developer is suspended.
    DeveloperSuspended = "developer_suspended";

    /// The scope asked for is empty, unknown, wider than what is held, or not for an entity token.
    InvalidScope = "invalid_scope";
    /// A part of the request is malformed.
    InvalidRequest {
        /// What is wrong and what would be right; fixed text, never input.
        message: &'static str
    } = "invalid_request";
    /// What was asked for is wider than its maker.
    WiderThanMaker {
        /// Which part.
        what: &'static str
    } = "wider_than_maker";
    /// There is no such thing, or it is another developer's.
    NotFound = "not_found";
    /// It exists already, or was changed by another at the same time.
    Conflict = "conflict";
    /// The same `Idempotency-Key` came with another body.
    IdempotencyMismatch = "idempotency_mismatch";
    /// Too many attempts.
    RateLimited {
        /// Seconds until the next may be made.
        retry_after: u64
    } = "rate_limited";
}
