//! Checkpoints of audit chains as signed bytes: a compact JWS of a type of its own (RFC 7515 §7.1, RFC 8725 §3.11).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::{CompactToken, KeyError, SigningPair, Typ, VerifyingKey, print_header};
use crate::model::{
    ChainId, Checkpoint, DeveloperId, DeveloperRef, EnvironmentName, Rejection, SignedCheckpoint, UnixTime,
};

/// Signs `checkpoint` with `pair`. The result names its key and its type, `audit-checkpoint+jwt`, in its header, and has
/// the claims `iss`, `env`, `chain` (`system`, or `developer:` and an id), `count`, `head` (base64url) and `iat`.
///
/// # Errors
/// [`KeyError::Signing`] if the system's randomness failed.
pub fn sign_checkpoint(checkpoint: Checkpoint, pair: &SigningPair) -> Result<SignedCheckpoint, KeyError> {
    let environment = checkpoint.chain.environment();
    let claims = Claims {
        iss: &checkpoint.issuer,
        env: environment.as_str(),
        chain: match &checkpoint.chain {
            ChainId::System(_) => SYSTEM.to_owned(),
            ChainId::Developer(developer) => format!("{DEVELOPER}{}", developer.id),
        },
        count: checkpoint.count,
        head: URL_SAFE_NO_PAD.encode(checkpoint.head),
        iat: checkpoint.at.seconds(),
    };
    let mut signed = print_header(Typ::Checkpoint, pair.public().algorithm(), pair.id());
    // INVARIANT: texts and numbers always have a JSON form; were it not so, an empty payload is refused by every reader.
    URL_SAFE_NO_PAD.encode_string(serde_json::to_string(&claims).unwrap_or_default(), &mut signed);
    let compact = pair.sign_compact(signed.into_bytes())?;
    Ok(SignedCheckpoint { checkpoint, compact })
}

/// What `compact` says, where one of `keys` signed it. Whether it is true is for the chain to show.
///
/// # Errors
/// A [`Rejection`] from [`Rejection::TokenTooLong`] to [`Rejection::TokenClaims`]; an access token is refused with
/// [`Rejection::TokenType`].
pub fn read_checkpoint(compact: &str, keys: &[VerifyingKey]) -> Result<Checkpoint, Rejection> {
    let signed = CompactToken::parse_as(Typ::Checkpoint, compact.as_bytes())?;
    let key = keys.iter().find(|key| key.id().as_str() == signed.key_id()).ok_or(Rejection::UnknownSigningKey)?;
    key.verify(&signed)?;
    let claims: Claims<'_> = serde_json::from_slice(signed.payload()).map_err(|_| Rejection::TokenClaims)?;
    claims.checkpoint().ok_or(Rejection::TokenClaims)
}

const SYSTEM: &str = "system";
const DEVELOPER: &str = "developer:";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims<'a> {
    iss: &'a str,
    env: &'a str,
    chain: String,
    count: u64,
    head: String,
    iat: u64,
}

