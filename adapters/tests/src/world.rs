//! An authority in memory with developers, entities and keys, and a clock that the test moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use latchbook_core::Authority;
use latchbook_core::authority::{Actor, AuthorityBuilder, Exchange, Limits, NewEntity};
use latchbook_core::check::NewKey;
use latchbook_core::clock::{Clock, Sleep, SystemClock};
use latchbook_core::key_store::MemoryStore;
use latchbook_core::model::{
    DeveloperId, DeveloperRef, EntityId, EntityRef, EnvironmentName, KeyId, Metadata, ScopeSet, SecretText, Source,
    UnixTime,
};
use latchbook_core::seal::MasterKey;

latchbook_core::scopes! {
    /// The scopes of the tests.
    pub mod scopes {
        /// Read.
        LedgerRead = "ledger:read";
        /// Write.
        LedgerWrite = "ledger:write";
    }
}

pub const ISSUER: &str = "https://api.example.com";
pub const LIVE: EnvironmentName = EnvironmentName::LIVE;
pub const SANDBOX: EnvironmentName = EnvironmentName::SANDBOX;
pub const EVERY_SCOPE: &str = "ledger:read ledger:write keys:manage audit:read entities:manage sandbox:manage";

/// An authority over a store in memory, and the clock that it reads.
pub struct World {
    pub authority: Authority,
    pub clock: Arc<TestClock>,
}

/// A key, and what it takes to use it.
#[derive(Clone, Debug)]
pub struct Holder {
    pub developer: DeveloperRef,
    pub key: KeyId,
    pub text: SecretText,
}

impl World {
    /// Environments `live` and `sandbox`, no limits.
    pub async fn open() -> Self {
        Self::open_with(|builder| builder).await
    }

    pub async fn open_with(with: impl FnOnce(AuthorityBuilder) -> AuthorityBuilder) -> Self {
        let clock = Arc::new(TestClock::default());
        let builder = Authority::builder()
            .store(MemoryStore::new())
            .issuer(ISSUER)
            .master_key(MasterKey::from_bytes([7; 32]))
            .scopes(scopes::ALL)
            .clock(Arc::<TestClock>::clone(&clock))
            .limits(Limits::OFF);
        Self { authority: with(builder).build().await.expect("an authority"), clock }
    }

    pub async fn developer(&self, environment: EnvironmentName, id: &str) -> DeveloperRef {
        let developer = DeveloperRef { environment, id: DeveloperId::parse(id).unwrap() };
        self.authority.developers().create(&Actor::Host, Source::UNKNOWN, &developer, "A developer").await.unwrap();
        developer
    }

    pub async fn entity(&self, developer: &DeveloperRef, id: &str) -> EntityRef {
        let new = NewEntity { id: Some(EntityId::parse(id).unwrap()), legal_name: "An entity".into() };
        self.authority.entities().create(&Actor::Host, Source::UNKNOWN, developer, &new).await.unwrap().reference
    }

    pub async fn key(&self, developer: &DeveloperRef, scopes: &str) -> Holder {
        self.key_until(developer, scopes, None).await
    }

    pub async fn key_until(&self, developer: &DeveloperRef, scopes: &str, expires_at: Option<UnixTime>) -> Holder {
        let new = NewKey {
            name: "A key".into(),
            scopes: ScopeSet::parse(scopes).unwrap(),
            expires_at,
            allowed_ips: Vec::new(),
            metadata: Metadata::default(),
        };
        let made = self.authority.keys().create(&Actor::Host, Source::UNKNOWN, developer, &new).await.unwrap();
        Holder { developer: developer.clone(), key: made.key.id, text: made.text }
    }

    /// A developer with a key that holds every scope.
    pub async fn holder(&self, environment: EnvironmentName, id: &str) -> Holder {
        let developer = self.developer(environment, id).await;
        self.key(&developer, EVERY_SCOPE).await
    }

    /// A developer token with every scope of the key.
    pub async fn token(&self, holder: &Holder) -> String {
        self.token_for(holder, None, None).await
    }

    pub async fn token_for(&self, holder: &Holder, entity: Option<&str>, scope: Option<&str>) -> String {
        let exchange = Exchange {
            developer: holder.developer.id.as_str(),
            api_key: &holder.text,
            entity,
            scope,
            lifetime: None,
            source: Source::UNKNOWN,
        };
        self.authority.exchange(&exchange).await.unwrap().token.expose().to_owned()
    }
}

/// The system's clock, moved ahead by the test.
#[derive(Debug, Default)]
pub struct TestClock {
    system: SystemClock,
    ahead: AtomicU64,
}

impl TestClock {
    pub fn advance(&self, seconds: u64) {
        self.ahead.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> UnixTime {
        self.system.now().plus(self.ahead.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        self.system.monotonic() + Duration::from_secs(self.ahead.load(Ordering::SeqCst))
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        self.system.sleep(duration)
    }
}
