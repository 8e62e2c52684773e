//! Tokens signed by a key that this process holds.

use std::sync::Arc;

use async_trait::async_trait;

use super::{IssueError, TokenIssuer};
use crate::jose::base64url::{print_onto, printed_length};
use crate::jose::{self, CompactToken, KeyError, MAX_TOKEN, SigningPair, Typ, VerifyingKey};
use crate::model::{AccessClaims, PublicKey, Rejection, SecretText, SignedClaims, SigningKeyId};

/// Signs with one key and verifies with several, all parsed once.
#[derive(Debug)]
pub struct JwtIssuer {
    verifying: Vec<VerifyingKey>,
    signer: Option<Signer>,
}

#[derive(Debug)]
struct Signer {
    pair: Arc<SigningPair>,
    // The header is the same in every token of a key, and so is the signature's length in base64url.
    header: String,
    signature_length: usize,
}

impl JwtIssuer {
    /// An issuer that verifies with `verifying` and signs with `signer`. The signer's public half verifies too, whether
    /// or not it is listed, and by its provider then.
    ///
    /// # Errors
    /// [`KeyError::Repeated`] if two keys have the same id.
    pub fn new(mut verifying: Vec<VerifyingKey>, signer: Option<Arc<SigningPair>>) -> Result<Self, KeyError> {
        for (place, key) in verifying.iter().enumerate() {
            if verifying.iter().skip(place + 1).any(|other| other.id() == key.id()) {
                return Err(KeyError::Repeated(key.id().clone()));
            }
        }
        if let Some(pair) = &signer
            && !verifying.iter().any(|key| key.id() == pair.id())
        {
            verifying.push(VerifyingKey::new_with(pair.provider(), pair.public())?);
        }
        let signer = signer.map(|pair| Signer {
            header: jose::print_header(Typ::AccessToken, pair.public().algorithm(), pair.id()),
            signature_length: printed_length(pair.signature_length()),
            pair,
        });
        Ok(Self { verifying, signer })
    }

    fn sign(&self, claims: &AccessClaims<'_>) -> Result<SecretText, IssueError> {
        let Signer { pair, header, signature_length } = self.signer.as_ref().ok_or(IssueError::NoKey)?;
        let payload = jose::print_claims(claims);
        // A token is known to be too long before it is signed: no signature is made for one that could not be used.
        let length = header.len() + printed_length(payload.len()) + 1 + signature_length;
        if length > MAX_TOKEN {
            return Err(IssueError::TooLong);
        }
        let mut signed = Vec::with_capacity(length);
        signed.extend_from_slice(header.as_bytes());
        print_onto(&mut signed, payload.as_bytes());
        let token = pair.sign_compact(signed).map_err(|error| IssueError::Signer(Box::new(error)))?;
        Ok(SecretText::new(token))
    }
}

#[async_trait]
impl TokenIssuer for JwtIssuer {
    async fn issue(&self, claims: &AccessClaims<'_>) -> Result<SecretText, IssueError> {
        self.sign(claims)
    }

    fn verify<'t>(&self, token: &'t CompactToken<'_>) -> Result<SignedClaims<'t>, Rejection> {
        // An environment has a handful of keys: to look at each is quicker than to hash, and a `kid` is no secret.
        let key = self
            .verifying
            .iter()
            .find(|key| key.id().as_str() == token.key_id())
            .ok_or(Rejection::UnknownSigningKey)?;
        key.verify(token)?;
        Ok(SignedClaims { signing_key: key.id().clone(), claims: token.claims()? })
    }

    fn public_keys(&self) -> Vec<(SigningKeyId, PublicKey)> {
        self.verifying.iter().map(|key| (key.id().clone(), key.public().clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use futures_executor::block_on;

    use super::*;
    use crate::model::{Algorithm, DeveloperId, EnvironmentName, KeyId, ScopeSet, TokenId, UnixTime};

    fn pair(algorithm: Algorithm) -> Arc<SigningPair> {
        Arc::new(SigningPair::generate(algorithm).expect("a key").0)
    }

    fn key(pair: &SigningPair) -> VerifyingKey {
        VerifyingKey::new(pair.public()).expect("usable")
    }

    fn claims() -> AccessClaims<'static> {
        AccessClaims {
            issuer: "https://a.test/live".into(),
            audience: "https://a.test/live".into(),
            subject: "dev_1".into(),
            key: KeyId::parse("0123456789abcdEF").expect("an id"),
            issued_at: UnixTime::from_seconds(100),
            not_before: UnixTime::from_seconds(100),
            expires_at: UnixTime::from_seconds(1000),
            token: TokenId::parse("0123456789abcdefghijkl").expect("an id"),
            scopes: ScopeSet::parse("ledger:read").expect("a scope"),
            developer: DeveloperId::parse("dev_1").expect("an id"),
            entity: None,
            environment: EnvironmentName::LIVE,
            generation: 0,
            epoch: 0,
            allowed_ips: Vec::new(),
            delegation: None,
            origin: None,
        }
    }

    fn verify(issuer: &JwtIssuer, token: &str) -> Result<SignedClaims<'static>, Rejection> {
        let token = CompactToken::parse(token)?;
        issuer.verify(&token).map(SignedClaims::into_owned)
    }

    #[test]
    fn an_issued_token_verifies_to_its_claims_and_names_its_key() {
        for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
            let pair = pair(algorithm);
            let issuer = JwtIssuer::new(vec![key(&pair)], Some(Arc::clone(&pair))).expect("an issuer");
            let token = block_on(issuer.issue(&claims())).expect("issued");
            let signed = verify(&issuer, token.expose()).expect("verified");
            assert_eq!(signed.claims, claims());
            assert_eq!(&signed.signing_key, pair.id());
            assert_eq!(issuer.public_keys(), [(pair.id().clone(), pair.public().clone())]);
        }
    }

