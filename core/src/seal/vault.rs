//! Secrets sealed for the store: AES-256-GCM under keys that HKDF-SHA256 derives from the master key.

use std::fmt;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Prk, Salt};
use zeroize::Zeroizing;

use super::MasterKey;
use crate::model::{SealedBytes, SecretBytes};

/// What a sealed secret is. Each purpose has a key of its own, so that none opens as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SealPurpose {
    /// The private half of a signing key.
    SigningKey,
    /// A pepper or an audit key.
    Pepper,
    /// What a sandbox needs to be found again elsewhere.
    Receipt,
}

impl SealPurpose {
    /// HKDF's `info` (RFC 5869 §2.3): changing one makes everything sealed so far unreadable.
    const fn info(self) -> &'static [u8] {
        match self {
            Self::SigningKey => b"latchbook seal v1: signing key",
            Self::Pepper => b"latchbook seal v1: pepper",
            Self::Receipt => b"latchbook seal v1: receipt",
        }
    }
}

/// Seals and opens secrets. `Debug` is redacted. ring holds the derived keys and does not wipe them.
pub struct Vault {
    signing_key: LessSafeKey,
    pepper: LessSafeKey,
    receipt: LessSafeKey,
    check_value: [u8; 32],
}

impl Vault {
    /// The vault of this master key; the key itself is not kept.
    #[must_use]
    pub fn new(master: &MasterKey) -> Self {
        let root = Salt::new(HKDF_SHA256, b"latchbook").extract(master.expose());
        let sealing = |purpose: SealPurpose| sealing_key(&root, purpose);
        Self {
            signing_key: sealing(SealPurpose::SigningKey),
            pepper: sealing(SealPurpose::Pepper),
            receipt: sealing(SealPurpose::Receipt),
            check_value: *derive(&root, b"latchbook check value v1"),
        }
    }

    /// A value that says which master key this is and tells nothing about it: a store keeps it, so that a wrong key
    /// fails at open.
    #[must_use]
    pub fn check_value(&self) -> [u8; 32] {
        self.check_value
    }

    /// Seals `secret`. `context` names the record that it belongs to and must be the same to open it; `nonce` is random
    /// and used once.
    ///
    /// # Errors
    /// [`SealError`] if `secret` is longer than AES-GCM allows.
    pub fn seal(
        &self,
        purpose: SealPurpose,
        context: &[u8],
        nonce: [u8; NONCE_LEN],
        secret: &SecretBytes,
    ) -> Result<SealedBytes, SealError> {
        let mut bytes = Zeroizing::new(secret.expose().to_vec());
        let tag = self
            .key(purpose)
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut bytes)
            .map_err(|_| SealError::TooLong)?;
        Ok(SealedBytes([&nonce, bytes.as_slice(), tag.as_ref()].concat()))
    }

    /// Opens what was sealed for the same purpose and context under the same master key.
    ///
    /// # Errors
    /// [`SealError::Wrong`] for anything else.
    pub fn open(&self, purpose: SealPurpose, context: &[u8], sealed: &SealedBytes) -> Result<SecretBytes, SealError> {
        let (nonce, bytes) = sealed.0.split_first_chunk::<NONCE_LEN>().ok_or(SealError::Wrong)?;
        let mut bytes = Zeroizing::new(bytes.to_vec());
        let secret = self
            .key(purpose)
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(context), &mut bytes)
            .map_err(|_| SealError::Wrong)?;
        Ok(SecretBytes::new(secret.to_vec()))
    }

    const fn key(&self, purpose: SealPurpose) -> &LessSafeKey {
        match purpose {
            SealPurpose::SigningKey => &self.signing_key,
            SealPurpose::Pepper => &self.pepper,
            SealPurpose::Receipt => &self.receipt,
        }
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(…)")
    }
}

/// A secret could not be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// Sealed under another master key, for another record or purpose, or changed since.
    #[error("the sealed secret does not open: another master key sealed it, or it was changed or moved")]
    Wrong,
    /// The secret is longer than AES-GCM allows.
    #[error("the secret is too long to be sealed")]
    TooLong,
}

