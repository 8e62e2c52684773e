//! Opens a store: sets a new one up, and refuses one that is another's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::builder::{AuthorityBuilder, BuildError};
use super::change::{Event, Tries};
use super::checkpoints::Checkpoints;
use super::feed::Feed;
use super::issuers::Issuers;
use super::limits::LimitTables;
use super::now::Time;
use super::reach::ReachCache;
use super::secrets::{OpenError, Secrets};
use super::signing_key_records::NewSigningKey;
use super::token_cache::TokenCache;
use super::turnover::PUBLISHED_AHEAD;
use super::unanswered::Unanswered;
use super::usage::{RefusedExchanges, Usage};
use super::{Authority, Config, EnvironmentConfig, Fault, Inner, Refusal};
use crate::clock::Timer;
use crate::entity_scope::StoredEntities;
use crate::key_store::{KeyStore, KeyStoreExt as _, StoreError};
use crate::model::{
    AuditAction, AuditActor, BUILT_IN, ChainId, EnvironmentName, Expectation, Pepper, PepperPurpose, Record, RecordKey,
    Revision, Row, ScopeRegistry, Settings, SigningKeyState, Source, UnixTime,
};
use crate::random::{self, SecureRandom};
use crate::seal::{SealPurpose, Vault};

/// The longest life that any policy may give a token, in seconds: a day.
const LONGEST_LIFETIME: u64 = 86_400;

/// How often a store that changes meanwhile is opened again.
const TRIES: u8 = 16;

impl AuthorityBuilder {
    /// Opens the store, sets it up where it is new, and reads what decisions need.
    ///
    /// # Errors
    /// [`BuildError`], which says what is wrong and what to do. Nothing is changed then.
    pub async fn build(self) -> Result<Authority, BuildError> {
        let mut tries = 0;
        loop {
            // Another process may set the same store up at the same time; then it is one that is set up.
            match open(&self).await {
                Err(BuildError::Store(StoreError::Conflict)) if tries < TRIES => tries += 1,
                opened => return opened,
            }
        }
    }
}

async fn open(builder: &AuthorityBuilder) -> Result<Authority, BuildError> {
    let store = builder.store.clone().ok_or(BuildError::NoStore)?;
    let config = config(builder)?;
    let time = Time::new(Arc::clone(&builder.clock));
    let held = store.settings().await?;
    if held.is_none() {
        check_new(&*store).await?;
    }
    let vault = builder.master_key.as_ref().map(Vault::new);
    check_held(builder, &config, held.as_ref().map(|(settings, _)| settings), vault.as_ref())?;
    let first_peppers = match (&held, &vault) {
        (None, Some(vault)) => Some(fresh_peppers(vault, &*builder.random, time.now())?),
        _ => None,
    };
    if vault.is_some() {
        config.signature_provider.get_ready().map_err(|_| BuildError::Fault(Fault::Random(random::RandomError)))?;
    }
    let secrets = match (vault, &first_peppers) {
        (None, _) => None,
        (Some(vault), Some(fresh)) => Some(open_secrets(vault, fresh)?),
        (Some(vault), None) => Some(open_secrets(vault, &store.peppers().await?)?),
    };
    let entity_scope =
        builder.entity_scope.clone().unwrap_or_else(|| Arc::new(StoredEntities::new(Arc::clone(&store))));
    let inner = Inner {
        store,
        clock: Arc::clone(&builder.clock),
        timer: Timer::new(),
        random: Arc::clone(&builder.random),
        entity_scope,
        sandbox: Arc::clone(&builder.sandbox),
        secrets,
        time,
        feed: Feed::default(),
        issuers: Issuers::new(builder.token_issuers.clone()),
        cache: TokenCache::new(builder.cache_bytes),
        reach: ReachCache::new(),
        limits: LimitTables::new(&builder.limits),
        usage: Usage::default(),
        refused: RefusedExchanges::default(),
        unanswered: Unanswered::default(),
        checkpoints: Checkpoints::new(Arc::clone(&builder.checkpoint_sink), builder.checkpoint_interval),
        config,
    };
    inner.read_feed().await?;
    inner.set_up(held, first_peppers, &builder.signing_keys).await?;
    let authority = Authority { inner: Arc::new(inner) };
    for (environment, pem) in &builder.signing_keys {
        let imported = authority.signing_keys().import(*environment, pem).await;
        imported.map_err(|error| BuildError::SigningKey { environment: *environment, error })?;
    }
    authority.inner.load_issuers().await?;
    Ok(authority)
}

