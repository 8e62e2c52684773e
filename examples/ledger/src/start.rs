//! From arguments to a gate: what a start needs, and what can be wrong with it.

use std::fmt::Display;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use latchbook::authority::{AuthorityBuilder, BuildError, Limits};
use latchbook::http::SandboxAccess;
use latchbook::jose::SigningPair;
use latchbook::key_store::{KeyStore, KeyStoreExt as _, MemoryStore};
use latchbook::model::SecretText;
use latchbook::program::master_key::{self, KeptKey, KeyFileError};
use latchbook::{Authority, EnvironmentName, Gate, MasterKey, StoreUrl};

use crate::api::Api;
use crate::args::{Args, LimitPolicy, Sandbox};
use crate::bootstrap::Bootstrap;
use crate::posted::Posted;
use crate::{openapi, scopes};

/// A start that failed: one line that says what is wrong and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StartError(String);

impl StartError {
    /// The error with this text, on one line.
    pub fn new(text: impl Display) -> Self {
        Self(text.to_string().split_whitespace().collect::<Vec<_>>().join(" "))
    }
}

/// Opens the file for posted transactions beside a store in a file.
type OpenPosted = fn(&Path) -> Result<Posted, StartError>;

/// Checks what can be checked before anything is opened or written.
///
/// # Errors
/// [`StartError`] for plain HTTP off loopback.
pub fn check(args: &Args) -> Result<(), StartError> {
    place(args)?;
    if args.listen.ip().is_loopback() || args.behind_tls_proxy || args.tls_cert.is_some() {
        return Ok(());
    }
    Err(StartError::new(format!(
        "plain HTTP on {} would show keys and tokens to the network; give --tls-cert and --tls-key, or listen on 127.0.0.1, or give --behind-tls-proxy if TLS ends in front",
        args.listen
    )))
}

/// Opens store and authority. What is wrong with the arguments, or with what is there, is found before anything is made.
///
/// # Errors
/// [`StartError`], which says what to do.
pub async fn open(args: &Args) -> Result<Api, StartError> {
    let signing_keys = signing_keys(args)?;
    let bootstrap = match &args.bootstrap {
        Some(path) => Some((path, Bootstrap::read(path, &args.environments)?)),
        None => None,
    };
    let url = place(args)?;
    let open_store = async || url.open(Duration::from_millis(args.store_timeout)).await.map_err(StartError::new);
    let (path, name, open_posted): (_, _, OpenPosted) = match &url {
        StoreUrl::Memory => {
            let key = master_key::from_environment().map_err(StartError::new)?;
            let key = key.map_or_else(master_key::fresh, Ok).map_err(StartError::new)?;
            let authority = authority(args, &signing_keys, key, open_store().await?).await?;
            return finish(args, authority, Posted::in_memory().map_err(StartError::new)?, bootstrap).await;
        }
        StoreUrl::Redb(path) => (path, "ledger.redb", open_posted),
        StoreUrl::Sqlite(path) => (path, "ledger.db", open_posted_shared),
        StoreUrl::Postgres(_) => {
            try_out(args, &signing_keys).await?;
            let folder = Path::new(FOLDER);
            let ledger = folder.join("ledger.db");
            let posted = ledger.exists().then(|| open_posted_shared(&ledger)).transpose()?;
            let store = open_store().await?;
            // Another node may have set the store up, under a master key that this one must be given.
            let held = store.settings().await.map_err(StartError::new)?.map(|_| "in PostgreSQL");
            let key = found(master_key::in_folder(folder, held))?;
            let authority = authority(args, &signing_keys, key, store).await?;
            let posted = posted.map_or_else(|| open_posted_shared(&ledger), Ok)?;
            return finish(args, authority, posted, bootstrap).await;
        }
    };
    // What is there already is looked at before anything is made.
    let held = if path.symlink_metadata().is_ok() {
        Some(open_store().await?)
    } else {
        try_out(args, &signing_keys).await?;
        None
    };
    let ledger = path.with_file_name(name);
    let posted = ledger.exists().then(|| open_posted(&ledger)).transpose()?;
    let key = found(master_key::beside(path))?;
    let store = match held {
        Some(held) => held,
        None => open_store().await?,
    };
    let authority = authority(args, &signing_keys, key, store).await?;
    let posted = posted.map_or_else(|| open_posted(&ledger), Ok)?;
    finish(args, authority, posted, bootstrap).await
}

/// The master key; that it was made is said.
fn found(kept: Result<KeptKey, KeyFileError>) -> Result<MasterKey, StartError> {
    let KeptKey { key, made } = kept.map_err(StartError::new)?;
    if let Some(file) = made {
        let _ = writeln!(
            io::stderr(),
            "made a new master key in {}: keep a copy, the store is worthless without it",
            file.display()
        );
    }
    Ok(key)
}

