//! `store backup`.

use latchbook::model::Row;
use latchbook::moving;

use super::store_copy::{failure, show};
use crate::args::Global;
use crate::failure::Failure;
use crate::open;
use crate::progress::Progress;

pub(super) async fn run(global: &Global, target: &str) -> Result<(), Failure> {
    let (from, to) = (open::url(global)?, open::parse_url(target)?);
    // A backup that is there is worth more than the new one until that is whole.
    let taken = || Failure::refused("the target is there already; name a new one for every backup");
    if to.path().is_some_and(|path| path.symlink_metadata().is_ok()) {
        return Err(taken());
    }
    let source = open::store(&from, open::timeout(global)).await?;
    let snapshot = source.snapshot().await?;
    let target = to.open(open::timeout(global)).await?;
    if target.scan(None, 2).await?.rows.iter().any(|row| !matches!(row, Row::Meta(_))) {
        return Err(taken());
    }
    let mut progress = Progress::new();
    let copied = moving::copy(&*snapshot, &target, None, &mut |told| progress.stage(told)).await.map_err(failure)?;
    drop(progress);
    show(global, &copied)
}
