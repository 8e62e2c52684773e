//! Turns signing keys over: a successor is published, then signs, and the key before it retires.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::change::Tries;
use super::signing_key_records::{Held, NewSigningKey, in_state};
use super::{Inner, Refusal};
use crate::check::{TurnoverPolicy, TurnoverStep, check_turnover};
use crate::jose::KEY_SET_MAX_AGE;
use crate::key_store::KeyStoreExt as _;
use crate::model::{AuditActor, EnvironmentName, Lifetime, Record, SigningKey, SigningKeyId, SigningKeyState};

/// How long a successor is published before it signs, in seconds: a day, so that slow caches and people see it too.
pub(super) const PUBLISHED_AHEAD: u64 = 86_400;

/// What this process saw of the signing keys.
#[derive(Debug, Default)]
pub(super) struct Observed {
    /// When it first saw each waiting successor, by the monotonic clock.
    waiting: HashMap<SigningKeyId, Duration>,
    /// The keys that it has said to be old, and cannot follow.
    old: HashSet<SigningKeyId>,
}

impl Inner {
    /// Takes the step that is due in each environment, if one is. Another process may take it first: then the next call
    /// finds what is due after it.
    pub(super) async fn turn_signing_keys_over(&self, observed: &mut Observed) -> Result<(), Refusal> {
        let keys = self.store.signing_keys().await?;
        observed.waiting.retain(|id, _| keys.iter().any(|(key, _)| key.id == *id));
        self.retire_ended_signing_keys(&keys).await?;
        let here = |environment| !self.issuers.is_foreign(environment);
        // One environment whose step fails must not keep the others.
        let mut failed = Ok(());
        for environment in self.config.environments.keys().copied().filter(|name| here(*name)) {
            if let Err(refusal) = self.turn_over(environment, &keys, observed).await {
                failed = Err(refusal);
            }
        }
        failed
    }

    async fn turn_over(
        &self,
        environment: EnvironmentName,
        keys: &[Held],
        observed: &mut Observed,
    ) -> Result<(), Refusal> {
        let Some(active) = in_state(keys, environment, SigningKeyState::Active) else { return Ok(()) };
        let successor = in_state(keys, environment, SigningKeyState::Next);
        let in_caches = successor.is_some_and(|(key, _)| self.is_in_caches(key, observed));
        let policy = self.turnover_policy();
        match check_turnover(&active.0, successor.map(|(key, _)| key), &policy, self.now()) {
            Some(TurnoverStep::MakeSuccessor) if !self.generates_successor(&active.0) => {
                say_once_that_another_must(&active.0, observed);
            }
            Some(TurnoverStep::MakeSuccessor) => {
                let made = self.make_successor(active, AuditActor::Upkeep, &mut Tries::default()).await?;
                observed.waiting.extend(made.map(|id| (id, self.time.monotonic())));
            }
            Some(TurnoverStep::TakeOver) => {
                if let Some(successor) = successor.filter(|_| in_caches) {
                    self.take_over(active, successor).await?;
                }
            }
            Some(TurnoverStep::ImportSuccessor) => say_once_that_it_is_old(&active.0, observed),
            None => {}
        }
        Ok(())
    }

    /// Whether key sets without `successor` are surely forgotten, whatever the wall clock says: it may have jumped.
    fn is_in_caches(&self, successor: &SigningKey, observed: &mut Observed) -> bool {
        let now = self.time.monotonic();
        let seen_at = *observed.waiting.entry(successor.id.clone()).or_insert(now);
        now.saturating_sub(seen_at) >= self.caching_time()
    }

    /// How long a key set without a new key may be in use somewhere.
    fn caching_time(&self) -> Duration {
        let leeway = Duration::from_secs(self.config.policy.leeway.as_seconds());
        KEY_SET_MAX_AGE.saturating_add(self.config.max_staleness).saturating_add(leeway)
    }

    fn turnover_policy(&self) -> TurnoverPolicy {
        let notice = self.caching_time().as_secs().saturating_add(1).max(PUBLISHED_AHEAD);
        TurnoverPolicy { lifetime: self.config.signing_key_lifetime, notice: Lifetime::seconds(notice) }
    }

    /// Whether a successor of `active`, of the same algorithm, can be made in this process.
    pub(super) fn generates_successor(&self, active: &SigningKey) -> bool {
        self.config.signature_provider.generates(active.public.algorithm())
    }

    /// Publishes a successor of `active`, of the same algorithm; `None` where another change came first.
    pub(super) async fn make_successor(
        &self,
        active: &Held,
        actor: AuditActor,
        tries: &mut Tries,
    ) -> Result<Option<SigningKeyId>, Refusal> {
        let mut set = self.new_set()?;
        let new = NewSigningKey::generate(self.config.signature_provider, active.0.public.algorithm())?;
        self.add_signing_key(&mut set, active.0.environment, &new, SigningKeyState::Next, actor)?;
        // Written again as it is, so that of two who make a successor at once one loses.
        set.replace(Record::SigningKey(active.0.clone()), active.1);
        Ok(self.commit(set, tries).await?.then(|| new.id().clone()))
    }

    async fn take_over(&self, active: &Held, successor: &Held) -> Result<(), Refusal> {
        // One that cannot sign would leave nothing that does.
        self.open_signer(&successor.0)?;
        let mut set = self.new_set()?;
        let retiring = SigningKeyState::Retiring { until: self.last_token_ends(&set) };
        self.change_signing_key(&mut set, successor.clone(), SigningKeyState::Active, AuditActor::Upkeep)?;
        self.change_signing_key(&mut set, active.clone(), retiring, AuditActor::Upkeep)?;
        self.commit(set, &mut Tries::default()).await.map(|_| ())
    }

    /// Retires the keys whose last token is over.
    async fn retire_ended_signing_keys(&self, keys: &[Held]) -> Result<(), Refusal> {
        let now = self.now();
        let ended = |state| matches!(state, SigningKeyState::Retiring { until } if until <= now);
        for held in keys.iter().filter(|(key, _)| ended(key.state)) {
            let mut set = self.new_set()?;
            self.change_signing_key(&mut set, held.clone(), SigningKeyState::Retired, AuditActor::Upkeep)?;
            self.commit(set, &mut Tries::default()).await?;
        }
        Ok(())
    }
}

fn say_once_that_another_must(active: &SigningKey, observed: &mut Observed) {
    let SigningKey { environment, id, .. } = active;
    if observed.old.insert(id.clone()) {
        tracing::warn!(
            %environment, key = %id,
            "the signing key's successor is due, and ring generates no RSA key: a process with aws-lc-rs does, or import one"
        );
    }
}

fn say_once_that_it_is_old(imported: &SigningKey, observed: &mut Observed) {
    let SigningKey { environment, id, .. } = imported;
    if observed.old.insert(id.clone()) {
        tracing::warn!(%environment, key = %id, "the imported signing key is past its lifetime: import its successor");
    }
}
