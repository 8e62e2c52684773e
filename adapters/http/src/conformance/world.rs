//! Who and what the exchanges are about, put into a store.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use latchbook_core::Authority;
use latchbook_core::authority::{
    Actor, AuthorityBuilder, BuildError, CreatedKey, Exchange, Limits, NewEntity, Refusal,
};
use latchbook_core::check::{Brand, NewKey, print_key_text};
use latchbook_core::clock::{Clock as _, SystemClock};
use latchbook_core::key_store::{KeyStore, MemoryStore};
use latchbook_core::model::{
    DeveloperId, DeveloperRef, EntityId, EntityRef, EnvironmentName, IdError, KeyId, Metadata, ScopeError, ScopeSet,
    Source, UnixTime,
};
use latchbook_core::seal::MasterKey;

use crate::testing::TestClock;
use crate::{Gate, SandboxAccess};

latchbook_core::scopes! {
    /// The scopes that the exchanges are about: those of the ledger in the examples.
    pub mod scopes {
        /// Read accounts, transactions and balances.
        LedgerRead = "ledger:read";
        /// Post transactions.
        LedgerWrite = "ledger:write";
    }
}

/// The issuer that the world's tokens name, and the server must have.
pub const ISSUER: &str = "https://api.example.com";

/// The master key of the world's store, for servers that are started on it. It protects nothing.
pub const MASTER_KEY: [u8; 32] = [7; 32];

const EVERY_SCOPE: &str = "audit:read entities:manage keys:manage ledger:read ledger:write sandbox:manage";
/// How far back the world begins, so that some of it is over by now. In seconds.
const AGE: u64 = 7_200;
const LIVE: EnvironmentName = EnvironmentName::LIVE;
const SANDBOX: EnvironmentName = EnvironmentName::SANDBOX;

/// What stands in the places `{{…}}` of the exchanges.
#[derive(Clone)]
pub struct World {
    pub(super) places: BTreeMap<String, String>,
}

impl World {
    /// What stands in a place, such as `token`.
    #[must_use]
    pub fn place(&self, name: &str) -> Option<&str> {
        self.places.get(name).map(String::as_str)
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.places.keys()).finish()
    }
}

