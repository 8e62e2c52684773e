//! Signing keys: list, import, rotate, retire.

use std::sync::Arc;

use super::change::Tries;
use super::signing_key_records::{Held, NewSigningKey, in_state};
use super::{Fault, Inner, Refusal};
use crate::jose::KeyError;
use crate::key_store::KeyStoreExt as _;
use crate::model::{
    AuditActor, ChangeSet, EnvironmentName, Provenance, Record, Rejection, SecretText, SigningKey, SigningKeyId,
    SigningKeyState,
};

/// Signing keys: list, import, rotate, retire.
#[derive(Clone, Copy)]
pub struct SigningKeys<'a> {
    pub(super) inner: &'a Arc<Inner>,
}

impl SigningKeys<'_> {
    /// The signing keys of `environment`, oldest first, retired ones included.
    ///
    /// # Errors
    /// [`Refusal::Fault`] if the store did not answer.
    pub async fn list(&self, environment: EnvironmentName) -> Result<Vec<SigningKey>, Refusal> {
        let keys = self.inner.store.signing_keys().await?;
        Ok(keys.into_iter().map(|(key, _)| key).filter(|key| key.environment == environment).collect())
    }

    /// Begins to turn the signing key of `environment` over, before its time: publishes a successor now, which
    /// [`upkeep`](super::Authority::upkeep) puts in use a day later. Where one waits already, it is that one; its id.
    ///
    /// For a key that must not be used any more there is [`retire_now`](Self::retire_now).
    ///
    /// # Errors
    /// - [`Rejection::NotFound`] if no key of the store signs for `environment`
    /// - [`Rejection::InvalidRequest`] if the active key was imported: then its successor is; or if this process's signature
    ///   provider generates no such key
    pub async fn rotate(&self, environment: EnvironmentName) -> Result<SigningKeyId, Refusal> {
        let inner = self.inner;
        if inner.environment(environment).is_none() || inner.issuers.is_foreign(environment) {
            return Err(Rejection::NotFound.into());
        }
        let mut tries = Tries::default();
        loop {
            let keys = inner.store.signing_keys().await?;
            let active = in_state(&keys, environment, SigningKeyState::Active).ok_or(Rejection::NotFound)?;
            if active.0.provenance == Provenance::Imported {
                let message = "the signing key was imported: import its successor in its place";
                return Err(Rejection::InvalidRequest { message }.into());
            }
            if let Some((successor, _)) = in_state(&keys, environment, SigningKeyState::Next) {
                return Ok(successor.id.clone());
            }
            if !inner.generates_successor(&active.0) {
                let message =
                    "ring generates no RSA key: rotate with `SignatureProvider::AwsLc`, or import a successor";
                return Err(Rejection::InvalidRequest { message }.into());
            }
            if let Some(id) = inner.make_successor(active, AuditActor::Host, &mut tries).await? {
                return Ok(id);
            }
        }
    }

    /// Retires the key `id` at once: every token that it signed is refused. Where it was the active one, its waiting
    /// successor signs from now on, or else a fresh key of the same algorithm (Ed25519 in place of RSA, where the
    /// signature provider generates none). Key sets that others hold may lack it until they are read again, 300 s at most.
    ///
    /// # Errors
    /// [`Rejection::NotFound`] if `environment` has no such key. Retiring a retired key is no error.
    pub async fn retire_now(&self, environment: EnvironmentName, id: &SigningKeyId) -> Result<(), Refusal> {
        let inner = self.inner;
        let mut tries = Tries::default();
        loop {
            let mut set = inner.new_set()?;
            let keys = inner.store.signing_keys().await?;
            let found = keys.iter().find(|(key, _)| key.environment == environment && key.id == *id);
            let held = found.ok_or(Rejection::NotFound)?;
            if held.0.state == SigningKeyState::Retired {
                // By another process, or by a change of ours that nobody answered for: then it is not in force here yet.
                inner.read_feed().await?;
                return Ok(());
            }
            if held.0.state == SigningKeyState::Active {
                let successor = in_state(&keys, environment, SigningKeyState::Next);
                inner.sign_with_another(&mut set, held, successor)?;
            }
            inner.change_signing_key(&mut set, held.clone(), SigningKeyState::Retired, AuditActor::Host)?;
            if inner.commit(set, &mut tries).await? {
                return Ok(());
            }
        }
    }

    /// Puts an imported private key (PKCS#8 PEM) in use for `environment`. The key before it goes on verifying until its
    /// last token is over; a successor that waits is retired, since an imported key's successor is imported. Importing
    /// the active key again changes nothing.
    ///
    /// # Errors
    /// - [`ImportError::Key`] if the text holds no key that can be used
    /// - [`ImportError::Retired`] if the key was retired before
    /// - [`ImportError::Refusal`] if the store did not answer
    pub async fn import(&self, environment: EnvironmentName, pem: &SecretText) -> Result<SigningKeyId, ImportError> {
        let inner = self.inner;
        let new = NewSigningKey::import(inner.config.signature_provider, pem)?;
        let mut tries = Tries::default();
        loop {
            let mut set = inner.new_set()?;
            let (settings, revision) = inner.store.settings().await.map_err(Refusal::from)?.ok_or(NOT_SET_UP)?;
            let keys = inner.store.signing_keys().await.map_err(Refusal::from)?;
            let mut known = None;
            for held in keys.into_iter().filter(|(key, _)| key.environment == environment) {
                let state = match held.0.state {
                    _ if held.0.id == *new.id() => {
                        known = Some(held);
                        continue;
                    }
                    SigningKeyState::Active => SigningKeyState::Retiring { until: inner.last_token_ends(&set) },
                    SigningKeyState::Next => SigningKeyState::Retired,
                    SigningKeyState::Retiring { .. } | SigningKeyState::Retired => continue,
                };
                inner.change_signing_key(&mut set, held, state, AuditActor::Host)?;
            }
            match known {
                Some((key, _)) if key.state == SigningKeyState::Active => return Ok(key.id),
                Some((key, _)) if key.state == SigningKeyState::Retired => return Err(ImportError::Retired(key.id)),
                Some(held) => inner.change_signing_key(&mut set, held, SigningKeyState::Active, AuditActor::Host)?,
                None => {
                    inner.add_signing_key(&mut set, environment, &new, SigningKeyState::Active, AuditActor::Host)?;
                }
            }
            if set.update.is_empty() {
                // No key signed before: of two that are imported at once, one must lose all the same.
                set.replace(Record::Settings(settings), revision);
            }
            if inner.commit(set, &mut tries).await? {
                return Ok(new.id().clone());
            }
        }
    }
}

const NOT_SET_UP: Refusal = Refusal::Fault(Fault::Internal("a store without settings"));

impl std::fmt::Debug for SigningKeys<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKeys")
    }
}

/// A private key could not be imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The text holds no key that can be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The key was retired before, and what it signed must stay refused.
    #[error("the signing key `{0}` was retired before; import another one")]
    Retired(SigningKeyId),
    /// It could not be stored.
    #[error(transparent)]
    Refusal(#[from] Refusal),
}

impl Inner {
    /// Adds to `set` that another key signs in place of `active`.
    fn sign_with_another(&self, set: &mut ChangeSet, active: &Held, successor: Option<&Held>) -> Result<(), Refusal> {
        // One that cannot sign would leave nothing that does.
        if let Some(successor) = successor.filter(|(key, _)| self.open_signer(key).is_ok()) {
            return self.change_signing_key(set, successor.clone(), SigningKeyState::Active, AuditActor::Host);
        }
        let new = NewSigningKey::in_place_of(&active.0, self.config.signature_provider)?;
        self.add_signing_key(set, active.0.environment, &new, SigningKeyState::Active, AuditActor::Host)
    }
}
