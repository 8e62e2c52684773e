//! Values in columns: numbers, texts, ids and lists, checked again when they are read.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use latchbook_core::model::{
    AuditAction, ChangeId, Day, DeveloperId, EntityId, EnvironmentName, FeedPosition, KeyId, Metadata, PepperId,
    Revision, ScopeGrant, ScopeToken, SealedBytes, SigningKeyId, TokenId, UnixTime,
};
use rusqlite::types::{Value, ValueRef};

/// What fits one column.
pub(crate) trait Cell: Sized {
    /// As it is written.
    fn write(&self) -> Value;
    /// What was written; a value that [`write`](Self::write) never makes is damage.
    fn read(value: ValueRef<'_>) -> Result<Self, Damage>;
}

/// Why a row cannot be what was written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Damage {
    #[error("a row of `{0}` does not have its checksum; it was damaged, or changed by hand")]
    Checksum(&'static str),
    #[error("a column holds a value of another type")]
    Type,
    #[error("a column holds a value that is not allowed")]
    Value,
    #[error("a column is missing")]
    Missing,
}

/// Texts as [`Cell`]s.
macro_rules! text_cells {
    ($($name:ty: $write:expr, $read:expr;)+) => {$(
        impl Cell for $name {
            fn write(&self) -> Value {
                let write: fn(&Self) -> String = $write;
                Value::Text(write(self))
            }

            fn read(value: ValueRef<'_>) -> Result<Self, Damage> {
                let read: fn(&str) -> Option<Self> = $read;
                read(text(value)?).ok_or(Damage::Value)
            }
        }
    )+};
}

text_cells! {
    String: Self::clone, |text| Some(text.to_owned());
    DeveloperId: |id| id.as_str().to_owned(), |text| Self::parse(text).ok();
    EntityId: |id| id.as_str().to_owned(), |text| Self::parse(text).ok();
    EnvironmentName: |name| name.as_str().to_owned(), |text| Self::parse(text).ok();
    KeyId: |id| id.as_str().to_owned(), |text| Self::parse(text).ok();
    SigningKeyId: |id| id.as_str().to_owned(), |text| Self::parse(text).ok();
    TokenId: |id| id.as_str().to_owned(), |text| Self::parse(text).ok();
    ChangeId: |id| id.to_string(), |text| sixteen(text).map(Self::from_bytes);
    PepperId: |id| id.to_string(), |text| sixteen(text).map(Self::from_bytes);
    Revision: |revision| revision.0.to_string(), |text| sixteen(text).map(ChangeId::from_bytes).map(Self);
    AuditAction: |action| action.name().to_owned(), |text| Self::parse(text);
    IpAddr: |address| address.to_string(), |text| text.parse().ok();
    // Lists of what holds no space, as RFC 6749 §3.3 writes scopes.
    Vec<EnvironmentName>: |names| spaced(names.iter()), |text| words(text, |word| EnvironmentName::parse(word).ok());
    Vec<IpNet>: |ranges| spaced(ranges.iter()), |text| words(text, |word| word.parse().ok());
    ScopeGrant: |grant| grant.tokens().to_string(), |text| {
        let tokens = words(text, |word| ScopeToken::parse(word).ok())?;
        Some(Self::new(tokens.into_iter().collect()))
    };
    // Free text, as JSON.
    Metadata: |metadata| json(metadata.pairs()), |text| {
        if text == "{}" {
            return Some(Self::default());
        }
        let pairs: BTreeMap<String, String> = serde_json::from_str(text).ok()?;
        Self::parse(pairs).ok()
    };
    Vec<(String, String)>: |pairs| json(pairs), |text| serde_json::from_str(text).ok();
    Vec<u64>: |numbers| json(numbers), |text| serde_json::from_str(text).ok();
}

/// Numbers as [`Cell`]s.
macro_rules! number_cells {
    ($($name:ty: $write:expr, $read:expr;)+) => {$(
        impl Cell for $name {
            fn write(&self) -> Value {
                let write: fn(&Self) -> i64 = $write;
                Value::Integer(write(self))
            }

            fn read(value: ValueRef<'_>) -> Result<Self, Damage> {
                let ValueRef::Integer(number) = value else { return Err(Damage::Type) };
                let read: fn(i64) -> Option<Self> = $read;
                read(number).ok_or(Damage::Value)
            }
        }
    )+};
}

number_cells! {
    i64: |number| *number, Some;
    // SQLite's integers have a sign: the upper half of what 64 bits count stands as negative numbers.
    u64: |number| number.cast_signed(), |number| Some(number.cast_unsigned());
    u32: |number| i64::from(*number), |number| number.try_into().ok();
    Day: |day| i64::from(day.0), |number| number.try_into().ok().map(Self);
    UnixTime: |at| at.seconds().cast_signed(), |number| Self::checked(number.try_into().ok()?);
    FeedPosition: |position| ordered(position.0), |number| number.try_into().ok().map(Self);
}

impl Cell for SealedBytes {
    fn write(&self) -> Value {
        Value::Blob(self.0.clone())
    }

