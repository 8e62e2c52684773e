//! Copies a store into another: page by page, compared by digest, and its settings last.

use std::collections::HashSet;

use super::digest::{StoreDigest, digest_in};
use super::rows::{PAGE, Progress, Rows, Stage, Tell};
use crate::key_store::encoding::Coded as _;
use crate::key_store::{KeyStore, KeyStoreExt as _, StoreError};
use crate::model::{Position, Record, Row, Settings, StoreMeta, Stored};

/// A copy that is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The digest of both stores.
    pub digest: StoreDigest,
    /// The rows that this call wrote: of a copy that was resumed, those after the interruption.
    pub written: u64,
}

/// Copies everything that `from` holds into the store `to`, and compares the two by digest.
///
/// An interrupted copy goes on where it left off: `progress` is told the position after every page, and with the last one
/// as `after` the rows before it are not written again. With `None` it begins anew, over what an earlier try left. The
/// settings are written last, once the digests are equal, so that a target which is not whole is never opened as a store:
/// an authority refuses it. A copy that was finished before is recognised, and writes nothing.
///
/// `from` must not change meanwhile: give a snapshot, or a store that nobody writes to. Nobody may use `to`. Ids of
/// changes are not copied: a change whose outcome is not known is settled before, or made again.
///
/// # Errors
/// - [`MoveError::Source`], [`MoveError::Target`] if a store failed: the copy may be resumed
/// - [`MoveError::NotWhole`] if `from` has no settings
/// - [`MoveError::Occupied`] if `to` holds another store's data; it is left as it is
/// - [`MoveError::Differs`] if both were read and are not the same
pub async fn copy<R: Rows + ?Sized, S: KeyStore + ?Sized>(
    from: &R,
    to: &S,
    after: Option<Position>,
    progress: &mut (dyn FnMut(&Progress) + Send),
) -> Result<Copied, MoveError> {
    let held = to.settings().await.map_err(MoveError::Target)?;
    let mut written = 0;
    let mut position = after;
    if held.is_none() {
        check_origin(from, to).await?;
        written = write_pages(from, to, &mut position, progress).await?;
    }
    let stage = |stage| Progress { stage, rows: 0, position: position.clone() };
    let mut settings = None;
    let mut source = StoreDigest::EMPTY;
    let mut without_settings = StoreDigest::EMPTY;
    digest_in(from, stage(Stage::ReadingSource), progress, |row| {
        source.add(row);
        match settings_in(row) {
            Some(found) => settings = Some(found.clone()),
            None => without_settings.add(row),
        }
    })
    .await
    .map_err(MoveError::Source)?;
    let settings = settings.ok_or(MoveError::NotWhole)?;
    if let Some((held, _)) = &held
        && !matches!(&settings.record, Record::Settings(settings) if settings == held)
    {
        return Err(MoveError::Occupied { issuer: Some(held.issuer.clone()) });
    }
    let target = digest_in(to, stage(Stage::ReadingTarget), progress, |_| {}).await.map_err(MoveError::Target)?;
    let wanted = if held.is_some() { &source } else { &without_settings };
    if target != *wanted {
        return Err(MoveError::Differs { from: Box::new(wanted.clone()), to: Box::new(target) });
    }
    if held.is_none() {
        to.load(vec![Row::Record(settings)]).await.map_err(MoveError::Target)?;
        written += 1;
    }
    Ok(Copied { digest: source, written })
}

/// Refuses a target that holds rows which `from` does not: then they are another store's. Its first page is enough to
/// tell stores apart; the digest finds the rest.
async fn check_origin<R: Rows + ?Sized, S: KeyStore + ?Sized>(from: &R, to: &S) -> Result<(), MoveError> {
    let held = KeyStore::scan(to, None, PAGE).await.map_err(MoveError::Target)?;
    let mut foreign: HashSet<Vec<u8>> = held.rows.iter().filter_map(name_of).collect();
    let mut after = None;
    while !foreign.is_empty() {
        let page = from.scan(after.as_ref(), PAGE).await.map_err(MoveError::Source)?;
        page.rows.iter().filter_map(name_of).for_each(|name| _ = foreign.remove(&name));
        match page.next {
            Some(next) => after = Some(next),
            None if foreign.is_empty() => break,
            None => return Err(MoveError::Occupied { issuer: None }),
        }
    }
    Ok(())
}

/// What a row is kept under, whatever it says; `None` for the counters, which every store has.
fn name_of(row: &Row) -> Option<Vec<u8>> {
    let mut name = Vec::with_capacity(64);
    match row {
        Row::Record(stored) => name = stored.record.key().to_bytes(),
        Row::Usage(row) => (row.developer.clone(), (row.key, row.day)).write(&mut name),
        Row::Audit(event) => (event.chain.clone(), event.number).write(&mut name),
        Row::Feed(entry) => entry.position.write(&mut name),
        Row::Meta(_) => return None,
    }
    Some(name)
}

/// Writes every row but the settings, and keeps the position up to date.
async fn write_pages<R: Rows + ?Sized, S: KeyStore + ?Sized>(
    from: &R,
    to: &S,
    position: &mut Option<Position>,
    tell: Tell<'_>,
) -> Result<u64, MoveError> {
    let mut written = 0;
    loop {
        let page = from.scan(position.as_ref(), PAGE).await.map_err(MoveError::Source)?;
        let mut rows = page.rows;
        // Where the last page was written before, there may be nothing left.
        rows.retain(|row| settings_in(row).is_none() && *row != Row::Meta(StoreMeta::default()));
        written += rows.len() as u64;
        if !rows.is_empty() {
            to.load(rows).await.map_err(MoveError::Target)?;
        }
        let is_last = page.next.is_none();
        *position = page.next.or(position.take());
        tell(&Progress { stage: Stage::Copying, rows: written, position: position.clone() });
        if is_last {
            return Ok(written);
        }
    }
}

fn settings_in(row: &Row) -> Option<&Stored> {
    match row {
        Row::Record(stored @ Stored { record: Record::Settings(Settings { .. }), .. }) => Some(stored),
        _ => None,
    }
}

/// A store could not be copied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MoveError {
    /// The store that is copied failed.
    #[error("the source failed: {0}")]
    Source(#[source] StoreError),
    /// The store that is written failed.
    #[error("the target failed: {0}")]
    Target(#[source] StoreError),
    /// The source was never set up, or is a copy that was not finished.
    #[error("the source has no settings: it is new, or a copy that was not finished; copy the store that it came from")]
    NotWhole,
    /// The target holds another store's data.
    #[error("the target holds another store{}; name an empty one", of_issuer(.issuer))]
    Occupied {
        /// The issuer of that store, where it is whole.
        issuer: Option<String>,
    },
    /// The two are not the same.
    #[error(
        "the copy is not the same as its source ({from:?}, the copy {to:?}): the source changed meanwhile, or the \
             target held other rows; empty the target and copy a snapshot, or stop what writes to the source"
    )]
    Differs {
        /// What the source holds.
        from: Box<StoreDigest>,
        /// What the target holds.
        to: Box<StoreDigest>,
    },
}

fn of_issuer(issuer: &Option<String>) -> String {
    issuer.as_ref().map(|issuer| format!(" (of the issuer `{issuer}`)")).unwrap_or_default()
}
