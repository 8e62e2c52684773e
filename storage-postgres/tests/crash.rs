//! Neither a process that is killed while it commits nor a server that is loses what was acknowledged.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods, reason = "tests")]

#[path = "../../core/tests/stores/kills/mod.rs"]
mod kills;
mod support;

use std::ffi::OsStr;
use std::sync::Arc;
use std::time::Duration;

use kills::{BlockOn, Process, Tally, cycles, moment, told, write_until_told};
use latchbook_postgres::{PostgresStore, PostgresStoreBuilder};
use support::Server;

fn builder(url: &str) -> PostgresStoreBuilder {
    PostgresStore::builder(url).timeout(Duration::from_secs(5))
}

/// Does nothing by itself: the test below runs it in a process of its own, which it kills.
#[test]
fn child() {
    let Some((url, first)) = told() else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let store = Arc::new(runtime.block_on(builder(url.to_str().unwrap()).open()).unwrap());
    let handle = runtime.handle().clone();
    let on_this_thread: BlockOn = Arc::new(move |future| handle.block_on(future));
    write_until_told(store, first, &on_this_thread);
}

#[tokio::test(flavor = "multi_thread")]
async fn s1_s10_a_kill_of_the_process_or_of_the_server_loses_nothing_that_was_acknowledged() {
    let Some(mut server) = Server::own() else { return };
    // A kill loses nothing that the system has in its cache, so this would pass without; but then it would not wait at
    // the steps at which a server waits that keeps its word, and be killed there.
    server.cluster().kill();
    server.cluster().settings = vec!["fsync=on"];
    server.cluster().run();
    let url = server.url().to_owned();
    drop(builder(&url).timeout(Duration::from_secs(20)).open().await.unwrap());
    let mut tally = Tally::default();
    for cycle in 0..cycles(6) {
        let mut child = Process::start("child", OsStr::new(&url), cycle);
        if cycle % 5 != 4 {
            child.await_one(&mut tally);
        }
        std::thread::sleep(moment(cycle, Duration::from_millis(200)));
        if cycle % 2 == 0 {
            child.kill(&mut tally);
        } else {
            // The process outlives its server, goes on by itself, and settles what it does not know.
            child.await_one(&mut tally);
            server.cluster().kill();
            child.listen(&mut tally);
            server.cluster().run();
            child.await_one(&mut tally);
            child.end(&mut tally);
        }
        // What a killed process asked for last, the server may still be doing.
        let client = server.client().await;
        let others = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'latchbook'";
        while client.query_one(others, &[]).await.unwrap().get::<_, i64>(0) > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let store = builder(&url).timeout(Duration::from_secs(20)).open().await.unwrap();
        tally.check(&store).await;
        drop(store);
    }
    tally.finish();
}
