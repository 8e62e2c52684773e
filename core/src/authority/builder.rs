//! What a host says of its authority, and the errors of opening one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::checkpoints::{CheckpointSink, LogSink};
use super::limits::Limits;
use super::{Fault, ImportError, Refusal};
use crate::check::{Brand, TokenPolicy};
use crate::clock::{Clock, SystemClock};
use crate::entity_scope::EntityScope;
use crate::jose::SignatureProvider;
use crate::key_store::{KeyStore, StoreError};
use crate::model::{Algorithm, DeclaredScope, EnvironmentName, Lifetime, ScopeError, SecretText};
use crate::random::{SecureRandom, SystemRandom};
use crate::sandbox::{FixtureSandbox, Sandbox};
use crate::seal::MasterKey;
use crate::token_issuer::TokenIssuer;

/// Builds an [`Authority`](super::Authority). A store and an issuer are needed, and a master key to issue or change anything.
#[derive(Debug)]
pub struct AuthorityBuilder {
    pub(super) store: Option<Arc<dyn KeyStore>>,
    pub(super) issuer: String,
    pub(super) master_key: Option<MasterKey>,
    pub(super) scopes: Vec<DeclaredScope>,
    pub(super) environments: Vec<EnvironmentName>,
    pub(super) home: EnvironmentName,
    pub(super) add_environments: bool,
    pub(super) brand: Brand,
    pub(super) policy: TokenPolicy,
    pub(super) max_staleness: Duration,
    pub(super) cache_bytes: usize,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Arc<dyn SecureRandom>,
    pub(super) entity_scope: Option<Arc<dyn EntityScope>>,
    pub(super) sandbox: Arc<dyn Sandbox>,
    pub(super) signing_keys: Vec<(EnvironmentName, SecretText)>,
    pub(super) token_issuers: BTreeMap<EnvironmentName, Arc<dyn TokenIssuer>>,
    pub(super) algorithms: BTreeMap<EnvironmentName, Algorithm>,
    pub(super) signature_provider: SignatureProvider,
    pub(super) audiences: BTreeMap<EnvironmentName, String>,
    pub(super) limits: Limits,
    pub(super) signing_key_lifetime: Option<Lifetime>,
    pub(super) checkpoint_interval: Option<Duration>,
    pub(super) checkpoint_sink: Arc<dyn CheckpointSink>,
}

impl AuthorityBuilder {
    pub(super) fn new() -> Self {
        Self {
            store: None,
            issuer: String::new(),
            master_key: None,
            scopes: Vec::new(),
            environments: vec![EnvironmentName::LIVE, EnvironmentName::SANDBOX],
            home: EnvironmentName::LIVE,
            add_environments: false,
            brand: Brand::default(),
            policy: TokenPolicy::default(),
            max_staleness: Duration::from_secs(5),
            cache_bytes: 32 << 20,
            clock: Arc::new(SystemClock::new()),
            random: Arc::new(SystemRandom::new()),
            entity_scope: None,
            sandbox: Arc::new(FixtureSandbox),
            signing_keys: Vec::new(),
            token_issuers: BTreeMap::new(),
            algorithms: BTreeMap::new(),
            signature_provider: SignatureProvider::default(),
            audiences: BTreeMap::new(),
            limits: Limits::default(),
            signing_key_lifetime: Some(Lifetime::seconds(90 * 86_400)),
            checkpoint_interval: Some(Duration::from_secs(3_600)),
            checkpoint_sink: Arc::new(LogSink),
        }
    }

    /// Where everything is kept.
    #[must_use]
    pub fn store(self, store: impl KeyStore) -> Self {
        self.shared_store(Arc::new(store))
    }

    /// Where everything is kept, behind a pointer that the host has already.
    #[must_use]
    pub fn shared_store(mut self, store: Arc<dyn KeyStore>) -> Self {
        self.store = Some(store);
        self
    }

    /// The host's issuer URL, such as `https://api.example.com`; tokens carry `<issuer>/<environment>` as `iss`.
    #[must_use]
    pub fn issuer(mut self, url: impl Into<String>) -> Self {
        self.issuer = url.into();
        self
    }

    /// The master key, which seals signing keys and peppers. Without one the authority verifies and does nothing else.
    #[must_use]
    pub fn master_key(mut self, key: MasterKey) -> Self {
        self.master_key = Some(key);
        self
    }

