//! What many threads share, played through schedules that a test chooses: built with `--cfg shuttle` alone.
//!
//!     RUSTFLAGS="--cfg shuttle" cargo test -p latchbook-core --lib schedules

use std::sync::atomic::{AtomicBool, Ordering};

use shuttle::thread;

use super::in_force::{InForce, Known};
use super::token_cache::{Seen, TokenCache};
use super::usage::Usage;
use crate::check::Revocations;
use crate::check::samples::{NOW, key_id, token, token_id};
use crate::model::{Announcement, EnvironmentName, FeedEntry, FeedPosition, Merge, Rejection, RevokedBy, UnixTime};
use crate::sync::Arc;

/// How many schedules of each test are played, chosen so that few changes of turn meet (Burckhardt et al., 2010).
const SCHEDULES: usize = 5_000;

fn played(test: impl Fn() + Send + Sync + 'static) {
    shuttle::check_pct(test, SCHEDULES, 3);
}

const TEXT: &[u8] = b"header.payload.signature";

/// An authority's part that the tests are about.
struct Shared {
    cache: TokenCache,
    in_force: InForce,
    usage: Usage,
    acknowledged: AtomicBool,
}

impl Shared {
    fn new() -> Arc<Self> {
        let shared = Self {
            cache: TokenCache::new(1 << 20),
            in_force: InForce::default(),
            usage: Usage::default(),
            acknowledged: AtomicBool::new(false),
        };
        Arc::new(shared)
    }

    /// As a request does it: whether the token was let in.
    fn request(&self) -> bool {
        let place = self.cache.place(TEXT);
        {
            let mut at_hand = self.cache.at_hand();
            let at_hand = &mut *at_hand;
            let revocations = self.in_force.follow(&mut at_hand.revocations);
            let check = |seen: &Seen| allowed(seen, revocations);
            let found = at_hand.tokens.find(place, TEXT, 1, check).or_else(|| {
                let found = self.cache.find(place, TEXT, 1, check)?;
                Some(found.inspect(|seen| {
                    seen.usage.count_requests(1);
                    at_hand.tokens.offer(place, seen);
                }))
            });
            if let Some(found) = found {
                return found.is_ok();
            }
        }
        let verified = token(|_| {});
        if self.in_force.latest().check(&verified).is_some() {
            return false;
        }
        let usage = self.usage.cell(verified.developer(), verified.key());
        let seen = Arc::new(Seen::new(TEXT, verified, 1, usage));
        self.cache.insert(place, Arc::clone(&seen));
        seen.usage.count_requests(1);
        true
    }

    /// As upkeep does it: how many requests it takes out.
    fn drained(&self) -> u64 {
        let revocations = self.in_force.latest();
        self.cache.settle(|seen| allowed(seen, &revocations).is_ok());
        let merges = self.usage.drain(NOW);
        merges.iter().map(|merge| if let Merge::Usage(row) = merge { row.counts.requests } else { 0 }).sum()
    }

    fn revoke(&self) {
        let announcement = Announcement::TokenRevoked { environment: EnvironmentName::LIVE, token: token_id('0') };
        let entry = FeedEntry { position: FeedPosition(1), at: NOW, ends_at: UnixTime::MAX, announcement };
        self.in_force.change(|revocations| revocations.apply(&entry));
        self.acknowledged.store(true, Ordering::SeqCst);
    }
}

fn allowed(seen: &Seen, revocations: &Revocations) -> Result<(), Rejection> {
    revocations.check(&seen.token).map_or(Ok(()), |by| Err(Rejection::Revoked { by }))
}

#[test]
fn r1_no_request_that_begins_after_the_revocation_was_acknowledged_is_let_in() {
    played(|| {
        let shared = Shared::new();
        let asking = |_| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                for _ in 0..3 {
                    let late = shared.acknowledged.load(Ordering::SeqCst);
                    let let_in = shared.request();
                    assert!(!(late && let_in), "let in although it was revoked before");
                }
            })
        };
        let asking: Vec<_> = (0..2).map(asking).collect();
        let revoking = thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.revoke()
        });
        asking.into_iter().chain([revoking]).for_each(|thread| thread.join().unwrap());
        assert!(!shared.request());
    });
}

#[test]
fn a_state_that_was_followed_is_never_older_than_one_that_was_followed_before() {
    played(|| {
        let in_force = Arc::new(InForce::default());
        let changing = (0..2_u8).map(|number| {
            let in_force = Arc::clone(&in_force);
            thread::spawn(move || {
                let announcement = Announcement::KeyRevoked {
                    environment: EnvironmentName::LIVE,
                    key: key_id(char::from(b'0' + number)),
                };
                let entry = FeedEntry { position: FeedPosition(1), at: NOW, ends_at: UnixTime::MAX, announcement };
                in_force.change(|revocations| revocations.apply(&entry));
            })
        });
        let changing: Vec<_> = changing.collect();
        let (mut known, mut before) = (Known::default(), 0);
        for _ in 0..4 {
            let now = in_force.follow(&mut known).len();
            assert!(before <= now, "{before} revocations, and then {now}");
            before = now;
        }
        changing.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(in_force.follow(&mut known).len(), 2, "no change is lost");
        assert_eq!(in_force.latest().check(&token(|_| {})), Some(RevokedBy::Key));
    });
}

#[test]
fn every_request_is_counted_once_however_upkeep_comes_between() {
    played(|| {
        let shared = Shared::new();
        let asking = |_| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || (0..3).for_each(|_| assert!(shared.request())))
        };
        let asking: Vec<_> = (0..2).map(asking).collect();
        let mut counted = shared.drained() + shared.drained();
        asking.into_iter().for_each(|thread| thread.join().unwrap());
        counted += shared.drained();
        assert_eq!(counted, 6);
    });
}
