//! Instants as clients write them (RFC 3339), and as they are written back.

use std::fmt;

use jiff::civil::{Date, Time};
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use latchbook::model::UnixTime;
use serde::{Serialize, Serializer};

use crate::request::Invalid;

const NOT_AN_INSTANT: Invalid =
    Invalid("`date` and `timestamp` must be RFC 3339 with a zone, such as 2026-11-24T12:00:00Z, or a date");

/// An instant of the years 1 to 9999, to the microsecond or finer, as it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(Timestamp);

impl Instant {
    /// Accepts RFC 3339 with `Z` or an offset, up to nine decimal places; a date alone is its first instant in UTC.
    ///
    /// # Errors
    /// [`Invalid`] for any other text.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let timestamp = match text.len() {
            // RFC 3339 has no signs, no weeks and no bracketed zones, which jiff would take as well.
            10 if shaped(text) => midnight(text),
            20..=35 if shaped(text) && !text.contains('[') => text.parse().ok(),
            _ => None,
        };
        timestamp.filter(|timestamp| in_range(*timestamp)).map(Self).ok_or(NOT_AN_INSTANT)
    }

    /// The instant `seconds` after (before, where negative) `time`.
    #[must_use]
    pub fn from_unix(time: UnixTime, seconds: i64) -> Self {
        let since_epoch = i64::try_from(time.seconds()).unwrap_or(i64::MAX).saturating_add(seconds);
        let timestamp = Timestamp::UNIX_EPOCH.saturating_add(SignedDuration::from_secs(since_epoch));
        Self(timestamp.ok().filter(|timestamp| in_range(*timestamp)).unwrap_or(Timestamp::UNIX_EPOCH))
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn shaped(text: &str) -> bool {
    let date = text.as_bytes().get(..10);
    date.is_some_and(|date| {
        date.iter().enumerate().all(|(place, byte)| match place {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        })
    })
}

fn midnight(date: &str) -> Option<Timestamp> {
    let date: Date = date.parse().ok()?;
    Offset::UTC.to_timestamp(date.to_datetime(Time::midnight())).ok()
}

/// Years 1 to 9999 in UTC (jiff ends on 30 December): what other languages can read back.
fn in_range(timestamp: Timestamp) -> bool {
    (-62_135_596_800..=253_402_300_799).contains(&timestamp.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_3339_and_dates_are_read() {
        for (text, want) in [
            ("2026-11-24T04:08:40Z", "2026-11-24T04:08:40Z"),
            ("2026-11-24t04:08:40z", "2026-11-24T04:08:40Z"),
            ("2026-11-24T04:08:40.020901Z", "2026-11-24T04:08:40.020901Z"),
            ("2026-01-02T03:04:05+01:00", "2026-01-02T02:04:05Z"),
            ("2026-01-02T03:04:05.5-08:00", "2026-01-02T11:04:05.5Z"),
            ("2026-01-02", "2026-01-02T00:00:00Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
            ("9999-12-30T21:59:59Z", "9999-12-30T21:59:59Z"),
        ] {
            assert_eq!(Instant::parse(text).map(|instant| instant.to_string()).as_deref(), Ok(want), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "now",
            "1764000000",
            "2026-11-24T04:08:40",
            "2026-02-30",
            "2026-13-01T00:00:00Z",
            "2026-11-24T25:00:00Z",
            "0000-01-01T00:00:00Z",
            "0001-01-01T00:00:00+23:00",
            "9999-12-31T23:59:59-23:00",
            "+002026-11-24T04:08:40Z",
            "2026-11-24T04:08:40Z[UTC]",
            "2026-W48-2",
            "2026-11-24T04:08:40Z and more",
            "２０２６-11-24",
        ] {
            assert_eq!(Instant::parse(text), Err(NOT_AN_INSTANT), "{text}");
        }
    }

    #[test]
    fn a_sandbox_clock_moves_an_instant() {
        let noon = UnixTime::from_seconds(1_795_521_600);
        assert_eq!(Instant::from_unix(noon, -60).to_string(), "2026-11-24T11:59:00Z");
        assert!(Instant::from_unix(noon, i64::MAX).to_string().starts_with("9999-12-30T22:00:00"));
    }
}