impl Claims<'_> {
    fn checkpoint(&self) -> Option<Checkpoint> {
        let environment = EnvironmentName::parse(self.env).ok()?;
        let chain = match self.chain.strip_prefix(DEVELOPER) {
            Some(id) => ChainId::Developer(DeveloperRef { environment, id: DeveloperId::parse(id).ok()? }),
            None if self.chain == SYSTEM => ChainId::System(environment),
            None => return None,
        };
        Some(Checkpoint {
            issuer: self.iss.to_owned(),
            chain,
            count: self.count,
            head: URL_SAFE_NO_PAD.decode(&self.head).ok()?.try_into().ok()?,
            at: UnixTime::checked(self.iat)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::SignatureProvider;
    use crate::model::Algorithm;

    fn pair(algorithm: Algorithm) -> SigningPair {
        SigningPair::generate(algorithm).expect("a key").0
    }

    fn keys(pair: &SigningPair) -> [VerifyingKey; 1] {
        [VerifyingKey::new(pair.public()).expect("usable")]
    }

    fn of(chain: ChainId) -> Checkpoint {
        Checkpoint {
            issuer: "https://a.test/live".into(),
            chain,
            count: 41,
            head: [7; 32],
            at: UnixTime::from_seconds(1),
        }
    }

    #[test]
    fn a_checkpoint_reads_as_what_was_signed() {
        let id = DeveloperId::parse("system").expect("an id");
        let developer = DeveloperRef { environment: EnvironmentName::LIVE, id };
        let algorithms = |provider| [Algorithm::EdDsa, Algorithm::Es256].map(|algorithm| (provider, algorithm));
        for (provider, algorithm) in SignatureProvider::ALL.iter().copied().flat_map(algorithms) {
            for chain in [ChainId::System(EnvironmentName::SANDBOX), ChainId::Developer(developer.clone())] {
                let pair = SigningPair::generate_with(provider, algorithm).expect("a key").0;
                let signed = sign_checkpoint(of(chain.clone()), &pair).expect("signed");
                assert_eq!(read_checkpoint(&signed.compact, &keys(&pair)), Ok(of(chain)));
            }
        }
    }

    #[test]
    fn a15_a_checkpoint_is_refused_where_a_token_is_read() {
        let chain = ChainId::System(EnvironmentName::LIVE);
        let signed = sign_checkpoint(of(chain), &pair(Algorithm::EdDsa)).expect("signed");
        assert_eq!(CompactToken::parse(&signed.compact).err(), Some(Rejection::TokenType));
    }

    #[test]
    fn a_checkpoint_that_another_signed_or_that_was_changed_is_refused() {
        let (ours, theirs) = (pair(Algorithm::EdDsa), pair(Algorithm::EdDsa));
        let signed = sign_checkpoint(of(ChainId::System(EnvironmentName::LIVE)), &ours).expect("signed").compact;
        assert_eq!(read_checkpoint(&signed, &keys(&theirs)), Err(Rejection::UnknownSigningKey));
        let (header, rest) = signed.split_once('.').expect("dots");
        let (_, signature) = rest.split_once('.').expect("dots");
        let payload = |json: &str| format!("{header}.{}.{signature}", URL_SAFE_NO_PAD.encode(json));
        assert_eq!(read_checkpoint(&payload("{}"), &keys(&ours)), Err(Rejection::BadSignature));
        for text in ["", "a.b.c", &signed[1..], &signed[..signed.len() - 1]] {
            assert!(read_checkpoint(text, &keys(&ours)).is_err(), "{text}");
        }
    }

    #[test]
    fn claims_of_another_shape_are_refused_whoever_signed_them() {
        let pair = pair(Algorithm::EdDsa);
        let head = URL_SAFE_NO_PAD.encode([7; 32]);
        let read = |json: &str| {
            let header = print_header(Typ::Checkpoint, Algorithm::EdDsa, pair.id());
            let signed = format!("{header}{}", URL_SAFE_NO_PAD.encode(json));
            let signature = URL_SAFE_NO_PAD.encode(pair.sign(signed.as_bytes()).expect("signed"));
            read_checkpoint(&format!("{signed}.{signature}"), &keys(&pair))
        };
        let good = format!(r#"{{"iss":"i","env":"live","chain":"system","count":1,"head":"{head}","iat":1}}"#);
        assert!(read(&good).is_ok());
        for (old, new) in [
            ("\"system\"", "\"\""),
            ("\"system\"", "\"developer:\""),
            ("\"live\"", "\"Live\""),
            ("\"count\":1", "\"count\":-1"),
            ("\"count\":1", "\"count\":1,\"count\":1"),
            ("\"iat\":1", "\"iat\":253402300800"),
            ("\"iat\":1", "\"iat\":1,\"exp\":1"),
            (head.as_str(), "AAAA"),
        ] {
            assert_eq!(read(&good.replace(old, new)), Err(Rejection::TokenClaims), "{new}");
        }
    }
}
