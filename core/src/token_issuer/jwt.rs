//! Tokens signed by a key that this process holds.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{IssueError, TokenIssuer};
use crate::jose::{self, CompactToken, KeyError, MAX_TOKEN, SigningPair, VerifyingKey};
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
    // The header is the same in every token of a key.
    header: String,
}

impl JwtIssuer {
    /// An issuer that verifies with `verifying` and signs with `signer`. The signer's public half verifies too, whether
    /// or not it is listed.
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
            verifying.push(VerifyingKey::new(pair.public())?);
        }
        let signer =
            signer.map(|pair| Signer { header: jose::print_header(pair.public().algorithm(), pair.id()), pair });
        Ok(Self { verifying, signer })
    }

    fn sign(&self, claims: &AccessClaims) -> Result<SecretText, IssueError> {
        let Signer { pair, header } = self.signer.as_ref().ok_or(IssueError::NoKey)?;
        let payload = jose::print_claims(claims);
        let mut token = String::with_capacity(header.len() + payload.len() / 3 * 4 + 700);
        token.push_str(header);
        URL_SAFE_NO_PAD.encode_string(payload, &mut token);
        // A token is longer than what is signed: no signature is made for one that could not be used.
        if token.len() > MAX_TOKEN {
            return Err(IssueError::TooLong);
        }
        let signature = pair.sign(token.as_bytes()).map_err(|error| IssueError::Signer(Box::new(error)))?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        let token = SecretText::new(token);
        if token.expose().len() > MAX_TOKEN { Err(IssueError::TooLong) } else { Ok(token) }
    }
}

#[async_trait]
impl TokenIssuer for JwtIssuer {
    async fn issue(&self, claims: &AccessClaims) -> Result<SecretText, IssueError> {
        self.sign(claims)
    }

    fn verify(&self, token: &CompactToken<'_>) -> Result<SignedClaims, Rejection> {
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
