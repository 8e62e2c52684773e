//! How a store is opened.

use std::fmt;
use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Pool, QueueMode, RecyclingMethod};
use latchbook_core::key_store::StoreError;
use latchbook_core::model::SecretText;

use crate::address::{Address, Target};
use crate::news::Way;
use crate::store::PostgresStore;

/// Options for a [`PostgresStore`].
#[derive(Clone)]
pub struct PostgresStoreBuilder {
    origin: Origin,
    schema: String,
    timeout: Duration,
    connections: usize,
    plaintext_off_loopback: bool,
    notifications: bool,
    password: Option<SecretText>,
}

#[derive(Clone)]
enum Origin {
    Url(String),
    Pool(Pool),
}

impl PostgresStoreBuilder {
    pub(crate) fn from_url(url: &str) -> Self {
        Self::new(Origin::Url(url.to_owned()))
    }

    pub(crate) fn from_pool(pool: Pool) -> Self {
        Self::new(Origin::Pool(pool))
    }

    fn new(origin: Origin) -> Self {
        Self {
            origin,
            schema: "latchbook".to_owned(),
            timeout: Duration::from_secs(2),
            connections: 16,
            plaintext_off_loopback: false,
            notifications: true,
            password: None,
        }
    }

    /// The schema that the tables are in; `latchbook` by default. It is made where it is not there.
    #[must_use]
    pub fn schema(mut self, name: &str) -> Self {
        name.clone_into(&mut self.schema);
        self
    }

    /// The password, for a URL without one.
    #[must_use]
    pub fn password(mut self, password: SecretText) -> Self {
        self.password = Some(password);
        self
    }

    /// How long anything may take, connecting and retries included, before its caller is told
    /// [`StoreError::Unavailable`]; 2 s by default.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Most connections at once; 16 by default. A pool of the host's own keeps its size.
    #[must_use]
    pub fn connections(mut self, most: usize) -> Self {
        self.connections = most.max(1);
        self
    }

    /// Whether other processes are told at once that something was announced (`NOTIFY`), and this one listens, on a
    /// connection beside the pool; `true` by default. Nothing depends on it: without it, with a pool of the host's own and
    /// on a server that has no `LISTEN`, the change feed is read from time to time alone.
    #[must_use]
    pub fn notifications(mut self, wanted: bool) -> Self {
        self.notifications = wanted;
        self
    }

    /// Options that weaken safety.
    #[must_use]
    pub fn danger(self) -> danger::Danger {
        danger::Danger(self)
    }

    /// Opens the store; makes its tables, or brings them to this version.
    ///
    /// # Errors
    /// As [`PostgresStore::connect`].
    pub async fn open(self) -> Result<PostgresStore, StoreError> {
        let (pool, way, server) = match &self.origin {
            Origin::Pool(pool) => (pool.clone(), None, "the database of the host's pool".to_owned()),
            Origin::Url(url) => {
                let address = Address::parse(url)?;
                let way = self.way(&address)?;
                (self.pool(&way)?, self.notifications.then_some(way), address.server())
            }
        };
        let target = Target::new(server, self.schema)?;
        // Our own connections bound their statements themselves.
        let bounded = matches!(self.origin, Origin::Url(_));
        PostgresStore::start(pool, target, self.timeout, way, bounded).await
    }

    fn way(&self, address: &Address) -> Result<Way, StoreError> {
        let mut config = address.secured(self.timeout, self.plaintext_off_loopback)?;
        if let Some(password) = self.password.as_ref().filter(|_| config.get_password().is_none()) {
            config.password(password.expose());
        }
        let connector = address.connector(&config)?;
        Ok(Way { config, connector })
    }

    fn pool(&self, way: &Way) -> Result<Pool, StoreError> {
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(way.config.clone(), way.connector.clone(), recycling);
        // The pool's own connections give up by themselves, a server that hears no more of them holds no locks for long,
        // and a commit that is answered is on disk whatever the server's defaults are.
        let settings = format!(
            "SET statement_timeout = {0}; SET idle_in_transaction_session_timeout = {0}; SELECT set_config('synchronous_commit', 'on', false) \
             WHERE current_setting('synchronous_commit') = 'off'",
            self.timeout.as_millis().clamp(1, 600_000)
        );
        let hook = Hook::async_fn(move |client: &mut deadpool_postgres::ClientWrapper, _| {
            let settings = settings.clone();
            Box::pin(async move { client.batch_execute(&settings).await.map_err(HookError::Backend) })
        });
        // The connection that was used last is the next: the server's process of it has everything at hand.
        let pool =
            Pool::builder(manager).max_size(self.connections).queue_mode(QueueMode::Lifo).post_create(hook).build();
        pool.map_err(|error| StoreError::unavailable(error.to_string()))
    }
}

impl fmt::Debug for PostgresStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL holds a password.
        f.debug_struct("PostgresStoreBuilder")
            .field("schema", &self.schema)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// Options that weaken safety, apart from the others so that a reader finds them.
pub mod danger {
    use super::PostgresStoreBuilder;

    /// Options of a [`PostgresStoreBuilder`] that weaken safety.
    #[derive(Debug)]
    pub struct Danger(pub(super) PostgresStoreBuilder);

    impl Danger {
        /// Lets the connection go without TLS to another machine, where the URL or the server wants it so: whoever is
        /// on the way reads, and changes, everything.
        #[must_use]
        pub fn plaintext_off_loopback(mut self) -> PostgresStoreBuilder {
            self.0.plaintext_off_loopback = true;
            self.0
        }
    }
}
