//! What the change feed revoked, in memory: asked at every use of a token.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;

use super::access_token::VerifiedToken;
use crate::model::{
    Announcement, DeveloperRef, EntityId, EnvironmentName, FeedEntry, KeyId, RevokedBy, TokenId, UnixTime,
};

/// Everything that was revoked and whose tokens could still be alive.
///
/// Applying the same entries in any order, any of them more than once, gives the same state: each entry only ever adds
/// to what is revoked, and prolongs how long that is remembered. Asking allocates nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revocations {
    tokens: HashMap<(EnvironmentName, TokenId), UnixTime>,
    keys: HashMap<(EnvironmentName, KeyId), UnixTime>,
    generations: HashMap<(EnvironmentName, KeyId, u64), UnixTime>,
    epochs: HashMap<DeveloperRef, Epoch>,
    // By developer, then by entity, so that a token's borrowed parts are enough to ask.
    entities: HashMap<DeveloperRef, HashMap<EntityId, Removal>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Epoch {
    floor: u64,
    ends_at: UnixTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Removal {
    at: UnixTime,
    ends_at: UnixTime,
}

impl Revocations {
    /// Takes in what `entry` announces. Changes of signing keys are no revocations of tokens, and are passed over.
    pub fn apply(&mut self, entry: &FeedEntry) {
        let ends_at = entry.ends_at;
        match &entry.announcement {
            Announcement::TokenRevoked { environment, token } => {
                join(&mut self.tokens, (*environment, *token), ends_at, |end| *end = ends_at.max(*end));
            }
            Announcement::KeyRevoked { environment, key } => {
                join(&mut self.keys, (*environment, *key), ends_at, |end| *end = ends_at.max(*end));
            }
            Announcement::GenerationEnded { environment, key, generation } => {
                let name = (*environment, *key, *generation);
                join(&mut self.generations, name, ends_at, |end| *end = ends_at.max(*end));
            }
            Announcement::EpochRaised { developer, epoch } => {
                let raised = Epoch { floor: *epoch, ends_at };
                join(&mut self.epochs, developer.clone(), raised, |held| {
                    held.floor = held.floor.max(raised.floor);
                    held.ends_at = held.ends_at.max(raised.ends_at);
                });
            }
            Announcement::EntityRemoved { entity } => {
                let removal = Removal { at: entry.at, ends_at };
                let of_developer = self.entities.entry(entity.developer.clone()).or_default();
                join(of_developer, entity.id.clone(), removal, |held| {
                    held.at = held.at.max(removal.at);
                    held.ends_at = held.ends_at.max(removal.ends_at);
                });
            }
            Announcement::SigningKeyChanged { .. } => {}
        }
    }

    /// What revoked `token`, if anything did.
    #[must_use]
    pub fn check(&self, token: &VerifiedToken) -> Option<RevokedBy> {
        let environment = token.environment();
        let (key, generation) = (token.key(), token.generation());
        let is_revoked = |id: TokenId| self.tokens.contains_key(&(environment, id));
        if is_revoked(token.token()) || token.origin().is_some_and(is_revoked) {
            return Some(RevokedBy::Token);
        }
        if self.keys.contains_key(&(environment, key)) {
            return Some(RevokedBy::Key);
        }
        if self.generations.contains_key(&(environment, key, generation)) {
            return Some(RevokedBy::Generation);
        }
        if token.epoch() < self.epoch_floor(token.developer()) {
            return Some(RevokedBy::Developer);
        }
        let removal = token.entity().and_then(|entity| self.entities.get(token.developer())?.get(entity));
        if removal.is_some_and(|removal| token.issued_at() <= removal.at) {
            return Some(RevokedBy::Entity);
        }
        None
    }

    /// The first epoch of `developer` whose tokens are still good; 0 where none was raised.
    #[must_use]
    pub fn epoch_floor(&self, developer: &DeveloperRef) -> u64 {
        self.epochs.get(developer).map_or(0, |epoch| epoch.floor)
    }

    /// Forgets what has ended by `now`: its tokens are over by themselves.
    pub fn prune(&mut self, now: UnixTime) {
        self.tokens.retain(|_, ends_at| now < *ends_at);
        self.keys.retain(|_, ends_at| now < *ends_at);
        self.generations.retain(|_, ends_at| now < *ends_at);
        self.epochs.retain(|_, epoch| now < epoch.ends_at);
        self.entities.retain(|_, of_developer| {
            of_developer.retain(|_, removal| now < removal.ends_at);
            !of_developer.is_empty()
        });
    }

    /// How many revocations it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        let entities: usize = self.entities.values().map(HashMap::len).sum();
        self.tokens.len() + self.keys.len() + self.generations.len() + self.epochs.len() + entities
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Puts `new` under `key`, or lets `merge` bring it into what is there.
fn join<K: Eq + Hash, V>(map: &mut HashMap<K, V>, key: K, new: V, merge: impl FnOnce(&mut V)) {
    match map.entry(key) {
        Entry::Occupied(held) => merge(held.into_mut()),
        Entry::Vacant(place) => {
            place.insert(new);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{NOW, after, developer_ref, entity, for_entity, key_id, token, token_id};
    use super::*;
    use crate::model::{DeveloperId, EntityRef, FeedPosition, SigningKeyId};

    const LIVE: EnvironmentName = EnvironmentName::LIVE;
    const SANDBOX: EnvironmentName = EnvironmentName::SANDBOX;

    fn entry(announcement: Announcement) -> FeedEntry {
        FeedEntry { position: FeedPosition(1), at: NOW, ends_at: after(4500), announcement }
    }

    fn revoking(announcement: Announcement) -> Revocations {
        let mut revocations = Revocations::default();
        revocations.apply(&entry(announcement));
        revocations
    }

    fn elsewhere(developer: &DeveloperRef) -> DeveloperRef {
        DeveloperRef { environment: SANDBOX, ..developer.clone() }
    }

    #[test]
    fn nothing_is_revoked_at_first() {
        let revocations = Revocations::default();
        assert_eq!(revocations.check(&token(|_| {})), None);
        assert_eq!((revocations.len(), revocations.is_empty()), (0, true));
        assert_eq!(revocations.epoch_floor(&developer_ref("dev")), 0);
    }

    #[test]
    fn c9_a_token_is_revoked_by_its_own_id_and_by_its_origins() {
        let revoked = revoking(Announcement::TokenRevoked { environment: LIVE, token: token_id('9') });
        assert_eq!(revoked.check(&token(|_| {})), None);
        assert_eq!(revoked.check(&token(|claims| claims.token = token_id('9'))), Some(RevokedBy::Token));
        assert_eq!(revoked.check(&token(|claims| claims.origin = Some(token_id('9')))), Some(RevokedBy::Token));
        let foreign = revoking(Announcement::TokenRevoked { environment: SANDBOX, token: token_id('0') });
        assert_eq!(foreign.check(&token(|_| {})), None);
    }

    #[test]
    fn a_key_takes_all_its_tokens_along_and_a_generation_its_own() {
        let key = key_id('0');
        let revoked = revoking(Announcement::KeyRevoked { environment: LIVE, key });
        let ended = revoking(Announcement::GenerationEnded { environment: LIVE, key, generation: 2 });
        for (generation, by_key, by_generation) in [
            (1, Some(RevokedBy::Key), None),
            (2, Some(RevokedBy::Key), Some(RevokedBy::Generation)),
            (3, Some(RevokedBy::Key), None),
        ] {
            let token = token(|claims| claims.generation = generation);
            assert_eq!((revoked.check(&token), ended.check(&token)), (by_key, by_generation), "{generation}");
        }
        let other = token(|claims| claims.key = key_id('9'));
        assert_eq!((revoked.check(&other), ended.check(&other)), (None, None));
        assert_eq!(revoking(Announcement::KeyRevoked { environment: SANDBOX, key }).check(&token(|_| {})), None);
    }

    #[test]
    fn e16_c8_a_raised_epoch_ends_older_tokens_of_that_developer_in_that_environment() {
        let developer = developer_ref("dev");
        let raised = revoking(Announcement::EpochRaised { developer: developer.clone(), epoch: 4 });
        assert_eq!(raised.epoch_floor(&developer), 4);
        assert_eq!(raised.epoch_floor(&elsewhere(&developer)), 0);
        for (epoch, want) in [(3, Some(RevokedBy::Developer)), (4, None), (5, None)] {
            assert_eq!(raised.check(&token(|claims| claims.epoch = epoch)), want, "{epoch}");
        }
        let gone = revoking(Announcement::EpochRaised { developer: developer.clone(), epoch: u64::MAX });
        assert_eq!(gone.check(&token(|claims| claims.epoch = 1_000_000)), Some(RevokedBy::Developer));
        let other = revoking(Announcement::EpochRaised { developer: elsewhere(&developer), epoch: 4 });
        assert_eq!(other.check(&token(|_| {})), None);
    }

    #[test]
    fn e15_a_removed_entity_ends_its_tokens_made_up_to_then() {
        let reference = EntityRef { developer: developer_ref("dev"), id: entity("acme") };
        let removed = revoking(Announcement::EntityRemoved { entity: reference.clone() });
        for (issued_at, want) in [(-1, Some(RevokedBy::Entity)), (0, Some(RevokedBy::Entity)), (1, None)] {
            let token = token(|claims| {
                for_entity(claims, "acme");
                claims.issued_at = after(issued_at);
            });
            assert_eq!(removed.check(&token), want, "{issued_at}");
        }
        assert_eq!(removed.check(&token(|claims| for_entity(claims, "other"))), None);
        assert_eq!(removed.check(&token(|_| {})), None, "a developer token is for no entity");
        let of_another = token(|claims| {
            for_entity(claims, "acme");
            claims.developer = DeveloperId::parse("other").expect("an id");
        });
        assert_eq!(removed.check(&of_another), None);
    }

    #[test]
    fn a_changed_signing_key_revokes_nothing() {
        let key = SigningKeyId::parse("kid").expect("an id");
        assert!(revoking(Announcement::SigningKeyChanged { environment: LIVE, key }).is_empty());
    }

    #[test]
    fn what_has_ended_is_forgotten_and_not_before() {
        let developer = developer_ref("dev");
        let mut revocations = Revocations::default();
        let (key, token) = (key_id('0'), token_id('0'));
        for announcement in [
            Announcement::TokenRevoked { environment: LIVE, token },
            Announcement::KeyRevoked { environment: LIVE, key },
            Announcement::GenerationEnded { environment: LIVE, key, generation: 2 },
            Announcement::EpochRaised { developer: developer.clone(), epoch: 4 },
            Announcement::EntityRemoved { entity: EntityRef { developer, id: entity("acme") } },
        ] {
            revocations.apply(&entry(announcement));
        }
        let before = revocations.clone();
        revocations.prune(after(4499));
        assert_eq!((&revocations, revocations.len()), (&before, 5));
        revocations.prune(after(4500));
        assert_eq!(revocations, Revocations::default());
    }

    #[test]
    fn the_longer_memory_and_the_higher_epoch_win_whichever_comes_first() {
        let raised = |epoch, ends_at| FeedEntry {
            ends_at: after(ends_at),
            ..entry(Announcement::EpochRaised { developer: developer_ref("dev"), epoch })
        };
        for order in [[raised(4, 9000), raised(5, 5000)], [raised(5, 5000), raised(4, 9000)]] {
            let mut revocations = Revocations::default();
            order.iter().for_each(|entry| revocations.apply(entry));
            revocations.prune(after(8999));
            assert_eq!(revocations.epoch_floor(&developer_ref("dev")), 5);
        }
    }
}
