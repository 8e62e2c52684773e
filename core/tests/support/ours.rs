//! Verifiers with one key, one for each provider, and tokens of any header and payload that this key signed.
#![allow(dead_code, unreachable_pub, reason = "every test crate takes what it needs")]

use std::sync::Arc;

use latchbook_core::jose::{CompactToken, SignatureProvider, SigningPair, VerifyingKey};
use latchbook_core::model::{Algorithm, Rejection, SignedClaims};
use latchbook_core::token_issuer::{JwtIssuer, TokenIssuer as _};

use super::encode;

/// A signing key and its verifiers.
pub struct Ours {
    pub pair: Arc<SigningPair>,
    issuers: Vec<JwtIssuer>,
}

impl Ours {
    pub fn new() -> Self {
        let pair = Arc::new(SigningPair::generate(Algorithm::EdDsa).unwrap().0);
        let verifier = |provider: &SignatureProvider| {
            JwtIssuer::new(vec![VerifyingKey::new_with(*provider, pair.public()).unwrap()], None).unwrap()
        };
        Self { issuers: SignatureProvider::ALL.iter().map(verifier).collect(), pair }
    }

    pub fn header(&self) -> String {
        format!(r#"{{"alg":"EdDSA","typ":"at+jwt","kid":"{}"}}"#, self.pair.id())
    }

    /// A token of any header and payload, rightly signed.
    pub fn sign(&self, header: &[u8], payload: &[u8]) -> String {
        let signed = format!("{}.{}", encode(header), encode(payload));
        let signature = self.pair.sign(signed.as_bytes()).unwrap();
        format!("{signed}.{}", encode(signature))
    }

    /// The verdict, which is the same with every provider.
    pub fn verify(&self, token: &str) -> Result<SignedClaims<'static>, Rejection> {
        let token = CompactToken::parse(token)?;
        let mut verdicts = self.issuers.iter().map(|issuer| issuer.verify(&token));
        let first = verdicts.next().expect("ring");
        for other in verdicts {
            assert_eq!(format!("{other:?}"), format!("{first:?}"));
        }
        first.map(SignedClaims::into_owned)
    }
}

/// Good claims, without the closing brace.
pub const CLAIMS: &str = r#"{"iss":"https://a.test/live","aud":"https://a.test/live","sub":"dev_1","client_id":"0123456789abcdEF","iat":100,"nbf":100,"exp":1000,"jti":"0123456789abcdefghijkl","scope":"a","developer":"dev_1","env":"live","gen":0,"epoch":0"#;
