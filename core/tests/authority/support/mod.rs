//! A house to test in: an authority over a store in memory, a clock that the test moves, and a host's shorthand.

mod clock;
mod store;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_executor::block_on;
use latchbook_core::authority::{
    Actor, Authority, AuthorityBuilder, Client, EntityContext, Exchange, Fault, Issued, KeyView, Limits, NewEntity,
    OpenedSandbox, Presented, PresentedClient, Principal, Refusal, SandboxActor, SandboxOrder, TokenExchange,
};
use latchbook_core::check::{EntityRule, NewKey};
use latchbook_core::clock::Clock;
use latchbook_core::jose::SigningPair;
use latchbook_core::key_store::{KeyStoreExt as _, MemoryStore};
use latchbook_core::model::{
    AccessClaims, Algorithm, AuditEvent, ChainId, DeveloperId, DeveloperRef, EntityId, EntityRef, EnvironmentName,
    KeyId, Metadata, Rejection, RevokedBy, SandboxPreferences, ScopeSet, SecretText, SigningKey, SigningKeyId,
    SigningKeyState, Source,
};
use latchbook_core::seal::MasterKey;

pub use clock::{HOUR, START, TestClock, Upkeep, YEAR};
pub use store::{Calls, TestStore, Trouble};

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
pub const ISSUER: &str = "https://api.example.com";
pub const LIVE: EnvironmentName = EnvironmentName::LIVE;
pub const SANDBOX: EnvironmentName = EnvironmentName::SANDBOX;

/// What the host's own code says of itself.
pub const HOST: Actor<'static> = Actor::Host;
pub const NOWHERE: Source = Source::UNKNOWN;

/// One node: an authority, its way to the store, and its machine's clock.
pub struct House {
    pub authority: Authority,
    pub store: Arc<TestStore>,
    pub clock: Arc<TestClock>,
}

/// A developer and one of its keys.
#[derive(Clone)]
pub struct Holder {
    pub developer: DeveloperRef,
    pub key: KeyId,
    pub text: SecretText,
}

impl House {
    /// An authority that has the store to itself.
    pub fn new() -> Self {
        Self::with(|builder| builder)
    }

    pub fn with(change: impl FnOnce(AuthorityBuilder) -> AuthorityBuilder) -> Self {
        let store = TestStore::over(Arc::new(MemoryStore::new()));
        Self::open(store, Arc::new(TestClock::at(START)), change)
    }

    /// An authority that shares its store with others.
    pub fn shared() -> Self {
        let store = TestStore::over(Arc::new(MemoryStore::shared()));
        Self::open(store, Arc::new(TestClock::at(START)), |builder| builder)
    }

    /// Another node: with its own way to the same store, and its own clock, `ahead` by so many seconds.
    pub fn another(&self, ahead: u64) -> Self {
        let clock = TestClock::at(self.clock.now().seconds() + ahead);
        Self::open(TestStore::over(Arc::clone(self.store.inner())), Arc::new(clock), |builder| builder)
    }

    /// The same node after a restart at the wall clock's `at`.
    pub fn restarted(&self, at: u64) -> Self {
        Self::open(TestStore::over(Arc::clone(self.store.inner())), Arc::new(TestClock::at(at)), |builder| builder)
    }

    /// An authority without the master key.
    pub fn verifying(store: Arc<TestStore>, clock: Arc<TestClock>) -> Self {
        let authority = block_on(keyless(&store, &clock).build()).expect("an authority");
        Self { authority, store, clock }
    }

    /// The same node, to act with while it is at work.
    pub fn twin(&self) -> Self {
        let (store, clock) = (Arc::clone(&self.store), Arc::clone(&self.clock));
        Self { authority: self.authority.clone(), store, clock }
    }

    pub fn open(
        store: Arc<TestStore>,
        clock: Arc<TestClock>,
        change: impl FnOnce(AuthorityBuilder) -> AuthorityBuilder,
    ) -> Self {
        let builder = change(builder(&store, &clock));
        let authority = block_on(builder.build()).expect("an authority");
        Self { authority, store, clock }
    }

    /// A new developer in `live`, with a key that holds every scope.
    pub fn holder(&self, id: &str) -> Holder {
        self.holder_in(LIVE, id)
    }

    pub fn holder_in(&self, environment: EnvironmentName, id: &str) -> Holder {
        let developer = developer(environment, id);
        block_on(self.authority.developers().create(&HOST, NOWHERE, &developer, id)).expect("a developer");
        self.key_of(&developer, |_| {})
    }

