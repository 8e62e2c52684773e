//! The reference program on actix.

mod body;
mod routes;
mod serve;

use std::process::ExitCode;

use latchbook_ledger::program;

fn main() -> ExitCode {
    program::main("ledger-actix", async |stage, mut signals| {
        serve::serve(stage.listener, stage.tls, routes::routes(stage.api), stage.patience, signals.next()).await
    })
}
