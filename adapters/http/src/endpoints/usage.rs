//! How often a developer's own keys were used, read by a token that holds `audit:read`.

use std::ops::RangeInclusive;

use latchbook_core::model::{AuditRead, Day, Rejection};
use serde::Serialize;

use super::failure::{Failure, json_reply};
use crate::objects::CountObject;
use crate::{Gate, Reply, Request, Serves, instant, query};

/// `GET /v1/developers/usage`: by day, then by key.
pub(super) async fn list(gate: &Gate, request: &Request<'_>) -> Result<Reply, Failure> {
    let caller = gate.scoped::<AuditRead>(&request.head, Serves::Any).await?;
    let days = wanted(request.head.query, gate.authority().now().day())?;
    let rows = gate.authority().usage().between(caller.developer(), &days).await?;
    json_reply(
        200,
        &UsageList {
            from: instant::print_day(*days.start()),
            to: instant::print_day(*days.end()),
            usage: rows.iter().map(CountObject::new).collect(),
        },
    )
}

/// The days that `query` asks for: without `to` up to `today`, without `from` as many as are usual.
fn wanted(query: Option<&str>, today: Day) -> Result<RangeInclusive<Day>, Rejection> {
    const FROM: Rejection =
        Rejection::InvalidRequest { message: "`from` must be given once, as a date such as 2026-11-24" };
    const TO: Rejection =
        Rejection::InvalidRequest { message: "`to` must be given once, as a date such as 2026-11-24" };
    const ORDER: Rejection =
        Rejection::InvalidRequest { message: "`from` must not be after `to`, which is today where it is left out" };
    const SPAN: Rejection = Rejection::InvalidRequest { message: "`from` and `to` must be at most 366 days" };
    let date = |name, wrong: Rejection| match query::find(query, name) {
        Err(_) => Err(wrong),
        Ok(None) => Ok(None),
        Ok(Some(text)) => instant::parse_day(&text).map(Some).ok_or(wrong),
    };
    let (from, to) = (date("from", FROM)?, date("to", TO)?.unwrap_or(today));
    let from = from.unwrap_or(Day(to.0.saturating_sub(USUAL_DAYS - 1)));
    match to.0.checked_sub(from.0) {
        None => Err(ORDER),
        Some(more) if more >= MOST_DAYS => Err(SPAN),
        Some(_) => Ok(from..=to),
    }
}

#[derive(Serialize)]
struct UsageList {
    from: String,
    to: String,
    usage: Vec<CountObject>,
}

const USUAL_DAYS: u32 = 30;
const MOST_DAYS: u32 = 366;

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-24.
    const TODAY: Day = Day(20_781);

    fn days(query: &str) -> Option<(u32, u32)> {
        wanted(Some(query), TODAY).ok().map(|days| (days.start().0, days.end().0))
    }

    #[test]
    fn both_days_are_included_and_what_is_left_out_is_the_last_30_days() {
        let cases = [
            ("", (20_752, 20_781)),
            ("From=x&to_=y", (20_752, 20_781)),
            ("from=2026-11-24", (20_781, 20_781)),
            ("from=2026-11-01", (20_758, 20_781)),
            ("to=2026-11-01", (20_729, 20_758)),
            ("from=2026-11-24&to=2026-11-24", (20_781, 20_781)),
            ("to=2026-12-31&from=2026-01-01", (20_454, 20_818)),
            ("from=2024-01-01&to=2024-12-31", (19_723, 20_088)),
            ("from=%32026-11-24&to=2026-11-25", (20_781, 20_782)),
            ("to=1970-01-01", (0, 0)),
            ("to=9999-12-31", (2_932_867, 2_932_896)),
        ];
        for (query, want) in cases {
            assert_eq!(days(query), Some(want), "{query}");
        }
        assert_eq!(wanted(None, Day(3)), Ok(Day(0)..=Day(3)));
    }

    #[test]
    fn what_is_no_date_or_too_long_or_in_the_wrong_order_is_refused() {
        for query in [
            "from",
            "to",
            "from=",
            "to=",
            "from=2026-11-24&from=2026-11-24",
            "to=2026-11-24&%74o=2026-11-24",
            "from=2026-11-31",
            "from=2026-1-1",
            "from=20261124",
            "from=2026-11-24T00:00:00Z",
            "from=2026-11-24%20",
            "from=+026-11-24",
            "from=1969-12-31&to=1970-01-02",
            "to=1969-12-31",
            "to=10000-01-01",
            "from=%zz",
            "from=today",
            "from=2026-11-25",
            "from=2026-11-24&to=2026-11-23",
            "from=2025-11-23&to=2026-11-24",
            "from=1970-01-01",
        ] {
            assert_eq!(days(query), None, "{query}");
        }
    }
}
