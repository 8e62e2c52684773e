//! Records, events and announcements to try a store with, plain and at their limits.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use ipnet::IpNet;

use crate::model::{
    Announcement, ApiKey, AuditAction, AuditActor, AuditDraft, AuditKey, ChainId, Day, Developer, DeveloperId,
    DeveloperRef, DeveloperStatus, Entity, EntityId, EntityRef, EnvironmentName, IdError, KeyActivity, KeyDigest,
    KeyId, KeyText, Metadata, Pepper, PepperId, PepperPurpose, Provenance, PublicKey, Record, SandboxPreferences,
    SandboxRecord, SandboxRequest, SandboxState, ScopeGrant, ScopeSet, SealedBytes, SecretBytes, Settings, SigningKey,
    SigningKeyId, SigningKeyState, TokenId, UnixTime, UsageCounts, UsageRow,
};

/// An instant.
#[must_use]
pub fn at(seconds: u64) -> UnixTime {
    UnixTime::from_seconds(seconds)
}

/// A developer of the environment `live`.
///
/// # Errors
/// [`IdError`] if `id` is no developer's id.
pub fn developer_ref(id: &str) -> Result<DeveloperRef, IdError> {
    Ok(DeveloperRef { environment: EnvironmentName::LIVE, id: DeveloperId::parse(id)? })
}

/// A key's id that ends in `number`.
///
/// # Errors
/// [`IdError`], for a number of more than 16 digits.
pub fn key_id(number: u64) -> Result<KeyId, IdError> {
    KeyId::parse(&format!("{number:0>16}"))
}

/// A token's id that ends in `number`.
///
/// # Errors
/// [`IdError`], for no number.
pub fn token_id(number: u64) -> Result<TokenId, IdError> {
    TokenId::parse(&format!("{number:0>22}"))
}

/// A developer's record.
#[must_use]
pub fn developer(reference: &DeveloperRef) -> Developer {
    Developer {
        reference: reference.clone(),
        name: "Acme".to_owned(),
        status: DeveloperStatus::Active,
        epoch: 0,
        created_at: at(1),
    }
}

/// A key's record, with every field that may be absent absent.
#[must_use]
pub fn key(developer: &DeveloperRef, id: KeyId, created_at: UnixTime) -> ApiKey {
    ApiKey {
        developer: developer.clone(),
        id,
        brand: "lb".to_owned(),
        name: "a key".to_owned(),
        grant: ScopeGrant::default(),
        allowed_ips: Vec::new(),
        metadata: Metadata::default(),
        current: KeyText {
            generation: 1,
            digest: KeyDigest { pepper: PepperId::from_bytes([1; 16]), value: [2; 32] },
            ends_at: None,
        },
        previous: None,
        created_at,
        expires_at: None,
        revoked_at: None,
        made_by: None,
    }
}

/// A key's record with every field filled, texts at their longest and in several scripts.
///
/// # Errors
/// [`IdError`], never for a developer's own id.
pub fn largest_key(developer: &DeveloperRef, id: KeyId) -> Result<ApiKey, IdError> {
    let pairs: BTreeMap<_, _> = (10..30).map(|n| (format!("{n}{}", "名".repeat(38)), "😀".repeat(500))).collect();
    let scopes = (100..200).map(|n| format!("{n}{}", "s".repeat(97))).collect::<Vec<_>>().join(" ");
    Ok(ApiKey {
        name: "é\u{301}ü𝒳".repeat(50).chars().take(200).collect(),
        brand: "12345678".to_owned(),
        grant: ScopeGrant::new(ScopeSet::parse(&scopes).unwrap_or_default()),
        allowed_ips: [
            IpNet::new(IpAddr::from([10, 0, 0, 0]), 8),
            IpNet::new(IpAddr::from(Ipv6Addr::UNSPECIFIED), 0),
            IpNet::new(IpAddr::from(Ipv6Addr::LOCALHOST), 128),
        ]
        .into_iter()
        .flatten()
        .collect(),
        metadata: Metadata::parse(pairs).unwrap_or_default(),
        previous: Some(KeyText {
            generation: u64::MAX,
            digest: KeyDigest { pepper: PepperId::from_bytes([255; 16]), value: [255; 32] },
            ends_at: Some(UnixTime::MAX),
        }),
        expires_at: Some(UnixTime::MAX),
        revoked_at: Some(UnixTime::EPOCH),
        made_by: Some(key_id(7)?),
        ..key(developer, id, UnixTime::MAX)
    })
}

