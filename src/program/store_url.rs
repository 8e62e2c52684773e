//! A store's URL: what a program's arguments say, and the store that it names, opened.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use latchbook_core::key_store::{KeyStore, MemoryStore, StoreError};
use latchbook_core::model::SecretText;

use super::OpenStore;

/// Where everything is kept: `redb:PATH`, `sqlite:PATH`, `postgres://USER@HOST/DATABASE` or `memory:`.
///
/// Every URL can be read whatever features are on; [`open`](Self::open) says which one a store needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreUrl {
    /// In this process alone, until it ends.
    Memory,
    /// A redb file, for one process (feature `redb`).
    Redb(PathBuf),
    /// An SQLite file, for several processes of one machine (feature `sqlite`).
    Sqlite(PathBuf),
    /// A PostgreSQL database, for several processes and machines (feature `postgres`): the whole URL, which may hold a
    /// password.
    Postgres(SecretText),
}

impl StoreUrl {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`NoStoreUrl`] for any other text. It does not show the text, which may hold a password.
    pub fn parse(text: &str) -> Result<Self, NoStoreUrl> {
        match text.split_once(':') {
            Some(("memory", "")) => Ok(Self::Memory),
            Some(("redb", path)) if !path.is_empty() => Ok(Self::Redb(PathBuf::from(path))),
            Some(("sqlite", path)) if !path.is_empty() => Ok(Self::Sqlite(PathBuf::from(path))),
            Some(("postgres" | "postgresql", rest)) if rest.starts_with("//") => {
                Ok(Self::Postgres(SecretText::new(text.to_owned())))
            }
            _ => Err(NoStoreUrl),
        }
    }

    /// The store's file, where it is in one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Redb(path) | Self::Sqlite(path) => Some(path),
            Self::Memory | Self::Postgres(_) => None,
        }
    }

    /// Whether the URL itself holds a password. Every user of a machine can see the arguments of its processes.
    #[must_use]
    pub fn holds_password(&self) -> bool {
        let Self::Postgres(url) = self else { return false };
        let Some((_, rest)) = url.expose().split_once("//") else { return false };
        let (before_query, query) = rest.split_once('?').unwrap_or((rest, ""));
        let in_credentials =
            before_query.rsplit_once('@').is_some_and(|(credentials, _)| credentials.contains([':', '@']));
        // A name may be written with escapes: one that is, is not looked into.
        let is_suspect = |pair: &str| {
            let name = pair.split('=').next().unwrap_or_default();
            name.contains('%') || name.eq_ignore_ascii_case("password")
        };
        in_credentials || query.contains('@') || query.split('&').any(is_suspect)
    }

    /// Opens the store; a file that is not there is made. `timeout` is how long the store may take for one read or change.
    /// PostgreSQL's password comes from the URL, else from `PGPASSWORD`.
    ///
    /// # Errors
    /// [`OpenError::Feature`] for a store whose feature is off, else [`OpenError::Store`].
    pub async fn open(&self, timeout: Duration) -> Result<Arc<dyn KeyStore>, OpenError> {
        Ok(self.open_whole(timeout).await?.shared())
    }

    /// The same, for one who also wants [snapshots](OpenStore::snapshot).
    ///
    /// # Errors
    /// As [`open`](Self::open).
    #[cfg_attr(
        not(any(feature = "redb", feature = "sqlite", feature = "postgres")),
        expect(unused_variables, reason = "a store in memory never waits")
    )]
    pub async fn open_whole(&self, timeout: Duration) -> Result<OpenStore, OpenError> {
        match self {
            Self::Memory => Ok(OpenStore::Memory(Arc::new(MemoryStore::default()))),
            #[cfg(feature = "redb")]
            Self::Redb(path) => {
                let opened = latchbook_redb::RedbStore::builder(path).timeout(timeout).open()?;
                Ok(OpenStore::Redb(Arc::new(opened)))
            }
            #[cfg(not(feature = "redb"))]
            Self::Redb(_) => Err(OpenError::Feature("redb")),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(path) => {
                let opened = latchbook_sqlite::SqliteStore::builder(path).timeout(timeout).open()?;
                Ok(OpenStore::Sqlite(Arc::new(opened)))
            }
            #[cfg(not(feature = "sqlite"))]
            Self::Sqlite(_) => Err(OpenError::Feature("sqlite")),
            #[cfg(feature = "postgres")]
            Self::Postgres(url) => {
                let mut builder = latchbook_postgres::PostgresStore::builder(url.expose()).timeout(timeout);
                // Arguments are seen by every user of the machine, so the password can stay out of them.
                if let Ok(password) = std::env::var("PGPASSWORD") {
                    builder = builder.password(SecretText::new(password));
                }
                Ok(OpenStore::Postgres(Arc::new(builder.open().await?)))
            }
            #[cfg(not(feature = "postgres"))]
            Self::Postgres(_) => Err(OpenError::Feature("postgres")),
        }
    }
}

/// The text is no store's URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a store is redb:PATH, sqlite:PATH, postgres://USER@HOST/DATABASE or memory:")]
pub struct NoStoreUrl;

/// Why a store was not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The feature that the store needs is off.
    #[error("this program was built without latchbook's feature `{0}`; build it with that, or name another store")]
    Feature(&'static str),
    /// The store did not open.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_store_or_is_refused_unshown() {
        assert_eq!(StoreUrl::parse("memory:"), Ok(StoreUrl::Memory));
        assert_eq!(StoreUrl::parse("redb:a/b.redb"), Ok(StoreUrl::Redb("a/b.redb".into())));
        assert_eq!(StoreUrl::parse("sqlite:C:/b.db"), Ok(StoreUrl::Sqlite("C:/b.db".into())));
        for url in ["postgres://me@host/db", "postgresql://host"] {
            assert!(matches!(StoreUrl::parse(url), Ok(StoreUrl::Postgres(held)) if held.expose() == url));
        }
        for bad in ["", "redb:", "sqlite:", "memory:x", "auth.redb", "postgres:me:hunter2@host/db", "mysql://host"] {
            let error = StoreUrl::parse(bad).expect_err(bad).to_string();
            assert!(error.contains("redb:PATH") && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_password_in_a_url_is_seen_and_not_shown() {
        for (url, want) in [
            ("postgres://me@host/db", false),
            ("postgres://host:5432,other:5433/db?sslmode=require", false),
            ("postgres:///db?host=/run/postgresql&user=me", false),
            ("postgres://me:hunter2@host/db", true),
            ("postgres://me:hunter2@x@host/db", true),
            ("postgres:///db?user=me&password=hunter2", true),
            ("postgres:///db?user=me&PASSWORD=hunter2", true),
            ("postgres:///db?p%61ssword=hunter2", true),
            ("postgres://me:hunter2?@host/db", true),
            ("sqlite:me:hunter2@host", false),
        ] {
            let read = StoreUrl::parse(url).expect(url);
            assert_eq!(read.holds_password(), want, "{url}");
            assert!(!want || !format!("{read:?}").contains("hunter2"), "{read:?}");
        }
    }

    /// Run with `cargo test -p latchbook`: a test of the whole workspace turns every feature on.
    #[cfg(not(feature = "sqlite"))]
    #[test]
    fn a_store_whose_feature_is_off_is_refused_by_its_name() {
        let url = StoreUrl::Sqlite("absent.db".into());
        let opened = futures_executor::block_on(url.open(Duration::from_secs(1)));
        let error = opened.expect_err("it is off").to_string();
        assert!(error.contains("feature `sqlite`"), "{error}");
    }
}
