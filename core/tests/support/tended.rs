//! Authorities whose upkeep is run by hand, round by round, over a store that can fail and a clock that the test moves.
#![allow(dead_code, unreachable_pub, reason = "every test crate takes what it needs")]

use std::future::{Future, poll_fn};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_executor::block_on;
use latchbook_core::authority::{Actor, Authority, AuthorityBuilder, Exchange, Limits, Presented};
use latchbook_core::check::NewKey;
use latchbook_core::clock::Clock;
use latchbook_core::jose::SigningPair;
use latchbook_core::key_store::{KeyStore, KeyStoreExt as _, MemoryStore, Sharing, StoreError};
use latchbook_core::model::{
    Algorithm, AuditEvent, ChainId, ChangeSet, Committed, DeveloperId, DeveloperRef, EnvironmentName, FeedPage,
    FeedPosition, Index, Metadata, Page, Position, Pruned, RecordKey, Row, ScopeSet, SecretText, SigningKey,
    SigningKeyId, SigningKeyState, Source, Stored, UnixTime,
};
use latchbook_core::{MasterKey, Refusal};

#[path = "../authority/support/clock.rs"]
mod clock;

pub use clock::{HOUR, START, TestClock, Upkeep};

pub const LIVE: EnvironmentName = EnvironmentName::LIVE;
pub const SYSTEM: ChainId = ChainId::System(LIVE);
pub const MINUTE: u64 = 60;
pub const DAY: u64 = 86_400;

/// A store in memory that can be replaced, whose commits can be made to fail, and which lets others go first after each read of a list.
#[derive(Debug)]
pub struct TestStore {
    inner: Mutex<Arc<MemoryStore>>,
    failing: AtomicBool,
    yields: bool,
}

impl TestStore {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: Mutex::new(Arc::new(MemoryStore::new())),
            failing: AtomicBool::new(false),
            yields: false,
        })
    }

    /// One for several processes.
    pub fn shared() -> Arc<Self> {
        Arc::new(Self {
            inner: Mutex::new(Arc::new(MemoryStore::shared())),
            failing: AtomicBool::new(false),
            yields: true,
        })
    }

    pub fn inner(&self) -> Arc<MemoryStore> {
        Arc::clone(&self.inner.lock().unwrap())
    }

    /// Puts another store in its place, under whoever uses it.
    pub fn replace(&self, other: MemoryStore) {
        *self.inner.lock().unwrap() = Arc::new(other);
    }

    pub fn fail(&self, failing: bool) {
        self.failing.store(failing, Ordering::SeqCst);
    }

    pub fn keys(&self, environment: EnvironmentName) -> Vec<SigningKey> {
        let keys = block_on(self.inner().signing_keys()).unwrap();
        keys.into_iter().map(|(key, _)| key).filter(|key| key.environment == environment).collect()
    }

    pub fn in_state(&self, state: SigningKeyState) -> Vec<SigningKeyId> {
        self.keys(LIVE).into_iter().filter(|key| key.state == state).map(|key| key.id).collect()
    }

    pub fn active(&self) -> SigningKeyId {
        let active = self.in_state(SigningKeyState::Active);
        assert_eq!(active.len(), 1, "exactly one key is active");
        active[0].clone()
    }

    /// Every event of `chain`, oldest first.
    pub fn events(&self, chain: &ChainId) -> Vec<AuditEvent> {
        let (mut events, next) = block_on(self.inner().audit(chain, None, 100_000)).unwrap();
        assert_eq!(next, None);
        events.reverse();
        events
    }
}

#[async_trait]
impl KeyStore for TestStore {
    async fn get(&self, keys: &[RecordKey]) -> Result<Vec<Option<Stored>>, StoreError> {
        self.inner().get(keys).await
    }

    async fn page(&self, index: &Index, after: Option<&Position>, limit: usize) -> Result<Page, StoreError> {
        let page = self.inner().page(index, after, limit).await;
        if self.yields {
            yielding().await;
        }
        page
    }

    async fn changes(&self, after: FeedPosition, limit: usize) -> Result<FeedPage, StoreError> {
        self.inner().changes(after, limit).await
    }

    async fn commit(&self, set: ChangeSet) -> Result<Committed, StoreError> {
        if self.failing.load(Ordering::SeqCst) {
            return Err(StoreError::unavailable("the disk is full"));
        }
        self.inner().commit(set).await
    }

    async fn prune(&self, before: UnixTime, limit: usize) -> Result<Pruned, StoreError> {
        self.inner().prune(before, limit).await
    }

