//! Paging: `cursor` and `pageSize` in a query, `nextCursor` in an answer.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use latchbook_core::model::{KeyId, Position, Rejection};

use crate::query;

const DEFAULT_SIZE: usize = 25;
const LARGEST_SIZE: usize = 100;

/// A list that is paged through. A cursor of one list is none of another.
///
/// A cursor is no secret and needs no seal: it is a place in the caller's own list, whose owner is always taken from
/// the token, so an invented one leads to another place of the same list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum List {
    /// A developer's keys.
    Keys,
    /// A developer's audit events.
    Audit,
}

/// Which part of a list is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Where the page before it ended; `None` for the first.
    pub(crate) after: Option<Position>,
    /// The most rows.
    pub(crate) size: usize,
}

impl List {
    /// What `query` asks for.
    pub(crate) fn wanted(self, query: Option<&str>) -> Result<Wanted, Rejection> {
        const SIZE: Rejection = Rejection::InvalidRequest { message: "`pageSize` must be given once, from 1 to 100" };
        const CURSOR: Rejection =
            Rejection::InvalidRequest { message: "`cursor` must be the `nextCursor` of an answer of this very list" };
        let size = match query::find(query, "pageSize").map_err(|_| SIZE)? {
            None => DEFAULT_SIZE,
            Some(text) => page_size(&text).ok_or(SIZE)?,
        };
        let after = match query::find(query, "cursor").map_err(|_| CURSOR)? {
            None => None,
            Some(text) => Some(self.place(&text).ok_or(CURSOR)?),
        };
        Ok(Wanted { after, size })
    }

    /// The cursor of a place.
    pub(crate) fn cursor(self, place: &Position) -> String {
        let mut bytes = Vec::with_capacity(1 + place.0.len());
        bytes.push(self.tag());
        bytes.extend_from_slice(&place.0);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The place of a cursor, where it has the shape of a place of this list.
    fn place(self, cursor: &str) -> Option<Position> {
        // The longest place is a key's: eight bytes of time and its id.
        if cursor.len() > 64 {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (&tag, place) = bytes.split_first()?;
        let (_, name) = place.split_at_checked(8)?;
        let fits = match self {
            Self::Keys => KeyId::parse(std::str::from_utf8(name).ok()?).is_ok(),
            Self::Audit => name.is_empty(),
        };
        (tag == self.tag() && fits).then(|| Position(place.to_vec()))
    }

    const fn tag(self) -> u8 {
        match self {
            Self::Keys => b'k',
            Self::Audit => b'a',
        }
    }
}

fn page_size(text: &str) -> Option<usize> {
    let plain = (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let size = plain.then(|| text.parse().ok())??;
    (1..=LARGEST_SIZE).contains(&size).then_some(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_place() -> Position {
        Position(b"\xff\xff\xff\xff\xff\xff\xff\xfe0123456789abcdEF".to_vec())
    }

    #[test]
    fn without_parameters_the_first_25_rows_are_wanted() {
        for query in [None, Some(""), Some("x=1&PageSize=7")] {
            assert_eq!(List::Keys.wanted(query), Ok(Wanted { after: None, size: 25 }));
        }
    }

    #[test]
    fn a_page_has_1_to_100_rows() {
        for (text, want) in [("1", 1), ("100", 100), ("007", 7), ("%31", 1)] {
            assert_eq!(List::Keys.wanted(Some(&format!("pageSize={text}"))).map(|w| w.size), Ok(want), "{text}");
        }
        for text in
            ["0", "101", "", "-1", "+1", "1.0", " 1", "%201", "0001", "1e1", "x", "\u{661}", "%zz", "1&pageSize=1"]
        {
            assert!(List::Keys.wanted(Some(&format!("pageSize={text}"))).is_err(), "{text}");
        }
        assert!(List::Keys.wanted(Some("pageSize")).is_err());
    }

    #[test]
    fn a_cursor_comes_back_as_its_place() {
        for (list, place) in [(List::Keys, key_place()), (List::Audit, Position::of_audit(7))] {
            let query = format!("cursor={}&pageSize=3", list.cursor(&place));
            assert_eq!(list.wanted(Some(&query)), Ok(Wanted { after: Some(place), size: 3 }));
        }
    }

    #[test]
    fn what_is_no_cursor_of_the_list_is_refused() {
        let good = List::Keys.cursor(&key_place());
        let bad = [
            String::new(),
            "!".to_owned(),
            format!("{good}="),
            format!("{good}A"),
            good.chars().take(20).collect(),
            List::Audit.cursor(&Position::of_audit(1)),
            List::Keys.cursor(&Position(b"\0\0\0\0\0\0\0\x010123456789abcd_F".to_vec())),
            "A".repeat(65),
            format!("{good}&cursor={good}"),
        ];
        for cursor in bad {
            assert!(List::Keys.wanted(Some(&format!("cursor={cursor}"))).is_err(), "{cursor}");
        }
    }
}
