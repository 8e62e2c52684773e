//! Paths as the contract spells them: actix decodes a path before it matches, the contract's routes are matched as sent.

use std::borrow::Cow;

/// Whether `path`, undecoded, ends in the path of the contract `template`, whose `{…}` stands for any one segment.
pub(crate) fn is_spelled(path: &str, template: &str) -> bool {
    let mut sent = path.rsplit('/');
    let mut wanted = template.trim_start_matches('/').rsplit('/');
    wanted.all(|segment| sent.next().is_some_and(|sent| segment.starts_with('{') || sent == segment))
}

/// What `path`, undecoded, holds where `template` has its `{…}`, percent-decoded once; `None` where the template has
/// none, or where that is no UTF-8.
pub(crate) fn parameter<'a>(path: &'a str, template: &str) -> Option<Cow<'a, str>> {
    let place = template.rsplit('/').position(|segment| segment.starts_with('{'))?;
    percent_encoding::percent_decode_str(path.rsplit('/').nth(place)?).decode_utf8().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROTATE: &str = "/v1/developers/keys/{id}/rotate";

    #[test]
    fn h18_a_path_is_the_contracts_as_it_is_written_there_alone() {
        for (path, want) in [
            ("/v1/developers/keys/x/rotate", true),
            ("/auth/v1/developers/keys/%78/rotate", true),
            ("/v1/developers/key%73/x/rotate", false),
            ("/v1/developers/keys/x/rotat%65", false),
            ("/v1/developers/keys/x/rotate/", false),
            ("/v1/developers/KEYS/x/rotate", false),
            ("v1/developers/keys/x/rotate", true),
            ("/developers/keys/x/rotate", false),
            ("", false),
        ] {
            assert_eq!(is_spelled(path, ROTATE), want, "{path}");
        }
        assert!(is_spelled("/v1/auth/whoami", "/v1/auth/whoami"));
    }

    #[test]
    fn a_parameter_is_decoded_once_and_is_nothing_where_it_is_no_text() {
        for (segment, want) in [
            ("x", Some("x")),
            ("%78%2F+y", Some("x/+y")),
            ("%2578", Some("%78")),
            ("%zz%", Some("%zz%")),
            ("%FF", None),
            ("%C3%28", None),
        ] {
            let path = format!("/{segment}/v1/developers/keys/{segment}/rotate");
            assert_eq!(parameter(&path, ROTATE).as_deref(), want, "{segment}");
        }
        assert_eq!(parameter("/v1/auth/whoami", "/v1/auth/whoami"), None);
        assert_eq!(parameter("", ROTATE), None);
    }
}
