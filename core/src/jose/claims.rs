//! The payload of a token as JSON: the claims' names, their types, and nothing about what they mean.

use std::borrow::Cow;
use std::fmt;

use ipnet::IpNet;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::model::{
    AccessClaims, Delegation, DeveloperId, EntityId, EnvironmentName, KeyId, MAX_ALLOWED_IPS, Rejection, ScopeSet,
    TokenId, UnixTime,
};

/// Reads the claims. A claim is absent, or well-formed, or the token is refused.
pub(super) fn parse_claims(json: &[u8]) -> Result<AccessClaims<'_>, Rejection> {
    // The whole text first: serde_json does not look at the bytes of strings that it skips.
    let text = std::str::from_utf8(json).map_err(|_| Rejection::TokenClaims)?;
    serde_json::from_str::<Claims<'_>>(text).map(|Claims(claims)| claims).map_err(|_| Rejection::TokenClaims)
}

struct Claims<'t>(AccessClaims<'t>);

/// A claim's name; those that are not ours are ignored (RFC 7519 §4).
#[derive(serde::Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Name {
    Iss,
    Aud,
    Sub,
    ClientId,
    Iat,
    Nbf,
    Exp,
    Jti,
    Scope,
    Developer,
    Entity,
    Env,
    Gen,
    Epoch,
    Ips,
    Act,
    Origin,
    #[serde(other)]
    Other,
}

// By hand, because a derived struct also reads an array, and reads `null` as an absent `Option`.
impl<'de> Deserialize<'de> for Claims<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ClaimsObject)
    }
}

struct ClaimsObject;

impl<'de> Visitor<'de> for ClaimsObject {
    type Value = Claims<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of claims")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Claims<'de>, A::Error> {
        let (mut iss, mut aud, mut sub, mut client_id, mut jti) = (None, None, None, None, None);
        let (mut iat, mut nbf, mut exp, mut generation, mut epoch) = (None, None, None, None, None);
        let (mut scope, mut developer, mut entity, mut env) = (None, None, None, None);
        let (mut ips, mut act, mut origin) = (None, None, None);

        while let Some(name) = map.next_key()? {
            let repeated = match name {
                Name::Iss => iss.replace(map.next_value_seed(Borrowed)?).is_some(),
                Name::Aud => aud.replace(map.next_value_seed(Borrowed)?).is_some(),
                Name::Sub => sub.replace(map.next_value_seed(Borrowed)?).is_some(),
                Name::ClientId => client_id.replace(map.next_value_seed(Parsed(KeyId::parse))?).is_some(),
                Name::Iat => iat.replace(instant(map.next_value()?)?).is_some(),
                Name::Nbf => nbf.replace(instant(map.next_value()?)?).is_some(),
                Name::Exp => exp.replace(instant(map.next_value()?)?).is_some(),
                Name::Jti => jti.replace(map.next_value_seed(Parsed(TokenId::parse))?).is_some(),
                Name::Scope => scope.replace(map.next_value_seed(Parsed(ScopeSet::parse))?).is_some(),
                Name::Developer => developer.replace(map.next_value_seed(Parsed(DeveloperId::parse))?).is_some(),
                Name::Entity => entity.replace(map.next_value_seed(Parsed(EntityId::parse))?).is_some(),
                Name::Env => env.replace(map.next_value_seed(Parsed(EnvironmentName::parse))?).is_some(),
                Name::Gen => generation.replace(map.next_value()?).is_some(),
                Name::Epoch => epoch.replace(map.next_value()?).is_some(),
                Name::Ips => ips.replace(map.next_value_seed(Ranges)?).is_some(),
                Name::Act => act.replace(map.next_value_seed(Act)?).is_some(),
                Name::Origin => origin.replace(map.next_value_seed(Parsed(TokenId::parse))?).is_some(),
                Name::Other => map.next_value::<IgnoredAny>().map(|_| false)?,
            };
            if repeated {
                return Err(A::Error::custom("a claim is there twice"));
            }
        }

        let missing = || A::Error::custom("a claim is missing");
        Ok(Claims(AccessClaims {
            issuer: iss.ok_or_else(missing)?,
            audience: aud.ok_or_else(missing)?,
            subject: sub.ok_or_else(missing)?,
            key: client_id.ok_or_else(missing)?,
            issued_at: iat.ok_or_else(missing)?,
            not_before: nbf.ok_or_else(missing)?,
            expires_at: exp.ok_or_else(missing)?,
            token: jti.ok_or_else(missing)?,
            scopes: scope.ok_or_else(missing)?,
            developer: developer.ok_or_else(missing)?,
            entity,
            environment: env.ok_or_else(missing)?,
            generation: generation.ok_or_else(missing)?,
            epoch: epoch.ok_or_else(missing)?,
            allowed_ips: ips.unwrap_or_default(),
            delegation: act,
            origin,
        }))
    }
}

/// NumericDate (RFC 7519 §2) as we write it: a JSON integer, without fraction or exponent.
fn instant<E: Error>(seconds: u64) -> Result<UnixTime, E> {
    UnixTime::checked(seconds).ok_or_else(|| E::custom("an instant is out of range"))
}

