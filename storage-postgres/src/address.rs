//! Which server, database and schema a store is in, and whether the way there needs TLS.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use latchbook_core::key_store::StoreError;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres_rustls::MakeRustlsConnect;

/// A store's place, in words that hold no secret.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    server: String,
    pub(crate) schema: String,
}

impl Target {
    pub(crate) fn new(server: String, schema: String) -> Result<Self, StoreError> {
        if schema.is_empty() || schema.len() > 63 || schema.contains('\0') {
            return Err(StoreError::unavailable("a schema's name has 1 to 63 bytes; name another one"));
        }
        Ok(Self { server, schema })
    }

    /// The schema's name as it stands in a statement.
    pub(crate) fn quoted_schema(&self) -> String {
        format!("\"{}\"", self.schema.replace('"', "\"\""))
    }

    /// What to do about a server that did not let us in.
    pub(crate) fn unreachable(&self, error: StoreError) -> StoreError {
        match error {
            StoreError::Unavailable(error) => StoreError::unavailable(format!(
                "{self} cannot be opened: {error}; see to it that the server runs and lets this user in"
            )),
            other => other,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the schema `{}` of {}", self.schema, self.server)
    }
}

/// What a URL says, and what follows from it.
pub(crate) struct Address {
    pub(crate) config: Config,
    /// The file that `sslrootcert` names.
    roots: Option<PathBuf>,
}

impl Address {
    /// Reads a URL. What is wrong with it is not quoted: a password may stand anywhere in it.
    pub(crate) fn parse(url: &str) -> Result<Self, StoreError> {
        let wrong = || {
            StoreError::unavailable(
                "the URL of PostgreSQL cannot be read; write postgres://USER:PASSWORD@HOST:PORT/DATABASE, with special \
                 characters of the password as %XX",
            )
        };
        let (base, options) = url.split_once('?').unwrap_or((url, ""));
        if !base.starts_with("postgres://") && !base.starts_with("postgresql://") {
            return Err(wrong());
        }
        let mut roots = None;
        let mut kept = Vec::new();
        for option in options.split('&').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some(("sslrootcert", "system")) => {}
                Some(("sslrootcert", file)) => roots = Some(PathBuf::from(decoded(file).ok_or_else(wrong)?)),
                // rustls checks certificate and name always, so these ask for no more.
                Some(("sslmode", "verify-full" | "verify-ca")) => kept.push("sslmode=require"),
                _ => kept.push(option),
            }
        }
        let config = format!("{base}?{}", kept.join("&")).parse::<Config>().map_err(|_| wrong())?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(wrong());
        }
        Ok(Self { config, roots })
    }

    /// Hosts, port and database, for people.
    pub(crate) fn server(&self) -> String {
        let hosts: Vec<_> = self
            .config
            .get_hosts()
            .iter()
            .map(|host| match host {
                Host::Tcp(name) => name.clone(),
                #[cfg(unix)]
                Host::Unix(path) => path.display().to_string(),
            })
            .chain(self.config.get_hostaddrs().iter().map(ToString::to_string))
            .collect();
        let ports: Vec<_> = self.config.get_ports().iter().map(ToString::to_string).collect();
        let port = if ports.is_empty() { String::new() } else { format!(", port {}", ports.join(",")) };
        let database = self.config.get_dbname().or(self.config.get_user()).unwrap_or("postgres");
        format!("the database `{database}` of PostgreSQL at `{}`{port}", hosts.join(","))
    }

    /// The configuration with everything that the store relies on: writes, TLS where it is needed, bounded waiting.
    pub(crate) fn secured(&self, timeout: Duration, plaintext_allowed: bool) -> Result<Config, StoreError> {
        let mut config = self.config.clone();
        // A replica lags: a key that was revoked would look alive on it.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        let near = self.is_on_this_machine();
        match config.get_ssl_mode() {
            SslMode::Require => {}
            SslMode::Disable if !near && !plaintext_allowed => {
                return Err(StoreError::unavailable(format!(
                    "without TLS {} would show passwords and records to the network; leave `sslmode=disable` out of the \
                     URL, or say `danger().plaintext_off_loopback()`",
                    self.server()
                )));
            }
            // Certificates of servers on loopback are made for trials, if at all.
            _ if near => {
                config.ssl_mode(SslMode::Disable);
            }
            SslMode::Prefer if !plaintext_allowed => {
                config.ssl_mode(SslMode::Require);
            }
            _ => {}
        }
        let hosts = config.get_hosts().len().max(config.get_hostaddrs().len()).max(1);
        if config.get_connect_timeout().is_none() {
            // One host that swallows packets must leave time for the others.
            config.connect_timeout(timeout / u32::try_from(hosts).unwrap_or(u32::MAX));
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(timeout);
        }
        if config.get_application_name().is_none() {
            config.application_name("latchbook");
        }
        Ok(config)
    }

    /// Connects with TLS 1.2 and 1.3 on ring, under the roots of `sslrootcert` or of the system.
    pub(crate) fn connector(&self, config: &Config) -> Result<MakeRustlsConnect, StoreError> {
        let mut roots = RootCertStore::empty();
        match &self.roots {
            Some(file) => read_roots(file, &mut roots)?,
            None if config.get_ssl_mode() == SslMode::Disable => {}
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                if roots.is_empty() {
                    return Err(StoreError::unavailable(
                        "this system has no root certificates; install them, or name a file with `sslrootcert` in the URL",
                    ));
                }
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| StoreError::unavailable(error.to_string()))?;
        Ok(MakeRustlsConnect::new(builder.with_root_certificates(roots).with_no_client_auth()))
    }

    fn is_on_this_machine(&self) -> bool {
        let addresses = self.config.get_hostaddrs();
        if !addresses.is_empty() {
            return addresses.iter().all(IpAddr::is_loopback);
        }
        self.config.get_hosts().iter().all(|host| match host {
            Host::Tcp(name) => name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.is_loopback()),
            #[cfg(unix)]
            Host::Unix(_) => true,
        })
    }
}

