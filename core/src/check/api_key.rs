//! Whether a presented API key is the one that is on record, and works now.

use subtle::{Choice, ConstantTimeEq as _};

use super::address;
use super::key_text::KeyTextParts;
use crate::model::{
    ApiKey, Developer, DeveloperRef, DeveloperStatus, KeyDigest, KeyText, PepperId, Rejection, Source, UnixTime,
};

/// A key as it was presented.
#[derive(Clone, Copy, Debug)]
pub struct PresentedKey<'a> {
    /// The developer that is claimed to hold it.
    pub developer: &'a DeveloperRef,
    /// What its text says.
    pub parts: &'a KeyTextParts,
    /// The text's digests, one under each pepper in use.
    pub digests: &'a [KeyDigest],
    /// Where it comes from.
    pub source: Source,
}

/// A key that was found right. Only [`check_api_key`] makes one.
#[derive(Clone, Debug)]
pub struct VerifiedKey {
    developer: Developer,
    key: ApiKey,
    generation: u64,
    ends_at: Option<UnixTime>,
}

impl VerifiedKey {
    /// The developer that holds it.
    #[must_use]
    pub fn developer(&self) -> &Developer {
        &self.developer
    }

    /// Its record.
    #[must_use]
    pub fn key(&self) -> &ApiKey {
        &self.key
    }

    /// The generation of the text that was presented.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// From when on the presented text is over: the earlier one of the key's expiry and the end of the text's grace.
    #[must_use]
    pub fn ends_at(&self) -> Option<UnixTime> {
        self.ends_at
    }
}

/// Decides whether `presented` is the key on record and works at `now`.
///
/// `developer` and `key` are the records under [`PresentedKey::developer`] and the id in the text, where there are any.
/// Pure, and equally long for a missing key, a wrong text and a right one: digests are always compared, all of them.
///
/// # Errors
/// In this order:
/// - [`Rejection::KeyEnvironment`] if the text names another environment or brand than the developer or the record;
/// - [`Rejection::KeyUnknown`] without a record of that developer and id;
/// - [`Rejection::KeyDigest`] for a wrong text, or one whose grace is over;
/// - [`Rejection::DeveloperUnknown`], [`Rejection::DeveloperSuspended`];
/// - [`Rejection::KeyRevoked`]; [`Rejection::KeyExpired`] from the key's expiry on;
/// - [`Rejection::AddressNotAllowed`] if the key has ranges and the source is in none, or not known.
pub fn check_api_key(
    presented: &PresentedKey<'_>,
    developer: Option<&Developer>,
    key: Option<&ApiKey>,
    now: UnixTime,
) -> Result<VerifiedKey, Rejection> {
    let current = recognise(key.map(|key| &key.current), presented.digests);
    let previous = recognise(key.and_then(|key| key.previous.as_ref()), presented.digests);

    if presented.parts.environment != presented.developer.environment {
        return Err(Rejection::KeyEnvironment);
    }
    let key = key
        .filter(|key| key.developer == *presented.developer && key.id == presented.parts.id)
        .ok_or(Rejection::KeyUnknown)?;
    if key.brand != presented.parts.brand {
        return Err(Rejection::KeyEnvironment);
    }
    let text = current.or(previous).filter(|text| is_before(now, text.ends_at)).ok_or(Rejection::KeyDigest)?;
    let developer =
        developer.filter(|developer| developer.reference == *presented.developer).ok_or(Rejection::DeveloperUnknown)?;
    match developer.status {
        DeveloperStatus::Active => {}
        DeveloperStatus::Suspended => return Err(Rejection::DeveloperSuspended),
    }
    if key.revoked_at.is_some() {
        return Err(Rejection::KeyRevoked);
    }
    if !is_before(now, key.expires_at) {
        return Err(Rejection::KeyExpired);
    }
    if !address::is_allowed(&key.allowed_ips, &presented.source) {
        return Err(Rejection::AddressNotAllowed);
    }
    Ok(VerifiedKey {
        developer: developer.clone(),
        key: key.clone(),
        generation: text.generation,
        ends_at: [key.expires_at, text.ends_at].into_iter().flatten().min(),
    })
}

/// `text`, if one of `digests` is its own. Takes as long where there is no text, or another one.
fn recognise<'a>(text: Option<&'a KeyText>, digests: &[KeyDigest]) -> Option<&'a KeyText> {
    const NOBODYS: KeyDigest = KeyDigest { pepper: PepperId::from_bytes([0; 16]), value: [0; 32] };
    let expected = text.map_or(&NOBODYS, |text| &text.digest);
    let mut found = Choice::from(0);
    for digest in digests {
        let same_pepper = digest.pepper.as_bytes().ct_eq(expected.pepper.as_bytes());
        found |= same_pepper & digest.value.ct_eq(&expected.value);
    }
    text.filter(|_| bool::from(found))
}

/// Whether `now` is before an end, which may never come.
fn is_before(now: UnixTime, end: Option<UnixTime>) -> bool {
    end.is_none_or(|end| now < end)
}
