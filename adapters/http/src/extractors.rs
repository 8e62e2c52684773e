//! The extractors' types, written once: every adapter declares them in its own crate, to teach them its framework.

/// What the declarations name, so that an adapter need not.
#[doc(hidden)]
pub mod parts {
    pub use latchbook_core::authority;
    pub use latchbook_core::model::AnyScope;

    pub use crate::Home;
}

/// Declares the extractors: newtypes of core's types, marked with the scope and the environments that they demand.
///
/// The attributes are put on `EntityContext`, below its own documentation: an example in the adapter's framework.
#[doc(hidden)]
#[macro_export]
macro_rules! extractors {
    ($(#[$example:meta])*) => {
        /// An entity that the caller reaches, by a token of either kind that holds `S`. The guard of a route about one
        /// entity's data. Derefs to the context, and that to the principal.
        ///
        /// Refuses, in this order: 401 without a valid token, 401 where it is of an environment that `E` does not
        /// serve, 403 without the scope, 400 where no entity is named or the name is no id, 403 for an entity out of
        /// reach.
        $(#[$example])*
        pub struct EntityContext<S = $crate::parts::AnyScope, E = $crate::parts::Home>(
            $crate::parts::authority::EntityContext,
            ::std::marker::PhantomData<fn() -> (S, E)>,
        );

        /// A developer, by a developer token.
        ///
        /// Refuses: 401 without a valid token, 401 in an environment that `E` does not serve, 403 for an entity token.
        pub struct Principal<E = $crate::parts::Home>(
            $crate::parts::authority::Principal,
            ::std::marker::PhantomData<fn() -> E>,
        );

        /// A developer, by a developer token that holds `S`: one scope, a tuple for all of several,
        /// [`AnyOf`](crate::AnyOf) for one of several.
        ///
        /// Refuses like [`Principal`], and then 403 without the scope.
        pub struct RequireScope<S, E = $crate::parts::Home>(
            $crate::parts::authority::Principal,
            ::std::marker::PhantomData<fn() -> (S, E)>,
        );

        /// Whoever holds a valid token, of either kind.
        ///
        /// Refuses: 401 without a valid token, 401 in an environment that `E` does not serve.
        pub struct AnyPrincipal<E = $crate::parts::Home>(
            $crate::parts::authority::Principal,
            ::std::marker::PhantomData<fn() -> E>,
        );

        /// Whoever holds a token of either kind; `None` where no credential came. A bad one is refused, never taken
        /// for none.
        ///
        /// Use this in place of an `Option` around another extractor. actix turns every error of an `Option<T>` into
        /// `None`, so that an expired, a revoked and a forged token would all be nobody; axum has no such `Option`
        /// for extractors that do not ask for it, and these do not.
        pub struct MaybePrincipal<E = $crate::parts::Home>(
            ::std::option::Option<$crate::parts::authority::Principal>,
            ::std::marker::PhantomData<fn() -> E>,
        );

        /// Like [`EntityContext`], but a developer token that names no entity is let in without one. For a route that
        /// lists entities or shows one of them.
        pub struct MaybeEntity<S = $crate::parts::AnyScope, E = $crate::parts::Home>(
            $crate::parts::authority::Principal,
            ::std::option::Option<$crate::parts::authority::EntityContext>,
            ::std::marker::PhantomData<fn() -> (S, E)>,
        );

        impl<S, E> MaybeEntity<S, E> {
            /// Who holds the token.
            #[must_use]
            pub fn principal(&self) -> &$crate::parts::authority::Principal {
                &self.0
            }

            /// The entity, where the request is about one: always for an entity token.
            #[must_use]
            pub fn entity(&self) -> ::std::option::Option<&$crate::parts::authority::EntityContext> {
                self.1.as_ref()
            }

            /// Both, as core's types.
            #[must_use]
            pub fn into_inner(
                self,
            ) -> (
                $crate::parts::authority::Principal,
                ::std::option::Option<$crate::parts::authority::EntityContext>,
            ) {
                (self.0, self.1)
            }
        }

        impl<S, E> ::std::clone::Clone for MaybeEntity<S, E> {
            fn clone(&self) -> Self {
                Self(self.0.clone(), self.1.clone(), ::std::marker::PhantomData)
            }
        }

        impl<S, E> ::std::fmt::Debug for MaybeEntity<S, E> {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.debug_tuple("MaybeEntity").field(&self.0).field(&self.1).finish()
            }
        }

        $crate::extractor_newtype!(EntityContext<S, E> of $crate::parts::authority::EntityContext);
        $crate::extractor_newtype!(Principal<E> of $crate::parts::authority::Principal);
        $crate::extractor_newtype!(RequireScope<S, E> of $crate::parts::authority::Principal);
        $crate::extractor_newtype!(AnyPrincipal<E> of $crate::parts::authority::Principal);
        $crate::extractor_newtype!(MaybePrincipal<E> of ::std::option::Option<$crate::parts::authority::Principal>);
    };
}

/// What every newtype offers, whatever its markers are.
#[doc(hidden)]
#[macro_export]
macro_rules! extractor_newtype {
    ($name:ident<$($parameter:ident),+> of $inner:ty) => {
        impl<$($parameter),+> $name<$($parameter),+> {
            /// Core's own type.
            #[must_use]
            pub fn into_inner(self) -> $inner {
                self.0
            }
        }

        impl<$($parameter),+> ::std::ops::Deref for $name<$($parameter),+> {
            type Target = $inner;

            fn deref(&self) -> &$inner {
                &self.0
            }
        }

        impl<$($parameter),+> ::std::clone::Clone for $name<$($parameter),+> {
            fn clone(&self) -> Self {
                Self(self.0.clone(), ::std::marker::PhantomData)
            }
        }

        impl<$($parameter),+> ::std::fmt::Debug for $name<$($parameter),+> {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.0).finish()
            }
        }
    };
}
