//! Whether an access token is one of ours: what does not change while it lives.

use std::sync::Arc;

use ipnet::IpNet;

use crate::model::{
    AccessClaims, DeveloperRef, EntityId, EnvironmentName, KeyId, Rejection, ScopeSet, SignedClaims, TokenId, UnixTime,
};

/// What a token must say about where it belongs: each the value of the environment whose key signed it.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The environment's issuer (`iss`).
    pub issuer: &'a str,
    /// The environment's audience (`aud`).
    pub audience: &'a str,
    /// The environment (`env`).
    pub environment: EnvironmentName,
}

/// A token whose signature, shape and place were found right. Only [`check_identity`] makes one.
///
/// It proves who the token names, and nothing about now: every use goes through [`check_use`](super::check_use). It is small, since caches
/// hold many.
#[derive(Clone, Debug)]
pub struct VerifiedToken {
    holder: Arc<Holder>,
    token: TokenId,
    entity: Option<EntityId>,
    issued_at: UnixTime,
    not_before: UnixTime,
    expires_at: UnixTime,
    epoch: u64,
    /// What few tokens have.
    rare: Option<Box<Rare>>,
}

/// What the tokens of one key have in common, most of the time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    developer: DeveloperRef,
    key: KeyId,
    generation: u64,
    scopes: ScopeSet,
}

#[derive(Clone, Debug)]
struct Rare {
    origin: Option<TokenId>,
    allowed_ips: Vec<IpNet>,
}

impl VerifiedToken {
    /// The developer (`developer`, with `env`).
    #[must_use]
    pub fn developer(&self) -> &DeveloperRef {
        &self.holder.developer
    }

    /// The API key that it came from (`client_id`).
    #[must_use]
    pub fn key(&self) -> KeyId {
        self.holder.key
    }

    /// Its id (`jti`).
    #[must_use]
    pub fn token(&self) -> TokenId {
        self.token
    }

    /// The id of the first token, after a token exchange (`origin`).
    #[must_use]
    pub fn origin(&self) -> Option<TokenId> {
        self.rare.as_ref().and_then(|rare| rare.origin)
    }

    /// Its scopes (`scope`).
    #[must_use]
    pub fn scopes(&self) -> &ScopeSet {
        &self.holder.scopes
    }

    /// The entity that it is for (`entity`), if it is an entity token.
    #[must_use]
    pub fn entity(&self) -> Option<&EntityId> {
        self.entity.as_ref()
    }

    /// Its environment (`env`).
    #[must_use]
    pub fn environment(&self) -> EnvironmentName {
        self.holder.developer.environment
    }

    /// When it was made (`iat`).
    #[must_use]
    pub fn issued_at(&self) -> UnixTime {
        self.issued_at
    }

    /// From when on it may be used (`nbf`).
    #[must_use]
    pub fn not_before(&self) -> UnixTime {
        self.not_before
    }

    /// From when on it is over (`exp`).
    #[must_use]
    pub fn expires_at(&self) -> UnixTime {
        self.expires_at
    }

    /// The generation of its key (`gen`).
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.holder.generation
    }

    /// Its developer's epoch when it was made (`epoch`).
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The ranges that its caller's address must lie in (`ips`); none is anywhere.
    #[must_use]
    pub fn allowed_ips(&self) -> &[IpNet] {
        self.rare.as_ref().map_or(&[], |rare| &rare.allowed_ips)
    }

    /// About how many bytes it takes on the heap, by itself: not what it shares with other tokens.
    pub(crate) fn heap_bytes(&self) -> usize {
        let holder = match Arc::strong_count(&self.holder) {
            1 => size_of::<Holder>() + self.developer().id.as_str().len() + self.scopes().text_length(),
            _ => 0,
        };
        let rare = self.rare.as_ref().map_or(0, |rare| size_of::<Rare>() + size_of_val(&*rare.allowed_ips));
        holder + rare + self.entity().map_or(0, |entity| entity.as_str().len())
    }

    /// Lets `shared` stand for its holder, if they are alike, and hands its own over otherwise.
    pub(crate) fn share_holder(&mut self, shared: &mut Option<Arc<Holder>>) {
        match shared {
            Some(shared) if **shared == *self.holder => self.holder = Arc::clone(shared),
            _ => *shared = Some(Arc::clone(&self.holder)),
        }
    }
}

/// Decides whether rightly signed claims are those of a token of ours. The answer holds for ever, so it may be cached.
///
/// # Errors
/// In this order: [`Rejection::TokenClaims`] for a `sub` unlike the `developer` (in an entity token, the `entity`),
/// [`Rejection::WrongIssuer`], [`Rejection::WrongAudience`], [`Rejection::ForeignEnvironmentClaim`]; all compared byte
/// by byte.
pub fn check_identity(signed: SignedClaims<'_>, expected: &Expected<'_>) -> Result<VerifiedToken, Rejection> {
    let claims = signed.claims;
    if claims.subject != rightful_subject(&claims) {
        return Err(Rejection::TokenClaims);
    }
    if claims.issuer != expected.issuer {
        return Err(Rejection::WrongIssuer);
    }
    if claims.audience != expected.audience {
        return Err(Rejection::WrongAudience);
    }
    if claims.environment != expected.environment {
        return Err(Rejection::ForeignEnvironmentClaim);
    }
    let rare = Rare { origin: claims.origin, allowed_ips: claims.allowed_ips };
    Ok(VerifiedToken {
        holder: Arc::new(Holder {
            developer: DeveloperRef { environment: claims.environment, id: claims.developer },
            key: claims.key,
            generation: claims.generation,
            scopes: claims.scopes,
        }),
        token: claims.token,
        entity: claims.entity,
        issued_at: claims.issued_at,
        not_before: claims.not_before,
        expires_at: claims.expires_at,
        epoch: claims.epoch,
        rare: (rare.origin.is_some() || !rare.allowed_ips.is_empty()).then(|| Box::new(rare)),
    })
}

