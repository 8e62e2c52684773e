//! Authenticates a client of the OAuth endpoints: a developer, by one of its API keys.

use std::fmt;
use std::time::Duration;

use super::change::record_as;
use super::{Authority, Fault, Inner, Refusal};
use crate::check::{KeyTextParts, PresentedKey, VerifiedKey, check_api_key, parse_key_text};
use crate::clock::Beginning;
use crate::model::{
    AuditActor, DeveloperId, DeveloperRef, EnvironmentName, KeyDigest, KeyId, RecordKey, Rejection, SecretText, Source,
    Stored,
};

/// When a refused key is answered, counted from when it came.
///
/// What was wrong with it shows in how much the store finds and in what order the check says no, by nanoseconds in
/// memory and by more on a disk. All of that is over long before, so the answer's time tells nothing of it.
const REFUSED_AFTER: Duration = Duration::from_millis(2);

/// A developer and an API key as they were shown. Both are taken as they came: a malformed id is an unknown one.
#[derive(Clone, Copy, Debug)]
pub struct PresentedClient<'a> {
    /// The developer's id.
    pub developer: &'a str,
    /// The key's text; it names the environment.
    pub api_key: &'a SecretText,
    /// Who shows it.
    pub source: Source,
}

/// A client whose key was checked just now. Made by [`Authority::authenticate_client`] alone, anew for each request.
#[derive(Clone)]
pub struct Client {
    developer: DeveloperRef,
    key: KeyId,
    source: Source,
}

impl Client {
    /// The developer: the key's environment, and its id.
    #[must_use]
    pub fn developer(&self) -> &DeveloperRef {
        &self.developer
    }

    /// The API key that it showed.
    #[must_use]
    pub fn key(&self) -> KeyId {
        self.key
    }

    pub(super) fn source(&self) -> Source {
        self.source
    }

    pub(super) fn audit_actor(&self) -> AuditActor {
        AuditActor::Key { key: self.key, token: None }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("developer", &self.developer).field("key", &self.key).finish_non_exhaustive()
    }
}

impl Authority {
    /// The client that `presented` stands for. It is checked as at an exchange, against the store every time, and
    /// refused as there: after the same time, and counted by the same limit.
    ///
    /// # Errors
    /// - [`Refusal::Rejected`] with a reason from [`Rejection::KeyText`] to [`Rejection::DeveloperSuspended`], or
    ///   [`Rejection::AddressNotAllowed`], for any key that does not work: clients must not tell these apart
    /// - [`Rejection::RateLimited`] after too many failures from one address
    /// - [`Refusal::Fault`] if the store did not answer
    pub async fn authenticate_client(&self, presented: &PresentedClient<'_>) -> Result<Client, Refusal> {
        let inner = &self.inner;
        let began = Beginning::now();
        inner.secrets()?;
        inner.fresh().await?;
        let (key, _) = inner.prove_or_wait(presented, began).await.inspect_err(|refusal| {
            if let Refusal::Rejected(rejection) = refusal {
                tracing::debug!(reason = rejection.reason(), "client refused");
            }
        })?;
        let developer = key.developer().reference.clone();
        Ok(Client { developer, key: key.key().id, source: presented.source })
    }
}

impl Inner {
    /// The right key, and the records that say so. A wrong one is counted, and refused once it is time.
    pub(super) async fn prove_or_wait(
        &self,
        presented: &PresentedClient<'_>,
        began: Beginning,
    ) -> Result<(VerifiedKey, [Stored; 2]), Refusal> {
        match self.prove(presented).await? {
            Ok(proved) => Ok(proved),
            Err((environment, rejection)) => {
                self.refused.count(environment, &rejection);
                let rejection = self.limit_failure(presented.source, rejection);
                self.timer.sleep_from(began, REFUSED_AFTER).await;
                Err(rejection.into())
            }
        }
    }

    /// Whether the key is right, and the records that say so. A wrong one names the environment that counts it.
    async fn prove(
        &self,
        presented: &PresentedClient<'_>,
    ) -> Result<Result<(VerifiedKey, [Stored; 2]), (EnvironmentName, Rejection)>, Refusal> {
        let home = self.config.home;
        let parts = match parse_key_text(presented.api_key.expose()) {
            Ok(parts) => parts,
            Err(rejection) => return Ok(Err((home, rejection))),
        };
        if self.environment(parts.environment).is_none() {
            return Ok(Err((home, Rejection::KeyEnvironment)));
        }
        let environment = parts.environment;
        let Ok(id) = DeveloperId::parse(presented.developer) else {
            return Ok(Err((environment, Rejection::DeveloperUnknown)));
        };
        let developer = DeveloperRef { environment, id };
        let digests = self.secrets()?.digests(presented.api_key);
        let names = [RecordKey::Developer(developer.clone()), RecordKey::ApiKey(developer.clone(), parts.id)];
        let [developer_record, key_record] = self.gather(names).await?;
        let checked =
            self.check_key(&developer, &parts, &digests, presented.source, [&developer_record, &key_record])?;
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
}
