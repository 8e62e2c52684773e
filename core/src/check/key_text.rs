//! The text of an API key: `<brand>_<environment>_<key id>_<secret><checksum>`.

use crate::model::{ApiKey, EnvironmentName, KeyId, Rejection, SecretText};

/// The first part of every key's text, chosen by the host: 2 to 8 characters of `0-9a-z`. The default is `lb`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Brand(String);

impl Brand {
    /// Accepts 2 to 8 characters of `0-9a-z`.
    ///
    /// # Errors
    /// [`BrandError`] for any other text.
    pub fn parse(text: &str) -> Result<Self, BrandError> {
        let allowed = text.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase());
        if allowed && (MIN_BRAND..=MAX_BRAND).contains(&text.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BrandError)
        }
    }

    /// The brand's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Brand {
    fn default() -> Self {
        Self("lb".to_owned())
    }
}

/// The text is no brand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a brand has 2 to 8 characters of `0-9a-z`")]
pub struct BrandError;

/// What a key's text says about itself. None of it is secret, and none of it is proved yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyTextParts {
    /// The brand of the host that made the key.
    pub brand: String,
    /// The key's environment.
    pub environment: EnvironmentName,
    /// The key's id.
    pub id: KeyId,
}

/// The whole text of a key, checksum included. `secret` is 43 random characters of `0-9A-Za-z`; a text made from
/// anything else does not parse.
#[must_use]
pub fn print_key_text(brand: &Brand, environment: EnvironmentName, id: KeyId, secret: &str) -> SecretText {
    // Sized for the longest key, so that growing leaves no part of the secret behind in freed memory.
    let mut text = String::with_capacity(MAX_TEXT.max(secret.len().saturating_add(MAX_TEXT - SECRET)));
    for part in [brand.as_str(), "_", environment.as_str(), "_", id.as_str(), "_", secret] {
        text.push_str(part);
    }
    let checksum = checksum(text.as_bytes());
    text.extend(checksum.iter().map(|&digit| char::from(digit)));
    SecretText::new(text)
}

/// The parts of a key's text, where its shape and its checksum are right. Needs no storage.
///
/// # Errors
/// [`Rejection::KeyText`] for any other text; one longer than the longest key is not looked at any further.
pub fn parse_key_text(text: &str) -> Result<KeyTextParts, Rejection> {
    parts(text).ok_or(Rejection::KeyText)
}

/// The part of a key's text that is safe to show: brand, environment and key id.
#[must_use]
pub fn key_hint(key: &ApiKey) -> String {
    format!("{}_{}_{}", key.brand, key.developer.environment, key.id)
}

fn parts(text: &str) -> Option<KeyTextParts> {
    if text.len() > MAX_TEXT {
        return None;
    }
    let mut split = text.split('_');
    let (brand, environment, id, tail) = (split.next()?, split.next()?, split.next()?, split.next()?);
    let is_base62 = tail.bytes().all(|b| b.is_ascii_alphanumeric());
    if split.next().is_some() || tail.len() != SECRET + CHECKSUM || !is_base62 {
        return None;
    }
    let (covered, shown) = text.as_bytes().split_last_chunk::<CHECKSUM>()?;
    if checksum(covered) != *shown {
        return None;
    }
    Some(KeyTextParts {
        brand: Brand::parse(brand).ok()?.0,
        environment: EnvironmentName::parse(environment).ok()?,
        id: KeyId::parse(id).ok()?,
    })
}

/// CRC-32 (IEEE) of `covered` as six base62 digits, most significant first.
fn checksum(covered: &[u8]) -> [u8; CHECKSUM] {
    let mut rest = crc32fast::hash(covered);
    let mut digits = [b'0'; CHECKSUM];
    for digit in digits.iter_mut().rev() {
        // INVARIANT: below 62, so each arm's sum stays within its letters.
        let value = (rest % 62) as u8;
        rest /= 62;
        *digit = match value {
            0..=9 => b'0' + value,
            10..=35 => b'A' + (value - 10),
            _ => b'a' + (value - 36),
        };
    }
    digits
}