fn rightful_subject<'a>(claims: &'a AccessClaims<'_>) -> &'a str {
    claims.entity.as_ref().map_or(claims.developer.as_str(), EntityId::as_str)
}

#[cfg(test)]
mod tests {
    use super::super::samples::{
        EXPECTED, ISSUER, NOW, after, claims, developer_ref, for_entity, key_id, signed, token, token_id,
    };
    use super::*;

    fn identity(spoil: impl FnOnce(&mut AccessClaims<'_>)) -> Result<VerifiedToken, Rejection> {
        let mut claims = claims();
        spoil(&mut claims);
        check_identity(signed(claims), &EXPECTED)
    }

    #[test]
    fn a_verified_token_says_what_was_signed() {
        let verified = token(|claims| {
            for_entity(claims, "acme");
            claims.origin = Some(token_id('9'));
            claims.allowed_ips = vec!["192.0.2.0/24".parse().unwrap()];
        });
        assert_eq!(verified.developer(), &developer_ref("dev"));
        assert_eq!(
            (verified.key(), verified.token(), verified.origin()),
            (key_id('0'), token_id('0'), Some(token_id('9')))
        );
        assert_eq!(verified.scopes(), &claims().scopes);
        assert_eq!(verified.entity().map(EntityId::as_str), Some("acme"));
        assert_eq!(verified.environment(), EnvironmentName::LIVE);
        assert_eq!((verified.issued_at(), verified.not_before(), verified.expires_at()), (NOW, NOW, after(900)));
        assert_eq!((verified.generation(), verified.epoch(), verified.allowed_ips().len()), (2, 3, 1));
    }

    #[test]
    fn a_verified_token_is_small() {
        assert!(size_of::<VerifiedToken>() <= 96, "{} bytes", size_of::<VerifiedToken>());
    }

    #[test]
    fn c6_e20_another_audience_is_refused_byte_by_byte() {
        for audience in ["", "https://api.example.com/live/", "https://api.example.com/LIVE", "https://other.example"] {
            let answer = identity(|claims| claims.audience = audience.to_owned().into());
            assert_eq!(answer.unwrap_err(), Rejection::WrongAudience, "{audience}");
        }
    }

    #[test]
    fn c7_another_issuer_is_refused_byte_by_byte() {
        for issuer in ["", "https://api.example.com/live/", "https://api.example.com/Live", "https://api.example.com"] {
            let answer = identity(|claims| claims.issuer = issuer.to_owned().into());
            assert_eq!(answer.unwrap_err(), Rejection::WrongIssuer, "{issuer}");
        }
    }

    #[test]
    fn c8_a_subject_unlike_its_developer_or_entity_is_refused() {
        let subject = |entity: bool, subject: &str| {
            let answer = identity(|claims| {
                if entity {
                    for_entity(claims, "acme");
                }
                claims.subject = subject.to_owned().into();
            });
            answer.map(|_| ())
        };
        assert_eq!(subject(false, "dev"), Ok(()));
        assert_eq!(subject(true, "acme"), Ok(()));
        for (entity, wrong) in [(false, ""), (false, "Dev"), (false, "acme"), (true, "dev"), (true, ""), (true, "acmé")]
        {
            assert_eq!(subject(entity, wrong), Err(Rejection::TokenClaims), "{wrong}");
        }
    }

    #[test]
    fn c10_another_environment_claim_is_refused() {
        let answer = identity(|claims| claims.environment = EnvironmentName::SANDBOX);
        assert_eq!(answer.unwrap_err(), Rejection::ForeignEnvironmentClaim);
    }

    #[test]
    fn the_first_thing_wrong_is_the_reason() {
        let mut spoilt = claims();
        let mut reason = |spoil: fn(&mut AccessClaims<'_>)| {
            spoil(&mut spoilt);
            check_identity(signed(spoilt.clone()), &EXPECTED).unwrap_err()
        };
        assert_eq!(reason(|claims| claims.environment = EnvironmentName::SANDBOX), Rejection::ForeignEnvironmentClaim);
        assert_eq!(reason(|claims| claims.audience = "".into()), Rejection::WrongAudience);
        assert_eq!(reason(|claims| claims.issuer = "".into()), Rejection::WrongIssuer);
        assert_eq!(reason(|claims| claims.subject = "".into()), Rejection::TokenClaims);
    }

    #[test]
    fn another_audience_than_the_issuer_can_be_expected() {
        let mut claims = claims();
        claims.audience = "ledger".to_owned().into();
        let expected = Expected { audience: "ledger", ..EXPECTED };
        assert!(check_identity(signed(claims.clone()), &expected).is_ok());
        claims.audience = ISSUER.to_owned().into();
        assert_eq!(check_identity(signed(claims), &expected).unwrap_err(), Rejection::WrongAudience);
    }
}
