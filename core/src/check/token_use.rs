//! Whether a token of ours may be used now.

use super::access_token::VerifiedToken;
use super::address;
use super::exchange::TokenPolicy;
use super::revocation::Revocations;
use crate::model::{Rejection, Source, UnixTime};

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
    check_times(token, using.now, using.policy)?;
    if !address::is_allowed(token.allowed_ips(), &using.source) {
        return Err(Rejection::AddressNotAllowed);
    }
    check_revocation(token, using.revocations)
}

/// Decides whether `token` is active at `now` (RFC 7662 §2.2), from wherever it may be used: as [`check_use`], but that
/// the address of its caller is not known here.
///
/// # Errors
/// As [`check_use`], but for [`Rejection::AddressNotAllowed`].
pub fn check_active(
    token: &VerifiedToken,
    now: UnixTime,
    policy: &TokenPolicy,
    revocations: &Revocations,
) -> Result<(), Rejection> {
    check_times(token, now, policy)?;
    check_revocation(token, revocations)
}

fn check_times(token: &VerifiedToken, now: UnixTime, policy: &TokenPolicy) -> Result<(), Rejection> {
    let latest_start = token.not_before().max(token.issued_at());
    if now.plus(policy.leeway.as_seconds()) < latest_start {
        return Err(Rejection::NotYetValid);
    }
    if token.expires_at() <= now.max(latest_start) {
        return Err(Rejection::Expired);
    }
    // `iat` is at most the leeway ahead here, so this bounds how far ahead `exp` lies too. Measured from `now` alone, a
    // token of the longest life from a machine whose clock is within the leeway would be refused.
    if token.expires_at().since(token.issued_at()) > policy.longest_lifetime.as_seconds() {
        return Err(Rejection::LifetimeTooLong);
    }
    Ok(())
}

fn check_revocation(token: &VerifiedToken, revocations: &Revocations) -> Result<(), Rejection> {
    match revocations.check(token) {
        Some(by) => Err(Rejection::Revoked { by }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{NOW, after, policy, source, token, token_id};
    use super::*;
    use crate::model::{Announcement, EnvironmentName, FeedEntry, FeedPosition, RevokedBy};

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
        assert_eq!(check_active(&token, NOW, &policy(), &Revocations::default()), Ok(()), "active somewhere");
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
