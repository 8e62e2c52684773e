//! The payload of a token, printed as JSON (RFC 7519 §4).

use std::borrow::Cow;
use std::fmt::Write as _;

use itoa::Buffer;

use crate::model::AccessClaims;

/// The payload's JSON. Reading it back gives `claims`.
#[must_use]
pub fn print_claims(claims: &AccessClaims<'_>) -> String {
    // By hand, because this is half of what a token costs besides its signature. Ids, scopes, environments and IP ranges
    // hold nothing that JSON escapes: their types see to it.
    let [iss, aud, sub] = [&*claims.issuer, &*claims.audience, &*claims.subject].map(escaped);
    let [mut iat, mut nbf, mut exp, mut generation, mut epoch] = [(); 5].map(|()| Buffer::new());
    let mut json = String::with_capacity(TYPICAL);
    json.extend([
        r#"{"iss":""#,
        &*iss,
        r#"","aud":""#,
        &*aud,
        r#"","sub":""#,
        &*sub,
        r#"","client_id":""#,
        claims.key.as_str(),
        r#"","iat":"#,
        iat.format(claims.issued_at.seconds()),
        r#","nbf":"#,
        nbf.format(claims.not_before.seconds()),
        r#","exp":"#,
        exp.format(claims.expires_at.seconds()),
        r#","jti":""#,
        claims.token.as_str(),
        r#"","scope":""#,
    ]);
    show(&mut json, format_args!("{}", claims.scopes));
    json.extend([r#"","developer":""#, claims.developer.as_str()]);
    if let Some(entity) = &claims.entity {
        json.extend([r#"","entity":""#, entity.as_str()]);
    }
    json.extend([
        r#"","env":""#,
        claims.environment.as_str(),
        r#"","gen":"#,
        generation.format(claims.generation),
        r#","epoch":"#,
        epoch.format(claims.epoch),
    ]);
    if let Some((first, others)) = claims.allowed_ips.split_first() {
        show(&mut json, format_args!(r#","ips":["{first}""#));
        others.iter().for_each(|range| show(&mut json, format_args!(r#","{range}""#)));
        json.push(']');
    }
    if let Some(from) = &claims.delegation {
        let members = [r#","act":{"sub":""#, from.developer.as_str(), r#"","client_id":""#, from.key.as_str(), r#""}"#];
        json.extend(members);
    }
    if let Some(origin) = &claims.origin {
        json.extend([r#","origin":""#, origin.as_str(), "\""]);
    }
    json.push('}');
    json
}

/// Room for most payloads, in bytes: ours have about 450.
const TYPICAL: usize = 512;

/// What stands between the quotes of a JSON text (RFC 8259 §7).
fn escaped(text: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
    // Without an early end: so it looks at many bytes at once.
    if text.bytes().fold(true, |all, byte| all & is_plain(byte)) {
        return Cow::Borrowed(text);
    }
    // INVARIANT: a text always has a JSON form in quotes; were it not so, no reader would take the payload for ours.
    let quoted = serde_json::to_string(text).unwrap_or_default();
    Cow::Owned(quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned())
}

fn show(json: &mut String, text: std::fmt::Arguments<'_>) {
    // To write into a `String` never fails.
    let _ = json.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        Delegation, DeveloperId, EntityId, EnvironmentName, KeyId, ScopeSet, ScopeToken, TokenId, UnixTime,
    };

    #[test]
    fn claims_have_one_spelling_and_those_that_are_not_there_leave_nothing_behind() {
        let key = KeyId::parse("0123456789abcdEF").expect("an id");
        let token = TokenId::parse("0123456789abcdefghijkl").expect("an id");
        let developer = DeveloperId::parse("dev_1").expect("an id");
        let bare = AccessClaims {
            issuer: "https://a.test/live".into(),
            audience: "ä \"b\"\\\n\u{7f}".into(),
            subject: "".into(),
            key,
            issued_at: UnixTime::from_seconds(0),
            not_before: UnixTime::from_seconds(100),
            expires_at: UnixTime::MAX,
            token,
            scopes: ScopeSet::EMPTY,
            developer: developer.clone(),
            entity: None,
            environment: EnvironmentName::LIVE,
            generation: 7,
            epoch: u64::MAX,
            allowed_ips: Vec::new(),
            delegation: None,
            origin: None,
        };
        assert_eq!(
            print_claims(&bare),
            concat!(
                r#"{"iss":"https://a.test/live","aud":"ä \"b\"\\\n"#,
                "\u{7f}",
                r#"","sub":"","client_id":"0123456789abcdEF","iat":0,"nbf":100,"exp":253402300799,"#,
                r#""jti":"0123456789abcdefghijkl","scope":"","developer":"dev_1","env":"live","gen":7,"#,
                r#""epoch":18446744073709551615}"#,
            )
        );
        let full = AccessClaims {
            audience: "b".into(),
            subject: "e~1".into(),
            scopes: ["b", "a:c"].map(|scope| ScopeToken::parse(scope).expect("a scope")).into_iter().collect(),
            entity: Some(EntityId::parse("e~1").expect("an id")),
            allowed_ips: ["10.0.0.0/8", "2001:db8::/32"].map(|range| range.parse().expect("a range")).to_vec(),
            delegation: Some(Delegation { developer, key }),
            origin: Some(token),
            ..bare
        };
        assert_eq!(
            print_claims(&full),
            concat!(
                r#"{"iss":"https://a.test/live","aud":"b","sub":"e~1","client_id":"0123456789abcdEF","iat":0,"nbf":100,"#,
                r#""exp":253402300799,"jti":"0123456789abcdefghijkl","scope":"a:c b","developer":"dev_1","#,
                r#""entity":"e~1","env":"live","gen":7,"epoch":18446744073709551615,"ips":["10.0.0.0/8","2001:db8::/32"],"#,
                r#""act":{"sub":"dev_1","client_id":"0123456789abcdEF"},"origin":"0123456789abcdefghijkl"}"#,
            )
        );
        let controls = AccessClaims { audience: "\u{0}\t\"\u{1f} /".into(), ..full };
        let printed: serde_json::Value = serde_json::from_str(&print_claims(&controls)).expect("JSON");
        assert_eq!(printed["aud"], *controls.audience);
    }
}
