//! The authority: gathers what a decision needs, asks the pure checks, carries out the verdict in one commit.

mod asking;
mod audit;
mod authenticate;
mod builder;
mod change;
mod checkpoints;
mod client;
mod developers;
mod entities;
mod exchange;
mod feed;
mod find;
mod in_force;
mod introspect;
mod issuers;
mod keys;
mod lanes;
mod limits;
mod now;
mod open;
mod principal;
mod reach;
mod refusal;
mod restored;
mod revocation;
mod sandboxes;
#[cfg(all(test, shuttle))]
mod schedules;
mod secrets;
mod signing_key_records;
mod signing_keys;
mod token_cache;
mod token_exchange;
mod turnover;
mod unanswered;
mod upkeep;
mod usage;
mod usage_reading;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use audit::{Audit, ChainsReport};
pub use authenticate::Presented;
pub use builder::{AuthorityBuilder, BuildError};
pub use change::Actor;
pub use checkpoints::CheckpointSink;
pub use client::{Client, PresentedClient};
pub use developers::Developers;
pub use entities::{Entities, NewEntity};
pub use exchange::{Exchange, Issued};
pub use find::{FoundKey, FoundText};
pub use keys::{CreatedKey, KeyView, Keys};
pub use limits::Limits;
pub use principal::{EntityContext, Principal};
pub use refusal::{Fault, Refusal};
pub use restored::{MayHaveEnded, Restored};
pub use revocation::Revocation;
pub use sandboxes::{OpenedSandbox, SandboxActor, SandboxOrder, Sandboxes};
pub use signing_keys::{ImportError, SigningKeys};
pub use token_exchange::TokenExchange;
pub use usage::Statistics;
pub use usage_reading::UsageReading;

pub use crate::check::{AuditReport, KeptCheckpoint};

use crate::check::{Brand, TokenPolicy};
use crate::clock::{Clock, Timer};
use crate::entity_scope::EntityScope;
use crate::jose::SignatureProvider;
use crate::key_store::KeyStore;
use crate::model::{Algorithm, EnvironmentName, Lifetime, PublicKey, ScopeRegistry, SigningKeyId, UnixTime};
use crate::random::SecureRandom;
use crate::sandbox::Sandbox;

/// Everything latchbook decides, over one store. Cheap to clone: clones share one state.
///
/// One process builds one authority for a store, and spawns its [`upkeep`](Self::upkeep).
#[derive(Clone)]
pub struct Authority {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<dyn KeyStore>,
    clock: Arc<dyn Clock>,
    /// Waits in true time, whatever the host's clock says.
    timer: Timer,
    random: Arc<dyn SecureRandom>,
    entity_scope: Arc<dyn EntityScope>,
    sandbox: Arc<dyn Sandbox>,
    config: Config,
    /// `None` in an authority that was built without a master key: it verifies, and never issues or changes anything.
    secrets: Option<secrets::Secrets>,
    time: now::Time,
    feed: feed::Feed,
    issuers: issuers::Issuers,
    cache: token_cache::TokenCache,
    reach: reach::ReachCache,
    limits: limits::LimitTables,
    usage: usage::Usage,
    refused: usage::RefusedExchanges,
    unanswered: unanswered::Unanswered,
    checkpoints: checkpoints::Checkpoints,
}

/// What the host decided.
struct Config {
    issuer: String,
    environments: BTreeMap<EnvironmentName, EnvironmentConfig>,
    home: EnvironmentName,
    brand: Brand,
    policy: TokenPolicy,
    registry: ScopeRegistry,
    max_staleness: Duration,
    signing_key_lifetime: Option<Lifetime>,
    signature_provider: SignatureProvider,
}

impl Config {
    /// The issuer (`iss`) of an environment, mounted or not.
    fn issuer_of(&self, environment: EnvironmentName) -> String {
        format!("{}/{environment}", self.issuer)
    }
}

/// What the host decided for one environment.
struct EnvironmentConfig {
    issuer: String,
    audience: String,
    algorithm: Algorithm,
}

/// How well the authority is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    /// How long ago the change feed was read; zero on a store that one authority alone writes.
    pub feed_age: Duration,
    /// Revocations in memory.
    pub revocations: usize,
    /// Verified tokens in memory.
    pub cached_tokens: usize,
}

impl Authority {
    /// A builder.
    #[must_use]
    pub fn builder() -> AuthorityBuilder {
        AuthorityBuilder::new()
    }

