//! What a route demands of a token's scopes, as types.

use std::fmt::Debug;
use std::marker::PhantomData;

use super::{DeclaredScope, ScopeSet};

/// A demand on a token's scopes. Implemented by the types that [`scopes!`](crate::scopes) declares, by tuples (all of
/// them) and by [`AnyOf`] (at least one).
pub trait ScopeRule: Debug + Send + Sync + 'static {
    /// Whether a token that holds `held` meets the demand.
    fn allows(held: &ScopeSet) -> bool;
    /// The scopes that would meet it, separated by spaces: the `scope` of a challenge (RFC 6750 §3).
    fn wanted() -> String;
    /// Every way to meet it: sets of scopes, each of which does alone. For documents; [`allows`](Self::allows) decides.
    fn alternatives() -> Vec<Vec<String>>;
}

/// One declared scope.
pub trait Scope: Debug + Send + Sync + 'static {
    /// Its scope token.
    const TOKEN: &'static str;
}

impl<S: Scope> ScopeRule for S {
    fn allows(held: &ScopeSet) -> bool {
        held.contains(S::TOKEN)
    }

    fn wanted() -> String {
        S::TOKEN.to_owned()
    }

    fn alternatives() -> Vec<Vec<String>> {
        vec![vec![S::TOKEN.to_owned()]]
    }
}

/// No demand.
#[derive(Debug)]
pub struct AnyScope(());

impl ScopeRule for AnyScope {
    fn allows(_: &ScopeSet) -> bool {
        true
    }

    fn wanted() -> String {
        String::new()
    }

    fn alternatives() -> Vec<Vec<String>> {
        vec![Vec::new()]
    }
}

/// At least one of a tuple's scopes: `AnyOf<(LedgerRead, LedgerWrite)>`.
#[derive(Debug)]
pub struct AnyOf<T>(PhantomData<fn() -> T>);

macro_rules! tuples {
    ($($name:ident)+) => {
        impl<$($name: ScopeRule),+> ScopeRule for ($($name,)+) {
            fn allows(held: &ScopeSet) -> bool {
                $($name::allows(held))&&+
            }

            fn wanted() -> String {
                [$($name::wanted()),+].join(" ")
            }

            fn alternatives() -> Vec<Vec<String>> {
                let none = vec![Vec::new()];
                [$($name::alternatives()),+].iter().fold(none, |before, each| {
                    before.iter().flat_map(|some| each.iter().map(|more| [some.as_slice(), more].concat())).collect()
                })
            }
        }

        impl<$($name: ScopeRule),+> ScopeRule for AnyOf<($($name,)+)> {
            fn allows(held: &ScopeSet) -> bool {
                $($name::allows(held))||+
            }

            fn wanted() -> String {
                [$($name::wanted()),+].join(" ")
            }

            fn alternatives() -> Vec<Vec<String>> {
                [$($name::alternatives()),+].concat()
            }
        }
    };
}

tuples!(A);
tuples!(A B);
tuples!(A B C);
tuples!(A B C D);

/// Declares the scopes of a host: one type each, and `ALL` of them for the builder.
///
/// A scope marked `management` is never carried by an entity token.
///
/// ```
/// latchbook_core::scopes! {
///     /// The ledger's scopes.
///     pub mod scopes {
///         /// Read accounts and transactions.
///         LedgerRead = "ledger:read";
///         /// Post transactions.
///         LedgerWrite = "ledger:write";
///         /// Close a period.
///         LedgerClose = "ledger:close" (management);
///     }
/// }
///
/// assert_eq!(scopes::ALL.len(), 3);
/// ```
#[macro_export]
macro_rules! scopes {
    ($(#[$module_doc:meta])* $visibility:vis mod $module:ident {
        $($(#[$doc:meta])* $name:ident = $token:literal $(($management:ident))?;)+
    }) => {
        $(#[$module_doc])*
        $visibility mod $module {
            $(
                $(#[$doc])*
                #[derive(Debug)]
                pub struct $name;

                impl $crate::model::Scope for $name {
                    const TOKEN: &'static str = $token;
                }
            )+

            /// Every scope declared here.
            pub const ALL: &[$crate::model::DeclaredScope] = &[
                $($crate::model::DeclaredScope {
                    token: $token,
                    management: $crate::scopes!(@management $($management)?),
                }),+
            ];
        }
    };
    (@management) => { false };
    (@management management) => { true };
}

macro_rules! built_in {
    ($($(#[$doc:meta])* $name:ident = $token:literal;)+) => {
        $(
            $(#[$doc])*
            #[derive(Debug)]
            pub struct $name;

            impl Scope for $name {
                const TOKEN: &'static str = $token;
            }
        )+

        /// latchbook's own scopes; always declared.
        pub const BUILT_IN: &[DeclaredScope] = &[$(DeclaredScope { token: $token, management: true }),+];
    };
}

built_in! {
    /// Manage one's own API keys.
    KeysManage = "keys:manage";
    /// Read one's own audit events and usage.
    AuditRead = "audit:read";
    /// Create, reset and remove sandboxes.
    SandboxManage = "sandbox:manage";
    /// Create and remove entities.
    EntitiesManage = "entities:manage";
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> ScopeSet {
        ScopeSet::parse(text).expect("a scope")
    }

    #[test]
    fn tuples_want_all_and_any_of_wants_one() {
        type Both = (KeysManage, AuditRead);
        for (held, all, any) in
            [("", false, false), ("keys:manage", false, true), ("audit:read keys:manage", true, true)]
        {
            assert_eq!(Both::allows(&set(held)), all, "{held}");
            assert_eq!(AnyOf::<Both>::allows(&set(held)), any, "{held}");
        }
        assert_eq!(Both::wanted(), "keys:manage audit:read");
        assert!(AnyScope::allows(&ScopeSet::EMPTY));
    }

    #[test]
    fn every_alternative_meets_the_demand_alone() {
        type Mixed = (AnyOf<(KeysManage, AuditRead)>, SandboxManage);
        fn check<S: ScopeRule>(want: &[&str]) {
            let found: Vec<String> = S::alternatives().iter().map(|scopes| scopes.join(" ")).collect();
            assert_eq!(found, want);
            assert!(found.iter().all(|scopes| S::allows(&set(scopes))), "{found:?}");
        }
        check::<AnyScope>(&[""]);
        check::<KeysManage>(&["keys:manage"]);
        check::<(KeysManage, AuditRead)>(&["keys:manage audit:read"]);
        check::<AnyOf<(KeysManage, AuditRead)>>(&["keys:manage", "audit:read"]);
        check::<Mixed>(&["keys:manage sandbox:manage", "audit:read sandbox:manage"]);
    }
}