/// When a key was last used.
#[must_use]
pub fn activity(developer: &DeveloperRef, key: KeyId, last_used_at: UnixTime) -> KeyActivity {
    KeyActivity { developer: developer.clone(), key, last_used_at }
}

/// An entity's record.
///
/// # Errors
/// [`IdError`] if `id` is no entity's id.
pub fn entity(developer: &DeveloperRef, id: &str, created_at: UnixTime) -> Result<Entity, IdError> {
    let reference = EntityRef { developer: developer.clone(), id: EntityId::parse(id)? };
    Ok(Entity { reference, legal_name: "Käse & Söhne 株式会社".to_owned(), created_at })
}

/// The store's settings.
#[must_use]
pub fn settings() -> Settings {
    Settings {
        issuer: "https://api.example.com".to_owned(),
        environments: vec![EnvironmentName::LIVE, EnvironmentName::SANDBOX],
        master_check: [9; 32],
        created_at: at(1),
    }
}

/// A signing key's record.
///
/// # Errors
/// [`IdError`] if `id` is no signing key's id.
pub fn signing_key(id: &str, public: PublicKey, created_at: UnixTime) -> Result<SigningKey, IdError> {
    Ok(SigningKey {
        environment: EnvironmentName::LIVE,
        id: SigningKeyId::parse(id)?,
        public,
        private: SealedBytes(vec![3; 100]),
        state: SigningKeyState::Active,
        provenance: Provenance::Generated,
        created_at,
    })
}

/// A pepper's record.
#[must_use]
pub fn pepper(id: u8, purpose: PepperPurpose, created_at: UnixTime) -> Pepper {
    Pepper { id: PepperId::from_bytes([id; 16]), purpose, sealed: SealedBytes(vec![4; 60]), created_at }
}

/// A sandbox's record.
///
/// # Errors
/// [`IdError`], never.
pub fn sandbox(developer: &DeveloperRef, expires_at: UnixTime) -> Result<SandboxRecord, IdError> {
    Ok(SandboxRecord {
        developer: developer.clone(),
        entity: EntityId::parse("first")?,
        first_key: key_id(1)?,
        name: "Try it".to_owned(),
        industry: None,
        preferences: SandboxPreferences::default(),
        scenario: "plain".to_owned(),
        seed: [5; 32],
        clock_offset: 0,
        receipt: None,
        state: SandboxState::Open,
        created_at: at(1),
        expires_at,
    })
}

/// A sandbox's record with every field filled, and the largest receipt.
///
/// # Errors
/// [`IdError`], never.
pub fn largest_sandbox(developer: &DeveloperRef) -> Result<SandboxRecord, IdError> {
    Ok(SandboxRecord {
        industry: Some("Bäckerei".to_owned()),
        clock_offset: i64::MIN,
        receipt: Some(SealedBytes(vec![0; 64 * 1024])),
        state: SandboxState::Reserved { lease_ends_at: at(9) },
        ..sandbox(developer, UnixTime::MAX)?
    })
}

/// An idempotency key's record. Its digest holds zero bytes, as digests may.
///
/// # Errors
/// [`IdError`], never.
pub fn sandbox_request(number: u8, ends_at: UnixTime) -> Result<SandboxRequest, IdError> {
    let mut key_digest = [0; 32];
    if let Some(last) = key_digest.last_mut() {
        *last = number;
    }
    Ok(SandboxRequest {
        environment: EnvironmentName::SANDBOX,
        key_digest,
        body_digest: [7; 32],
        developer: DeveloperId::parse("made")?,
        ends_at,
    })
}

