//! Instants and days on the wire: RFC 3339, written in UTC to the second.

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime, date};
use latchbook_core::model::{Day, UnixTime};

/// `at` as RFC 3339 text, such as `2026-12-01T00:00:00Z`.
#[must_use]
pub fn print(at: UnixTime) -> String {
    let since = SignedDuration::from_secs(i64::try_from(at.seconds()).unwrap_or(i64::MAX));
    // INVARIANT: a `UnixTime` ends with the year 9999, as jiff's civil time does.
    epoch().checked_add(since).map(|civil| format!("{civil}Z")).unwrap_or_default()
}

/// The instant of an RFC 3339 text, in any offset; parts of a second fall away. What lies before 1970 becomes the epoch:
/// no rule tells one past instant from another. `None` for any other text, and for what lies after the year 9999.
#[must_use]
pub fn parse(text: &str) -> Option<UnixTime> {
    let (date_part, rest) = text.split_at_checked(10)?;
    let (time_part, rest) = rest.split_at_checked(9)?;
    let day = parse_date(date_part)?;
    let (hour, minute, second) = match *time_part.as_bytes() {
        [b'T' | b't', h1, h2, b':', m1, m2, b':', s1, s2] => (two(h1, h2)?, two(m1, m2)?, two(s1, s2)?),
        _ => return None,
    };
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let of_day = i64::from(hour) * 3_600 + i64::from(minute) * 60 + i64::from(second);
    let civil = day.at(0, 0, 0, 0).duration_since(epoch()).as_secs().checked_add(of_day)?;
    let seconds = civil.checked_sub(parse_offset(without_fraction(rest)?)?)?;
    UnixTime::checked(u64::try_from(seconds).unwrap_or(0))
}

/// `day` as a full-date (RFC 3339 §5.6), such as `2026-12-01`. Days after the year 9999 become its last one.
#[must_use]
pub fn print_day(day: Day) -> String {
    let at = UnixTime::from_seconds(u64::from(day.0).saturating_mul(86_400));
    print(at).chars().take_while(|character| *character != 'T').collect()
}

/// The day of a full-date, from 1970-01-01 up to 9999-12-31.
#[must_use]
pub fn parse_day(text: &str) -> Option<Day> {
    let since = parse_date(text)?.at(0, 0, 0, 0).duration_since(epoch()).as_hours() / 24;
    u32::try_from(since).ok().map(Day)
}

fn epoch() -> DateTime {
    date(1970, 1, 1).at(0, 0, 0, 0)
}

fn parse_date(text: &str) -> Option<Date> {
    match *text.as_bytes() {
        [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] => {
            let year = i16::from(two(y1, y2)?) * 100 + i16::from(two(y3, y4)?);
            Date::new(year, two(m1, m2)?, two(d1, d2)?).ok()
        }
        _ => None,
    }
}

fn without_fraction(rest: &str) -> Option<&str> {
    let Some(fraction) = rest.strip_prefix('.') else { return Some(rest) };
    let offset = fraction.trim_start_matches(|character: char| character.is_ascii_digit());
    (offset.len() < fraction.len()).then_some(offset)
}

/// Seconds ahead of UTC.
fn parse_offset(text: &str) -> Option<i64> {
    let (sign, hour, minute) = match *text.as_bytes() {
        [b'Z' | b'z'] => return Some(0),
        [b'+', h1, h2, b':', m1, m2] => (1, two(h1, h2)?, two(m1, m2)?),
        [b'-', h1, h2, b':', m1, m2] => (-1, two(h1, h2)?, two(m1, m2)?),
        _ => return None,
    };
    (hour <= 23 && minute <= 59).then(|| sign * (i64::from(hour) * 3_600 + i64::from(minute) * 60))
}

fn two(tens: u8, units: u8) -> Option<i8> {
    let digit = |byte: u8| byte.is_ascii_digit().then(|| byte.wrapping_sub(b'0').cast_signed());
    Some(digit(tens)? * 10 + digit(units)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_written_in_utc_to_the_second() {
        let cases = [
            (0, "1970-01-01T00:00:00Z"),
            (1_796_083_200, "2026-12-01T00:00:00Z"),
            (951_868_799, "2000-02-29T23:59:59Z"),
            (UnixTime::MAX.seconds(), "9999-12-31T23:59:59Z"),
        ];
        for (seconds, text) in cases {
            assert_eq!(print(UnixTime::from_seconds(seconds)), text);
            assert_eq!(parse(text), Some(UnixTime::from_seconds(seconds)), "{text}");
        }
    }

    #[test]
    fn days_are_written_as_full_dates_and_read_back() {
        for (day, text) in
            [(0, "1970-01-01"), (11_016, "2000-02-29"), (20_781, "2026-11-24"), (2_932_896, "9999-12-31")]
        {
            assert_eq!(print_day(Day(day)), text);
            assert_eq!(parse_day(text), Some(Day(day)), "{text}");
        }
        assert_eq!(print_day(Day(u32::MAX)), "9999-12-31");
        for text in ["", "1969-12-31", "0000-01-01", "2026-02-29", "2026-11-24Z", "10000-01-01", "2026-11-\u{661}1"] {
            assert_eq!(parse_day(text), None, "{text}");
        }
    }

    #[test]
    fn any_offset_is_read_and_parts_of_a_second_fall_away() {
        let want = UnixTime::checked(1_796_083_200);
        for text in [
            "2026-12-01T01:00:00+01:00",
            "2026-11-30T19:30:00-04:30",
            "2026-12-01t00:00:00z",
            "2026-12-01T00:00:00.999999999999Z",
            "2026-11-30T23:59:60Z",
        ] {
            assert_eq!(parse(text), want, "{text}");
        }
        assert_eq!(parse("0001-01-01T00:00:00Z"), Some(UnixTime::EPOCH));
    }

    #[test]
    fn t2_what_is_not_rfc_3339_or_lies_out_of_range_is_no_instant() {
        for text in [
            "",
            "2026-12-01",
            "2026-12-01T00:00Z",
            "2026-12-01T00:00:00",
            "2026-12-01 00:00:00Z",
            "2026-12-01T00:00:00.Z",
            "2026-12-01T00:00:00Z ",
            "2026-12-01T00:00:00Z[UTC]",
            "2026-12-01T00:00:00+0100",
            "2026-12-01T00:00:00+24:00",
            "2026-13-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-12-01T24:00:00Z",
            "2026-12-01T00:60:00Z",
            "+026-12-01T00:00:00Z",
            "2026-12-0\u{661}T00:00:00Z",
            "9999-12-31T23:59:59-00:01",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
