//! Other implementations as judges: ed25519-dalek, p256, and jsonwebtoken's own `encode` and `decode`.
//!
//! A process of its own, because jsonwebtoken's provider is process-wide and is installed here, as a binary might.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use std::sync::{Arc, Once};

use ed25519_dalek::pkcs8::DecodePrivateKey as _;
use futures_executor::block_on;
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result};
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation};
use latchbook_core::jose::{CompactToken, SignatureProvider, SigningPair, VerifyingKey, print_claims};
use latchbook_core::model::{
    AccessClaims, Algorithm, DeveloperId, EnvironmentName, KeyId, PublicKey, ScopeSet, SecretBytes, TokenId, UnixTime,
};
use latchbook_core::token_issuer::{JwtIssuer, TokenIssuer as _};
use p256::ecdsa::signature::{Signer as _, Verifier as _};
use serde_json::Value;
use support::encode;

const ISSUER: &str = "https://a.test/live";

fn claims() -> AccessClaims<'static> {
    AccessClaims {
        issuer: ISSUER.into(),
        audience: ISSUER.into(),
        subject: "dev_1".into(),
        key: KeyId::parse("0123456789abcdEF").unwrap(),
        issued_at: UnixTime::from_seconds(100),
        not_before: UnixTime::from_seconds(100),
        expires_at: UnixTime::MAX,
        token: TokenId::parse("0123456789abcdefghijkl").unwrap(),
        scopes: ScopeSet::parse("ledger:read").unwrap(),
        developer: DeveloperId::parse("dev_1").unwrap(),
        entity: None,
        environment: EnvironmentName::LIVE,
        generation: 0,
        epoch: 0,
        allowed_ips: Vec::new(),
        delegation: None,
        origin: None,
    }
}

/// A fresh key of each provider, its DER, its issuer and a token of it.
fn issued(algorithm: Algorithm) -> impl Iterator<Item = (Arc<SigningPair>, SecretBytes, JwtIssuer, String)> {
    SignatureProvider::ALL.iter().map(move |provider| {
        let (pair, der) = SigningPair::generate_with(*provider, algorithm).unwrap();
        let pair = Arc::new(pair);
        let issuer = JwtIssuer::new(Vec::new(), Some(Arc::clone(&pair))).unwrap();
        let token = block_on(issuer.issue(&claims())).unwrap().expose().to_owned();
        (pair, der, issuer, token)
    })
}

fn verifiers(public: &PublicKey) -> Vec<VerifyingKey> {
    SignatureProvider::ALL.iter().map(|provider| VerifyingKey::new_with(*provider, public).unwrap()).collect()
}

#[test]
fn ed25519_dalek_verifies_our_tokens_and_signs_tokens_that_we_verify() {
    for (pair, _, _, token) in issued(Algorithm::EdDsa) {
        let PublicKey::Ed25519(public) = pair.public() else { panic!("another kind") };
        let parsed = CompactToken::parse(&token).unwrap();
        let judge = ed25519_dalek::VerifyingKey::from_bytes(public).unwrap();
        let signature = ed25519_dalek::Signature::from_slice(parsed.signature()).unwrap();
        judge.verify_strict(parsed.signed_part(), &signature).unwrap();
    }

    let theirs = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
    for key in verifiers(&PublicKey::Ed25519(theirs.verifying_key().to_bytes())) {
        let signed = signed_part("EdDSA", &key);
        assert_verified(key, &signed, &theirs.sign(signed.as_bytes()).to_bytes());
    }
}

#[test]
fn ed25519_dalek_reads_the_same_public_key_from_our_der() {
    for (pair, der, ..) in issued(Algorithm::EdDsa) {
        let theirs = ed25519_dalek::SigningKey::from_pkcs8_der(der.expose()).unwrap();
        assert_eq!(pair.public(), &PublicKey::Ed25519(theirs.verifying_key().to_bytes()));
    }
}

#[test]
fn p256_verifies_our_tokens_and_signs_tokens_that_we_verify() {
    for (pair, _, _, token) in issued(Algorithm::Es256) {
        let PublicKey::P256(public) = pair.public() else { panic!("another kind") };
        let parsed = CompactToken::parse(&token).unwrap();
        let judge = p256::ecdsa::VerifyingKey::from_sec1_bytes(public).unwrap();
        let signature = p256::ecdsa::Signature::from_slice(parsed.signature()).unwrap();
        judge.verify(parsed.signed_part(), &signature).unwrap();
    }

    let theirs = p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap();
    let point = theirs.verifying_key().to_encoded_point(false).as_bytes().try_into().unwrap();
    for key in verifiers(&PublicKey::P256(point)) {
        let signed = signed_part("ES256", &key);
        let signature: p256::ecdsa::Signature = theirs.sign(signed.as_bytes());
        assert_verified(key, &signed, &signature.to_bytes());
    }
}