    async fn scan(&self, after: Option<&Position>, limit: usize) -> Result<Page, StoreError> {
        self.inner().scan(after, limit).await
    }

    async fn load(&self, rows: Vec<Row>) -> Result<(), StoreError> {
        self.inner().load(rows).await
    }

    fn sharing(&self) -> Sharing {
        self.inner().sharing()
    }
}

/// An authority, and its upkeep.
pub struct Process {
    pub authority: Authority,
    upkeep: Upkeep,
}

impl Process {
    /// An authority of the one host that these tests know, after `change`.
    pub fn start(
        store: &Arc<TestStore>,
        clock: &Arc<TestClock>,
        change: impl FnOnce(AuthorityBuilder) -> AuthorityBuilder,
    ) -> Self {
        let builder = Authority::builder()
            .shared_store(Arc::clone(store) as Arc<dyn KeyStore>)
            .issuer("https://a.test")
            .master_key(master_key())
            .limits(Limits::OFF)
            .clock(Arc::clone(clock) as Arc<dyn Clock>);
        let authority = block_on(change(builder).build()).unwrap();
        let upkeep = Upkeep::of(&authority);
        Self { authority, upkeep }
    }

    /// Runs upkeep up to where it waits, for its next round or for a store that lets others go first.
    pub fn tend(&mut self) {
        assert!(self.upkeep.round(), "upkeep ends with its authority, and no sooner");
    }

    /// A developer with a key.
    pub fn developer(&self, id: &str) -> Holder {
        let developer = DeveloperRef { environment: LIVE, id: DeveloperId::parse(id).unwrap() };
        let new = NewKey {
            name: "first".to_owned(),
            scopes: ScopeSet::parse("keys:manage").unwrap(),
            expires_at: None,
            allowed_ips: Vec::new(),
            metadata: Metadata::default(),
        };
        let (actor, source) = (Actor::Host, Source::UNKNOWN);
        block_on(self.authority.developers().create(&actor, source, &developer, id)).unwrap();
        let key = block_on(self.authority.keys().create(&actor, source, &developer, &new)).unwrap();
        Holder { developer, text: key.text }
    }

    /// A token that lives as long as any may.
    pub fn token(&self, holder: &Holder) -> SecretText {
        let exchange = Exchange {
            developer: holder.developer.id.as_str(),
            api_key: &holder.text,
            entity: None,
            scope: None,
            lifetime: Some(HOUR),
            source: Source::UNKNOWN,
        };
        block_on(self.authority.exchange(&exchange)).unwrap().token
    }

    /// Whether `token` is let in.
    pub fn admits(&self, token: &str) -> Result<(), Refusal> {
        block_on(self.authority.authenticate(&Presented { token: token.as_bytes(), source: Source::UNKNOWN }))
            .map(|_| ())
    }

    /// The ids in the published key set.
    pub fn published(&self) -> Vec<SigningKeyId> {
        self.authority.public_keys(LIVE).unwrap().into_iter().map(|(id, _)| id).collect()
    }
}

/// A developer and the text of its key.
pub struct Holder {
    pub developer: DeveloperRef,
    pub text: SecretText,
}

impl Holder {
    pub fn chain(&self) -> ChainId {
        ChainId::Developer(self.developer.clone())
    }
}

pub fn master_key() -> MasterKey {
    MasterKey::from_bytes([7; 32])
}

/// A private key as an operator would bring it.
pub fn pem() -> (SecretText, SigningPair) {
    let (pair, der) = SigningPair::generate(Algorithm::EdDsa).unwrap();
    let text = STANDARD.encode(der.expose());
    (SecretText::new(format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")), pair)
}

/// Runs both a step at a time, in turn, to their ends.
pub fn together<A: Future, B: Future>(a: A, b: B) -> (A::Output, B::Output) {
    let (mut a, mut b) = (Box::pin(a), Box::pin(b));
    let (mut from_a, mut from_b) = (None, None);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if from_a.is_none()
            && let Poll::Ready(output) = a.as_mut().poll(&mut context)
        {
            from_a = Some(output);
        }
        if from_b.is_none()
            && let Poll::Ready(output) = b.as_mut().poll(&mut context)
        {
            from_b = Some(output);
        }
        (from_a, from_b) = match (from_a, from_b) {
            (Some(a), Some(b)) => return (a, b),
            unfinished => unfinished,
        };
    }
}

/// A future that is ready when it is polled again.
fn yielding() -> impl Future<Output = ()> + Send {
    let mut polled = false;
    poll_fn(move |context| {
        if std::mem::replace(&mut polled, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
}
