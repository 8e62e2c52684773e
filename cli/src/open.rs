//! From the arguments to an open store, and to an authority over it.

use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use latchbook::authority::AuthorityBuilder;
use latchbook::check::{Brand, TokenPolicy};
use latchbook::key_store::{KeyStoreExt as _, MemoryStore};
use latchbook::model::{Lifetime, ScopeSet, Settings};
use latchbook::program::OpenStore;
use latchbook::program::master_key::{self, KeptKey};
use latchbook::{Authority, EnvironmentName, MasterKey, StoreUrl};

use crate::args::Global;
use crate::failure::Failure;
use crate::values;

/// What the authority is told beside the store.
#[derive(Debug, Default)]
pub(crate) struct Host {
    /// The scopes that the host declares.
    pub(crate) scopes: ScopeSet,
    /// The host's brand.
    pub(crate) brand: Brand,
}

/// The store's URL: the argument's, else the environment's, else that of `ledger-axum`.
pub(crate) fn url(global: &Global) -> Result<StoreUrl, Failure> {
    let text = match &global.store {
        Some(text) => text.clone(),
        None => std::env::var("LATCHBOOK_STORE").unwrap_or_else(|_| DEFAULT_STORE.to_owned()),
    };
    parse_url(&text)
}

/// A store's URL, as an argument gives it.
pub(crate) fn parse_url(text: &str) -> Result<StoreUrl, Failure> {
    // What is no URL of ours may hold a password all the same: it is not shown.
    let url = StoreUrl::parse(text).map_err(|_| {
        Failure::usage("a store is redb:PATH, sqlite:PATH or postgres://USER@HOST/DATABASE; name one with --store")
    })?;
    match url {
        StoreUrl::Memory => Err(Failure::usage(
            "a store in memory ends with its process, and another's cannot be reached; name a file or a database with --store",
        )),
        url => Ok(url),
    }
}

/// Opens a store that is there; none is made.
pub(crate) async fn store(url: &StoreUrl, timeout: Duration) -> Result<OpenStore, Failure> {
    if let Some(path) = absent(url) {
        return Err(no_store(format!("at `{}`", path.display())));
    }
    Ok(url.open_whole(timeout).await?)
}

/// How long the store may take.
pub(crate) fn timeout(global: &Global) -> Duration {
    Duration::from_millis(global.store_timeout)
}

/// Opens the store and an authority over it. A new store is set up where the arguments name an issuer for it.
pub(crate) async fn authority(global: &Global, host: Host) -> Result<(OpenStore, Authority), Failure> {
    let url = url(global)?;
    let store = if absent(&url).is_some() && global.issuer.is_some() {
        try_out(global, &host).await?;
        url.open_whole(timeout(global)).await?
    } else {
        store(&url, timeout(global)).await?
    };
    let held = store.shared().settings().await?.map(|(settings, _)| settings);
    let settings = match &held {
        Some(held) => held.clone(),
        None if global.issuer.is_none() => return Err(no_store("there that was set up".to_owned())),
        None => {
            try_out(global, &host).await?;
            fresh(global)
        }
    };
    let key = key(&url, held.is_some())?;
    let builder = builder(global, &settings, &host).master_key(key).shared_store(store.shared());
    Ok((store, builder.build().await?))
}

/// Sets an authority up in memory, so that what cannot work is found before anything is made for it.
async fn try_out(global: &Global, host: &Host) -> Result<(), Failure> {
    let trial = builder(global, &fresh(global), host).master_key(master_key::fresh()?).store(MemoryStore::default());
    Ok(trial.build().await.map(drop)?)
}

fn builder(global: &Global, settings: &Settings, host: &Host) -> AuthorityBuilder {
    let home = settings.environments.iter().find(|name| **name == EnvironmentName::LIVE);
    let home = home.or(settings.environments.first()).copied().unwrap_or(EnvironmentName::LIVE);
    Authority::builder()
        .issuer(global.issuer.as_ref().unwrap_or(&settings.issuer))
        .environments(&settings.environments)
        .home(home)
        .brand(host.brand.clone())
        .scopes(&values::declared(&host.scopes))
        .policy(longest())
}

/// The master key of the store at `url`; a store that is not set up yet gets a new one.
fn key(url: &StoreUrl, is_set_up: bool) -> Result<MasterKey, Failure> {
    let (folder, name) = match url.path() {
        Some(path) => (path.parent().unwrap_or(Path::new("")), format!("`{}`", path.display())),
        None => (Path::new(FOLDER), "in PostgreSQL".to_owned()),
    };
    let KeptKey { key, made } = master_key::in_folder(folder, is_set_up.then_some(&name))?;
    if let Some(file) = made {
        let _ = writeln!(
            io::stderr(),
            "made a new master key in {}: keep a copy, the store is worthless without it",
            file.display()
        );
    }
    Ok(key)
}

/// What a new store is set up with.
fn fresh(global: &Global) -> Settings {
    let mut environments = vec![EnvironmentName::LIVE, EnvironmentName::SANDBOX];
    if !environments.contains(&global.environment) {
        environments.push(global.environment);
    }
    Settings {
        issuer: global.issuer.clone().unwrap_or_default(),
        environments,
        master_check: [0; 32],
        created_at: latchbook::model::UnixTime::EPOCH,
    }
}

/// What this command revokes must stay known for as long as any token can live, whatever the host's own policy is: a day is
/// the longest that any policy allows.
fn longest() -> TokenPolicy {
    TokenPolicy { longest_lifetime: Lifetime::seconds(86_400), ..TokenPolicy::default() }
}

/// The store's file, if it is to be in one that is not there.
fn absent(url: &StoreUrl) -> Option<&Path> {
    url.path().filter(|path| path.symlink_metadata().is_err())
}

fn no_store(place: String) -> Failure {
    Failure::failed(format!(
        "there is no store {place}; name your server's with --store, or set a new one up with --issuer URL"
    ))
}

const DEFAULT_STORE: &str = "redb:ledger-data/auth.redb";
/// Where the master key of a store on a server lies, unless the environment names one.
const FOLDER: &str = "ledger-data";
