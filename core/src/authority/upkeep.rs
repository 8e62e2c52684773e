//! The one background task: follows the feed, writes counts and checkpoints, prunes, turns signing keys over.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::change::{Event, Tries};
use super::checkpoints::Which;
use super::token_cache::Seen;
use super::turnover::Observed;
use super::{Authority, Inner, Refusal};
use crate::clock::Sleep;
use crate::key_store::News;
use crate::model::{AuditAction, AuditActor, ChainId, ChangeSet, Source, UnixTime};
use crate::moving::{self, Progress};

/// Counts that were not written yet are lost in a crash: at most this much of them, and once more.
const FLUSH_EVERY: Duration = Duration::from_millis(500);
/// However many news there are, the feed is read for them once in this time at most.
const HEAR_EVERY: Duration = Duration::from_millis(10);
const PRUNE_EVERY: Duration = Duration::from_secs(60);
const REFUSALS_EVERY: Duration = Duration::from_secs(60);

/// When each part of the work is due, by the monotonic clock, and what it has seen.
#[derive(Debug, Default)]
struct Due {
    feed: Duration,
    refusals: Duration,
    prune: Duration,
    signing_keys: Observed,
}

impl Authority {
    /// Everything that must be done from time to time. Spawn it once; it ends when the last clone of the authority is
    /// dropped. No decision is wrong without it, but counts and checkpoints are not written, memory is not trimmed,
    /// signing keys grow old and, on a shared store, requests read the feed themselves.
    pub fn upkeep(&self) -> impl Future<Output = ()> + Send + 'static {
        let clock = Arc::clone(&self.inner.clock);
        let inner = Arc::downgrade(&self.inner);
        async move {
            let mut due = Due::default();
            let mut news = None;
            loop {
                {
                    let Some(inner) = inner.upgrade() else { return };
                    // Asked for before the feed is read, so that nothing falls between.
                    news = news.or_else(|| inner.store.news());
                    inner.keep_up(&mut due).await;
                }
                let mut pause = pin!(clock.sleep(FLUSH_EVERY));
                while heard(pause.as_mut(), &mut news).await {
                    {
                        let Some(inner) = inner.upgrade() else { return };
                        news = inner.store.news();
                        inner.hear().await;
                    }
                    clock.sleep(HEAR_EVERY).await;
                }
            }
        }
    }

    /// Removes from the store what has ended by now, as [`upkeep`](Self::upkeep) does every minute: how many rows. One
    /// audit event says so, where there were any. `progress` is told after every step.
    ///
    /// # Errors
    /// [`Refusal::Fault`] if the store did not answer, the clock is not set, or without a master key.
    pub async fn prune(&self, progress: &mut (dyn FnMut(&Progress) + Send)) -> Result<u64, Refusal> {
        self.inner.secrets()?;
        self.inner.prune(AuditActor::Host, progress).await
    }

    /// Writes what is counted in memory, and a checkpoint of each audit chain that needs one. Call it before the process
    /// ends.
    ///
    /// # Errors
    /// [`Refusal::Fault`] if the store did not answer; what was not written stays in memory.
    pub async fn shutdown(&self) -> Result<(), Refusal> {
        self.inner.write_usage().await?;
        self.inner.write_refusals().await?;
        while self.inner.write_checkpoints(Which::All).await? {}
        Ok(())
    }
}

/// Waits for the end of `pause` or for news; whether it was news.
async fn heard(mut pause: Pin<&mut Sleep>, news: &mut Option<News>) -> bool {
    poll_fn(|context| {
        if pause.as_mut().poll(context).is_ready() {
            return Poll::Ready(false);
        }
        match news {
            Some(news) => news.as_mut().poll(context).map(|()| true),
            None => Poll::Pending,
        }
    })
    .await
}

impl Inner {
    /// Reads the feed because another process may have announced something.
    async fn hear(&self) {
        if self.follows_feed() {
            report("reading the change feed", self.read_feed().await.map_err(Refusal::from));
        }
    }

