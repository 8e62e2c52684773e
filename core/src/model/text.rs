//! Short texts, held in place; longer ones, shared by their copies.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A text that is cheap to copy. What most ids have, up to 22 bytes, takes no allocation, and no count that processors
/// which copy the same one would share.
#[derive(Clone)]
pub(super) enum Text {
    // INVARIANT: `bytes[..length]` is UTF-8; `new` is the only way in.
    Short { length: u8, bytes: [u8; SHORT] },
    Long(Arc<str>),
}

const SHORT: usize = 22;

impl Text {
    pub(super) const EMPTY: Self = Self::Short { length: 0, bytes: [0; SHORT] };

    pub(super) fn new(text: &str) -> Self {
        let mut bytes = [0; SHORT];
        match (bytes.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(place), Ok(length)) => {
                place.copy_from_slice(text.as_bytes());
                Self::Short { length, bytes }
            }
            _ => Self::Long(text.into()),
        }
    }

    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Short { .. } => std::str::from_utf8(self.as_bytes()).unwrap_or_default(),
            Self::Long(text) => text,
        }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Short { length, bytes } => bytes.get(..usize::from(*length)).unwrap_or_default(),
            Self::Long(text) => text.as_bytes(),
        }
    }
}

// A text has one form, by its length, and UTF-8 is ordered as its bytes are.
impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Text {}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn texts_of_every_length_come_back_and_compare_as_strings_do() {
        let texts: Vec<String> = (0..60).flat_map(|length| ["a", "b", "é"].map(|part| part.repeat(length))).collect();
        for text in &texts {
            assert_eq!(Text::new(text).as_str(), text);
            assert_eq!(matches!(Text::new(text), Text::Short { .. }), text.len() <= SHORT, "{text}");
            for other in &texts {
                assert_eq!(Text::new(text).cmp(&Text::new(other)), text.cmp(other), "{text} {other}");
                assert_eq!(Text::new(text) == Text::new(other), text == other);
            }
        }
        let distinct: HashSet<&String> = texts.iter().collect();
        assert_eq!(texts.iter().map(|text| Text::new(text)).collect::<HashSet<_>>().len(), distinct.len());
    }

    #[test]
    fn a_text_takes_three_words_also_where_there_may_be_none() {
        assert_eq!((size_of::<Text>(), size_of::<Option<Text>>()), (24, 24));
    }
}
