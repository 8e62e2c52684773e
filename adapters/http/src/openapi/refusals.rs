//! The refusals of the contract as shared responses: each with its status, its codes and its fields.

use serde_json::json;
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, Schema};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

use super::words::{allow, always, answer_field, count, maybe, not_kept, object, one_of, retry_after, shared, string};
use crate::problem;

/// The schema that every refusal has.
pub(super) const PROBLEM: &str = "Problem";

/// A refusal that operations name as one of their answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Refused {
    /// 400 about a credential, a parameter or a body.
    InvalidRequest,
    /// 400 about these or the entity.
    InvalidEntityRequest,
    /// 400 about these or a scope.
    InvalidScopeRequest,
    /// 401 for a bearer token.
    Unauthorized,
    /// 401 for an API key.
    InvalidClient,
    /// 403 for a token that lacks a scope, or is of the wrong kind.
    InsufficientScope,
    /// 403 for these, or for an entity out of reach.
    EntityOutOfReach,
    /// 403 for an API key that does not reach the entity.
    EntityForbidden,
    /// 404.
    NotFound,
    /// 405, which other methods of the path get.
    MethodNotAllowed,
    /// 409.
    Conflict,
    /// 413.
    PayloadTooLarge,
    /// 415.
    UnsupportedMediaType,
    /// 422.
    IdempotencyMismatch,
    /// 429.
    RateLimited,
    /// 500.
    InternalError,
    /// 503.
    Unavailable,
}

/// The codes of a refused bearer token.
const TOKEN_CODES: &[&str] = &[
    "missing_credentials",
    "token_invalid",
    "token_expired",
    "token_not_active",
    "token_revoked",
    "wrong_audience",
    "wrong_environment",
];

impl Refused {
    pub(super) const ALL: &[Self] = &[
        Self::InvalidRequest,
        Self::InvalidEntityRequest,
        Self::InvalidScopeRequest,
        Self::Unauthorized,
        Self::InvalidClient,
        Self::InsufficientScope,
        Self::EntityOutOfReach,
        Self::EntityForbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Conflict,
        Self::PayloadTooLarge,
        Self::UnsupportedMediaType,
        Self::IdempotencyMismatch,
        Self::RateLimited,
        Self::InternalError,
        Self::Unavailable,
    ];

    /// Its name among the shared responses, its status, its codes, and when it is given.
    pub(super) const fn row(self) -> (&'static str, u16, &'static [&'static str], &'static str) {
        match self {
            Self::InvalidRequest => {
                ("InvalidRequest", 400, &["invalid_request"], "The credential, a parameter or the body is malformed.")
            }
            Self::InvalidEntityRequest => (
                "InvalidEntityRequest",
                400,
                &["invalid_request", "missing_entity"],
                "The request is malformed, or names no entity where one is needed.",
            ),
            Self::InvalidScopeRequest => (
                "InvalidScopeRequest",
                400,
                &["invalid_request", "invalid_scope"],
                "The request is malformed, or a scope is empty, unknown, or wider than may be given.",
            ),
            Self::Unauthorized => {
                ("Unauthorized", 401, TOKEN_CODES, "There is no access token, or it is not valid here and now.")
            }
            Self::InvalidClient => {
                ("InvalidClient", 401, &["invalid_client"], "Developer and API key are not valid together.")
            }
            Self::InsufficientScope => (
                "InsufficientScope",
                403,
                &["insufficient_scope"],
                "The access token lacks a scope, or a developer's is needed.",
            ),
            Self::EntityOutOfReach => (
                "EntityOutOfReach",
                403,
                &["insufficient_scope", "entity_mismatch", "entity_forbidden"],
                "The access token lacks a scope, or does not reach the entity, whether that exists or not.",
            ),
            Self::EntityForbidden => {
                ("EntityForbidden", 403, &["entity_forbidden"], "The API key does not reach this entity.")
            }
            Self::NotFound => ("NotFound", 404, &["not_found"], "There is no such thing, or it is somebody else's."),
            Self::MethodNotAllowed => {
                ("MethodNotAllowed", 405, &["method_not_allowed"], "What other methods of this path get.")
            }
            Self::Conflict => ("Conflict", 409, &["conflict"], "It exists already, or was changed at the same time."),
            Self::PayloadTooLarge => ("PayloadTooLarge", 413, &["payload_too_large"], "The body is too large."),
            Self::UnsupportedMediaType => {
                ("UnsupportedMediaType", 415, &["unsupported_media_type"], "The body is no `application/json`.")
            }
            Self::IdempotencyMismatch => (
                "IdempotencyMismatch",
                422,
                &["idempotency_mismatch"],
                "The `Idempotency-Key` was used with another body.",
            ),
            Self::RateLimited => ("RateLimited", 429, &["rate_limited"], "There were too many requests."),
            Self::InternalError => ("InternalError", 500, &["internal_error"], "The service is not set up rightly."),
            Self::Unavailable => {
                ("Unavailable", 503, &["temporarily_unavailable"], "The service cannot answer right now.")
            }
        }
    }

    /// Its name among the shared responses.
    pub(super) const fn name(self) -> &'static str {
        self.row().0
    }

