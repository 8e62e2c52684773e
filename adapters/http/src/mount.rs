//! Where the host has mounted the routes.

/// A path such as `/auth`: empty, or `/` before each of its segments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MountPath(String);

/// The text is no path to mount routes at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a mount path is empty or begins with `/`, has no `/` at its end, and only segments of letters, digits and `-._~`"
)]
pub struct MountPathError;

impl MountPath {
    pub(crate) fn parse(text: &str) -> Result<Self, MountPathError> {
        let is_segment = |segment: &str| !matches!(segment, "" | "." | "..") && segment.bytes().all(is_unreserved);
        let mut parts = text.split('/');
        let fits = parts.next() == Some("") && (text.is_empty() || parts.all(is_segment));
        if fits { Ok(Self(text.to_owned())) } else { Err(MountPathError) }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A character that stands for itself in a URL (RFC 3986 §2.3).
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_path_is_empty_or_begins_with_a_slash_and_ends_without() {
        for good in ["", "/auth", "/api/v2", "/a.b~c_d-e"] {
            assert_eq!(MountPath::parse(good).as_ref().map(MountPath::as_str), Ok(good));
        }
        for bad in [
            "/",
            "auth",
            "/auth/",
            "//",
            "/a//b",
            "/a b",
            "/a?b",
            "/a%2fb",
            "/\u{e9}",
            "https://a.test",
            "/{a}",
            "/../a",
            "/.",
        ] {
            assert_eq!(MountPath::parse(bad), Err(MountPathError), "{bad}");
        }
    }
}
