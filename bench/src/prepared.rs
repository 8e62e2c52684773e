//! Stores that the reference programs can be started on: developers with keys that work, and as many more keys as asked.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_executor::block_on;
use latchbook::authority::Limits;
use latchbook::check::{NewKey, parse_key_text};
use latchbook::jose::SigningPair;
use latchbook::key_store::{KeyStore, MemoryStore};
use latchbook::model::{Algorithm, DeveloperId, KeyId, Metadata, ScopeSet, SecretText};
use latchbook::program::master_key;
use latchbook::{Actor, Authority, DeveloperRef, EnvironmentName, RedbStore, Source, SqliteStore};

use crate::{Failure, data};

/// The issuer that the programs have where none is given.
pub const ISSUER: &str = "http://127.0.0.1:8080";

/// How many of the keys can be exchanged, at most; the others are rows alone.
const WORKING: u64 = 10_000;
const DEVELOPERS: u64 = 100;

/// What a store stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Redb,
    Sqlite,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Redb => "redb",
            Self::Sqlite => "sqlite",
        }
    }

    /// Opens or makes the store at `path`.
    pub fn open(self, path: &Path) -> Result<Arc<dyn KeyStore>, Failure> {
        Ok(match self {
            Self::Redb => Arc::new(RedbStore::builder(path).timeout(PATIENCE).open()?),
            Self::Sqlite => Arc::new(SqliteStore::builder(path).timeout(PATIENCE).open()?),
        })
    }
}

/// A key that can be exchanged, and whose tokens can be made.
#[derive(Clone, Debug)]
pub struct Member {
    pub developer: DeveloperId,
    pub key: KeyId,
    pub text: String,
}

/// A store that is filled, in a folder of its own, and what a client has to know of it.
#[derive(Clone, Debug)]
pub struct Prepared {
    pub kind: Kind,
    pub folder: PathBuf,
    pub members: Vec<Member>,
}

impl Prepared {
    /// A store with `keys` keys in `folder`: the one that is there, or a new one.
    pub fn make(folder: &Path, kind: Kind, keys: u64) -> Result<Self, Failure> {
        let folder = folder.join(format!("{}-{keys}", kind.name()));
        let listed = folder.join("members");
        if !listed.exists() {
            let _ = fs::remove_dir_all(&folder);
            fs::create_dir_all(&folder)?;
            let members = fill(kind, &folder, keys)?;
            // Last, so that a folder with it is whole.
            fs::write(&listed, members)?;
        }
        let members = fs::read_to_string(listed)?.lines().map(member).collect::<Result<_, Failure>>()?;
        Ok(Self { kind, folder, members })
    }

    /// The same, made anew.
    pub fn make_anew(folder: &Path, kind: Kind, keys: u64) -> Result<Self, Failure> {
        let _ = fs::remove_dir_all(folder.join(format!("{}-{keys}", kind.name())));
        Self::make(folder, kind, keys)
    }

    /// The store's file.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        path(self.kind, &self.folder)
    }

    /// `--store`'s value.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}:{}", self.kind.name(), self.path().display())
    }

    /// `--signing-key`'s value.
    #[must_use]
    pub fn signing_key(&self) -> String {
        format!("live={}", self.folder.join(SIGNING_KEY).display())
    }

    /// The key that the program signs with in `live`.
    pub fn pair(&self) -> Result<SigningPair, Failure> {
        let pem = SecretText::new(fs::read_to_string(self.folder.join(SIGNING_KEY))?);
        Ok(SigningPair::from_pem(&pem)?.0)
    }
}

const SIGNING_KEY: &str = "signing.pem";

/// Fills a store: the working part by the authority, in memory; then all of it is loaded. What to write of its keys.
fn fill(kind: Kind, folder: &Path, keys: u64) -> Result<String, Failure> {
    let path = path(kind, folder);
    let pem = pem()?;
    fs::write(folder.join(SIGNING_KEY), pem.expose())?;
    let held = Arc::new(MemoryStore::new());
    let builder = Authority::builder()
        .shared_store(Arc::<MemoryStore>::clone(&held))
        .issuer(ISSUER)
        .master_key(master_key::beside(&path)?.key)
        .signing_key(EnvironmentName::LIVE, pem)
        .limits(Limits::OFF);
    let authority = block_on(builder.build())?;
    let working = keys.min(WORKING);
    let members = block_on(working_keys(&authority, working))?;
    let store = kind.open(&path)?;
    block_on(async {
        let mut after = None;
        loop {
            let page = held.scan(after.as_ref(), 5_000).await?;
            store.load(page.rows).await?;
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        if keys > working {
            // The settings, which come first, are the authority's.
            let mut rows = data::rows(keys - working).skip(1).peekable();
            while rows.peek().is_some() {
                store.load(rows.by_ref().take(5_000).collect::<Result<_, _>>()?).await?;
            }
        }
        Ok::<_, Failure>(members)
    })
}

/// Makes developers and keys. A line for each key: its developer, its text.
pub async fn working_keys(authority: &Authority, count: u64) -> Result<String, Failure> {
    let (host, source) = (Actor::Host, Source::UNKNOWN);
    let new = NewKey {
        name: "bench".to_owned(),
        scopes: ScopeSet::parse("audit:read keys:manage")?,
        expires_at: None,
        allowed_ips: Vec::new(),
        metadata: Metadata::default(),
    };
    let mut lines = String::new();
    let mut developers = Vec::new();
    for number in 0..count {
        if number < DEVELOPERS {
            let id = DeveloperId::parse(&format!("bench-{number:04}"))?;
            let developer = DeveloperRef { environment: EnvironmentName::LIVE, id };
            authority.developers().create(&host, source, &developer, "Bench").await?;
            developers.push(developer);
        }
        let developer = &developers[usize::try_from(number % DEVELOPERS)?];
        let created = authority.keys().create(&host, source, developer, &new).await?;
        lines.push_str(&format!("{}\t{}\n", developer.id, created.text.expose()));
    }
    Ok(lines)
}

/// A line of [`working_keys`].
pub fn member(line: &str) -> Result<Member, Failure> {
    let (developer, text) = line.split_once('\t').ok_or("a line without a key")?;
    let key = parse_key_text(text).map_err(|_| "a text that is no key")?.id;
    Ok(Member { developer: DeveloperId::parse(developer)?, key, text: text.to_owned() })
}

/// A new private key for Ed25519, as a file has it.
pub fn pem() -> Result<SecretText, Failure> {
    let (_, der) = SigningPair::generate(Algorithm::EdDsa)?;
    let body = STANDARD.encode(der.expose());
    let lines: Vec<_> = body.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    let text = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"));
    Ok(SecretText::new(text))
}

fn path(kind: Kind, folder: &Path) -> PathBuf {
    folder.join(if kind == Kind::Redb { "auth.redb" } else { "auth.db" })
}

const PATIENCE: Duration = Duration::from_secs(60);
