//! The few ids, instants and records that random lists are made of, so that they meet again and again.

use super::super::{Problem, samples};
use crate::model::{
    Announcement, ChainId, DeveloperId, DeveloperRef, DeveloperStatus, EntityId, EntityRef, EnvironmentName, Index,
    KeyId, PepperId, PepperPurpose, Provenance, PublicKey, Record, RecordKey, SandboxState, SigningKeyId,
    SigningKeyState, UnixTime,
};

/// How many developers there are.
pub(super) const OWNERS: u8 = 4;
/// How many ids of a kind there are.
pub(super) const IDS: u8 = 3;
/// How many kinds of record there are.
pub(super) const KINDS: u8 = 9;
/// How many lists there are.
pub(super) const LISTS: u8 = 4 + OWNERS * 4 + 4;

/// Which record is meant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) kind: u8,
    pub(super) owner: u8,
    pub(super) id: u8,
}

/// What a record looks like.
#[derive(Clone, Debug)]
pub(super) struct Look {
    pub(super) at: UnixTime,
    pub(super) number: u64,
    pub(super) text: String,
    pub(super) is_large: bool,
}

pub(super) fn owner(number: u8) -> Result<DeveloperRef, Problem> {
    Ok(match number {
        0 => samples::developer_ref("ada")?,
        1 => DeveloperRef { environment: EnvironmentName::SANDBOX, ..samples::developer_ref("ada")? },
        2 => samples::developer_ref("ADA")?,
        _ => samples::developer_ref(&"~".repeat(128))?,
    })
}

pub(super) fn key_id(number: u8) -> Result<KeyId, Problem> {
    Ok(samples::key_id(u64::from(number))?)
}

fn entity(slot: Slot) -> Result<EntityRef, Problem> {
    let longest = "-".repeat(128);
    let id = [&*longest, "e", "E"].into_iter().nth(usize::from(slot.id)).unwrap_or("e");
    Ok(EntityRef { developer: owner(slot.owner)?, id: EntityId::parse(id)? })
}

fn environment(slot: Slot) -> EnvironmentName {
    if slot.owner == 1 { EnvironmentName::SANDBOX } else { EnvironmentName::LIVE }
}

fn signing_key(slot: Slot) -> Result<SigningKeyId, Problem> {
    let longest = "9".repeat(64);
    let id = [&*longest, "a", "A"].into_iter().nth(usize::from(slot.id)).unwrap_or("a");
    Ok(SigningKeyId::parse(id)?)
}

fn pepper(slot: Slot) -> PepperId {
    PepperId::from_bytes([slot.id.wrapping_mul(127); 16])
}

fn digest(slot: Slot) -> [u8; 32] {
    [slot.id.wrapping_mul(127); 32]
}

/// The key of a record.
pub(super) fn key(slot: Slot) -> Result<RecordKey, Problem> {
    Ok(match slot.kind {
        0 => RecordKey::Settings,
        1 => RecordKey::Developer(owner(slot.owner)?),
        2 => RecordKey::ApiKey(owner(slot.owner)?, key_id(slot.id)?),
        3 => RecordKey::KeyActivity(owner(slot.owner)?, key_id(slot.id)?),
        4 => RecordKey::Entity(entity(slot)?),
        5 => RecordKey::SigningKey(environment(slot), signing_key(slot)?),
        6 => RecordKey::Pepper(pepper(slot)),
        7 => RecordKey::Sandbox(owner(slot.owner)?),
        _ => RecordKey::SandboxRequest(environment(slot), digest(slot)),
    })
}