/// A string, read by the type's own `parse`.
struct Parsed<F>(F);

impl<'de, T, E, F: Fn(&str) -> Result<T, E>> DeserializeSeed<'de> for Parsed<F> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<T, E, F: Fn(&str) -> Result<T, E>> Visitor<'_> for Parsed<F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<D: Error>(self, text: &str) -> Result<T, D> {
        (self.0)(text).map_err(|_| D::custom("a claim is malformed"))
    }
}

/// A string, borrowed from the payload unless it is written with escapes.
struct Borrowed;

impl<'de> DeserializeSeed<'de> for Borrowed {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Borrowed {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<D: Error>(self, text: &'de str) -> Result<Cow<'de, str>, D> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<D: Error>(self, text: &str) -> Result<Cow<'de, str>, D> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

/// `ips`: a list of 1 to 16 ranges.
struct Ranges;

impl<'de> DeserializeSeed<'de> for Ranges {
    type Value = Vec<IpNet>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<IpNet>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Ranges {
    type Value = Vec<IpNet>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of IP ranges")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<IpNet>, A::Error> {
        let mut ranges = Vec::new();
        while let Some(range) = list.next_element_seed(Parsed(str::parse))? {
            if ranges.len() == MAX_ALLOWED_IPS {
                return Err(A::Error::custom("too many ranges"));
            }
            ranges.push(range);
        }
        // No range would mean nowhere where an absent list means anywhere: refused rather than guessed.
        if ranges.is_empty() { Err(A::Error::custom("no range")) } else { Ok(ranges) }
    }
}

/// `act` (RFC 8693 §4.1): an object with the subject token's developer and key; other members are ignored.
struct Act;

#[derive(serde::Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum ActName {
    Sub,
    ClientId,
    #[serde(other)]
    Other,
}

impl<'de> DeserializeSeed<'de> for Act {
    type Value = Delegation;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Delegation, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Act {
    type Value = Delegation;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of `sub` and `client_id`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Delegation, A::Error> {
        let (mut sub, mut client_id) = (None, None);
        while let Some(name) = map.next_key()? {
            let repeated = match name {
                ActName::Sub => sub.replace(map.next_value_seed(Parsed(DeveloperId::parse))?).is_some(),
                ActName::ClientId => client_id.replace(map.next_value_seed(Parsed(KeyId::parse))?).is_some(),
                ActName::Other => map.next_value::<IgnoredAny>().map(|_| false)?,
            };
            if repeated {
                return Err(A::Error::custom("a member is there twice"));
            }
        }
        match (sub, client_id) {
            (Some(developer), Some(key)) => Ok(Delegation { developer, key }),
            _ => Err(A::Error::custom("a member is missing")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"iss":"https://a.test/live","aud":"https://a.test/live","sub":"dev_1","client_id":"0123456789abcdEF","iat":100,"nbf":100,"exp":1000,"jti":"0123456789abcdefghijkl","scope":"a b","developer":"dev_1","env":"live","gen":0,"epoch":3}"#;
    const REQUIRED: [&str; 13] =
        ["iss", "aud", "sub", "client_id", "iat", "nbf", "exp", "jti", "scope", "developer", "env", "gen", "epoch"];

    fn read(json: &str) -> Result<AccessClaims<'_>, Rejection> {
        parse_claims(json.as_bytes())
    }

    /// `GOOD` with `member` set to `value`, a JSON text, in place of its own.
    fn with(member: &str, value: &str) -> String {
        let mut claims: serde_json::Map<String, serde_json::Value> = serde_json::from_str(GOOD).expect("JSON");
        claims.remove(member);
        let rest = serde_json::to_string(&claims).expect("JSON");
        format!(r#"{},"{member}":{value}}}"#, rest.strip_suffix('}').expect("an object"))
    }

    fn assert_refused(json: &str) {
        assert_eq!(read(json), Err(Rejection::TokenClaims), "{json}");
    }

    #[test]
    fn claims_read_in_any_order_with_spaces_and_unknown_ones_beside_them() {
        let claims = read(GOOD).expect("claims");
        assert_eq!(claims.subject, "dev_1");
        assert_eq!(claims.scopes.to_string(), "a b");
        assert_eq!((claims.issued_at.seconds(), claims.expires_at.seconds()), (100, 1000));
        assert_eq!((claims.generation, claims.epoch), (0, 3));
        assert!(claims.entity.is_none() && claims.delegation.is_none() && claims.allowed_ips.is_empty());
        for member in REQUIRED {
            let value = serde_json::from_str::<serde_json::Value>(GOOD).expect("JSON")[member].to_string();
            assert_eq!(read(&with(member, &format!(" {value}\n"))).as_ref(), Ok(&claims), "{member}");
        }
        for value in ["null", r#"{"a":[1,2]}"#, "1e999", "-0.5", r#""\u0000""#] {
            assert_eq!(read(&with("zz", value)).as_ref(), Ok(&claims), "{value}");
        }
        assert_eq!(read(&GOOD.replace("\"sub\"", r#""s\u0075b""#)).as_ref(), Ok(&claims));
    }

    #[test]
    fn j10_a_payload_is_one_object_and_nothing_more() {
        for json in ["", " ", "null", "1", "\"x\"", "[1]", "[]", "{}", &format!("[{GOOD}]")] {
            assert_refused(json);
        }
        for after in ["x", "{}", ",", "\0", GOOD] {
            assert_refused(&format!("{GOOD}{after}"));
        }
        assert_refused(&format!("\u{feff}{GOOD}"));
        assert_refused(&GOOD.replace('}', ",}"));
        assert_refused(&GOOD.replace("100", "0100"));
    }

    #[test]
    fn j10_bytes_that_are_not_utf_8_are_refused_also_where_they_are_ignored() {
        for json in [GOOD.replace("dev_1", "\u{1}"), with("zz", "\"\u{1}\"")] {
            let bytes: Vec<u8> = json.bytes().map(|byte| if byte == 1 { 0xff } else { byte }).collect();
            assert_eq!(parse_claims(&bytes), Err(Rejection::TokenClaims));
        }
    }

    #[test]
    fn j11_a_claim_twice_is_refused_also_in_disguise_and_also_with_the_same_value() {
        let optional = [
            ("entity", r#""e""#),
            ("ips", r#"["10.0.0.0/8"]"#),
            ("act", r#"{"sub":"d","client_id":"0123456789abcdEF"}"#),
            ("origin", r#""0123456789abcdefghijkl""#),
        ];
        for (member, value) in optional {
            assert!(read(&with(member, value)).is_ok(), "{member}");
            assert_refused(&with(member, &format!(r#"{value},"{member}":{value}"#)));
        }
        for member in REQUIRED {
            let value = serde_json::from_str::<serde_json::Value>(GOOD).expect("JSON")[member].to_string();
            assert_refused(&with(member, &format!(r#"{value},"{member}":{value}"#)));
            let disguised = format!(r"\u{:04x}{}", member.as_bytes()[0], &member[1..]);
            assert_refused(&with(member, &format!(r#"{value},"{disguised}":{value}"#)));
        }
        assert_refused(&with("act", r#"{"sub":"d","client_id":"0123456789abcdEF","sub":"d"}"#));
    }

    #[test]
    fn c1_c4_c5_instants_are_plain_digits_up_to_the_year_9999() {
        for member in ["iat", "nbf", "exp"] {
            for good in ["0", "253402300799"] {
                assert!(read(&with(member, good)).is_ok(), "{member} {good}");
            }
            for bad in [
                "\"100\"",
                "null",
                "true",
                "[100]",
                "{}",
                "-1",
                "-0",
                "1e2",
                "100.0",
                "100.5",
                "1e999",
                "253402300800",
                "18446744073709551616",
                "+100",
                "0x64",
            ] {
                assert_refused(&with(member, bad));
            }
        }
    }

    #[test]
    fn c6_to_c10_each_claim_has_its_own_type_and_shape() {
        for member in REQUIRED {
            let rest: Vec<_> = REQUIRED.into_iter().filter(|other| *other != member).collect();
            let mut claims: serde_json::Map<String, serde_json::Value> = serde_json::from_str(GOOD).expect("JSON");
            claims.retain(|name, _| rest.contains(&name.as_str()));
            assert_refused(&serde_json::to_string(&claims).expect("JSON"));
        }
        for member in REQUIRED.into_iter().chain(["entity", "ips", "act", "origin"]) {
            for bad in ["null", "true", "-1", "1.5", "{}", "[5]", "[]", r#"["dev_1"]"#] {
                assert_refused(&with(member, bad));
            }
        }
        for (member, bad) in [
            ("client_id", r#""short""#),
            ("jti", r#""""#),
            ("scope", r#"" a""#),
            ("developer", r#""""#),
            ("developer", r#"".""#),
            ("env", r#""Live""#),
            ("entity", r#""""#),
            ("entity", r#""a/b""#),
            ("entity", "5"),
            ("origin", r#""x""#),
            ("act", r#"{"sub":"d"}"#),
            ("act", r#"{"client_id":"0123456789abcdEF"}"#),
            ("act", r#"["d","0123456789abcdEF"]"#),
            ("ips", r#"["10.0.0.1"]"#),
            ("ips", r#"["10.0.0.0/33"]"#),
            ("gen", "\"1\""),
            ("epoch", "18446744073709551616"),
        ] {
            assert_refused(&with(member, bad));
        }
    }

    #[test]
    fn ips_are_one_to_sixteen_ranges() {
        let list = |count| format!("[{}]", vec!["\"2001:db8::/32\""; count].join(","));
        assert_refused(&with("ips", &list(0)));
        assert_eq!(read(&with("ips", &list(16))).expect("claims").allowed_ips.len(), 16);
        assert_refused(&with("ips", &list(17)));
    }

    #[test]
    fn j12_deep_nesting_in_an_ignored_claim_does_not_overflow_the_stack() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(read(&with("zz", &deep)).is_ok());
        assert_refused(&with("act", &deep));
    }
}
