//! The arguments of the reference programs; none of them is a secret.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use ipnet::IpNet;
use latchbook::EnvironmentName;

/// A small ledger API guarded by latchbook.
///
/// The master key comes from LATCHBOOK_MASTER_KEY_FILE or LATCHBOOK_MASTER_KEY, else from `master.key` beside the store,
/// which is made on the first start.
#[derive(Clone, Debug, Parser)]
#[command(version)]
pub struct Args {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Where everything is kept: `redb:PATH`, `sqlite:PATH` for several processes of one machine,
    /// `postgres://USER@HOST/DATABASE` for several machines (its password may stand in PGPASSWORD), or `memory:` for a
    /// trial.
    #[arg(long, default_value = "redb:ledger-data/auth.redb")]
    pub store: String,
    /// The issuer URL of the tokens; a store remembers it.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    pub issuer: String,
    /// The environments to serve, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "live,sandbox", value_parser = EnvironmentName::parse)]
    pub environments: Vec<EnvironmentName>,
    /// Who may open a sandbox: by default anybody on loopback without a proxy in front, else whoever holds a token.
    #[arg(long)]
    pub sandbox: Option<Sandbox>,
    /// A private key to sign an environment's tokens with, in place of a generated one.
    #[arg(long, value_name = "ENV=PEM-FILE", value_parser = signing_key)]
    pub signing_key: Vec<(EnvironmentName, PathBuf)>,
    /// Serve TLS 1.2 and 1.3 with this certificate: PEM, the server's own one first, then its chain. Needs --tls-key.
    #[arg(long, value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// The private key of --tls-cert: PEM, not encrypted.
    #[arg(long, value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Serve plain HTTP off loopback, because a proxy in front ends TLS.
    #[arg(long)]
    pub behind_tls_proxy: bool,
    /// How old revocation knowledge may be.
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub max_staleness: u64,
    /// How long the store may take for one change.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..=600_000))]
    pub store_timeout: u64,
    /// How much memory verified tokens may take: a token takes its own length and some hundred bytes.
    #[arg(long, value_name = "MEGABYTES", default_value_t = 32, value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    pub token_cache: u32,
    /// How often something may be tried.
    #[arg(long, default_value = "default")]
    pub limits: LimitPolicy,
    /// A proxy whose `X-Forwarded-For` is believed, as an address range.
    #[arg(long, value_name = "CIDR")]
    pub trust_proxy: Vec<IpNet>,
    /// A file for a first developer with two entities and a key of every scope, in `live` where it is served. The first
    /// start makes it, readable by this user alone; every start sees to it that the store holds what it says.
    #[arg(long, value_name = "FILE")]
    pub bootstrap: Option<PathBuf>,
}

/// Who may open a sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Sandbox {
    /// Anybody.
    Open,
    /// Whoever holds a developer token with `sandbox:manage`.
    Bearer,
    /// Nobody.
    Off,
}

/// How often something may be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LimitPolicy {
    /// As the contract says.
    Default,
    /// As often as they like: for measurements.
    Off,
}

impl Args {
    /// Who may open a sandbox, once the default rule is applied.
    #[must_use]
    pub fn sandbox_policy(&self) -> Sandbox {
        let served = self.environments.contains(&EnvironmentName::SANDBOX);
        let exposed = !self.listen.ip().is_loopback() || self.behind_tls_proxy || !self.trust_proxy.is_empty();
        match self.sandbox {
            _ if !served => Sandbox::Off,
            Some(said) => said,
            None if exposed => Sandbox::Bearer,
            None => Sandbox::Open,
        }
    }
}

fn signing_key(text: &str) -> Result<(EnvironmentName, PathBuf), String> {
    let (environment, file) = text.split_once('=').ok_or("write it as ENV=PEM-FILE, such as live=signing.pem")?;
    let environment = EnvironmentName::parse(environment).map_err(|error| error.to_string())?;
    Ok((environment, PathBuf::from(file)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sandboxes_are_open_on_loopback_alone_unless_said() {
        for (args, want) in [
            (&[][..], Sandbox::Open),
            (&["--listen", "[::1]:0"], Sandbox::Open),
            (&["--listen", "0.0.0.0:0"], Sandbox::Bearer),
            (&["--behind-tls-proxy"], Sandbox::Bearer),
            (&["--trust-proxy", "10.0.0.0/8"], Sandbox::Bearer),
            (&["--listen", "0.0.0.0:0", "--sandbox", "open"], Sandbox::Open),
            (&["--environments", "live"], Sandbox::Off),
        ] {
            let args = Args::try_parse_from(["ledger-axum"].iter().chain(args)).expect("arguments");
            assert_eq!(args.sandbox_policy(), want);
        }
    }
}