    /// A key of `developer` with every scope, after `change`.
    pub fn key_of(&self, developer: &DeveloperRef, change: impl FnOnce(&mut NewKey)) -> Holder {
        let mut new = new_key(ALL_SCOPES);
        change(&mut new);
        let created = block_on(self.authority.keys().create(&HOST, NOWHERE, developer, &new)).expect("a key");
        Holder { developer: developer.clone(), key: created.key.id, text: created.text }
    }

    pub fn key_view(&self, holder: &Holder) -> KeyView {
        block_on(self.authority.keys().get(&holder.developer, holder.key)).expect("a key")
    }

    /// A new entity of `holder`.
    pub fn entity(&self, holder: &Holder, id: &str) -> EntityRef {
        let new = NewEntity { id: Some(entity(id)), legal_name: format!("{id} Inc.") };
        let entities = self.authority.entities();
        block_on(entities.create(&HOST, NOWHERE, &holder.developer, &new)).expect("an entity").reference
    }

    pub fn remove_entity(&self, entity: &EntityRef) {
        block_on(self.authority.entities().remove(&HOST, NOWHERE, entity)).expect("removed");
    }

    pub fn revoke_key(&self, holder: &Holder) -> Result<(), Refusal> {
        block_on(self.authority.keys().revoke(&HOST, NOWHERE, &holder.developer, holder.key))
    }

    pub fn suspend(&self, holder: &Holder) -> Result<(), Refusal> {
        block_on(self.authority.developers().suspend(&HOST, NOWHERE, &holder.developer))
    }

    pub fn resume(&self, holder: &Holder) -> Result<(), Refusal> {
        block_on(self.authority.developers().resume(&HOST, NOWHERE, &holder.developer))
    }

    pub fn revoke_token(&self, token: &str) -> Result<(), Refusal> {
        self.revoke_token_of(&self.admit(token)?)
    }

    /// Revokes the one token that was let in.
    pub fn revoke_token_of(&self, principal: &Principal) -> Result<(), Refusal> {
        let (developer, id, end) = (principal.developer(), principal.token_id(), principal.expires_at());
        block_on(self.authority.revocation().token(&HOST, NOWHERE, developer, id, end))
    }

    pub fn exchange(&self, holder: &Holder) -> Result<Issued, Refusal> {
        self.exchange_with(holder, |_| {})
    }

    pub fn exchange_with<'a>(
        &self,
        holder: &'a Holder,
        change: impl FnOnce(&mut Exchange<'a>),
    ) -> Result<Issued, Refusal> {
        let mut exchange = Exchange {
            developer: holder.developer.id.as_str(),
            api_key: &holder.text,
            entity: None,
            scope: None,
            lifetime: None,
            source: NOWHERE,
        };
        change(&mut exchange);
        block_on(self.authority.exchange(&exchange))
    }

    /// A developer token.
    pub fn token(&self, holder: &Holder) -> String {
        self.exchange(holder).expect("a token").token.expose().to_owned()
    }

    /// A developer token that lives for so many seconds.
    pub fn token_for(&self, holder: &Holder, lifetime: u64) -> String {
        let issued = self.exchange_with(holder, |exchange| exchange.lifetime = Some(lifetime));
        issued.expect("a token").token.expose().to_owned()
    }

    pub fn entity_token(&self, holder: &Holder, entity: &str) -> String {
        let issued = self.exchange_with(holder, |exchange| exchange.entity = Some(entity));
        issued.expect("a token").token.expose().to_owned()
    }

    /// The token that `token` is exchanged for, after `change` of what is asked for.
    pub fn narrow<'a>(&self, token: &'a str, change: impl FnOnce(&mut TokenExchange<'a>)) -> Result<Issued, Refusal> {
        let mut exchange = TokenExchange {
            subject_token: token.as_bytes(),
            client: None,
            entity: None,
            scope: None,
            lifetime: None,
            source: NOWHERE,
        };
        change(&mut exchange);
        block_on(self.authority.exchange_token(&exchange))
    }

    /// `holder` as a client of the OAuth endpoints.
    pub fn client(&self, holder: &Holder) -> Result<Client, Refusal> {
        let presented =
            PresentedClient { developer: holder.developer.id.as_str(), api_key: &holder.text, source: NOWHERE };
        block_on(self.authority.authenticate_client(&presented))
    }

