//! Secrets: not shown by anything that holds one, not repeated by any error, and gone from memory after use.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::collections::BTreeMap;
use std::fmt::{Debug, Display};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_executor::block_on;
use latchbook_core::authority::{
    Actor, Authority, AuthorityBuilder, CreatedKey, Exchange, Issued, OpenedSandbox, Presented, SandboxActor,
    SandboxOrder,
};
use latchbook_core::check::{Brand, NewKey, parse_key_text};
use latchbook_core::jose::{CompactToken, SigningPair, VerifyingKey, parse_key_set};
use latchbook_core::key_store::MemoryStore;
use latchbook_core::model::{
    Algorithm, AuditKey, DeveloperId, DeveloperRef, EntityId, EnvironmentName, KeyId, Metadata, PepperId, ScopeSet,
    ScopeToken, SealedBytes, SecretBytes, SecretText, SigningKeyId, Source, TokenId,
};
use latchbook_core::seal::{KeyPepper, MasterKey, SealPurpose, Vault};
use latchbook_core::token_issuer::JwtIssuer;

/// Fails to compile if a type can be printed for people or serialised: then two implementations fit, and Rust asks which.
macro_rules! never_shown {
    ($($type:ty),+ $(,)?) => {$(
        const _: fn() = || {
            trait Ambiguous<Which> {
                fn only_one() {}
            }
            struct AsDisplay;
            struct AsSerialize;
            impl<T: ?Sized> Ambiguous<()> for T {}
            impl<T: ?Sized + Display> Ambiguous<AsDisplay> for T {}
            impl<T: ?Sized + serde::Serialize> Ambiguous<AsSerialize> for T {}
            <$type as Ambiguous<_>>::only_one();
        };
    )+};
}

// L1: every type that holds a secret.
never_shown!(
    SecretText,
    SecretBytes,
    MasterKey,
    Vault,
    KeyPepper,
    AuditKey,
    SigningPair,
    JwtIssuer,
    CompactToken<'static>,
    Presented<'static>,
    Exchange<'static>,
    Issued,
    CreatedKey,
    SandboxOrder,
    OpenedSandbox,
    AuthorityBuilder,
    Authority,
);

/// Asserts that `shown` holds none of `secrets`, nor eight characters in a row of one, nor a secret's first bytes as a
/// list of numbers.
#[track_caller]
fn assert_hidden(shown: &str, secrets: &[&[u8]]) {
    for secret in secrets {
        let text = String::from_utf8_lossy(secret);
        for part in text.as_bytes().windows(8.min(text.len())) {
            let part = String::from_utf8_lossy(part);
            assert!(!shown.contains(&*part), "`{part}` in: {shown}");
        }
        let numbers: Vec<String> = secret.iter().take(4).map(u8::to_string).collect();
        assert!(!shown.contains(&numbers.join(", ")), "bytes in: {shown}");
        let hexadecimal: String = secret.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        assert!(!shown.contains(&hexadecimal), "hexadecimal in: {shown}");
        assert!(!shown.contains(&STANDARD.encode(&secret[..secret.len().min(9)])), "base64 in: {shown}");
    }
}

#[track_caller]
fn assert_redacted(value: &impl Debug, secrets: &[&[u8]]) {
    assert_hidden(&format!("{value:?}"), secrets);
    assert_hidden(&format!("{value:#?}"), secrets);
}

const MASTER: [u8; 32] = *b"master-key-of-thirty-two-bytes!!";

fn pem(der: &SecretBytes) -> SecretText {
    let body = STANDARD.encode(der.expose());
    SecretText::new(format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"))
}

fn builder() -> AuthorityBuilder {
    Authority::builder()
        .store(MemoryStore::new())
        .issuer("https://api.example.com")
        .master_key(MasterKey::from_bytes(MASTER))
}

#[test]
fn l1_nothing_that_holds_a_secret_shows_it() {
    assert_redacted(&SecretText::new("hunter2-hunter2".into()), &[b"hunter2-hunter2"]);
    assert_redacted(&SecretBytes::new(b"hunter2-hunter2".to_vec()), &[b"hunter2-hunter2"]);
    assert_redacted(&MasterKey::from_bytes(MASTER), &[&MASTER]);
    let vault = Vault::new(&MasterKey::from_bytes(MASTER));
    assert_redacted(&vault, &[&MASTER, &vault.check_value()]);
    let pepper = SecretBytes::new(b"a pepper of some thirty-two bytes".to_vec());
    assert_redacted(&KeyPepper::new(PepperId::from_bytes([5; 16]), &pepper), &[pepper.expose()]);
    assert_redacted(&AuditKey::new(PepperId::from_bytes([5; 16]), &pepper), &[pepper.expose()]);
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
        let (pair, der) = SigningPair::generate(algorithm).unwrap();
        let private = der.expose()[36..].to_vec();
        assert_redacted(&pair, &[&private]);
        assert_redacted(&builder().signing_key(EnvironmentName::LIVE, pem(&der)), &[&MASTER, &private]);
        assert_redacted(&JwtIssuer::new(Vec::new(), Some(Arc::new(pair))).unwrap(), &[&private]);
    }
}

