//! The crates that people use instead, each as its documentation shows: keys parsed once, claims owned, `exp`, `nbf`,
//! `iss` and `aud` checked.

use std::collections::HashSet;

use jwt_simple::claims::{Audiences, Claims as SimpleClaims, JWTClaims};
use jwt_simple::prelude::{
    Duration, ECDSAP256KeyPairLike as _, ECDSAP256PublicKeyLike as _, ES256KeyPair, Ed25519KeyPair,
    EdDSAKeyPairLike as _, EdDSAPublicKeyLike as _, HS256Key, MACLike as _, RS256KeyPair, RSAKeyPairLike as _,
    RSAPublicKeyLike as _, UnixTimeStamp, VerificationOptions,
};

use crate::claims::{Claims, ISSUER, LIFETIME, OwnClaims, claims};
use crate::keys::{Algorithm, SECRET};

/// What reads a token, and finds it good.
pub trait Reads: Send + Sync + 'static {
    fn read(&self, token: &str) -> Option<Claims>;
}

macro_rules! jsonwebtoken {
    ($(#[$doc:meta])* $room:ident, $version:ident, $name:expr) => {
        $(#[$doc])*
        pub mod $room {
            use $version::{DecodingKey, EncodingKey, Header, Validation};

            use crate::claims::{Claims, ISSUER, claims};
            use crate::keys::{Algorithm, SECRET};

            /// As it is called in the tables.
            pub const NAME: &str = $name;

            /// What reads tokens.
            pub struct Reader(DecodingKey, Validation);

            impl Reader {
                pub fn new(algorithm: Algorithm) -> Self {
                    let key = match algorithm {
                        Algorithm::EdDsa => DecodingKey::from_ed_der(&algorithm.public()),
                        Algorithm::Es256 => DecodingKey::from_ec_der(&algorithm.public()),
                        Algorithm::Rs256 => DecodingKey::from_rsa_der(&algorithm.public()),
                        Algorithm::Hs256 => DecodingKey::from_secret(SECRET),
                    };
                    let mut validation = Validation::new(name(algorithm));
                    validation.set_audience(&[ISSUER]);
                    validation.set_issuer(&[ISSUER]);
                    validation.validate_nbf = true;
                    validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud"]);
                    Self(key, validation)
                }

            }

            impl super::Reads for Reader {
                #[inline]
                fn read(&self, token: &str) -> Option<Claims> {
                    $version::decode::<Claims>(token, &self.0, &self.1).ok().map(|token| token.claims)
                }
            }

            /// What signs tokens: their text.
            pub fn issue(algorithm: Algorithm) -> impl FnMut() -> String + use<> {
                let key = match algorithm {
                    Algorithm::EdDsa => EncodingKey::from_ed_pem(algorithm.pem().as_bytes()).expect("a key"),
                    Algorithm::Es256 => EncodingKey::from_ec_pem(algorithm.pem().as_bytes()).expect("a key"),
                    Algorithm::Rs256 => EncodingKey::from_rsa_pem(algorithm.pem().as_bytes()).expect("a key"),
                    Algorithm::Hs256 => EncodingKey::from_secret(SECRET),
                };
                let mut header = Header::new(name(algorithm));
                header.typ = Some("at+jwt".to_owned());
                header.kid = Some("a".repeat(43));
                let claims = claims();
                move || $version::encode(&header, &claims, &key).expect("issued")
            }

            fn name(algorithm: Algorithm) -> $version::Algorithm {
                match algorithm {
                    Algorithm::EdDsa => $version::Algorithm::EdDSA,
                    Algorithm::Es256 => $version::Algorithm::ES256,
                    Algorithm::Rs256 => $version::Algorithm::RS256,
                    Algorithm::Hs256 => $version::Algorithm::HS256,
                }
            }
        }
    };
}

jsonwebtoken! {
    /// jsonwebtoken 9, which stands on ring.
    nine, jsonwebtoken9, "jsonwebtoken 9 (ring)"
}
jsonwebtoken! {
    /// jsonwebtoken 11 on aws-lc-rs.
    eleven, jsonwebtoken11, "jsonwebtoken 11 (aws-lc-rs)"
}

/// A token with the claims of everybody's, signed with HS256.
pub fn hs256_token() -> String {
    nine::issue(Algorithm::Hs256)()
}

/// As it is called in the tables. On BoringSSL, which takes cmake and clang to build, its RSA is ten times as fast.
pub const SIMPLE: &str = "jwt-simple (pure Rust)";

/// What reads `token` with jwt-simple.
pub fn simple_verify(algorithm: Algorithm, token: String) -> Box<dyn FnMut() -> bool> {
    let only = || Some(HashSet::from([ISSUER.to_owned()]));
    let options = VerificationOptions { allowed_issuers: only(), allowed_audiences: only(), ..Default::default() };
    macro_rules! read {
        ($key:expr) => {{
            let key = $key;
            // It takes its options by value.
            Box::new(move || key.verify_token::<OwnClaims>(&token, Some(options.clone())).is_ok())
        }};
    }
    match algorithm {
        Algorithm::EdDsa => read!(Ed25519KeyPair::from_pem(algorithm.pem()).expect("a key").public_key()),
        Algorithm::Es256 => read!(ES256KeyPair::from_pem(algorithm.pem()).expect("a key").public_key()),
        Algorithm::Rs256 => read!(RS256KeyPair::from_pem(algorithm.pem()).expect("a key").public_key()),
        Algorithm::Hs256 => read!(HS256Key::from_bytes(SECRET)),
    }
}

/// What signs with jwt-simple. It takes the claims by value, so that a copy of them is part of each.
pub fn simple_issue(algorithm: Algorithm) -> Box<dyn FnMut() -> String> {
    let claims = simple_claims();
    macro_rules! sign {
        ($key:expr, $sign:ident) => {{
            let key = $key.with_key_id(&"a".repeat(43));
            Box::new(move || key.$sign(claims.clone()).expect("issued"))
        }};
    }
    match algorithm {
        Algorithm::EdDsa => sign!(Ed25519KeyPair::from_pem(algorithm.pem()).expect("a key"), sign),
        Algorithm::Es256 => sign!(ES256KeyPair::from_pem(algorithm.pem()).expect("a key"), sign),
        Algorithm::Rs256 => sign!(RS256KeyPair::from_pem(algorithm.pem()).expect("a key"), sign),
        Algorithm::Hs256 => sign!(HS256Key::from_bytes(SECRET), authenticate),
    }
}

fn simple_claims() -> JWTClaims<OwnClaims> {
    let ours = claims();
    let own = OwnClaims {
        client_id: ours.client_id,
        scope: ours.scope,
        developer: ours.developer,
        entity: ours.entity,
        env: ours.env,
        generation: ours.generation,
        epoch: ours.epoch,
    };
    let mut claims = SimpleClaims::with_custom_claims(own, Duration::from_secs(LIFETIME));
    let now = UnixTimeStamp::from_secs(ours.iat);
    (claims.issued_at, claims.invalid_before) = (Some(now), Some(now));
    claims.issuer = Some(ours.iss);
    claims.subject = Some(ours.sub);
    claims.audiences = Some(Audiences::AsString(ours.aud));
    claims.jwt_id = Some(ours.jti);
    claims
}
