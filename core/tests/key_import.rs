//! Keys whose text exists before their record: drawn, put away, imported.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::sync::Arc;

use futures_executor::block_on;
use latchbook_core::authority::{Exchange, Issued, Limits, Presented};
use latchbook_core::check::{Brand, NewKey, parse_key_text, print_key_text};
use latchbook_core::key_store::MemoryStore;
use latchbook_core::model::{AuditAction, ChainId, DeveloperId, KeyId, Metadata, Rejection, ScopeSet, SecretText};
use latchbook_core::{Actor, Authority, DeveloperRef, EnvironmentName, MasterKey, Refusal, Source};

const HOST: Actor<'_> = Actor::Host;
const NOWHERE: Source = Source::UNKNOWN;
const LIVE: EnvironmentName = EnvironmentName::LIVE;

fn authority(store: &Arc<MemoryStore>) -> Authority {
    let builder = Authority::builder()
        .shared_store(Arc::clone(store) as _)
        .issuer("https://api.example.com")
        .master_key(MasterKey::from_bytes([7; 32]))
        .limits(Limits::OFF);
    block_on(builder.build()).unwrap()
}

/// An authority over an empty store with the developers `acme` and `other`.
fn house() -> Authority {
    let authority = authority(&Arc::new(MemoryStore::new()));
    for id in ["acme", "other"] {
        block_on(authority.developers().create(&HOST, NOWHERE, &developer(id), "A developer")).unwrap();
    }
    authority
}

fn developer(id: &str) -> DeveloperRef {
    DeveloperRef { environment: LIVE, id: DeveloperId::parse(id).unwrap() }
}

fn new_key() -> NewKey {
    NewKey {
        name: "imported".to_owned(),
        scopes: ScopeSet::parse("audit:read keys:manage").unwrap(),
        expires_at: None,
        allowed_ips: Vec::new(),
        metadata: Metadata::default(),
    }
}

fn import(authority: &Authority, text: &SecretText) -> Result<KeyId, Rejection> {
    let imported = block_on(authority.keys().import(&HOST, NOWHERE, &developer("acme"), text, &new_key()));
    imported.map(|key| key.id).map_err(rejection)
}

fn exchange(authority: &Authority, text: &SecretText) -> Result<Issued, Rejection> {
    let exchange =
        Exchange { developer: "acme", api_key: text, entity: None, scope: None, lifetime: None, source: NOWHERE };
    block_on(authority.exchange(&exchange)).map_err(rejection)
}

fn rejection(refusal: Refusal) -> Rejection {
    match refusal {
        Refusal::Rejected(rejection) => rejection,
        Refusal::Fault(fault) => panic!("{fault}"),
    }
}

fn events(authority: &Authority) -> Vec<AuditAction> {
    let chain = ChainId::Developer(developer("acme"));
    assert_eq!(block_on(authority.audit().verify(&chain)).unwrap().broken_at, None);
    let (page, _) = block_on(authority.audit().page(&chain, None, 100)).unwrap();
    page.into_iter().map(|event| event.action).collect()
}

#[test]
fn a_drawn_text_is_a_key_once_it_is_imported_and_nothing_before() {
    let authority = house();
    let text = authority.keys().draw(LIVE).unwrap();
    let parts = parse_key_text(text.expose()).unwrap();
    assert_eq!((parts.brand.as_str(), parts.environment), ("lb", LIVE));
    assert_eq!(exchange(&authority, &text).err(), Some(Rejection::KeyUnknown));
    assert_eq!(import(&authority, &text), Ok(parts.id));
    assert!(exchange(&authority, &text).is_ok());
    let view = block_on(authority.keys().get(&developer("acme"), parts.id)).unwrap();
    assert_eq!(view.key.grant.tokens(), &new_key().scopes);
    assert_eq!((view.key.name.as_str(), view.key.made_by), ("imported", None));
    assert_eq!(events(&authority), [AuditAction::TokenIssued, AuditAction::KeyImported, AuditAction::DeveloperCreated]);
}

#[test]
fn two_draws_differ_and_only_mounted_environments_have_keys() {
    let keys = house();
    let draw = |environment| keys.keys().draw(environment);
    assert_ne!(draw(LIVE).unwrap(), draw(LIVE).unwrap());
    let unmounted = EnvironmentName::parse("elsewhere").unwrap();
    assert_eq!(draw(unmounted).map_err(rejection).err(), Some(Rejection::KeyEnvironment));
}