    /// What `holder` is told of `token`.
    pub fn introspect(&self, holder: &Holder, token: &str) -> Result<Option<AccessClaims<'static>>, Refusal> {
        block_on(self.authority.introspect(&self.client(holder)?, token.as_bytes()))
    }

    pub fn admit(&self, token: &str) -> Result<Principal, Refusal> {
        block_on(self.authority.authenticate(&Presented { token: token.as_bytes(), source: NOWHERE }))
    }

    /// The entity that a request with `token` is let in for, naming `requested`.
    pub fn reach(&self, token: &str, requested: Option<&str>) -> Result<EntityContext, Refusal> {
        let principal = self.admit(token)?;
        block_on(self.authority.entity(&principal, requested.map(entity).as_ref(), EntityRule::Implied))
    }

    pub fn open_sandbox(&self, order: &SandboxOrder) -> Result<OpenedSandbox, Refusal> {
        block_on(self.authority.sandboxes().create(&SandboxActor::Host, NOWHERE, order))
    }

    /// The events of a chain, oldest first, read past the authority.
    pub fn events(&self, chain: &ChainId) -> Vec<AuditEvent> {
        let (mut events, _) = block_on(self.store.inner().audit(chain, None, 10_000)).expect("memory");
        events.reverse();
        events
    }

    /// The signing keys, read past the authority.
    pub fn signing_keys(&self, environment: EnvironmentName) -> Vec<SigningKey> {
        let keys = block_on(self.store.inner().signing_keys()).expect("memory");
        keys.into_iter().map(|(key, _)| key).filter(|key| key.environment == environment).collect()
    }

    /// The one that signs.
    pub fn signing_key(&self, environment: EnvironmentName) -> SigningKey {
        let mut keys = self.signing_keys(environment);
        keys.retain(|key| key.state == SigningKeyState::Active);
        assert_eq!(keys.len(), 1, "exactly one signing key is active");
        keys.remove(0)
    }

    pub fn retire(&self, environment: EnvironmentName) -> Result<(), Refusal> {
        let id = self.signing_key(environment).id;
        block_on(self.authority.signing_keys().retire_now(environment, &id))
    }
}

/// What every authority here is built with.
pub fn builder(store: &Arc<TestStore>, clock: &Arc<TestClock>) -> AuthorityBuilder {
    keyless(store, clock).master_key(MasterKey::from_bytes([7; 32]))
}

/// The same without a master key.
pub fn keyless(store: &Arc<TestStore>, clock: &Arc<TestClock>) -> AuthorityBuilder {
    Authority::builder()
        .store(Arc::clone(store))
        .issuer(ISSUER)
        .scopes(scopes::ALL)
        .clock(Arc::clone(clock) as Arc<dyn Clock>)
        .limits(Limits::OFF)
}

pub fn developer(environment: EnvironmentName, id: &str) -> DeveloperRef {
    DeveloperRef { environment, id: DeveloperId::parse(id).expect("an id") }
}

pub fn entity(id: &str) -> EntityId {
    EntityId::parse(id).expect("an id")
}

pub fn new_key(scopes: &str) -> NewKey {
    NewKey {
        name: "a key".to_owned(),
        scopes: ScopeSet::parse(scopes).expect("scopes"),
        expires_at: None,
        allowed_ips: Vec::new(),
        metadata: Metadata::default(),
    }
}

pub fn order(developer_id: &str) -> SandboxOrder {
    SandboxOrder {
        environment: SANDBOX,
        name: "Acme".to_owned(),
        developer_id: developer_id.to_owned(),
        industry: None,
        preferences: SandboxPreferences::default(),
        idempotency_key: None,
    }
}

pub fn idempotent(developer_id: &str, key: char) -> SandboxOrder {
    SandboxOrder { idempotency_key: Some(SecretText::new(key.to_string().repeat(40))), ..order(developer_id) }
}

/// A fresh private key as PKCS#8 PEM, with its id.
pub fn pem(algorithm: Algorithm) -> (SecretText, SigningKeyId) {
    let (pair, private) = SigningPair::generate(algorithm).expect("a key");
    let body = STANDARD.encode(private.expose());
    let lines: Vec<_> = body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("a key")).collect();
    let text = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"));
    (SecretText::new(text), pair.id().clone())
}

/// Why it was refused.
#[track_caller]
pub fn rejection<T>(result: Result<T, Refusal>) -> Rejection {
    match result {
        Ok(_) => panic!("not refused"),
        Err(Refusal::Rejected(rejection)) => rejection,
        Err(Refusal::Fault(fault)) => panic!("a fault: {fault}"),
    }
}

/// What was revoked.
#[track_caller]
pub fn revoked<T>(result: Result<T, Refusal>) -> RevokedBy {
    match rejection(result) {
        Rejection::Revoked { by } => by,
        other => panic!("not revoked: {other:?}"),
    }
}

/// What failed.
#[track_caller]
pub fn fault<T>(result: Result<T, Refusal>) -> Fault {
    match result {
        Ok(_) => panic!("it was done"),
        Err(Refusal::Rejected(rejection)) => panic!("an answer: {}", rejection.reason()),
        Err(Refusal::Fault(fault)) => fault,
    }
}
