//! The compact form of a token (RFC 7515 §7.1), read strictly: one token has one spelling.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::claims;
use super::header::{self, Header, Typ};
use crate::model::{AccessClaims, Algorithm, Rejection, SigningKeyId};

/// The longest token that is accepted or made, in bytes.
pub const MAX_TOKEN: usize = 8192;

/// The longest header in JSON; ours have about 85 bytes.
const MAX_HEADER: usize = 512;

/// A token whose size, shape and header are right. Its signature is not checked yet, and nothing of it may be believed.
///
/// `Debug` shows the header's names, never the token.
pub struct CompactToken<'a> {
    signed: &'a [u8],
    header: Header,
    // The payload's bytes, then the signature's.
    decoded: Vec<u8>,
    payload_length: usize,
}

impl<'a> CompactToken<'a> {
    /// Reads a token, as text or as the bytes that came. No key is used, and a token that is too long is refused before it is looked at.
    ///
    /// # Errors
    /// - [`Rejection::TokenTooLong`] over [`MAX_TOKEN`] bytes
    /// - [`Rejection::TokenShape`] unless it is three parts, none empty, each canonical base64url without padding
    ///   (RFC 7515 §2): a character of another alphabet, `=`, white space or a spare bit that is set are refused
    /// - [`Rejection::TokenHeader`] unless the header is exactly `alg`, `typ` and `kid`, each a string, once; any
    ///   other member (`crit`, `jwk`, `jku`, `zip`, …) is refused
    /// - [`Rejection::TokenType`] unless `typ` is `at+jwt` or `application/at+jwt`
    pub fn parse(token: &'a (impl AsRef<[u8]> + ?Sized)) -> Result<Self, Rejection> {
        Self::parse_as(Typ::AccessToken, token.as_ref())
    }

    /// Reads a signed text of another kind by the same rules. It stays in this room: elsewhere this type is a token.
    pub(super) fn parse_as(typ: Typ, token: &'a [u8]) -> Result<Self, Rejection> {
        if token.len() > MAX_TOKEN {
            return Err(Rejection::TokenTooLong);
        }
        let is_dot = |byte: &u8| *byte == b'.';
        let (signed, signature) = around(token, token.iter().rposition(is_dot))?;
        let (header, payload) = around(signed, signed.iter().position(is_dot))?;
        if header.is_empty() || payload.is_empty() || signature.is_empty() {
            return Err(Rejection::TokenShape);
        }

        let mut decoded = Vec::with_capacity((payload.len() + signature.len()) / 4 * 3 + 8);
        decode(payload, &mut decoded)?;
        let payload_length = decoded.len();
        decode(signature, &mut decoded)?;

        let mut json = [0; MAX_HEADER];
        if header.len() > MAX_HEADER / 3 * 4 {
            return Err(Rejection::TokenHeader);
        }
        let length = URL_SAFE_NO_PAD.decode_slice(header, &mut json).map_err(|_| Rejection::TokenShape)?;
        let header = header::parse(json.get(..length).unwrap_or_default(), typ)?;
        Ok(Self { signed, header, decoded, payload_length })
    }

    /// `kid`: names the key that signed, if it can be believed.
    #[must_use]
    pub fn key_id(&self) -> &str {
        self.header.key_id.as_str()
    }

    /// `alg`, as the header has it; the key decides, and the header must agree.
    #[must_use]
    pub fn algorithm(&self) -> &str {
        self.header.algorithm.as_str()
    }

    /// The bytes that were signed: header, dot, payload as they came (RFC 7515 §5.2).
    #[must_use]
    pub fn signed_part(&self) -> &[u8] {
        self.signed
    }

    /// The signature's bytes.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        self.decoded.get(self.payload_length..).unwrap_or_default()
    }

    /// The payload's bytes.
    pub(super) fn payload(&self) -> &[u8] {
        self.decoded.get(..self.payload_length).unwrap_or_default()
    }

    /// The claims. To be called after the signature was found right.
    ///
    /// Checks syntax and types alone: one JSON object in UTF-8; each claim of ours once, of its own type and
    /// well-formed; instants in plain digits from 0 to 253402300799; `aud` one string (a list is refused, also of one);
    /// `ips` with 1 to 16 ranges. Claims that are not ours are ignored.
    ///
    /// # Errors
    /// [`Rejection::TokenClaims`] for anything else.
    pub fn claims(&self) -> Result<AccessClaims<'_>, Rejection> {
        claims::parse_claims(self.payload())
    }
}

impl fmt::Debug for CompactToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompactToken")
            .field("algorithm", &self.algorithm())
            .field("key_id", &self.key_id())
            .finish_non_exhaustive()
    }
}

/// The first part of everything of this kind that the key signs, with the dot after it.
pub(crate) fn print_header(typ: Typ, algorithm: Algorithm, key_id: &SigningKeyId) -> String {
    let mut part = URL_SAFE_NO_PAD.encode(header::print(typ, algorithm, key_id));
    part.push('.');
    part
}

/// What stands before `place` and after it.
fn around(bytes: &[u8], place: Option<usize>) -> Result<(&[u8], &[u8]), Rejection> {
    let (before, from) = place.and_then(|place| bytes.split_at_checked(place)).ok_or(Rejection::TokenShape)?;
    Ok((before, from.get(1..).unwrap_or_default()))
}

