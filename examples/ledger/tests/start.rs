//! Starts that must fail: one line that says what to do, exit code 1, and a folder that is as it was before.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use std::fs;
use std::net::TcpListener;
use std::process::Stdio;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use redb::{Database, TableDefinition};
use support::{Server, assert_one_line, fails, listing, program, program_on, refused_in, refused_store, set_up};

const PROGRAM: &str = support::LEDGER_AXUM;

#[test]
fn arguments_that_cannot_work_make_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    fs::write(here.join("file"), "text").unwrap();
    for store in ["", "redb:", "sqlite:", "memory:x", "auth.redb", "postgres:me:hunter2@host/db"] {
        refused_in(here, &["--store", store], &[], &["--store takes redb:PATH, sqlite:PATH, postgres://"]);
    }
    refused_in(here, &["--store", "redb:file/auth.redb"], &[], &["file/", "cannot be"]);
    refused_in(here, &["--issuer", "ftp://api.example.com"], &[], &["the issuer `ftp://api.example.com`", "https"]);
    refused_in(here, &["--issuer", "http://api.example.com"], &[], &["the issuer"]);
    refused_in(here, &["--signing-key", "live=absent"], &[], &["the signing key `absent`", "name a PKCS#8 PEM file"]);
    refused_in(here, &["--signing-key", "live=file"], &[], &["the signing key `file` cannot be used"]);
    refused_in(here, &["--bootstrap", "file/first.json"], &[], &["the bootstrap file `file/first.json`"]);
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(here.join("cert.pem"), cert.pem()).unwrap();
    fs::write(here.join("key.pem"), signing_key.serialize_pem()).unwrap();
    refused_in(here, &["--signing-key", "live=cert.pem"], &[], &["the signing key `cert.pem` cannot be used"]);
    refused_in(here, &["--signing-key", "staging=key.pem"], &[], &["`staging`", "--environments"]);
}

#[test]
fn a_certificate_that_cannot_be_used_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let write = |name: &str, content: &str| fs::write(here.join(name), content).unwrap();
    for name in ["one", "other"] {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        write(&format!("{name}.pem"), &cert.pem());
        write(&format!("{name}.key"), &signing_key.serialize_pem());
    }
    write("text", "text");
    write("cut.pem", "-----BEGIN CERTIFICATE-----\nMIIB");
    write("base64.pem", "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n");
    write("der.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    write("der.key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    write("encrypted.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n");
    refused_in(here, &["--tls-cert", "one.pem"], &[], &["--tls-cert needs --tls-key"]);
    refused_in(here, &["--tls-key", "one.key"], &[], &["--tls-key needs --tls-cert"]);
    let refused = |certificate, key, says: &[&str]| {
        refused_in(here, &["--tls-cert", certificate, "--tls-key", key], &[], says);
    };
    refused("one.pem", "other.key", &["`other.key` is not the one of the certificate `one.pem`", "name the two"]);
    for certificate in ["absent", "text", "cut.pem", "base64.pem", "der.pem", "one.key", "."] {
        refused(certificate, "one.key", &[&format!("the TLS certificate `{certificate}` cannot be used"), "name "]);
    }
    for key in ["absent", "text", "one.pem", "encrypted.key", "."] {
        refused("one.pem", key, &[&format!("the TLS private key `{key}` cannot be used"), "name "]);
    }
    refused("one.pem", "der.key", &["the TLS private key `der.key` cannot be used"]);
}

#[test]
fn plain_http_off_loopback_needs_to_be_told() {
    let folder = tempfile::tempdir().unwrap();
    for address in ["0.0.0.0:0", "[::]:0"] {
        fails(&mut program_on(folder.path(), address), &["plain HTTP", "--tls-cert", "--behind-tls-proxy"]);
        assert!(listing(folder.path()).is_empty());
    }
}

#[test]
fn a_master_key_that_is_short_missing_or_wrong_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let (file, value) = ("LATCHBOOK_MASTER_KEY_FILE", "LATCHBOOK_MASTER_KEY");
    fs::write(here.join("short"), "AAAA").unwrap();
    fs::write(here.join("binary"), [0xff, 0, 0xfe]).unwrap();
    refused_in(here, &[], &[(file, "short")], &["`short` has 3 bytes, not 32"]);
    refused_in(here, &[], &[(file, "absent")], &["absent"]);
    refused_in(here, &[], &[(file, ".")], &["`.`"]);
    refused_in(here, &[], &[(file, "binary")], &["binary", "base64"]);
    refused_in(here, &[], &[(value, "c2VjcmV0")], &["LATCHBOOK_MASTER_KEY", "not 32"]);
    refused_in(here, &[], &[(value, "")], &["no master key", "openssl rand -base64 32"]);
    refused_in(here, &["--store", "memory:"], &[(value, "")], &["no master key"]);

    let folder = set_up();
    let here = folder.path();
    let wrong = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    refused_store(here, &[], &[(value, wrong)], &["not the master key", "set LATCHBOOK_MASTER_KEY_FILE"]);
    let data = here.join("ledger-data");
    fs::rename(data.join("master.key"), data.join("away")).unwrap();
    refused_store(here, &[], &[], &["its master key `ledger-data/master.key` is not", "put it back"]);
    fs::write(data.join("master.key"), "AAAA").unwrap();
    refused_store(here, &[], &[], &["`ledger-data/master.key` has 3 bytes, not 32"]);
}

