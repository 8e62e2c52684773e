//! Names in columns for what has a few forms, as an operator reads them.

use latchbook_core::model::{Algorithm, DeveloperStatus, PepperPurpose, Provenance};
use rusqlite::types::{Value, ValueRef};

use crate::cells::{Cell, Damage};

/// Codes each form as its name. A name is never used for another form.
macro_rules! named {
    ($($name:ident { $($form:ident = $text:literal),+ $(,)? })+) => {$(
        impl Cell for $name {
            fn write(&self) -> Value {
                let text = match self {
                    $(Self::$form => $text),+
                };
                Value::Text(text.to_owned())
            }

            fn read(value: ValueRef<'_>) -> Result<Self, Damage> {
                match &*String::read(value)? {
                    $($text => Ok(Self::$form),)+
                    _ => Err(Damage::Value),
                }
            }
        }
    )+};
}

named! {
    DeveloperStatus { Active = "active", Suspended = "suspended" }
    Algorithm { EdDsa = "EdDSA", Es256 = "ES256", Rs256 = "RS256" }
    Provenance { Generated = "generated", Imported = "imported" }
    PepperPurpose { KeyDigest = "key_digest", AuditLink = "audit_link" }
}
