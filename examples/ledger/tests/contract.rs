//! The wire contract, played against the real program over real sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use latchbook::SqliteStore;
use latchbook_http::conformance::{ISSUER, MASTER_KEY, furnish, play};
use latchbook_http::testing::send_over_socket;
use support::{Server, program};

const PROGRAM: &str = support::LEDGER_AXUM;

#[tokio::test(flavor = "multi_thread")]
async fn h17_the_program_answers_every_exchange_as_the_contract_says() {
    let folder = tempfile::tempdir().unwrap();
    let name = Path::new(crate::PROGRAM).file_name().unwrap().display();
    let mut program = program(folder.path());
    let store = folder.path().join("data/auth.db");
    fs::create_dir(folder.path().join("data")).unwrap();
    let world = furnish(Arc::new(SqliteStore::open(&store).unwrap())).await.unwrap();
    program.args(["--store", "sqlite:data/auth.db", "--issuer", ISSUER]);
    program.env("LATCHBOOK_MASTER_KEY", STANDARD.encode(MASTER_KEY)).stderr(Stdio::null());
    let server = Server::spawn(&mut program).unwrap();
    let report = play(&world, async |request| {
        let address = server.address.clone();
        let sent = tokio::task::spawn_blocking(move || send_over_socket(address, &request)).await;
        sent.unwrap().map_err(|error| error.to_string())
    })
    .await;
    println!("{name}, over sockets: {report}");
    report.assert_none();
}
