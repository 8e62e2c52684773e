//! Identifiers, each its own type, so that one cannot stand for another.

use std::fmt;

use super::EnvironmentName;
use super::text::Text;

/// Why a text is no id of the kind that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Empty, or longer than the kind allows.
    #[error("an id has {min} to {max} characters")]
    Length {
        /// Fewest characters.
        min: usize,
        /// Most characters.
        max: usize,
    },
    /// A character that the kind does not allow.
    #[error("character {offset} is not allowed in an id")]
    Forbidden {
        /// Its place, counted in bytes from 0.
        offset: usize,
    },
    /// `.` or `..`, which paths give a meaning of their own.
    #[error("`.` and `..` are no ids")]
    Dots,
}

macro_rules! shared_text_id {
    ($(#[$doc:meta])* $name:ident, $max:expr, $allowed:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Text);

        impl $name {
            /// Accepts `text` when its length and every character are allowed.
            ///
            /// # Errors
            /// [`IdError`], which says what is wrong.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                if text.is_empty() || text.len() > $max {
                    return Err(IdError::Length { min: 1, max: $max });
                }
                let allowed: fn(u8) -> bool = $allowed;
                if let Some(offset) = text.bytes().position(|b| !allowed(b)) {
                    return Err(IdError::Forbidden { offset });
                }
                if text == "." || text == ".." {
                    return Err(IdError::Dots);
                }
                Ok(Self(Text::new(text)))
            }

            /// The id's text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

shared_text_id! {
    /// A developer's id within one environment: 1 to 128 characters of `0-9A-Za-z._~-`, not `.` or `..`.
    DeveloperId, 128, unreserved
}
shared_text_id! {
    /// An entity's id within one developer: 1 to 128 characters of `0-9A-Za-z._~-`, not `.` or `..`.
    EntityId, 128, unreserved
}
shared_text_id! {
    /// A signing key's id (`kid`, RFC 7515 §4.1.4): its RFC 7638 thumbprint, 43 characters of base64url.
    SigningKeyId, 64, |b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')
}

fn unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'~' | b'-')
}

macro_rules! base62_id {
    ($(#[$doc:meta])* $name:ident, $length:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $length]);

        impl $name {
            /// How many characters it has.
            pub const LENGTH: usize = $length;

            /// Accepts exactly [`Self::LENGTH`] characters of `0-9A-Za-z`.
            ///
            /// # Errors
            /// [`IdError`], which says what is wrong.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                let bytes: [u8; $length] =
                    text.as_bytes().try_into().map_err(|_| IdError::Length { min: $length, max: $length })?;
                match bytes.iter().position(|b| !b.is_ascii_alphanumeric()) {
                    Some(offset) => Err(IdError::Forbidden { offset }),
                    None => Ok(Self(bytes)),
                }
            }

            /// The id's text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                // INVARIANT: `parse` is the only way in, and lets ASCII through alone.
                std::str::from_utf8(&self.0).unwrap_or_default()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.as_str(), f)
            }
        }
    };
}

base62_id! {
    /// An API key's id: 16 random characters of `0-9A-Za-z`. It is no secret.
    KeyId, 16
}
base62_id! {
    /// A token's id (`jti`, RFC 7519 §4.1.7): 22 characters of `0-9A-Za-z`, at least 128 random bits.
    TokenId, 22
}

macro_rules! binary_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// The id with these 16 bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// Its 16 bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", u128::from_be_bytes(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

binary_id! {
    /// A change's id: 16 random bytes, by which a repeated or unknown commit is read back.
    ChangeId
}
binary_id! {
    /// The id of a sealed pepper or audit key: 16 random bytes.
    PepperId
}

/// A developer: its environment and its id there. One without the other names nobody.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeveloperRef {
    /// The environment.
    pub environment: EnvironmentName,
    /// The id within it.
    pub id: DeveloperId,
}

/// An entity: the developer that owns it and its id there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntityRef {
    /// The owner.
    pub developer: DeveloperRef,
    /// The id within it.
    pub id: EntityId,
}

impl fmt::Display for DeveloperRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.environment, self.id)
    }
}

impl fmt::Display for EntityRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.developer, self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn developer_and_entity_ids_are_unreserved_characters() {
        let longest = "a".repeat(128);
        for good in ["a", "acct_1", "A.b~c-d", "...", &longest] {
            assert_eq!(EntityId::parse(good).expect(good).as_str(), good);
        }
        let too_long = "a".repeat(129);
        let bad = [
            ("", IdError::Length { min: 1, max: 128 }),
            (&*too_long, IdError::Length { min: 1, max: 128 }),
            (".", IdError::Dots),
            ("..", IdError::Dots),
            ("a/b", IdError::Forbidden { offset: 1 }),
            ("a b", IdError::Forbidden { offset: 1 }),
            ("é", IdError::Forbidden { offset: 0 }),
            ("a\0", IdError::Forbidden { offset: 1 }),
        ];
        for (text, want) in bad {
            assert_eq!(DeveloperId::parse(text), Err(want), "{text:?}");
        }
    }

    #[test]
    fn key_ids_have_sixteen_base62_characters() {
        assert!(KeyId::parse("0123456789abcdEF").is_ok());
        assert_eq!(KeyId::parse("0123456789abcdE"), Err(IdError::Length { min: 16, max: 16 }));
        assert_eq!(KeyId::parse("0123456789abcd_F"), Err(IdError::Forbidden { offset: 14 }));
    }
}
