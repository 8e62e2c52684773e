//! Whose an API key is, by its text.

use super::change::record_as;
use super::{Developers, KeyView, Keys, Refusal};
use crate::check::parse_key_text;
use crate::model::{ApiKey, DeveloperRef, EnvironmentName, KeyDigest, Position, RecordKey, Rejection, SecretText};

/// A key that a text names, and what the text is to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundKey {
    /// The key, whether it works or not.
    pub view: KeyView,
    /// What the text is to it.
    pub text: FoundText,
}

/// What a text is to the key whose id it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoundText {
    /// The one that works while the key does.
    Current,
    /// The one before it, which works until its grace ends.
    Previous,
    /// Neither: an older one, or one that somebody made up around the key's id.
    Other,
}

impl Keys<'_> {
    /// The key that `text` names, whoever holds it: for the host's eyes, such as when a key was found lying about. Every
    /// developer of the environment is looked at, since keys are kept under the developer that holds them.
    ///
    /// # Errors
    /// - [`Rejection::KeyText`] if the text has the wrong shape or checksum
    /// - [`Rejection::KeyEnvironment`] if its environment is not mounted
    /// - [`Rejection::NotFound`] if no developer has a key with its id
    pub async fn find(&self, text: &SecretText) -> Result<FoundKey, Refusal> {
        let inner = self.inner;
        let parts = parse_key_text(text.expose())?;
        inner.environment(parts.environment).ok_or(Rejection::KeyEnvironment)?;
        let digests = inner.secrets()?.digests(text);
        let mut after: Option<Position> = None;
        loop {
            let (developers, next) = self.developers(parts.environment, after.as_ref()).await?;
            let names: Vec<_> = developers.into_iter().map(|owner| RecordKey::ApiKey(owner, parts.id)).collect();
            for stored in inner.store.get(&names).await? {
                let Some(key) = record_as!(stored, ApiKey)? else { continue };
                let text = what_is(&digests, &key);
                return Ok(FoundKey { view: self.get(&key.developer, key.id).await?, text });
            }
            match next {
                Some(next) => after = Some(next),
                None => return Err(Rejection::NotFound.into()),
            }
        }
    }

    async fn developers(
        &self,
        environment: EnvironmentName,
        after: Option<&Position>,
    ) -> Result<(Vec<DeveloperRef>, Option<Position>), Refusal> {
        let developers = Developers { inner: self.inner };
        let (found, next) = developers.list(environment, after, STEP).await?;
        Ok((found.into_iter().map(|developer| developer.reference).collect(), next))
    }
}

fn what_is(digests: &[KeyDigest], key: &ApiKey) -> FoundText {
    match &key.previous {
        _ if digests.contains(&key.current.digest) => FoundText::Current,
        Some(previous) if digests.contains(&previous.digest) => FoundText::Previous,
        _ => FoundText::Other,
    }
}

const STEP: usize = 500;
