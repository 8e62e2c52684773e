//! Names in columns for what has a few forms, as an operator reads them.

use latchbook_core::model::{Algorithm, DeveloperStatus, PepperPurpose, Provenance};
use rusqlite::types::{Value, ValueRef};

use crate::cells::{Cell, Damage};

/// Codes each form as its name.
macro_rules! named {
    ($($name:ident),+) => {$(
        impl Cell for $name {
            fn write(&self) -> Value {
                Value::Text(self.name().to_owned())
            }

            fn read(value: ValueRef<'_>) -> Result<Self, Damage> {
                Self::parse(&String::read(value)?).ok_or(Damage::Value)
            }
        }
    )+};
}

named!(DeveloperStatus, Algorithm, Provenance, PepperPurpose);
