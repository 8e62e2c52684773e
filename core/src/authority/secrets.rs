//! The secrets that an authority works with, opened under the master key.

use std::collections::HashMap;
use std::sync::Arc;

use super::Fault;
use crate::model::{AuditKey, KeyDigest, Pepper, PepperId, PepperPurpose, SecretBytes, SecretText};
use crate::random::{SecureRandom, bytes};
use crate::seal::{KeyPepper, SealError, SealPurpose, Vault};

/// Peppers and audit keys, and the vault that they came out of.
#[derive(Debug)]
pub(super) struct Secrets {
    pub(super) vault: Vault,
    peppers: Vec<KeyPepper>,
    audit_keys: HashMap<PepperId, Arc<AuditKey>>,
    audit_key: Arc<AuditKey>,
}

impl Secrets {
    /// Opens `sealed`, oldest first: the last of a purpose is the one in use.
    pub(super) fn open(vault: Vault, sealed: &[Pepper]) -> Result<Self, OpenError> {
        let mut peppers = Vec::new();
        let mut audit_keys = HashMap::new();
        let mut audit_key = None;
        for pepper in sealed {
            let secret = vault.open(SealPurpose::Pepper, pepper.id.as_bytes(), &pepper.sealed)?;
            match pepper.purpose {
                PepperPurpose::KeyDigest => peppers.push(KeyPepper::new(pepper.id, &secret)),
                PepperPurpose::AuditLink => {
                    let key = Arc::new(AuditKey::new(pepper.id, &secret));
                    audit_keys.insert(pepper.id, Arc::clone(&key));
                    audit_key = Some(key);
                }
            }
        }
        match audit_key {
            Some(audit_key) if !peppers.is_empty() => Ok(Self { vault, peppers, audit_keys, audit_key }),
            _ => Err(OpenError::Missing),
        }
    }

    /// The digests of a key's text, one for each pepper that a stored digest may name.
    pub(super) fn digests(&self, text: &SecretText) -> Vec<KeyDigest> {
        self.peppers.iter().map(|pepper| pepper.digest(text)).collect()
    }

    /// The pepper in use.
    pub(super) fn pepper(&self) -> Result<&KeyPepper, Fault> {
        self.peppers.last().ok_or(Fault::Internal("no pepper"))
    }

    /// The audit key in use.
    pub(super) fn audit_key(&self) -> &Arc<AuditKey> {
        &self.audit_key
    }

    /// Every audit key that an event may name.
    pub(super) fn audit_keys(&self) -> &HashMap<PepperId, Arc<AuditKey>> {
        &self.audit_keys
    }

    /// Seals `secret` under a fresh nonce.
    pub(super) fn seal(
        &self,
        random: &dyn SecureRandom,
        purpose: SealPurpose,
        context: &[u8],
        secret: &SecretBytes,
    ) -> Result<crate::model::SealedBytes, Fault> {
        self.vault.seal(purpose, context, bytes(random)?, secret).map_err(|_| Fault::Internal("sealing failed"))
    }
}

/// Why the secrets could not be opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error("the store lacks its pepper or its audit key")]
    Missing,
}
