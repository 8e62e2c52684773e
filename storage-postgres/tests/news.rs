//! A process is told by the server that another announced something, and needs no such telling.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use latchbook_core::authority::{Exchange, Presented};
use latchbook_core::check::NewKey;
use latchbook_core::clock::{Clock, Sleep, SystemClock};
use latchbook_core::key_store::KeyStore as _;
use latchbook_core::model::{DeveloperId, KeyId, Metadata, ScopeSet, SecretText, UnixTime};
use latchbook_core::{Actor, Authority, DeveloperRef, EnvironmentName, MasterKey, Source};
use latchbook_postgres::{PostgresStore, PostgresStoreBuilder};
use support::Server;

const SOURCE: Source = Source::UNKNOWN;
const HOUR: Duration = Duration::from_secs(3600);
/// Long past what anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// The system's clock, on which no pause between rounds of upkeep ever ends.
#[derive(Debug, Default)]
struct Endless {
    clock: SystemClock,
    pauses: AtomicU32,
}

impl Clock for Endless {
    fn now(&self) -> UnixTime {
        self.clock.now()
    }

    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        if duration < Duration::from_millis(100) {
            return self.clock.sleep(duration);
        }
        self.pauses.fetch_add(1, Ordering::SeqCst);
        Box::pin(std::future::pending())
    }
}

async fn until<F: Future<Output = bool>>(what: &str, is_so: impl Fn() -> F) {
    let wait = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect(what);
}

async fn authority(store: PostgresStore, clock: Arc<dyn Clock>, max_staleness: Duration) -> Authority {
    let authority = Authority::builder().store(store).issuer("https://api.example.com").clock(clock);
    authority.master_key(MasterKey::from_bytes([7; 32])).max_staleness(max_staleness).build().await.unwrap()
}

fn acme() -> DeveloperRef {
    DeveloperRef { environment: EnvironmentName::LIVE, id: DeveloperId::parse("acme").unwrap() }
}

/// Two authorities on one schema; what the first revokes, the second must refuse.
struct Two {
    one: Authority,
    other: Authority,
    upkeep: tokio::task::JoinHandle<()>,
}

impl Two {
    /// The second one's upkeep has read the feed, and waits.
    async fn told(open: impl Fn() -> PostgresStoreBuilder) -> Self {
        let clock = Arc::new(Endless::default());
        let two = Self::new(open, Arc::clone(&clock) as _, HOUR).await;
        until("upkeep waits", async || clock.pauses.load(Ordering::SeqCst) == 1).await;
        two
    }

    async fn new(open: impl Fn() -> PostgresStoreBuilder, clock: Arc<dyn Clock>, max_staleness: Duration) -> Self {
        let one = authority(open().open().await.unwrap(), Arc::new(SystemClock::new()), HOUR).await;
        one.developers().create(&Actor::Host, SOURCE, &acme(), "Acme").await.unwrap();
        let other = authority(open().open().await.unwrap(), clock, max_staleness).await;
        let upkeep = tokio::spawn(other.upkeep());
        Self { one, other, upkeep }
    }

    /// A key, and a token of it that both take.
    async fn token(&self) -> (KeyId, SecretText) {
        let new = NewKey {
            name: "a key".into(),
            scopes: ScopeSet::parse("audit:read").unwrap(),
            expires_at: None,
            allowed_ips: Vec::new(),
            metadata: Metadata::default(),
        };
        let made = self.one.keys().create(&Actor::Host, SOURCE, &acme(), &new).await.unwrap();
        let exchange = Exchange {
            developer: "acme",
            api_key: &made.text,
            entity: None,
            scope: None,
            lifetime: None,
            source: SOURCE,
        };
        let token = self.one.exchange(&exchange).await.unwrap().token;
        assert!(self.takes(&token).await);
        (made.key.id, token)
    }

    async fn takes(&self, token: &SecretText) -> bool {
        let token = token.expose().as_bytes();
        self.other.authenticate(&Presented { token, source: SOURCE }).await.is_ok()
    }

    async fn a_revocation_arrives(&self) {
        let (key, token) = self.token().await;
        self.one.keys().revoke(&Actor::Host, SOURCE, &acme(), key).await.unwrap();
        until("the revocation arrives", async || !self.takes(&token).await).await;
    }
}

impl Drop for Two {
    fn drop(&mut self) {
        self.upkeep.abort();
    }
}

/// The server processes that listen on `schema`.
async fn listeners(client: &tokio_postgres::Client, schema: &str) -> Vec<i32> {
    let listening = "SELECT pid FROM pg_stat_activity WHERE query = 'LISTEN \"' || $1 || '\"'";
    client.query(listening, &[&schema]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn r4_a_revocation_reaches_an_authority_that_only_the_server_can_wake() {
    let Some(server) = Server::find() else { return };
    let schema = server.schema();
    let two = Two::told(|| PostgresStore::builder(server.url()).schema(&schema).timeout(PATIENCE)).await;
    for _ in 0..5 {
        two.a_revocation_arrives().await;
    }
    drop(two);
    // A store that is dropped listens no more.
    let client = server.client().await;
    until("the listeners end", async || listeners(&client, &schema).await.is_empty()).await;
    server.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s10_a_listener_whose_connection_was_cut_connects_again() {
    let Some(server) = Server::find() else { return };
    let schema = server.schema();
    let open = || PostgresStore::builder(server.url()).schema(&schema).timeout(PATIENCE);
    let two = Two::told(open).await;
    let client = server.client().await;
    let before = listeners(&client, &schema).await;
    assert_eq!(before.len(), 2);
    client.execute("SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid", &[&before]).await.unwrap();
    // Commits and reads do not mind.
    two.token().await;
    until("both listen again", async || {
        let now = listeners(&client, &schema).await;
        now.len() == 2 && now.iter().all(|pid| !before.contains(pid))
    })
    .await;
    // The first may still be read because of the new connection, the second is not.
    two.a_revocation_arrives().await;
    two.a_revocation_arrives().await;
    server.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r4_without_notifications_revocations_arrive_by_the_feed() {
    let Some(server) = Server::find() else { return };
    let schema = server.schema();
    let open = || PostgresStore::builder(server.url()).schema(&schema).timeout(PATIENCE).notifications(false);
    assert!(open().open().await.unwrap().news().is_none());
    let two = Two::new(open, Arc::new(SystemClock::new()), Duration::from_secs(5)).await;
    assert_eq!(listeners(&server.client().await, &schema).await, Vec::<i32>::new());
    two.a_revocation_arrives().await;
    server.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s10_a_server_that_refuses_to_notify_takes_changes_all_the_same() {
    let Some(server) = Server::own() else { return };
    let client = server.client().await;
    client
        .batch_execute(
            "CREATE ROLE plain LOGIN PASSWORD 'plain'; GRANT CREATE ON DATABASE postgres TO plain;
             REVOKE EXECUTE ON FUNCTION pg_catalog.pg_notify(text, text) FROM PUBLIC",
        )
        .await
        .unwrap();
    let url = format!("postgres://plain:plain@127.0.0.1:{}/postgres", server.port());
    let schema = server.schema();
    let open = || PostgresStore::builder(&url).schema(&schema).timeout(PATIENCE);
    let two = Two::new(open, Arc::new(SystemClock::new()), Duration::from_secs(5)).await;
    assert_eq!(listeners(&client, &schema).await.len(), 2);
    two.a_revocation_arrives().await;
    two.a_revocation_arrives().await;
}
