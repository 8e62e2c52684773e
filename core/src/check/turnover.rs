//! When a signing key's successor is made, and when it takes over.

use crate::model::{Lifetime, Provenance, SigningKey, UnixTime};

/// How long signing keys are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TurnoverPolicy {
    /// From a key's making until its successor signs; `None` where successors are made on demand alone.
    pub lifetime: Option<Lifetime>,
    /// How long a successor is published before it signs, so that every cached key set holds it by then.
    pub notice: Lifetime,
}

/// What is due for an environment's signing keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnoverStep {
    /// A successor is to be made and published.
    MakeSuccessor,
    /// The successor signs from now on.
    TakeOver,
    /// The active key is past its lifetime, and the host must import its successor.
    ImportSuccessor,
}

/// What is due, given the active key and its successor, if one is published.
///
/// A key's life counts from its making, so a successor's does while it waits. However late this is asked, one step after
/// the other is due, and a successor always waits out its notice. An imported key is never replaced: a key of another
/// algorithm may be made here in its place at best, and those who verify its tokens would learn of it too late.
#[must_use]
pub fn check_turnover(
    active: &SigningKey,
    successor: Option<&SigningKey>,
    policy: &TurnoverPolicy,
    now: UnixTime,
) -> Option<TurnoverStep> {
    let notice = policy.notice.as_seconds();
    let ends_at = policy.lifetime.map(|lifetime| active.created_at.plus(lifetime.as_seconds()));
    match (active.provenance, successor) {
        (Provenance::Imported, _) => ends_at.filter(|end| now >= *end).map(|_| TurnoverStep::ImportSuccessor),
        (Provenance::Generated, Some(successor)) => {
            (now >= successor.created_at.plus(notice)).then_some(TurnoverStep::TakeOver)
        }
        (Provenance::Generated, None) => {
            ends_at.filter(|end| now >= end.minus(notice)).map(|_| TurnoverStep::MakeSuccessor)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{EnvironmentName, PublicKey, SealedBytes, SigningKeyId, SigningKeyState};

    fn key(state: SigningKeyState, provenance: Provenance, created_at: u64) -> SigningKey {
        SigningKey {
            environment: EnvironmentName::LIVE,
            id: SigningKeyId::parse("k").expect("an id"),
            public: PublicKey::Ed25519([1; 32]),
            private: SealedBytes(Vec::new()),
            state,
            provenance,
            created_at: UnixTime::from_seconds(created_at),
        }
    }

    #[test]
    fn a_successor_is_made_a_notice_before_the_end_and_takes_over_a_notice_later() {
        let lifetime = Some(Lifetime::seconds(1000));
        let (with, without) = (Some(700), None);
        let (make, take) = (Some(TurnoverStep::MakeSuccessor), Some(TurnoverStep::TakeOver));
        let cases = [
            (lifetime, without, 100, None),
            (lifetime, without, 999, None),
            (lifetime, without, 1000, make),
            (lifetime, without, 90_000, make),
            (lifetime, with, 700, None),
            (lifetime, with, 799, None),
            (lifetime, with, 800, take),
            (lifetime, with, 90_000, take),
            (None, without, 90_000, None),
            (None, with, 799, None),
            (None, with, 800, take),
        ];
        for (lifetime, successor, now, want) in cases {
            let policy = TurnoverPolicy { lifetime, notice: Lifetime::seconds(100) };
            let active = key(SigningKeyState::Active, Provenance::Generated, 100);
            let successor = successor.map(|at| key(SigningKeyState::Next, Provenance::Generated, at));
            let step = check_turnover(&active, successor.as_ref(), &policy, UnixTime::from_seconds(now));
            assert_eq!(step, want, "{lifetime:?}, {successor:?}, now = {now}");
        }
    }

    #[test]
    fn an_imported_key_is_left_alone_and_said_to_be_old() {
        let active = key(SigningKeyState::Active, Provenance::Imported, 100);
        let waiting = key(SigningKeyState::Next, Provenance::Generated, 0);
        let old = Some(TurnoverStep::ImportSuccessor);
        for successor in [None, Some(&waiting)] {
            for (lifetime, now, want) in [(Some(1000), 1099, None), (Some(1000), 1100, old), (None, 90_000, None)] {
                let policy =
                    TurnoverPolicy { lifetime: lifetime.map(Lifetime::seconds), notice: Lifetime::seconds(100) };
                assert_eq!(check_turnover(&active, successor, &policy, UnixTime::from_seconds(now)), want, "{now}");
            }
        }
    }
}
