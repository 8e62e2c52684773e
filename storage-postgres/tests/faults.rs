//! Faults of the server and of the way to it, and two stores on one schema.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use latchbook_core::key_store::conformance::samples;
use latchbook_core::key_store::{KeyStore, StoreError};
use latchbook_core::model::{
    Announcement, ChainId, ChangeId, ChangeSet, EnvironmentName, FeedPosition, Index, Record, RecordKey, Row, UnixTime,
};
use latchbook_postgres::PostgresStore;
use support::{Server, builder};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A change that makes an entity, announces and audits it.
fn change(number: u32) -> ChangeSet {
    let ada = samples::developer_ref("ada").unwrap();
    let id = ChangeId::from_bytes((1_000_000 + u128::from(number)).to_be_bytes());
    let mut set = ChangeSet::new(id, UnixTime::from_seconds(1_000_000));
    let entity = samples::entity(&ada, &format!("e{number}"), samples::at(1)).unwrap();
    set.insert.push(Record::Entity(entity));
    set.audit.push(samples::event(&ChainId::Developer(ada), &number.to_string()));
    let token = samples::token_id(u64::from(number)).unwrap();
    let announcement = Announcement::TokenRevoked { environment: EnvironmentName::LIVE, token };
    set.feed.push((announcement, UnixTime::MAX));
    set
}

fn key(set: &ChangeSet) -> RecordKey {
    set.insert[0].key()
}

