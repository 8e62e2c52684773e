//! The token issuers in use, one per environment, swapped as a whole when a signing key changes.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::{Fault, Inner, Refusal};
use crate::jose::{SigningPair, VerifyingKey};
use crate::key_store::{KeyStoreExt as _, StoreError};
use crate::model::{
    EnvironmentName, Expectation, PublicKey, RecordKey, Revision, SigningKey, SigningKeyId, SigningKeyState, UnixTime,
};
use crate::seal::SealPurpose;
use crate::token_issuer::{JwtIssuer, TokenIssuer};

/// The issuers in use.
#[derive(Debug)]
pub(super) struct Issuers {
    current: RwLock<Arc<IssuerSet>>,
    serial: AtomicU64,
    next_serial: AtomicU64,
    /// How often a signing key was said to have changed.
    changes: AtomicU64,
    /// How many of these changes were read.
    read_changes: AtomicU64,
    /// Issuers of the host's own; the store's keys are not used for their environments.
    foreign: BTreeMap<EnvironmentName, Arc<dyn TokenIssuer>>,
}

/// One issuer per environment, and which environment each signing key belongs to. Immutable.
#[derive(Debug, Default)]
pub(super) struct IssuerSet {
    by_environment: BTreeMap<EnvironmentName, Arc<dyn TokenIssuer>>,
    /// The records of the active keys, as they were read; none where the host's own issuer signs.
    active: BTreeMap<EnvironmentName, Expectation>,
    /// The active keys; none where the host's own issuer signs, nor without a master key.
    signers: BTreeMap<EnvironmentName, Arc<SigningPair>>,
    /// By `kid`.
    keys: HashMap<String, KeyPlace>,
}

#[derive(Clone, Copy, Debug)]
struct KeyPlace {
    environment: EnvironmentName,
    until: UnixTime,
}

impl Issuers {
    pub(super) fn new(foreign: BTreeMap<EnvironmentName, Arc<dyn TokenIssuer>>) -> Self {
        Self {
            current: RwLock::default(),
            serial: AtomicU64::new(0),
            next_serial: AtomicU64::new(1),
            changes: AtomicU64::new(1),
            read_changes: AtomicU64::new(0),
            foreign,
        }
    }

    /// Whether the host brought an issuer of its own for `environment`.
    pub(super) fn is_foreign(&self, environment: EnvironmentName) -> bool {
        self.foreign.contains_key(&environment)
    }

    /// Which set is in use; a new set has a higher number.
    pub(super) fn serial(&self) -> u64 {
        self.serial.load(Ordering::Acquire)
    }

    pub(super) fn current(&self) -> Arc<IssuerSet> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether a changed signing key is still to be read.
    pub(super) fn outdated(&self) -> bool {
        self.changes.load(Ordering::Acquire) != self.read_changes.load(Ordering::Acquire)
    }

    /// Puts a set in use, unless one that was begun later is.
    fn install(&self, set: IssuerSet, serial: u64) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if serial > self.serial.load(Ordering::Acquire) {
            *current = Arc::new(set);
            self.serial.store(serial, Ordering::Release);
        }
    }
}

impl IssuerSet {
    /// The environment whose key `kid` is, and its issuer, while the key verifies.
    pub(super) fn of_key(&self, kid: &str, now: UnixTime) -> Option<(EnvironmentName, &dyn TokenIssuer)> {
        let place = self.keys.get(kid).filter(|place| now < place.until)?;
        Some((place.environment, self.by_environment.get(&place.environment)?.as_ref()))
    }

    /// The issuer that signs for `environment`, and what its tokens' commits must expect: so no token is made with a key
    /// that was retired by then, in whichever process.
    pub(super) fn issuing(
        &self,
        environment: EnvironmentName,
    ) -> Result<(&Arc<dyn TokenIssuer>, Option<&Expectation>), Refusal> {
        let issuer = self.by_environment.get(&environment);
        let issuer = issuer.ok_or(Refusal::Fault(Fault::Internal("an environment without an issuer")))?;
        Ok((issuer, self.active.get(&environment)))
    }

    /// The key that signs for `environment`, where it is in this process.
    pub(super) fn signer(&self, environment: EnvironmentName) -> Option<Arc<SigningPair>> {
        self.signers.get(&environment).cloned()
    }

