//! The change feed in memory: what was revoked, and how fresh that knowledge is.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::in_force::InForce;
use super::now::Instant;
use super::{Fault, Inner, Refusal};
use crate::clock::milliseconds;
use crate::key_store::{Sharing, StoreError};
use crate::model::{Announcement, FeedEntry, FeedPosition, UnixTime};

const PAGE: usize = 1_000;

/// What the feed said so far.
#[derive(Debug, Default)]
pub(super) struct Feed {
    pub(super) revocations: InForce,
    /// How far the feed was read.
    position: AtomicU64,
    /// When a reading began that came to the feed's end, by the wall clock in seconds and by the monotonic one in
    /// milliseconds. Each by itself is true of some such reading.
    read_at: AtomicU64,
    read_at_monotonic: AtomicU64,
    /// How many commits of ours announced something, and may or may not have been done.
    doubts: AtomicU64,
    /// How many of them came before the latest reading.
    read_doubts: AtomicU64,
}

/// A commit that announces something, until its outcome is known. Dropped before that, also by a caller that no longer
/// waits, it leaves a doubt.
#[derive(Debug)]
pub(super) struct Announcing<'a>(Option<&'a Feed>);

impl Feed {
    /// How long ago the feed was read to its end, by the slower-minded of both clocks.
    pub(super) fn age(&self, instant: Instant) -> Duration {
        let by_wall = instant.now.since(UnixTime::from_seconds(self.read_at.load(Ordering::Acquire)));
        let by_monotonic =
            milliseconds(instant.monotonic).saturating_sub(self.read_at_monotonic.load(Ordering::Acquire));
        Duration::from_secs(by_wall).max(Duration::from_millis(by_monotonic))
    }

    /// A commit begins that announces something, if `announces`.
    pub(super) fn announcing(&self, announces: bool) -> Announcing<'_> {
        Announcing(announces.then_some(self))
    }

    /// Whether the feed may hold something of ours that is not known here.
    fn is_doubted(&self) -> bool {
        self.doubts.load(Ordering::Acquire) != self.read_doubts.load(Ordering::Acquire)
    }

    fn position(&self) -> FeedPosition {
        FeedPosition(self.position.load(Ordering::Acquire))
    }

    /// The feed was read up to `position` and to its end, by a reading that began at `began`.
    fn read_to(&self, position: FeedPosition, began: Instant) {
        self.position.fetch_max(position.0, Ordering::AcqRel);
        // Two readers may finish in either order; the one that began later knows more. The wall clock may have been set
        // back since the other began.
        let monotonic = milliseconds(began.monotonic);
        if self.read_at_monotonic.fetch_max(monotonic, Ordering::AcqRel) <= monotonic {
            self.read_at.store(began.now.seconds(), Ordering::Release);
        }
    }
}

impl Announcing<'_> {
    /// The outcome is known, and in force here.
    pub(super) fn settle(mut self) {
        self.0 = None;
    }
}

impl Drop for Announcing<'_> {
    fn drop(&mut self) {
        if let Some(feed) = self.0 {
            feed.doubts.fetch_add(1, Ordering::AcqRel);
        }
    }
}

impl Inner {
    /// Whether the feed must be read again and again: others write to the store, or a commit of ours that nobody
    /// answered for may still be done at any time.
    pub(super) fn follows_feed(&self) -> bool {
        self.store.sharing() == Sharing::Shared || self.feed.doubts.load(Ordering::Acquire) > 0
    }

    /// Makes sure that revocations are known up to `max_staleness` ago.
    pub(super) async fn fresh(&self) -> Result<(), Refusal> {
        self.fresh_at(self.time.read()).await
    }

    /// The same, where the clocks were read just now.
    pub(super) async fn fresh_at(&self, instant: Instant) -> Result<(), Refusal> {
        if self.is_fresh(instant) {
            return Ok(());
        }
        // Boxed, since nearly no request goes this way and every one would carry its room.
        Box::pin(self.catch_up()).await.map_err(|error| {
            tracing::warn!(error = ?error.to_string(), "the change feed could not be read");
            Refusal::Fault(Fault::Stale)
        })
    }

