//! Public keys as JSON: key sets (RFC 7517), single parameters (RFC 7518 §6, RFC 8037 §2) and thumbprints (RFC 7638).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{
    AlgorithmParameters, CommonParameters, EllipticCurve, EllipticCurveKeyParameters, EllipticCurveKeyType, Jwk,
    JwkSet, KeyOperations, OctetKeyPairParameters, OctetKeyPairType, PublicKeyUse, RSAKeyParameters, RSAKeyType,
};

use super::{KeyError, VerifyingKey, provider, ring};
use crate::model::{PublicKey, SigningKeyId};

/// The RFC 7638 thumbprint of `key`, by SHA-256: the id of every key of ours.
#[must_use]
#[expect(clippy::expect_used, reason = "the invariant is stated")]
pub fn thumbprint(key: &PublicKey) -> SigningKeyId {
    // RFC 7638 §3.2: the required members alone, in lexicographic order, without white space. base64url needs no escapes.
    let members = match key {
        PublicKey::Ed25519(x) => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, print(x)),
        PublicKey::P256(point) => {
            let (x, y) = coordinates(point);
            format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, print(x), print(y))
        }
        PublicKey::Rsa { n, e } => format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, print(e), print(n)),
    };
    SigningKeyId::parse(&print(&ring::sha256(members.as_bytes())))
        .expect("INVARIANT: 32 bytes are 43 characters of base64url, which a key id allows")
}

/// How long whoever reads a published key set may go on using it (`max-age`, RFC 9111 §5.2.2.1): 300 s.
pub const KEY_SET_MAX_AGE: Duration = Duration::from_secs(300);