impl Inner {
    /// Sets a new store up, or adds environments to one, in one commit.
    async fn set_up(
        &self,
        held: Option<(Settings, Revision)>,
        peppers: Option<Vec<Pepper>>,
        imported: &[(EnvironmentName, crate::model::SecretText)],
    ) -> Result<(), BuildError> {
        let asked: BTreeSet<_> = self.config.environments.keys().copied().collect();
        let known: BTreeSet<_> = held.iter().flat_map(|(settings, _)| settings.environments.clone()).collect();
        let new: Vec<_> = asked.difference(&known).copied().collect();
        if held.is_some() && new.is_empty() {
            return Ok(());
        }
        let mut set = self.new_set()?;
        let environments = known.union(&asked).copied().collect();
        let settings = match held {
            Some((settings, revision)) => {
                set.expect.push(Expectation { key: RecordKey::Settings, revision: Some(revision) });
                Settings { environments, ..settings }
            }
            None => Settings {
                issuer: self.config.issuer.clone(),
                environments,
                master_check: self.secrets()?.vault.check_value(),
                created_at: set.at,
            },
        };
        let action = AuditAction::StoreCreated;
        for environment in &new {
            let chain = ChainId::System(*environment);
            let (actor, source) = (AuditActor::Host, Source::UNKNOWN);
            let subject = environment.as_str();
            self.audit(&mut set, Event { chain, actor, source, action, subject, details: &[] })?;
            if imported.iter().any(|(name, _)| name == environment) || self.issuers.is_foreign(*environment) {
                continue;
            }
            let algorithm = self.environment(*environment).map(|config| config.algorithm).unwrap_or_default();
            if !self.config.signature_provider.generates(algorithm) {
                return Err(BuildError::NoRsa(*environment));
            }
            let key = NewSigningKey::generate(self.config.signature_provider, algorithm)?;
            self.add_signing_key(&mut set, *environment, &key, SigningKeyState::Active, AuditActor::Host)?;
        }
        match peppers {
            Some(peppers) => {
                set.insert.push(Record::Settings(settings));
                set.insert.extend(peppers.into_iter().map(Record::Pepper));
            }
            None => set.update.push(Record::Settings(settings)),
        }
        match self.commit(set, &mut Tries::default()).await? {
            true => Ok(()),
            false => Err(BuildError::Store(StoreError::Conflict)),
        }
    }
}

fn config(builder: &AuthorityBuilder) -> Result<Config, BuildError> {
    if !usable_issuer(&builder.issuer) {
        return Err(BuildError::Issuer(builder.issuer.clone()));
    }
    if !builder.environments.contains(&builder.home) {
        return Err(BuildError::Home(builder.home));
    }
    let longest = builder.policy.longest_lifetime.as_seconds();
    let default = builder.policy.default_lifetime.as_seconds();
    if !(1..=longest).contains(&default) || longest > LONGEST_LIFETIME {
        return Err(BuildError::Policy);
    }
    if builder.signing_key_lifetime.is_some_and(|lifetime| lifetime.as_seconds() <= 2 * PUBLISHED_AHEAD) {
        return Err(BuildError::SigningKeyLifetime);
    }
    let registry = ScopeRegistry::new(BUILT_IN.iter().chain(&builder.scopes)).map_err(BuildError::Scope)?;
    let environments: BTreeMap<_, _> = builder
        .environments
        .iter()
        .map(|name| {
            let issuer = format!("{}/{name}", builder.issuer);
            let audience = builder.audiences.get(name).cloned().unwrap_or_else(|| issuer.clone());
            let algorithm = builder.algorithms.get(name).copied().unwrap_or_default();
            (*name, EnvironmentConfig { issuer, audience, algorithm })
        })
        .collect();
    Ok(Config {
        issuer: builder.issuer.clone(),
        environments,
        home: builder.home,
        brand: builder.brand.clone(),
        policy: builder.policy.clone(),
        registry,
        max_staleness: builder.max_staleness,
        signing_key_lifetime: builder.signing_key_lifetime,
        signature_provider: builder.signature_provider,
    })
}

