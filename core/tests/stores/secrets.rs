//! A copy of the whole storage gives no secret away. Shared by the stores in a file, which give `Store` and `FILE`.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use futures_executor::block_on;
use latchbook_core::authority::{Exchange, NewEntity, SandboxActor, SandboxOrder};
use latchbook_core::check::NewKey;
use latchbook_core::jose::SigningPair;
use latchbook_core::model::{
    Algorithm, DeveloperId, EntityId, Metadata, SandboxPreferences, ScopeSet, SecretBytes, SecretText,
};
use latchbook_core::{Actor, Authority, DeveloperRef, EnvironmentName, MasterKey, Source};
use ring::digest::{SHA256, digest};

use super::{FILE, Store};

const MASTER: [u8; 32] = *b"master-key-of-thirty-two-bytes!!";
const IDEMPOTENCY_KEY: &str = "thirty-two-characters-that-nobody-guesses";
/// Kept in the clear, so that a search which finds nothing at all is noticed.
const NAME: &str = "A name that anybody may read";

/// Every spelling in which somebody would recognise `secret`.
fn spellings(secret: &[u8]) -> Vec<Vec<u8>> {
    let hexadecimal: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let hash = digest(&SHA256, secret).as_ref().to_vec();
    // Without their last characters, which depend on what follows.
    let base64 = [STANDARD.encode(secret), URL_SAFE_NO_PAD.encode(secret)].map(|mut text| {
        text.truncate(secret.len() / 3 * 4);
        text.into_bytes()
    });
    let [standard, url_safe] = base64;
    vec![secret.to_vec(), standard, url_safe, hexadecimal.into_bytes(), hash]
}

/// The bytes of every file below `folder`.
fn everything(folder: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        bytes.extend(if path.is_dir() { everything(&path) } else { fs::read(&path).unwrap() });
    }
    bytes
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn pem(der: &SecretBytes) -> SecretText {
    let body = STANDARD.encode(der.expose());
    SecretText::new(format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"))
}

/// Uses everything that there is, and answers with every secret that came up.
async fn live(path: &Path) -> Vec<(&'static str, Vec<u8>)> {
    let (_, der) = SigningPair::generate(Algorithm::EdDsa).unwrap();
    let authority = Authority::builder()
        .store(Store::open(path).unwrap())
        .issuer("https://api.example.com")
        .master_key(MasterKey::from_bytes(MASTER))
        .signing_key(EnvironmentName::LIVE, pem(&der))
        .build()
        .await
        .unwrap();
    let (host, source) = (Actor::Host, Source::UNKNOWN);
    let acme = DeveloperRef { environment: EnvironmentName::LIVE, id: DeveloperId::parse("acme").unwrap() };
    authority.developers().create(&host, source, &acme, NAME).await.unwrap();
    let entity = NewEntity { id: Some(EntityId::parse("ent_1").unwrap()), legal_name: "An entity".into() };
    authority.entities().create(&host, source, &acme, &entity).await.unwrap();
    // The private key's 32 bytes (RFC 8410 §7).
    let mut secrets = vec![("master key", MASTER.to_vec()), ("signing key", der.expose()[16..48].to_vec())];
    let keep_key = |text: &SecretText, secrets: &mut Vec<(&str, Vec<u8>)>| {
        let text = text.expose();
        secrets.push(("key", text.as_bytes().to_vec()));
        secrets.push(("key's secret", text.rsplit('_').next().unwrap().as_bytes()[..43].to_vec()));
    };
    let keep_token = |text: &SecretText, secrets: &mut Vec<(&str, Vec<u8>)>| {
        secrets.push(("token", text.expose().as_bytes().to_vec()));
        secrets.push(("signature", text.expose().rsplit('.').next().unwrap().as_bytes().to_vec()));
    };
    for number in 0..3 {
        let new = NewKey {
            name: format!("key {number}"),
            scopes: ScopeSet::parse("audit:read keys:manage").unwrap(),
            expires_at: None,
            allowed_ips: Vec::new(),
            metadata: Metadata::default(),
        };
        let made = authority.keys().create(&host, source, &acme, &new).await.unwrap();
        keep_key(&made.text, &mut secrets);
        for entity in [None, Some("ent_1")] {
            let api_key = &made.text;
            let exchange = Exchange { developer: "acme", api_key, entity, scope: None, lifetime: None, source };
            keep_token(&authority.exchange(&exchange).await.unwrap().token, &mut secrets);
        }
        if number == 0 {
            authority.keys().revoke(&host, source, &acme, made.key.id).await.unwrap();
        }
    }
    let order = SandboxOrder {
        environment: EnvironmentName::SANDBOX,
        name: "A sandbox".into(),
        developer_id: "boxed".into(),
        industry: None,
        preferences: SandboxPreferences::default(),
        idempotency_key: Some(SecretText::new(IDEMPOTENCY_KEY.into())),
    };
    secrets.push(("idempotency key", IDEMPOTENCY_KEY.as_bytes().to_vec()));
    for _ in 0..2 {
        let opened = authority.sandboxes().create(&SandboxActor::Open, source, &order).await.unwrap();
        keep_key(&opened.api_key, &mut secrets);
        keep_token(&opened.token, &mut secrets);
    }
    authority.shutdown().await.unwrap();
    secrets
}

#[test]
fn k8_l5_a_copy_of_the_storage_holds_no_key_no_token_and_no_signing_key() {
    let folder = tempfile::tempdir().unwrap();
    let secrets = block_on(live(&folder.path().join(FILE)));
    let copy = everything(folder.path());
    assert!(holds(&copy, NAME.as_bytes()) && holds(&copy, b"acme"), "the search finds what is there");
    for (what, secret) in &secrets {
        for spelling in spellings(secret) {
            assert!(!holds(&copy, &spelling), "the {what} is in the storage as {}", spelling.escape_ascii());
        }
    }
    println!("{} bytes searched for {} secrets", copy.len(), secrets.len());
}