/// A record with the key that [`key`] gives.
pub(super) fn record(slot: Slot, look: &Look) -> Result<Record, Problem> {
    let Look { at, number, is_large, .. } = *look;
    let text = look.text.clone();
    let reference = owner(slot.owner)?;
    Ok(match slot.kind {
        0 => {
            let mut settings = samples::settings();
            settings.created_at = at;
            settings.issuer = text;
            Record::Settings(settings)
        }
        1 => {
            let mut developer = samples::developer(&reference);
            (developer.name, developer.epoch, developer.created_at) = (text, number, at);
            if is_large {
                developer.status = DeveloperStatus::Suspended;
            }
            Record::Developer(developer)
        }
        2 => {
            let id = key_id(slot.id)?;
            let mut key =
                if is_large { samples::largest_key(&reference, id)? } else { samples::key(&reference, id, at) };
            (key.name, key.created_at, key.current.generation) = (text, at, number);
            Record::ApiKey(key)
        }
        3 => Record::KeyActivity(samples::activity(&reference, key_id(slot.id)?, at)),
        4 => {
            let reference = entity(slot)?;
            let mut entity = samples::entity(&reference.developer, "e", at)?;
            (entity.reference, entity.legal_name) = (reference, text);
            Record::Entity(entity)
        }
        5 => {
            let public =
                if is_large { PublicKey::Rsa { n: vec![200; 512], e: vec![3] } } else { PublicKey::P256([4; 65]) };
            let mut key = samples::signing_key("a", public, at)?;
            (key.environment, key.id) = (environment(slot), signing_key(slot)?);
            if is_large {
                (key.state, key.provenance) = (SigningKeyState::Retiring { until: at }, Provenance::Imported);
            }
            Record::SigningKey(key)
        }
        6 => {
            let purpose = if is_large { PepperPurpose::AuditLink } else { PepperPurpose::KeyDigest };
            let mut pepper = samples::pepper(0, purpose, at);
            pepper.id = self::pepper(slot);
            Record::Pepper(pepper)
        }
        7 => {
            let mut sandbox =
                if is_large { samples::largest_sandbox(&reference)? } else { samples::sandbox(&reference, at)? };
            (sandbox.name, sandbox.expires_at) = (text, at);
            if number > 1 {
                sandbox.state = SandboxState::Reserved { lease_ends_at: at };
            }
            Record::Sandbox(sandbox)
        }
        _ => {
            let mut request = samples::sandbox_request(0, at)?;
            (request.environment, request.key_digest) = (environment(slot), digest(slot));
            request.developer = DeveloperId::parse("made")?;
            Record::SandboxRequest(request)
        }
    })
}

/// An announcement of the kind that `slot` says.
pub(super) fn announcement(slot: Slot, number: u64) -> Result<Announcement, Problem> {
    let environment = environment(slot);
    Ok(match slot.kind {
        0 => Announcement::KeyRevoked { environment, key: key_id(slot.id)? },
        1 => Announcement::GenerationEnded { environment, key: key_id(slot.id)?, generation: number },
        2 => Announcement::EpochRaised { developer: owner(slot.owner)?, epoch: number },
        3 => Announcement::EntityRemoved { entity: entity(slot)? },
        4 => Announcement::SigningKeyChanged { environment, key: signing_key(slot)? },
        _ => Announcement::TokenRevoked { environment, token: samples::token_id(u64::from(slot.id))? },
    })
}

/// A chain: a developer's, or one of the environments' own.
pub(super) fn chain(number: u8) -> Result<ChainId, Problem> {
    Ok(match number {
        0 => ChainId::System(EnvironmentName::LIVE),
        1 => ChainId::System(EnvironmentName::SANDBOX),
        owned => ChainId::Developer(owner(owned - 2)?),
    })
}

/// A list, of [`LISTS`].
pub(super) fn index(number: u8) -> Result<Index, Problem> {
    Ok(match number {
        0 => Index::SigningKeys,
        1 => Index::Peppers,
        2 => Index::SandboxesEnding,
        3 => Index::SandboxRequestsEnding,
        4 => Index::Developers(EnvironmentName::LIVE),
        5 => Index::Developers(EnvironmentName::SANDBOX),
        6 => Index::Audit(chain(0)?),
        7 => Index::Audit(chain(1)?),
        owned => {
            let developer = owner((owned - 8) % OWNERS)?;
            match (owned - 8) / OWNERS {
                0 => Index::KeysOf(developer),
                1 => Index::EntitiesOf(developer),
                2 => Index::Usage(developer),
                _ => Index::Audit(ChainId::Developer(developer)),
            }
        }
    })
}