#[test]
fn l1_what_an_authority_takes_and_gives_shows_no_key_and_no_token() {
    let authority = block_on(builder().build()).unwrap();
    let (host, source) = (Actor::Host, Source::UNKNOWN);
    let developer = DeveloperRef { environment: EnvironmentName::LIVE, id: DeveloperId::parse("acme").unwrap() };
    block_on(authority.developers().create(&host, source, &developer, "Acme")).unwrap();
    let new = NewKey {
        name: "first".to_owned(),
        scopes: ScopeSet::parse("keys:manage").unwrap(),
        expires_at: None,
        allowed_ips: Vec::new(),
        metadata: Metadata::parse(BTreeMap::new()).unwrap(),
    };
    let created = block_on(authority.keys().create(&host, source, &developer, &new)).unwrap();
    // The last part of a key is its secret; the parts before it may be shown.
    let secret = created.text.expose().rsplit('_').next().unwrap().as_bytes().to_vec();
    assert_redacted(&created, &[&secret]);

    let exchange =
        Exchange { developer: "acme", api_key: &created.text, entity: None, scope: None, lifetime: None, source };
    assert_redacted(&exchange, &[&secret]);
    let issued = block_on(authority.exchange(&exchange)).unwrap();
    let token = issued.token.expose();
    let parts: Vec<&[u8]> = token.split('.').map(str::as_bytes).collect();
    assert_redacted(&issued, &parts);
    assert_redacted(&CompactToken::parse(token).unwrap(), &parts);
    let presented = Presented { token: token.as_bytes(), source };
    assert_redacted(&presented, &parts);
    let principal = block_on(authority.authenticate(&presented)).unwrap();
    assert_redacted(&principal, &parts);
    assert_redacted(&authority, &[&MASTER, &secret]);

    let order = SandboxOrder {
        environment: EnvironmentName::SANDBOX,
        name: "A sandbox".to_owned(),
        developer_id: "boxed".to_owned(),
        industry: None,
        preferences: latchbook_core::model::SandboxPreferences::default(),
        idempotency_key: Some(SecretText::new("thirty-two-characters-that-nobody-guesses".into())),
    };
    assert_redacted(&order, &[b"thirty-two-characters-that-nobody-guesses"]);
    let opened = block_on(authority.sandboxes().create(&SandboxActor::Open, source, &order)).unwrap();
    let secret = opened.api_key.expose().rsplit('_').next().unwrap().as_bytes();
    let mut secrets: Vec<&[u8]> = opened.token.expose().split('.').map(str::as_bytes).collect();
    secrets.push(secret);
    assert_redacted(&opened, &secrets);
}

/// Asserts that a parser refuses `secret`, and that its error does not repeat it.
#[track_caller]
fn assert_refused_silently<T, E: Debug + Display>(read: Result<T, E>, secret: &[u8]) {
    if let Err(error) = read {
        assert_hidden(&format!("{error} {error:?} {error:#?}"), &[secret]);
    }
}

