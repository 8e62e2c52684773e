//! Each kind of record as a table: its columns, and a record as their values.

use ipnet::IpNet;
use latchbook_core::key_store::StoreError;
use latchbook_core::model::{
    Algorithm, ApiKey, ChangeId, Developer, DeveloperId, DeveloperRef, DeveloperStatus, Entity, EntityId, EntityRef,
    EnvironmentName, Index, KeyActivity, KeyDigest, KeyId, KeyText, Metadata, Pepper, PepperId, PepperPurpose,
    Position, Provenance, PublicKey, Record, RecordKey, Revision, SandboxPreferences, SandboxRecord, SandboxRequest,
    SandboxState, ScopeGrant, ScopeSet, SealedBytes, Settings, SigningKey, SigningKeyId, SigningKeyState, Stored,
    UnixTime,
};
use tokio_postgres::Row;

use crate::columns::{Column, Columns, Holds, Value};

/// The table of one kind of record.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) table: &'static str,
    /// The primary key.
    pub(crate) key: &'static [Column],
    pub(crate) rest: &'static [Column],
    /// Where the kind has a list: the columns that name a list. The column `place` is the place in it.
    pub(crate) list: Option<&'static [&'static str]>,
    read: fn(&mut Columns<'_>) -> Result<Record, StoreError>,
}

impl Kind {
    pub(crate) fn of(key: &RecordKey) -> usize {
        match key {
            RecordKey::Settings => 0,
            RecordKey::Developer(_) => 1,
            RecordKey::ApiKey(..) => 2,
            RecordKey::KeyActivity(..) => 3,
            RecordKey::Entity(_) => 4,
            RecordKey::SigningKey(..) => 5,
            RecordKey::Pepper(_) => 6,
            RecordKey::Sandbox(_) => 7,
            RecordKey::SandboxRequest(..) => 8,
        }
    }

    /// The record in a row of key columns, the rest, and the revision.
    pub(crate) fn stored(&self, row: &Row) -> Result<Stored, StoreError> {
        let mut columns = Columns::of(row);
        let record = (self.read)(&mut columns)?;
        Ok(Stored { record, revision: Revision(ChangeId::from_bytes(columns.array()?)) })
    }

    /// Values for a row that stands for none: it holds its key's place while a change relies on nobody's taking it.
    pub(crate) fn placeholder(&self, key: &RecordKey) -> Vec<Value> {
        let place = self.list.map(|_| Value::Bytes(Vec::new()));
        key_values(key).into_iter().chain(self.rest.iter().map(|column| column.least())).chain(place).collect()
    }
}

/// The values of the key columns.
pub(crate) fn key_values(key: &RecordKey) -> Vec<Value> {
    match key {
        RecordKey::Settings => vec![Value::text(SETTINGS)],
        RecordKey::Developer(developer) | RecordKey::Sandbox(developer) => developer_values(developer),
        RecordKey::ApiKey(developer, id) | RecordKey::KeyActivity(developer, id) => {
            let mut values = developer_values(developer);
            values.push(Value::text(id));
            values
        }
        RecordKey::Entity(entity) => {
            let mut values = developer_values(&entity.developer);
            values.push(Value::text(&entity.id));
            values
        }
        RecordKey::SigningKey(environment, id) => vec![Value::text(environment), Value::text(id)],
        RecordKey::Pepper(id) => vec![Value::bytes(id.as_bytes())],
        RecordKey::SandboxRequest(environment, digest) => vec![Value::text(environment), Value::bytes(digest)],
    }
}

/// The values of the key columns, the rest, and the place in a list where the kind has one.
pub(crate) fn record_values(record: &Record) -> Vec<Value> {
    let mut values = key_values(&record.key());
    values.extend(rest_values(record));
    values.extend(Index::of_record(record).map(|(_, position)| Value::Bytes(position.0)));
    values
}

