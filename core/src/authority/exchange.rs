//! Exchanges an API key for an access token.

use std::time::Duration;

use super::change::{Event, Tries, record_as};
use super::usage::count;
use super::{Authority, Fault, Inner, Refusal};
use crate::check::{
    KeyTextParts, Minting, PresentedKey, TokenRequest, VerifiedKey, check_api_key, check_exchange, parse_key_text,
};
use crate::clock::Beginning;
use crate::model::{
    AccessClaims, AuditAction, AuditActor, ChainId, ChangeSet, DeveloperId, DeveloperRef, EntityId, EntityRef,
    EnvironmentName, KeyDigest, RecordKey, Rejection, ScopeSet, SecretText, Source, Stored, TokenId, UnixTime,
};
use crate::random;

/// When a refused key is answered, counted from when it came.
///
/// What was wrong with it shows in how much the store finds and in what order the check says no, by nanoseconds in
/// memory and by more on a disk. All of that is over long before, so the answer's time tells nothing of it.
const REFUSED_AFTER: Duration = Duration::from_millis(2);

/// An exchange as it was asked for. `developer` and `entity` are taken as they came: a malformed id is an unknown one.
#[derive(Clone, Copy, Debug)]
pub struct Exchange<'a> {
    /// The developer's id.
    pub developer: &'a str,
    /// The key's text; it names the environment.
    pub api_key: &'a SecretText,
    /// The entity, for an entity token.
    pub entity: Option<&'a str>,
    /// Narrower scopes than the key's, separated by spaces.
    pub scope: Option<&'a str>,
    /// The lifetime in seconds, from 1 to the policy's limit.
    pub lifetime: Option<u64>,
    /// Who asks.
    pub source: Source,
}

/// A token that was made. It is not kept anywhere.
#[derive(Clone, Debug)]
pub struct Issued {
    /// Its compact form.
    pub token: SecretText,
    /// Its id (`jti`).
    pub token_id: TokenId,
    /// `exp` minus now, in seconds.
    pub expires_in: u64,
    /// `exp`.
    pub expires_at: UnixTime,
    /// Its scopes, where they differ from what the key allows.
    pub scope: Option<ScopeSet>,
}

impl Authority {
    /// Exchanges a key for a token. Reads the store every time; the event is durable before the token is given out.
    /// Every key that does not work is answered 2 ms after it came, whatever is wrong with it.
    ///
    /// # Errors
    /// - [`Refusal::Rejected`] with a reason from [`Rejection::KeyText`] to [`Rejection::DeveloperSuspended`], or
    ///   [`Rejection::AddressNotAllowed`], for any key that does not work: clients must not tell these apart
    /// - [`Rejection::InvalidScope`], [`Rejection::InvalidRequest`], [`Rejection::EntityForbidden`] with a right key
    /// - [`Rejection::RateLimited`] after too many failures from one address, or tokens of one key
    /// - [`Refusal::Fault`] if the store did not answer, or the token could not be signed
    pub async fn exchange(&self, exchange: &Exchange<'_>) -> Result<Issued, Refusal> {
        self.inner.exchange(exchange).await.inspect_err(|refusal| {
            count(&self.inner.usage.exchanges_refused);
            match refusal {
                Refusal::Rejected(rejection) => tracing::debug!(reason = rejection.reason(), "exchange refused"),
                Refusal::Fault(fault) => tracing::warn!(fault = ?fault.to_string(), "exchange failed"),
            }
        })
    }
}

impl Inner {
    async fn exchange(&self, exchange: &Exchange<'_>) -> Result<Issued, Refusal> {
        let began = Beginning::now();
        self.secrets()?;
        self.fresh().await?;
        let mut tries = Tries::default();
        loop {
            let (key, records) = match self.prove(exchange).await? {
                Ok(proved) => proved,
                Err((environment, rejection)) => {
                    self.refused.count(environment, &rejection);
                    let rejection = self.limit_failure(exchange.source, rejection);
                    self.timer.sleep_from(began, REFUSED_AFTER).await;
                    return Err(rejection.into());
                }
            };
            let mut set = self.new_set()?;
            records.iter().for_each(|stored| set.expect(stored));
            let request = token_request(exchange)?;
            let (issued, claims) = self.mint(&mut set, &key, &request).await?;
            self.audit_issue(&mut set, &claims, exchange.source)?;
            if self.commit(set, &mut tries).await? {
                count(&self.usage.issued);
                self.usage.cell(&key.developer().reference, key.key().id).count_exchange();
                return Ok(issued);
            }
            self.read_again().await?;
        }
    }