/// The world could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FurnishError {
    /// The store could not be opened.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A change was refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// An id of ours is wrong.
    #[error(transparent)]
    Id(#[from] IdError),
    /// A scope of ours is wrong.
    #[error(transparent)]
    Scope(#[from] ScopeError),
}

/// A gate on a store that was [furnished](furnish), for a server in this process: by the system's clock, without limits,
/// with sandboxes for everybody.
///
/// # Errors
/// [`FurnishError`] if the store cannot be opened.
pub async fn gate(store: Arc<dyn KeyStore>) -> Result<Gate, FurnishError> {
    Ok(Gate::new(builder(store).build().await?).sandbox(SandboxAccess::Open))
}

/// Fills `store`, which must be empty, with what the exchanges are about.
///
/// Its past begins two hours ago, so that some tokens and keys are over.
///
/// # Errors
/// [`FurnishError`] if the store is not empty, or failed.
pub async fn furnish(store: Arc<dyn KeyStore>) -> Result<World, FurnishError> {
    let now = SystemClock::new().now();
    let clock = Arc::new(TestClock::at(UnixTime::from_seconds(now.seconds().saturating_sub(AGE))));
    let authority = builder(Arc::clone(&store)).clock(Arc::<TestClock>::clone(&clock)).build().await?;
    let mut maker = Maker { authority, places: BTreeMap::new() };
    let acme = maker.developer(LIVE, "acme", &["ent_a", "ent_b", "ent_removed"]).await?;
    let other = maker.developer(LIVE, "other", &["ent_other"]).await?;
    let suspended = maker.developer(LIVE, "suspended", &["ent_suspended"]).await?;
    let boxed = maker.developer(SANDBOX, "acme", &["ent_sandbox"]).await?;

    let key = maker.key("key", &acme, EVERY_SCOPE, None).await?;
    let expired = Some(maker.authority.now().plus(60));
    maker.key("key_expired", &acme, EVERY_SCOPE, expired).await?;
    maker.token("token_expired", &acme, &key, None, None).await?;
    clock.advance(AGE);

    let key_other = maker.key("key_other", &other, EVERY_SCOPE, None).await?;
    let key_sandbox = maker.key("key_sandbox", &boxed, EVERY_SCOPE, None).await?;
    let key_revoked = maker.key("key_revoked", &acme, EVERY_SCOPE, None).await?;
    let key_suspended = maker.key("key_suspended", &suspended, EVERY_SCOPE, None).await?;
    maker.key("key_narrow", &acme, "ledger:read", None).await?;
    for (name, holder, key, entity, scope) in [
        ("token", &acme, &key, None, None),
        ("token_read", &acme, &key, None, Some("ledger:read")),
        ("token_keys", &acme, &key, None, Some("keys:manage")),
        ("token_entity_a", &acme, &key, Some("ent_a"), None),
        ("token_entity_read", &acme, &key, Some("ent_a"), Some("ledger:read")),
        ("token_entity_removed", &acme, &key, Some("ent_removed"), None),
        ("token_other", &other, &key_other, None, None),
        ("token_sandbox", &boxed, &key_sandbox, None, None),
        ("token_sandbox_entity", &boxed, &key_sandbox, Some("ent_sandbox"), None),
        ("token_of_revoked_key", &acme, &key_revoked, None, None),
        ("token_of_suspended", &suspended, &key_suspended, None, None),
    ] {
        maker.token(name, holder, key, entity, scope).await?;
    }
    let ended = maker.token("token_revoked", &acme, &key, None, None).await?;

    let (host, source) = (Actor::Host, Source::UNKNOWN);
    let authority = &maker.authority;
    authority.revocation().token(&host, source, &acme, ended.0, ended.1).await?;
    authority.keys().revoke(&host, source, &acme, key_revoked.key.id).await?;
    authority.developers().suspend(&host, source, &suspended).await?;
    let removed = EntityRef { developer: acme.clone(), id: EntityId::parse("ent_removed")? };
    authority.entities().remove(&host, source, &removed).await?;

    // The same host's, but for another service, and one of a host that has the same name and other keys.
    maker.authority = builder(store).audience(LIVE, "https://other.example.com").build().await?;
    maker.token("token_wrong_audience", &acme, &key, None, None).await?;
    maker.authority = builder(Arc::new(MemoryStore::new())).build().await?;
    let stranger = maker.developer(LIVE, "acme", &["ent_a"]).await?;
    let key_foreign = maker.key("key_foreign", &stranger, EVERY_SCOPE, None).await?;
    maker.token("token_foreign", &stranger, &key_foreign, None, None).await?;
    maker.spoil(&key)?;
    maker.encode();
    maker.name();
    Ok(World { places: maker.places })
}

fn builder(store: Arc<dyn KeyStore>) -> AuthorityBuilder {
    Authority::builder()
        .shared_store(store)
        .issuer(ISSUER)
        .master_key(MasterKey::from_bytes(MASTER_KEY))
        .scopes(scopes::ALL)
        .limits(Limits::OFF)
}

struct Maker {
    authority: Authority,
    places: BTreeMap<String, String>,
}

impl Maker {
    fn put(&mut self, name: &str, value: impl Into<String>) {
        self.places.insert(name.to_owned(), value.into());
    }

    async fn developer(
        &self,
        environment: EnvironmentName,
        id: &str,
        entities: &[&str],
    ) -> Result<DeveloperRef, FurnishError> {
        let developer = DeveloperRef { environment, id: DeveloperId::parse(id)? };
        self.authority.developers().create(&Actor::Host, Source::UNKNOWN, &developer, id).await?;
        for entity in entities {
            let new = NewEntity { id: Some(EntityId::parse(entity)?), legal_name: (*entity).to_owned() };
            self.authority.entities().create(&Actor::Host, Source::UNKNOWN, &developer, &new).await?;
        }
        Ok(developer)
    }

    async fn key(
        &mut self,
        name: &str,
        developer: &DeveloperRef,
        scopes: &str,
        expires_at: Option<UnixTime>,
    ) -> Result<CreatedKey, FurnishError> {
        let new = NewKey {
            name: name.to_owned(),
            scopes: ScopeSet::parse(scopes)?,
            expires_at,
            allowed_ips: Vec::new(),
            metadata: Metadata::default(),
        };
        let made = self.authority.keys().create(&Actor::Host, Source::UNKNOWN, developer, &new).await?;
        self.put(name, made.text.expose());
        self.put(&format!("{name}_id"), made.key.id.as_str());
        Ok(made)
    }

    async fn token(
        &mut self,
        name: &str,
        developer: &DeveloperRef,
        key: &CreatedKey,
        entity: Option<&str>,
        scope: Option<&str>,
    ) -> Result<(latchbook_core::model::TokenId, UnixTime), FurnishError> {
        let exchange = Exchange {
            developer: developer.id.as_str(),
            api_key: &key.text,
            entity,
            scope,
            lifetime: Some(3_600),
            source: Source::UNKNOWN,
        };
        let issued = self.authority.exchange(&exchange).await?;
        self.put(name, issued.token.expose());
        Ok((issued.token_id, issued.expires_at))
    }

    /// Keys and tokens that were right, until somebody changed a character.
    fn spoil(&mut self, key: &CreatedKey) -> Result<(), FurnishError> {
        let (text, brand) = (key.text.expose().to_owned(), Brand::default());
        let secret = "A".repeat(43);
        let unknown = print_key_text(&brand, LIVE, KeyId::parse("0123456789abcdEF")?, &secret);
        self.put("key_unknown", unknown.expose());
        self.put("key_wrong_secret", print_key_text(&brand, LIVE, key.key.id, &secret).expose());
        let (cut, last) = text.split_at(text.len().saturating_sub(1));
        self.put("key_cut", cut);
        self.put("key_longer", format!("{text}0"));
        self.put("key_wrong_checksum", format!("{cut}{}", if last == "0" { "1" } else { "0" }));
        // Of the secret, which is the last part: the brand and the environment have small letters too.
        let (head, tail) = text.rsplit_once('_').unwrap_or_default();
        let swapped: String = tail.chars().map(swap_case).collect();
        self.put("key_other_case", format!("{head}_{swapped}"));
        self.put("key_other_environment", text.replacen("_live_", "_sandbox_", 1));
        self.put("key_other_brand", text.replacen("lb_", "xx_", 1));
        let token = self.places.get("token").cloned().unwrap_or_default();
        // In the middle of the signature, where every bit counts.
        let middle = token.len().saturating_sub(20);
        let (head, tail) = token.split_at(middle);
        let flipped = if tail.starts_with('A') { "B" } else { "A" };
        self.put("token_changed", format!("{head}{flipped}{}", tail.get(1..).unwrap_or_default()));
        let (signed, _) = token.rsplit_once('.').unwrap_or_default();
        self.put("token_unsigned", format!("{signed}."));
        Ok(())
    }

    /// Every key with its developer's name, as HTTP Basic has them (RFC 7617): `basic_key` and so on.
    fn encode(&mut self) {
        let keys = self.places.iter().filter(|(name, _)| name.starts_with("key") && !name.ends_with("_id"));
        let encoded = keys.map(|(name, key)| {
            let developer = match name.as_str() {
                "key_other" => "other",
                "key_suspended" => "suspended",
                _ => "acme",
            };
            (format!("basic_{name}"), STANDARD.encode(format!("{developer}:{key}")))
        });
        self.places.extend(encoded.collect::<Vec<_>>());
    }

    /// Names that stand in requests and answers.
    fn name(&mut self) {
        for (name, value) in [
            ("issuer", ISSUER),
            ("developer", "acme"),
            ("developer_other", "other"),
            ("developer_suspended", "suspended"),
            ("developer_none", "nobody"),
            ("entity_a", "ent_a"),
            ("entity_b", "ent_b"),
            ("entity_other", "ent_other"),
            ("entity_none", "ent_none"),
            ("entity_sandbox", "ent_sandbox"),
            ("entity_removed", "ent_removed"),
            ("key_none_id", "0123456789abcdEF"),
            ("every_scope", EVERY_SCOPE),
        ] {
            self.put(name, value);
        }
    }
}

fn swap_case(letter: char) -> char {
    if letter.is_ascii_lowercase() { letter.to_ascii_uppercase() } else { letter.to_ascii_lowercase() }
}