/// The list that `index` names: its kind, and the values that name it. `None` for lists that are no records.
pub(crate) fn list_of(index: &Index) -> Option<(usize, Vec<Value>)> {
    Some(match index {
        Index::Developers(environment) => (1, vec![Value::text(environment)]),
        Index::KeysOf(developer) => (2, developer_values(developer)),
        Index::EntitiesOf(developer) => (4, developer_values(developer)),
        Index::SigningKeys => (5, Vec::new()),
        Index::Peppers => (6, Vec::new()),
        Index::SandboxesEnding => (7, Vec::new()),
        Index::SandboxRequestsEnding => (8, Vec::new()),
        Index::Audit(_) | Index::Usage(_) => return None,
    })
}

/// Where a record stands in its list, if it stands in one.
pub(crate) fn place_of(record: &Record) -> Option<Position> {
    Index::of_record(record).map(|(_, position)| position)
}

pub(crate) fn developer_values(developer: &DeveloperRef) -> Vec<Value> {
    vec![Value::text(developer.environment), Value::text(&developer.id)]
}

fn rest_values(record: &Record) -> Vec<Value> {
    match record {
        Record::Settings(settings) => vec![
            Value::text(&settings.issuer),
            Value::Texts(settings.environments.iter().map(ToString::to_string).collect()),
            Value::bytes(settings.master_check),
            Value::at(settings.created_at),
        ],
        Record::Developer(developer) => vec![
            Value::text(&developer.name),
            Value::text(developer.status.name()),
            Value::text(developer.epoch),
            Value::at(developer.created_at),
        ],
        Record::ApiKey(key) => api_key_values(key),
        Record::KeyActivity(activity) => vec![Value::at(activity.last_used_at)],
        Record::Entity(entity) => vec![Value::text(&entity.legal_name), Value::at(entity.created_at)],
        Record::SigningKey(key) => signing_key_values(key),
        Record::Pepper(pepper) => {
            vec![Value::text(pepper.purpose.name()), Value::bytes(&pepper.sealed.0), Value::at(pepper.created_at)]
        }
        Record::Sandbox(sandbox) => sandbox_values(sandbox),
        Record::SandboxRequest(request) => {
            vec![Value::bytes(request.body_digest), Value::text(&request.developer), Value::at(request.ends_at)]
        }
    }
}

fn api_key_values(key: &ApiKey) -> Vec<Value> {
    let text = |text: &KeyText| {
        [
            Value::text(text.generation),
            Value::bytes(text.digest.pepper.as_bytes()),
            Value::bytes(text.digest.value),
            Value::maybe(text.ends_at, Value::at),
        ]
    };
    let mut values = vec![
        Value::text(&key.brand),
        Value::text(&key.name),
        Value::text(key.grant.tokens()),
        Value::Texts(key.allowed_ips.iter().map(ToString::to_string).collect()),
        Value::text(serde_json::Value::from_iter(key.metadata.pairs().clone())),
    ];
    values.extend(text(&key.current));
    values.extend(key.previous.as_ref().map_or_else(|| [const { Value::Null }; 4], text));
    values.extend([
        Value::at(key.created_at),
        Value::maybe(key.expires_at, Value::at),
        Value::maybe(key.revoked_at, Value::at),
        Value::maybe(key.made_by, Value::text),
    ]);
    values
}

fn signing_key_values(key: &SigningKey) -> Vec<Value> {
    let (public, exponent) = match &key.public {
        PublicKey::Ed25519(key) => (key.as_slice(), None),
        PublicKey::P256(point) => (point.as_slice(), None),
        PublicKey::Rsa { n, e } => (n.as_slice(), Some(e)),
    };
    let (state, until) = match key.state {
        SigningKeyState::Next => (NEXT, None),
        SigningKeyState::Active => (ACTIVE, None),
        SigningKeyState::Retiring { until } => (RETIRING, Some(until)),
        SigningKeyState::Retired => (RETIRED, None),
    };
    vec![
        Value::text(key.public.algorithm().name()),
        Value::bytes(public),
        Value::maybe(exponent, Value::bytes),
        Value::bytes(&key.private.0),
        Value::text(state),
        Value::maybe(until, Value::at),
        Value::text(key.provenance.name()),
        Value::at(key.created_at),
    ]
}

