//! Which environments a route serves.

use latchbook_core::model::{EnvironmentName, Rejection};

/// Which environments a route serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Serves {
    /// The authority's home environment.
    #[default]
    Home,
    /// One environment by name.
    Environment(EnvironmentName),
    /// Every mounted one. What the handler reads must then be keyed by the principal's environment too.
    Any,
}

impl Serves {
    /// Whether a token of `environment` may be used here.
    pub(crate) fn check(self, environment: EnvironmentName, home: EnvironmentName) -> Result<(), Rejection> {
        let served = match self {
            Self::Home => environment == home,
            Self::Environment(only) => environment == only,
            Self::Any => true,
        };
        if served { Ok(()) } else { Err(Rejection::WrongEnvironment) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e11_a_route_serves_its_environment_alone() {
        let (live, sandbox) = (EnvironmentName::LIVE, EnvironmentName::SANDBOX);
        let cases = [
            (Serves::Home, live, true),
            (Serves::Home, sandbox, false),
            (Serves::Environment(sandbox), live, false),
            (Serves::Environment(sandbox), sandbox, true),
            (Serves::Any, sandbox, true),
        ];
        for (serves, environment, want) in cases {
            assert_eq!(serves.check(environment, live).is_ok(), want, "{serves:?} {environment}");
        }
    }
}
