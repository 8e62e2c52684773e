//! Bodies of refusals: problem details (RFC 9457) with the two members that the API's clients read.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

/// A refusal, as the client will see it: what [`on_reject`](crate::Gate::on_reject) is given.
///
/// The exact reason is not in it. Logs and the audit have that; a body must not.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Rejected<'a> {
    /// The status code.
    pub status: u16,
    /// The code, such as `token_expired`.
    pub error: &'static str,
    /// A sentence for people.
    pub message: &'a str,
    /// The request's id, where the host supplies one.
    pub request_id: Option<&'a str>,
    /// Whole seconds until it is worth trying again, where that is known.
    pub retry_after: Option<u64>,
}

/// A host's own body of a refusal. Status, challenge and cache fields stay as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectBody {
    /// Its media type. Without effect where it is no visible ASCII.
    pub content_type: String,
    /// The body.
    pub body: Vec<u8>,
}

/// A host's function that restyles refusals; `None` keeps the problem details.
#[derive(Clone)]
pub(crate) struct OnReject(pub(crate) Arc<Restyle>);

type Restyle = dyn Fn(&Rejected<'_>) -> Option<RejectBody> + Send + Sync;

impl fmt::Debug for OnReject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnReject(…)")
    }
}

/// The media type of problem details.
pub(crate) const CONTENT_TYPE: &str = "application/problem+json";

/// The problem details of a refusal.
pub(crate) fn print(rejected: &Rejected<'_>) -> Vec<u8> {
    #[derive(Serialize)]
    struct Problem<'a> {
        #[serde(rename = "type")]
        kind: String,
        title: &'static str,
        status: u16,
        error: &'static str,
        message: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        request_id: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after: Option<u64>,
    }
    let problem = Problem {
        kind: format!("urn:latchbook:problem:{}", rejected.error),
        title: title(rejected.status),
        status: rejected.status,
        error: rejected.error,
        message: rejected.message,
        request_id: rejected.request_id,
        retry_after: rejected.retry_after,
    };
    // INVARIANT: texts and numbers in a struct always become JSON.
    serde_json::to_vec(&problem).unwrap_or_default()
}

/// The status code's phrase (RFC 9110 §15, RFC 6585 §4).
const fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_has_the_members_of_rfc_9457_and_error_and_message() {
        let mut rejected = Rejected {
            status: 401,
            error: "token_expired",
            message: "The access token has expired.",
            request_id: None,
            retry_after: None,
        };
        let want = r#"{"type":"urn:latchbook:problem:token_expired","title":"Unauthorized","status":401,"error":"token_expired","message":"The access token has expired."}"#;
        assert_eq!(String::from_utf8_lossy(&print(&rejected)), want);
        rejected.request_id = Some("r-1");
        rejected.retry_after = Some(3);
        assert!(print(&rejected).ends_with(br#","request_id":"r-1","retry_after":3}"#));
    }
}
