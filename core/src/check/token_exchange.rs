//! What an access token may carry that another access token is exchanged for (RFC 8693).

use super::access_token::VerifiedToken;
use super::exchange::{Minting, TokenRequest, lifetime, scopes};
use crate::model::{
    AccessClaims, ApiKey, Delegation, Developer, DeveloperStatus, EntityId, Rejection, RevokedBy, UnixTime,
};

/// The records behind a subject token, as the store has them now: those of its developer and of its key.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// The developer's.
    pub developer: Option<&'a Developer>,
    /// The key's.
    pub key: Option<&'a ApiKey>,
}

/// The claims of the token that the developer token `subject` is exchanged for. That it may be used now, and that the
/// developer reaches the entity, is checked elsewhere.
///
/// The new token is never wider than `subject`, never outlives it, and stands on the same key, generation, epoch and
/// address ranges, so that whatever revokes those revokes both. It names the first token of its line as `origin`, and
/// the holder of `subject` as `act` (RFC 8693 §4.1).
///
/// # Errors
/// - [`Rejection::DeveloperTokenNeeded`] for an entity token;
/// - [`Rejection::Revoked`] if developer, key or generation are over in the store, whatever the feed has said so far;
/// - [`Rejection::Expired`] if `subject` is over at [`Minting::now`];
/// - [`Rejection::InvalidRequest`] for a lifetime outside 1 to the policy's longest;
/// - [`Rejection::InvalidScope`] for a scope that is malformed, empty or not the subject token's, or a management scope
///   for an entity token.
pub fn check_token_exchange<'m>(
    subject: &VerifiedToken,
    line: &Line<'_>,
    request: &TokenRequest,
    minting: &Minting<'m>,
) -> Result<AccessClaims<'m>, Rejection> {
    if subject.entity().is_some() {
        return Err(Rejection::DeveloperTokenNeeded);
    }
    let now = minting.now;
    check_line(subject, line, now)?;
    if subject.expires_at() <= now {
        return Err(Rejection::Expired);
    }
    let expires_at = now.plus(lifetime(request.lifetime, minting.policy)?).min(subject.expires_at());
    let scopes = scopes(subject.scopes(), request, minting.registry)?;
    let developer = subject.developer();
    Ok(AccessClaims {
        issuer: minting.issuer.into(),
        audience: minting.audience.into(),
        subject: request.entity.as_ref().map_or(developer.id.as_str(), EntityId::as_str).to_owned().into(),
        key: subject.key(),
        issued_at: now,
        not_before: now,
        expires_at,
        token: minting.token,
        scopes,
        developer: developer.id.clone(),
        entity: request.entity.clone(),
        environment: developer.environment,
        generation: subject.generation(),
        epoch: subject.epoch(),
        allowed_ips: subject.allowed_ips().to_vec(),
        delegation: Some(Delegation { developer: developer.id.clone(), key: subject.key() }),
        origin: Some(subject.origin().unwrap_or(subject.token())),
    })
}

