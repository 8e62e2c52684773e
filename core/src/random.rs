//! Randomness: ids and secrets are drawn here.

use std::fmt::Debug;

use ring::rand::SecureRandom as _;
use zeroize::Zeroizing;

use crate::model::{ChangeId, IdError, KeyId, PepperId, SecretBytes, TokenId};

/// A source of bytes that nobody can guess.
pub trait SecureRandom: Debug + Send + Sync + 'static {
    /// Fills `bytes`.
    ///
    /// # Errors
    /// [`RandomError`] if the source failed; `bytes` must not be used then.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError>;
}

/// The source failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system's random number generator failed")]
pub struct RandomError;

impl From<IdError> for RandomError {
    fn from(_: IdError) -> Self {
        Self
    }
}

/// The system's generator.
#[derive(Debug)]
pub struct SystemRandom(ring::rand::SystemRandom);

impl SystemRandom {
    /// The system's generator.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the room that reads randomness")]
    pub fn new() -> Self {
        Self(ring::rand::SystemRandom::new())
    }
}

impl Default for SystemRandom {
    fn default() -> Self {
        Self::new()
    }
}

impl SecureRandom for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        self.0.fill(bytes).map_err(|_| RandomError)
    }
}

/// `length` characters of `0-9A-Za-z`, each with the same chance: 5.95 bits a character.
///
/// # Errors
/// [`RandomError`] if the source failed.
pub fn base62(random: &dyn SecureRandom, length: usize) -> Result<Zeroizing<String>, RandomError> {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut text = Zeroizing::new(String::with_capacity(length));
    let mut bytes = Zeroizing::new([0_u8; 64]);
    while text.len() < length {
        random.fill(&mut *bytes)?;
        // 6 bits make 0 to 63; the two values above 61 are thrown away, so that no character is likelier.
        let drawn = bytes.iter().filter_map(|byte| ALPHABET.get(usize::from(byte >> 2)));
        let missing = length - text.len();
        text.extend(drawn.take(missing).map(|&byte| char::from(byte)));
    }
    Ok(text)
}

/// 32 secret bytes.
///
/// # Errors
/// [`RandomError`] if the source failed.
pub fn secret_key(random: &dyn SecureRandom) -> Result<SecretBytes, RandomError> {
    let mut bytes = vec![0; 32];
    random.fill(&mut bytes)?;
    Ok(SecretBytes::new(bytes))
}

/// `N` bytes.
///
/// # Errors
/// [`RandomError`] if the source failed.
pub fn bytes<const N: usize>(random: &dyn SecureRandom) -> Result<[u8; N], RandomError> {
    let mut bytes = [0; N];
    random.fill(&mut bytes)?;
    Ok(bytes)
}

/// A new key id.
///
/// # Errors
/// [`RandomError`] if the source failed.
pub fn key_id(random: &dyn SecureRandom) -> Result<KeyId, RandomError> {
    Ok(KeyId::parse(&base62(random, KeyId::LENGTH)?)?)
}

/// A new token id.
///
/// # Errors
/// [`RandomError`] if the source failed.
pub fn token_id(random: &dyn SecureRandom) -> Result<TokenId, RandomError> {
    Ok(TokenId::parse(&base62(random, TokenId::LENGTH)?)?)
}

/// A new change id.
///
/// # Errors
/// [`RandomError`] if the source failed.
pub fn change_id(random: &dyn SecureRandom) -> Result<ChangeId, RandomError> {
    bytes(random).map(ChangeId::from_bytes)
}

/// A new pepper id.
///
/// # Errors
/// [`RandomError`] if the source failed.
pub fn pepper_id(random: &dyn SecureRandom) -> Result<PepperId, RandomError> {
    bytes(random).map(PepperId::from_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base62_gives_the_length_asked_for_and_no_two_alike() {
        let random = SystemRandom::new();
        let texts: std::collections::HashSet<String> =
            (0..1000).map(|_| base62(&random, 43).expect("random").to_string()).collect();
        assert_eq!(texts.len(), 1000);
        assert!(texts.iter().all(|text| text.len() == 43 && text.bytes().all(|b| b.is_ascii_alphanumeric())));
    }
}
