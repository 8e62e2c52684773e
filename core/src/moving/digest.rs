//! What a store holds, in 32 bytes that do not depend on the back end.

use std::fmt;

use ring::digest::{SHA256, digest as hash};

use super::rows::{Progress, Rows, Stage, Tell, every_row};
use crate::key_store::StoreError;
use crate::key_store::encoding::Coded as _;
use crate::model::{Record, Row, StoreMeta};

/// What a store holds: the sum, modulo 2^256, of SHA-256 over each row, and how many rows of each kind there are.
///
/// Equal for stores that hold the same, on whichever back end and in whichever order; ids of changes do not count. It
/// finds rows that were lost or changed by accident. That nobody changed the audit trail on purpose is shown by its
/// links, not by this. Shows as 64 hexadecimal digits.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreDigest {
    sum: [u8; 32],
    counts: [u64; KINDS.len()],
}

/// The digest of everything that `rows` gives. `progress` is told after every page.
///
/// # Errors
/// As [`KeyStore::scan`](crate::key_store::KeyStore::scan).
pub async fn digest<R: Rows + ?Sized>(
    rows: &R,
    progress: &mut (dyn FnMut(&Progress) + Send),
) -> Result<StoreDigest, StoreError> {
    digest_in(rows, Progress { stage: Stage::Digesting, rows: 0, position: None }, progress, |_| {}).await
}

/// The same, as a stage of something longer; `each` sees every row too.
pub(super) async fn digest_in<R: Rows + ?Sized>(
    rows: &R,
    progress: Progress,
    tell: Tell<'_>,
    mut each: impl FnMut(&Row) + Send,
) -> Result<StoreDigest, StoreError> {
    let mut digest = StoreDigest::EMPTY;
    every_row(rows, progress, tell, |row| {
        digest.add(row);
        each(row);
    })
    .await?;
    Ok(digest)
}

impl StoreDigest {
    /// That of a store which holds nothing.
    pub const EMPTY: Self = Self { sum: [0; 32], counts: [0; KINDS.len()] };

    /// The rows of each kind, the kinds in a fixed order.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        KINDS.into_iter().zip(self.counts)
    }

    /// How many rows there are in all, a store's counters counted as one.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Takes in one more row.
    pub(super) fn add(&mut self, row: &Row) {
        // Some stores keep counters from the first, some from the first change.
        if *row == Row::Meta(StoreMeta::default()) {
            return;
        }
        let mut bytes = Vec::with_capacity(512);
        row.write(&mut bytes);
        let term = hash(&SHA256, &bytes);
        let mut carry = 0;
        for (byte, more) in self.sum.iter_mut().rev().zip(term.as_ref().iter().rev()) {
            let [high, low] = (u16::from(*byte) + u16::from(*more) + carry).to_be_bytes();
            (*byte, carry) = (low, u16::from(high));
        }
        if let Some(count) = self.counts.get_mut(kind(row)) {
            *count += 1;
        }
    }
}

impl fmt::Display for StoreDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sum.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for StoreDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreDigest({self} of {} rows)", self.rows())
    }
}

/// The kinds of rows, in the order of [`StoreDigest::counts`].
const KINDS: [&str; 13] = [
    "settings",
    "developers",
    "keys",
    "key activity",
    "entities",
    "signing keys",
    "peppers",
    "sandboxes",
    "idempotency keys",
    "usage",
    "audit events",
    "announcements",
    "counters",
];

/// The place of `row`'s kind in [`KINDS`].
fn kind(row: &Row) -> usize {
    match row {
        Row::Record(stored) => match stored.record {
            Record::Settings(_) => 0,
            Record::Developer(_) => 1,
            Record::ApiKey(_) => 2,
            Record::KeyActivity(_) => 3,
            Record::Entity(_) => 4,
            Record::SigningKey(_) => 5,
            Record::Pepper(_) => 6,
            Record::Sandbox(_) => 7,
            Record::SandboxRequest(_) => 8,
        },
        Row::Usage(_) => 9,
        Row::Audit(_) => 10,
        Row::Feed(_) => 11,
        Row::Meta(_) => 12,
    }
}