/// The store knows of a revocation before the feed tells.
fn check_line(subject: &VerifiedToken, line: &Line<'_>, now: UnixTime) -> Result<(), Rejection> {
    let ended = |by| Err(Rejection::Revoked { by });
    let is_active = |developer: &&Developer| {
        developer.reference == *subject.developer()
            && developer.status == DeveloperStatus::Active
            && developer.epoch <= subject.epoch()
    };
    if line.developer.filter(is_active).is_none() {
        return ended(RevokedBy::Developer);
    }
    let before = |end: Option<UnixTime>| end.is_none_or(|end| now < end);
    let works = |key: &&ApiKey| {
        key.developer == *subject.developer()
            && key.id == subject.key()
            && key.revoked_at.is_none()
            && before(key.expires_at)
    };
    let Some(key) = line.key.filter(works) else { return ended(RevokedBy::Key) };
    let mut texts = [Some(&key.current), key.previous.as_ref()].into_iter().flatten();
    if !texts.any(|text| text.generation == subject.generation() && before(text.ends_at)) {
        return ended(RevokedBy::Generation);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::samples::{
        ISSUER, NOW, after, developer, entity, for_entity, key, key_id, policy, registry, set, token, token_id,
    };
    use super::*;
    use crate::model::KeyText;

    /// A subject token, what stands behind it and what is asked for: right, until a case spoils it.
    struct Case {
        subject: VerifiedToken,
        developer: Option<Developer>,
        key: Option<ApiKey>,
        request: TokenRequest,
        now: UnixTime,
    }

    fn check(spoil: impl FnOnce(&mut Case)) -> Result<AccessClaims<'static>, Rejection> {
        let mut case = Case {
            subject: token(|claims| claims.scopes = set("keys:manage ledger:read ledger:write")),
            developer: Some(developer()),
            key: Some(key()),
            request: TokenRequest::default(),
            now: after(100),
        };
        spoil(&mut case);
        let (policy, registry) = (policy(), registry());
        let minting = Minting {
            issuer: ISSUER,
            audience: "ledger",
            token: token_id('7'),
            now: case.now,
            policy: &policy,
            registry: &registry,
        };
        let line = Line { developer: case.developer.as_ref(), key: case.key.as_ref() };
        check_token_exchange(&case.subject, &line, &case.request, &minting).map(AccessClaims::into_owned)
    }

    fn asking(scope: &str) -> Result<AccessClaims<'static>, Rejection> {
        check(|case| case.request.scope = Some(scope.to_owned()))
    }

    #[test]
    fn a_new_token_stands_on_what_the_subject_token_stands_on() {
        let ranges = vec!["192.0.2.0/24".parse().unwrap()];
        let claims = check(|case| {
            case.subject = token(|claims| {
                claims.generation = 2;
                claims.epoch = 5;
                claims.allowed_ips.clone_from(&ranges);
            });
        })
        .unwrap();
        assert_eq!((&*claims.issuer, &*claims.audience), (ISSUER, "ledger"));
        assert_eq!((&*claims.subject, claims.developer.as_str()), ("dev", "dev"));
        assert_eq!((claims.token, claims.key, claims.entity), (token_id('7'), key_id('0'), None));
        assert_eq!((claims.generation, claims.epoch, claims.allowed_ips), (2, 5, ranges));
        assert_eq!((claims.issued_at, claims.not_before, claims.expires_at), (after(100), after(100), after(900)));
        let holder = Delegation { developer: developer().reference.id, key: key_id('0') };
        assert_eq!((claims.delegation, claims.origin), (Some(holder), Some(token_id('0'))));
    }

    #[test]
    fn e22_an_entity_token_is_no_subject_and_the_origin_stays_the_first_token() {
        let answer = check(|case| case.subject = token(|claims| for_entity(claims, "acme")));
        assert_eq!(answer, Err(Rejection::DeveloperTokenNeeded));
        let again = check(|case| case.subject = token(|claims| claims.origin = Some(token_id('9')))).unwrap();
        assert_eq!(again.origin, Some(token_id('9')));
    }

    #[test]
    fn e22_a_new_token_never_outlives_its_subject_token() {
        let ends = |now: i64, lifetime: Option<u64>| {
            let claims = check(|case| (case.now, case.request.lifetime) = (after(now), lifetime));
            claims.map(|claims| claims.expires_at)
        };
        assert_eq!(ends(0, None), Ok(after(900)));
        assert_eq!(ends(100, Some(60)), Ok(after(160)));
        assert_eq!(ends(100, Some(3600)), Ok(after(900)));
        assert_eq!(ends(899, Some(1)), Ok(after(900)));
        assert_eq!(ends(899, Some(3600)), Ok(after(900)));
        assert_eq!(ends(900, None), Err(Rejection::Expired));
        for lifetime in [0, 3601, u64::MAX] {
            assert!(matches!(ends(0, Some(lifetime)), Err(Rejection::InvalidRequest { .. })), "{lifetime}");
        }
    }

    #[test]
    fn e14_e22_a_scope_is_narrower_than_the_subject_tokens_or_refused() {
        assert_eq!(asking("ledger:read").unwrap().scopes, set("ledger:read"));
        assert_eq!(check(|_| {}).unwrap().scopes, set("keys:manage ledger:read ledger:write"));
        // The key holds it, or it is declared: only what the token has counts.
        let narrow = |scope: &str| {
            check(|case| {
                case.subject = token(|claims| claims.scopes = set("ledger:read"));
                case.request.scope = Some(scope.to_owned());
            })
        };
        for scope in ["ledger:write", "ledger:read ledger:write", "keys:manage", "ledger:*"] {
            assert_eq!(narrow(scope), Err(Rejection::InvalidScope), "{scope}");
        }
        for scope in ["", " ", "unknown:read", "ledger:read ", "LEDGER:READ", "ledger:read\n"] {
            assert_eq!(asking(scope), Err(Rejection::InvalidScope), "{scope:?}");
        }
    }

    #[test]
    fn an_entity_token_that_comes_of_it_carries_no_management_scope() {
        let for_acme = |scope: Option<&str>| {
            check(|case| {
                case.request.entity = Some(entity("acme"));
                case.request.scope = scope.map(str::to_owned);
            })
        };
        let claims = for_acme(None).unwrap();
        assert_eq!((&*claims.subject, claims.developer.as_str()), ("acme", "dev"));
        assert_eq!((claims.entity, claims.scopes), (Some(entity("acme")), set("ledger:read ledger:write")));
        assert_eq!(for_acme(Some("keys:manage")), Err(Rejection::InvalidScope));
    }

    #[test]
    fn k10_e16_what_is_over_in_the_store_is_over_before_the_feed_says_so() {
        type Spoil = fn(&mut Developer, &mut ApiKey);
        let cases: [(Spoil, Result<(), RevokedBy>); 10] = [
            (|_, _| {}, Ok(())),
            (|developer, _| developer.epoch = 2, Ok(())),
            (|developer, _| developer.epoch = 4, Err(RevokedBy::Developer)),
            (|developer, _| developer.status = DeveloperStatus::Suspended, Err(RevokedBy::Developer)),
            (|_, key| key.revoked_at = Some(NOW), Err(RevokedBy::Key)),
            (|_, key| key.expires_at = Some(after(100)), Err(RevokedBy::Key)),
            (|_, key| key.expires_at = Some(after(101)), Ok(())),
            (|_, key| key.current.generation = 3, Err(RevokedBy::Generation)),
            (|_, key| rotated(key, 101), Ok(())),
            (|_, key| rotated(key, 100), Err(RevokedBy::Generation)),
        ];
        for (number, (spoil, want)) in cases.into_iter().enumerate() {
            let answer = check(|case| {
                if let (Some(developer), Some(key)) = (&mut case.developer, &mut case.key) {
                    spoil(developer, key);
                }
            });
            assert_eq!(answer.map(|_| ()), want.map_err(|by| Rejection::Revoked { by }), "case {number}");
        }
        let by = |by| Err(Rejection::Revoked { by });
        assert_eq!(check(|case| case.developer = None), by(RevokedBy::Developer));
        assert_eq!(check(|case| case.key = None), by(RevokedBy::Key));
    }

    /// The subject token's text is the one before the key's own, up to `end`.
    fn rotated(key: &mut ApiKey, end: i64) {
        let older = KeyText { ends_at: Some(after(end)), ..key.current.clone() };
        key.current.generation += 1;
        key.previous = Some(older);
    }
}