    #[test]
    fn a4_the_key_fixes_the_algorithm() {
        let pair = pair(Algorithm::EdDsa);
        let issuer = JwtIssuer::new(vec![key(&pair)], None).expect("an issuer");
        for name in
            ["ES256", "RS256", "PS256", "HS256", "HS512", "none", "None", "eddsa", "EDDSA", "EdDSA ", "Ed25519", ""]
        {
            let header = format!(r#"{{"alg":"{name}","typ":"at+jwt","kid":"{}"}}"#, pair.id());
            let signed = format!("{}.e30", URL_SAFE_NO_PAD.encode(header));
            let signature = URL_SAFE_NO_PAD.encode(pair.sign(signed.as_bytes()).expect("signed"));
            let refusal = verify(&issuer, &format!("{signed}.{signature}")).err();
            assert_eq!(refusal, Some(Rejection::AlgorithmMismatch), "{name}");
        }
    }

    #[test]
    fn a9_a21_a_token_of_a_key_that_is_not_held_is_refused_whatever_its_kid_says() {
        let (ours, theirs) = (pair(Algorithm::EdDsa), pair(Algorithm::EdDsa));
        let issuer = JwtIssuer::new(vec![key(&ours)], None).expect("an issuer");
        let foreign = JwtIssuer::new(Vec::new(), Some(Arc::clone(&theirs))).expect("an issuer");
        let token = block_on(foreign.issue(&claims())).expect("issued");
        assert_eq!(verify(&issuer, token.expose()).err(), Some(Rejection::UnknownSigningKey));
        let rest = token.expose().split_once('.').expect("dots").1;
        let signed =
            jose::print_header(Typ::AccessToken, Algorithm::EdDsa, ours.id()) + rest.split_once('.').expect("dots").0;
        let signature = URL_SAFE_NO_PAD.encode(theirs.sign(signed.as_bytes()).expect("signed"));
        assert_eq!(verify(&issuer, &format!("{signed}.{signature}")).err(), Some(Rejection::BadSignature));
        for kid in ["../../../dev/null", "' OR '1'='1", "", "no-such-key", &ours.id().as_str().to_uppercase()] {
            let header = format!(r#"{{"alg":"EdDSA","typ":"at+jwt","kid":"{kid}"}}"#);
            let token = format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header));
            assert_eq!(verify(&issuer, &token).err(), Some(Rejection::UnknownSigningKey), "{kid}");
        }
    }

    #[test]
    fn j2_no_token_over_8192_bytes_is_made() {
        let pair = pair(Algorithm::EdDsa);
        let issuer = JwtIssuer::new(Vec::new(), Some(pair)).expect("an issuer");
        let of_audience = |length| {
            let claims = AccessClaims { audience: "a".repeat(length).into(), ..claims() };
            block_on(issuer.issue(&claims))
        };
        let mut longest = 0;
        for length in 5000..7000 {
            match of_audience(length) {
                Ok(token) => {
                    assert!(token.expose().len() <= MAX_TOKEN && verify(&issuer, token.expose()).is_ok());
                    longest = token.expose().len();
                }
                Err(error) => {
                    assert!(matches!(error, IssueError::TooLong), "{error}");
                    break;
                }
            }
        }
        assert!(longest > MAX_TOKEN - 3, "{longest}");
    }

    #[test]
    fn an_issuer_without_a_private_key_verifies_and_never_issues() {
        let issuer = JwtIssuer::new(vec![key(&pair(Algorithm::EdDsa))], None).expect("an issuer");
        assert!(matches!(block_on(issuer.issue(&claims())), Err(IssueError::NoKey)));
    }

    #[test]
    fn a22_two_keys_with_one_id_are_refused() {
        let pair = pair(Algorithm::EdDsa);
        let twice = JwtIssuer::new(vec![key(&pair), key(&pair)], None).err();
        assert_eq!(twice, Some(KeyError::Repeated(pair.id().clone())));
    }

    #[test]
    fn the_debug_output_shows_no_private_key() {
        let issuer = JwtIssuer::new(Vec::new(), Some(pair(Algorithm::EdDsa))).expect("an issuer");
        assert!(format!("{issuer:?}").contains("SigningPair { id: "), "{issuer:?}");
    }
}
