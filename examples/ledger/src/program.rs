//! A program from its arguments to its end: what is the same whatever framework serves.

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{CommandFactory as _, FromArgMatches as _};
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

use crate::api::Api;
use crate::args::{Args, Sandbox};
use crate::certificate;
use crate::signals::Signals;
use crate::start::{self, StartError};

/// What a framework is given to serve.
#[derive(Debug)]
pub struct Stage {
    /// Where.
    pub listener: TcpListener,
    /// Over TLS by this, where it is there.
    pub tls: Option<Arc<ServerConfig>>,
    /// What.
    pub api: Api,
    /// How long clients may take.
    pub patience: Patience,
}

/// How long things may take that a client can draw out.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// The head of a request, and the pause before it on an open connection.
    pub head: Duration,
    /// A request's body.
    pub body: Duration,
    /// A TLS handshake.
    pub handshake: Duration,
    /// Open requests after the signal to stop.
    pub drain: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(30),
            body: Duration::from_secs(30),
            handshake: Duration::from_secs(10),
            drain: Duration::from_secs(3),
        }
    }
}

/// Runs the program `name`: `serve` serves what it is given until the signals say stop, drains for a bounded time, and
/// returns.
pub fn main(name: &'static str, serve: impl AsyncFnOnce(Stage, Signals) -> io::Result<()>) -> ExitCode {
    let matches = Args::command().name(name).get_matches();
    let args = Args::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    let colours = io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(colours).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let ended = runtime.map_err(StartError::new).and_then(|runtime| {
        let ended = runtime.block_on(run(&args, serve));
        // What still waits, waits for a client that will not come back.
        runtime.shutdown_background();
        ended
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{name}: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args, serve: impl AsyncFnOnce(Stage, Signals) -> io::Result<()>) -> Result<(), StartError> {
    start::check(args)?;
    let tls = certificate::tls(args)?;
    // The port comes first: a start that fails for it leaves nothing behind.
    let listener = TcpListener::bind(args.listen).await.map_err(|error| {
        StartError::new(format!(
            "cannot listen on {}: {error}; end what listens there, or choose another --listen",
            args.listen
        ))
    })?;
    let address = listener.local_addr().map_err(StartError::new)?;
    let signals = Signals::new().map_err(StartError::new)?;
    let api = open(args).await?;
    let authority = api.gate.authority().clone();
    let upkeep = tokio::spawn(authority.upkeep());
    let mut out = io::stdout();
    let scheme = if tls.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{address}");
    writeln!(out, "listening on {url}").and_then(|()| out.flush()).map_err(StartError::new)?;
    hint(args, &url);
    let served = serve(Stage { listener, tls, api, patience: Patience::default() }, signals).await;
    let flushed = tokio::time::timeout(Duration::from_secs(3), authority.shutdown()).await;
    upkeep.abort();
    served.map_err(|error| StartError::new(format!("serving ended early: {error}")))?;
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
    if args.sandbox_policy() != Sandbox::Open {
        return;
    }
    let _ = writeln!(
        io::stderr(),
        "open a sandbox to begin with:\n  curl -s {url}/v1/sandbox -H 'Content-Type: application/json' \\\n    \
         -d '{{\"name\": \"Platypus Trading\", \"developer_id\": \"platypus\"}}'\nstop with Ctrl-C"
    );
}
