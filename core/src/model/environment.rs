//! Environment names, such as `live` and `sandbox`.

use std::fmt;

const MAX_LENGTH: usize = 16;

/// The name of an environment: 1 to 16 characters of `0-9a-z`.
///
/// An environment is a set of signing keys and records of its own. Equal ids in two environments imply nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnvironmentName {
    // INVARIANT: `parse` fills `text[..length]` with ASCII and the rest with zeros, so derived comparison is right.
    text: [u8; MAX_LENGTH],
    length: u8,
}

impl EnvironmentName {
    /// `live`, the default home environment.
    pub const LIVE: Self = Self::literal("live");
    /// `sandbox`.
    pub const SANDBOX: Self = Self::literal("sandbox");

    /// Accepts 1 to 16 characters of `0-9a-z`.
    ///
    /// # Errors
    /// [`EnvironmentError`] for any other text.
    pub fn parse(text: &str) -> Result<Self, EnvironmentError> {
        let allowed = text.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase());
        if text.is_empty() || text.len() > MAX_LENGTH || !allowed {
            return Err(EnvironmentError);
        }
        Ok(Self::literal(text))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let bytes = self.text.get(..usize::from(self.length)).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }

    #[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "callers pass at most 16 bytes")]
    const fn literal(name: &str) -> Self {
        let bytes = name.as_bytes();
        let mut text = [0; MAX_LENGTH];
        let mut at = 0;
        while at < bytes.len() {
            text[at] = bytes[at];
            at += 1;
        }
        Self { text, length: bytes.len() as u8 }
    }
}

impl fmt::Display for EnvironmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for EnvironmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// The text is no environment name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an environment's name has 1 to 16 characters of `0-9a-z`")]
pub struct EnvironmentError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_to_sixteen_small_letters_or_digits() {
        for good in ["live", "sandbox", "a", "0123456789abcdef"] {
            assert_eq!(EnvironmentName::parse(good).expect(good).as_str(), good);
        }
        for bad in ["", "Live", "a-b", "a_b", "0123456789abcdefg", "é"] {
            assert_eq!(EnvironmentName::parse(bad), Err(EnvironmentError), "{bad}");
        }
    }
}