fn decode(part: &[u8], into: &mut Vec<u8>) -> Result<(), Rejection> {
    // The engine refuses padding, other alphabets and spare bits that are set.
    URL_SAFE_NO_PAD.decode_vec(part, into).map_err(|_| Rejection::TokenShape)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = r#"{"alg":"EdDSA","typ":"at+jwt","kid":"k"}"#;

    fn encoded(bytes: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn good() -> String {
        format!("{}.{}.{}", encoded(HEADER.as_bytes()), encoded(b"{}"), encoded(&[7; 64]))
    }

    fn refusal(token: &str) -> Option<Rejection> {
        CompactToken::parse(token).err()
    }

    #[test]
    fn a_token_comes_apart_into_what_was_put_in() {
        let text = good();
        let token = CompactToken::parse(&text).expect("a token");
        assert_eq!((token.algorithm(), token.key_id()), ("EdDSA", "k"));
        assert_eq!(token.signature(), [7; 64]);
        assert_eq!(token.signed_part(), text.rsplit_once('.').expect("dots").0.as_bytes());
    }

    #[test]
    fn j1_a_token_has_three_parts_and_none_is_empty() {
        let good = good();
        let (signed, signature) = good.rsplit_once('.').expect("dots");
        let (header, payload) = signed.split_once('.').expect("dots");
        let dots = ".".repeat(5000);
        let cases = [
            "",
            ".",
            "..",
            "...",
            &dots,
            header,
            signed,
            &format!("{good}.{signature}"),
            &format!("{good}.{payload}.{signature}"),
            &format!("{good}."),
            &format!(".{good}"),
            &format!("{signed}."),
            &format!("{header}..{signature}"),
            &format!(".{payload}.{signature}"),
        ];
        for token in cases {
            assert_eq!(refusal(token), Some(Rejection::TokenShape), "{token}");
        }
    }

    #[test]
    fn j2_a_token_of_8192_bytes_is_read_and_a_longer_one_is_not_looked_at() {
        let head = format!("{}.", encoded(HEADER.as_bytes()));
        // A part of 4n + 1 characters does not exist in base64, so the filler's length is fitted by the signature.
        let of_length = |length: usize| {
            (0..4_usize)
                .map(|extra| (length - head.len() - 1 - 86 - extra, 86 + extra))
                .find(|(payload, signature)| payload % 4 != 1 && signature % 4 != 1)
                .map(|(payload, signature)| format!("{head}{}.{}", "A".repeat(payload), "A".repeat(signature)))
                .expect("a fit")
        };
        assert_eq!(of_length(MAX_TOKEN).len(), MAX_TOKEN);
        assert_eq!(refusal(&of_length(MAX_TOKEN)), None);
        assert_eq!(refusal(&of_length(MAX_TOKEN + 1)), Some(Rejection::TokenTooLong));
        assert_eq!(refusal(&".".repeat(65_536)), Some(Rejection::TokenTooLong));
        assert_eq!(refusal(&"é".repeat(1 << 19)), Some(Rejection::TokenTooLong));
    }

    #[test]
    fn j3_j5_j6_padding_other_alphabets_and_white_space_are_refused_in_every_part() {
        let good = good();
        let parts: Vec<&str> = good.split('.').collect();
        for place in 0..3 {
            for change in ["=", "==", "+", "/", " ", "\t", "\r\n", "\n", "%41", "é", "\0", "*"] {
                for front in [true, false] {
                    let mut parts: Vec<String> = parts.iter().map(ToString::to_string).collect();
                    parts[place] =
                        if front { format!("{change}{}", parts[place]) } else { format!("{}{change}", parts[place]) };
                    let token = parts.join(".");
                    assert_eq!(refusal(&token), Some(Rejection::TokenShape), "{token:?}");
                }
            }
        }
        assert_eq!(refusal(&good.replace('.', "%2E")), Some(Rejection::TokenShape));
    }

    #[test]
    fn j4_a_spare_bit_that_is_set_is_refused() {
        // 64 bytes leave four spare bits in the last of 86 characters: `A`, `Q`, `g` and `w` alone have none set.
        let good = good();
        let front = &good[..good.len() - 1];
        let read = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
            .chars()
            .filter(|last| refusal(&format!("{front}{last}")).is_none())
            .collect::<String>();
        assert_eq!(read, "AQgw");
    }

    #[test]
    fn j7_j8_json_forms_and_encrypted_tokens_are_refused() {
        let good = good();
        let parts: Vec<&str> = good.split('.').collect();
        let flattened =
            format!(r#"{{"protected":"{}","payload":"{}","signature":"{}"}}"#, parts[0], parts[1], parts[2]);
        let five = format!("{good}.AAAA.AAAA");
        for token in [&flattened, &five] {
            assert_eq!(refusal(token), Some(Rejection::TokenShape), "{token}");
        }
    }

    #[test]
    fn l1_debug_does_not_show_the_token() {
        let text = good();
        let shown = format!("{:?}", CompactToken::parse(&text).expect("a token"));
        assert_eq!(shown, r#"CompactToken { algorithm: "EdDSA", key_id: "k", .. }"#);
    }
}
