//! Good values for the tests of this room, to be spoilt one part at a time.

use super::access_token::{Expected, VerifiedToken, check_identity};
use super::api_key::{PresentedKey, VerifiedKey, check_api_key};
use super::exchange::TokenPolicy;
use super::key_text::KeyTextParts;
use crate::model::{
    AccessClaims, ApiKey, BUILT_IN, DeclaredScope, Developer, DeveloperId, DeveloperRef, DeveloperStatus, EntityId,
    EnvironmentName, KeyDigest, KeyId, KeyText, Leeway, Lifetime, Metadata, PepperId, ScopeGrant, ScopeRegistry,
    ScopeSet, SignedClaims, SigningKeyId, Source, TokenId, UnixTime,
};

pub(crate) const ISSUER: &str = "https://api.example.com/live";

/// The present in most tests.
pub(crate) const NOW: UnixTime = UnixTime::from_seconds(1_000_000);

/// `NOW`, moved by `seconds`.
pub(crate) fn after(seconds: i64) -> UnixTime {
    if seconds < 0 { NOW.minus(seconds.unsigned_abs()) } else { NOW.plus(seconds.unsigned_abs()) }
}

pub(crate) fn policy() -> TokenPolicy {
    TokenPolicy {
        default_lifetime: Lifetime::seconds(900),
        longest_lifetime: Lifetime::seconds(3600),
        leeway: Leeway::seconds(5),
    }
}

pub(crate) fn set(text: &str) -> ScopeSet {
    ScopeSet::parse(text).expect("a scope")
}

pub(crate) fn registry() -> ScopeRegistry {
    let own = [
        DeclaredScope { token: "ledger:read", management: false },
        DeclaredScope { token: "ledger:write", management: false },
        DeclaredScope { token: "ledger:close", management: true },
    ];
    ScopeRegistry::new(BUILT_IN.iter().chain(&own)).expect("declared")
}

pub(crate) fn developer_ref(id: &str) -> DeveloperRef {
    DeveloperRef { environment: EnvironmentName::LIVE, id: DeveloperId::parse(id).expect("an id") }
}

pub(crate) fn entity(id: &str) -> EntityId {
    EntityId::parse(id).expect("an id")
}

pub(crate) fn key_id(first: char) -> KeyId {
    KeyId::parse(&format!("{first}123456789abcdEF")).expect("an id")
}

pub(crate) fn token_id(first: char) -> TokenId {
    TokenId::parse(&format!("{first}123456789abcdefghijkl")).expect("an id")
}

pub(crate) fn digest(pepper: u8, value: u8) -> KeyDigest {
    KeyDigest { pepper: PepperId::from_bytes([pepper; 16]), value: [value; 32] }
}

pub(crate) fn source(address: &str) -> Source {
    Source { address: Some(address.parse().expect("an address")) }
}

pub(crate) fn developer() -> Developer {
    Developer {
        reference: developer_ref("dev"),
        name: "Dev".to_owned(),
        status: DeveloperStatus::Active,
        epoch: 3,
        created_at: UnixTime::EPOCH,
    }
}

/// A key with every scope that is not marked, whose digest is `digest(1, 1)`.
pub(crate) fn key() -> ApiKey {
    ApiKey {
        developer: developer_ref("dev"),
        id: key_id('0'),
        brand: "lb".to_owned(),
        name: "Key".to_owned(),
        grant: ScopeGrant::new(set("keys:manage ledger:read ledger:write")),
        allowed_ips: Vec::new(),
        metadata: Metadata::default(),
        current: KeyText { generation: 2, digest: digest(1, 1), ends_at: None },
        previous: None,
        created_at: UnixTime::EPOCH,
        expires_at: None,
        revoked_at: None,
        made_by: None,
    }
}

pub(crate) fn parts() -> KeyTextParts {
    KeyTextParts { brand: "lb".to_owned(), environment: EnvironmentName::LIVE, id: key_id('0') }
}

/// `key` as found right a day before `NOW`.
pub(crate) fn verified_key(key: &ApiKey) -> VerifiedKey {
    let presented = PresentedKey {
        developer: &key.developer,
        parts: &parts(),
        digests: &[digest(1, 1)],
        source: source("192.0.2.1"),
    };
    check_api_key(&presented, Some(&developer()), Some(key), after(-86_400)).expect("a good key")
}

pub(crate) fn claims() -> AccessClaims<'static> {
    AccessClaims {
        issuer: ISSUER.into(),
        audience: ISSUER.into(),
        subject: "dev".into(),
        key: key_id('0'),
        issued_at: NOW,
        not_before: NOW,
        expires_at: after(900),
        token: token_id('0'),
        scopes: set("ledger:read"),
        developer: DeveloperId::parse("dev").expect("an id"),
        entity: None,
        environment: EnvironmentName::LIVE,
        generation: 2,
        epoch: 3,
        allowed_ips: Vec::new(),
        delegation: None,
        origin: None,
    }
}

/// Makes entity claims for the entity `id`.
pub(crate) fn for_entity(claims: &mut AccessClaims<'_>, id: &str) {
    claims.subject = id.to_owned().into();
    claims.entity = Some(entity(id));
}

pub(crate) fn signed(claims: AccessClaims<'_>) -> SignedClaims<'_> {
    SignedClaims { signing_key: SigningKeyId::parse("kid").expect("an id"), claims }
}

pub(crate) const EXPECTED: Expected<'_> =
    Expected { issuer: ISSUER, audience: ISSUER, environment: EnvironmentName::LIVE };

/// A good token, after `edit`.
pub(crate) fn token(edit: impl FnOnce(&mut AccessClaims<'static>)) -> VerifiedToken {
    let mut claims = claims();
    edit(&mut claims);
    check_identity(signed(claims), &EXPECTED).expect("a good token")
}
