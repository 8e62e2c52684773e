//! The records of signing keys: how a change set adds one, and how it changes one's state.

use super::change::Event;
use super::{Fault, Inner, Refusal};
use crate::jose::{KeyError, SignatureProvider, SigningPair};
use crate::model::{
    Algorithm, Announcement, AuditAction, AuditActor, ChainId, ChangeSet, EnvironmentName, Provenance, Record,
    Revision, SecretBytes, SecretText, SigningKey, SigningKeyId, SigningKeyState, Source, UnixTime,
};
use crate::seal::SealPurpose;

/// How much longer than it must a key goes on verifying, in seconds: clocks are worse than they say.
const MARGIN: u64 = 60;

/// A signing key as it was read.
pub(super) type Held = (SigningKey, Revision);

/// A private key that the store does not hold yet.
pub(super) struct NewSigningKey {
    pair: SigningPair,
    private: SecretBytes,
    provenance: Provenance,
}

impl NewSigningKey {
    /// A fresh one.
    pub(super) fn generate(provider: SignatureProvider, algorithm: Algorithm) -> Result<Self, Refusal> {
        let (pair, private) = SigningPair::generate_with(provider, algorithm)
            .map_err(|_| Fault::Internal("a signing key could not be generated"))?;
        Ok(Self { pair, private, provenance: Provenance::Generated })
    }

    /// A fresh one in the place of `active`: of the same algorithm, or Ed25519 where `provider` generates none such.
    pub(super) fn in_place_of(active: &SigningKey, provider: SignatureProvider) -> Result<Self, Refusal> {
        let same = active.public.algorithm();
        Self::generate(provider, if provider.generates(same) { same } else { Algorithm::EdDsa })
    }

    /// The one in `pem`.
    pub(super) fn import(provider: SignatureProvider, pem: &SecretText) -> Result<Self, KeyError> {
        let (pair, private) = SigningPair::from_pem_with(provider, pem)?;
        Ok(Self { pair, private, provenance: Provenance::Imported })
    }

    pub(super) fn id(&self) -> &SigningKeyId {
        self.pair.id()
    }
}

impl Inner {
    /// Adds a new key to `set`, to sign or to wait.
    pub(super) fn add_signing_key(
        &self,
        set: &mut ChangeSet,
        environment: EnvironmentName,
        new: &NewSigningKey,
        state: SigningKeyState,
        actor: AuditActor,
    ) -> Result<(), Refusal> {
        let context = new.id().as_str().as_bytes();
        let private = self.secrets()?.seal(&*self.random, SealPurpose::SigningKey, context, &new.private)?;
        let action = match new.provenance {
            Provenance::Generated => AuditAction::SigningKeyCreated,
            Provenance::Imported => AuditAction::SigningKeyImported,
        };
        let public = new.pair.public().clone();
        let use_now = if state == SigningKeyState::Next { "next" } else { "active" };
        let details = [("alg", public.algorithm().name()), ("state", use_now)];
        self.announce_signing_key(set, environment, new.id(), actor, action, &details)?;
        set.insert.push(Record::SigningKey(SigningKey {
            environment,
            id: new.id().clone(),
            public,
            private,
            state,
            provenance: new.provenance,
            created_at: set.at,
        }));
        Ok(())
    }

    /// Adds the change of a key's state to `set`.
    pub(super) fn change_signing_key(
        &self,
        set: &mut ChangeSet,
        (mut key, revision): Held,
        state: SigningKeyState,
        actor: AuditActor,
    ) -> Result<(), Refusal> {
        let (action, until) = match state {
            SigningKeyState::Retired => (AuditAction::SigningKeyRetired, None),
            SigningKeyState::Retiring { until } => (AuditAction::SigningKeyRetiring, Some(until.to_string())),
            SigningKeyState::Active | SigningKeyState::Next => (AuditAction::SigningKeyActivated, None),
        };
        let details: Vec<_> = until.iter().map(|until| ("until", until.as_str())).collect();
        self.announce_signing_key(set, key.environment, &key.id, actor, action, &details)?;
        key.state = state;
        set.replace(Record::SigningKey(key), revision);
        Ok(())
    }

    /// When the last token is over that a key can have signed which signs no more from `set` on. None is given out later
    /// than that, since its commit relies on the key; but it may have been made by a clock that is ahead.
    pub(super) fn last_token_ends(&self, set: &ChangeSet) -> UnixTime {
        let policy = &self.config.policy;
        set.at.plus(policy.longest_lifetime.as_seconds()).plus(policy.leeway.as_seconds()).plus(MARGIN)
    }

    fn announce_signing_key(
        &self,
        set: &mut ChangeSet,
        environment: EnvironmentName,
        id: &SigningKeyId,
        actor: AuditActor,
        action: AuditAction,
        details: &[(&str, &str)],
    ) -> Result<(), Refusal> {
        self.announce(set, Announcement::SigningKeyChanged { environment, key: id.clone() });
        let chain = ChainId::System(environment);
        self.audit(set, Event { chain, actor, source: Source::UNKNOWN, action, subject: id.as_str(), details })
    }
}

/// The oldest key of `environment` in this state.
pub(super) fn in_state(keys: &[Held], environment: EnvironmentName, state: SigningKeyState) -> Option<&Held> {
    keys.iter().find(|(key, _)| key.environment == environment && key.state == state)
}