#[test]
fn l3_no_error_repeats_what_it_refuses() {
    let (_, der) = SigningPair::generate(Algorithm::EdDsa).unwrap();
    let damaged = pem(&der).expose().replace("-----END", "----END");
    let secrets = [
        "lb_live_0123456789abcdEF_hunter2hunter2hunter2hunter2",
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhY21lIn0.c2lnbmF0dXJl",
        "correct horse battery staple \u{7f} \" \\ \u{202e}",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4v",
        &damaged,
    ];
    for text in secrets {
        let secret = text.as_bytes();
        let held = || SecretText::new(text.to_owned());
        assert_refused_silently(MasterKey::parse(&held()), secret);
        assert_refused_silently(SigningPair::from_pem(&held()).map(|_| ()), secret);
        assert_refused_silently(SigningPair::from_pkcs8(&SecretBytes::new(secret.to_vec())), secret);
        assert_refused_silently(DeveloperId::parse(&text.repeat(4)), secret);
        assert_refused_silently(EntityId::parse(&format!("{text}/")), secret);
        assert_refused_silently(KeyId::parse(text), secret);
        assert_refused_silently(TokenId::parse(text), secret);
        assert_refused_silently(SigningKeyId::parse(&text.repeat(4)), secret);
        assert_refused_silently(EnvironmentName::parse(text), secret);
        assert_refused_silently(Brand::parse(text), secret);
        assert_refused_silently(ScopeToken::parse(&text.repeat(4)), secret);
        assert_refused_silently(ScopeSet::parse(&format!("{text}  {text}")), secret);
        assert_refused_silently(Metadata::parse(BTreeMap::from([(text.repeat(4), String::new())])), secret);
        let sealed = SealedBytes(secret.to_vec());
        let vault = Vault::new(&MasterKey::from_bytes(MASTER));
        assert_refused_silently(vault.open(SealPurpose::Pepper, secret, &sealed), secret);
        assert_hidden(&format!("{:?}", parse_key_text(text)), &[secret]);
        assert_hidden(&format!("{:?}", CompactToken::parse(text).err()), &[secret]);
        let json = serde_json::json!(text);
        for set in [
            text.to_owned(),
            format!("{{\"keys\": {json}}}"),
            format!("{{\"keys\": [{{\"kty\": {json}}}]}}"),
            format!("{{\"keys\": [{{\"kty\": \"oct\", \"k\": {json}}}]}}"),
            format!("{{\"keys\": [{{\"kty\": \"OKP\", \"crv\": {json}, \"x\": {json}, \"d\": {json}}}]}}"),
            format!("{{\"keys\": [{{\"kty\": \"OKP\", \"crv\": \"Ed25519\", \"x\": {json}, \"d\": {json}}}]}}"),
            format!("{{\"keys\": [{{\"kty\": \"RSA\", \"n\": {json}, \"e\": {json}, {json}: 1}}]}}"),
        ] {
            assert_refused_silently(parse_key_set(&set), secret);
        }
    }
    let (_, der) = SigningPair::generate(Algorithm::EdDsa).unwrap();
    let cut = SecretBytes::new(der.expose()[..der.expose().len() - 1].to_vec());
    let refused = block_on(builder().signing_key(EnvironmentName::LIVE, pem(&cut)).build());
    assert_refused_silently(refused, &cut.expose()[16..]);
    assert!(VerifyingKey::new(&latchbook_core::model::PublicKey::P256([4; 65])).is_err());
}

/// Where freed memory can be looked at without `unsafe`.
#[cfg(target_os = "linux")]
mod memory {
    use std::fs::File;
    use std::os::unix::fs::FileExt as _;

    use super::*;

    // Long enough that what an allocator writes into a freed block leaves most of it as it was.
    const LENGTH: usize = 4096;

    /// How many bytes of `LENGTH` at `address` are `byte`.
    fn count(address: usize, byte: u8) -> usize {
        let mut found = vec![0; LENGTH];
        let memory = File::open("/proc/self/mem").expect("this process's memory");
        memory.read_exact_at(&mut found, address as u64).expect("mapped memory");
        found.iter().filter(|other| **other == byte).count()
    }

    /// Asserts that nothing of a secret is left where it was, once `secret` is dropped.
    fn assert_wiped<T>(secret: T, address: usize, byte: u8) {
        assert_eq!(count(address, byte), LENGTH, "it was there");
        drop(secret);
        assert!(count(address, byte) < LENGTH / 64, "it is still there");
    }

    #[test]
    fn l6_a_secret_is_gone_from_memory_when_it_is_dropped() {
        let text = SecretText::new("\u{5}".repeat(LENGTH));
        let address = text.expose().as_ptr().addr();
        assert_wiped(text, address, 5);
        let bytes = SecretBytes::new(vec![6; LENGTH]);
        let address = bytes.expose().as_ptr().addr();
        assert_wiped(bytes, address, 6);
        let clone = SecretBytes::new(vec![7; LENGTH]).clone();
        let address = clone.expose().as_ptr().addr();
        assert_wiped(clone, address, 7);
        // What ring holds (signing pairs, peppers, sealing keys) is not wiped: ring has no way to.
    }
}
