//! Opening: what is made, by how many at once, and what is refused in which words.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::time::Duration;

use deadpool_postgres::{Manager, Pool};
use latchbook_core::key_store::conformance::samples;
use latchbook_core::key_store::{KeyStore as _, StoreError};
use latchbook_core::model::{ChangeId, ChangeSet, Record, UnixTime};
use latchbook_postgres::PostgresStore;
use support::{Server, builder};

const LONG: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_start_at_once_make_the_tables_once() {
    let Some(server) = Server::find() else { return };
    let schema = server.schema();
    let nodes: Vec<_> = (0..8)
        .map(|_| tokio::spawn(PostgresStore::builder(server.url()).schema(&schema).timeout(LONG).open()))
        .collect();
    for (number, node) in (1..).zip(nodes) {
        let store = node.await.unwrap().expect("opened");
        store.commit(ChangeSet::new(ChangeId::from_bytes([number; 16]), UnixTime::from_seconds(1))).await.unwrap();
    }
    let rows = server.client().await.query(&format!("SELECT version FROM {schema}.versions"), &[]).await.unwrap();
    assert_eq!(rows.len(), 1);
    server.clean().await;
}

#[tokio::test]
async fn a_store_that_is_opened_again_holds_everything() {
    let Some(server) = Server::find() else { return };
    let schema = server.schema();
    let open = || PostgresStore::builder(server.url()).schema(&schema).timeout(LONG).open();
    let mut set = ChangeSet::new(ChangeId::from_bytes([1; 16]), UnixTime::from_seconds(1));
    set.insert = samples::one_of_each().unwrap();
    let first = open().await.unwrap().commit(set.clone()).await.unwrap();
    let store = open().await.unwrap();
    let keys: Vec<_> = set.insert.iter().map(Record::key).collect();
    let found: Vec<_> = store.get(&keys).await.unwrap().into_iter().map(|stored| stored.unwrap().record).collect();
    assert_eq!(found, set.insert);
    assert_eq!(store.commit(set).await.unwrap(), first);
    server.clean().await;
}

#[tokio::test]
async fn s8_a_schema_of_a_newer_version_is_refused_and_left_alone() {
    let Some(server) = Server::find() else { return };
    let schema = server.schema();
    let open = || PostgresStore::builder(server.url()).schema(&schema).timeout(LONG).open();
    drop(open().await.unwrap());
    let client = server.client().await;
    let newer = format!("INSERT INTO {schema}.versions (version, format) VALUES (99, 'latchbook store')");
    client.batch_execute(&newer).await.unwrap();
    let error = open().await.expect_err("refused");
    assert!(matches!(error, StoreError::Newer(_)), "{error:?}");
    assert!(error.to_string().contains("99") && error.to_string().contains(&schema), "{error}");
    server.clean().await;
}

#[tokio::test]
async fn a_schema_with_tables_of_something_else_is_foreign_and_left_alone() {
    let Some(server) = Server::find() else { return };
    let client = server.client().await;
    for table in ["theirs (a int)", "versions (number int)", "versions (version bigint, format text)"] {
        let schema = server.schema();
        client.batch_execute(&format!("CREATE SCHEMA {schema}; CREATE TABLE {schema}.{table}")).await.unwrap();
        let error =
            PostgresStore::builder(server.url()).schema(&schema).timeout(LONG).open().await.expect_err("refused");
        assert!(matches!(error, StoreError::Foreign(_)), "{error:?}");
        assert!(error.to_string().contains(&schema) && error.to_string().contains("another schema"), "{error}");
        let tables = "SELECT 1 FROM pg_tables WHERE schemaname = $1";
        assert_eq!(client.query(tables, &[&schema]).await.unwrap().len(), 1, "{table}");
    }
    server.clean().await;
}

#[tokio::test]
async fn a_schema_may_have_any_name_and_be_made_by_another_user() {
    let Some(server) = Server::own() else { return };
    let client = server.client().await;
    client.batch_execute("CREATE ROLE guest LOGIN PASSWORD 'guest'").await.unwrap();
    let url = format!("postgres://guest:guest@127.0.0.1:{}/postgres", server.port());
    let odd = "Odd \"name\"; drop";
    let open = || PostgresStore::builder(&url).schema(odd).timeout(LONG).open();
    let error = open().await.expect_err("no right to make it");
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert!(error.to_string().contains("create the schema"), "{error}");
    client.batch_execute("CREATE SCHEMA \"Odd \"\"name\"\"; drop\" AUTHORIZATION guest").await.unwrap();
    let store = open().await.unwrap();
    assert_eq!(store.get(&[]).await.unwrap(), Vec::new());
}

#[tokio::test]
async fn l1_a_wrong_password_is_refused_without_being_shown() {
    let Some(server) = Server::own() else { return };
    let url = format!("postgres://tester:hunter2@127.0.0.1:{}/postgres", server.port());
    let refused = PostgresStore::builder(&url).timeout(LONG);
    assert!(!format!("{refused:?}").contains("hunter2"));
    let error = refused.open().await.expect_err("refused");
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("password authentication failed") && !shown.contains("hunter2"), "{shown}");
    assert!(shown.contains("lets this user in"), "{shown}");
    let store = builder(&server).open().await.unwrap();
    assert!(!format!("{store:?}").contains("horse"), "{store:?}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("postgres://tester:hunter2@127.0.0.1:{port}/postgres");
    let error = PostgresStore::connect(&url).await.expect_err("refused");
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert!(error.to_string().contains(&port.to_string()) && !error.to_string().contains("hunter2"), "{error}");
}

#[tokio::test]
async fn a_server_without_tls_off_loopback_is_refused_before_anything_is_sent() {
    let error = PostgresStore::connect("postgres://u:hunter2@192.0.2.1/d?sslmode=disable").await.expect_err("refused");
    assert!(error.to_string().contains("without TLS") && !error.to_string().contains("hunter2"), "{error}");
}

#[tokio::test]
async fn a_replica_is_refused_as_a_store() {
    let Some(server) = Server::find() else { return };
    let mut config: tokio_postgres::Config = server.url().parse().unwrap();
    // As on a standby, every transaction is read-only.
    config.options("-c default_transaction_read_only=on");
    let pool = Pool::builder(Manager::new(config, tokio_postgres::NoTls)).build().unwrap();
    let error = PostgresStore::from_pool(pool).schema(&server.schema()).open().await.expect_err("refused");
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert!(error.to_string().contains("name the primary"), "{error}");
}

#[test]
fn a_call_outside_of_a_runtime_is_answered_with_what_to_do() {
    let Some(server) = Server::find() else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = runtime.block_on(builder(&server).open()).unwrap();
    let error = futures_executor::block_on(store.get(&[])).expect_err("no runtime");
    assert!(error.to_string().contains("Tokio"), "{error}");
    runtime.block_on(server.clean());
}
