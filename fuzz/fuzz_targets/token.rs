//! The access token: its compact form, its claims, and the checks that follow a right signature.
#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use latchbook_core::check::{Expected, Revocations, TokenPolicy, TokenUse, check_identity, check_use};
use latchbook_core::jose::{CompactToken, MAX_TOKEN, print_claims};
use latchbook_core::model::{AccessClaims, EnvironmentName, SignedClaims, SigningKeyId, Source, UnixTime};
use libfuzzer_sys::fuzz_target;

const HEADER: &str = r#"{"alg":"EdDSA","typ":"at+jwt","kid":"kid"}"#;

fuzz_target!(|data: &[u8]| {
    // As a whole token.
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(token) = CompactToken::parse(text)
    {
        assert!(text.len() <= MAX_TOKEN);
        assert!(text.as_bytes().starts_with(token.signed_part()));
        assert_eq!(text.split('.').map(respelled).collect::<Vec<_>>().join("."), text, "one token has one spelling");
        read(&token);
    }
    // As the payload of a token, and as its header.
    let (header, payload) = (URL_SAFE_NO_PAD.encode(HEADER), URL_SAFE_NO_PAD.encode(data));
    let text = format!("{header}.{payload}.AAAA");
    match CompactToken::parse(&text) {
        Ok(token) => read(&token),
        Err(_) => assert!(data.is_empty() || text.len() > MAX_TOKEN),
    }
    let _ = CompactToken::parse(&format!("{payload}.e30.AAAA"));
});

fn respelled(part: &str) -> String {
    URL_SAFE_NO_PAD.encode(URL_SAFE_NO_PAD.decode(part).expect("canonical base64url"))
}

fn read(token: &CompactToken<'_>) {
    let Ok(claims) = token.claims() else { return };
    let header = URL_SAFE_NO_PAD.encode(HEADER);
    let printed = format!("{header}.{}.AAAA", URL_SAFE_NO_PAD.encode(print_claims(&claims)));
    // What is printed without spaces could still be longer than what was read: a number of escapes go the other way.
    if let Ok(again) = CompactToken::parse(&printed) {
        assert_eq!(again.claims().as_ref(), Ok(&claims), "printing and reading is identity");
    }
    check(claims);
}

/// As if the token came to the environment that it names, at each instant that it names.
fn check(claims: AccessClaims<'_>) {
    let (issuer, audience) = (claims.issuer.clone(), claims.audience.clone());
    let instants = [UnixTime::EPOCH, claims.not_before, claims.issued_at, claims.expires_at, UnixTime::MAX];
    let ends = claims.expires_at;
    let expected = Expected { issuer: &issuer, audience: &audience, environment: claims.environment };
    let foreign = EnvironmentName::parse("elsewhere").expect("a name");
    let signed = SignedClaims { signing_key: SigningKeyId::parse("kid").expect("an id"), claims };
    if expected.environment != foreign {
        assert!(check_identity(signed.clone(), &Expected { environment: foreign, ..expected }).is_err());
    }
    let Ok(token) = check_identity(signed, &expected) else { return };
    let (policy, revocations) = (TokenPolicy::default(), Revocations::default());
    for now in instants {
        let using = TokenUse { now, policy: &policy, source: Source::UNKNOWN, revocations: &revocations };
        if check_use(&token, &using).is_ok() {
            assert!(now < ends && token.allowed_ips().is_empty());
        }
    }
}