fn signed_part(algorithm: &str, key: &VerifyingKey) -> String {
    let header = format!(r#"{{"kid":"{}","alg":"{algorithm}","typ":"at+jwt"}}"#, key.id());
    format!("{}.{}", encode(header), encode(print_claims(&claims())))
}

fn assert_verified(key: VerifyingKey, signed: &str, signature: &[u8]) {
    let issuer = JwtIssuer::new(vec![key], None).unwrap();
    let token = format!("{signed}.{}", encode(signature));
    assert_eq!(issuer.verify(&CompactToken::parse(&token).unwrap()).unwrap().claims, claims());
}

#[test]
#[expect(clippy::disallowed_methods, reason = "jsonwebtoken's own `decode` is the judge, in a process of its own")]
fn jsonwebtoken_decodes_our_tokens_and_refuses_changed_ones() {
    install();
    for (pair, _, _, token) in issued(Algorithm::EdDsa).chain(issued(Algorithm::Es256)) {
        let (key, name) = match pair.public() {
            PublicKey::Ed25519(key) => (DecodingKey::from_ed_der(key), jsonwebtoken::Algorithm::EdDSA),
            PublicKey::P256(point) => (DecodingKey::from_ec_der(point), jsonwebtoken::Algorithm::ES256),
            PublicKey::Rsa { .. } => panic!("another kind"),
        };
        let mut validation = Validation::new(name);
        validation.set_audience(&[ISSUER]);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "nbf", "aud", "iss", "sub"]);
        let decoded = jsonwebtoken::decode::<Value>(&token, &key, &validation).unwrap();
        assert_eq!(decoded.header.typ.as_deref(), Some("at+jwt"));
        assert_eq!(decoded.header.kid.as_deref(), Some(pair.id().as_str()));
        assert_eq!(decoded.claims, serde_json::from_str::<Value>(&print_claims(&claims())).unwrap());

        let changed = token.replacen('.', ".e", 1);
        assert!(jsonwebtoken::decode::<Value>(&changed, &key, &validation).is_err());
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "jsonwebtoken's own `encode` is the judge, in a process of its own")]
fn we_verify_what_jsonwebtoken_encodes() {
    install();
    for (pair, der, issuer, _) in issued(Algorithm::EdDsa).chain(issued(Algorithm::Es256)) {
        let (key, name) = match pair.public().algorithm() {
            Algorithm::EdDsa => (EncodingKey::from_ed_der(der.expose()), jsonwebtoken::Algorithm::EdDSA),
            _ => (EncodingKey::from_ec_der(der.expose()), jsonwebtoken::Algorithm::ES256),
        };
        let mut header = Header::new(name);
        header.typ = Some("at+jwt".into());
        header.kid = Some(pair.id().to_string());
        let claims_json: Value = serde_json::from_str(&print_claims(&claims())).unwrap();
        let token = jsonwebtoken::encode(&header, &claims_json, &key).unwrap();
        assert_eq!(issuer.verify(&CompactToken::parse(&token).unwrap()).unwrap().claims, claims());
    }
}

#[expect(clippy::disallowed_methods, reason = "this process is a binary of its own, and may choose")]
fn install() {
    static OURS: CryptoProvider =
        CryptoProvider { signer_factory: signer, verifier_factory: verifier, key_utils: KeyUtils::new_unimplemented() };
    static ONCE: Once = Once::new();
    ONCE.call_once(|| OURS.install_default().expect("nothing was installed before"));
}

fn signer(_: &jsonwebtoken::Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>> {
    let pair = SigningPair::from_pkcs8(&SecretBytes::new(key.as_bytes().to_vec()));
    Ok(Box::new(pair.map_err(|_| ErrorKind::InvalidKeyFormat)?))
}

fn verifier(name: &jsonwebtoken::Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    let bytes = key.try_get_as_bytes()?;
    let public = match name {
        jsonwebtoken::Algorithm::EdDSA => bytes.try_into().map(PublicKey::Ed25519),
        _ => bytes.try_into().map(PublicKey::P256),
    };
    let public = public.map_err(|_| ErrorKind::InvalidKeyFormat)?;
    Ok(Box::new(VerifyingKey::new(&public).map_err(|_| ErrorKind::InvalidKeyFormat)?))
}
