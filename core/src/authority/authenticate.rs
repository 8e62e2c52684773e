//! Lets a caller in by its access token.

use std::sync::Arc;

use super::token_cache::{AtHand, Place, Seen};
use super::usage::count;
use super::{Authority, EntityContext, Inner, Principal, Refusal};
use crate::check::{
    EntityRule, Expected, Revocations, TokenUse, VerifiedToken, check_entity, check_identity, check_use,
};
use crate::entity_scope::Reach;
use crate::jose::CompactToken;
use crate::model::{EntityId, EntityRef, EnvironmentName, Rejection, SignedClaims, Source, UnixTime};

/// A token as it was shown.
#[derive(Clone, Copy)]
pub struct Presented<'a> {
    /// Its compact form, as the bytes that came.
    pub token: &'a [u8],
    /// Who shows it.
    pub source: Source,
}

impl std::fmt::Debug for Presented<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Presented").field("source", &self.source).finish_non_exhaustive()
    }
}

impl Authority {
    /// The caller that `presented` stands for, of any mounted environment.
    ///
    /// A token that was verified before is recognised, so that its signature is not checked again; its lifetime, its
    /// address ranges and revocation are checked every time. Checks run in the order of [`Rejection`]'s variants.
    ///
    /// # Errors
    /// - [`Refusal::Rejected`] with a reason from [`Rejection::TokenTooLong`] to [`Rejection::Revoked`]
    /// - [`Refusal::Fault`] if revocations are not known well enough and could not be read
    pub async fn authenticate(&self, presented: &Presented<'_>) -> Result<Principal, Refusal> {
        let instant = self.inner.time.read();
        self.inner.fresh_at(instant).await?;
        self.inner.let_in(presented, instant.now)
    }

    /// What [`authenticate`](Self::authenticate) says, where that takes no waiting: nearly always. `None` where the store
    /// must be asked first; then nothing was decided, nor counted.
    pub fn authenticate_at_once(&self, presented: &Presented<'_>) -> Option<Result<Principal, Refusal>> {
        let instant = self.inner.time.read();
        self.inner.is_fresh(instant).then(|| self.inner.let_in(presented, instant.now))
    }

    /// The entity whose data `principal` may reach, given what the request names.
    ///
    /// # Errors
    /// - [`Rejection::EntityMissing`] if none is named and the rule or the token needs one
    /// - [`Rejection::EntityMismatch`] if an entity token is shown with another entity
    /// - [`Rejection::EntityForbidden`] if the developer does not reach it, whether it exists or not
    /// - [`Refusal::Fault`] if that could not be found out
    pub async fn entity(
        &self,
        principal: &Principal,
        requested: Option<&EntityId>,
        rule: EntityRule,
    ) -> Result<EntityContext, Refusal> {
        let reference = entity_ref(principal, requested, rule)?;
        if !self.inner.reaches(&reference).await? {
            tracing::debug!(reason = Rejection::EntityForbidden.reason(), "entity refused");
            return Err(Rejection::EntityForbidden.into());
        }
        Ok(EntityContext::new(principal.clone(), reference.id))
    }

    /// What [`entity`](Self::entity) says, where that takes no waiting: what is named is refused by itself, or is remembered
    /// as reached. `None` where the [`EntityScope`](crate::entity_scope::EntityScope) must be asked.
    pub fn entity_at_once(
        &self,
        principal: &Principal,
        requested: Option<&EntityId>,
        rule: EntityRule,
    ) -> Option<Result<EntityContext, Refusal>> {
        let reference = match entity_ref(principal, requested, rule) {
            Ok(reference) => reference,
            Err(rejection) => return Some(Err(rejection.into())),
        };
        let reached = self.inner.reach.holds(&reference, self.inner.now());
        reached.then(|| Ok(EntityContext::new(principal.clone(), reference.id)))
    }
}

fn entity_ref(principal: &Principal, requested: Option<&EntityId>, rule: EntityRule) -> Result<EntityRef, Rejection> {
    let id = check_entity(principal.verified(), requested, rule)?;
    Ok(EntityRef { developer: principal.developer().clone(), id })
}

impl Inner {
    fn let_in(&self, presented: &Presented<'_>, now: UnixTime) -> Result<Principal, Refusal> {
        self.admit(presented, now).map_err(|rejection| {
            count(&self.usage.refused);
            tracing::debug!(reason = rejection.reason(), "token refused");
            rejection.into()
        })
    }

