//! Tells a client whether a token of its own is active (RFC 7662).

use super::{Authority, Client, Inner, Refusal};
use crate::check::{VerifiedToken, check_active};
use crate::jose::CompactToken;
use crate::model::{AccessClaims, Rejection};

impl Authority {
    /// The claims of `token`, if it is an active token of `client`'s developer in the environment of its key; `None`
    /// for everything else, whatever it is. Active is what may be used now, from an address in its ranges (`ips`) if
    /// it has any: whoever asks here is not whoever uses the token, so the caller must compare the address.
    ///
    /// # Errors
    /// [`Refusal::Fault`] if revocations are not known well enough and could not be read.
    pub async fn introspect(&self, client: &Client, token: &[u8]) -> Result<Option<AccessClaims<'static>>, Refusal> {
        let inner = &self.inner;
        inner.fresh().await?;
        inner.usage.cell(client.developer(), client.key()).count_requests(1);
        match inner.active_claims(client, token) {
            Ok(claims) => Ok(Some(claims)),
            Err(rejection) => {
                tracing::debug!(reason = rejection.reason(), "token inactive");
                Ok(None)
            }
        }
    }
}

impl Inner {
    fn active_claims(&self, client: &Client, token: &[u8]) -> Result<AccessClaims<'static>, Rejection> {
        let now = self.now();
        let token = CompactToken::parse(token)?;
        let (environment, signed) = self.signed(&token, now)?;
        let claims = signed.claims.clone().into_owned();
        let verified = own(client, self.identify(environment, signed)?)?;
        check_active(&verified, now, &self.config.policy, &self.feed.revocations.latest())?;
        Ok(claims)
    }

    /// A token of the client's, by signature and identity alone.
    pub(super) fn own_token(&self, client: &Client, token: &[u8]) -> Result<VerifiedToken, Rejection> {
        let token = CompactToken::parse(token)?;
        let (environment, signed) = self.signed(&token, self.now())?;
        own(client, self.identify(environment, signed)?)
    }
}

fn own(client: &Client, token: VerifiedToken) -> Result<VerifiedToken, Rejection> {
    if token.developer() == client.developer() { Ok(token) } else { Err(Rejection::NotFound) }
}