    /// The host's scopes, as [`scopes!`](crate::scopes) lists them in `ALL`.
    #[must_use]
    pub fn scopes(mut self, declared: &[DeclaredScope]) -> Self {
        self.scopes.extend_from_slice(declared);
        self
    }

    /// The environments to mount; `live` and `sandbox` by default.
    #[must_use]
    pub fn environments(mut self, environments: &[EnvironmentName]) -> Self {
        self.environments = environments.to_vec();
        self
    }

    /// The environment that routes serve unless they say otherwise; `live` by default.
    #[must_use]
    pub fn home(mut self, environment: EnvironmentName) -> Self {
        self.home = environment;
        self
    }

    /// Whether environments that the store does not hold yet are added to it; refused otherwise.
    #[must_use]
    pub fn add_environments(mut self, add: bool) -> Self {
        self.add_environments = add;
        self
    }

    /// The first part of every API key; `lb` by default.
    #[must_use]
    pub fn brand(mut self, brand: Brand) -> Self {
        self.brand = brand;
        self
    }

    /// Lifetimes and leeway of tokens.
    #[must_use]
    pub fn policy(mut self, policy: TokenPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// How old revocation knowledge may be on a shared store; 5 s by default.
    #[must_use]
    pub fn max_staleness(mut self, bound: Duration) -> Self {
        self.max_staleness = bound;
        self
    }

    /// How much memory verified tokens may take; 32 MiB by default.
    #[must_use]
    pub fn cache_bytes(mut self, bytes: usize) -> Self {
        self.cache_bytes = bytes;
        self
    }

    /// The clocks; the system's by default.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The source of randomness; the system's by default.
    #[must_use]
    pub fn random(mut self, random: Arc<dyn SecureRandom>) -> Self {
        self.random = random;
        self
    }

    /// Which entities a developer reaches; those in the store by default.
    #[must_use]
    pub fn entity_scope(mut self, scope: Arc<dyn EntityScope>) -> Self {
        self.entity_scope = Some(scope);
        self
    }

    /// What furnishes sandboxes; [`FixtureSandbox`] by default.
    #[must_use]
    pub fn sandbox(mut self, sandbox: Arc<dyn Sandbox>) -> Self {
        self.sandbox = sandbox;
        self
    }

    /// A private key to sign with in `environment`, as PKCS#8 PEM, in place of a generated one.
    #[must_use]
    pub fn signing_key(mut self, environment: EnvironmentName, pem: SecretText) -> Self {
        self.signing_keys.push((environment, pem));
        self
    }

    /// An issuer of the host's own for `environment`, such as one over a KMS; the store's signing keys are not used there.
    #[must_use]
    pub fn token_issuer(mut self, environment: EnvironmentName, issuer: Arc<dyn TokenIssuer>) -> Self {
        self.token_issuers.insert(environment, issuer);
        self
    }

    /// The algorithm of the key that is generated for `environment`; Ed25519 by default.
    #[must_use]
    pub fn algorithm(mut self, environment: EnvironmentName, algorithm: Algorithm) -> Self {
        self.algorithms.insert(environment, algorithm);
        self
    }

    /// The library that signs and verifies tokens and checkpoints; [`SignatureProvider::Ring`] by default. The keys in the
    /// store are the same for each: it may change from one start to the next, and differ between processes of one store.
    ///
    /// With `SignatureProvider::AwsLc` (feature `aws-lc`) RSA keys can be generated, so an environment whose
    /// [`algorithm`](Self::algorithm) is RS256 needs no import, and its key is turned over by
    /// [`upkeep`](super::Authority::upkeep). A key of 3,072 bits takes about half a second to compute, on the thread that
    /// runs the future which needs it.
    #[must_use]
    pub fn signature_provider(mut self, provider: SignatureProvider) -> Self {
        self.signature_provider = provider;
        self
    }

    /// The audience (`aud`) of tokens of `environment`; the same as `iss` by default.
    #[must_use]
    pub fn audience(mut self, environment: EnvironmentName, audience: impl Into<String>) -> Self {
        self.audiences.insert(environment, audience.into());
        self
    }

    /// How often things may be tried; [`Limits::default`] unless said.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How long a generated signing key signs, over two days; 90 days by default. A day before its end
    /// [`upkeep`](super::Authority::upkeep) publishes a successor of the same algorithm, which signs when the day is
    /// over; the older key goes on verifying until its last token is over. With `None` that happens on
    /// [`rotate`](super::SigningKeys::rotate) alone.
    ///
    /// An imported key is left alone, since none like it may be generated: when it is as old as this, the log says so.
    /// Keys of a [`token_issuer`](Self::token_issuer) are the host's business.
    #[must_use]
    pub fn signing_key_lifetime(mut self, lifetime: impl Into<Option<Lifetime>>) -> Self {
        self.signing_key_lifetime = lifetime.into();
        self
    }

    /// How long after an audit event a signed checkpoint of its chain is written; an hour by default, and at
    /// [`shutdown`](super::Authority::shutdown) in any case. With `None` none is written.
    ///
    /// Each process writes those of the chains that it has written to. After a crash, events without a checkpoint get one
    /// after the next event of their chain. Where a [`token_issuer`](Self::token_issuer) of the host's own signs, there
    /// is no key to sign checkpoints with, and none is written.
    #[must_use]
    pub fn checkpoint_interval(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.checkpoint_interval = interval.into();
        self
    }

    /// What keeps checkpoints outside of the store, so that a tail cut off an audit chain is found; by default a line in
    /// the log, with the target `latchbook::checkpoint`.
    #[must_use]
    pub fn checkpoint_sink(mut self, sink: Arc<dyn CheckpointSink>) -> Self {
        self.checkpoint_sink = sink;
        self
    }
}

/// An authority could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// No store was given.
    #[error("no store was given; call `.store(..)`")]
    NoStore,
    /// The issuer is no URL that can be one.
    #[error("the issuer `{0}` is no https URL (or http on loopback) without slash, query or fragment at its end")]
    Issuer(String),
    /// The home environment is not mounted.
    #[error("the home environment `{0}` is not among the environments")]
    Home(EnvironmentName),
    /// A policy that cannot work.
    #[error("the policy's default lifetime is not between 1 s and its longest, or the longest is over a day")]
    Policy,
    /// A signing key's lifetime that leaves no time to publish its successor.
    #[error("a signing key's lifetime must be over two days, or `None`")]
    SigningKeyLifetime,
    /// A scope that cannot be declared.
    #[error("a declared scope cannot be used: {0}")]
    Scope(#[source] ScopeError),
    /// A new store needs a master key.
    #[error("the store is new, and setting it up needs a master key; call `.master_key(..)`")]
    NoMasterKey,
    /// The master key is not the one that the store was set up with.
    #[error("this is not the master key that the store was set up with")]
    WrongMasterKey,
    /// The store has no settings, and holds something all the same: it is a copy that was not finished.
    #[error("the store is a copy that was not finished: go on with it, or empty it and copy again")]
    Unfinished,
    /// The store was set up for another issuer.
    #[error("the store was set up for the issuer `{held}`, not for `{asked}`; use that issuer or another store")]
    OtherIssuer {
        /// The store's.
        held: String,
        /// The host's.
        asked: String,
    },
    /// The store does not hold an environment.
    #[error("the store does not hold the environment `{0}`; call `.add_environments(true)` to add it")]
    NewEnvironment(EnvironmentName),
    /// An RSA key cannot be generated by the signature provider.
    #[error(
        "ring generates no RSA key for `{0}`: import one with `.signing_key(..)`, or generate it with \
         `.signature_provider(SignatureProvider::AwsLc)` (feature `aws-lc`)"
    )]
    NoRsa(EnvironmentName),
    /// A private key could not be imported.
    #[error("the signing key for `{environment}` cannot be used: {error}")]
    SigningKey {
        /// Its environment.
        environment: EnvironmentName,
        /// What is wrong with it.
        #[source]
        error: ImportError,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something else failed.
    #[error(transparent)]
    Fault(Fault),
    /// Setting up was refused.
    #[error(transparent)]
    Refused(Refusal),
}

impl From<Refusal> for BuildError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Fault(Fault::Store(error)) => Self::Store(error),
            Refusal::Fault(fault) => Self::Fault(fault),
            Refusal::Rejected(_) => Self::Refused(refusal),
        }
    }
}