fn sandbox_values(sandbox: &SandboxRecord) -> Vec<Value> {
    vec![
        Value::text(&sandbox.entity),
        Value::text(sandbox.first_key),
        Value::text(&sandbox.name),
        Value::maybe(sandbox.industry.as_ref(), Value::text),
        Value::text(&sandbox.preferences.currency),
        Value::text(&sandbox.preferences.timezone),
        Value::text(&sandbox.preferences.locale),
        Value::text(&sandbox.scenario),
        Value::bytes(sandbox.seed),
        Value::Int(sandbox.clock_offset),
        Value::maybe(sandbox.receipt.as_ref(), |receipt| Value::bytes(&receipt.0)),
        match sandbox.state {
            SandboxState::Open => Value::Null,
            SandboxState::Reserved { lease_ends_at } => Value::at(lease_ends_at),
        },
        Value::at(sandbox.created_at),
        Value::at(sandbox.expires_at),
    ]
}

pub(crate) fn environment(columns: &mut Columns<'_>) -> Result<EnvironmentName, StoreError> {
    columns.parsed(EnvironmentName::parse)
}

pub(crate) fn developer(columns: &mut Columns<'_>) -> Result<DeveloperRef, StoreError> {
    Ok(DeveloperRef { environment: environment(columns)?, id: columns.parsed(DeveloperId::parse)? })
}

fn read_settings(columns: &mut Columns<'_>) -> Result<Record, StoreError> {
    columns.text()?;
    let issuer = columns.text()?.to_owned();
    let names = columns.texts()?;
    let environments = columns.value(names.iter().map(|name| EnvironmentName::parse(name).ok()).collect())?;
    Ok(Record::Settings(Settings { issuer, environments, master_check: columns.array()?, created_at: columns.at()? }))
}

fn read_developer(columns: &mut Columns<'_>) -> Result<Record, StoreError> {
    Ok(Record::Developer(Developer {
        reference: developer(columns)?,
        name: columns.text()?.to_owned(),
        status: columns.parsed(|text| DeveloperStatus::parse(text).ok_or(()))?,
        epoch: columns.number()?,
        created_at: columns.at()?,
    }))
}

fn read_api_key(columns: &mut Columns<'_>) -> Result<Record, StoreError> {
    Ok(Record::ApiKey(ApiKey {
        developer: developer(columns)?,
        id: columns.parsed(KeyId::parse)?,
        brand: columns.text()?.to_owned(),
        name: columns.text()?.to_owned(),
        grant: ScopeGrant::new(columns.parsed(ScopeSet::parse)?),
        allowed_ips: {
            let ranges = columns.texts()?;
            columns.value(ranges.iter().map(|range| range.parse::<IpNet>().ok()).collect())?
        },
        metadata: {
            let pairs = columns.parsed(|text| serde_json::from_str(text))?;
            columns.value(Metadata::parse(pairs).ok())?
        },
        current: KeyText {
            generation: columns.number()?,
            digest: KeyDigest { pepper: PepperId::from_bytes(columns.array()?), value: columns.array()? },
            ends_at: columns.maybe_at()?,
        },
        previous: read_previous(columns)?,
        created_at: columns.at()?,
        expires_at: columns.maybe_at()?,
        revoked_at: columns.maybe_at()?,
        made_by: columns.maybe_parsed(KeyId::parse)?,
    }))
}

