//! A snapshot holds one instant, and moves a store whole while changes go on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use latchbook_core::key_store::conformance::samples;
use latchbook_core::key_store::{KeyStore, MemoryStore};
use latchbook_core::model::{ChangeId, ChangeSet, Record, UnixTime};
use latchbook_core::moving::{self, Rows};
use support::{Server, builder};

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_sees_no_later_commit_while_changes_go_on() {
    let Some(server) = Server::find() else { return };
    let store = builder(&server).open().await.unwrap();
    for number in 0..50 {
        store.commit(developer(number)).await.unwrap();
    }
    let before = moving::digest(&store, &mut |_| {}).await.unwrap();
    let snapshot = store.snapshot().await.unwrap();
    for number in 50..100 {
        store.commit(developer(number)).await.unwrap();
    }
    let mut after = None;
    let mut developers = 0;
    loop {
        let page = snapshot.scan(after.as_ref(), 7).await.unwrap();
        developers += page.rows.len();
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    assert_eq!(developers, 50 + 1, "fifty developers and the counters");
    assert_eq!(moving::digest(&snapshot, &mut |_| {}).await.unwrap(), before);
    assert_ne!(moving::digest(&store, &mut |_| {}).await.unwrap(), before);
    server.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_gives_its_connection_up_when_it_goes() {
    let Some(server) = Server::find() else { return };
    let store = builder(&server).connections(2).open().await.unwrap();
    for number in 0..10 {
        let snapshot = store.snapshot().await.unwrap();
        store.commit(developer(number)).await.unwrap();
        drop(snapshot);
    }
    server.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_moves_out_of_postgresql_and_back_with_equal_digests() {
    let Some(server) = Server::find() else { return };
    let (here, there) = (builder(&server).open().await.unwrap(), builder(&server).open().await.unwrap());
    let mut first = ChangeSet::new(ChangeId::from_bytes([255; 16]), UnixTime::from_seconds(1));
    first.insert.push(Record::Settings(samples::settings()));
    here.commit(first).await.unwrap();
    for number in 0..30 {
        here.commit(developer(number)).await.unwrap();
    }
    let between = MemoryStore::new();
    let snapshot = here.snapshot().await.unwrap();
    let out = moving::copy(&snapshot, &between, None, &mut |_| {}).await.unwrap();
    let back = moving::copy(&between, &there, None, &mut |_| {}).await.unwrap();
    assert_eq!(out.digest, back.digest);
    assert_eq!(moving::digest(&there, &mut |_| {}).await.unwrap(), out.digest);
    server.clean().await;
}

fn developer(number: u8) -> ChangeSet {
    let mut set = ChangeSet::new(ChangeId::from_bytes([number; 16]), UnixTime::from_seconds(1));
    let developer = samples::developer(&samples::developer_ref(&format!("developer-{number}")).unwrap());
    set.insert.push(Record::Developer(developer));
    set
}
