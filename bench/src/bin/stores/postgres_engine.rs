//! PostgreSQL, a throw-away server with durable commits, and the store on it.

use std::collections::HashMap;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;

use futures_util::future::try_join_all;
use latchbook::PostgresStore;
use latchbook::model::{
    AuditEvent, ChainId, ChangeId, ChangeSet, FIRST_LINK, Index, KeyId, Record, RecordKey, UnixTime,
};
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls, Statement};

use crate::engine::Engine;
use crate::server::Server;
use crate::{Failure, fill};

pub struct Postgres {
    runtime: Runtime,
    store: Arc<PostgresStore>,
    schema: String,
    reader: (Client, Statement),
    writers: Vec<Writer>,
    // The last to go: its drop ends the server.
    _server: Server,
}

/// The rows of one change.
pub struct Rows {
    key: latchbook::model::ApiKey,
    place: Vec<u8>,
    change: ChangeId,
    at: UnixTime,
    event: AuditEvent,
}

impl Engine for Postgres {
    type Store = PostgresStore;
    type Rows = Rows;
    const NAME: &'static str = "PostgreSQL";
    const BATCHES: bool = false;

    fn filled(_: &Path, keys: u64) -> Result<Self, Failure> {
        let mut server = Server::own().ok_or("no PostgreSQL is installed")?;
        server.cluster().kill();
        server.cluster().settings.extend(["fsync=on", "shared_buffers=1GB", "max_wal_size=4GB"]);
        server.cluster().run();
        let runtime = Runtime::new()?;
        let schema = server.schema();
        let opened = PostgresStore::builder(server.url()).schema(&schema).timeout(PATIENCE).open();
        let store = Arc::new(runtime.block_on(opened)?);
        runtime.block_on(fill(&*store, keys))?;
        let (reader, writers) = runtime.block_on(async {
            let client = connect(server.url()).await?;
            client.batch_execute("VACUUM ANALYZE").await?;
            client.batch_execute("CHECKPOINT").await?;
            let statement = client
                .prepare(&format!(
                    "SELECT environment, developer, id, brand, name, scope, allowed_ips, metadata::text, \
                     generation::text, pepper, digest, ends_at, previous_generation::text, previous_pepper, \
                     previous_digest, previous_ends_at, created_at, expires_at, revoked_at, made_by, revision \
                     FROM {schema}.api_keys WHERE environment = $1 AND developer = $2 AND id = $3"
                ))
                .await?;
            let mut writers = Vec::with_capacity(CALLERS);
            for _ in 0..CALLERS {
                writers.push(Writer::new(connect(server.url()).await?, &schema).await?);
            }
            Ok::<_, Failure>(((client, statement), writers))
        })?;
        Ok(Self { runtime, store, schema, reader, writers, _server: server })
    }

    fn store(&self) -> &Arc<PostgresStore> {
        &self.store
    }

    fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    fn read_bare(&self, names: &[RecordKey]) -> Result<(), Failure> {
        self.runtime.block_on(async {
            let (client, statement) = &self.reader;
            for name in names {
                let RecordKey::ApiKey(developer, id) = name else { continue };
                let (environment, developer, id) = (developer.environment.as_str(), developer.id.as_str(), id.as_str());
                let row = client.query_one(statement, &[&environment, &developer, &id]).await?;
                let texts = [0, 1, 2, 3, 4, 5, 7, 8].map(|column| row.get::<_, String>(column));
                let bytes = [9, 10, 20].map(|column| row.get::<_, Vec<u8>>(column));
                let numbers = [11, 15, 16, 17, 18].map(|column| row.get::<_, Option<i64>>(column));
                let absent = (row.get::<_, Option<String>>(12), row.get::<_, Option<String>>(19));
                let bytes_absent = [13, 14].map(|column| row.get::<_, Option<Vec<u8>>>(column));
                let ranges = row.get::<_, Vec<String>>(6);
                std::hint::black_box((texts, bytes, numbers, absent, bytes_absent, ranges));
            }
            Ok(())
        })
    }

    fn rows(&self, sets: Vec<ChangeSet>) -> Result<Vec<Rows>, Failure> {
        let mut heads = HashMap::<ChainId, (u64, [u8; 32])>::new();
        let mut rows = Vec::with_capacity(sets.len());
        for mut set in sets {
            let Some(Record::ApiKey(key)) = set.insert.pop() else { continue };
            let draft = set.audit.pop().ok_or("a key is made with an event")?;
            let (number, head) = heads.get(&draft.chain).copied().unwrap_or((0, FIRST_LINK));
            let event = draft.link(number + 1, &head);
            heads.insert(event.chain.clone(), (event.number, event.link));
            let (_, place) = Index::of_record(&Record::ApiKey(key.clone())).ok_or("a key stands in a list")?;
            rows.push(Rows { key, place: place.0, change: set.id, at: set.at, event });
        }
        Ok(rows)
    }

    fn write_bare(&self, batches: Vec<Vec<Rows>>) -> Result<(), Failure> {
        let writer = self.writers.first().ok_or("no connection")?;
        self.runtime.block_on(async {
            for rows in batches.iter().flatten() {
                writer.write(rows).await?;
            }
            Ok(())
        })
    }

    fn write_bare_at_once(&self, callers: Vec<Vec<Rows>>) -> Result<(), Failure> {
        self.runtime.block_on(async {
            let callers = callers.iter().zip(&self.writers).map(|(rows, writer)| async move {
                for rows in rows {
                    writer.write(rows).await?;
                }
                Ok::<(), Failure>(())
            });
            try_join_all(callers).await.map(drop)
        })
    }

