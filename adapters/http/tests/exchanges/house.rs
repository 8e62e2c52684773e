//! A house to test in: an authority over a store in memory that can fail, a clock that the test moves, two developers.

use std::ops::Deref;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_executor::block_on;
use latchbook_core::authority::{Actor, Authority, AuthorityBuilder, Exchange, Limits, NewEntity};
use latchbook_core::check::NewKey;
use latchbook_core::clock::Clock;
use latchbook_core::key_store::conformance::{Calls, Faulty, Trouble};
use latchbook_core::key_store::{KeyStore, MemoryStore, Sharing, StoreError};
use latchbook_core::model::{
    ChangeSet, Committed, DeveloperId, DeveloperRef, EntityId, EnvironmentName, FeedPage, FeedPosition, Index, KeyId,
    Metadata, Page, Position, Pruned, RecordKey, Row, ScopeSet, SecretText, Source, Stored, UnixTime,
};
use latchbook_core::seal::MasterKey;
use latchbook_http::testing::TestClock;
use latchbook_http::{Gate, SandboxAccess};

latchbook_core::scopes! {
    /// A ledger's scopes.
    pub mod scopes {
        /// Read.
        LedgerRead = "ledger:read";
        /// Write.
        LedgerWrite = "ledger:write";
    }
}

/// Every scope, for keys.
pub const ALL_SCOPES: &str = "audit:read entities:manage keys:manage ledger:read ledger:write sandbox:manage";

/// 2026-11-24T00:00:00Z.
pub const START: u64 = 1_795_478_400;

pub struct House {
    pub authority: Authority,
    pub gate: Gate,
    pub clock: Arc<TestClock>,
    pub store: Arc<TestStore>,
    /// A developer in `live` with the entities `acme-a` and `acme-b`, and a key that holds every scope.
    pub acme: Holder,
    /// Another in `live`, with the entity `other-a`.
    pub other: Holder,
    /// `acme` in `sandbox`, with the entity `acme-s`.
    pub boxed: Holder,
}

/// A developer and one of its keys.
pub struct Holder {
    pub developer: DeveloperRef,
    pub key: KeyId,
    pub text: SecretText,
}

impl House {
    pub fn new() -> Self {
        Self::with_limits(Limits::OFF)
    }

    pub fn with_limits(limits: Limits) -> Self {
        Self::with(|builder| builder.limits(limits))
    }

    /// A house whose authority was built otherwise.
    pub fn with(change: impl FnOnce(AuthorityBuilder) -> AuthorityBuilder) -> Self {
        Self::over(MemoryStore::new(), change)
    }

    /// A house whose store others may write to as well, so that the feed must be read from time to time.
    pub fn shared() -> Self {
        Self::over(MemoryStore::shared(), |builder| builder)
    }

    fn over(memory: MemoryStore, change: impl FnOnce(AuthorityBuilder) -> AuthorityBuilder) -> Self {
        let clock = Arc::new(TestClock::at(UnixTime::from_seconds(START)));
        let store = Arc::new(TestStore::over(memory));
        let builder = Authority::builder()
            .store(Arc::clone(&store))
            .issuer("https://api.example.com")
            .master_key(MasterKey::from_bytes([7; 32]))
            .scopes(scopes::ALL)
            .clock(Arc::clone(&clock) as Arc<dyn Clock>)
            .limits(Limits::OFF);
        let authority = block_on(change(builder).build()).expect("an authority");
        let acme = Holder::new(&authority, EnvironmentName::LIVE, "acme", &["acme-a", "acme-b"]);
        let other = Holder::new(&authority, EnvironmentName::LIVE, "other", &["other-a"]);
        let boxed = Holder::new(&authority, EnvironmentName::SANDBOX, "acme", &["acme-s"]);
        let gate = Gate::new(authority.clone()).sandbox(SandboxAccess::Open);
        Self { authority, gate, clock, store, acme, other, boxed }
    }

    /// A developer token of `holder` with everything that its key allows.
    pub fn token(&self, holder: &Holder) -> String {
        self.issue(holder, None, None)
    }

    /// An entity token.
    pub fn entity_token(&self, holder: &Holder, entity: &str) -> String {
        self.issue(holder, Some(entity), None)
    }

    /// A developer token with `scope` alone.
    pub fn narrow_token(&self, holder: &Holder, scope: &str) -> String {
        self.issue(holder, None, Some(scope))
    }

    fn issue(&self, holder: &Holder, entity: Option<&str>, scope: Option<&str>) -> String {
        let exchange = Exchange {
            developer: holder.developer.id.as_str(),
            api_key: &holder.text,
            entity,
            scope,
            lifetime: None,
            source: Source::UNKNOWN,
        };
        block_on(self.authority.exchange(&exchange)).expect("a token").token.expose().to_owned()
    }
}