fn read_previous(columns: &mut Columns<'_>) -> Result<Option<KeyText>, StoreError> {
    let generation = columns.maybe_number()?;
    let pepper = columns.maybe_bytes()?;
    let value = columns.maybe_bytes()?;
    let ends_at = columns.maybe_at()?;
    // There as a whole or not at all: half a text is damage, not "no text".
    match (generation, pepper, value) {
        (None, None, None) if ends_at.is_none() => Ok(None),
        (Some(generation), Some(pepper), Some(value)) => {
            let pepper = PepperId::from_bytes(columns.value(pepper.try_into().ok())?);
            let digest = KeyDigest { pepper, value: columns.value(value.try_into().ok())? };
            Ok(Some(KeyText { generation, digest, ends_at }))
        }
        _ => columns.value(None),
    }
}

fn read_activity(columns: &mut Columns<'_>) -> Result<Record, StoreError> {
    Ok(Record::KeyActivity(KeyActivity {
        developer: developer(columns)?,
        key: columns.parsed(KeyId::parse)?,
        last_used_at: columns.at()?,
    }))
}

fn read_entity(columns: &mut Columns<'_>) -> Result<Record, StoreError> {
    Ok(Record::Entity(Entity {
        reference: EntityRef { developer: developer(columns)?, id: columns.parsed(EntityId::parse)? },
        legal_name: columns.text()?.to_owned(),
        created_at: columns.at()?,
    }))
}

fn read_signing_key(columns: &mut Columns<'_>) -> Result<Record, StoreError> {
    let environment = environment(columns)?;
    let id = columns.parsed(SigningKeyId::parse)?;
    let algorithm = columns.parsed(|text| Algorithm::parse(text).ok_or(()))?;
    let public = columns.bytes()?;
    let exponent = columns.maybe_bytes()?;
    let public = columns.value(match (algorithm, exponent) {
        (Algorithm::EdDsa, None) => public.try_into().ok().map(PublicKey::Ed25519),
        (Algorithm::Es256, None) => public.try_into().ok().map(PublicKey::P256),
        (Algorithm::Rs256, Some(e)) => Some(PublicKey::Rsa { n: public.to_vec(), e: e.to_vec() }),
        _ => None,
    })?;
    let private = SealedBytes(columns.bytes()?.to_vec());
    let state = columns.text()?;
    let until = columns.maybe_at()?;
    let state = columns.value(match (state, until) {
        (NEXT, None) => Some(SigningKeyState::Next),
        (ACTIVE, None) => Some(SigningKeyState::Active),
        (RETIRING, Some(until)) => Some(SigningKeyState::Retiring { until }),
        (RETIRED, None) => Some(SigningKeyState::Retired),
        _ => None,
    })?;
    let provenance = columns.parsed(|text| Provenance::parse(text).ok_or(()))?;
    let created_at = columns.at()?;
    Ok(Record::SigningKey(SigningKey { environment, id, public, private, state, provenance, created_at }))
}

fn read_pepper(columns: &mut Columns<'_>) -> Result<Record, StoreError> {
    Ok(Record::Pepper(Pepper {
        id: PepperId::from_bytes(columns.array()?),
        purpose: columns.parsed(|text| PepperPurpose::parse(text).ok_or(()))?,
        sealed: SealedBytes(columns.bytes()?.to_vec()),
        created_at: columns.at()?,
    }))
}

fn read_sandbox(columns: &mut Columns<'_>) -> Result<Record, StoreError> {
    Ok(Record::Sandbox(SandboxRecord {
        developer: developer(columns)?,
        entity: columns.parsed(EntityId::parse)?,
        first_key: columns.parsed(KeyId::parse)?,
        name: columns.text()?.to_owned(),
        industry: columns.maybe_text()?.map(str::to_owned),
        preferences: SandboxPreferences {
            currency: columns.text()?.to_owned(),
            timezone: columns.text()?.to_owned(),
            locale: columns.text()?.to_owned(),
        },
        scenario: columns.text()?.to_owned(),
        seed: columns.array()?,
        clock_offset: columns.signed()?,
        receipt: columns.maybe_bytes()?.map(|bytes| SealedBytes(bytes.to_vec())),
        state: columns.maybe_at()?.map_or(SandboxState::Open, |lease_ends_at| SandboxState::Reserved { lease_ends_at }),
        created_at: columns.at()?,
        expires_at: columns.at()?,
    }))
}