/// A record of every kind, and of every form of those that have several.
///
/// # Errors
/// [`IdError`], never.
pub fn one_of_each() -> Result<Vec<Record>, IdError> {
    let ada = developer_ref("ada")?;
    let longest = developer_ref(&"z".repeat(128))?;
    let suspended = Developer { status: DeveloperStatus::Suspended, epoch: u64::MAX, ..developer(&longest) };
    let retiring = SigningKeyState::Retiring { until: at(77) };
    let rsa = PublicKey::Rsa { n: vec![200; 384], e: vec![1, 0, 1] };
    Ok(vec![
        Record::Settings(settings()),
        Record::Developer(developer(&ada)),
        Record::Developer(suspended),
        Record::ApiKey(key(&ada, key_id(1)?, at(5))),
        Record::ApiKey(largest_key(&longest, key_id(2)?)?),
        Record::KeyActivity(activity(&ada, key_id(1)?, at(6))),
        Record::Entity(entity(&ada, "e", at(5))?),
        Record::Entity(entity(&longest, &"~".repeat(128), UnixTime::EPOCH)?),
        Record::SigningKey(signing_key("ed", PublicKey::Ed25519([1; 32]), at(1))?),
        Record::SigningKey(SigningKey { state: retiring, ..signing_key("p256", PublicKey::P256([4; 65]), at(2))? }),
        Record::SigningKey(SigningKey { state: SigningKeyState::Next, ..signing_key("rsa", rsa, at(3))? }),
        Record::SigningKey(SigningKey {
            state: SigningKeyState::Retired,
            provenance: Provenance::Imported,
            ..signing_key("old", PublicKey::Ed25519([0; 32]), at(4))?
        }),
        Record::Pepper(pepper(1, PepperPurpose::KeyDigest, at(1))),
        Record::Pepper(pepper(0, PepperPurpose::AuditLink, at(2))),
        Record::Sandbox(sandbox(&ada, at(100))?),
        Record::Sandbox(largest_sandbox(&longest)?),
        Record::SandboxRequest(sandbox_request(0, at(100))?),
        Record::SandboxRequest(sandbox_request(255, UnixTime::MAX)?),
    ])
}

/// An announcement of every kind.
///
/// # Errors
/// [`IdError`], never.
pub fn announcements() -> Result<Vec<Announcement>, IdError> {
    let environment = EnvironmentName::LIVE;
    let ada = developer_ref("ada")?;
    Ok(vec![
        Announcement::TokenRevoked { environment, token: token_id(1)? },
        Announcement::KeyRevoked { environment, key: key_id(1)? },
        Announcement::GenerationEnded { environment, key: key_id(1)?, generation: 3 },
        Announcement::EpochRaised { developer: ada.clone(), epoch: u64::MAX },
        Announcement::EntityRemoved { entity: EntityRef { developer: ada, id: EntityId::parse("e")? } },
        Announcement::SigningKeyChanged { environment, key: SigningKeyId::parse("ed")? },
    ])
}

/// The key that the samples' events are linked under.
#[must_use]
pub fn audit_key() -> Arc<AuditKey> {
    Arc::new(AuditKey::new(PepperId::from_bytes([8; 16]), &SecretBytes::new(vec![6; 32])))
}

/// An event of `chain`.
#[must_use]
pub fn event(chain: &ChainId, subject: &str) -> AuditDraft {
    AuditDraft {
        chain: chain.clone(),
        at: at(50),
        actor: AuditActor::Host,
        action: AuditAction::KeyCreated,
        subject: subject.to_owned(),
        source: None,
        details: Vec::new(),
        key: audit_key(),
    }
}

/// Events of `chain` by every kind of actor, with sources and details.
///
/// # Errors
/// [`IdError`], never.
pub fn events(chain: &ChainId) -> Result<Vec<AuditDraft>, IdError> {
    let actors = [
        AuditActor::Host,
        AuditActor::Upkeep,
        AuditActor::Anonymous,
        AuditActor::Key { key: key_id(1)?, token: None },
        AuditActor::Key { key: key_id(1)?, token: Some(token_id(2)?) },
    ];
    let events = actors.into_iter().enumerate().map(|(number, actor)| AuditDraft {
        actor,
        source: Some(if number % 2 == 0 { IpAddr::from([192, 0, 2, 1]) } else { Ipv6Addr::LOCALHOST.into() }),
        details: vec![("näme".to_owned(), "välue 値".repeat(number)), (String::new(), String::new())],
        ..event(chain, &number.to_string())
    });
    Ok(events.collect())
}

/// A key's counts on a day.
#[must_use]
pub fn usage(developer: &DeveloperRef, key: KeyId, day: u32, requests: u64, exchanges: u64) -> UsageRow {
    UsageRow { developer: developer.clone(), key, day: Day(day), counts: UsageCounts { requests, exchanges } }
}