/// The key set of `keys` (RFC 7517 §5), each with `kid`, `alg` and `use` `sig`.
#[must_use]
pub fn key_set(keys: &[(SigningKeyId, PublicKey)]) -> String {
    let keys = keys.iter().map(|(id, key)| print_key(id, key)).collect();
    // INVARIANT: a set of texts always has a JSON form; were it not so, an empty set lets nobody in.
    serde_json::to_string(&JwkSet { keys }).unwrap_or_else(|_| r#"{"keys":[]}"#.to_owned())
}

fn print_key(id: &SigningKeyId, key: &PublicKey) -> Jwk {
    let common = CommonParameters {
        public_key_use: Some(PublicKeyUse::Signature),
        key_algorithm: Some(provider::name(key.algorithm()).into()),
        key_id: Some(id.as_str().to_owned()),
        ..CommonParameters::default()
    };
    let algorithm = match key {
        PublicKey::Ed25519(x) => AlgorithmParameters::OctetKeyPair(OctetKeyPairParameters {
            key_type: OctetKeyPairType::OctetKeyPair,
            curve: EllipticCurve::Ed25519,
            x: print(x),
        }),
        PublicKey::P256(point) => {
            let (x, y) = coordinates(point);
            AlgorithmParameters::EllipticCurve(EllipticCurveKeyParameters {
                key_type: EllipticCurveKeyType::EC,
                curve: EllipticCurve::P256,
                x: print(x),
                y: print(y),
            })
        }
        PublicKey::Rsa { n, e } => {
            AlgorithmParameters::RSA(RSAKeyParameters { key_type: RSAKeyType::RSA, n: print(n), e: print(e) })
        }
    };
    Jwk { common, algorithm }
}

/// The keys of a key set (RFC 7517 §5). A set that holds a key which must not or cannot be used is refused whole.
///
/// # Errors
/// [`KeyError::KeySet`] for malformed JSON, a member twice, an empty set, equal `kid`s or keys, a private part, a
/// secret key, a `use` other than `sig`, `key_ops` without `verify`, or an `alg` that is not the key's;
/// [`KeyError`] as [`VerifyingKey::new`] for a key of another kind or size.
pub fn parse_key_set(json: &str) -> Result<Vec<PublicKey>, KeyError> {
    let RawSet { keys } = serde_json::from_str(json).map_err(|error| unreadable(&error))?;
    if keys.is_empty() {
        return Err(refused("it holds no key"));
    }
    let mut names: Vec<String> = Vec::new();
    let mut public: Vec<VerifyingKey> = Vec::new();
    for raw in keys {
        raw.check()?;
        let jwk = raw.typed()?;
        let key = VerifyingKey::new(&parse_key(&jwk)?)?;
        if public.iter().any(|other| other.id() == key.id()) {
            return Err(KeyError::Repeated(key.id().clone()));
        }
        public.push(key);
        if let Some(name) = jwk.common.key_id {
            if names.contains(&name) {
                return Err(refused("two keys have the same `kid`"));
            }
            names.push(name);
        }
    }
    Ok(public.into_iter().map(|key| key.public().clone()).collect())
}

/// The public key in `jwk`, its use and algorithm checked, its numbers not yet.
fn parse_key(jwk: &Jwk) -> Result<PublicKey, KeyError> {
    let CommonParameters { public_key_use, key_operations, key_algorithm, .. } = &jwk.common;
    if !matches!(public_key_use, None | Some(PublicKeyUse::Signature)) {
        return Err(refused("a key's `use` is not `sig`"));
    }
    if key_operations.as_ref().is_some_and(|allowed| !allowed.contains(&KeyOperations::Verify)) {
        return Err(refused("a key's `key_ops` does not hold `verify`"));
    }
    let key = match &jwk.algorithm {
        AlgorithmParameters::OctetKeyPair(OctetKeyPairParameters { curve: EllipticCurve::Ed25519, x, .. }) => {
            PublicKey::Ed25519(parse(x)?.try_into().map_err(|_| KeyError::PublicKey { kind: "Ed25519" })?)
        }
        AlgorithmParameters::EllipticCurve(EllipticCurveKeyParameters { curve: EllipticCurve::P256, x, y, .. }) => {
            PublicKey::P256(point(&parse(x)?, &parse(y)?).ok_or(KeyError::PublicKey { kind: "P-256" })?)
        }
        AlgorithmParameters::EllipticCurve(EllipticCurveKeyParameters { curve: EllipticCurve::P384, .. }) => {
            return Err(KeyError::Unsupported { kind: "P-384" });
        }
        AlgorithmParameters::EllipticCurve(EllipticCurveKeyParameters { curve: EllipticCurve::P521, .. }) => {
            return Err(KeyError::Unsupported { kind: "P-521" });
        }
        AlgorithmParameters::RSA(RSAKeyParameters { n, e, .. }) => PublicKey::Rsa { n: parse(n)?, e: parse(e)? },
        AlgorithmParameters::OctetKey(_) => return Err(refused("it holds a secret key")),
        _ => return Err(KeyError::Unsupported { kind: "a key of the set" }),
    };
    match key_algorithm {
        Some(name) if *name != provider::name(key.algorithm()).into() => Err(refused("a key's `alg` is not the key's")),
        _ => Ok(key),
    }
}

/// A key set before jsonwebtoken's types, which drop private parts and repeated members in silence.
#[derive(serde::Deserialize)]
struct RawSet {
    keys: Vec<RawKey>,
}

/// A key's members in their order, repeated ones included.
struct RawKey(Vec<(String, serde_json::Value)>);

impl RawKey {
    fn check(&self) -> Result<(), KeyError> {
        for (place, (name, _)) in self.0.iter().enumerate() {
            if self.0.iter().skip(place + 1).any(|(other, _)| other == name) {
                return Err(refused("a key has a member twice"));
            }
            match name.as_str() {
                "d" | "p" | "q" | "dp" | "dq" | "qi" | "oth" | "priv" => {
                    return Err(refused("it holds a private key: publish the public part alone"));
                }
                "k" => return Err(refused("it holds a secret key")),
                _ => {}
            }
        }
        Ok(())
    }

    fn typed(self) -> Result<Jwk, KeyError> {
        let members = self.0.into_iter().collect();
        serde_json::from_value(serde_json::Value::Object(members)).map_err(|_| refused("a key is malformed"))
    }
}

impl<'de> serde::Deserialize<'de> for RawKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> serde::de::Visitor<'de> for Object {
            type Value = RawKey;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a key as an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<RawKey, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(RawKey(members))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

fn refused(why: impl Into<String>) -> KeyError {
    KeyError::KeySet(why.into())
}

/// Says where, and never what: serde's own words repeat the text, and with it what may be a private part.
fn unreadable(error: &serde_json::Error) -> KeyError {
    let what = if error.is_data() { "no object whose `keys` is a list of objects" } else { "no JSON" };
    refused(format!("it is {what} (line {}, column {})", error.line(), error.column()))
}

fn print(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn parse(text: &str) -> Result<Vec<u8>, KeyError> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| refused("a key's number is not base64url"))
}

