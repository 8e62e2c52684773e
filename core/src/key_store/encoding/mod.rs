//! Rows as bytes, for stores that keep bytes: a version, the fields in order, and a checksum that covers the row's key
//! as well.
//!
//! A row that a released version wrote stays readable: tags and the order of fields do not change under a version.

mod fields;
mod rows;

use crate::key_store::StoreError;

/// The version that is written. Older ones are read, newer ones refused.
const VERSION: u8 = 1;
const CHECKSUM: usize = 4;

/// A value that can be a row, or part of one: numbers, texts, ids, records, options, pairs and lists of them.
pub trait Coded: Sized {
    /// Appends the value to `out`.
    fn write(&self, out: &mut Vec<u8>);

    /// Takes a value off the front of `input`, from any bytes at all.
    ///
    /// # Errors
    /// [`Damage`], where no value was written like that.
    fn read(input: &mut Input<'_>) -> Result<Self, Damage>;
}

/// The row `value` under `key`.
#[must_use]
pub fn encode<T: Coded>(key: &[u8], value: &T) -> Vec<u8> {
    let mut row = Vec::with_capacity(128);
    row.push(VERSION);
    value.write(&mut row);
    let checksum = checksum(key, &row);
    row.extend_from_slice(&checksum);
    row
}

/// What [`encode`] was given, from any bytes at all.
///
/// # Errors
/// [`StoreError::Corrupt`] for a row that is damaged or stands under another key, [`StoreError::Newer`] for one that a
/// newer latchbook wrote.
pub fn decode<T: Coded>(key: &[u8], row: &[u8]) -> Result<T, StoreError> {
    let mut input = open(key, row)?;
    let value = T::read(&mut input).map_err(StoreError::corrupt)?;
    if input.0.is_empty() { Ok(value) } else { Err(StoreError::corrupt(Damage::Trailing)) }
}

/// The value that a row begins with, whatever follows it: the revision of a [`Stored`](crate::model::Stored), say.
///
/// # Errors
/// As [`decode`].
pub fn decode_first<T: Coded>(key: &[u8], row: &[u8]) -> Result<T, StoreError> {
    T::read(&mut open(key, row)?).map_err(StoreError::corrupt)
}

/// The fields of a row whose version and checksum are right.
fn open<'a>(key: &[u8], row: &'a [u8]) -> Result<Input<'a>, StoreError> {
    let (content, kept) = row.split_last_chunk::<CHECKSUM>().ok_or_else(|| StoreError::corrupt(Damage::Short))?;
    if checksum(key, content) != *kept {
        return Err(StoreError::corrupt(Damage::Checksum));
    }
    match content.split_first() {
        Some((&VERSION, fields)) => Ok(Input(fields)),
        Some((&version, _)) if version > VERSION => Err(StoreError::Newer(Damage::Newer(version).into())),
        _ => Err(StoreError::corrupt(Damage::Tag)),
    }
}

fn checksum(key: &[u8], content: &[u8]) -> [u8; CHECKSUM] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(content);
    hasher.finalize().to_be_bytes()
}

/// Bytes that are still to be read.
#[derive(Debug)]
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Damage> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Damage::Short)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Damage> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(Damage::Short)?;
        self.0 = rest;
        Ok(*taken)
    }

    /// A length that what is left can have.
    fn length(&mut self) -> Result<usize, Damage> {
        let length = usize::try_from(u32::from_be_bytes(self.array()?)).map_err(|_| Damage::Short)?;
        if length > self.0.len() { Err(Damage::Short) } else { Ok(length) }
    }

    fn text(&mut self) -> Result<&'a str, Damage> {
        let length = self.length()?;
        std::str::from_utf8(self.take(length)?).map_err(|_| Damage::Value)
    }
}

/// Why a row cannot be read. It names nothing of what the row holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// It is shorter than its fields.
    #[error("a row is too short")]
    Short,
    /// It is longer than its fields.
    #[error("a row is longer than its fields")]
    Trailing,
    /// Its checksum is wrong, or it stands under another key.
    #[error("a row's checksum is wrong")]
    Checksum,
    /// A variant that nobody wrote.
    #[error("a row has an unknown tag")]
    Tag,
    /// A value that its type does not allow.
    #[error("a row holds a value that is not allowed")]
    Value,
    /// The version of a newer latchbook.
    #[error("a row was written by a newer latchbook (version {0}); use that one")]
    Newer(u8),
}

/// Codes a struct as its fields, in the order given here.
macro_rules! coded_struct {
    ($($name:ident { $($field:ident),+ $(,)? })+) => {$(
        impl Coded for $name {
            fn write(&self, out: &mut Vec<u8>) {
                $(self.$field.write(out);)+
            }

            fn read(input: &mut Input<'_>) -> Result<Self, Damage> {
                $(let $field = Coded::read(input)?;)+
                Ok(Self { $($field),+ })
            }
        }
    )+};
}

/// Codes an enum as a tag, then the variant's fields in the order given here. A tag is never used again.
macro_rules! coded_enum {
    ($($name:ident { $($tag:literal => $variant:ident { $($field:tt : $bind:ident),* }),+ $(,)? })+) => {$(
        impl Coded for $name {
            fn write(&self, out: &mut Vec<u8>) {
                match self {
                    $(Self::$variant { $($field: $bind),* } => {
                        out.push($tag);
                        $($bind.write(out);)*
                    })+
                }
            }

            fn read(input: &mut Input<'_>) -> Result<Self, Damage> {
                match u8::read(input)? {
                    $($tag => {
                        $(let $bind = Coded::read(input)?;)*
                        Ok(Self::$variant { $($field: $bind),* })
                    })+
                    _ => Err(Damage::Tag),
                }
            }
        }
    )+};
}

use {coded_enum, coded_struct};

#[cfg(test)]
#[cfg(feature = "conformance")]
mod tests;