    fn read(value: ValueRef<'_>) -> Result<Self, Damage> {
        Vec::read(value).map(Self)
    }
}

impl Cell for Vec<u8> {
    fn write(&self) -> Value {
        Value::Blob(self.clone())
    }

    fn read(value: ValueRef<'_>) -> Result<Self, Damage> {
        let ValueRef::Blob(bytes) = value else { return Err(Damage::Type) };
        Ok(bytes.to_vec())
    }
}

impl<const N: usize> Cell for [u8; N] {
    fn write(&self) -> Value {
        Value::Blob(self.to_vec())
    }

    fn read(value: ValueRef<'_>) -> Result<Self, Damage> {
        let ValueRef::Blob(bytes) = value else { return Err(Damage::Type) };
        bytes.try_into().map_err(|_| Damage::Value)
    }
}

impl<T: Cell> Cell for Option<T> {
    fn write(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::write)
    }

    fn read(value: ValueRef<'_>) -> Result<Self, Damage> {
        if matches!(value, ValueRef::Null) { Ok(None) } else { T::read(value).map(Some) }
    }
}

/// `number` where only its order matters: nothing that is stored comes near 2^63.
pub(crate) fn ordered(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn text(value: ValueRef<'_>) -> Result<&str, Damage> {
    let ValueRef::Text(bytes) = value else { return Err(Damage::Type) };
    std::str::from_utf8(bytes).map_err(|_| Damage::Value)
}

/// The 16 bytes that 32 lower-case hexadecimal digits stand for.
fn sixteen(text: &str) -> Option<[u8; 16]> {
    let lower = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f');
    let number = u128::from_str_radix(text, 16).ok()?;
    (text.len() == 32 && text.bytes().all(lower)).then(|| number.to_be_bytes())
}

fn spaced(words: impl Iterator<Item = impl ToString>) -> String {
    words.map(|word| word.to_string()).collect::<Vec<_>>().join(" ")
}

fn words<T>(text: &str, read: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    if text.is_empty() { Some(Vec::new()) } else { text.split(' ').map(read).collect() }
}

fn json(value: &impl serde::Serialize) -> String {
    // INVARIANT: texts, numbers and lists of them have no value that JSON cannot write.
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_64_bits_is_read_back() {
        for number in [0, 1, i64::MAX as u64, i64::MAX as u64 + 1, u64::MAX] {
            let Value::Integer(written) = number.write() else { panic!("an integer") };
            assert_eq!(u64::read(ValueRef::Integer(written)).unwrap(), number);
        }
    }

    #[test]
    fn what_was_never_written_is_damage() {
        assert!(ChangeId::read(ValueRef::Text(b"00")).is_err());
        assert!(ChangeId::read(ValueRef::Text(&[b'A'; 32])).is_err());
        assert!(ChangeId::read(ValueRef::Text(b"+0000000000000000000000000000000")).is_err());
        assert!(UnixTime::read(ValueRef::Integer(-1)).is_err());
        assert!(Day::read(ValueRef::Integer(1 << 32)).is_err());
        assert!(KeyId::read(ValueRef::Null).is_err());
        assert!(String::read(ValueRef::Text(&[0xff])).is_err());
        assert!(<[u8; 32]>::read(ValueRef::Blob(&[0; 31])).is_err());
        assert!(Metadata::read(ValueRef::Text(b"[]")).is_err());
    }
}
