//! The keys that the stores are filled with: computed from their number, so that nothing has to be remembered of them.

use latchbook::EnvironmentName;
use latchbook::model::{
    ApiKey, AuditAction, AuditActor, AuditDraft, AuditKey, ChainId, ChangeId, ChangeSet, Developer, DeveloperId,
    DeveloperRef, DeveloperStatus, KeyDigest, KeyId, KeyText, Metadata, PepperId, Record, RecordKey, Revision, Row,
    ScopeGrant, ScopeSet, SecretBytes, Settings, Stored, UnixTime,
};

use crate::Failure;

/// How many developers the keys are spread over: a hundred keys each, and a hundred developers at least.
pub fn developers(keys: u64) -> u64 {
    (keys / 100).max(100)
}

/// The rows of a store with `keys` keys: settings, developers, keys.
pub fn rows(keys: u64) -> impl Iterator<Item = Result<Row, Failure>> {
    let settings = std::iter::once(Ok(Record::Settings(Settings {
        issuer: "https://api.example.com".to_owned(),
        environments: vec![EnvironmentName::LIVE],
        master_check: [9; 32],
        created_at: UnixTime::from_seconds(CREATED),
    })));
    let owners = (0..developers(keys)).map(|number| developer(number).map(Record::Developer));
    let keys = (0..keys).map(move |number| key(number, developers(keys)).map(Record::ApiKey));
    let stored = |record| Row::Record(Stored { record, revision: revision() });
    settings.chain(owners).chain(keys).map(move |record: Result<Record, Failure>| record.map(stored))
}

/// What an existing key is found by.
pub fn name(number: u64, developers: u64) -> Result<RecordKey, Failure> {
    Ok(RecordKey::ApiKey(owner(number % developers)?, id(number)?))
}

/// The change that makes the key `number`, as the authority makes it: key and audit event, its developer expected.
pub fn creation(number: u64, developer: u64) -> Result<ChangeSet, Failure> {
    let key = owned_key(number, developer)?;
    let mut set = ChangeSet::new(change(number), key.created_at);
    let owner = Record::Developer(self::developer(developer)?);
    set.expect(&Stored { record: owner, revision: revision() });
    set.audit.push(AuditDraft {
        chain: ChainId::Developer(key.developer.clone()),
        at: key.created_at,
        actor: AuditActor::Host,
        action: AuditAction::KeyCreated,
        subject: key.id.as_str().to_owned(),
        source: None,
        details: vec![("scopes".to_owned(), key.grant.tokens().to_string())],
        key: AuditKey::new(PepperId::from_bytes([2; 16]), &SecretBytes::new(vec![7; 32])).into(),
    });
    set.insert.push(Record::ApiKey(key));
    Ok(set)
}

/// The change that an exchange commits: the event of the token `number`, its developer expected.
pub fn issue(number: u64, developer: u64) -> Result<ChangeSet, Failure> {
    let at = UnixTime::from_seconds(CREATED + number / 10);
    let mut set = ChangeSet::new(change(number), at);
    let owner = Record::Developer(self::developer(developer)?);
    set.expect(&Stored { record: owner, revision: revision() });
    set.audit.push(AuditDraft {
        chain: ChainId::Developer(self::owner(developer)?),
        at,
        actor: AuditActor::Key { key: id(developer)?, token: None },
        action: AuditAction::TokenIssued,
        subject: format!("token{number:017}"),
        source: None,
        details: vec![
            ("scope".to_owned(), "audit:read keys:manage".to_owned()),
            ("exp".to_owned(), at.plus(900).to_string()),
        ],
        key: AuditKey::new(PepperId::from_bytes([2; 16]), &SecretBytes::new(vec![7; 32])).into(),
    });
    Ok(set)
}

fn developer(number: u64) -> Result<Developer, Failure> {
    Ok(Developer {
        reference: owner(number)?,
        name: format!("Developer {number}"),
        status: DeveloperStatus::Active,
        epoch: 1,
        created_at: UnixTime::from_seconds(CREATED),
    })
}

fn key(number: u64, developers: u64) -> Result<ApiKey, Failure> {
    owned_key(number, number % developers)
}

fn owned_key(number: u64, developer: u64) -> Result<ApiKey, Failure> {
    let mut digest = [0; 32];
    for (place, byte) in digest.chunks_mut(8).zip(1..) {
        place.copy_from_slice(&scattered(number, byte).to_be_bytes());
    }
    Ok(ApiKey {
        developer: owner(developer)?,
        id: id(number)?,
        brand: "lb".to_owned(),
        name: format!("Server {number}"),
        grant: ScopeGrant::new(ScopeSet::parse("ledger:read ledger:write keys:manage")?),
        allowed_ips: Vec::new(),
        metadata: Metadata::default(),
        current: KeyText {
            generation: 1,
            digest: KeyDigest { pepper: PepperId::from_bytes([1; 16]), value: digest },
            ends_at: None,
        },
        previous: None,
        created_at: UnixTime::from_seconds(CREATED + number / 10),
        expires_at: None,
        revoked_at: None,
        made_by: None,
    })
}

fn owner(number: u64) -> Result<DeveloperRef, Failure> {
    Ok(DeveloperRef { environment: EnvironmentName::LIVE, id: DeveloperId::parse(&format!("developer-{number:06}"))? })
}

fn id(number: u64) -> Result<KeyId, Failure> {
    const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut left = u128::from(scattered(number, 8)) << 64 | u128::from(scattered(number, 9));
    let mut text = String::with_capacity(16);
    for _ in 0..16 {
        text.push(char::from(LETTERS[usize::try_from(left % 62)?]));
        left /= 62;
    }
    Ok(KeyId::parse(&text)?)
}

/// The id of the change that makes the key `number`.
pub fn change(number: u64) -> ChangeId {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&scattered(number, 10).to_be_bytes());
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    ChangeId::from_bytes(bytes)
}

fn revision() -> Revision {
    Revision(ChangeId::from_bytes([0; 16]))
}

/// A number that looks random, another one for each `salt` (splitmix64).
pub fn scattered(number: u64, salt: u64) -> u64 {
    let mut mixed = number.wrapping_add(salt.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

const CREATED: u64 = 1_790_000_000;
