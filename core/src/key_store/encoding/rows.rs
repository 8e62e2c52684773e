//! Records, events, announcements and counters as bytes.

use crate::model::{
    Announcement, ApiKey, AuditActor, AuditEvent, ChainId, Committed, Developer, DeveloperStatus, Entity, FeedEntry,
    KeyActivity, KeyDigest, KeyText, Pepper, PepperPurpose, Provenance, PublicKey, Record, Row, SandboxPreferences,
    SandboxRecord, SandboxRequest, SandboxState, Settings, SigningKey, SigningKeyState, StoreMeta, Stored, UsageCounts,
    UsageRow,
};

use super::{Coded, Damage, Input, coded_enum, coded_struct};

coded_struct! {
    // The revision first: it can be read without the record.
    Stored { revision, record }
    Settings { issuer, environments, master_check, created_at }
    Developer { reference, name, status, epoch, created_at }
    ApiKey {
        developer, id, brand, name, grant, allowed_ips, metadata, current, previous, created_at, expires_at,
        revoked_at, made_by,
    }
    KeyText { generation, digest, ends_at }
    KeyDigest { pepper, value }
    KeyActivity { developer, key, last_used_at }
    Entity { reference, legal_name, created_at }
    SigningKey { environment, id, public, private, state, provenance, created_at }
    Pepper { id, purpose, sealed, created_at }
    SandboxRecord {
        developer, entity, first_key, name, industry, preferences, scenario, seed, clock_offset, receipt, state,
        created_at, expires_at,
    }
    SandboxPreferences { currency, timezone, locale }
    SandboxRequest { environment, key_digest, body_digest, developer, ends_at }
    UsageRow { developer, key, day, counts }
    UsageCounts { requests, exchanges }
    AuditEvent { chain, number, at, actor, action, subject, source, details, key, link }
    FeedEntry { position, at, ends_at, announcement }
    Committed { id, feed, audit }
    StoreMeta { feed_head, pruned_to, pruned_at }
}

coded_enum! {
    Row {
        1 => Record { 0: stored },
        2 => Usage { 0: row },
        3 => Audit { 0: event },
        4 => Feed { 0: entry },
        5 => Meta { 0: meta },
    }
    Record {
        1 => Settings { 0: settings },
        2 => Developer { 0: developer },
        3 => ApiKey { 0: key },
        4 => KeyActivity { 0: activity },
        5 => Entity { 0: entity },
        6 => SigningKey { 0: key },
        7 => Pepper { 0: pepper },
        8 => Sandbox { 0: sandbox },
        9 => SandboxRequest { 0: request },
    }
    DeveloperStatus {
        1 => Active {},
        2 => Suspended {},
    }
    PublicKey {
        1 => Ed25519 { 0: key },
        2 => P256 { 0: point },
        3 => Rsa { n: n, e: e },
    }
    SigningKeyState {
        1 => Next {},
        2 => Active {},
        3 => Retiring { until: until },
        4 => Retired {},
    }
    Provenance {
        1 => Generated {},
        2 => Imported {},
    }
    PepperPurpose {
        1 => KeyDigest {},
        2 => AuditLink {},
    }
    SandboxState {
        1 => Reserved { lease_ends_at: lease_ends_at },
        2 => Open {},
    }
    ChainId {
        1 => System { 0: environment },
        2 => Developer { 0: developer },
    }
    AuditActor {
        1 => Host {},
        2 => Upkeep {},
        3 => Anonymous {},
        4 => Key { key: key, token: token },
    }
    Announcement {
        1 => TokenRevoked { environment: environment, token: token },
        2 => KeyRevoked { environment: environment, key: key },
        3 => GenerationEnded { environment: environment, key: key, generation: generation },
        4 => EpochRaised { developer: developer, epoch: epoch },
        5 => EntityRemoved { entity: entity },
        6 => SigningKeyChanged { environment: environment, key: key },
    }
}