impl Holder {
    pub fn new(authority: &Authority, environment: EnvironmentName, id: &str, entities: &[&str]) -> Self {
        let developer = DeveloperRef { environment, id: DeveloperId::parse(id).expect("an id") };
        block_on(async {
            let (actor, source) = (Actor::Host, Source::UNKNOWN);
            authority.developers().create(&actor, source, &developer, id).await.expect("a developer");
            for entity in entities {
                let new = NewEntity { id: EntityId::parse(entity).ok(), legal_name: format!("{entity} Inc.") };
                authority.entities().create(&actor, source, &developer, &new).await.expect("an entity");
            }
        });
        Self::another_key(authority, &developer, |_| {})
    }

    /// A key of `developer` with every scope, after `change`.
    pub fn another_key(authority: &Authority, developer: &DeveloperRef, change: impl FnOnce(&mut NewKey)) -> Self {
        let mut new = NewKey {
            name: "first".to_owned(),
            scopes: ScopeSet::parse(ALL_SCOPES).expect("scopes"),
            expires_at: None,
            allowed_ips: Vec::new(),
            metadata: Metadata::default(),
        };
        change(&mut new);
        let created = block_on(authority.keys().create(&Actor::Host, Source::UNKNOWN, developer, &new)).expect("a key");
        Self { developer: developer.clone(), key: created.key.id, text: created.text }
    }
}

/// A store in memory that fails when it is told to, and counts how often it is asked.
#[derive(Debug)]
pub struct TestStore {
    faulty: Faulty<MemoryStore>,
    written: Mutex<Vec<Written>>,
}

/// What one commit did.
#[derive(Clone, Debug)]
pub struct Written {
    /// How many records it inserted, updated or removed, and how many announcements it made.
    pub changes: usize,
    /// The names of the audited actions.
    pub audited: Vec<&'static str>,
}

impl TestStore {
    fn over(memory: MemoryStore) -> Self {
        Self { faulty: Faulty::over(memory).saying(FAULT), written: Mutex::default() }
    }

    pub fn break_down(&self) {
        self.faulty.go_away();
    }

    pub fn recover(&self) {
        self.faulty.heal();
    }

    /// From now on it reads and does not write.
    pub fn refuse_writes(&self) {
        self.faulty.trouble(Calls::Writes, Trouble::Fails, 0..usize::MAX);
    }

    /// It writes again.
    pub fn allow_writes(&self) {
        self.faulty.heal();
    }

    /// What was committed so far.
    pub fn written(&self) -> Vec<Written> {
        self.written.lock().expect("a list").clone()
    }
}

impl Deref for TestStore {
    type Target = Faulty<MemoryStore>;

    fn deref(&self) -> &Self::Target {
        &self.faulty
    }
}

/// What the store says when it fails: nothing that may reach a client, nor be a line of its own in a log.
pub const FAULT: &str = "disk /dev/secret-disk is gone\r\n\u{1b}[31m ERROR forged\u{202e}\n";

#[async_trait]
impl KeyStore for TestStore {
    async fn get(&self, keys: &[RecordKey]) -> Result<Vec<Option<Stored>>, StoreError> {
        self.faulty.get(keys).await
    }

    async fn page(&self, index: &Index, after: Option<&Position>, limit: usize) -> Result<Page, StoreError> {
        self.faulty.page(index, after, limit).await
    }

    async fn changes(&self, after: FeedPosition, limit: usize) -> Result<FeedPage, StoreError> {
        self.faulty.changes(after, limit).await
    }

    async fn commit(&self, set: ChangeSet) -> Result<Committed, StoreError> {
        let changes = set.insert.len() + set.update.len() + set.remove.len() + set.feed.len();
        let audited = set.audit.iter().map(|draft| draft.action.name()).collect();
        let committed = self.faulty.commit(set).await?;
        self.written.lock().expect("a list").push(Written { changes, audited });
        Ok(committed)
    }

    async fn prune(&self, before: UnixTime, limit: usize) -> Result<Pruned, StoreError> {
        self.faulty.prune(before, limit).await
    }

    async fn scan(&self, after: Option<&Position>, limit: usize) -> Result<Page, StoreError> {
        self.faulty.scan(after, limit).await
    }

    async fn load(&self, rows: Vec<Row>) -> Result<(), StoreError> {
        self.faulty.load(rows).await
    }

    fn sharing(&self) -> Sharing {
        self.faulty.sharing()
    }
}
