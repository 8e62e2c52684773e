//! The store on PostgreSQL passes every check that a store must pass.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::sync::Arc;

use deadpool_postgres::{Manager, Pool};
use latchbook_core::key_store::{KeyStore, conformance};
use latchbook_postgres::PostgresStore;
use support::{Server, builder};

#[tokio::test(flavor = "multi_thread")]
async fn a_store_on_postgresql_conforms() {
    let Some(server) = Server::find() else { return };
    conformance::run(async || builder(&server).open().await).await.expect("as a value");
    server.clean().await;
}

#[tokio::test]
async fn a_store_on_the_hosts_own_pool_conforms_behind_a_pointer() {
    let Some(server) = Server::find() else { return };
    let manager = Manager::new(server.url().parse().unwrap(), tokio_postgres::NoTls);
    let pool = Pool::builder(manager).max_size(8).build().unwrap();
    let fresh = async || {
        let store = PostgresStore::from_pool(pool.clone()).schema(&server.schema());
        store.timeout(std::time::Duration::from_secs(20)).open().await.map(|store| Arc::new(store) as Arc<dyn KeyStore>)
    };
    conformance::run(fresh).await.expect("as a pointer");
    server.clean().await;
}

#[tokio::test]
async fn a_store_on_postgresql_answers_as_the_model_does() {
    let Some(server) = Server::find() else { return };
    conformance::model(async || builder(&server).open().await, 40).await.expect("the same answers");
    server.clean().await;
}