    fn admit(&self, presented: &Presented<'_>, now: UnixTime) -> Result<Principal, Rejection> {
        let place = self.cache.place(presented.token);
        if let Some(seen) = self.at_hand(presented, place, now)? {
            return Ok(Principal::new(seen));
        }
        let seen = self.first_seen(presented, place, now)?;
        seen.usage.count_requests(1);
        Ok(Principal::new(seen))
    }

    /// A token that was seen before: by this processor lately, where nothing is written that another reads, or by any.
    fn at_hand(&self, presented: &Presented<'_>, place: Place, now: UnixTime) -> Result<Option<Arc<Seen>>, Rejection> {
        let serial = self.issuers.serial();
        let mut at_hand = self.cache.at_hand();
        let AtHand { tokens, revocations, recognised } = &mut *at_hand;
        let revocations = self.feed.revocations.follow(revocations);
        let check = |seen: &Seen| self.check_use(&seen.token, presented.source, now, revocations);
        let seen = match tokens.find(place, presented.token, serial, check) {
            Some(found) => found?,
            None => {
                let Some(found) = self.cache.find(place, presented.token, serial, check) else { return Ok(None) };
                let seen = found?;
                seen.usage.count_requests(1);
                tokens.offer(place, &seen);
                seen
            }
        };
        *recognised += 1;
        Ok(Some(seen))
    }

    /// What a token that may be used now has proved, whether it was seen before or not.
    pub(super) fn recognise(&self, presented: &Presented<'_>) -> Result<Arc<Seen>, Rejection> {
        let (now, place) = (self.now(), self.cache.place(presented.token));
        let check = |seen: &Seen| self.check_use(&seen.token, presented.source, now, &self.feed.revocations.latest());
        match self.cache.find(place, presented.token, self.issuers.serial(), check) {
            Some(found) => found.inspect(|_| count(&self.usage.recognised)),
            None => self.first_seen(presented, place, now),
        }
    }

    fn first_seen(&self, presented: &Presented<'_>, place: Place, now: UnixTime) -> Result<Arc<Seen>, Rejection> {
        // Read before the keys are: a token that was verified by older ones must not pass for one of newer ones.
        let serial = self.issuers.serial();
        let mut token = self.verify(presented.token, now)?;
        self.check_use(&token, presented.source, now, &self.feed.revocations.latest())?;
        let usage = self.usage.cell(token.developer(), token.key());
        usage.share_holder(&mut token);
        let seen = Arc::new(Seen::new(presented.token, token, serial, usage));
        self.cache.insert(place, Arc::clone(&seen));
        count(&self.usage.verified);
        Ok(seen)
    }

    /// Signature and identity: what does not change while the signing keys stay the same.
    fn verify(&self, token: &[u8], now: UnixTime) -> Result<VerifiedToken, Rejection> {
        let token = CompactToken::parse(token)?;
        let (environment, signed) = self.signed(&token, now)?;
        self.identify(environment, signed)
    }

    /// What was signed, and for which environment.
    pub(super) fn signed<'t>(
        &self,
        token: &'t CompactToken<'_>,
        now: UnixTime,
    ) -> Result<(EnvironmentName, SignedClaims<'t>), Rejection> {
        let issuers = self.issuers.current();
        let (environment, issuer) = issuers.of_key(token.key_id(), now).ok_or(Rejection::UnknownSigningKey)?;
        Ok((environment, issuer.verify(token)?))
    }

    pub(super) fn identify(
        &self,
        environment: EnvironmentName,
        signed: SignedClaims<'_>,
    ) -> Result<VerifiedToken, Rejection> {
        let config = self.environment(environment).ok_or(Rejection::UnknownSigningKey)?;
        check_identity(signed, &Expected { issuer: &config.issuer, audience: &config.audience, environment })
    }

    fn check_use(
        &self,
        token: &VerifiedToken,
        source: Source,
        now: UnixTime,
        revocations: &Revocations,
    ) -> Result<(), Rejection> {
        check_use(token, &TokenUse { now, policy: &self.config.policy, source, revocations })
    }

    /// Whether the entity's developer reaches it.
    pub(super) async fn reaches(&self, entity: &EntityRef) -> Result<bool, Refusal> {
        let now = self.now();
        if self.reach.holds(entity, now) {
            return Ok(true);
        }
        // Held while it asks.
        let turn = self.reach.turn(entity).await;
        if turn.is_none() && self.reach.holds(entity, now) {
            return Ok(true);
        }
        let removals = self.reach.removals();
        match self.entity_scope.reaches(&entity.developer, &entity.id).await? {
            Reach::No => Ok(false),
            Reach::Yes { reusable_until } => {
                if let Some(until) = reusable_until {
                    self.reach.remember(entity.clone(), until, removals);
                }
                Ok(true)
            }
        }
    }
}
