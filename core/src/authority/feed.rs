//! The change feed in memory: what was revoked, and how fresh that knowledge is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use super::now::Time;
use super::{Fault, Inner, Refusal};
use crate::check::Revocations;
use crate::key_store::{Sharing, StoreError};
use crate::model::{Announcement, FeedEntry, FeedPosition, UnixTime};

const PAGE: usize = 1_000;

/// What the feed said so far.
#[derive(Debug, Default)]
pub(super) struct Feed {
    revocations: RwLock<Revocations>,
    reading: RwLock<Reading>,
    /// A commit of ours that announced something may or may not have been done.
    doubted: AtomicBool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Reading {
    position: FeedPosition,
    at: UnixTime,
    monotonic: Duration,
}

impl Feed {
    pub(super) fn revocations(&self) -> RwLockReadGuard<'_, Revocations> {
        // Applying an entry leaves the set whole, so a poisoned lock is still good.
        self.revocations.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn revocations_mut(&self) -> RwLockWriteGuard<'_, Revocations> {
        self.revocations.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long ago the feed was read to its end, by the slower-minded of both clocks.
    pub(super) fn age(&self, time: &Time) -> Duration {
        let reading = *self.reading.read().unwrap_or_else(PoisonError::into_inner);
        let by_wall = Duration::from_secs(time.now().since(reading.at));
        by_wall.max(time.monotonic().saturating_sub(reading.monotonic))
    }

    /// Says that the feed may hold more than is known here, whatever the store's sharing.
    pub(super) fn doubt(&self) {
        self.doubted.store(true, Ordering::Release);
    }

    fn position(&self) -> FeedPosition {
        self.reading.read().unwrap_or_else(PoisonError::into_inner).position
    }

    fn read_to(&self, position: FeedPosition, at: UnixTime, monotonic: Duration) {
        let mut reading = self.reading.write().unwrap_or_else(PoisonError::into_inner);
        // Two readers may finish in either order; the one that began later knows more.
        if monotonic >= reading.monotonic {
            *reading = Reading { position: position.max(reading.position), at, monotonic };
        }
    }
}

impl Inner {
    /// Makes sure that revocations are known up to `max_staleness` ago.
    pub(super) async fn fresh(&self) -> Result<(), Refusal> {
        let doubted = self.feed.doubted.load(Ordering::Acquire) || self.issuers.outdated();
        let young =
            self.store.sharing() == Sharing::Exclusive || self.feed.age(&self.time) <= self.config.max_staleness;
        if young && !doubted {
            return Ok(());
        }
        // Boxed, since nearly no request goes this way and every one would carry its room.
        Box::pin(self.catch_up()).await.map_err(|error| {
            tracing::warn!(error = ?error.to_string(), "the change feed could not be read");
            Refusal::Fault(Fault::Stale)
        })
    }

    async fn catch_up(&self) -> Result<(), StoreError> {
        let doubted = self.feed.doubted.swap(false, Ordering::AcqRel);
        let read = self.read_feed().await;
        if doubted && read.is_err() {
            self.feed.doubt();
        }
        read?;
        if self.issuers.outdated() { self.load_issuers().await } else { Ok(()) }
    }

    /// Reads the feed to its end.
    pub(super) async fn read_feed(&self) -> Result<(), StoreError> {
        let (at, monotonic) = (self.now(), self.time.monotonic());
        let mut position = self.feed.position();
        let mut signing_keys_changed = false;
        loop {
            let page = self.store.changes(position, PAGE).await?;
            self.time.raise_floor(page.pruned_at);
            // A reader before the pruned stretch has missed entries. Revocations among them have ended by themselves;
            // a changed signing key has not.
            signing_keys_changed |= position < page.pruned_to;
            for entry in &page.entries {
                signing_keys_changed |= self.apply(entry);
                position = entry.position;
            }
            if page.entries.len() < PAGE {
                position = position.max(page.pruned_to);
                break;
            }
        }
        if signing_keys_changed {
            self.load_issuers().await?;
        }
        self.feed.read_to(position, at, monotonic);
        Ok(())
    }

    /// Takes one announcement in; whether it says that a signing key changed.
    pub(super) fn apply(&self, entry: &FeedEntry) -> bool {
        self.feed.revocations_mut().apply(entry);
        match &entry.announcement {
            Announcement::EntityRemoved { .. } | Announcement::EpochRaised { .. } => self.reach.void(),
            Announcement::SigningKeyChanged { .. } => return true,
            Announcement::TokenRevoked { .. }
            | Announcement::KeyRevoked { .. }
            | Announcement::GenerationEnded { .. } => {}
        }
        false
    }
}
