//! Records as rows.

use latchbook_core::model::{
    Algorithm, ApiKey, Developer, DeveloperRef, Entity, EntityRef, KeyActivity, KeyDigest, KeyText, Pepper, PublicKey,
    SandboxPreferences, SandboxRecord, SandboxRequest, SandboxState, Settings, SigningKey, SigningKeyState,
};
use rusqlite::types::Value;

use super::{ONLY, cells, none};
use crate::cells::{Cell as _, Damage};
use crate::tables::{self, Columns, Table, Tabled};

impl Tabled for Settings {
    fn table() -> &'static Table {
        &tables::SETTINGS
    }

    fn key(&self) -> Vec<Value> {
        cells![ONLY]
    }

    fn write(&self) -> Vec<Value> {
        cells![ONLY, self.issuer, self.environments, self.master_check, self.created_at]
    }

    fn read(columns: &mut Columns<'_>) -> Result<Self, Damage> {
        let _: i64 = columns.next()?;
        Ok(Self {
            issuer: columns.next()?,
            environments: columns.next()?,
            master_check: columns.next()?,
            created_at: columns.next()?,
        })
    }
}

impl Tabled for Developer {
    fn table() -> &'static Table {
        &tables::DEVELOPERS
    }

    fn key(&self) -> Vec<Value> {
        owner(&self.reference)
    }

    fn write(&self) -> Vec<Value> {
        let rest = cells![self.name, self.status, self.epoch, self.created_at];
        [self.key(), rest].concat()
    }

    fn read(columns: &mut Columns<'_>) -> Result<Self, Damage> {
        Ok(Self {
            reference: read_owner(columns)?,
            name: columns.next()?,
            status: columns.next()?,
            epoch: columns.next()?,
            created_at: columns.next()?,
        })
    }
}

impl Tabled for ApiKey {
    fn table() -> &'static Table {
        &tables::API_KEYS
    }

    fn key(&self) -> Vec<Value> {
        cells![self.developer.environment, self.developer.id, self.id]
    }

    fn write(&self) -> Vec<Value> {
        let mut values = self.key();
        values.reserve(20);
        values.extend(cells![self.brand, self.name, self.grant, self.allowed_ips, self.metadata]);
        values.extend(text(&self.current));
        values.extend(self.previous.as_ref().map_or_else(|| std::array::from_fn(|_| none()), text));
        values.extend(cells![self.created_at, self.expires_at, self.revoked_at, self.made_by]);
        values
    }

    fn read(columns: &mut Columns<'_>) -> Result<Self, Damage> {
        Ok(Self {
            developer: read_owner(columns)?,
            id: columns.next()?,
            brand: columns.next()?,
            name: columns.next()?,
            grant: columns.next()?,
            allowed_ips: columns.next()?,
            metadata: columns.next()?,
            current: read_text(columns)?.ok_or(Damage::Value)?,
            previous: read_text(columns)?,
            created_at: columns.next()?,
            expires_at: columns.next()?,
            revoked_at: columns.next()?,
            made_by: columns.next()?,
        })
    }
}

fn text(text: &KeyText) -> [Value; 4] {
    [text.generation.write(), text.digest.pepper.write(), text.digest.value.write(), text.ends_at.write()]
}

fn read_text(columns: &mut Columns<'_>) -> Result<Option<KeyText>, Damage> {
    let (generation, pepper, value) = (columns.next()?, columns.next()?, columns.next()?);
    let ends_at = columns.next()?;
    match (generation, pepper, value) {
        (Some(generation), Some(pepper), Some(value)) => {
            Ok(Some(KeyText { generation, digest: KeyDigest { pepper, value }, ends_at }))
        }
        (None, None, None) if ends_at.is_none() => Ok(None),
        _ => Err(Damage::Value),
    }
}

impl Tabled for KeyActivity {
    fn table() -> &'static Table {
        &tables::KEY_ACTIVITY
    }

    fn key(&self) -> Vec<Value> {
        cells![self.developer.environment, self.developer.id, self.key]
    }

    fn write(&self) -> Vec<Value> {
        [self.key(), cells![self.last_used_at]].concat()
    }

    fn read(columns: &mut Columns<'_>) -> Result<Self, Damage> {
        Ok(Self { developer: read_owner(columns)?, key: columns.next()?, last_used_at: columns.next()? })
    }
}

impl Tabled for Entity {
    fn table() -> &'static Table {
        &tables::ENTITIES
    }

    fn key(&self) -> Vec<Value> {
        let EntityRef { developer, id } = &self.reference;
        cells![developer.environment, developer.id, *id]
    }

    fn write(&self) -> Vec<Value> {
        [self.key(), cells![self.legal_name, self.created_at]].concat()
    }

    fn read(columns: &mut Columns<'_>) -> Result<Self, Damage> {
        Ok(Self {
            reference: EntityRef { developer: read_owner(columns)?, id: columns.next()? },
            legal_name: columns.next()?,
            created_at: columns.next()?,
        })
    }
}