fn read_roots(file: &Path, roots: &mut RootCertStore) -> Result<(), StoreError> {
    let unusable = |what: String| {
        let file = file.display();
        StoreError::unavailable(format!("the root certificates in `{file}` cannot be used: {what}; name a PEM file"))
    };
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| unusable(error.to_string()))? {
        let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
        roots.add(certificate).map_err(|error| unusable(error.to_string()))?;
    }
    if roots.is_empty() { Err(unusable("it holds none".to_owned())) } else { Ok(()) }
}

/// `text` with `%XX` read as bytes.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(2);

    #[test]
    fn tls_is_required_off_loopback_unless_told() {
        let mode =
            |url: &str, plaintext| Some(Address::parse(url).unwrap().secured(TIMEOUT, plaintext).ok()?.get_ssl_mode());
        for (url, want, danger) in [
            ("postgres://u@db.example.com/x", Some(SslMode::Require), Some(SslMode::Prefer)),
            ("postgres://u@db.example.com/x?sslmode=prefer", Some(SslMode::Require), Some(SslMode::Prefer)),
            ("postgres://u@db.example.com/x?sslmode=verify-full", Some(SslMode::Require), Some(SslMode::Require)),
            ("postgres://u@db.example.com/x?sslmode=disable", None, Some(SslMode::Disable)),
            ("postgres://u@127.0.0.1,10.0.0.1/x", Some(SslMode::Require), Some(SslMode::Prefer)),
            ("postgres://u@localhost/x?hostaddr=10.0.0.1", Some(SslMode::Require), Some(SslMode::Prefer)),
            ("postgres://u@localhost/x", Some(SslMode::Disable), Some(SslMode::Disable)),
            ("postgres://u@[::1]/x?sslmode=require", Some(SslMode::Require), Some(SslMode::Require)),
        ] {
            assert_eq!((mode(url, false), mode(url, true)), (want, danger), "{url}");
        }
    }

    #[test]
    fn every_host_gets_its_share_of_the_time_and_must_take_writes() {
        let address = Address::parse("postgres://u@a:1,b:2/x?target_session_attrs=any").unwrap();
        let config = address.secured(TIMEOUT, false).unwrap();
        assert_eq!(config.get_connect_timeout(), Some(&Duration::from_secs(1)));
        assert_eq!(config.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
    }

    #[test]
    fn l1_a_url_that_cannot_be_read_is_not_shown() {
        for url in
            ["postgres://u:hunter2#x@host/db?nonsense=hunter2", "mysql://u:hunter2@h/d", "postgres://u:hunter2@/d"]
        {
            let error = Address::parse(url).err().expect(url).to_string();
            assert!(!error.contains("hunter2") && error.contains("postgres://USER"), "{error}");
        }
        let address = Address::parse("postgres://u:hunter2@h:5/d").unwrap();
        assert_eq!(address.server(), "the database `d` of PostgreSQL at `h`, port 5");
    }
}