fn read_request(columns: &mut Columns<'_>) -> Result<Record, StoreError> {
    Ok(Record::SandboxRequest(SandboxRequest {
        environment: environment(columns)?,
        key_digest: columns.array()?,
        body_digest: columns.array()?,
        developer: columns.parsed(DeveloperId::parse)?,
        ends_at: columns.at()?,
    }))
}

/// The place of the first idempotency key that ends at `instant` or later.
pub(crate) fn requests_ending(instant: UnixTime) -> Value {
    Value::bytes(instant.seconds().to_be_bytes())
}

/// Makes columns of `name: Holds` pairs.
macro_rules! columns {
    ($($name:ident: $holds:ident),* $(,)?) => {
        &[$(Column { name: stringify!($name), holds: Holds::$holds }),*]
    };
}
pub(crate) use columns;

pub(crate) const KINDS: [Kind; 9] = [
    Kind {
        table: "settings",
        key: columns![id: Text],
        rest: columns![issuer: Text, environments: Texts, master_check: Bytes, created_at: Int],
        list: None,
        read: read_settings,
    },
    Kind {
        table: "developers",
        key: columns![environment: Text, id: Text],
        rest: columns![name: Text, status: Text, epoch: Number, created_at: Int],
        list: Some(&["environment"]),
        read: read_developer,
    },
    Kind {
        table: "api_keys",
        key: columns![environment: Text, developer: Text, id: Text],
        rest: columns![
            brand: Text, name: Text, scope: Text, allowed_ips: Texts, metadata: Json, generation: Number,
            pepper: Bytes, digest: Bytes, ends_at: Int, previous_generation: Number, previous_pepper: Bytes,
            previous_digest: Bytes, previous_ends_at: Int, created_at: Int, expires_at: Int, revoked_at: Int,
            made_by: Text,
        ],
        list: Some(&["environment", "developer"]),
        read: read_api_key,
    },
    Kind {
        table: "key_activity",
        key: columns![environment: Text, developer: Text, key_id: Text],
        rest: columns![last_used_at: Int],
        list: None,
        read: read_activity,
    },
    Kind {
        table: "entities",
        key: columns![environment: Text, developer: Text, id: Text],
        rest: columns![legal_name: Text, created_at: Int],
        list: Some(&["environment", "developer"]),
        read: read_entity,
    },
    Kind {
        table: "signing_keys",
        key: columns![environment: Text, id: Text],
        rest: columns![
            algorithm: Text, public_key: Bytes, exponent: Bytes, sealed_private_key: Bytes, state: Text,
            retiring_until: Int, provenance: Text, created_at: Int,
        ],
        list: Some(&[]),
        read: read_signing_key,
    },
    Kind {
        table: "peppers",
        key: columns![id: Bytes],
        rest: columns![purpose: Text, sealed: Bytes, created_at: Int],
        list: Some(&[]),
        read: read_pepper,
    },
    Kind {
        table: "sandboxes",
        key: columns![environment: Text, developer: Text],
        rest: columns![
            entity: Text, first_key: Text, name: Text, industry: Text, currency: Text, timezone: Text, locale: Text,
            scenario: Text, seed: Bytes, clock_offset: Int, sealed_receipt: Bytes, lease_ends_at: Int,
            created_at: Int, expires_at: Int,
        ],
        list: Some(&[]),
        read: read_sandbox,
    },
    Kind {
        table: "sandbox_requests",
        key: columns![environment: Text, key_digest: Bytes],
        rest: columns![body_digest: Bytes, developer: Text, ends_at: Int],
        list: Some(&[]),
        read: read_request,
    },
];

/// The one row of `settings`.
const SETTINGS: &str = "settings";

const ACTIVE: &str = "active";
const NEXT: &str = "next";
const RETIRING: &str = "retiring";
const RETIRED: &str = "retired";
