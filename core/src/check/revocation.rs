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
