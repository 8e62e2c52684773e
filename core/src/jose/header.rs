//! The header of a token: exactly `alg`, `typ` and `kid`, each once, each a JSON string (RFC 7515 §4.1, RFC 9068 §2.1).

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use crate::model::{Algorithm, Rejection, SigningKeyId};

/// What a signed text is (`typ`, RFC 7515 §4.1.9). Each kind has a reader of its own, which refuses the others.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Typ {
    /// An access token (RFC 9068 §2.1).
    AccessToken,
    /// A checkpoint of an audit chain.
    Checkpoint,
}

impl Typ {
    const fn name(self) -> &'static str {
        match self {
            Self::AccessToken => "at+jwt",
            Self::Checkpoint => "audit-checkpoint+jwt",
        }
    }

    /// Whether `typ` names it, byte for byte; RFC 9068 §2.1 gives access tokens a longer spelling as well.
    fn is_named(self, typ: &str) -> bool {
        match self {
            Self::AccessToken => matches!(typ, "at+jwt" | "application/at+jwt"),
            Self::Checkpoint => typ == self.name(),
        }
    }
}

/// A header whose `typ` was found right. Holds its texts inline: reading one takes no allocation.
#[derive(Clone, Copy)]
pub(super) struct Header {
    pub(super) algorithm: Short<16>,
    pub(super) key_id: Short<64>,
}

/// Reads the JSON text of a header.
///
/// # Errors
/// [`Rejection::TokenHeader`] unless it is one object of exactly the three members; [`Rejection::TokenType`] unless
/// its `typ` names `typ`.
pub(super) fn parse(json: &[u8], typ: Typ) -> Result<Header, Rejection> {
    let members: Members = serde_json::from_slice(json).map_err(|_| Rejection::TokenHeader)?;
    if typ.is_named(members.typ.as_str()) {
        Ok(Header { algorithm: members.algorithm, key_id: members.key_id })
    } else {
        Err(Rejection::TokenType)
    }
}

/// The JSON text of a header.
pub(super) fn print(typ: Typ, algorithm: Algorithm, key_id: &SigningKeyId) -> String {
    // INVARIANT: no name holds a character that JSON escapes; `SigningKeyId` allows base64url alone.
    format!(r#"{{"alg":"{}","typ":"{}","kid":"{key_id}"}}"#, algorithm.name(), typ.name())
}

struct Members {
    algorithm: Short<16>,
    typ: Short<24>,
    key_id: Short<64>,
}

/// A member's name. Any other, `crit` included, is refused.
#[derive(serde::Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Name {
    Alg,
    Typ,
    Kid,
}

// By hand, because a derived struct also reads an array.
impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of `alg`, `typ` and `kid`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let (mut algorithm, mut typ, mut key_id) = (None, None, None);
                while let Some(name) = map.next_key()? {
                    let repeated = match name {
                        Name::Alg => algorithm.replace(map.next_value()?).is_some(),
                        Name::Typ => typ.replace(map.next_value()?).is_some(),
                        Name::Kid => key_id.replace(map.next_value()?).is_some(),
                    };
                    if repeated {
                        return Err(A::Error::custom("a member is there twice"));
                    }
                }
                match (algorithm, typ, key_id) {
                    (Some(algorithm), Some(typ), Some(key_id)) => Ok(Members { algorithm, typ, key_id }),
                    _ => Err(A::Error::custom("a member is missing")),
                }
            }
        }

        deserializer.deserialize_map(Object)
    }
}

/// A text of at most `N` bytes, held inline.
#[derive(Clone, Copy)]
pub(super) struct Short<const N: usize> {
    // INVARIANT: `bytes[..length]` is UTF-8; `copy` is the only way in.
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Short<N> {
    fn copy(text: &str) -> Option<Self> {
        let mut bytes = [0; N];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(Self { bytes, length: text.len() })
    }

    pub(super) fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..self.length).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl<'de, const N: usize> Deserialize<'de> for Short<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text<const N: usize>;

