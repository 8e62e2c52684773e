//! The reference program on axum.

mod body;
mod routes;
mod serve;
mod tls;

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use latchbook_ledger::api::Api;
use latchbook_ledger::args::Args;
use latchbook_ledger::certificate;
use latchbook_ledger::start::{self, StartError};
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let args = Args::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    let colours = io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(colours).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let ended = runtime.map_err(StartError::new).and_then(|runtime| {
        let ended = runtime.block_on(run(&args));
        // What still waits, waits for a client that will not come back.
        runtime.shutdown_background();
        ended
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "ledger-axum: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> Result<(), StartError> {
    start::check(args)?;
    let handshakes = certificate::tls(args)?.map(tls::Handshakes::new);
    // The port comes first: a start that fails for it leaves nothing behind.
    let listener = TcpListener::bind(args.listen).await.map_err(|error| {
        StartError::new(format!(
            "cannot listen on {}: {error}; end what listens there, or choose another --listen",
            args.listen
        ))
    })?;
    let address = listener.local_addr().map_err(StartError::new)?;
    let mut signals = serve::Signals::new().map_err(StartError::new)?;
    let api = open(args).await?;
    let authority = api.gate.authority().clone();
    let upkeep = tokio::spawn(authority.upkeep());
    let mut out = io::stdout();
    let scheme = if handshakes.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{address}");
    writeln!(out, "listening on {url}").and_then(|()| out.flush()).map_err(StartError::new)?;
    hint(args, &url);
    let patience = serve::Patience::default();
    serve::serve(listener, handshakes, routes::router(api), patience, signals.next()).await;
    let flushed = tokio::time::timeout(std::time::Duration::from_secs(3), authority.shutdown()).await;
    upkeep.abort();
    match flushed {
        Ok(Ok(())) => Ok(()),
        Ok(Err(refusal)) => Err(StartError::new(format!("the last counts could not be written: {refusal}"))),
        Err(_) => Err(StartError::new("the last counts could not be written in time")),
    }
}

/// Opens everything. A damaged file can make redb panic: what catches that panic says so in one line, and the panic's
/// own words are for those who look for them.
async fn open(args: &Args) -> Result<Api, StartError> {
    let shown = std::panic::take_hook();
    std::panic::set_hook(Box::new(|panic| tracing::debug!(%panic, "panicked while starting")));
    let args = args.clone();
    let opened = tokio::spawn(async move { start::open(&args).await }).await;
    std::panic::set_hook(shown);
    opened.unwrap_or_else(|_| {
        Err(StartError::new("the start failed by a fault of this program; RUST_LOG=debug shows it, please report it"))
    })
}

fn hint(args: &Args, url: &str) {
    if args.sandbox_policy() != latchbook_ledger::args::Sandbox::Open {
        return;
    }
    let _ = writeln!(
        io::stderr(),
        "open a sandbox to begin with:\n  curl -s {url}/v1/sandbox -H 'Content-Type: application/json' \\\n    \
         -d '{{\"name\": \"Platypus Trading\", \"developer_id\": \"platypus\"}}'\nstop with Ctrl-C"
    );
}