async fn events(store: &dyn KeyStore) -> usize {
    let chain = Index::Audit(ChainId::Developer(samples::developer_ref("ada").unwrap()));
    store.page(&chain, None, 10_000).await.unwrap().rows.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn s10_a_server_that_is_killed_under_writers_loses_nothing_that_was_acknowledged() {
    let Some(mut server) = Server::own() else { return };
    let store = Arc::new(builder(&server).timeout(Duration::from_secs(5)).open().await.unwrap());
    for round in 0..3 {
        let next = Arc::new(AtomicU32::new(round * 10_000));
        let writers: Vec<_> = (0..4)
            .map(|_| {
                let (store, next) = (Arc::clone(&store), Arc::clone(&next));
                tokio::spawn(async move {
                    let mut acknowledged = Vec::new();
                    loop {
                        let set = change(next.fetch_add(1, Ordering::Relaxed));
                        match store.commit(set.clone()).await {
                            Ok(_) => acknowledged.push(set),
                            Err(StoreError::Unavailable(_)) => return (acknowledged, set),
                            Err(error) => panic!("{error:?}"),
                        }
                    }
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(300)).await;
        server.cluster().kill();
        let mut acknowledged = Vec::new();
        let mut unknown = Vec::new();
        for writer in writers {
            let (done, last) = writer.await.unwrap();
            acknowledged.extend(done);
            unknown.push(last);
        }
        assert!(matches!(store.get(&[RecordKey::Settings]).await, Err(StoreError::Unavailable(_))));
        server.cluster().run();
        // The same store goes on, and the same sets committed again settle what was not known.
        for set in &unknown {
            assert_eq!(store.commit(set.clone()).await.unwrap().id, set.id);
        }
        acknowledged.extend(unknown);
        let keys: Vec<_> = acknowledged.iter().map(key).collect();
        assert!(!keys.is_empty());
        assert!(store.get(&keys).await.unwrap().iter().all(Option::is_some), "in round {round}");
    }
    // Neither twice nor half: as many events and announcements as entities.
    let entities = Index::EntitiesOf(samples::developer_ref("ada").unwrap());
    let made = store.page(&entities, None, 100_000).await.unwrap().rows.len();
    let feed = store.changes(FeedPosition(0), 100_000).await.unwrap();
    assert_eq!((events(&*store).await, feed.entries.len()), (made.min(10_000), made));
}

#[tokio::test(flavor = "multi_thread")]
async fn s10_a_commit_whose_answer_is_lost_is_read_back() {
    let Some(server) = Server::own() else { return };
    for forwarded in [true, false] {
        let proxy = Proxy::start(server.port(), forwarded).await;
        let schema = server.schema();
        let url = server.url().replace(&server.port().to_string(), &proxy.port.to_string());
        let store = PostgresStore::builder(&url).schema(&schema).timeout(Duration::from_secs(20)).open().await.unwrap();
        for number in 0..3 {
            let set = change(number);
            proxy.cut_next.store(1, Ordering::SeqCst);
            let committed = store.commit(set.clone()).await.expect("resolved");
            assert_eq!(proxy.cut_next.load(Ordering::SeqCst), 0, "the answer was lost");
            assert_eq!(
                (committed.feed, committed.audit),
                (Some(FeedPosition(u64::from(number) + 1)), vec![u64::from(number) + 1])
            );
            assert!(store.get(&[key(&set)]).await.unwrap()[0].is_some());
        }
        assert_eq!(events(&store).await, 3);
        assert_eq!(store.changes(FeedPosition(0), 10).await.unwrap().entries.len(), 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s10_a_commit_that_no_standby_has_confirmed_is_not_acknowledged() {
    let Some(server) = Server::own() else { return };
    let store = builder(&server).timeout(Duration::from_secs(1)).open().await.unwrap();
    store.commit(change(0)).await.unwrap();
    let client = server.client().await;
    // A standby is asked for that is not there: a server that gives up waiting for it says so in a mere warning.
    client.batch_execute("ALTER SYSTEM SET synchronous_standby_names = 'absent'").await.unwrap();
    client.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    let awaited = "SELECT current_setting('synchronous_standby_names')";
    while client.query_one(awaited, &[]).await.unwrap().get::<_, &str>(0) != "absent" {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // The server heeds it once another of its processes has read it too: from then on a commit waits.
    for number in 0.. {
        let probe = server.client().await;
        let written = format!("CREATE TABLE probe_{number} ()");
        if tokio::time::timeout(Duration::from_millis(500), probe.batch_execute(&written)).await.is_err() {
            break;
        }
    }
    let set = change(1);
    for attempt in 0..3 {
        let answer = store.commit(set.clone()).await;
        assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{attempt}: {answer:?}");
    }
    client.batch_execute("ALTER SYSTEM RESET synchronous_standby_names").await.unwrap();
    client.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    // The same set again settles it, and it is done once.
    let settled = loop {
        match store.commit(set.clone()).await {
            Err(StoreError::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(100)).await,
            settled => break settled,
        }
    };
    assert_eq!(settled.unwrap().id, set.id);
    assert_eq!(events(&store).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn s5_s10_a_row_that_is_locked_by_another_is_unavailable_in_time_and_works_afterwards() {
    let Some(server) = Server::find() else { return };
    let schema = server.schema();
    let store = PostgresStore::builder(server.url()).schema(&schema).timeout(Duration::from_millis(400)).connections(2);
    let store = store.open().await.unwrap();
    store.commit(change(1)).await.unwrap();
    let mut client = server.client().await;
    let lock = client.transaction().await.unwrap();
    lock.batch_execute(&format!("SELECT * FROM {schema}.meta FOR UPDATE")).await.unwrap();
    for attempt in 0..3 {
        let answer = tokio::time::timeout(Duration::from_secs(2), store.commit(change(2))).await.expect("in time");
        assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{attempt}: {answer:?}");
    }
    // Reads need no lock.
    assert_eq!(store.changes(FeedPosition(0), 10).await.unwrap().entries.len(), 1);
    lock.rollback().await.unwrap();
    store.commit(change(2)).await.unwrap();
    assert_eq!(events(&store).await, 2);
    server.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s5_a_pool_that_is_empty_is_unavailable_in_time() {
    let Some(server) = Server::find() else { return };
    let schema = server.schema();
    let store = PostgresStore::builder(server.url()).schema(&schema).timeout(Duration::from_millis(500)).connections(1);
    let store = Arc::new(store.open().await.unwrap());
    let mut client = server.client().await;
    let lock = client.transaction().await.unwrap();
    lock.batch_execute(&format!("LOCK TABLE {schema}.entities")).await.unwrap();
    let calls: Vec<_> = (0..5)
        .map(|number| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.get(&[key(&change(number))]).await })
        })
        .collect();
    for call in calls {
        let answer = tokio::time::timeout(Duration::from_secs(3), call).await.expect("in time").unwrap();
        assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    }
    lock.rollback().await.unwrap();
    assert_eq!(store.get(&[key(&change(1))]).await.unwrap(), vec![None]);
    server.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s10_what_the_server_undoes_for_anothers_sake_is_tried_again() {
    let Some(server) = Server::find() else { return };
    let schema = server.schema();
    let store = PostgresStore::builder(server.url()).schema(&schema).timeout(Duration::from_secs(20));
    let store = store.open().await.unwrap();
    let client = server.client().await;
    // The server itself raises the errors, twice each, as a deferred check does at the end of a transaction.
    client
        .batch_execute(&format!(
            "CREATE SEQUENCE {schema}.tries;
             CREATE FUNCTION {schema}.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 CASE nextval('{schema}.tries')
                     WHEN 1, 3 THEN RAISE EXCEPTION 'not now' USING ERRCODE = '40001';
                     WHEN 2, 4 THEN RAISE EXCEPTION 'not now' USING ERRCODE = '40P01';
                     ELSE RETURN NULL;
                 END CASE;
             END $$;
             CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON {schema}.entities DEFERRABLE INITIALLY DEFERRED
                 FOR EACH ROW EXECUTE FUNCTION {schema}.refuse();"
        ))
        .await
        .unwrap();
    let committed = store.commit(change(1)).await.unwrap();
    assert_eq!((committed.feed, committed.audit), (Some(FeedPosition(1)), vec![1]));
    let tries = client.query_one(&format!("SELECT last_value FROM {schema}.tries"), &[]).await.unwrap();
    assert_eq!(tries.get::<_, i64>(0), 5);
    // Not for ever.
    let always = "BEGIN RAISE EXCEPTION 'not now' USING ERRCODE = '40001'; END";
    let always = format!(
        "CREATE OR REPLACE FUNCTION {schema}.refuse() RETURNS trigger LANGUAGE plpgsql AS '{}'",
        always.replace('\'', "''")
    );
    client.batch_execute(&always).await.unwrap();
    assert!(matches!(store.commit(change(2)).await, Err(StoreError::Unavailable(_))));
    assert_eq!(store.get(&[key(&change(2))]).await.unwrap(), vec![None]);
    server.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s10_changes_that_lock_rows_against_each_other_all_end() {
    let Some(server) = Server::find() else { return };
    let schema = server.schema();
    let open = || PostgresStore::builder(server.url()).schema(&schema).timeout(Duration::from_secs(20)).open();
    let stores = [Arc::new(open().await.unwrap()), Arc::new(open().await.unwrap())];
    let [first, _] = &stores;
    let developers: Vec<_> = ["ada", "bob", "eve"].map(|id| samples::developer_ref(id).unwrap()).into();
    let mut set = ChangeSet::new(ChangeId::from_bytes([9; 16]), samples::at(1));
    set.insert = developers.iter().map(|one| Record::Developer(samples::developer(one))).collect();
    first.commit(set.clone()).await.unwrap();
    let mut calls = Vec::new();
    for number in 0..60_usize {
        let mut set = change(u32::try_from(number).unwrap());
        // Each relies on two developers and writes the third.
        let order = [number % 3, (number + 1) % 3, (number + 2) % 3];
        set.update.push(Record::Developer(samples::developer(&developers[order[0]])));
        let store = Arc::clone(&stores[number % 2]);
        let keys: Vec<_> = order[1..].iter().map(|at| RecordKey::Developer(developers[*at].clone())).collect();
        calls.push(tokio::spawn(async move {
            loop {
                for stored in store.get(&keys).await.unwrap().into_iter().flatten() {
                    set.expect.retain(|other| other.key != stored.record.key());
                    set.expect(&stored);
                }
                match store.commit(set.clone()).await {
                    Ok(_) => return,
                    Err(StoreError::Conflict) => {}
                    Err(error) => panic!("{error:?}"),
                }
            }
        }));
    }
    for call in calls {
        tokio::time::timeout(Duration::from_secs(60), call).await.expect("an end").unwrap();
    }
    assert_eq!(events(&**first).await, 60);
    server.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r4_a_revocation_in_one_store_is_read_by_the_other_at_once() {
    let Some(server) = Server::find() else { return };
    let schema = server.schema();
    let open = || PostgresStore::builder(server.url()).schema(&schema).timeout(Duration::from_secs(20)).open();
    let (one, other) = (open().await.unwrap(), open().await.unwrap());
    for number in 0..50 {
        let committed = one.commit(change(number)).await.unwrap();
        let page = other.changes(FeedPosition(u64::from(number)), 10).await.unwrap();
        assert_eq!((Some(page.head), page.entries.len()), (committed.feed, 1));
    }
    server.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r5_the_same_creation_in_two_stores_at_once_makes_one_row() {
    let Some(server) = Server::find() else { return };
    let schema = server.schema();
    let open = || PostgresStore::builder(server.url()).schema(&schema).timeout(Duration::from_secs(20)).open();
    let (one, other) = (open().await.unwrap(), open().await.unwrap());
    for number in 0..30 {
        let set = change(number);
        // Another change that makes the same, one that relies on its not being made, and a repetition of the first.
        let again = ChangeSet { id: change(number + 1000).id, ..set.clone() };
        let mut relying = ChangeSet { insert: Vec::new(), ..change(number + 2000) };
        relying.expect_none(key(&set));
        let (first, second, third, repeated) = tokio::join!(
            one.commit(set.clone()),
            other.commit(again),
            other.commit(relying),
            other.commit(set.clone())
        );
        let won = [&first, &second].iter().filter(|answer| answer.is_ok()).count();
        assert_eq!(won, 1, "{first:?} {second:?}");
        match (&first, &repeated) {
            (Ok(first), Ok(repeated)) => assert_eq!(first, repeated),
            (Err(StoreError::Conflict), Err(StoreError::Conflict)) => {}
            other => panic!("{other:?}"),
        }
        // Whoever relied on the absence came before whoever ended it.
        if let Ok(third) = third {
            let winner = first.or(second).unwrap();
            assert!(third.feed < winner.feed, "{third:?} {winner:?}");
        }
    }
    let entities = Index::EntitiesOf(samples::developer_ref("ada").unwrap());
    let rows = one.page(&entities, None, 1000).await.unwrap().rows;
    assert_eq!(rows.iter().filter(|row| matches!(row, Row::Record(_))).count(), 30);
    server.clean().await;
}

/// Stands between a store and the server, and can lose the answer to the next `COMMIT`.
struct Proxy {
    port: u16,
    cut_next: Arc<AtomicU32>,
}

impl Proxy {
    /// With `forwarded`, the server gets the `COMMIT` whose answer is lost; else it does not.
    async fn start(server: u16, forwarded: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let cut_next = Arc::new(AtomicU32::new(0));
        let cut = Arc::clone(&cut_next);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let cut = Arc::clone(&cut);
                let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                tokio::spawn(relay(client, server, cut, forwarded));
            }
        });
        Self { port, cut_next }
    }
}

async fn relay(mut client: TcpStream, mut server: TcpStream, cut: Arc<AtomicU32>, forwarded: bool) {
    let (mut asked, mut answered) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(length @ 1..) = read else { return };
                let message = &asked[..length];
                if message.windows(7).any(|part| part == b"COMMIT\0") && cut.swap(0, Ordering::SeqCst) == 1 {
                    if forwarded {
                        server.write_all(message).await.unwrap();
                        // The server has done it once it answers.
                        let _ = server.read(&mut answered).await;
                    }
                    return;
                }
                if server.write_all(message).await.is_err() { return }
            }
            read = server.read(&mut answered) => {
                let Ok(length @ 1..) = read else { return };
                if client.write_all(&answered[..length]).await.is_err() { return }
            }
        }
    }
}