        impl<const N: usize> Visitor<'_> for Text<N> {
            type Value = Short<N>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a string of at most {N} bytes")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Short<N>, E> {
                Short::copy(text).ok_or_else(|| E::custom("a member is too long"))
            }
        }

        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(json: &str) -> Option<Rejection> {
        parse(json.as_bytes(), Typ::AccessToken).err()
    }

    #[test]
    fn a16_a_header_has_alg_typ_and_kid_in_any_order() {
        for good in [
            r#"{"alg":"EdDSA","typ":"at+jwt","kid":"k"}"#,
            r#"{"kid":"k","typ":"application/at+jwt","alg":"EdDSA"}"#,
            " {\n\"alg\" : \"EdDSA\",\t\"typ\":\"at+jwt\",\"kid\":\"k\"}\r\n ",
            r#"{"\u0061lg":"Ed\u0044SA","typ":"at+jwt","kid":"k"}"#,
        ] {
            let header = parse(good.as_bytes(), Typ::AccessToken).unwrap_or_else(|_| panic!("{good}"));
            assert_eq!((header.algorithm.as_str(), header.key_id.as_str()), ("EdDSA", "k"));
        }
    }

    #[test]
    fn j9_a_header_is_one_object_and_nothing_more() {
        let good = r#"{"alg":"EdDSA","typ":"at+jwt","kid":"k"}"#;
        let cases = [
            String::new(),
            "null".into(),
            "1".into(),
            "[]".into(),
            r#"["EdDSA","at+jwt","k"]"#.into(),
            "{}".into(),
            format!("{good}x"),
            format!("{good}{{}}"),
            format!("\u{feff}{good}"),
            good.replace('}', ",}"),
        ];
        for json in cases {
            assert_eq!(refusal(&json), Some(Rejection::TokenHeader), "{json}");
        }
        assert!(parse(b"{\"alg\":\"EdDSA\",\"typ\":\"at+jwt\",\"kid\":\"\xff\"}", Typ::AccessToken).is_err());
    }

    #[test]
    fn j11_a_name_twice_is_refused_also_in_disguise() {
        for json in [
            r#"{"alg":"none","alg":"EdDSA","typ":"at+jwt","kid":"k"}"#,
            r#"{"alg":"EdDSA","typ":"at+jwt","kid":"k","alg":"EdDSA"}"#,
            r#"{"alg":"EdDSA","typ":"at+jwt","kid":"k","k\u0069d":"k"}"#,
            r#"{"alg":"EdDSA","typ":"at+jwt","typ":"at+jwt","kid":"k"}"#,
        ] {
            assert_eq!(refusal(json), Some(Rejection::TokenHeader), "{json}");
        }
    }

    #[test]
    fn a9b_a_member_besides_the_three_is_refused() {
        let others = [
            ("jwk", "{}"),
            ("jku", r#""http://127.0.0.1/""#),
            ("x5u", r#""http://127.0.0.1/""#),
            ("x5c", "[]"),
            ("crit", "[]"),
            ("crit", r#"["alg"]"#),
            ("b64", "false"),
            ("zip", r#""DEF""#),
            ("cty", r#""JWT""#),
            ("zz", r#""1""#),
            ("ALG", r#""EdDSA""#),
            ("", "null"),
        ];
        for (name, value) in others {
            let json = format!(r#"{{"alg":"EdDSA","typ":"at+jwt","kid":"k","{name}":{value}}}"#);
            assert_eq!(refusal(&json), Some(Rejection::TokenHeader), "{json}");
        }
    }

    #[test]
    fn a2_a9_a15_each_member_is_there_and_a_string() {
        for member in ["alg", "typ", "kid"] {
            for value in ["null", "5", "true", "[\"EdDSA\"]", "{}", &format!("\"{}\"", "a".repeat(4096))] {
                let json = r#"{"alg":"EdDSA","typ":"at+jwt","kid":"k"}"#;
                let old = match member {
                    "alg" => "\"EdDSA\"",
                    "typ" => "\"at+jwt\"",
                    _ => "\"k\"",
                };
                let changed = json.replace(old, value);
                assert_eq!(refusal(&changed), Some(Rejection::TokenHeader), "{member}");
            }
        }
        for json in
            [r#"{"typ":"at+jwt","kid":"k"}"#, r#"{"alg":"EdDSA","kid":"k"}"#, r#"{"alg":"EdDSA","typ":"at+jwt"}"#]
        {
            assert_eq!(refusal(json), Some(Rejection::TokenHeader), "{json}");
        }
    }

    #[test]
    fn a15_another_type_is_refused_case_included() {
        for typ in ["JWT", "id+jwt", "", "AT+JWT", "at+jwt ", "Application/at+jwt", "application/at+JWT"] {
            let json = format!(r#"{{"alg":"EdDSA","typ":"{typ}","kid":"k"}}"#);
            assert_eq!(refusal(&json), Some(Rejection::TokenType), "{json}");
        }
    }

    #[test]
    fn a15_a_checkpoint_is_no_token_and_a_token_no_checkpoint() {
        let key_id = SigningKeyId::parse("k").expect("an id");
        let printed = |typ| print(typ, Algorithm::EdDsa, &key_id);
        let (token, checkpoint) = (printed(Typ::AccessToken), printed(Typ::Checkpoint));
        assert!(parse(token.as_bytes(), Typ::AccessToken).is_ok());
        assert!(parse(checkpoint.as_bytes(), Typ::Checkpoint).is_ok());
        assert_eq!(parse(token.as_bytes(), Typ::Checkpoint).err(), Some(Rejection::TokenType));
        assert_eq!(parse(checkpoint.as_bytes(), Typ::AccessToken).err(), Some(Rejection::TokenType));
    }
}