    fn disk(&self, _: &Path) -> Result<(u64, u64), Failure> {
        let schema = &self.schema;
        self.runtime.block_on(async {
            let (client, _) = &self.reader;
            // The same columns, but for those that latchbook adds for itself.
            client
                .batch_execute(&format!(
                    "CREATE SCHEMA bare;
                     CREATE TABLE bare.developers AS SELECT environment, id, name, status, epoch, created_at
                         FROM {schema}.developers WITH NO DATA;
                     ALTER TABLE bare.developers ADD PRIMARY KEY (environment, id);
                     CREATE TABLE bare.api_keys AS SELECT environment, developer, id, brand, name, scope, allowed_ips,
                         metadata, generation, pepper, digest, ends_at, previous_generation, previous_pepper,
                         previous_digest, previous_ends_at, created_at, expires_at, revoked_at, made_by
                         FROM {schema}.api_keys WITH NO DATA;
                     ALTER TABLE bare.api_keys ADD PRIMARY KEY (environment, developer, id);
                     CREATE INDEX ON bare.api_keys (environment, developer, created_at DESC, id);
                     INSERT INTO bare.developers SELECT environment, id, name, status, epoch, created_at
                         FROM {schema}.developers ORDER BY random();
                     INSERT INTO bare.api_keys SELECT environment, developer, id, brand, name, scope, allowed_ips,
                         metadata, generation, pepper, digest, ends_at, previous_generation, previous_pepper,
                         previous_digest, previous_ends_at, created_at, expires_at, revoked_at, made_by
                         FROM {schema}.api_keys ORDER BY random();"
                ))
                .await?;
            let size = format!(
                "SELECT sum(pg_total_relation_size(c.oid))::bigint FROM pg_class c JOIN pg_namespace n \
                 ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND n.nspname = $1 AND c.relname = ANY ($2)"
            );
            let tables = vec!["developers", "api_keys"];
            let mut sizes = Vec::new();
            for schema in ["bare", schema] {
                let size: i64 = client.query_one(&size, &[&schema, &tables]).await?.get(0);
                sizes.push(u64::try_from(size)?);
            }
            client.batch_execute("DROP SCHEMA bare CASCADE").await?;
            Ok((sizes[0], sizes[1]))
        })
    }
}

/// A connection that writes, with its statements ready.
struct Writer {
    client: Client,
    key: Statement,
    head: Statement,
    event: Statement,
    change: Statement,
}

impl Writer {
    async fn new(client: Client, schema: &str) -> Result<Self, Failure> {
        let key = format!(
            "INSERT INTO {schema}.api_keys (environment, developer, id, brand, name, scope, allowed_ips, metadata, \
             generation, pepper, digest, created_at, place, revision) \
             VALUES ($1, $2, $3, $4, $5, $6, '{{}}', '{{}}', 1, $7, $8, $9, $10, $11)"
        );
        let key = client.prepare(&key).await?;
        let head = format!(
            "INSERT INTO {schema}.audit_heads (environment, developer, number, link) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (environment, developer) DO UPDATE SET number = excluded.number, link = excluded.link"
        );
        let head = client.prepare(&head).await?;
        let event = client.prepare(&format!("INSERT INTO {schema}.audit_events {EVENT}")).await?;
        let change = client
            .prepare(&format!("INSERT INTO {schema}.changes (id, at, feed, audit) VALUES ($1, $2, NULL, $3)"))
            .await?;
        Ok(Self { client, key, head, event, change })
    }

    /// Everything that does not wait for an answer travels together: begin and rows, then the commit.
    async fn write(&self, rows: &Rows) -> Result<(), Failure> {
        let Rows { key, place, change, at, event } = rows;
        let (environment, developer) = (key.developer.environment.as_str(), key.developer.id.as_str());
        let id: &KeyId = &key.id;
        let (pepper, digest) = (key.current.digest.pepper.as_bytes().to_vec(), key.current.digest.value.to_vec());
        let (created, at) = (seconds(key.created_at)?, seconds(*at)?);
        let (change, link) = (change.as_bytes().to_vec(), event.link.to_vec());
        let (scope, number) = (key.grant.tokens().to_string(), i64::try_from(event.number)?);
        let id = id.as_str();
        let audit_key = event.key.as_bytes().to_vec();
        let (actor, action) = ("host", event.action.name());
        let details = format!("{:?}", event.details).replace(['(', '['], "[").replace([')', ']'], "]");
        let numbers = vec![number];
        let begin = self.client.batch_execute("BEGIN");
        let key_values: [&(dyn tokio_postgres::types::ToSql + Sync); 11] =
            [&environment, &developer, &id, &key.brand, &key.name, &scope, &pepper, &digest, &created, place, &change];
        let insert = self.client.execute(&self.key, &key_values);
        let head_values: [&(dyn tokio_postgres::types::ToSql + Sync); 4] = [&environment, &developer, &number, &link];
        let head = self.client.execute(&self.head, &head_values);
        let event_values: [&(dyn tokio_postgres::types::ToSql + Sync); 10] =
            [&environment, &developer, &number, &at, &actor, &action, &id, &details, &audit_key, &link];
        let event = self.client.execute(&self.event, &event_values);
        let change_values: [&(dyn tokio_postgres::types::ToSql + Sync); 3] = [&change, &at, &numbers];
        let change = self.client.execute(&self.change, &change_values);
        futures_util::try_join!(begin, insert, head, event, change)?;
        self.client.batch_execute("COMMIT").await?;
        Ok(())
    }
}

const EVENT: &str = "(environment, developer, number, at, actor, action, subject, details, audit_key, link) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8::text::jsonb, $9, $10)";

async fn connect(url: &str) -> Result<Client, Failure> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

fn seconds(at: UnixTime) -> Result<i64, Failure> {
    Ok(i64::try_from(at.seconds())?)
}

pub const CALLERS: usize = 64;
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);
