//! From arguments to a gate: what a start needs, and what can be wrong with it.

use std::fmt::Display;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use latchbook::authority::{BuildError, Limits};
use latchbook::http::SandboxAccess;
use latchbook::jose::SigningPair;
use latchbook::key_store::{KeyStore, MemoryStore};
use latchbook::model::SecretText;
use latchbook::random::{SystemRandom, secret_key};
use latchbook::{Authority, EnvironmentName, Gate, MasterKey, RedbStore};
use zeroize::Zeroizing;

use crate::api::Api;
use crate::args::{Args, LimitPolicy, Sandbox};
use crate::bootstrap::Bootstrap;
use crate::posted::Posted;
use crate::private_file;
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
    Redb(PathBuf),
}

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

/// Opens store and authority.
///
/// # Errors
/// [`StartError`], which says what to do.
pub async fn open(args: &Args) -> Result<Api, StartError> {
    let mut builder = Authority::builder()
        .issuer(&args.issuer)
        .environments(&args.environments)
        .home(home(args))
        .max_staleness(Duration::from_secs(args.max_staleness))
        .limits(if args.limits == LimitPolicy::Off { Limits::OFF } else { Limits::default() })
        .scopes(scopes::ALL);
    for (environment, file) in &args.signing_key {
        let pem = fs::read_to_string(file).map_err(|error| {
            StartError::new(format!(
                "the signing key `{}` cannot be read: {error}; name a PKCS#8 PEM file",
                file.display()
            ))
        })?;
        let pem = SecretText::new(pem);
        // Looked at before the store is made, so that a wrong file leaves nothing behind.
        SigningPair::from_pem(&pem).map_err(|error| {
            StartError::new(format!("the signing key `{}` cannot be used: {error}", file.display()))
        })?;
        builder = builder.signing_key(*environment, pem);
    }
    let bootstrap = match &args.bootstrap {
        Some(path) => Some((path, Bootstrap::read(path, &args.environments)?)),
        None => None,
    };
    let (master_key, store, ledger): (MasterKey, Arc<dyn KeyStore>, _) = match place(args)? {
        Place::Memory => {
            let key = if named_in_environment() { from_environment()? } else { new_key()?.0 };
            (key, Arc::new(MemoryStore::default()), None)
        }
        Place::Redb(path) => {
            let key = master_key(&path)?;
            let store = RedbStore::builder(&path).timeout(Duration::from_millis(args.store_timeout)).open();
            (key, Arc::new(store.map_err(StartError::new)?), Some(path.with_file_name("ledger.redb")))
        }
    };
    let authority = builder.master_key(master_key).shared_store(store).build().await.map_err(refused)?;
    let posted = match &ledger {
        None => Posted::in_memory(),
        Some(path) => Posted::open(path),
    };
    let posted = posted.map_err(|error| {
        let name = ledger.as_deref().unwrap_or(Path::new("the ledger")).display().to_string();
        StartError::new(format!(
            "the posted transactions in `{name}` cannot be opened: {error}; move the file away or restore it"
        ))
    })?;
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
        // The rest of a URL may hold a password: it is not shown.
        _ => Err(StartError::new("--store takes redb:PATH or memory: in this version; others are not there yet")),
    }
}

/// The environment's key, else the one beside the store, which the very first start makes.
fn master_key(store: &Path) -> Result<MasterKey, StartError> {
    if named_in_environment() {
        return from_environment();
    }
    let file = store.with_file_name("master.key");
    if !file.exists() {
        if store.exists() {
            return Err(StartError::new(format!(
                "the store `{}` is there and its master key `{}` is not; put it back, or set LATCHBOOK_MASTER_KEY_FILE",
                store.display(),
                file.display()
            )));
        }
        make_key_file(&file).map_err(|error| {
            StartError::new(format!(
                "the master key `{}` cannot be made: {error}; choose a writable folder",
                file.display()
            ))
        })?;
    }
    MasterKey::from_file(&file).map_err(StartError::new)
}

fn named_in_environment() -> bool {
    ["LATCHBOOK_MASTER_KEY_FILE", "LATCHBOOK_MASTER_KEY"].iter().any(|name| std::env::var_os(name).is_some())
}

fn from_environment() -> Result<MasterKey, StartError> {
    MasterKey::from_env().map_err(StartError::new)
}

fn new_key() -> Result<(MasterKey, Zeroizing<String>), StartError> {
    let secret = secret_key(&SystemRandom::new()).map_err(StartError::new)?;
    // Sized for a line's end as well, so that adding one leaves no copy behind.
    let mut text = Zeroizing::new(String::with_capacity(64));
    STANDARD.encode_string(secret.expose(), &mut text);
    let key = MasterKey::parse(&SecretText::new(text.to_string())).map_err(StartError::new)?;
    Ok((key, text))
}

fn make_key_file(file: &Path) -> io::Result<()> {
    let (_, mut text) = new_key().map_err(io::Error::other)?;
    text.push('\n');
    private_file::make(file, text.as_bytes())?;
    let _ = writeln!(
        io::stderr(),
        "made a new master key in {}: keep a copy, the store is worthless without it",
        file.display()
    );
    Ok(())
}