    pub(super) const fn status(self) -> u16 {
        self.row().1
    }

    /// The way that an operation names it.
    pub(super) fn reference(self) -> RefOr<Response> {
        RefOr::Ref(Ref::from_response_name(self.name()))
    }

    /// The shared response itself.
    pub(super) fn response(self) -> Response {
        let (_, status, codes, description) = self.row();
        let narrower = ObjectBuilder::new().property("error", one_of("", codes.iter().copied())).property(
            "status",
            ObjectBuilder::new().schema_type(utoipa::openapi::Type::Integer).enum_values(Some([json!(status)])),
        );
        let schema = AllOfBuilder::new().item(shared(PROBLEM)).item(narrower).build();
        let content = ContentBuilder::new().schema(Some(Schema::AllOf(schema))).build();
        let response = ResponseBuilder::new()
            .description(description)
            .content(problem::CONTENT_TYPE, content)
            .header("Cache-Control", not_kept());
        let response = match self {
            Self::InvalidRequest | Self::InvalidEntityRequest => response.header(
                "WWW-Authenticate",
                answer_field(string("The challenge, where the credential is at fault (RFC 6750 §3).")),
            ),
            Self::Unauthorized | Self::InsufficientScope | Self::EntityOutOfReach => {
                response.header("WWW-Authenticate", answer_field(string("The challenge (RFC 6750 §3).")))
            }
            Self::InvalidClient | Self::EntityForbidden => response.header(
                "WWW-Authenticate",
                answer_field(string("The challenge: an API key is asked for, in the body.")),
            ),
            Self::MethodNotAllowed => response.header("Allow", allow()),
            Self::RateLimited | Self::Unavailable => response.header("Retry-After", retry_after()),
            _ => response,
        };
        response.build()
    }
}

/// What every refusal's body is (RFC 9457).
pub(super) fn problem() -> ObjectBuilder {
    let codes = Refused::ALL.iter().flat_map(|refused| refused.row().2.iter().copied());
    let mut codes: Vec<&str> = codes.collect();
    codes.sort_unstable();
    codes.dedup();
    object(
        "Why a request was refused: problem details (RFC 9457).",
        [
            always("type", string("The code as a URN.").pattern(Some("^urn:latchbook:problem:[a-z_]+$"))),
            always("title", string("The status code's phrase.")),
            always("status", count("The status code.", 400).maximum(Some(super::words::number(599)))),
            always("error", one_of("The code: what programs read.", codes)),
            always("message", string("A sentence for people.")),
            maybe("request_id", string("The request's id, where the service has one.")),
            maybe("retry_after", count("Whole seconds until it is worth trying again.", 0)),
        ],
    )
    .examples([json!({
        "type": "urn:latchbook:problem:token_expired",
        "title": "Unauthorized",
        "status": 401,
        "error": "token_expired",
        "message": "The access token has expired.",
    })])
}
