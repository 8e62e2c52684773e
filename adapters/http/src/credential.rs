//! The bearer credential: from the `Authorization` field to the token in it (RFC 6750 §2.1).

pub use latchbook_core::jose::MAX_TOKEN;
use latchbook_core::model::Rejection;

use crate::query;

/// The bearer token in `fields`, the values of a request's `Authorization`; `None` where no bearer token was offered,
/// which is also the answer to another scheme's credentials.
///
/// The scheme's case does not matter; one or more spaces follow it, then one `b64token`, and nothing else. A token is
/// never taken from `query` (undecoded): an `access_token` there counts for nothing by itself, and beside a bearer
/// token in the field as a second credential.
///
/// Whatever the bytes, this allocates nothing, and looks at no more than their length where that is over [`MAX_TOKEN`].
///
/// # Errors
/// - [`Rejection::CredentialRepeated`] for two fields, equal or not, and for a token in both places
/// - [`Rejection::CredentialMalformed`] for a bearer scheme without exactly one token, or a byte above 0x7F
/// - [`Rejection::TokenTooLong`] for more than [`MAX_TOKEN`] bytes after the scheme
pub fn parse<'a>(fields: &[&'a [u8]], query: Option<&str>) -> Result<Option<&'a str>, Rejection> {
    find(fields, query)?.map(check).transpose()
}

/// What stands in the token's place; its characters are for [`check`] to look at.
///
/// # Errors
/// As [`parse`], but for what [`check`] finds.
pub(crate) fn find<'a>(fields: &[&'a [u8]], query: Option<&str>) -> Result<Option<&'a [u8]>, Rejection> {
    let field = match fields {
        [] => return Ok(None),
        [field] => trim(field),
        _ => return Err(Rejection::CredentialRepeated),
    };
    let Some(rest) = after_scheme(field, BEARER) else {
        return if field.is_ascii() { Ok(None) } else { Err(Rejection::CredentialMalformed) };
    };
    let mut token = rest;
    while let [b' ', after @ ..] = token {
        token = after;
    }
    if token.is_empty() || token.len() == rest.len() {
        return Err(Rejection::CredentialMalformed);
    }
    if token.len() > MAX_TOKEN {
        return Err(Rejection::TokenTooLong);
    }
    if query.is_some_and(|query| query::contains(query, "access_token")) {
        return Err(Rejection::CredentialRepeated);
    }
    Ok(Some(token))
}

/// `token`, where it is a `b64token` (RFC 6750 §2.1).
///
/// # Errors
/// [`Rejection::CredentialMalformed`] where it is not.
pub(crate) fn check(token: &[u8]) -> Result<&str, Rejection> {
    // Padding may end each part, not the whole alone: a padded part is a bad token, not a bad field. Elsewhere `=` makes
    // an auth-param, which is no token.
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~' | b'+' | b'/');
    let is_part = |part: &str| part.trim_end_matches('=').bytes().all(allowed);
    let token = std::str::from_utf8(token).map_err(|_| Rejection::CredentialMalformed)?;
    let is_padding = token.bytes().all(|byte| byte == b'=');
    if is_padding || !token.split('.').all(is_part) { Err(Rejection::CredentialMalformed) } else { Ok(token) }
}

/// What follows the scheme, where that is `wanted` in any case.
pub(crate) fn after_scheme<'a>(field: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    let (scheme, rest) = field.split_at_checked(wanted.len())?;
    let ends = !rest.first().copied().is_some_and(is_tchar);
    (scheme.eq_ignore_ascii_case(wanted) && ends).then_some(rest)
}

const BEARER: &[u8] = b"Bearer";

