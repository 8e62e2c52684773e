//! Exchanges an API key for an access token.

use super::change::{Event, Tries};
use super::usage::count;
use super::{Authority, Inner, PresentedClient, Refusal};
use crate::check::{Minting, TokenRequest, VerifiedKey, check_exchange};
use crate::clock::Beginning;
use crate::model::{
    AccessClaims, AuditAction, AuditActor, ChainId, ChangeSet, DeveloperRef, EntityId, EntityRef, EnvironmentName,
    Rejection, ScopeSet, SecretText, Source, TokenId, UnixTime,
};
use crate::random;

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
    /// Its scopes, where they differ from what the key, or the subject token, allows.
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
        let Exchange { developer, api_key, source, .. } = *exchange;
        let presented = PresentedClient { developer, api_key, source };
        self.secrets()?;
        self.fresh().await?;
        let mut tries = Tries::default();
        loop {
            let (key, records) = self.prove_or_wait(&presented, began).await?;
            let mut set = self.new_set()?;
            records.iter().for_each(|stored| set.expect(stored));
            let request = token_request(exchange.entity, exchange.scope, exchange.lifetime)?;
            let (issued, claims) = self.mint(&mut set, &key, &request).await?;
            self.audit_issue(&mut set, &claims, None, exchange.source)?;
            if self.commit(set, &mut tries).await? {
                count(&self.usage.issued);
                self.usage.cell(&key.developer().reference, key.key().id).count_exchange();
                return Ok(issued);
            }
            self.read_again().await?;
        }
    }

    /// Makes and signs a token for a right key. It counts once `set` is committed, which relies on the signing key.
    pub(super) async fn mint<'a>(
        &'a self,
        set: &mut ChangeSet,
        key: &VerifiedKey,
        request: &TokenRequest,
    ) -> Result<(Issued, AccessClaims<'a>), Refusal> {
        let allowed = key.key().grant.spelled_out(&self.config.registry);
        let environment = key.developer().reference.environment;
        self.sign(set, environment, &allowed, |minting| check_exchange(key, request, minting)).await
    }

    /// Makes and signs the token that `check` allows. It counts once `set` is committed, which relies on the signing
    /// key. `allowed` are the scopes of what it is made from.
    pub(super) async fn sign<'a>(
        &'a self,
        set: &mut ChangeSet,
        environment: EnvironmentName,
        allowed: &ScopeSet,
        check: impl FnOnce(&Minting<'a>) -> Result<AccessClaims<'a>, Rejection>,
    ) -> Result<(Issued, AccessClaims<'a>), Refusal> {
        let now = set.at;
        let config = self.environment(environment).ok_or(Rejection::KeyEnvironment)?;
        let claims = check(&Minting {
            issuer: &config.issuer,
            audience: &config.audience,
            token: random::token_id(&*self.random)?,
            now,
            policy: &self.config.policy,
            registry: &self.config.registry,
        })?;
        let developer = DeveloperRef { environment, id: claims.developer.clone() };
        if let Some(entity) = &claims.entity {
            let entity = EntityRef { developer: developer.clone(), id: entity.clone() };
            if !self.reaches(&entity).await? {
                return Err(Rejection::EntityForbidden.into());
            }
        }
        self.limit_issue(&developer, claims.key)?;
        let issuers = self.issuers.current();
        let (issuer, active) = issuers.issuing(environment)?;
        set.expect.extend(active.cloned());
        let token = issuer.issue(&claims).await?;
        let issued = Issued {
            token,
            token_id: claims.token,
            expires_in: claims.expires_at.since(now),
            expires_at: claims.expires_at,
            scope: (claims.scopes != *allowed).then(|| claims.scopes.clone()),
        };
        Ok((issued, claims))
    }

    /// Adds the event of an issued token: by its key, or by the token that it was exchanged for.
    pub(super) fn audit_issue(
        &self,
        set: &mut ChangeSet,
        claims: &AccessClaims<'_>,
        subject_token: Option<TokenId>,
        source: Source,
    ) -> Result<(), Refusal> {
        let developer = DeveloperRef { environment: claims.environment, id: claims.developer.clone() };
        let (scope, expires_at) = (claims.scopes.to_string(), claims.expires_at.to_string());
        let mut details = vec![("scope", scope.as_str()), ("exp", expires_at.as_str())];
        if let Some(entity) = &claims.entity {
            details.push(("entity", entity.as_str()));
        }
        if let Some(origin) = &claims.origin {
            details.push(("origin", origin.as_str()));
        }
        self.audit(
            set,
            Event {
                chain: ChainId::Developer(developer),
                actor: AuditActor::Key { key: claims.key, token: subject_token },
                source,
                action: AuditAction::TokenIssued,
                subject: claims.token.as_str(),
                details: &details,
            },
        )
    }
}

/// What is asked for. A malformed entity is one that is not reached.
pub(super) fn token_request(
    entity: Option<&str>,
    scope: Option<&str>,
    lifetime: Option<u64>,
) -> Result<TokenRequest, Rejection> {
    let entity = match entity {
        None => None,
        Some(text) => Some(EntityId::parse(text).map_err(|_| Rejection::EntityForbidden)?),
    };
    Ok(TokenRequest { entity, scope: scope.map(str::to_owned), lifetime })
}
