//! Usage: read, by day and key.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::{Inner, Refusal};
use crate::key_store::{KeyStoreExt as _, StoreError};
use crate::model::{Day, DeveloperRef, Index, KeyId, Position, Record, RecordKey, Rejection, Row, UsageRow};

/// How often keys were used: read, by day and key.
///
/// Counts reach the store with [`upkeep`](super::Authority::upkeep), every half second, and are not in an answer before; a
/// use counts for the day on which it is written.
#[derive(Clone, Copy)]
pub struct UsageReading<'a> {
    pub(super) inner: &'a Arc<Inner>,
}

impl UsageReading<'_> {
    /// The most rows that [`between`](Self::between) gives.
    pub const MOST_ROWS: usize = 10_000;

    /// Of the keys of `developer` on `days`, both ends included, at most `limit` rows after `after`, by day, then by key;
    /// and the `after` of the next page, where there is more. A page may have fewer rows than that, even none, and be
    /// followed by another.
    ///
    /// A row counts if its key is the developer's now and was made on that day or before it. An earlier developer with the
    /// same id, such as one whose sandbox has ended, left its rows in the same list; they are not shown.
    ///
    /// # Errors
    /// [`Rejection::NotFound`] if there is no such developer.
    pub async fn page(
        &self,
        developer: &DeveloperRef,
        days: &RangeInclusive<Day>,
        after: Option<&Position>,
        limit: usize,
    ) -> Result<(Vec<UsageRow>, Option<Position>), Refusal> {
        self.check_developer(developer).await?;
        Ok(self.step(developer, days, after, limit, &mut Births::new()).await?)
    }

    /// The same, whole.
    ///
    /// # Errors
    /// [`Rejection::NotFound`] if there is no such developer, [`Rejection::InvalidRequest`] if there are more than
    /// [`MOST_ROWS`](Self::MOST_ROWS).
    pub async fn between(
        &self,
        developer: &DeveloperRef,
        days: &RangeInclusive<Day>,
    ) -> Result<Vec<UsageRow>, Refusal> {
        self.check_developer(developer).await?;
        let (mut births, mut found, mut after) = (Births::new(), Vec::new(), None);
        loop {
            let (rows, next) = self.step(developer, days, after.as_ref(), STEP, &mut births).await?;
            found.extend(rows);
            if found.len() > Self::MOST_ROWS {
                return Err(TOO_MANY.into());
            }
            match next {
                Some(next) => after = Some(next),
                None => return Ok(found),
            }
        }
    }

    async fn check_developer(&self, developer: &DeveloperRef) -> Result<(), Refusal> {
        self.inner.store.developer(developer).await?.ok_or(Rejection::NotFound)?;
        Ok(())
    }

    async fn step(
        &self,
        developer: &DeveloperRef,
        days: &RangeInclusive<Day>,
        after: Option<&Position>,
        limit: usize,
        births: &mut Births,
    ) -> Result<(Vec<UsageRow>, Option<Position>), StoreError> {
        let start = Position::of_usage(*days.start(), "");
        let after = after.filter(|after| **after > start).unwrap_or(&start);
        let page = self.inner.store.page(&Index::Usage(developer.clone()), Some(after), limit).await?;
        let (mut rows, mut next) = (Vec::with_capacity(page.rows.len()), page.next);
        for row in page.rows {
            let Row::Usage(row) = row else { return Err(StoreError::corrupt("a row of another kind than its list's")) };
            if !days.contains(&row.day) {
                next = None;
                break;
            }
            rows.push(row);
        }
        self.learn(developer, &rows, births).await?;
        rows.retain(|row| matches!(births.get(&row.key), Some(Some(born)) if *born <= row.day));
        Ok((rows, next))
    }

    /// Looks the keys of `rows` up that are not in `births` yet.
    async fn learn(&self, developer: &DeveloperRef, rows: &[UsageRow], births: &mut Births) -> Result<(), StoreError> {
        let mut unknown: Vec<KeyId> = rows.iter().map(|row| row.key).filter(|key| !births.contains_key(key)).collect();
        unknown.sort_unstable();
        unknown.dedup();
        if unknown.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = unknown.iter().map(|key| RecordKey::ApiKey(developer.clone(), *key)).collect();
        // Another node's clock may be behind.
        let leeway = self.inner.config.policy.leeway.as_seconds();
        for (key, stored) in unknown.into_iter().zip(self.inner.store.get(&names).await?) {
            let born = match stored.map(|stored| stored.record) {
                None => None,
                Some(Record::ApiKey(key)) => Some(key.created_at.minus(leeway).day()),
                Some(_) => return Err(StoreError::corrupt("a record of another kind than its key's")),
            };
            births.insert(key, born);
        }
        Ok(())
    }
}

impl std::fmt::Debug for UsageReading<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("UsageReading")
    }
}

/// The first day of each key that was looked up; `None` where the developer has no such key.
type Births = HashMap<KeyId, Option<Day>>;

const STEP: usize = 500;
const TOO_MANY: Rejection =
    Rejection::InvalidRequest { message: "there are more than 10,000 counts on these days; ask for fewer days" };
