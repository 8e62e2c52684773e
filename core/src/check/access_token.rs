//! Whether an access token is one of ours, and may be used now.

use ipnet::IpNet;

use super::address;
use super::exchange::TokenPolicy;
use super::revocation::Revocations;
use crate::model::{
    AccessClaims, DeveloperRef, EntityId, EnvironmentName, KeyId, Rejection, ScopeSet, SignedClaims, Source, TokenId,
    UnixTime,
};

/// What a token must say about where it belongs: each the value of the environment whose key signed it.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The environment's issuer (`iss`).
    pub issuer: &'a str,
    /// The environment's audience (`aud`).
    pub audience: &'a str,
    /// The environment (`env`).
    pub environment: EnvironmentName,
}

/// A token whose signature, shape and place were found right. Only [`check_identity`] makes one.
///
/// It proves who the token names, and nothing about now: every use goes through [`check_use`]. It is small, since caches
/// hold many.
#[derive(Clone, Debug)]
pub struct VerifiedToken {
    developer: DeveloperRef,
    key: KeyId,
    token: TokenId,
    origin: Option<TokenId>,
    scopes: ScopeSet,
    entity: Option<EntityId>,
    issued_at: UnixTime,
    not_before: UnixTime,
    expires_at: UnixTime,
    generation: u64,
    epoch: u64,
    allowed_ips: Box<[IpNet]>,
}

impl VerifiedToken {
    /// The developer (`developer`, with `env`).
    #[must_use]
    pub fn developer(&self) -> &DeveloperRef {
        &self.developer
    }

    /// The API key that it came from (`client_id`).
    #[must_use]
    pub fn key(&self) -> KeyId {
        self.key
    }

    /// Its id (`jti`).
    #[must_use]
    pub fn token(&self) -> TokenId {
        self.token
    }

    /// The id of the first token, after a token exchange (`origin`).
    #[must_use]
    pub fn origin(&self) -> Option<TokenId> {
        self.origin
    }

    /// Its scopes (`scope`).
    #[must_use]
    pub fn scopes(&self) -> &ScopeSet {
        &self.scopes
    }

    /// The entity that it is for (`entity`), if it is an entity token.
    #[must_use]
    pub fn entity(&self) -> Option<&EntityId> {
        self.entity.as_ref()
    }

    /// Its environment (`env`).
    #[must_use]
    pub fn environment(&self) -> EnvironmentName {
        self.developer.environment
    }

    /// When it was made (`iat`).
    #[must_use]
    pub fn issued_at(&self) -> UnixTime {
        self.issued_at
    }

    /// From when on it may be used (`nbf`).
    #[must_use]
    pub fn not_before(&self) -> UnixTime {
        self.not_before
    }

    /// From when on it is over (`exp`).
    #[must_use]
    pub fn expires_at(&self) -> UnixTime {
        self.expires_at
    }

    /// The generation of its key (`gen`).
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Its developer's epoch when it was made (`epoch`).
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The ranges that its caller's address must lie in (`ips`); none is anywhere.
    #[must_use]
    pub fn allowed_ips(&self) -> &[IpNet] {
        &self.allowed_ips
    }
}

/// Decides whether rightly signed claims are those of a token of ours. The answer holds for ever, so it may be cached.
///
/// # Errors
/// In this order: [`Rejection::TokenClaims`] for a `sub` unlike the `developer` (in an entity token, the `entity`),
/// [`Rejection::WrongIssuer`], [`Rejection::WrongAudience`], [`Rejection::ForeignEnvironmentClaim`]; all compared byte
/// by byte.
pub fn check_identity(signed: SignedClaims, expected: &Expected<'_>) -> Result<VerifiedToken, Rejection> {
    let claims = signed.claims;
    if claims.subject != rightful_subject(&claims) {
        return Err(Rejection::TokenClaims);
    }
    if claims.issuer != expected.issuer {
        return Err(Rejection::WrongIssuer);
    }
    if claims.audience != expected.audience {
        return Err(Rejection::WrongAudience);
    }
    if claims.environment != expected.environment {
        return Err(Rejection::ForeignEnvironmentClaim);
    }
    Ok(VerifiedToken {
        developer: DeveloperRef { environment: claims.environment, id: claims.developer },
        key: claims.key,
        token: claims.token,
        origin: claims.origin,
        scopes: claims.scopes,
        entity: claims.entity,
        issued_at: claims.issued_at,
        not_before: claims.not_before,
        expires_at: claims.expires_at,
        generation: claims.generation,
        epoch: claims.epoch,
        allowed_ips: claims.allowed_ips.into_boxed_slice(),
    })
}