fn sealing_key(root: &Prk, purpose: SealPurpose) -> LessSafeKey {
    LessSafeKey::new(aes_key(&derive(root, purpose.info())))
}

#[expect(clippy::expect_used, reason = "the invariant is stated")]
fn aes_key(bytes: &[u8; 32]) -> UnboundKey {
    UnboundKey::new(&AES_256_GCM, bytes).expect("INVARIANT: an AES-256 key has 32 bytes")
}

#[expect(clippy::expect_used, reason = "the invariant is stated")]
fn derive(root: &Prk, info: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    root.expand(&[info], HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut *key))
        .expect("INVARIANT: 32 bytes are one block of HKDF-SHA256, which gives up to 255");
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    const PURPOSES: [SealPurpose; 3] = [SealPurpose::SigningKey, SealPurpose::Pepper, SealPurpose::Receipt];

    fn vault(byte: u8) -> Vault {
        Vault::new(&MasterKey::from_bytes([byte; 32]))
    }

    fn secret() -> SecretBytes {
        SecretBytes::new(b"the secret".to_vec())
    }

    #[test]
    fn a_secret_opens_under_the_same_key_purpose_and_context_alone() {
        for purpose in PURPOSES {
            let sealed = vault(1).seal(purpose, b"record", [9; 12], &secret()).expect("sealed");
            assert_eq!(vault(1).open(purpose, b"record", &sealed), Ok(secret()));
            assert_eq!(vault(2).open(purpose, b"record", &sealed), Err(SealError::Wrong));
            assert_eq!(vault(1).open(purpose, b"other", &sealed), Err(SealError::Wrong));
            for other in PURPOSES.into_iter().filter(|other| *other != purpose) {
                assert_eq!(vault(1).open(other, b"record", &sealed), Err(SealError::Wrong), "{purpose:?} {other:?}");
            }
        }
    }

    #[test]
    fn a_sealed_secret_that_was_changed_or_cut_does_not_open() {
        let sealed = vault(1).seal(SealPurpose::Pepper, b"", [9; 12], &secret()).expect("sealed");
        for place in 0..sealed.0.len() {
            let mut changed = sealed.clone();
            changed.0[place] ^= 1;
            assert_eq!(vault(1).open(SealPurpose::Pepper, b"", &changed), Err(SealError::Wrong), "{place}");
            let cut = SealedBytes(sealed.0[..place].to_vec());
            assert_eq!(vault(1).open(SealPurpose::Pepper, b"", &cut), Err(SealError::Wrong), "{place}");
        }
        assert!(!sealed.0.windows(6).any(|bytes| bytes == b"secret"));
    }

    #[test]
    fn an_empty_secret_is_sealed_too() {
        let empty = SecretBytes::new(Vec::new());
        let sealed = vault(1).seal(SealPurpose::Receipt, b"r", [0; 12], &empty).expect("sealed");
        assert_eq!(sealed.0.len(), 12 + 16);
        assert_eq!(vault(1).open(SealPurpose::Receipt, b"r", &sealed), Ok(empty));
    }

    /// Kept as bytes, because a store written by one version must open in the next.
    #[test]
    fn what_was_sealed_once_opens_for_ever() {
        let sealed = vault(7).seal(SealPurpose::Pepper, b"context", [3; 12], &secret()).expect("sealed");
        assert_eq!(hex(&sealed.0), PINNED_SEALED);
        assert_eq!(hex(&vault(7).check_value()), PINNED_CHECK_VALUE);
        assert_ne!(vault(7).check_value(), vault(8).check_value());
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    const PINNED_SEALED: &str = "030303030303030303030303aee2505c5ebc85502c611a66850a3bcc01cd9913e7dd02d23fef";
    const PINNED_CHECK_VALUE: &str = "ad16301051464380b121b14a189809bcbd450d103f7c3e7879c0626308a17d09";

    #[test]
    fn l1_debug_shows_no_key() {
        assert_eq!(format!("{:?} {:?}", vault(1), MasterKey::from_bytes([1; 32])), "Vault(…) MasterKey(…)");
    }
}