    pub(super) fn public_keys(&self, environment: EnvironmentName) -> Option<Vec<(SigningKeyId, PublicKey)>> {
        self.by_environment.get(&environment).map(|issuer| issuer.public_keys())
    }

    fn add(
        &mut self,
        environment: EnvironmentName,
        issuer: Arc<dyn TokenIssuer>,
        until: &HashMap<SigningKeyId, UnixTime>,
    ) {
        for (id, _) in issuer.public_keys() {
            let until = until.get(&id).copied().unwrap_or(UnixTime::MAX);
            self.keys.insert(id.as_str().to_owned(), KeyPlace { environment, until });
        }
        self.by_environment.insert(environment, issuer);
    }
}

impl Inner {
    /// Says that a signing key changed. Until it was read, nothing is verified or issued.
    pub(super) fn outdate_issuers(&self) {
        self.issuers.changes.fetch_add(1, Ordering::AcqRel);
    }

    /// Reads the signing keys and puts issuers for them in use.
    pub(super) async fn load_issuers(&self) -> Result<(), StoreError> {
        let serial = self.issuers.next_serial.fetch_add(1, Ordering::AcqRel);
        let changes = self.issuers.changes.load(Ordering::Acquire);
        let keys = self.store.signing_keys().await?;
        self.issuers.install(self.build_issuers(keys)?, serial);
        self.issuers.read_changes.fetch_max(changes, Ordering::AcqRel);
        Ok(())
    }

    fn build_issuers(&self, keys: Vec<(SigningKey, Revision)>) -> Result<IssuerSet, StoreError> {
        let mut by_environment: BTreeMap<EnvironmentName, (Vec<VerifyingKey>, Option<Arc<SigningPair>>)> =
            self.config.environments.keys().map(|name| (*name, Default::default())).collect();
        let mut until = HashMap::new();
        let mut set = IssuerSet::default();
        for (key, revision) in keys {
            let Some((verifying, signer)) = by_environment.get_mut(&key.environment) else { continue };
            if key.state == SigningKeyState::Retired {
                continue;
            }
            let provider = self.config.signature_provider;
            let public = VerifyingKey::new_with(provider, &key.public).map_err(StoreError::corrupt)?;
            if *public.id() != key.id {
                return Err(StoreError::corrupt("a signing key under another key's id"));
            }
            verifying.push(public);
            match key.state {
                SigningKeyState::Retiring { until: end } => _ = until.insert(key.id, end),
                SigningKeyState::Active => {
                    *signer = self.open_signer(&key)?;
                    if !self.issuers.is_foreign(key.environment) {
                        let record = RecordKey::SigningKey(key.environment, key.id);
                        set.active.insert(key.environment, Expectation { key: record, revision: Some(revision) });
                    }
                }
                SigningKeyState::Next | SigningKeyState::Retired => {}
            }
        }
        for (environment, (verifying, signer)) in by_environment {
            let issuer: Arc<dyn TokenIssuer> = match self.issuers.foreign.get(&environment) {
                Some(foreign) => Arc::clone(foreign),
                None => {
                    set.signers.extend(signer.clone().map(|pair| (environment, pair)));
                    Arc::new(JwtIssuer::new(verifying, signer).map_err(StoreError::corrupt)?)
                }
            };
            set.add(environment, issuer, &until);
        }
        Ok(set)
    }

    /// The pair of `key`, where this authority can open it.
    pub(super) fn open_signer(&self, key: &SigningKey) -> Result<Option<Arc<SigningPair>>, StoreError> {
        let Some(secrets) = &self.secrets else { return Ok(None) };
        let private = secrets
            .vault
            .open(SealPurpose::SigningKey, key.id.as_str().as_bytes(), &key.private)
            .map_err(StoreError::corrupt)?;
        let provider = self.config.signature_provider;
        let pair = SigningPair::from_pkcs8_with(provider, &private).map_err(StoreError::corrupt)?;
        if *pair.id() != key.id {
            return Err(StoreError::corrupt("a signing key whose halves do not fit"));
        }
        Ok(Some(Arc::new(pair)))
    }
}