    /// Whether revocations are known up to `max_staleness` before `instant`, where the clocks were read just now.
    pub(super) fn is_fresh(&self, instant: Instant) -> bool {
        let doubted = self.feed.is_doubted() || self.issuers.outdated();
        let young = !self.follows_feed() || self.feed.age(instant) <= self.config.max_staleness;
        young && !doubted
    }

    async fn catch_up(&self) -> Result<(), StoreError> {
        self.read_feed().await?;
        if self.issuers.outdated() { self.load_issuers().await } else { Ok(()) }
    }

    /// Reads what a token's commit relies on besides what was gathered for it, after another change came first: the feed,
    /// and the signing keys, whose records may have been written anew without a word in the feed.
    pub(super) async fn read_again(&self) -> Result<(), StoreError> {
        self.read_feed().await?;
        self.load_issuers().await
    }

    /// Reads the feed to its end.
    pub(super) async fn read_feed(&self) -> Result<(), StoreError> {
        let began = self.time.read();
        let doubts = self.feed.doubts.load(Ordering::Acquire);
        let mut position = self.feed.position();
        let mut signing_keys_changed = false;
        let mut news = Vec::new();
        loop {
            let page = self.store.changes(position, PAGE).await?;
            self.time.raise_floor(page.pruned_at);
            // A reader before the pruned stretch has missed entries. Revocations among them have ended by themselves;
            // a changed signing key has not.
            signing_keys_changed |= position < page.pruned_to;
            let last = page.entries.len() < PAGE;
            position = page.entries.last().map_or(position, |entry| entry.position);
            news.extend(page.entries);
            // Many pages at once, since a change of the revocations copies some of them.
            if last || news.len() >= 100 * PAGE {
                signing_keys_changed |= self.apply(std::mem::take(&mut news));
            }
            if last {
                position = position.max(page.pruned_to);
                break;
            }
        }
        if signing_keys_changed {
            self.outdate_issuers();
            self.load_issuers().await?;
        }
        self.feed.read_to(position, began);
        self.feed.read_doubts.fetch_max(doubts, Ordering::AcqRel);
        Ok(())
    }

    /// Takes announcements in; whether one says that a signing key changed.
    pub(super) fn apply(&self, mut entries: Vec<FeedEntry>) -> bool {
        if entries.is_empty() {
            return false;
        }
        // Tokens up to a removal are dead by their `iat`, which another node may write with a clock that is ahead.
        if self.store.sharing() == Sharing::Shared {
            let ahead = self.config.policy.leeway.as_seconds();
            entries.iter_mut().for_each(|entry| entry.at = entry.at.plus(ahead));
        }
        self.feed.revocations.change(|revocations| revocations.apply_all(&entries));
        let mut signing_keys_changed = false;
        for entry in entries {
            match entry.announcement {
                Announcement::EntityRemoved { .. } | Announcement::EpochRaised { .. } => self.reach.void(),
                Announcement::SigningKeyChanged { .. } => signing_keys_changed = true,
                Announcement::TokenRevoked { .. }
                | Announcement::KeyRevoked { .. }
                | Announcement::GenerationEnded { .. } => {}
            }
        }
        signing_keys_changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instant(wall: u64, monotonic: u64) -> Instant {
        Instant { now: UnixTime::from_seconds(wall), monotonic: Duration::from_secs(monotonic) }
    }

    #[test]
    fn t1_a_reading_whose_wall_clock_was_ahead_is_forgotten_with_the_next_one() {
        let feed = Feed::default();
        let read = |wall, monotonic| feed.read_to(FeedPosition(1), instant(wall, monotonic));
        read(4_600, 10);
        read(1_001, 11);
        // Where the monotonic clock stands still, as in a machine that sleeps, the wall clock tells.
        assert_eq!(feed.age(instant(1_031, 11)), Duration::from_secs(30));
        assert_eq!(feed.age(instant(1_001, 41)), Duration::from_secs(30));
        // One that began earlier and comes late changes nothing.
        read(4_600, 10);
        assert_eq!(feed.age(instant(1_031, 11)), Duration::from_secs(30));
    }
}