    /// Whether the key is right, and the records that say so. A wrong one names the environment that counts it.
    async fn prove(
        &self,
        exchange: &Exchange<'_>,
    ) -> Result<Result<(VerifiedKey, [Stored; 2]), (EnvironmentName, Rejection)>, Refusal> {
        let home = self.config.home;
        let parts = match parse_key_text(exchange.api_key.expose()) {
            Ok(parts) => parts,
            Err(rejection) => return Ok(Err((home, rejection))),
        };
        if self.environment(parts.environment).is_none() {
            return Ok(Err((home, Rejection::KeyEnvironment)));
        }
        let environment = parts.environment;
        let Ok(id) = DeveloperId::parse(exchange.developer) else {
            return Ok(Err((environment, Rejection::DeveloperUnknown)));
        };
        let developer = DeveloperRef { environment, id };
        let digests = self.secrets()?.digests(exchange.api_key);
        let names = [RecordKey::Developer(developer.clone()), RecordKey::ApiKey(developer.clone(), parts.id)];
        let [developer_record, key_record] = self.gather(names).await?;
        let checked =
            self.check_key(&developer, &parts, &digests, exchange.source, [&developer_record, &key_record])?;
        Ok(match (checked, developer_record, key_record) {
            (Ok(key), Some(developer), Some(record)) => Ok((key, [developer, record])),
            (Ok(_), _, _) => return Err(Fault::Internal("a key proved right without its records").into()),
            (Err(rejection), _, _) => Err((environment, rejection)),
        })
    }

    fn check_key(
        &self,
        developer: &DeveloperRef,
        parts: &KeyTextParts,
        digests: &[KeyDigest],
        source: Source,
        [developer_record, key_record]: [&Option<Stored>; 2],
    ) -> Result<Result<VerifiedKey, Rejection>, Refusal> {
        let presented = PresentedKey { developer, parts, digests, source };
        let developer = record_as!(developer_record, Developer)?;
        let key = record_as!(key_record, ApiKey)?;
        Ok(check_api_key(&presented, developer, key, self.now()))
    }

    /// Makes and signs a token for a right key. It counts once `set` is committed, which relies on the signing key.
    pub(super) async fn mint(
        &self,
        set: &mut ChangeSet,
        key: &VerifiedKey,
        request: &TokenRequest,
    ) -> Result<(Issued, AccessClaims), Refusal> {
        let now = set.at;
        let developer = &key.developer().reference;
        let config = self.environment(developer.environment).ok_or(Rejection::KeyEnvironment)?;
        let minting = Minting {
            issuer: &config.issuer,
            audience: &config.audience,
            token: random::token_id(&*self.random)?,
            now,
            policy: &self.config.policy,
            registry: &self.config.registry,
        };
        let claims = check_exchange(key, request, &minting)?;
        if let Some(entity) = &claims.entity {
            let entity = EntityRef { developer: developer.clone(), id: entity.clone() };
            if !self.reaches(&entity).await? {
                return Err(Rejection::EntityForbidden.into());
            }
        }
        self.limit_issue(developer, key.key().id)?;
        let issuers = self.issuers.current();
        let (issuer, active) = issuers.issuing(developer.environment)?;
        set.expect.extend(active.cloned());
        let token = issuer.issue(&claims).await?;
        let allowed = key.key().grant.spelled_out(&self.config.registry);
        let issued = Issued {
            token,
            token_id: claims.token,
            expires_in: claims.expires_at.since(now),
            expires_at: claims.expires_at,
            scope: (claims.scopes != allowed).then(|| claims.scopes.clone()),
        };
        Ok((issued, claims))
    }

    /// Adds the event of an issued token.
    pub(super) fn audit_issue(
        &self,
        set: &mut ChangeSet,
        claims: &AccessClaims,
        source: Source,
    ) -> Result<(), Refusal> {
        let developer = DeveloperRef { environment: claims.environment, id: claims.developer.clone() };
        let (scope, expires_at) = (claims.scopes.to_string(), claims.expires_at.to_string());
        let mut details = vec![("scope", scope.as_str()), ("exp", expires_at.as_str())];
        if let Some(entity) = &claims.entity {
            details.push(("entity", entity.as_str()));
        }
        self.audit(
            set,
            Event {
                chain: ChainId::Developer(developer),
                actor: AuditActor::Key { key: claims.key, token: None },
                source,
                action: AuditAction::TokenIssued,
                subject: claims.token.as_str(),
                details: &details,
            },
        )
    }
}

fn token_request(exchange: &Exchange<'_>) -> Result<TokenRequest, Rejection> {
    let entity = match exchange.entity {
        None => None,
        Some(text) => Some(EntityId::parse(text).map_err(|_| Rejection::EntityForbidden)?),
    };
    Ok(TokenRequest { entity, scope: exchange.scope.map(str::to_owned), lifetime: exchange.lifetime })
}