/// The coordinates of an uncompressed point.
fn coordinates(point: &[u8; 65]) -> (&[u8], &[u8]) {
    let [_, coordinates @ ..] = point;
    coordinates.split_at(32)
}

/// The uncompressed point with these coordinates, 32 bytes each (RFC 7518 §6.2.1.2).
fn point(x: &[u8], y: &[u8]) -> Option<[u8; 65]> {
    if x.len() != 32 || y.len() != 32 {
        return None;
    }
    [&[4], x, y].concat().try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::SigningPair;
    use crate::model::Algorithm;

    /// RFC 8037 §A.2.
    const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    fn set(keys: &[&str]) -> String {
        format!(r#"{{"keys":[{}]}}"#, keys.join(","))
    }

    fn okp(more: &str) -> String {
        format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{X}"{more}}}"#)
    }

    #[test]
    fn the_thumbprint_is_that_of_rfc_8037() {
        let key = PublicKey::Ed25519(parse(X).expect("base64url").try_into().expect("32 bytes"));
        assert_eq!(thumbprint(&key).as_str(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn a_key_set_reads_back_as_it_was_printed() {
        let keys: Vec<_> = [Algorithm::EdDsa, Algorithm::Es256, Algorithm::EdDsa]
            .map(|algorithm| SigningPair::generate(algorithm).expect("a key").0)
            .iter()
            .map(|pair| (pair.id().clone(), pair.public().clone()))
            .collect();
        let json = key_set(&keys);
        let public: Vec<_> = keys.iter().map(|(_, key)| key.clone()).collect();
        assert_eq!(parse_key_set(&json), Ok(public));
        let printed: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        for ((id, key), printed) in keys.iter().zip(printed["keys"].as_array().expect("a list")) {
            assert_eq!(printed["kid"], id.as_str());
            assert_eq!(printed["alg"], key.algorithm().name());
            assert_eq!(printed["use"], "sig");
            assert!(printed.get("d").is_none());
        }
        assert_eq!(key_set(&[]), r#"{"keys":[]}"#);
    }

    #[test]
    fn a22_a_set_with_equal_kids_private_parts_or_secret_keys_is_refused() {
        let other = SigningPair::generate(Algorithm::EdDsa).expect("a key").0;
        let other = key_set(&[(other.id().clone(), other.public().clone())]);
        let other = other.trim_start_matches(r#"{"keys":["#).trim_end_matches("]}");
        let kid = |id: &str| format!(r#","kid":"{id}""#);
        assert_eq!(parse_key_set(&set(&[&okp(&kid("a")), other])).map(|keys| keys.len()), Ok(2));
        let same = other.replace(thumb(other), "a");
        let cases = [
            set(&[]),
            set(&[&okp(&kid("a")), &same]),
            set(&[&okp(&kid("a")), &okp(&kid("b"))]),
            set(&[&okp(r#","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A""#)]),
            set(&[&okp(r#","d":null"#)]),
            set(&[r#"{"kty":"oct","alg":"HS256","k":"hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg"}"#]),
            set(&[&okp(""), r#"{"kty":"oct","k":"hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg"}"#]),
            set(&[&okp(r#","use":"enc""#)]),
            set(&[&okp(r#","key_ops":["encrypt"]"#)]),
            set(&[&okp(r#","alg":"ES256""#)]),
            set(&[&okp(r#","alg":"ML-DSA-44""#)]),
            set(&[&okp(&format!(r#","x":"{X}""#))]),
            set(&[&okp("").replace("OKP", "RSA")]),
            set(&[&okp("").replace(X, &format!("{X}="))]),
            set(&[&okp("").replace(X, "AAAA")]),
            set(&[r#""key""#]),
            set(&[r#"["OKP"]"#]),
            okp(""),
            format!("{}x", set(&[&okp("")])),
            format!(r#"{{"keys":[{}],"keys":[]}}"#, okp("")),
        ];
        for json in cases {
            assert!(parse_key_set(&json).is_err(), "{json}");
        }
        assert!(parse_key_set(&set(&[&okp(r#","use":"sig","alg":"EdDSA","key_ops":["verify"]"#)])).is_ok());
    }

    fn thumb(key: &str) -> &str {
        let (_, rest) = key.split_once(r#""kid":""#).expect("a kid");
        rest.split_once('"').expect("its end").0
    }
}
