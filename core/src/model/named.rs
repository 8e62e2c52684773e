//! The names of what has a few forms, the same in every store and for every reader.

/// Gives each form of an enum a name, and finds it by that name. A name is never used for another form.
macro_rules! named {
    ($(#[$of_name:meta])* $name:ident { $($form:ident = $text:literal),+ $(,)? }) => {
        impl $name {
            $(#[$of_name])*
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$form => $text),+
                }
            }

            /// The one with that [`name`](Self::name), byte for byte; `None` where there is none.
            #[must_use]
            pub fn parse(name: &str) -> Option<Self> {
                match name {
                    $($text => Some(Self::$form),)+
                    _ => None,
                }
            }
        }
    };
}

pub(super) use named;

#[cfg(test)]
mod tests {
    use crate::model::{Algorithm, DeveloperStatus, PepperPurpose, Provenance};

    #[test]
    fn stores_keep_these_names_and_no_others() {
        macro_rules! assert_names {
            ($($name:ident: $($form:ident = $text:literal),+;)+) => {$(
                $(
                    assert_eq!($name::$form.name(), $text);
                    assert_eq!($name::parse($text), Some($name::$form));
                )+
                for text in ["", "x", concat!($($text),+, "x"), "Active", "ACTIVE", "eddsa", "key digest", "key_digest "] {
                    assert_eq!($name::parse(text), None, "{text}");
                }
            )+};
        }
        assert_names! {
            DeveloperStatus: Active = "active", Suspended = "suspended";
            Algorithm: EdDsa = "EdDSA", Es256 = "ES256", Rs256 = "RS256";
            Provenance: Generated = "generated", Imported = "imported";
            PepperPurpose: KeyDigest = "key_digest", AuditLink = "audit_link";
        }
    }
}
