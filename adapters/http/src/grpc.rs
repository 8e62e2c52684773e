//! Refusals for gRPC: a status in the head of an answer without a body, which is what gRPC's clients read.

use crate::Reply;
use crate::refusal::Answer;
use crate::reply::no_store;

/// `answer` as gRPC's Trailers-Only (gRPC over HTTP/2, "Responses"): HTTP 200, `grpc-status`, `grpc-message`. The
/// challenge stays a field, which clients show as metadata.
///
/// An HTTP status would not do: clients map 400 to `INTERNAL`, and stumble over a body that is no gRPC message.
pub(crate) fn reply(answer: &Answer, challenge: Option<String>) -> Reply {
    let message = escape(&format!("{}: {}", answer.error, answer.message));
    let mut headers = vec![
        ("content-type", "application/grpc".to_owned()),
        no_store(),
        ("grpc-status", status(answer.status).to_string()),
        ("grpc-message", message),
    ];
    headers.extend(challenge.map(|challenge| ("www-authenticate", challenge)));
    headers.extend(answer.retry_after.map(|seconds| ("retry-after", seconds.to_string())));
    Reply { status: 200, headers, body: Vec::new() }
}

/// Whether a request with this `Content-Type` is gRPC's: `application/grpc`, alone or with a suffix or parameters.
#[must_use]
pub fn is_grpc(content_type: &[u8]) -> bool {
    let (name, rest) = content_type.split_at_checked(NAME.len()).unwrap_or_default();
    name.eq_ignore_ascii_case(NAME) && matches!(rest.first(), None | Some(b'+' | b';' | b' '))
}

const NAME: &[u8] = b"application/grpc";

/// gRPC's code for an HTTP status of ours (gRPC, "Status codes and their use").
const fn status(http: u16) -> u8 {
    match http {
        400 | 413 | 415 | 422 => 3, // INVALID_ARGUMENT
        401 => 16,                  // UNAUTHENTICATED
        403 => 7,                   // PERMISSION_DENIED
        404 => 5,                   // NOT_FOUND
        405 => 12,                  // UNIMPLEMENTED
        409 => 10,                  // ABORTED
        429 => 8,                   // RESOURCE_EXHAUSTED
        503 => 14,                  // UNAVAILABLE
        500 => 13,                  // INTERNAL
        _ => 2,                     // UNKNOWN
    }
}

/// `text` percent-encoded as gRPC wants it: visible ASCII and spaces stay, but for `%`.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' '..=b'$' | b'&'..=b'~' => escaped.push(char::from(byte)),
            other => escaped.push_str(&format!("%{other:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use latchbook_core::key_store::StoreError;
    use latchbook_core::model::Rejection;

    use super::*;
    use crate::refusal::Shows;

    #[test]
    fn a_refusal_is_a_status_in_the_head() {
        let scope = Rejection::InsufficientScope { wanted: "a:b".to_owned() };
        let cases = [
            (Rejection::CredentialMissing.into(), "16"),
            (Rejection::Expired.into(), "16"),
            (Rejection::CredentialMalformed.into(), "3"),
            (scope.into(), "7"),
            (StoreError::unavailable("gone").into(), "14"),
        ];
        for (refusal, status) in cases {
            let reply = reply(&Answer::to(&refusal, Shows::Token), Some("Bearer realm=\"x\"".to_owned()));
            assert_eq!((reply.status, reply.header("grpc-status")), (200, Some(status)), "{refusal:?}");
            assert_eq!(reply.header("www-authenticate"), Some("Bearer realm=\"x\""));
            assert_eq!(reply.header("content-type"), Some("application/grpc"));
            assert_eq!(reply.header("cache-control"), Some("no-store"));
            assert_eq!(reply.header("retry-after").is_some(), status == "14");
            assert!(reply.body.is_empty());
        }
        let expired = reply(&Answer::to(&Rejection::Expired.into(), Shows::Token), None);
        assert_eq!(expired.header("grpc-message"), Some("token_expired: The access token has expired."));
    }

    #[test]
    fn grpc_is_told_by_the_whole_type() {
        for good in ["application/grpc", "Application/gRPC", "application/grpc+proto", "application/grpc; x=y"] {
            assert!(is_grpc(good.as_bytes()), "{good}");
        }
        for bad in ["", "application/grp", "application/grpc-web", "application/json", "application/grpcx"] {
            assert!(!is_grpc(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn h12_a_message_is_visible_ascii() {
        assert_eq!(escape("a 100% \u{e9}\r\n~"), "a 100%25 %C3%A9%0D%0A~");
    }
}
