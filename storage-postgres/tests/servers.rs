//! The way to the server: TLS, and which of several servers is taken.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::time::Duration;

use latchbook_core::key_store::{KeyStore as _, StoreError};
use latchbook_core::model::{ChangeId, ChangeSet, SecretText, UnixTime};
use latchbook_postgres::PostgresStore;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use support::Server;

const LONG: Duration = Duration::from_secs(20);

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut parameters = CertificateParams::default();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_spoken_with_a_server_whose_certificate_is_right_and_with_no_other() {
    let Some(mut server) = Server::own() else { return };
    let (trusted, other) = (authority(), authority());
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["127.0.0.1".into()]).unwrap().signed_by(&key, &trusted).unwrap();
    let cluster = server.cluster();
    cluster.kill();
    cluster.put("server.crt", &certificate.pem());
    cluster.put("server.key", &key.serialize_pem());
    cluster.settings = vec!["ssl=on"];
    cluster.run();
    let folder = tempfile::tempdir().unwrap();
    let open = async |roots: &str, host: &str| {
        let file = folder.path().join("roots.pem");
        std::fs::write(&file, roots).unwrap();
        let url = server.url().replace("127.0.0.1", host);
        let url = format!("{url}?sslmode=verify-full&sslrootcert={}", file.display());
        PostgresStore::builder(&url).schema("secured").timeout(LONG).open().await
    };
    let store = open(&trusted.pem(), "127.0.0.1").await.expect("opened");
    store.commit(ChangeSet::new(ChangeId::from_bytes([1; 16]), UnixTime::from_seconds(1))).await.unwrap();
    let encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                     WHERE application_name = 'latchbook'";
    let encrypted = server.client().await.query_one(encrypted, &[]).await.unwrap();
    assert_eq!(encrypted.get::<_, Option<bool>>(0), Some(true));
    // Another's certificate, and the right one under a name that it does not hold.
    for (roots, host) in [(other.pem(), "127.0.0.1"), (trusted.pem(), "localhost")] {
        let error = open(&roots, host).await.expect_err("refused");
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
        assert!(error.to_string().contains("certificate"), "{error}");
    }
    let error = open("", "127.0.0.1").await.expect_err("no roots");
    assert!(error.to_string().contains("roots.pem"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_servers_the_one_that_takes_writes_is_used() {
    let (Some(mut standby), Some(primary)) = (Server::own(), Server::own()) else { return };
    let cluster = standby.cluster();
    cluster.kill();
    // As on a standby, every transaction is read-only.
    cluster.settings = vec!["default_transaction_read_only=on"];
    cluster.run();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let hosts = [nobody, standby.port(), primary.port()].map(|port| format!("127.0.0.1:{port}")).join(",");
    let url = format!("postgres://tester@{hosts}/postgres");
    let password = SecretText::new(support::PASSWORD.replace("%20", " "));
    let store = PostgresStore::builder(&url).password(password).timeout(LONG).open().await.expect("opened");
    store.commit(ChangeSet::new(ChangeId::from_bytes([1; 16]), UnixTime::from_seconds(1))).await.unwrap();
    let changes = primary.client().await.query_one("SELECT count(*) FROM latchbook.changes", &[]).await.unwrap();
    assert_eq!(changes.get::<_, i64>(0), 1);
}
