//! A request's id as the host's own middleware set it, checked before it is shown.

use std::sync::Arc;

/// A request's id: 1 to 128 visible ASCII characters, none of which has a meaning in JSON or HTML.
///
/// Middleware that makes ids often keeps one that the client sent, so what stands in the field may be anybody's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestId(Arc<str>);

impl RequestId {
    /// The id in `value`; `None` for what is no id.
    pub(crate) fn parse(value: &[u8]) -> Option<Self> {
        let allowed = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'\\' | b'<' | b'>' | b'&');
        let fits = (1..=LONGEST).contains(&value.len()) && value.iter().all(allowed);
        let text = fits.then(|| std::str::from_utf8(value).ok())??;
        Some(Self(text.into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

const LONGEST: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ids_that_proxies_and_middleware_make_are_taken_as_they_are() {
        for id in [
            "a",
            "01890a5d-ac96-774b-bcce-b302099a8057",
            "Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8",
            "105445aa7843bc8bf206b12000100000/1;o=1",
            "{a}",
            &"a".repeat(128),
        ] {
            assert_eq!(RequestId::parse(id.as_bytes()).as_ref().map(RequestId::as_str), Some(id));
        }
    }

    #[test]
    fn h12_whatever_else_came_is_no_id() {
        for value in [
            &b""[..],
            b"a b",
            b"a\n",
            b"a\r\nset-cookie: b",
            b"\x1b[31m",
            b"a\0",
            b"a\x7f",
            b"<script>",
            b"a&b",
            b"\"",
            b"'",
            b"\\",
            "\u{202e}".as_bytes(),
            b"\xff",
            &[b'a'; 129],
        ] {
            assert_eq!(RequestId::parse(value), None, "{}", value.escape_ascii());
        }
    }
}
