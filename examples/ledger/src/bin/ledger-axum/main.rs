//! The reference program on axum.

mod body;
mod routes;
mod serve;
mod tls;

use std::process::ExitCode;

use latchbook_ledger::program;

fn main() -> ExitCode {
    program::main("ledger-axum", async |stage, mut signals| {
        serve::serve(stage.listener, stage.tls, routes::router(stage.api), stage.patience, signals.next()).await;
        Ok(())
    })
}
