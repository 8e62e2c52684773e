//! latchbook as it is measured: issuers, tokens, and authorities that know them.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};

use futures_executor::block_on;
use latchbook::authority::{Limits, Presented, Principal, Refusal};
use latchbook::jose::SigningPair;
use latchbook::key_store::{KeyStore, MemoryStore};
use latchbook::model::{AccessClaims, DeveloperId, EntityId, KeyId, ScopeSet, SecretText, TokenId, UnixTime};
use latchbook::token_issuer::{JwtIssuer, TokenIssuer as _};
use latchbook::{Authority, EnvironmentName, MasterKey, Source};

use crate::claims::{self, DEVELOPER, ENTITY, HOST, ISSUER, KEY, LIFETIME, SCOPES, TOKEN};
use crate::keys::Algorithm;

latchbook::scopes! {
    /// The scopes of the measured routes.
    pub mod scopes {
        /// Read the ledger.
        LedgerRead = "ledger:read";
        /// Write to the ledger.
        LedgerWrite = "ledger:write";
        /// Read orders.
        OrdersRead = "orders:read";
        /// Read the stock.
        StockRead = "stock:read";
    }
}

/// The cryptography that latchbook stands on. A provider more is a variant more here, an arm in [`issuer`], and one in
/// [`crate::bare`]: every table has its rows for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    Ring,
}

impl Provider {
    pub const ALL: &[Self] = &[Self::Ring];

    /// As it is called in the tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ring => "ring",
        }
    }
}

/// An issuer that signs and verifies with the key of `algorithm`; the same one each time.
pub fn issuer(provider: Provider, algorithm: Algorithm) -> Arc<JwtIssuer> {
    static MADE: [[OnceLock<Arc<JwtIssuer>>; 4]; Provider::ALL.len()] =
        [const { [const { OnceLock::new() }; 4] }; Provider::ALL.len()];
    let make = || {
        let pem = SecretText::new(algorithm.pem().to_owned());
        let (pair, _) = match provider {
            Provider::Ring => SigningPair::from_pem(&pem).expect("a key"),
        };
        Arc::new(JwtIssuer::new(Vec::new(), Some(Arc::new(pair))).expect("an issuer"))
    };
    Arc::clone(MADE[provider as usize][algorithm as usize].get_or_init(make))
}

/// The claims of token `number`, of one of `keys` keys; each ten keys are a developer's.
pub fn numbered_claims(number: u64, keys: u64) -> AccessClaims {
    let key = number % keys;
    AccessClaims {
        token: TokenId::parse(&format!("{number:022}")).expect("an id"),
        key: KeyId::parse(&format!("{key:016}")).expect("an id"),
        developer: DeveloperId::parse(&format!("dev{:05}", key / 10)).expect("an id"),
        ..claims()
    }
}

/// The claims that [`claims::claims`] has, for an entity.
pub fn claims() -> AccessClaims {
    let now = claims::now();
    AccessClaims {
        issuer: ISSUER.to_owned(),
        audience: ISSUER.to_owned(),
        subject: ENTITY.to_owned(),
        key: KeyId::parse(KEY).expect("an id"),
        issued_at: UnixTime::from_seconds(now),
        not_before: UnixTime::from_seconds(now),
        expires_at: UnixTime::from_seconds(now + LIFETIME),
        token: TokenId::parse(TOKEN).expect("an id"),
        scopes: ScopeSet::parse(SCOPES).expect("scopes"),
        developer: DeveloperId::parse(DEVELOPER).expect("an id"),
        entity: Some(EntityId::parse(ENTITY).expect("an id")),
        environment: EnvironmentName::LIVE,
        generation: 0,
        epoch: 0,
        allowed_ips: Vec::new(),
        delegation: None,
        origin: None,
    }
}

/// The claims of a developer token.
pub fn developer_claims() -> AccessClaims {
    AccessClaims { subject: DEVELOPER.to_owned(), entity: None, ..claims() }
}

/// A token with `claims`.
pub fn token(provider: Provider, algorithm: Algorithm, claims: &AccessClaims) -> String {
    ready(issuer(provider, algorithm).issue(claims)).expect("issued").expose().to_owned()
}

/// `count` tokens for EdDSA, of `keys` keys.
pub fn tokens(count: u64, keys: u64) -> Vec<String> {
    (0..count).map(|number| token(Provider::Ring, Algorithm::EdDsa, &numbered_claims(number, keys))).collect()
}

/// Room for every token that is measured.
pub const ROOM: usize = 512 << 20;

/// An authority over an empty store that knows the key of `algorithm`, with `cache` bytes for verified tokens.
pub fn authority(provider: Provider, algorithm: Algorithm, cache: usize) -> Authority {
    authority_over(Arc::new(MemoryStore::new()), provider, algorithm, cache)
}

/// The same over `store`.
pub fn authority_over(store: Arc<dyn KeyStore>, provider: Provider, algorithm: Algorithm, cache: usize) -> Authority {
    let builder = Authority::builder()
        .shared_store(store)
        .issuer(HOST)
        .master_key(MasterKey::from_bytes([7; 32]))
        .scopes(scopes::ALL)
        .limits(Limits::OFF)
        .token_issuer(EnvironmentName::LIVE, issuer(provider, algorithm))
        .cache_bytes(cache);
    block_on(builder.build()).expect("an authority")
}

/// Shows `token`.
#[inline]
pub fn authenticate(authority: &Authority, token: &str) -> Result<Principal, Refusal> {
    ready(authority.authenticate(&Presented { token: token.as_bytes(), source: Source::UNKNOWN }))
}

/// The outcome of a future that has nothing to wait for.
#[inline]
pub fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => panic!("it waits"),
    }
}
