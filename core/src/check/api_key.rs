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

#[cfg(test)]
mod tests {
    use super::super::samples::{NOW, after, developer, developer_ref, digest, key, key_id, parts, source};
    use super::*;
    use crate::model::EnvironmentName;

    /// What is presented and what is on record: right, until a case spoils it.
    struct Case {
        holder: DeveloperRef,
        parts: KeyTextParts,
        digests: Vec<KeyDigest>,
        source: Source,
        developer: Option<Developer>,
        key: Option<ApiKey>,
    }

    fn check_with(now: UnixTime, spoil: impl FnOnce(&mut Case)) -> Result<VerifiedKey, Rejection> {
        let mut case = Case {
            holder: developer_ref("dev"),
            parts: parts(),
            digests: vec![digest(1, 1)],
            source: Source::UNKNOWN,
            developer: Some(developer()),
            key: Some(key()),
        };
        spoil(&mut case);
        let presented =
            PresentedKey { developer: &case.holder, parts: &case.parts, digests: &case.digests, source: case.source };
        check_api_key(&presented, case.developer.as_ref(), case.key.as_ref(), now)
    }

    fn check(spoil: impl FnOnce(&mut Case)) -> Result<VerifiedKey, Rejection> {
        check_with(NOW, spoil)
    }

    fn on_key(spoil: impl FnOnce(&mut ApiKey)) -> impl FnOnce(&mut Case) {
        |case| spoil(case.key.as_mut().unwrap())
    }

    fn rotated(case: &mut Case, grace_end: UnixTime) {
        let key = case.key.as_mut().unwrap();
        let old = KeyText { generation: 2, digest: digest(1, 1), ends_at: Some(grace_end) };
        key.previous = Some(old);
        key.current = KeyText { generation: 3, digest: digest(1, 9), ends_at: None };
    }

    #[test]
    fn a_right_key_is_let_in_with_its_records() {
        let verified = check(|_| {}).unwrap();
        assert_eq!((verified.developer(), verified.key()), (&developer(), &key()));
        assert_eq!((verified.generation(), verified.ends_at()), (2, None));
    }

    #[test]
    fn k1_each_wrong_key_is_refused_for_its_own_reason() {
        let why = |spoil: &dyn Fn(&mut Case)| check(|case| spoil(case)).unwrap_err();
        assert_eq!(why(&|case| case.key = None), Rejection::KeyUnknown);
        assert_eq!(why(&|case| case.digests = vec![digest(1, 2)]), Rejection::KeyDigest);
        assert_eq!(why(&|case| case.digests = vec![digest(2, 1)]), Rejection::KeyDigest);
        assert_eq!(why(&|case| case.digests.clear()), Rejection::KeyDigest);
        assert_eq!(why(&|case| case.developer = None), Rejection::DeveloperUnknown);
        assert_eq!(check(on_key(|key| key.revoked_at = Some(NOW))).unwrap_err(), Rejection::KeyRevoked);
        assert_eq!(check(on_key(|key| key.expires_at = Some(NOW))).unwrap_err(), Rejection::KeyExpired);
    }

    #[test]
    fn k10_a_revoked_key_stays_refused_whatever_the_clock_says() {
        for now in [UnixTime::EPOCH, after(-1), NOW, after(1), UnixTime::MAX] {
            let answer = check_with(now, on_key(|key| key.revoked_at = Some(NOW)));
            assert_eq!(answer.unwrap_err(), Rejection::KeyRevoked);
        }
    }

    #[test]
    fn e16_the_key_of_a_suspended_developer_is_refused() {
        let answer = check(|case| case.developer.as_mut().unwrap().status = DeveloperStatus::Suspended);
        assert_eq!(answer.unwrap_err(), Rejection::DeveloperSuspended);
    }

    #[test]
    fn e12_a_key_of_another_environment_or_brand_is_refused() {
        let answer = check(|case| case.parts.environment = EnvironmentName::SANDBOX);
        assert_eq!(answer.unwrap_err(), Rejection::KeyEnvironment);
        let answer = check(|case| case.parts.brand = "other".to_owned());
        assert_eq!(answer.unwrap_err(), Rejection::KeyEnvironment);
    }

    #[test]
    fn records_of_another_developer_or_key_count_as_none() {
        let answer = check(|case| case.holder = developer_ref("other"));
        assert_eq!(answer.unwrap_err(), Rejection::KeyUnknown);
        assert_eq!(check(on_key(|key| key.id = key_id('9'))).unwrap_err(), Rejection::KeyUnknown);
        let answer = check(|case| case.developer.as_mut().unwrap().reference = developer_ref("other"));
        assert_eq!(answer.unwrap_err(), Rejection::DeveloperUnknown);
    }

    #[test]
    fn a_key_lives_up_to_but_not_at_its_expiry() {
        for (now, want) in
            [(after(-1), None), (NOW, Some(Rejection::KeyExpired)), (after(1), Some(Rejection::KeyExpired))]
        {
            assert_eq!(check_with(now, on_key(|key| key.expires_at = Some(NOW))).err(), want, "now = {now}");
        }
    }

    #[test]
    fn any_pepper_in_use_recognises_a_text() {
        let digests = vec![digest(7, 7), digest(1, 1), digest(8, 1)];
        assert!(check(|case| case.digests = digests).is_ok());
    }

    #[test]
    fn k11_both_texts_work_until_the_grace_ends_and_the_new_one_after_it() {
        let old = |now| check_with(now, |case| rotated(case, NOW)).map(|key| (key.generation(), key.ends_at()));
        let new = |now| {
            let answer = check_with(now, |case| {
                rotated(case, NOW);
                case.digests = vec![digest(1, 9)];
            });
            answer.map(|key| (key.generation(), key.ends_at()))
        };
        assert_eq!(old(after(-1)), Ok((2, Some(NOW))));
        assert_eq!(new(after(-1)), Ok((3, None)));
        assert_eq!(old(NOW), Err(Rejection::KeyDigest));
        assert_eq!(new(NOW), Ok((3, None)));
    }

    #[test]
    fn a_text_ends_with_its_grace_or_its_key_whichever_is_earlier() {
        for (expiry, grace_end, want) in [(50, 70, 50), (70, 50, 50)] {
            let verified = check(|case| {
                rotated(case, after(grace_end));
                case.key.as_mut().unwrap().expires_at = Some(after(expiry));
            });
            assert_eq!(verified.unwrap().ends_at(), Some(after(want)));
        }
    }

    #[test]
    fn a_key_with_ranges_works_from_inside_them_alone() {
        let from = |source: Source| {
            let answer = check(|case| {
                case.key.as_mut().unwrap().allowed_ips = vec!["192.0.2.0/24".parse().unwrap()];
                case.source = source;
            });
            answer.err()
        };
        assert_eq!(from(source("192.0.2.9")), None);
        assert_eq!(from(source("198.51.100.9")), Some(Rejection::AddressNotAllowed));
        assert_eq!(from(Source::UNKNOWN), Some(Rejection::AddressNotAllowed));
    }

    #[test]
    fn the_digest_of_nobody_opens_nothing() {
        assert_eq!(
            check(|case| (case.key, case.digests) = (None, vec![digest(0, 0)])).unwrap_err(),
            Rejection::KeyUnknown
        );
        assert_eq!(check(|case| case.digests = vec![digest(0, 0)]).unwrap_err(), Rejection::KeyDigest);
    }
}