/// The field's value without the white space around it, which is no part of it (RFC 9110 §5.5).
pub(crate) fn trim(field: &[u8]) -> &[u8] {
    let mut value = field;
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// A character of a scheme's name (`tchar`, RFC 9110 §5.6.2).
fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(field: &[u8]) -> Result<Option<&str>, Rejection> {
        parse(&[field], None)
    }

    #[test]
    fn h1_h2_h10_no_field_and_other_schemes_are_no_credential() {
        assert_eq!(parse(&[], None), Ok(None));
        for field in ["", " ", "Basic Zm9vOmJhcg==", "Digest realm=\"x\"", "Bear x", "Bearers x", "token", "=x"] {
            assert_eq!(one(field.as_bytes()), Ok(None), "{field}");
        }
    }

    #[test]
    fn h3_the_scheme_is_read_in_any_case() {
        for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
            assert_eq!(one(format!("{scheme} a.b-c_d~e+f/g==").as_bytes()), Ok(Some("a.b-c_d~e+f/g==")), "{scheme}");
        }
    }

    #[test]
    fn h4_a_scheme_without_a_token_is_malformed() {
        for field in ["Bearer", "Bearer ", "bearer     ", " Bearer\t"] {
            assert_eq!(one(field.as_bytes()), Err(Rejection::CredentialMalformed), "{field:?}");
        }
    }

    #[test]
    fn h5_spaces_follow_the_scheme_and_nothing_else() {
        assert_eq!(one(b"Bearer    a"), Ok(Some("a")));
        assert_eq!(one(b"  Bearer a \t"), Ok(Some("a")));
        for field in ["Bearer\ta", "Bearer \ta", "Bearer\n a", "Bearer=a", "Bearer,a", "Bearer\"a\"", "Bearer/a"] {
            assert_eq!(one(field.as_bytes()), Err(Rejection::CredentialMalformed), "{field:?}");
        }
        assert_eq!(one(b"BearereyJ.a.b"), Ok(None));
    }

    #[test]
    fn h6_j5_j6_j7_one_token_and_no_other_syntax() {
        let bad = [
            "Bearer a a",
            "Bearer a, Bearer a",
            "Bearer a,a",
            "Bearer token=\"a\"",
            "Bearer token=a",
            "Bearer \"a\"",
            "Bearer a%2Eb",
            "Bearer {\"payload\":\"a\"}",
            "Bearer a\r\nb",
            "Bearer a\tb",
            "Bearer a\0",
            "Bearer =",
            "Bearer a=b",
        ];
        for field in bad {
            assert_eq!(one(field.as_bytes()), Err(Rejection::CredentialMalformed), "{field:?}");
        }
    }

    #[test]
    fn h7_two_fields_are_refused_whatever_they_hold() {
        for pair in [[&b"Bearer a"[..], b"Bearer a"], [b"Bearer a", b"Basic b"], [b"", b""]] {
            assert_eq!(parse(&pair, None), Err(Rejection::CredentialRepeated));
        }
    }

    #[test]
    fn h8_a_token_in_the_query_is_nothing_alone_and_too_much_beside_the_field() {
        for query in ["access_token=a", "x=1&access%5Ftoken=", "access_token"] {
            assert_eq!(parse(&[b"Bearer a"], Some(query)), Err(Rejection::CredentialRepeated), "{query}");
            assert_eq!(parse(&[], Some(query)), Ok(None), "{query}");
            assert_eq!(parse(&[b"Basic a"], Some(query)), Ok(None), "{query}");
        }
        assert_eq!(parse(&[b"Bearer a"], Some("Access_Token=a&accesstoken=a&entityId=access_token")), Ok(Some("a")));
    }

    #[test]
    fn h9_a_byte_above_0x7f_is_malformed() {
        for field in [&b"Bearer \xff"[..], b"Bearer a\xc3\xa9", b"Be\xe4rer a", b"Basic \xff", b"\xff"] {
            assert_eq!(one(field), Err(Rejection::CredentialMalformed), "{field:?}");
        }
    }

    #[test]
    fn j2_h19_a_long_token_is_refused_by_its_length() {
        let longest = format!("Bearer {}", "a".repeat(MAX_TOKEN));
        assert!(matches!(one(longest.as_bytes()), Ok(Some(token)) if token.len() == MAX_TOKEN));
        for length in [MAX_TOKEN + 1, 100 << 10, 1 << 20] {
            assert_eq!(one(format!("Bearer {}", "a".repeat(length)).as_bytes()), Err(Rejection::TokenTooLong));
        }
    }
}
