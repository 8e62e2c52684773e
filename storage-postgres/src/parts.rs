//! Statements that are parts of longer ones: fewer statements are fewer answers to wait for.

use std::fmt::Write as _;

/// A statement's text that knows its parameters, which count from 1, so that it can stand in a longer one.
#[derive(Debug)]
pub(crate) struct Part {
    text: String,
    /// Each place of a parameter in the text, and the parameter's number.
    places: Vec<(std::ops::Range<usize>, usize)>,
}

impl Part {
    /// The whole statement.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Adds the statement to `text`, its parameters coming after `before` others.
    fn write(&self, text: &mut String, before: usize) {
        let mut from = 0;
        for (place, number) in &self.places {
            text.push_str(self.text.get(from..place.start).unwrap_or_default());
            let _ = write!(text, "${}", number + before);
            from = place.end;
        }
        text.push_str(self.text.get(from..).unwrap_or_default());
    }
}

impl From<String> for Part {
    fn from(text: String) -> Self {
        let mut places = Vec::new();
        // A quoted name may hold whatever looks like a parameter.
        let mut quoted = false;
        let mut bytes = text.bytes().enumerate().peekable();
        while let Some((start, byte)) = bytes.next() {
            quoted ^= byte == b'"';
            if byte != b'$' || quoted {
                continue;
            }
            let (mut end, mut number) = (start + 1, 0);
            while let Some((at, digit)) = bytes.next_if(|(_, byte)| byte.is_ascii_digit()) {
                (end, number) = (at + 1, number * 10 + usize::from(digit - b'0'));
            }
            places.push((start..end, number));
        }
        Self { text, places }
    }
}

/// The rows that each of `locks` gives, in one statement that locks them in this order. Before the columns of a row, which
/// must be of the same types in all, stands the number of the part that gave it, from 0. With each comes how many
/// parameters it has.
pub(crate) fn all_of<'a>(locks: impl Iterator<Item = (&'a Part, usize)>) -> String {
    let (mut text, mut before) = (String::with_capacity(512), 0);
    for (number, (part, parameters)) in locks.enumerate() {
        let union = if number == 0 { "" } else { " UNION ALL " };
        let _ = write!(text, "{union}SELECT {number}::bigint, held.* FROM (");
        part.write(&mut text, before);
        text.push_str(") AS held");
        before += parameters;
    }
    text
}

/// One statement that does `writes`, none of which gives rows. No two may be of one table: not every server takes that.
/// With each comes how many parameters it has.
pub(crate) fn together<'a>(writes: impl ExactSizeIterator<Item = (&'a Part, usize)>) -> String {
    let (mut text, mut before, count) = (String::with_capacity(2048), 0, writes.len());
    for (number, (part, parameters)) in writes.enumerate() {
        let is_last = number + 1 == count;
        if !is_last {
            let _ = write!(text, "{}w{number} AS (", if number == 0 { "WITH " } else { ", " });
        } else if count > 1 {
            text.push(' ');
        }
        part.write(&mut text, before);
        if !is_last {
            text.push(')');
        }
        before += parameters;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts() -> [(Part, usize); 2] {
        [
            (Part::from(r#"UPDATE "a$1".b SET c = $2::text::numeric WHERE d = $1"#.to_owned()), 2),
            (Part::from(r#"INSERT INTO "x""$9".y VALUES ($1, $12)"#.to_owned()), 12),
        ]
    }

    #[test]
    fn parameters_count_on_through_the_parts_and_quoted_names_stay() {
        let parts = parts();
        assert_eq!(
            together(parts.iter().map(|(part, count)| (part, *count))),
            r#"WITH w0 AS (UPDATE "a$1".b SET c = $2::text::numeric WHERE d = $1) INSERT INTO "x""$9".y VALUES ($3, $14)"#
        );
        let [(update, _), _] = &parts;
        assert_eq!(together([(update, 2)].into_iter()), update.text());
    }

    #[test]
    fn rows_say_which_part_gave_them() {
        let parts = ["SELECT a FROM b WHERE c = $1 FOR SHARE", "SELECT d FROM e WHERE f = $1 FOR UPDATE"]
            .map(|text| Part::from(text.to_owned()));
        assert_eq!(
            all_of(parts.iter().map(|part| (part, 1))),
            "SELECT 0::bigint, held.* FROM (SELECT a FROM b WHERE c = $1 FOR SHARE) AS held \
             UNION ALL SELECT 1::bigint, held.* FROM (SELECT d FROM e WHERE f = $2 FOR UPDATE) AS held"
        );
    }
}