fn rightful_subject(claims: &AccessClaims) -> &str {
    claims.entity.as_ref().map_or(claims.developer.as_str(), EntityId::as_str)
}

/// One use of a token.
#[derive(Clone, Copy, Debug)]
pub struct TokenUse<'a> {
    /// The present.
    pub now: UnixTime,
    /// How long tokens live.
    pub policy: &'a TokenPolicy,
    /// Where it comes from.
    pub source: Source,
    /// What was revoked.
    pub revocations: &'a Revocations,
}

/// Decides whether `token` may be used now; asked at every use, also of a token that was seen before.
///
/// The leeway moves `nbf` and `iat` alone: at `exp` the token is over. A token whose `exp` is not after its `nbf` and
/// its `iat` has no instant to be used at, and counts as expired.
///
/// # Errors
/// In this order:
/// - [`Rejection::NotYetValid`] while `now + leeway` is before `nbf` or `iat`;
/// - [`Rejection::Expired`] from `exp` on;
/// - [`Rejection::LifetimeTooLong`] if `exp` lies further from `iat` than any token's may;
/// - [`Rejection::AddressNotAllowed`] if the token has ranges and the source is in none, or not known;
/// - [`Rejection::Revoked`].
pub fn check_use(token: &VerifiedToken, using: &TokenUse<'_>) -> Result<(), Rejection> {
    let latest_start = token.not_before.max(token.issued_at);
    if using.now.plus(using.policy.leeway.as_seconds()) < latest_start {
        return Err(Rejection::NotYetValid);
    }
    if token.expires_at <= using.now.max(latest_start) {
        return Err(Rejection::Expired);
    }
    // `iat` is at most the leeway ahead here, so this bounds how far ahead `exp` lies too. Measured from `now` alone, a
    // token of the longest life from a machine whose clock is within the leeway would be refused.
    if token.expires_at.since(token.issued_at) > using.policy.longest_lifetime.as_seconds() {
        return Err(Rejection::LifetimeTooLong);
    }
    if !address::is_allowed(&token.allowed_ips, &using.source) {
        return Err(Rejection::AddressNotAllowed);
    }
    match using.revocations.check(token) {
        Some(by) => Err(Rejection::Revoked { by }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{
        EXPECTED, ISSUER, NOW, after, claims, developer_ref, for_entity, key_id, policy, signed, source, token,
        token_id,
    };
    use super::*;
    use crate::model::{Announcement, FeedEntry, FeedPosition, RevokedBy};

    fn identity(spoil: impl FnOnce(&mut AccessClaims)) -> Result<VerifiedToken, Rejection> {
        let mut claims = claims();
        spoil(&mut claims);
        check_identity(signed(claims), &EXPECTED)
    }

    fn use_at(now: UnixTime, source: Source, token: &VerifiedToken) -> Result<(), Rejection> {
        let (policy, revocations) = (policy(), Revocations::default());
        check_use(token, &TokenUse { now, policy: &policy, source, revocations: &revocations })
    }

    fn window(issued_at: i64, not_before: i64, expires_at: i64) -> VerifiedToken {
        token(|claims| {
            claims.issued_at = after(issued_at);
            claims.not_before = after(not_before);
            claims.expires_at = after(expires_at);
        })
    }

    fn use_window(issued_at: i64, not_before: i64, expires_at: i64, now: i64) -> Result<(), Rejection> {
        use_at(after(now), Source::UNKNOWN, &window(issued_at, not_before, expires_at))
    }

    #[test]
    fn a_verified_token_says_what_was_signed() {
        let verified = token(|claims| {
            for_entity(claims, "acme");
            claims.origin = Some(token_id('9'));
            claims.allowed_ips = vec!["192.0.2.0/24".parse().unwrap()];
        });
        assert_eq!(verified.developer(), &developer_ref("dev"));
        assert_eq!(
            (verified.key(), verified.token(), verified.origin()),
            (key_id('0'), token_id('0'), Some(token_id('9')))
        );
        assert_eq!(verified.scopes(), &claims().scopes);
        assert_eq!(verified.entity().map(EntityId::as_str), Some("acme"));
        assert_eq!(verified.environment(), EnvironmentName::LIVE);
        assert_eq!((verified.issued_at(), verified.not_before(), verified.expires_at()), (NOW, NOW, after(900)));
        assert_eq!((verified.generation(), verified.epoch(), verified.allowed_ips().len()), (2, 3, 1));
    }

    #[test]
    fn a_verified_token_is_small() {
        assert!(size_of::<VerifiedToken>() <= 216, "{} bytes", size_of::<VerifiedToken>());
    }

    #[test]
    fn c6_e20_another_audience_is_refused_byte_by_byte() {
        for audience in ["", "https://api.example.com/live/", "https://api.example.com/LIVE", "https://other.example"] {
            let answer = identity(|claims| claims.audience = audience.to_owned());
            assert_eq!(answer.unwrap_err(), Rejection::WrongAudience, "{audience}");
        }
    }

    #[test]
    fn c7_another_issuer_is_refused_byte_by_byte() {
        for issuer in ["", "https://api.example.com/live/", "https://api.example.com/Live", "https://api.example.com"] {
            let answer = identity(|claims| claims.issuer = issuer.to_owned());
            assert_eq!(answer.unwrap_err(), Rejection::WrongIssuer, "{issuer}");
        }
    }

    #[test]
    fn c8_a_subject_unlike_its_developer_or_entity_is_refused() {
        let subject = |entity: bool, subject: &str| {
            let answer = identity(|claims| {
                if entity {
                    for_entity(claims, "acme");
                }
                claims.subject = subject.to_owned();
            });
            answer.map(|_| ())
        };
        assert_eq!(subject(false, "dev"), Ok(()));
        assert_eq!(subject(true, "acme"), Ok(()));
        for (entity, wrong) in [(false, ""), (false, "Dev"), (false, "acme"), (true, "dev"), (true, ""), (true, "acmé")]
        {
            assert_eq!(subject(entity, wrong), Err(Rejection::TokenClaims), "{wrong}");
        }
    }

    #[test]
    fn c10_another_environment_claim_is_refused() {
        let answer = identity(|claims| claims.environment = EnvironmentName::SANDBOX);
        assert_eq!(answer.unwrap_err(), Rejection::ForeignEnvironmentClaim);
    }

    #[test]
    fn the_first_thing_wrong_is_the_reason() {
        let mut spoilt = claims();
        let mut reason = |spoil: fn(&mut AccessClaims)| {
            spoil(&mut spoilt);
            check_identity(signed(spoilt.clone()), &EXPECTED).unwrap_err()
        };
        assert_eq!(reason(|claims| claims.environment = EnvironmentName::SANDBOX), Rejection::ForeignEnvironmentClaim);
        assert_eq!(reason(|claims| claims.audience.clear()), Rejection::WrongAudience);
        assert_eq!(reason(|claims| claims.issuer.clear()), Rejection::WrongIssuer);
        assert_eq!(reason(|claims| claims.subject.clear()), Rejection::TokenClaims);
    }

    #[test]
    fn another_audience_than_the_issuer_can_be_expected() {
        let mut claims = claims();
        claims.audience = "ledger".to_owned();
        let expected = Expected { audience: "ledger", ..EXPECTED };
        assert!(check_identity(signed(claims.clone()), &expected).is_ok());
        claims.audience = ISSUER.to_owned();
        assert_eq!(check_identity(signed(claims), &expected).unwrap_err(), Rejection::WrongAudience);
    }

    #[test]
    fn c2_a_token_lives_up_to_but_not_at_exp() {
        let expired = Err(Rejection::Expired);
        for (now, want) in
            [(0, Ok(())), (899, Ok(())), (900, expired.clone()), (901, expired.clone()), (1_000_000, expired)]
        {
            assert_eq!(use_window(0, 0, 900, now), want, "now = {now}");
        }
    }

    #[test]
    fn c2_a_token_whose_window_is_empty_is_expired_from_the_start() {
        for (issued_at, not_before, expires_at) in [(0, 0, 0), (0, 0, -61), (3, 0, 3), (0, 3, 3), (4, 0, 3), (0, 4, 3)]
        {
            for now in [0, 1, 2, 3, 4, 100] {
                assert_eq!(use_window(issued_at, not_before, expires_at, now), Err(Rejection::Expired), "now = {now}");
            }
        }
    }

    #[test]
    fn c3_no_token_lives_longer_than_the_longest_life() {
        assert_eq!(use_window(0, 0, 3600, 0), Ok(()));
        assert_eq!(use_window(0, 0, 3601, 0), Err(Rejection::LifetimeTooLong));
        assert_eq!(use_window(0, 0, 3601, 3600), Err(Rejection::LifetimeTooLong));
        assert_eq!(use_window(0, 0, 315_360_000, 0), Err(Rejection::LifetimeTooLong));
        assert_eq!(use_window(-10, 0, 3591, 0), Err(Rejection::LifetimeTooLong));
    }

    #[test]
    fn c4_c5_nbf_and_iat_may_lie_ahead_by_the_leeway() {
        let early = Err(Rejection::NotYetValid);
        for (issued_at, not_before, want) in
            [(5, 0, Ok(())), (0, 5, Ok(())), (6, 0, early.clone()), (0, 6, early.clone()), (2000, 2000, early)]
        {
            assert_eq!(use_window(issued_at, not_before, 3000, 0), want, "iat {issued_at}, nbf {not_before}");
        }
    }

    #[test]
    fn t3_a_token_of_the_longest_life_from_a_clock_ahead_by_the_leeway_is_accepted() {
        assert_eq!(use_window(5, 5, 3605, 0), Ok(()));
        assert_eq!(use_window(6, 6, 3606, 0), Err(Rejection::NotYetValid));
    }

    #[test]
    fn t2_extreme_clocks_refuse() {
        let token = window(0, 0, 900);
        for (now, want) in [(UnixTime::EPOCH, Rejection::NotYetValid), (UnixTime::MAX, Rejection::Expired)] {
            assert_eq!(use_at(now, Source::UNKNOWN, &token), Err(want));
        }
        let last = token_until_the_end_of_time();
        assert_eq!(use_at(UnixTime::MAX, Source::UNKNOWN, &last), Err(Rejection::Expired));
        assert_eq!(use_at(NOW, Source::UNKNOWN, &last), Err(Rejection::LifetimeTooLong));
    }

    fn token_until_the_end_of_time() -> VerifiedToken {
        token(|claims| claims.expires_at = UnixTime::MAX)
    }

    #[test]
    fn a_token_with_ranges_works_from_inside_them_alone() {
        let token = token(|claims| claims.allowed_ips = vec!["192.0.2.0/24".parse().unwrap()]);
        assert_eq!(use_at(NOW, source("192.0.2.1"), &token), Ok(()));
        for from in [source("192.0.3.1"), Source::UNKNOWN] {
            assert_eq!(use_at(NOW, from, &token), Err(Rejection::AddressNotAllowed));
        }
    }

    #[test]
    fn c9_a_revoked_token_is_refused_and_only_where_nothing_else_is_wrong() {
        let mut revocations = Revocations::default();
        revocations.apply(&FeedEntry {
            position: FeedPosition(1),
            at: NOW,
            ends_at: after(4500),
            announcement: Announcement::TokenRevoked { environment: EnvironmentName::LIVE, token: token_id('0') },
        });
        let (policy, token) = (policy(), token(|_| {}));
        let using = TokenUse { now: NOW, policy: &policy, source: Source::UNKNOWN, revocations: &revocations };
        assert_eq!(check_use(&token, &using), Err(Rejection::Revoked { by: RevokedBy::Token }));
        assert_eq!(check_use(&token, &TokenUse { now: after(900), ..using }), Err(Rejection::Expired));
    }
}
