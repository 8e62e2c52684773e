//! The text of an API key: `<brand>_<environment>_<key id>_<secret><checksum>`.

use crate::model::{ApiKey, EnvironmentName, KeyId, Rejection, SecretText};

/// The first part of every key's text, chosen by the host: 2 to 8 characters of `0-9a-z`. The default is `lb`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Brand(String);

impl Brand {
    /// Accepts 2 to 8 characters of `0-9a-z`.
    ///
    /// # Errors
    /// [`BrandError`] for any other text.
    pub fn parse(text: &str) -> Result<Self, BrandError> {
        let allowed = text.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase());
        if allowed && (MIN_BRAND..=MAX_BRAND).contains(&text.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BrandError)
        }
    }

    /// The brand's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Brand {
    fn default() -> Self {
        Self("lb".to_owned())
    }
}

/// The text is no brand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a brand has 2 to 8 characters of `0-9a-z`")]
pub struct BrandError;

/// What a key's text says about itself. None of it is secret, and none of it is proved yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyTextParts {
    /// The brand of the host that made the key.
    pub brand: String,
    /// The key's environment.
    pub environment: EnvironmentName,
    /// The key's id.
    pub id: KeyId,
}

/// The whole text of a key, checksum included. `secret` is 43 random characters of `0-9A-Za-z`; a text made from
/// anything else does not parse.
#[must_use]
pub fn print_key_text(brand: &Brand, environment: EnvironmentName, id: KeyId, secret: &str) -> SecretText {
    // Sized for the longest key, so that growing leaves no part of the secret behind in freed memory.
    let mut text = String::with_capacity(MAX_TEXT.max(secret.len().saturating_add(MAX_TEXT - SECRET)));
    for part in [brand.as_str(), "_", environment.as_str(), "_", id.as_str(), "_", secret] {
        text.push_str(part);
    }
    let checksum = checksum(text.as_bytes());
    text.extend(checksum.iter().map(|&digit| char::from(digit)));
    SecretText::new(text)
}

/// The parts of a key's text, where its shape and its checksum are right. Needs no storage.
///
/// # Errors
/// [`Rejection::KeyText`] for any other text; one longer than the longest key is not looked at any further.
pub fn parse_key_text(text: &str) -> Result<KeyTextParts, Rejection> {
    parts(text).ok_or(Rejection::KeyText)
}

/// The part of a key's text that is safe to show: brand, environment and key id.
#[must_use]
pub fn key_hint(key: &ApiKey) -> String {
    format!("{}_{}_{}", key.brand, key.developer.environment, key.id)
}

fn parts(text: &str) -> Option<KeyTextParts> {
    if text.len() > MAX_TEXT {
        return None;
    }
    let mut split = text.split('_');
    let (brand, environment, id, tail) = (split.next()?, split.next()?, split.next()?, split.next()?);
    let is_base62 = tail.bytes().all(|b| b.is_ascii_alphanumeric());
    if split.next().is_some() || tail.len() != SECRET + CHECKSUM || !is_base62 {
        return None;
    }
    let (covered, shown) = text.as_bytes().split_last_chunk::<CHECKSUM>()?;
    if checksum(covered) != *shown {
        return None;
    }
    Some(KeyTextParts {
        brand: Brand::parse(brand).ok()?.0,
        environment: EnvironmentName::parse(environment).ok()?,
        id: KeyId::parse(id).ok()?,
    })
}

/// CRC-32 (IEEE) of `covered` as six base62 digits, most significant first.
fn checksum(covered: &[u8]) -> [u8; CHECKSUM] {
    let mut rest = crc32fast::hash(covered);
    let mut digits = [b'0'; CHECKSUM];
    for digit in digits.iter_mut().rev() {
        let value = rest % 62;
        rest /= 62;
        // INVARIANT: `value` is below 62, so each arm's sum stays within its letters.
        #[expect(clippy::cast_possible_truncation, reason = "below 62")]
        let value = value as u8;
        *digit = match value {
            0..=9 => b'0' + value,
            10..=35 => b'A' + (value - 10),
            _ => b'a' + (value - 36),
        };
    }
    digits
}

const MIN_BRAND: usize = 2;
const MAX_BRAND: usize = 8;
const MAX_ENVIRONMENT: usize = 16;
const SECRET: usize = 43;
const CHECKSUM: usize = 6;
/// The longest text that a key can have.
const MAX_TEXT: usize = MAX_BRAND + 1 + MAX_ENVIRONMENT + 1 + KeyId::LENGTH + 1 + SECRET + CHECKSUM;
