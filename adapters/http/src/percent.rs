//! Percent-codes, decoded strictly (RFC 3986 §2.1).

use std::borrow::Cow;

/// `coded`, decoded. `None` for a broken percent-code, or for what is not UTF-8 once decoded.
pub(crate) fn decode(coded: &str) -> Option<Cow<'_, str>> {
    decode_bytes(coded, b'+')
}

/// The same in a form, where `+` stands for a space (`application/x-www-form-urlencoded`).
pub(crate) fn decode_form(coded: &str) -> Option<Cow<'_, str>> {
    decode_bytes(coded, b' ')
}

fn decode_bytes(coded: &str, plus: u8) -> Option<Cow<'_, str>> {
    if !coded.bytes().any(|byte| byte == b'%' || (byte == b'+' && plus != b'+')) {
        return Some(Cow::Borrowed(coded));
    }
    let mut bytes = Vec::with_capacity(coded.len());
    let mut rest = coded.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => rest.next().and_then(hex)? << 4 | rest.next().and_then(hex)?,
            b'+' => plus,
            other => other,
        });
    }
    String::from_utf8(bytes).map(Cow::Owned).ok()
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plus_is_a_space_in_a_form_alone() {
        for (coded, plain, form) in [
            ("a+b", "a+b", "a b"),
            ("a%2Bb", "a+b", "a+b"),
            ("%c3%A9", "\u{e9}", "\u{e9}"),
            ("", "", ""),
            ("a=b&c", "a=b&c", "a=b&c"),
        ] {
            assert_eq!(decode(coded).as_deref(), Some(plain), "{coded}");
            assert_eq!(decode_form(coded).as_deref(), Some(form), "{coded}");
        }
    }

    #[test]
    fn what_cannot_be_decoded_is_nothing() {
        for coded in ["%", "a%4", "%zz", "%4z", "%ff", "%c3", "+%", "%+1"] {
            assert_eq!((decode(coded), decode_form(coded)), (None, None), "{coded}");
        }
    }
}