    /// The environment that routes serve unless they say otherwise.
    #[must_use]
    pub fn home(&self) -> EnvironmentName {
        self.inner.config.home
    }

    /// The mounted environments, in order.
    #[must_use]
    pub fn environments(&self) -> Vec<EnvironmentName> {
        self.inner.config.environments.keys().copied().collect()
    }

    /// The host's issuer URL, without an environment.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.inner.config.issuer
    }

    /// The issuer (`iss`) of `environment`: the host's issuer URL, a slash, the environment. `None` where it is not mounted.
    #[must_use]
    pub fn issuer_of(&self, environment: EnvironmentName) -> Option<&str> {
        self.inner.environment(environment).map(|config| config.issuer.as_str())
    }

    /// The scopes that exist.
    #[must_use]
    pub fn scopes(&self) -> &ScopeRegistry {
        &self.inner.config.registry
    }

    /// The policy that tokens are made and checked by.
    #[must_use]
    pub fn policy(&self) -> &TokenPolicy {
        &self.inner.config.policy
    }

    /// The instant that decisions are made at: the wall clock's, but never before the start plus the time that has passed
    /// since, nor before what was pruned.
    #[must_use]
    pub fn now(&self) -> UnixTime {
        self.inner.now()
    }

    /// The keys that verify tokens of `environment`, to be published; `None` where it is not mounted.
    #[must_use]
    pub fn public_keys(&self, environment: EnvironmentName) -> Option<Vec<(SigningKeyId, PublicKey)>> {
        self.inner.issuers.current().public_keys(environment)
    }

    /// Developers: create, suspend, resume.
    #[must_use]
    pub fn developers(&self) -> Developers<'_> {
        Developers { inner: &self.inner }
    }

    /// API keys: create, import, list, revoke.
    #[must_use]
    pub fn keys(&self) -> Keys<'_> {
        Keys { inner: &self.inner }
    }

    /// Entities: create, list, remove.
    #[must_use]
    pub fn entities(&self) -> Entities<'_> {
        Entities { inner: &self.inner }
    }

    /// Sandboxes: open.
    #[must_use]
    pub fn sandboxes(&self) -> Sandboxes<'_> {
        Sandboxes { inner: &self.inner }
    }

    /// Signing keys: list, import, rotate, retire.
    #[must_use]
    pub fn signing_keys(&self) -> SigningKeys<'_> {
        SigningKeys { inner: &self.inner }
    }

    /// Revocation of single tokens.
    #[must_use]
    pub fn revocation(&self) -> Revocation<'_> {
        Revocation { inner: &self.inner }
    }

    /// Audit chains: read, verify.
    #[must_use]
    pub fn audit(&self) -> Audit<'_> {
        Audit { inner: &self.inner }
    }

    /// How often keys were used: read.
    #[must_use]
    pub fn usage(&self) -> UsageReading<'_> {
        UsageReading { inner: &self.inner }
    }

    /// Asks the store for an answer, and reads the change feed where it is older than `max_staleness`.
    ///
    /// # Errors
    /// [`Refusal::Fault`] if the store does not answer or the feed cannot be read.
    pub async fn health(&self) -> Result<Health, Refusal> {
        self.inner.store.get(&[crate::model::RecordKey::Settings]).await?;
        self.inner.fresh().await?;
        let feed_age =
            if self.inner.follows_feed() { self.inner.feed.age(self.inner.time.read()) } else { Duration::ZERO };
        Ok(Health {
            feed_age,
            revocations: self.inner.feed.revocations.latest().len(),
            cached_tokens: self.inner.cache.len(),
        })
    }

    /// What was counted since the authority was built.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let Inner { usage, cache, feed, .. } = &*self.inner;
        usage.statistics(cache.recognised(), cache.len(), feed.revocations.latest().len())
    }
}

impl Inner {
    fn now(&self) -> UnixTime {
        self.time.now()
    }

    fn environment(&self, environment: EnvironmentName) -> Option<&EnvironmentConfig> {
        self.config.environments.get(&environment)
    }

    fn secrets(&self) -> Result<&secrets::Secrets, Refusal> {
        self.secrets.as_ref().ok_or(Refusal::Fault(Fault::NoMasterKey))
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority")
            .field("issuer", &self.inner.config.issuer)
            .field("environments", &self.environments())
            .field("store", &self.inner.store)
            .finish_non_exhaustive()
    }
}
