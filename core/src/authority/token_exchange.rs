//! Exchanges an access token for a narrower one (RFC 8693).

use super::change::{Tries, record_as};
use super::exchange::token_request;
use super::token_cache::Seen;
use super::usage::count;
use super::{Authority, Client, Inner, Issued, Presented, Refusal};
use crate::check::{Line, check_token_exchange};
use crate::model::{AccessClaims, ChangeSet, RecordKey, Rejection, Source};

/// A token exchange as it was asked for. `entity` is taken as it came: a malformed id is an unknown one.
#[derive(Clone, Copy)]
pub struct TokenExchange<'a> {
    /// The subject token in compact form, as the bytes that came: a developer token.
    pub subject_token: &'a [u8],
    /// The client that asks, where it authenticated itself; the subject token must be of its developer and environment.
    pub client: Option<&'a Client>,
    /// The entity, for an entity token.
    pub entity: Option<&'a str>,
    /// Narrower scopes than the subject token's, separated by spaces.
    pub scope: Option<&'a str>,
    /// The lifetime in seconds, from 1 to the policy's limit. The new token never outlives the subject token.
    pub lifetime: Option<u64>,
    /// Who asks.
    pub source: Source,
}

impl std::fmt::Debug for TokenExchange<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenExchange").field("source", &self.source).finish_non_exhaustive()
    }
}

impl Authority {
    /// Exchanges a developer token for a narrower token of either kind. The subject token is checked like any that is
    /// shown, and the records behind it are read every time; the event is durable before the token is given out.
    ///
    /// A token that came from an exchange may be exchanged again. What ends the subject token's key, generation or
    /// developer ends the new one too, and so does revoking the first token of the line (`origin`).
    ///
    /// # Errors
    /// - [`Refusal::Rejected`] with a reason from [`Rejection::TokenTooLong`] to [`Rejection::Revoked`] for a subject
    ///   token that may not be used, [`Rejection::DeveloperTokenNeeded`] for an entity token, and
    ///   [`Rejection::InvalidRequest`] for one that is not of the client's developer and environment
    /// - [`Rejection::InvalidScope`], [`Rejection::InvalidRequest`], [`Rejection::EntityForbidden`] with a good one
    /// - [`Rejection::RateLimited`] after too many failures from one address, or tokens of one key
    /// - [`Refusal::Fault`] if the store did not answer, or the token could not be signed
    pub async fn exchange_token(&self, exchange: &TokenExchange<'_>) -> Result<Issued, Refusal> {
        self.inner.exchange_token(exchange).await.inspect_err(|refusal| {
            count(&self.inner.usage.exchanges_refused);
            match refusal {
                Refusal::Rejected(rejection) => tracing::debug!(reason = rejection.reason(), "token exchange refused"),
                Refusal::Fault(fault) => tracing::warn!(fault = ?fault.to_string(), "token exchange failed"),
            }
        })
    }
}

impl Inner {
    async fn exchange_token(&self, exchange: &TokenExchange<'_>) -> Result<Issued, Refusal> {
        self.secrets()?;
        self.fresh().await?;
        let mut tries = Tries::default();
        loop {
            let subject = self.recognise(&Presented { token: exchange.subject_token, source: exchange.source });
            let subject = subject.map_err(|rejection| {
                // Whose it is, nobody knows.
                self.refused.count(self.config.home, &rejection);
                self.limit_failure(exchange.source, rejection)
            })?;
            check_client(exchange.client, &subject)?;
            let mut set = self.new_set()?;
            let (issued, claims) = self.narrow(&mut set, &subject, exchange).await?;
            self.audit_issue(&mut set, &claims, Some(subject.token.token()), exchange.source)?;
            if self.commit(set, &mut tries).await? {
                count(&self.usage.issued);
                subject.usage.count_exchange();
                return Ok(issued);
            }
            self.read_again().await?;
        }
    }

    /// Makes the new token, which counts once `set` is committed: that relies on the records behind the subject token.
    async fn narrow<'a>(
        &'a self,
        set: &mut ChangeSet,
        subject: &Seen,
        exchange: &TokenExchange<'_>,
    ) -> Result<(Issued, AccessClaims<'a>), Refusal> {
        let token = &subject.token;
        let developer = token.developer();
        let request = token_request(exchange.entity, exchange.scope, exchange.lifetime)?;
        let names = [RecordKey::Developer(developer.clone()), RecordKey::ApiKey(developer.clone(), token.key())];
        let [developer_record, key_record] = self.gather(names).await?;
        [&developer_record, &key_record].into_iter().flatten().for_each(|stored| set.expect(stored));
        let line = Line { developer: record_as!(&developer_record, Developer)?, key: record_as!(&key_record, ApiKey)? };
        let allowed = token.scopes();
        self.sign(set, developer.environment, allowed, |minting| check_token_exchange(token, &line, &request, minting))
            .await
    }
}

/// A client must not have another's token narrowed.
fn check_client(client: Option<&Client>, subject: &Seen) -> Result<(), Rejection> {
    match client {
        Some(client) if client.developer() != subject.token.developer() => {
            Err(Rejection::InvalidRequest { message: "the subject token is not the client's" })
        }
        _ => Ok(()),
    }
}
