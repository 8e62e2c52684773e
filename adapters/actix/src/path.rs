//! Paths as the contract spells them: actix decodes a path before it matches, the contract's routes are matched as sent.

use std::borrow::Cow;

/// A path of the contract, whose `{…}` stands for any one segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Template {
    text: &'static str,
    is_fixed: bool,
}

impl Template {
    pub(crate) fn new(text: &'static str) -> Self {
        Self { text, is_fixed: !text.contains('{') }
    }

    /// Whether `path`, undecoded, ends in this one. Asked for requests to the host's own routes too.
    pub(crate) fn spells(self, path: &str) -> bool {
        if self.is_fixed {
            return path.ends_with(self.text);
        }
        let mut sent = path.rsplit('/');
        let mut wanted = self.text.trim_start_matches('/').rsplit('/');
        wanted.all(|segment| sent.next().is_some_and(|sent| segment.starts_with('{') || sent == segment))
    }
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
            assert_eq!(Template::new(ROTATE).spells(path), want, "{path}");
        }
        let whoami = Template::new("/v1/auth/whoami");
        for (path, want) in [
            ("/v1/auth/whoami", true),
            ("/auth/v1/auth/whoami", true),
            ("/v1/auth/who%61mi", false),
            ("/v1/auth/whoami/", false),
            ("/xv1/auth/whoami", false),
            ("", false),
        ] {
            assert_eq!(whoami.spells(path), want, "{path}");
        }
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
