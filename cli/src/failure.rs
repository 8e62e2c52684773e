//! Why a command did not do what it was asked, the line that says so, and its exit code.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::error::ErrorKind;
use latchbook::Refusal;
use latchbook::authority::{BuildError, Fault};
use latchbook::key_store::StoreError;
use latchbook::model::Rejection;
use latchbook::program::OpenError;
use latchbook::program::master_key::KeyFileError;
use serde_json::json;

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Something broke: the store, a file, the machine.
    Failed,
    /// The arguments make no sense.
    Usage,
    /// It must not be done.
    Refused,
    /// There is no such thing.
    NotFound,
}

impl Failure {
    pub(crate) fn failed(message: impl Display) -> Self {
        Self::new(Kind::Failed, message)
    }

    pub(crate) fn usage(message: impl Display) -> Self {
        Self::new(Kind::Usage, message)
    }

    pub(crate) fn refused(message: impl Display) -> Self {
        Self::new(Kind::Refused, message)
    }

    pub(crate) fn not_found(message: impl Display) -> Self {
        Self::new(Kind::NotFound, message)
    }

    /// Standard output is gone.
    pub(crate) fn output(error: io::Error) -> Self {
        Self::failed(format!("standard output cannot be written: {error}"))
    }

    /// What is wrong with the arguments, in one line.
    pub(crate) fn of_arguments(error: &clap::Error) -> Self {
        if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
            return Self::usage("a command is missing; see `latchbook help`");
        }
        let text = error.render().to_string();
        let said = text.split("\nUsage:").next().unwrap_or_default();
        let said = said.split("\nFor more information").next().unwrap_or_default();
        let said = said.trim_start().strip_prefix("error:").unwrap_or(said);
        Self::usage(format!("{}; see `latchbook help`", said.trim()))
    }

    /// What the authority said of a request about `what`, such as "the developer `acme` in `live`".
    pub(crate) fn of(refusal: Refusal, what: impl Display) -> Self {
        let rejection = match refusal {
            Refusal::Rejected(rejection) => rejection,
            Refusal::Fault(fault) => return fault.into(),
        };
        match rejection {
            Rejection::NotFound => Self::not_found(format!("there is no {what}")),
            Rejection::Conflict => Self::refused(format!("the {what} exists already, or was changed just now")),
            Rejection::InvalidRequest { message } => Self::refused(uncapitalised(message)),
            Rejection::KeyText => Self::refused("this is no API key: its shape or its checksum is wrong"),
            Rejection::KeyEnvironment => {
                Self::not_found("this store does not hold the environment that the key's text names")
            }
            rejection => Self::refused(format!("refused: {}", rejection.reason().replace('_', " "))),
        }
    }

    /// Says it on standard error; the exit code.
    pub(crate) fn report(&self, as_json: bool) -> ExitCode {
        let (code, name) = match self.kind {
            Kind::Failed => (1, "failure"),
            Kind::Usage => (2, "usage"),
            Kind::Refused => (3, "refused"),
            Kind::NotFound => (4, "not_found"),
        };
        let mut err = io::stderr();
        let _ = writeln!(err, "latchbook: {}", self.message);
        if as_json {
            let _ = writeln!(err, "{}", json!({"error": {"code": name, "exitCode": code, "message": self.message}}));
        }
        ExitCode::from(code)
    }

    /// The message on one line, whatever went into it.
    fn new(kind: Kind, message: impl Display) -> Self {
        Self { kind, message: message.to_string().split_whitespace().collect::<Vec<_>>().join(" ") }
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::failed(fault)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Locked(_) => Self::failed(format!(
                "{error}, or keep the store in SQLite or PostgreSQL, where this command and a server work side by side"
            )),
            error => Self::failed(error),
        }
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Store(error) => error.into(),
            error => Self::failed(error),
        }
    }
}

impl From<KeyFileError> for Failure {
    fn from(error: KeyFileError) -> Self {
        Self::failed(error)
    }
}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        match error {
            BuildError::Store(error) => error.into(),
            BuildError::Issuer(_) | BuildError::Scope(_) => Self::usage(error),
            BuildError::OtherIssuer { .. } => Self::refused(error),
            BuildError::WrongMasterKey => Self::refused(format!(
                "{error}; set LATCHBOOK_MASTER_KEY_FILE or LATCHBOOK_MASTER_KEY to that one, or put it back as `master.key` beside the store"
            )),
            error => Self::failed(error),
        }
    }
}

/// A sentence of the library's as a part of ours.
fn uncapitalised(sentence: &str) -> String {
    let mut letters = sentence.trim_end_matches('.').chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_and_its_kind_is_the_authoritys() {
        let about = |rejection: Rejection| Failure::of(rejection.into(), "developer `acme` in `live`");
        for (rejection, kind, says) in [
            (Rejection::NotFound, Kind::NotFound, "there is no developer `acme` in `live`"),
            (Rejection::Conflict, Kind::Refused, "the developer `acme` in `live` exists already"),
            (Rejection::InvalidRequest { message: "A name\nis." }, Kind::Refused, "a name is"),
            (Rejection::InvalidScope, Kind::Refused, "refused: invalid scope"),
        ] {
            let failure = about(rejection);
            assert_eq!(failure.kind, kind, "{says}");
            assert!(failure.message.starts_with(says) && !failure.message.contains('\n'), "{}", failure.message);
        }
        let fault = Failure::of(Refusal::Fault(Fault::Store(StoreError::unavailable("gone"))), "key");
        assert_eq!(fault.kind, Kind::Failed);
    }
}