    async fn keep_up(&self, due: &mut Due) {
        let now = self.time.monotonic();
        if self.follows_feed() && now >= due.feed {
            due.feed = now + (self.config.max_staleness / 5).min(Duration::from_secs(1));
            report("reading the change feed", self.read_feed().await.map_err(Refusal::from));
        }
        if self.secrets.is_none() {
            self.forget_ended();
            return;
        }
        report("writing usage", self.write_usage().await);
        if now >= due.refusals {
            due.refusals = now + REFUSALS_EVERY;
            report("writing refused exchanges", self.write_refusals().await);
        }
        if now >= due.prune {
            due.prune = now + PRUNE_EVERY;
            self.forget_ended();
            report("pruning", self.prune(AuditActor::Upkeep, &mut |_| {}).await.map(|_| ()));
            report("removing ended sandboxes", self.remove_ended_sandboxes().await);
            report("turning signing keys over", self.turn_signing_keys_over(&mut due.signing_keys).await);
        }
        report("writing checkpoints", self.write_checkpoints(Which::Due).await.map(|_| ()));
    }

    async fn write_usage(&self) -> Result<(), Refusal> {
        self.write_counts(|set| {
            self.cache.settle(self.usable_tokens(set.at));
            set.merge = self.usage.drain(set.at);
            Ok(())
        })
        .await
    }

    async fn write_refusals(&self) -> Result<(), Refusal> {
        self.write_counts(|set| {
            for ((environment, reason), count) in self.refused.drain() {
                self.audit(
                    set,
                    Event {
                        chain: ChainId::System(environment),
                        actor: AuditActor::Upkeep,
                        source: Source::UNKNOWN,
                        action: AuditAction::ExchangesRefused,
                        subject: reason,
                        details: &[("count", &count.to_string())],
                    },
                )?;
            }
            Ok(())
        })
        .await
    }

    /// Writes the counts that `gather` takes out of memory into a set, after those that are on their way.
    async fn write_counts(
        &self,
        gather: impl FnOnce(&mut ChangeSet) -> Result<(), Refusal> + Send,
    ) -> Result<(), Refusal> {
        self.write_unanswered().await?;
        if self.secrets.is_none() {
            return Ok(());
        }
        let mut set = self.new_set()?;
        gather(&mut set)?;
        if set.merge.is_empty() && set.audit.is_empty() {
            return Ok(());
        }
        self.unanswered.push(set);
        self.write_unanswered().await
    }

    /// Commits the counts that are on their way, those first that were so before.
    async fn write_unanswered(&self) -> Result<(), Refusal> {
        while let Some(set) = self.unanswered.first() {
            let id = set.id;
            // Nothing is expected of the store's records, so no other change comes first.
            self.commit(set, &mut Tries::default()).await?;
            self.unanswered.answered(id);
        }
        Ok(())
    }

    /// Which of the tokens that were verified may still be used at `now`, or later.
    fn usable_tokens(&self, now: UnixTime) -> impl Fn(&Seen) -> bool + use<> {
        let (serial, revocations) = (self.issuers.serial(), self.feed.revocations.latest());
        move |seen| {
            let token = &seen.token;
            seen.issuers == serial && now < token.expires_at() && revocations.check(token).is_none()
        }
    }

    /// Forgets tokens and revocations of what is over. It stays over then, wherever the wall clock is set.
    fn forget_ended(&self) {
        if let Ok(now) = self.set_now() {
            self.time.raise_floor(now);
            self.feed.revocations.change(|revocations| revocations.prune(now));
            let usable = self.usable_tokens(now);
            self.cache.retain(usable);
        }
    }

    async fn prune(&self, actor: AuditActor, progress: &mut (dyn FnMut(&Progress) + Send)) -> Result<u64, Refusal> {
        // A clock that is not set would end everything, for good.
        let before = self.set_now()?;
        let removed = moving::prune(&*self.store, before, progress).await?;
        self.time.raise_floor(before);
        if removed == 0 {
            return Ok(0);
        }
        let mut set = self.new_set()?;
        self.audit(
            &mut set,
            Event {
                chain: ChainId::System(self.config.home),
                actor,
                source: Source::UNKNOWN,
                action: AuditAction::StorePruned,
                subject: "",
                details: &[("rows", &removed.to_string())],
            },
        )?;
        self.commit(set, &mut Tries::default()).await.map(|_| removed)
    }
}

fn report(task: &'static str, done: Result<(), Refusal>) {
    if let Err(refusal) = done {
        tracing::warn!(refusal = ?refusal.to_string(), task, "upkeep failed and will try again");
    }
}
