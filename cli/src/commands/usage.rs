//! `usage`.

use latchbook::http::instant;
use latchbook::http::objects::CountObject;
use latchbook::model::Day;

use super::{Desk, PAGE, developer_words};
use crate::args::Usage;
use crate::failure::Failure;

pub(super) async fn run(desk: &Desk, command: &Usage) -> Result<(), Failure> {
    let last = command.to.unwrap_or_else(|| desk.authority.now().day());
    let first = command.from.unwrap_or(Day(last.0.saturating_sub(USUAL_DAYS - 1)));
    if first > last {
        return Err(Failure::usage("--from is after --to, which is today unless said"));
    }
    let (owner, days) = (desk.developer(&command.developer), first..=last);
    let mut table = desk.output.table(["DATE", "KEY", "REQUESTS", "EXCHANGES"]);
    let mut after = None;
    loop {
        let page = desk.authority.usage().page(&owner, &days, after.as_ref(), PAGE).await;
        let (rows, next) = page.map_err(|refusal| Failure::of(refusal, developer_words(&owner)))?;
        for row in &rows {
            let cells = [
                instant::print_day(row.day),
                row.key.to_string(),
                row.counts.requests.to_string(),
                row.counts.exchanges.to_string(),
            ];
            table.row(&CountObject::new(row), cells)?;
        }
        match next {
            Some(next) => after = Some(next),
            None => return table.end(),
        }
    }
}

const USUAL_DAYS: u32 = 30;
