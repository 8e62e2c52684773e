//! Why an endpoint did not succeed, kept until the gate turns it into a reply.

use latchbook_core::authority::Refusal;
use latchbook_core::model::{Rejection, SecretText};
use serde::Serialize;

use crate::json::{BodyError, Members};
use crate::refusal::{Answer, Shows};
use crate::{Gate, Reply, Request};

/// Why an endpoint did not succeed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The authority refused, or failed.
    Refused(Refusal),
    /// The same, where an API key was shown.
    KeyRefused(Refusal),
    /// The request was malformed.
    Answered(Answer),
    /// The gate has replied.
    Replied(Reply),
}

impl Failure {
    pub(super) fn into_reply(self, gate: &Gate) -> Reply {
        match self {
            Self::Refused(refusal) => gate.refuse(&refusal),
            Self::KeyRefused(refusal) => gate.refuse_as(&refusal, Shows::ApiKey),
            Self::Answered(answer) => gate.reply(&answer),
            Self::Replied(reply) => reply,
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        Self::Refused(rejection.into())
    }
}

impl From<BodyError> for Failure {
    fn from(error: BodyError) -> Self {
        Self::Answered(error.into())
    }
}

impl From<Reply> for Failure {
    fn from(reply: Reply) -> Self {
        Self::Replied(reply)
    }
}

/// 400; `what` is a fragment that says what is wrong.
pub(super) fn invalid_request(what: &str) -> Failure {
    Failure::Answered(Answer::invalid_request(what))
}

/// The members of a JSON body.
pub(super) fn json_body<'a>(request: &Request<'a>) -> Result<Members<'a>, Failure> {
    if !request.is_media_type("application/json") {
        return Err(Failure::Answered(Answer::unsupported_media_type()));
    }
    Ok(Members::parse(request.body)?)
}

/// `value` as the JSON of a reply.
pub(super) fn json_reply(status: u16, value: &impl Serialize) -> Result<Reply, Failure> {
    Reply::json(status, value).ok_or_else(|| Failure::Answered(Answer::internal_error()))
}

/// Lets a secret into an answer, at the one place where it is shown.
pub(super) fn shown_once<S: serde::Serializer>(secret: &&SecretText, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose())
}