#[test]
fn the_same_text_again_changes_nothing_also_when_it_was_revoked() {
    let authority = house();
    let text = authority.keys().draw(LIVE).unwrap();
    let id = import(&authority, &text).unwrap();
    let before = (block_on(authority.keys().get(&developer("acme"), id)).unwrap(), events(&authority));
    assert_eq!(import(&authority, &text), Ok(id));
    assert_eq!((block_on(authority.keys().get(&developer("acme"), id)).unwrap(), events(&authority)), before);

    block_on(authority.keys().revoke(&HOST, NOWHERE, &developer("acme"), id)).unwrap();
    let events_before = events(&authority);
    assert_eq!(import(&authority, &text), Ok(id));
    assert_eq!(events(&authority), events_before);
    assert_eq!(exchange(&authority, &text).err(), Some(Rejection::KeyRevoked), "a revoked key does not come back");
}

#[test]
fn another_text_under_a_taken_id_is_a_conflict() {
    let authority = house();
    let text = authority.keys().draw(LIVE).unwrap();
    let id = import(&authority, &text).unwrap();
    let other = print_key_text(&Brand::default(), LIVE, id, &"A".repeat(43));
    assert_eq!(import(&authority, &other), Err(Rejection::Conflict));
    assert!(exchange(&authority, &text).is_ok());
    assert_eq!(exchange(&authority, &other).err(), Some(Rejection::KeyDigest));
}

#[test]
fn a_text_of_another_brand_environment_or_checksum_is_refused() {
    let authority = house();
    let (id, secret) = (KeyId::parse("0123456789abcdEF").unwrap(), "A".repeat(43));
    let brand = Brand::parse("other").unwrap();
    let damaged = print_key_text(&Brand::default(), LIVE, id, &secret).expose().replace("AAAA", "AAAB");
    for (text, want) in [
        (print_key_text(&brand, LIVE, id, &secret), Rejection::KeyEnvironment),
        (print_key_text(&Brand::default(), EnvironmentName::SANDBOX, id, &secret), Rejection::KeyEnvironment),
        (SecretText::new(damaged), Rejection::KeyText),
        (SecretText::new(String::new()), Rejection::KeyText),
    ] {
        assert_eq!(import(&authority, &text), Err(want));
    }
    assert_eq!(events(&authority), [AuditAction::DeveloperCreated]);
}

#[test]
fn a_key_needs_a_developer_and_declared_scopes() {
    let authority = house();
    let text = authority.keys().draw(LIVE).unwrap();
    let import = |developer: &DeveloperRef, new: &NewKey| {
        block_on(authority.keys().import(&HOST, NOWHERE, developer, &text, new)).map_err(rejection).err()
    };
    assert_eq!(import(&developer("nobody"), &new_key()), Some(Rejection::NotFound));
    let wider = NewKey { scopes: ScopeSet::parse("unknown:read").unwrap(), ..new_key() };
    assert_eq!(import(&developer("acme"), &wider), Some(Rejection::InvalidScope));
}

#[test]
fn a_caller_cannot_choose_its_keys_text() {
    let authority = house();
    let text = authority.keys().draw(LIVE).unwrap();
    import(&authority, &text).unwrap();
    let issued = exchange(&authority, &text).unwrap();
    let presented = Presented { token: issued.token.expose().as_bytes(), source: NOWHERE };
    let principal = block_on(authority.authenticate(&presented)).unwrap();
    let chosen = authority.keys().draw(LIVE).unwrap();
    let caller = Actor::Principal(&principal);
    let answer = block_on(authority.keys().import(&caller, NOWHERE, &developer("acme"), &chosen, &new_key()));
    assert!(matches!(answer, Err(Refusal::Rejected(Rejection::InvalidRequest { .. }))));
}

#[test]
fn imports_at_once_make_one_key() {
    let authority = house();
    let text = authority.keys().draw(LIVE).unwrap();
    std::thread::scope(|scope| {
        let imports: Vec<_> = (0..8).map(|_| scope.spawn(|| import(&authority, &text))).collect();
        for import in imports {
            assert!(import.join().unwrap().is_ok());
        }
    });
    assert_eq!(events(&authority), [AuditAction::KeyImported, AuditAction::DeveloperCreated]);
}
