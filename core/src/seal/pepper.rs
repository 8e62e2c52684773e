//! Digests of secrets that are only ever compared: HMAC-SHA-256 under a random pepper.

use std::fmt;

use ring::hmac::{self, HMAC_SHA256};

use crate::model::{KeyDigest, PepperId, SecretBytes, SecretText};

/// A pepper: the HMAC key and its id. `Debug` shows the id alone. ring holds the key and does not wipe it.
pub struct KeyPepper {
    id: PepperId,
    key: hmac::Key,
}

impl KeyPepper {
    /// The pepper with this id; `secret` is 32 random bytes.
    #[must_use]
    pub fn new(id: PepperId, secret: &SecretBytes) -> Self {
        Self { id, key: hmac::Key::new(HMAC_SHA256, secret.expose()) }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> PepperId {
        self.id
    }

    /// The digest of a whole key text.
    #[must_use]
    pub fn digest(&self, text: &SecretText) -> KeyDigest {
        KeyDigest { pepper: self.id, value: self.digest_bytes(text.expose().as_bytes()) }
    }

    /// The digest of any bytes.
    #[must_use]
    pub fn digest_bytes(&self, bytes: &[u8]) -> [u8; 32] {
        let mut digest = [0; 32];
        digest.copy_from_slice(hmac::sign(&self.key, bytes).as_ref());
        digest
    }
}

impl fmt::Debug for KeyPepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPepper").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_hmac_sha_256_and_names_its_pepper() {
        // RFC 4231 §4.3.
        let pepper = KeyPepper::new(PepperId::from_bytes([5; 16]), &SecretBytes::new(b"Jefe".to_vec()));
        let digest = pepper.digest(&SecretText::new("what do ya want for nothing?".into()));
        let hex: String = digest.value.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        assert_eq!(digest.pepper, pepper.id());
        assert_eq!(digest.value, pepper.digest_bytes(b"what do ya want for nothing?"));
    }

    #[test]
    fn l1_debug_shows_the_id_alone() {
        let pepper = KeyPepper::new(PepperId::from_bytes([5; 16]), &SecretBytes::new(vec![7; 32]));
        assert_eq!(format!("{pepper:?}"), "KeyPepper { id: 05050505050505050505050505050505, .. }");
    }
}