const MIN_BRAND: usize = 2;
const MAX_BRAND: usize = 8;
const MAX_ENVIRONMENT: usize = 16;
const SECRET: usize = 43;
const CHECKSUM: usize = 6;
/// The longest text that a key can have.
const MAX_TEXT: usize = MAX_BRAND + 1 + MAX_ENVIRONMENT + 1 + KeyId::LENGTH + 1 + SECRET + CHECKSUM;

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    const GOOD: &str = "lb_live_0123456789abcdEF_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA0V6vms";

    fn parse(text: &str) -> Result<KeyTextParts, Rejection> {
        parse_key_text(text)
    }

    #[test]
    fn a_key_is_printed_with_the_checksum_that_others_compute() {
        // Checksums computed with Python's zlib.crc32.
        let cases = [
            ("lb", "live", "0123456789abcdEF", "A".repeat(43), "0V6vms"),
            ("b2", "a", "ZZZZZZZZZZZZZZZZ", "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG".to_owned(), "2MD6x7"),
            ("12345678", "0123456789abcdef", "aaaaaaaaaaaaaaaa", "z".repeat(43), "4V1PfZ"),
            ("lb", "sandbox", "5kQ0Zr8yTn3XaLp2", "9hBq".repeat(10) + "abc", "0HGTi3"),
        ];
        for (brand, environment, id, secret, checksum) in cases {
            let (brand, environment) = (Brand::parse(brand).unwrap(), EnvironmentName::parse(environment).unwrap());
            let id = KeyId::parse(id).unwrap();
            let text = print_key_text(&brand, environment, id, &secret);
            let want = format!("{}_{environment}_{id}_{secret}{checksum}", brand.as_str());
            assert_eq!(text.expose(), want);
            assert_eq!(parse(&want), Ok(KeyTextParts { brand: brand.as_str().to_owned(), environment, id }));
        }
    }

    #[test]
    fn the_hint_is_the_text_up_to_the_secret() {
        assert_eq!(key_hint(&samples::key()), "lb_live_0123456789abcdEF");
    }

    #[test]
    fn a_brand_has_two_to_eight_small_letters_or_digits() {
        for good in ["lb", "0a", "12345678"] {
            assert_eq!(Brand::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "a", "123456789", "Lb", "l_b", "l-b", "é"] {
            assert_eq!(Brand::parse(bad), Err(BrandError), "{bad}");
        }
        assert_eq!(Brand::default().as_str(), "lb");
    }

    #[test]
    fn k2_every_replaced_byte_is_refused() {
        assert!(parse(GOOD).is_ok());
        for place in 0..GOOD.len() {
            for byte in 0..=127_u8 {
                let mut changed = GOOD.as_bytes().to_vec();
                changed[place] = byte;
                let changed = String::from_utf8(changed).unwrap();
                assert_eq!(parse(&changed).is_ok(), changed == GOOD, "{changed:?}");
            }
        }
    }

    #[test]
    fn k2_every_cut_or_doubled_character_is_refused() {
        for place in 0..GOOD.len() {
            let (before, rest) = GOOD.split_at(place);
            assert_eq!(parse(&format!("{before}{}", &rest[1..])), Err(Rejection::KeyText), "cut at {place}");
            assert_eq!(parse(&format!("{before}{}{rest}", &rest[..1])), Err(Rejection::KeyText), "doubled {place}");
        }
        for spoilt in [format!("{GOOD} "), format!(" {GOOD}"), format!("{GOOD}\n"), GOOD.to_ascii_uppercase()] {
            assert_eq!(parse(&spoilt), Err(Rejection::KeyText), "{spoilt:?}");
        }
    }

    #[test]
    fn k3_a_wrong_shape_with_a_right_checksum_is_refused() {
        let secret = "A".repeat(43);
        for covered in [
            format!("l_live_0123456789abcdEF_{secret}"),
            format!("LB_live_0123456789abcdEF_{secret}"),
            format!("lb_Live_0123456789abcdEF_{secret}"),
            format!("lb__0123456789abcdEF_{secret}"),
            format!("lb_live_0123456789abcdE_{secret}"),
            format!("lb_live_0123456789abcd-F_{secret}"),
            format!("lb_live_0123456789abcdEF_{}", &secret[1..]),
            format!("lb_live_0123456789abcdEF_A{secret}"),
            format!("lb_live_0123456789abcdEF_é{}", &secret[2..]),
            format!("lb_live_0123456789abcdEF_{}_", &secret[1..]),
            format!("lb_live_0123456789abcdEF__{secret}"),
            format!("lb_live_more_0123456789abcdEF_{secret}"),
            secret.clone(),
            String::new(),
        ] {
            let digits = checksum(covered.as_bytes());
            let text = format!("{covered}{}", std::str::from_utf8(&digits).unwrap());
            assert_eq!(parse(&text), Err(Rejection::KeyText), "{text:?}");
        }
    }

    #[test]
    fn k4_a_text_longer_than_any_key_is_refused_at_once() {
        for length in [MAX_TEXT + 1, 100 * 1024, 10 * 1024 * 1024] {
            assert_eq!(parse(&"a".repeat(length)), Err(Rejection::KeyText));
        }
    }

    #[test]
    fn k5_an_access_token_is_no_key() {
        assert_eq!(parse("eyJhbGciOiJFZERTQSJ9.e30.AAAA"), Err(Rejection::KeyText));
    }

    #[test]
    fn unusual_bytes_are_refused_and_do_no_harm() {
        for text in ["", "_", "____", "é_é_é_é", "\0", "lb_live_\u{202e}_x", "💶💶💶💶💶💶💶💶💶💶💶💶💶💶💶💶💶"]
        {
            assert_eq!(parse(text), Err(Rejection::KeyText), "{text:?}");
        }
    }

    #[test]
    fn e12_a_text_with_its_environment_edited_is_refused() {
        assert_eq!(parse(&GOOD.replace("live", "sandbox")), Err(Rejection::KeyText));
    }
}
