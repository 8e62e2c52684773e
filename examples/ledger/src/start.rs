//! From arguments to a gate: what a start needs, and what can be wrong with it.

use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use latchbook::authority::{AuthorityBuilder, BuildError, Limits};
use latchbook::http::SandboxAccess;
use latchbook::jose::SigningPair;
use latchbook::key_store::{KeyStore, KeyStoreExt as _, MemoryStore, StoreError};
use latchbook::model::SecretText;
use latchbook::{Authority, EnvironmentName, Gate, MasterKey, PostgresStore, RedbStore, SqliteStore};

use crate::api::Api;
use crate::args::{Args, LimitPolicy, Sandbox};
use crate::bootstrap::Bootstrap;
use crate::master_key;
use crate::posted::Posted;
use crate::scopes;

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

/// Where everything is kept.
enum Place {
    Memory,
    /// For one process.
    Redb(PathBuf),
    /// For several processes of one machine.
    Sqlite(PathBuf),
    /// For several processes and machines.
    Postgres(String),
}

/// Opens a store in a file.
type OpenStore = fn(&Path, Duration) -> Result<Arc<dyn KeyStore>, StoreError>;
/// Opens the file for posted transactions beside it.
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
    let timeout = Duration::from_millis(args.store_timeout);
    let (path, open, name, open_posted): (_, OpenStore, _, OpenPosted) = match place(args)? {
        Place::Memory => {
            let store = Arc::new(MemoryStore::default());
            let authority = authority(args, &signing_keys, master_key::for_memory()?, store).await?;
            return finish(args, authority, Posted::in_memory().map_err(StartError::new)?, bootstrap).await;
        }
        Place::Redb(path) => (path, open_redb, "ledger.redb", open_posted),
        Place::Sqlite(path) => (path, open_sqlite, "ledger.db", open_posted_shared),
        Place::Postgres(url) => {
            try_out(args, &signing_keys).await?;
            let folder = Path::new(FOLDER);
            let ledger = folder.join("ledger.db");
            let posted = ledger.exists().then(|| open_posted_shared(&ledger)).transpose()?;
            let store = open_postgres(args, &url).await?;
            // Another node may have set the store up, under a master key that this one must be given.
            let held = store.settings().await.map_err(StartError::new)?.map(|_| "in PostgreSQL");
            let key = master_key::in_folder(folder, held)?;
            let authority = authority(args, &signing_keys, key, Arc::new(store)).await?;
            let posted = posted.map_or_else(|| open_posted_shared(&ledger), Ok)?;
            return finish(args, authority, posted, bootstrap).await;
        }
    };
    // What is there already is looked at before anything is made.
    let held = if path.symlink_metadata().is_ok() {
        Some(open(&path, timeout).map_err(StartError::new)?)
    } else {
        try_out(args, &signing_keys).await?;
        None
    };
    let ledger = path.with_file_name(name);
    let posted = ledger.exists().then(|| open_posted(&ledger)).transpose()?;
    let key = master_key::beside(&path)?;
    let store = held.map_or_else(|| open(&path, timeout), Ok).map_err(StartError::new)?;
    let authority = authority(args, &signing_keys, key, store).await?;
    let posted = posted.map_or_else(|| open_posted(&ledger), Ok)?;
    finish(args, authority, posted, bootstrap).await
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
    Ok(Api { gate, posted })
}

fn builder(args: &Args, signing_keys: &[(EnvironmentName, SecretText)]) -> AuthorityBuilder {
    let builder = Authority::builder()
        .issuer(&args.issuer)
        .environments(&args.environments)
        .home(home(args))
        .max_staleness(Duration::from_secs(args.max_staleness))
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

fn open_redb(path: &Path, timeout: Duration) -> Result<Arc<dyn KeyStore>, StoreError> {
    Ok(Arc::new(RedbStore::builder(path).timeout(timeout).open()?))
}

fn open_sqlite(path: &Path, timeout: Duration) -> Result<Arc<dyn KeyStore>, StoreError> {
    Ok(Arc::new(SqliteStore::builder(path).timeout(timeout).open()?))
}

async fn open_postgres(args: &Args, url: &str) -> Result<PostgresStore, StartError> {
    let mut builder = PostgresStore::builder(url).timeout(Duration::from_millis(args.store_timeout));
    // Arguments are seen by every user of the machine, so the password can stay out of them.
    if let Ok(password) = std::env::var("PGPASSWORD") {
        builder = builder.password(SecretText::new(password));
    }
    builder.open().await.map_err(StartError::new)
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

fn place(args: &Args) -> Result<Place, StartError> {
    match args.store.split_once(':') {
        Some(("memory", "")) => Ok(Place::Memory),
        Some(("redb", path)) if !path.is_empty() => Ok(Place::Redb(PathBuf::from(path))),
        Some(("sqlite", path)) if !path.is_empty() => Ok(Place::Sqlite(PathBuf::from(path))),
        Some(("postgres" | "postgresql", rest)) if rest.starts_with("//") => Ok(Place::Postgres(args.store.clone())),
        // The rest of a URL may hold a password: it is not shown.
        _ => Err(StartError::new(
            "--store takes redb:PATH, sqlite:PATH, postgres://USER@HOST/DATABASE or memory: in this version",
        )),
    }
}

/// What a process keeps for itself where the store is on a server: posted transactions, and the master key where the
/// environment names none.
const FOLDER: &str = "ledger-data";
