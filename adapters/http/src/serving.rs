//! Which environments a route serves, as types.

use std::fmt::Debug;

use crate::Serves;
use latchbook_core::model::EnvironmentName;

/// Which environments a route serves: [`Home`] unless an extractor says otherwise.
///
/// A host with an environment of its own names it by a type of its own:
///
/// ```
/// use latchbook_http::{Serves, Serving};
/// # use latchbook_core::model::EnvironmentName;
///
/// /// Routes that serve `staging` alone.
/// #[derive(Debug)]
/// struct Staging;
///
/// impl Serving for Staging {
///     fn serves() -> Serves {
///         EnvironmentName::parse("staging").map_or(Serves::Home, Serves::Environment)
///     }
/// }
/// # assert!(matches!(Staging::serves(), Serves::Environment(_)));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say which environments a route serves",
    label = "expected `Home`, `Sandboxed`, `AnyEnvironment` or a type that implements `Serving`",
    note = "to demand a scope of a developer token, write `RequireScope<{Self}>`; \
            the environment comes second: `RequireScope<Scope, Sandboxed>`"
)]
pub trait Serving: Debug + Send + Sync + 'static {
    /// The environments.
    fn serves() -> Serves;
}

/// The authority's home environment, by default `live`.
#[derive(Debug)]
pub struct Home(());

impl Serving for Home {
    fn serves() -> Serves {
        Serves::Home
    }
}

/// The environment `sandbox` alone.
#[derive(Debug)]
pub struct Sandboxed(());

impl Serving for Sandboxed {
    fn serves() -> Serves {
        Serves::Environment(EnvironmentName::SANDBOX)
    }
}

/// Every mounted environment. Equal ids in two of them imply nothing: key what the handler reads by the environment too.
#[derive(Debug)]
pub struct AnyEnvironment(());

impl Serving for AnyEnvironment {
    fn serves() -> Serves {
        Serves::Any
    }
}