async fn authority(
    args: &Args,
    signing_keys: &[(EnvironmentName, SecretText)],
    master_key: MasterKey,
    store: Arc<dyn KeyStore>,
) -> Result<Authority, StartError> {
    builder(args, signing_keys).master_key(master_key).shared_store(store).build().await.map_err(refused)
}

async fn finish(
    args: &Args,
    authority: Authority,
    posted: Posted,
    bootstrap: Option<(&PathBuf, Option<Bootstrap>)>,
) -> Result<Api, StartError> {
    if let Some((path, found)) = bootstrap {
        let bootstrap = match found {
            Some(found) => found,
            None => Bootstrap::draw(path, &authority, home(args))?,
        };
        bootstrap.carry_out(path, &authority).await?;
    }
    let access = match args.sandbox_policy() {
        Sandbox::Open => SandboxAccess::Open,
        Sandbox::Bearer => SandboxAccess::Bearer,
        Sandbox::Off => SandboxAccess::Off,
    };
    let gate = Gate::new(authority).trust_proxies(args.trust_proxy.clone()).sandbox(access);
    let document = openapi::document(&gate).map_err(StartError::new)?;
    let gate = gate.openapi(document);
    Ok(Api { gate, posted })
}

fn builder(args: &Args, signing_keys: &[(EnvironmentName, SecretText)]) -> AuthorityBuilder {
    let builder = Authority::builder()
        .issuer(&args.issuer)
        .environments(&args.environments)
        .home(home(args))
        .max_staleness(Duration::from_secs(args.max_staleness))
        .cache_bytes(usize::try_from(u64::from(args.token_cache) << 20).unwrap_or(usize::MAX))
        .limits(if args.limits == LimitPolicy::Off { Limits::OFF } else { Limits::default() })
        .scopes(scopes::ALL);
    signing_keys.iter().fold(builder, |builder, (environment, pem)| builder.signing_key(*environment, pem.clone()))
}

/// Sets an authority up in memory, so that arguments that cannot work are found before a new store is made for them.
async fn try_out(args: &Args, signing_keys: &[(EnvironmentName, SecretText)]) -> Result<(), StartError> {
    let builder = builder(args, signing_keys).master_key(MasterKey::from_bytes([0; 32])).store(MemoryStore::default());
    builder.build().await.map(drop).map_err(refused)
}

fn signing_keys(args: &Args) -> Result<Vec<(EnvironmentName, SecretText)>, StartError> {
    let read = |(environment, file): &(EnvironmentName, PathBuf)| {
        if !args.environments.contains(environment) {
            return Err(StartError::new(format!(
                "--signing-key names the environment `{environment}`, which is not served; add it to --environments"
            )));
        }
        let pem = fs::read_to_string(file).map_err(|error| {
            StartError::new(format!(
                "the signing key `{}` cannot be read: {error}; name a PKCS#8 PEM file",
                file.display()
            ))
        })?;
        let pem = SecretText::new(pem);
        SigningPair::from_pem(&pem).map_err(|error| {
            StartError::new(format!("the signing key `{}` cannot be used: {error}", file.display()))
        })?;
        Ok((*environment, pem))
    };
    args.signing_key.iter().map(read).collect()
}

fn open_posted(path: &Path) -> Result<Posted, StartError> {
    Posted::open(path).map_err(|error| posted_refused(path, error))
}

fn open_posted_shared(path: &Path) -> Result<Posted, StartError> {
    Posted::open_shared(path).map_err(|error| posted_refused(path, error))
}

fn posted_refused(path: &Path, error: impl Display) -> StartError {
    StartError::new(format!(
        "the posted transactions in `{}` cannot be opened: {error}; move the file away or restore it",
        path.display()
    ))
}

fn refused(error: BuildError) -> StartError {
    match error {
        BuildError::WrongMasterKey => StartError::new(format!(
            "{error}; set LATCHBOOK_MASTER_KEY_FILE or LATCHBOOK_MASTER_KEY to that one, or put it back as `master.key` beside the store"
        )),
        BuildError::NewEnvironment(name) => StartError::new(format!(
            "the store does not hold the environment `{name}`; leave it out of --environments, or use a new store"
        )),
        error => StartError::new(error),
    }
}

fn home(args: &Args) -> EnvironmentName {
    let live = args.environments.contains(&EnvironmentName::LIVE);
    let first = args.environments.first().copied();
    if live { EnvironmentName::LIVE } else { first.unwrap_or(EnvironmentName::LIVE) }
}

fn place(args: &Args) -> Result<StoreUrl, StartError> {
    // The URL may hold a password: it is not shown.
    StoreUrl::parse(&args.store).map_err(|_| {
        StartError::new(
            "--store takes redb:PATH, sqlite:PATH, postgres://USER@HOST/DATABASE or memory: in this version",
        )
    })
}

/// What a process keeps for itself where the store is on a server: posted transactions, and the master key where the
/// environment names none.
const FOLDER: &str = "ledger-data";
