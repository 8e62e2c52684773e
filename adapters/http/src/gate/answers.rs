//! What the gate answers where it lets nobody in.

use latchbook_core::authority::Refusal;

use super::Gate;
use crate::problem::{self, Rejected};
use crate::refusal::{Answer, Shows};
use crate::reply::{content_type, no_store};
use crate::request_id::RequestId;
use crate::{Reply, grpc, oauth_error};

impl Gate {
    /// The reply to a refusal of a caller that shows a bearer token, or should.
    #[must_use]
    pub fn refuse(&self, refusal: &Refusal) -> Reply {
        self.refuse_as(refusal, Shows::Token)
    }

    pub(crate) fn refuse_as(&self, refusal: &Refusal, shown: Shows) -> Reply {
        let answer = Answer::to(refusal, shown);
        Self::log(refusal, answer.status);
        self.reply(&answer)
    }

    /// Says why a request is answered with `status`.
    pub(crate) fn log(refusal: &Refusal, status: u16) {
        match refusal {
            Refusal::Rejected(rejection) => {
                tracing::debug!(reason = rejection.reason(), status, "request refused");
            }
            // As `Debug`, so that whatever a backend says stays on one line.
            Refusal::Fault(fault) => tracing::error!(fault = ?fault.to_string(), status, "request not answered"),
        }
    }

    /// `answer` as a reply: problem details, or the host's own body.
    pub(crate) fn reply(&self, answer: &Answer) -> Reply {
        if self.grpc {
            return grpc::reply(answer, answer.challenge.print(&self.policy.realm));
        }
        let rejected = Rejected {
            status: answer.status,
            error: answer.error,
            message: &answer.message,
            request_id: self.request_id.as_ref().map(RequestId::as_str),
            retry_after: answer.retry_after,
        };
        let own = self.policy.on_reject.as_ref().and_then(|restyle| restyle.0(&rejected));
        let (media_type, body) = match own {
            Some(own) if own.content_type.bytes().all(|byte| matches!(byte, b' '..=b'~')) => {
                (own.content_type, own.body)
            }
            _ => (problem::CONTENT_TYPE.to_owned(), problem::print(&rejected)),
        };
        self.dress(answer, &media_type, body)
    }

    /// `answer` as a reply of an OAuth endpoint. The host's own body has no place there.
    pub(crate) fn oauth_reply(&self, answer: &Answer) -> Reply {
        self.dress(answer, oauth_error::CONTENT_TYPE, oauth_error::print(answer))
    }

    /// `body` with the status and the fields of `answer`.
    fn dress(&self, answer: &Answer, media_type: &str, body: Vec<u8>) -> Reply {
        let mut headers = vec![content_type(media_type), no_store()];
        if let Some(challenge) = answer.challenge.print(&self.policy.realm) {
            headers.push(("www-authenticate", challenge));
        }
        if let Some(seconds) = answer.retry_after {
            headers.push(("retry-after", seconds.to_string()));
        }
        Reply { status: answer.status, headers, body }
    }
}
