//! The server's certificate and private key, from PEM files to a TLS configuration.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::version::{TLS12, TLS13};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use crate::args::Args;
use crate::start::StartError;

/// The TLS that `args` ask for, if any: 1.2 and 1.3, for HTTP/1.1.
///
/// # Errors
/// [`StartError`] if a file cannot be read or used, or the two do not belong together.
pub fn tls(args: &Args) -> Result<Option<Arc<ServerConfig>>, StartError> {
    match (&args.tls_cert, &args.tls_key) {
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => configuration(certificate, key).map(|config| Some(Arc::new(config))),
        (Some(_), None) => Err(StartError::new("--tls-cert needs --tls-key; name the PEM file of its private key")),
        (None, Some(_)) => Err(StartError::new("--tls-key needs --tls-cert; name the PEM file of its certificate")),
    }
}

fn configuration(certificate: &Path, key: &Path) -> Result<ServerConfig, StartError> {
    let pem = read(certificate, "certificate")?;
    let chain = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>().ok();
    let chain = chain.filter(|chain| !chain.is_empty()).ok_or_else(|| {
        unusable(certificate, "certificate", "it is no PEM; name a file that begins with the server's own certificate")
    })?;
    let pem = read(key, "private key")?;
    let private = PrivateKeyDer::from_pem_slice(&pem)
        .map_err(|_| unusable(key, "private key", "it is no PEM of an unencrypted private key; name one in PKCS#8"))?;
    // The provider is passed by hand: nothing is installed for the whole process.
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(&[&TLS13, &TLS12]);
    let built = builder.and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, private));
    let mut config = built.map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => StartError::new(format!(
            "the TLS private key `{}` is not the one of the certificate `{}`; name the two that belong together",
            key.display(),
            certificate.display()
        )),
        rustls::Error::InvalidCertificate(_) => {
            unusable(certificate, "certificate", "it is no X.509 certificate; name the server's own one")
        }
        error => unusable(key, "private key", error),
    })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn read(path: &Path, what: &str) -> Result<Zeroizing<Vec<u8>>, StartError> {
    let content = fs::read(path).map(Zeroizing::new);
    content.map_err(|error| unusable(path, what, format!("{error}; name a PEM file that can be read")))
}

fn unusable(path: &Path, what: &str, why: impl std::fmt::Display) -> StartError {
    StartError::new(format!("the TLS {what} `{}` cannot be used: {why}", path.display()))
}
