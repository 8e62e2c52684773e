//! TLS against the real program: what is spoken, and clients that say nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::crypto::ring;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, StreamOwned, SupportedProtocolVersion};
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::{Value, json};
use support::{Server, program_on, read_answer, request};

const PROGRAM: &str = support::LEDGER_AXUM;

/// A program that serves TLS, and the certificate to trust.
struct Secured {
    server: Server,
    trusted: CertificateDer<'static>,
}

impl Secured {
    fn start(folder: &Path, listen: &str) -> Self {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(folder.join("cert.pem"), cert.pem()).unwrap();
        fs::write(folder.join("key.pem"), signing_key.serialize_pem()).unwrap();
        let mut command = program_on(folder, listen);
        command.args(["--tls-cert", "cert.pem", "--tls-key", "key.pem"]).stderr(Stdio::null());
        let server = Server::spawn(&mut command).unwrap();
        assert_eq!(server.scheme, "https");
        Self { server, trusted: cert.der().clone() }
    }

    fn port(&self) -> u16 {
        self.server.address.rsplit(':').next().unwrap().parse().unwrap()
    }

    fn connect(&self, version: &'static SupportedProtocolVersion) -> StreamOwned<ClientConnection, TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(self.trusted.clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_protocol_versions(&[version]).unwrap();
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TcpStream::connect(("127.0.0.1", self.port())).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), stream)
    }

    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let mut stream = self.connect(&TLS13);
        stream.write_all(request(method, path, "", body).as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        read_answer(&answer).unwrap()
    }
}

#[test]
fn tls_1_2_and_1_3_are_spoken_for_http_1_1() {
    let folder = tempfile::tempdir().unwrap();
    let secured = Secured::start(folder.path(), "127.0.0.1:0");
    for (version, want) in [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)] {
        let mut stream = secured.connect(version);
        stream.write_all(request("GET", "/ping", "", None).as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(read_answer(&answer), Some((200, json!({"pong": true}))));
        assert_eq!(stream.conn.protocol_version(), Some(want));
        assert_eq!(stream.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
    }
}

#[test]
fn curl_trusts_the_certificate_it_was_given() {
    let folder = tempfile::tempdir().unwrap();
    let secured = Secured::start(folder.path(), "127.0.0.1:0");
    let port = secured.port();
    let curl = Command::new("curl")
        .args(["--silent", "--show-error", "--fail", "--noproxy", "*", "--max-time", "10", "--cacert", "cert.pem"])
        .args(["--resolve", &format!("localhost:{port}:127.0.0.1"), &format!("https://localhost:{port}/ping")])
        .current_dir(folder.path())
        .output();
    let Ok(output) = curl else {
        println!("skipped: no curl command");
        return;
    };
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(String::from_utf8_lossy(&output.stdout), r#"{"pong": true}"#);
}

#[test]
#[cfg(unix)]
fn clients_that_say_nothing_stop_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let secured = Secured::start(folder.path(), "127.0.0.1:0");
    let silent: Vec<_> = (0..200).map(|_| TcpStream::connect(("127.0.0.1", secured.port())).unwrap()).collect();
    // The beginning of a handshake's first record, and no more.
    for mut stream in silent.iter().take(50) {
        stream.write_all(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01]).unwrap();
    }
    for _ in 0..20 {
        assert_eq!(secured.call("GET", "/ping", None).0, 200);
    }
    // Nor do they hold the program up when it is told to stop.
    secured.server.stop();
    drop(silent);
}

#[test]
fn plain_http_is_not_answered_where_tls_is_spoken() {
    let folder = tempfile::tempdir().unwrap();
    let secured = Secured::start(folder.path(), "127.0.0.1:0");
    let mut stream = TcpStream::connect(("127.0.0.1", secured.port())).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.write_all(request("GET", "/ping", "", None).as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    assert_eq!(secured.call("GET", "/ping", None).0, 200);
}

#[test]
fn off_loopback_tls_is_served_and_sandboxes_need_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let order = json!({"name": "Platypus Trading", "developer_id": "platypus"});
    let exposed = Secured::start(folder.path(), "0.0.0.0:0");
    assert_eq!(exposed.call("POST", "/v1/sandbox", Some(&order)).0, 401);
    drop(exposed);
    let local = Secured::start(folder.path(), "127.0.0.1:0");
    assert_eq!(local.call("POST", "/v1/sandbox", Some(&order)).0, 201);
}