impl Tabled for SigningKey {
    fn table() -> &'static Table {
        &tables::SIGNING_KEYS
    }

    fn key(&self) -> Vec<Value> {
        cells![self.environment, self.id]
    }

    fn write(&self) -> Vec<Value> {
        let (public, exponent) = match &self.public {
            PublicKey::Ed25519(key) => (key.write(), none()),
            PublicKey::P256(point) => (point.write(), none()),
            PublicKey::Rsa { n, e } => (n.write(), e.write()),
        };
        let (state, until) = match self.state {
            SigningKeyState::Next => ("next", None),
            SigningKeyState::Active => ("active", None),
            SigningKeyState::Retiring { until } => ("retiring", Some(until)),
            SigningKeyState::Retired => ("retired", None),
        };
        let mut values = self.key();
        values.extend([self.public.algorithm().write(), public, exponent, self.private.write()]);
        values.extend(cells![state.to_owned(), until, self.provenance, self.created_at]);
        values
    }

    fn read(columns: &mut Columns<'_>) -> Result<Self, Damage> {
        Ok(Self {
            environment: columns.next()?,
            id: columns.next()?,
            public: read_public(columns)?,
            private: columns.next()?,
            state: read_state(columns)?,
            provenance: columns.next()?,
            created_at: columns.next()?,
        })
    }
}

fn read_public(columns: &mut Columns<'_>) -> Result<PublicKey, Damage> {
    let algorithm: Algorithm = columns.next()?;
    let (public, exponent): (Vec<u8>, Option<Vec<u8>>) = (columns.next()?, columns.next()?);
    match (algorithm, exponent) {
        (Algorithm::EdDsa, None) => public.try_into().map(PublicKey::Ed25519).map_err(|_| Damage::Value),
        (Algorithm::Es256, None) => public.try_into().map(PublicKey::P256).map_err(|_| Damage::Value),
        (Algorithm::Rs256, Some(e)) => Ok(PublicKey::Rsa { n: public, e }),
        _ => Err(Damage::Value),
    }
}

fn read_state(columns: &mut Columns<'_>) -> Result<SigningKeyState, Damage> {
    let state: String = columns.next()?;
    match (&*state, columns.next()?) {
        ("next", None) => Ok(SigningKeyState::Next),
        ("active", None) => Ok(SigningKeyState::Active),
        ("retiring", Some(until)) => Ok(SigningKeyState::Retiring { until }),
        ("retired", None) => Ok(SigningKeyState::Retired),
        _ => Err(Damage::Value),
    }
}

impl Tabled for Pepper {
    fn table() -> &'static Table {
        &tables::PEPPERS
    }

    fn key(&self) -> Vec<Value> {
        cells![self.id]
    }

    fn write(&self) -> Vec<Value> {
        cells![self.id, self.purpose, self.sealed, self.created_at]
    }

    fn read(columns: &mut Columns<'_>) -> Result<Self, Damage> {
        Ok(Self { id: columns.next()?, purpose: columns.next()?, sealed: columns.next()?, created_at: columns.next()? })
    }
}

impl Tabled for SandboxRecord {
    fn table() -> &'static Table {
        &tables::SANDBOXES
    }

    fn key(&self) -> Vec<Value> {
        owner(&self.developer)
    }

    fn write(&self) -> Vec<Value> {
        let SandboxPreferences { currency, timezone, locale } = &self.preferences;
        let (state, lease) = match self.state {
            SandboxState::Reserved { lease_ends_at } => ("reserved", Some(lease_ends_at)),
            SandboxState::Open => ("open", None),
        };
        let mut values = self.key();
        values.extend(cells![self.entity, self.first_key, self.name, self.industry, *currency, *timezone, *locale]);
        values.extend(cells![self.scenario, self.seed, self.clock_offset, self.receipt]);
        values.extend(cells![state.to_owned(), lease, self.created_at, self.expires_at]);
        values
    }

    fn read(columns: &mut Columns<'_>) -> Result<Self, Damage> {
        Ok(Self {
            developer: read_owner(columns)?,
            entity: columns.next()?,
            first_key: columns.next()?,
            name: columns.next()?,
            industry: columns.next()?,
            preferences: SandboxPreferences {
                currency: columns.next()?,
                timezone: columns.next()?,
                locale: columns.next()?,
            },
            scenario: columns.next()?,
            seed: columns.next()?,
            clock_offset: columns.next()?,
            receipt: columns.next()?,
            state: {
                let state: String = columns.next()?;
                match (&*state, columns.next()?) {
                    ("reserved", Some(lease_ends_at)) => SandboxState::Reserved { lease_ends_at },
                    ("open", None) => SandboxState::Open,
                    _ => return Err(Damage::Value),
                }
            },
            created_at: columns.next()?,
            expires_at: columns.next()?,
        })
    }
}

impl Tabled for SandboxRequest {
    fn table() -> &'static Table {
        &tables::SANDBOX_REQUESTS
    }

    fn key(&self) -> Vec<Value> {
        cells![self.environment, self.key_digest]
    }

    fn write(&self) -> Vec<Value> {
        let place = [self.environment.as_str().as_bytes(), &self.key_digest].concat();
        [self.key(), cells![self.body_digest, self.developer, self.ends_at, place]].concat()
    }

    fn read(columns: &mut Columns<'_>) -> Result<Self, Damage> {
        let request = Self {
            environment: columns.next()?,
            key_digest: columns.next()?,
            body_digest: columns.next()?,
            developer: columns.next()?,
            ends_at: columns.next()?,
        };
        let _: Vec<u8> = columns.next()?;
        Ok(request)
    }
}

fn owner(developer: &DeveloperRef) -> Vec<Value> {
    cells![developer.environment, developer.id]
}

fn read_owner(columns: &mut Columns<'_>) -> Result<DeveloperRef, Damage> {
    Ok(DeveloperRef { environment: columns.next()?, id: columns.next()? })
}