/// Whether the store, if it is set up, is this host's.
fn check_held(
    builder: &AuthorityBuilder,
    config: &Config,
    held: Option<&Settings>,
    vault: Option<&Vault>,
) -> Result<(), BuildError> {
    let Some(held) = held else {
        return if vault.is_some() { Ok(()) } else { Err(BuildError::NoMasterKey) };
    };
    if held.issuer != config.issuer {
        return Err(BuildError::OtherIssuer { held: held.issuer.clone(), asked: config.issuer.clone() });
    }
    if vault.is_some_and(|vault| vault.check_value() != held.master_check) {
        return Err(BuildError::WrongMasterKey);
    }
    match config.environments.keys().find(|name| !held.environments.contains(name)) {
        Some(new) if !builder.add_environments => Err(BuildError::NewEnvironment(*new)),
        _ => Ok(()),
    }
}

/// Whether a store without settings is a new one. A copy writes them last.
async fn check_new(store: &dyn KeyStore) -> Result<(), BuildError> {
    // The counters may be there, and are one row.
    let first = store.scan(None, 2).await?;
    if first.rows.iter().all(|row| matches!(row, Row::Meta(_))) {
        return Ok(());
    }
    // Another process may have set it up meanwhile; then it is opened again.
    match store.settings().await? {
        Some(_) => Err(BuildError::Store(StoreError::Conflict)),
        None => Err(BuildError::Unfinished),
    }
}

fn open_secrets(vault: Vault, peppers: &[Pepper]) -> Result<Secrets, BuildError> {
    Secrets::open(vault, peppers).map_err(|error| match error {
        OpenError::Seal(_) | OpenError::Missing => BuildError::Store(StoreError::corrupt(error)),
    })
}

fn fresh_peppers(vault: &Vault, random: &dyn SecureRandom, created_at: UnixTime) -> Result<Vec<Pepper>, BuildError> {
    let fresh = |purpose| {
        let id = random::pepper_id(random).map_err(Fault::from)?;
        let secret = random::secret_key(random).map_err(Fault::from)?;
        let nonce = random::bytes(random).map_err(Fault::from)?;
        let sealed = vault.seal(SealPurpose::Pepper, id.as_bytes(), nonce, &secret);
        let sealed = sealed.map_err(|_| Fault::Internal("sealing failed"))?;
        Ok(Pepper { id, purpose, sealed, created_at })
    };
    let both = [PepperPurpose::KeyDigest, PepperPurpose::AuditLink].map(fresh);
    both.into_iter().collect::<Result<_, Fault>>().map_err(|fault| BuildError::from(Refusal::Fault(fault)))
}

/// `https` anywhere, `http` on loopback alone; nothing after host, port and path.
fn usable_issuer(url: &str) -> bool {
    let loopback = |rest: &str| {
        let host = rest.split(['/', ':']).next().unwrap_or_default();
        host == "localhost" || host == "127.0.0.1" || rest.starts_with("[::1]")
    };
    let rest = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => rest,
        (None, Some(rest)) if loopback(rest) => rest,
        _ => return false,
    };
    let allowed = |b: u8| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\' | b'<' | b'>' | b'?' | b'#' | b'@');
    !rest.is_empty() && rest.len() <= 200 && rest.bytes().all(allowed) && !rest.ends_with('/')
}