#[test]
fn a_port_in_use_is_said_and_nothing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    fails(&mut program_on(folder.path(), &address), &[&address, "choose another --listen"]);
    assert!(listing(folder.path()).is_empty());
}

#[test]
fn s9_a_second_process_on_the_same_store_is_refused_and_the_first_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::spawn(program(folder.path()).stderr(Stdio::null())).unwrap();
    refused_store(folder.path(), &[], &[], &["`ledger-data/auth.redb` is in use by another process"]);
    assert_eq!(server.call("GET", "/healthz", "", None).0, 200);
}

#[test]
fn a_file_that_is_no_store_of_ours_is_left_alone() {
    const THEIRS: TableDefinition<'_, &str, u64> = TableDefinition::new("theirs");
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("ledger-data");
    fs::create_dir(&data).unwrap();
    let store = data.join("auth.redb");
    for content in [&b""[..], b"x", b"SQLite format 3\0 and more", &[0; 10_000]] {
        fs::write(&store, content).unwrap();
        refused_in(folder.path(), &[], &[], &["`ledger-data/auth.redb` is"]);
    }
    fs::remove_file(&store).unwrap();
    let write = Database::create(&store).unwrap().begin_write().unwrap();
    write.open_table(THEIRS).unwrap().insert("a", 1).unwrap();
    write.commit().unwrap();
    refused_in(folder.path(), &[], &[], &["`ledger-data/auth.redb` is a redb database, but no store of latchbook's"]);
    fs::remove_file(&store).unwrap();
    fs::create_dir(&store).unwrap();
    refused_in(folder.path(), &[], &[], &["`ledger-data/auth.redb` is not a file; name the store's file"]);
}

#[test]
#[cfg(unix)]
fn a_store_that_cannot_be_read_or_made_is_said() {
    use std::os::unix::fs::PermissionsExt as _;
    refused_in(tempfile::tempdir().unwrap().path(), &["--store", "redb:/dev/null/auth.redb"], &[], &["/dev/null/"]);
    let folder = set_up();
    let store = folder.path().join("ledger-data/auth.redb");
    fs::set_permissions(&store, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::File::open(&store).is_ok() {
        println!("skipped: this user may read everything");
        return;
    }
    refused_in(folder.path(), &[], &[], &["`ledger-data/auth.redb` cannot be opened", "let this process read"]);
}

#[test]
fn s8_a_store_of_a_newer_version_is_left_alone() {
    const META: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("latchbook.meta");
    let folder = set_up();
    let database = Database::open(folder.path().join("ledger-data/auth.redb")).unwrap();
    let write = database.begin_write().unwrap();
    let row = [&b"latchbook store\n"[..], &2_u32.to_be_bytes()].concat();
    write.open_table(META).unwrap().insert(&b"format"[..], &*row).unwrap();
    write.commit().unwrap();
    drop(database);
    refused_in(folder.path(), &[], &[], &["has format 2 of a newer latchbook", "use the newer one"]);
}

#[test]
fn s2_a_store_that_was_cut_is_left_alone() {
    let folder = set_up();
    for name in ["auth.redb", "ledger.redb"] {
        let file = folder.path().join("ledger-data").join(name);
        let whole = fs::read(&file).unwrap();
        for length in [0, 9, 100, 4096, 50_000] {
            let cut = &whole[..length];
            fs::write(&file, cut).unwrap();
            refused_store(folder.path(), &[], &[], &[&format!("`ledger-data/{name}`")]);
            assert!(fs::read(&file).unwrap() == cut, "{name} is as it was, {length} bytes long");
        }
        fs::write(&file, &whole).unwrap();
    }
    assert!(Server::spawn(program(folder.path()).stderr(Stdio::null())).is_ok());
}

#[test]
fn s2_a_damaged_store_is_refused_on_one_line_or_serves() {
    let folder = set_up();
    for name in ["auth.redb", "ledger.redb"] {
        let file = folder.path().join("ledger-data").join(name);
        let whole = fs::read(&file).unwrap();
        let mut refused = 0;
        for place in (0..whole.len()).step_by(whole.len() / 24) {
            let mut damaged = whole.clone();
            let end = (place + 2048).min(whole.len());
            damaged[place..end].iter_mut().for_each(|byte| *byte ^= 0x5a);
            fs::write(&file, &damaged).unwrap();
            if let Err((code, stderr)) = Server::spawn(program(folder.path()).stderr(Stdio::piped())) {
                assert_eq!(code, Some(1), "{place}: {stderr}");
                assert_one_line(&stderr);
                refused += 1;
            }
        }
        assert!(refused > 0, "damage to {name} is noticed");
        fs::write(&file, &whole).unwrap();
    }
}

#[test]
fn a_store_of_other_arguments_is_left_alone() {
    let folder = set_up();
    let here = folder.path();
    refused_store(
        here,
        &["--issuer", "https://api.example.com"],
        &[],
        &["was set up for the issuer", "use that issuer"],
    );
    refused_store(here, &["--environments", "live,staging"], &[], &["does not hold the environment `staging`"]);
}

#[test]
fn memory_starts_serves_and_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::spawn(program(folder.path()).args(["--store", "memory:"]).stderr(Stdio::null())).unwrap();
    assert_eq!(server.call("GET", "/ping", "", None).0, 200);
    assert_eq!(server.call("GET", "/healthz", "", None).0, 200);
    assert!(listing(folder.path()).is_empty());
}
