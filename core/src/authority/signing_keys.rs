//! Signing keys: list, generate, import, retire.

use std::sync::Arc;

use super::change::{Event, Tries};
use super::{Fault, Inner, Refusal};
use crate::jose::{KeyError, SigningPair};
use crate::key_store::KeyStoreExt as _;
use crate::model::{
    Algorithm, Announcement, AuditAction, AuditActor, ChainId, ChangeSet, EnvironmentName, Expectation, Record,
    Rejection, Revision, SecretBytes, SecretText, SigningKey, SigningKeyId, SigningKeyState, Source,
};
use crate::seal::SealPurpose;

/// Signing keys: list, generate, import, retire.
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

    /// Retires the key `id` at once: every token that it signed is refused. Where it was the active one, a fresh key of
    /// the same algorithm signs from now on (Ed25519 in place of RSA, which cannot be generated here).
    ///
    /// # Errors
    /// [`Rejection::NotFound`] if `environment` has no such key. Retiring a retired key is no error.
    pub async fn retire_now(&self, environment: EnvironmentName, id: &SigningKeyId) -> Result<(), Refusal> {
        let inner = self.inner;
        let mut tries = Tries::default();
        loop {
            let mut set = inner.new_set()?;
            let keys = inner.store.signing_keys().await?;
            let found = keys.into_iter().find(|(key, _)| key.environment == environment && key.id == *id);
            let (key, revision) = found.ok_or(Rejection::NotFound)?;
            if key.state == SigningKeyState::Retired {
                // By another process, or by a change of ours that nobody answered for: then it is not in force here yet.
                inner.read_feed().await?;
                return Ok(());
            }
            if key.state == SigningKeyState::Active {
                let algorithm = match key.public.algorithm() {
                    Algorithm::Rs256 => Algorithm::EdDsa,
                    other => other,
                };
                let (pair, private) = generate(algorithm)?;
                inner.add_signing_key(&mut set, environment, &pair, &private, AuditAction::SigningKeyCreated)?;
            }
            inner.change_signing_key(&mut set, key, revision, SigningKeyState::Retired)?;
            if inner.commit(set, &mut tries).await? {
                return Ok(());
            }
        }
    }

    /// Puts an imported private key (PKCS#8 PEM) in use for `environment`. The key before it goes on verifying until its
    /// last token is over. Importing the active key again changes nothing.
    ///
    /// # Errors
    /// - [`ImportError::Key`] if the text holds no key that can be used
    /// - [`ImportError::Retired`] if the key was retired before
    /// - [`ImportError::Refusal`] if the store did not answer
    pub async fn import(&self, environment: EnvironmentName, pem: &SecretText) -> Result<SigningKeyId, ImportError> {
        let inner = self.inner;
        let (pair, private) = SigningPair::from_pem(pem)?;
        let mut tries = Tries::default();
        loop {
            let mut set = inner.new_set()?;
            let keys = inner.store.signing_keys().await.map_err(Refusal::from)?;
            let mut known = None;
            for (key, revision) in keys.into_iter().filter(|(key, _)| key.environment == environment) {
                if key.id == *pair.id() {
                    known = Some((key, revision));
                } else if key.state == SigningKeyState::Active {
                    let until = set.at.plus(inner.config.policy.longest_lifetime.as_seconds());
                    inner.change_signing_key(&mut set, key, revision, SigningKeyState::Retiring { until })?;
                }
            }
            match known {
                Some((key, _)) if key.state == SigningKeyState::Active => return Ok(key.id),
                Some((key, _)) if key.state == SigningKeyState::Retired => return Err(ImportError::Retired(key.id)),
                Some((key, revision)) => {
                    inner.change_signing_key(&mut set, key, revision, SigningKeyState::Active)?;
                }
                None => {
                    let action = AuditAction::SigningKeyImported;
                    inner.add_signing_key(&mut set, environment, &pair, &private, action)?;
                }
            }
            if inner.commit(set, &mut tries).await? {
                return Ok(pair.id().clone());
            }
        }
    }
}

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

/// A fresh pair, with its private half as PKCS#8.
pub(super) fn generate(algorithm: Algorithm) -> Result<(SigningPair, SecretBytes), Refusal> {
    Ok(SigningPair::generate(algorithm).map_err(|_| Fault::Internal("a signing key could not be generated"))?)
}

impl Inner {
    /// A new active key, added to `set`.
    pub(super) fn add_signing_key(
        &self,
        set: &mut ChangeSet,
        environment: EnvironmentName,
        pair: &SigningPair,
        private: &SecretBytes,
        action: AuditAction,
    ) -> Result<(), Refusal> {
        let context = pair.id().as_str().as_bytes();
        let sealed = self.secrets()?.seal(&*self.random, SealPurpose::SigningKey, context, private)?;
        set.insert.push(Record::SigningKey(SigningKey {
            environment,
            id: pair.id().clone(),
            public: pair.public().clone(),
            private: sealed,
            state: SigningKeyState::Active,
            created_at: set.at,
        }));
        self.announce_signing_key(set, environment, pair.id(), action)
    }

    fn change_signing_key(
        &self,
        set: &mut ChangeSet,
        mut key: SigningKey,
        revision: Revision,
        state: SigningKeyState,
    ) -> Result<(), Refusal> {
        let action = match state {
            SigningKeyState::Retired | SigningKeyState::Retiring { .. } => AuditAction::SigningKeyRetired,
            SigningKeyState::Active | SigningKeyState::Next => AuditAction::SigningKeyImported,
        };
        self.announce_signing_key(set, key.environment, &key.id, action)?;
        key.state = state;
        let record = Record::SigningKey(key);
        set.expect.push(Expectation { key: record.key(), revision: Some(revision) });
        set.update.push(record);
        Ok(())
    }

    /// Retires the keys whose last token is over.
    pub(super) async fn retire_ended_signing_keys(&self) -> Result<(), Refusal> {
        let now = self.now();
        let ended = |state| matches!(state, SigningKeyState::Retiring { until } if until <= now);
        let keys = self.store.signing_keys().await?;
        for (key, revision) in keys.into_iter().filter(|(key, _)| ended(key.state)) {
            let mut set = self.new_set()?;
            self.change_signing_key(&mut set, key, revision, SigningKeyState::Retired)?;
            self.commit(set, &mut Tries::default()).await?;
        }
        Ok(())
    }

    fn announce_signing_key(
        &self,
        set: &mut ChangeSet,
        environment: EnvironmentName,
        id: &SigningKeyId,
        action: AuditAction,
    ) -> Result<(), Refusal> {
        self.announce(set, Announcement::SigningKeyChanged { environment, key: id.clone() });
        self.audit(
            set,
            Event {
                chain: ChainId::System(environment),
                actor: AuditActor::Host,
                source: Source::UNKNOWN,
                action,
                subject: id.as_str(),
                details: &[],
            },
        )
    }
}
