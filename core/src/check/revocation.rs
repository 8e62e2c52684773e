//! What the change feed revoked, in memory: asked at every use of a token.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::sync::Arc;

use foldhash::quality::RandomState;

use super::access_token::VerifiedToken;
use crate::model::{
    Announcement, DeveloperRef, EntityId, EnvironmentName, FeedEntry, KeyId, RevokedBy, TokenId, UnixTime,
};

/// Everything that was revoked and whose tokens could still be alive.
///
/// Applying the same entries in any order, any of them more than once, revokes the same: each entry only ever adds
/// to what is revoked, and prolongs how long that is remembered. Asking allocates nothing, and costs about the same for
/// a million entries as for a few. Made to be copied for each change, so that readers go on with what they have: the
/// older part is shared between copies, the recent part is small.
#[derive(Clone, Debug, Default)]
pub struct Revocations {
    old: Arc<Layer>,
    recent: Layer,
}

/// The recent part goes into the old one when it has grown to this many entries. A change copies the one, and sometimes
/// the other: with a million entries, this keeps both alike.
const RECENT: usize = 4_096;

type Table<K, V> = HashMap<K, V, RandomState>;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Layer {
    tokens: Table<(EnvironmentName, TokenId), UnixTime>,
    keys: Table<(EnvironmentName, KeyId), UnixTime>,
    generations: Table<(EnvironmentName, KeyId, u64), UnixTime>,
    epochs: Table<DeveloperRef, Epoch>,
    // By developer, then by entity, so that a token's borrowed parts are enough to ask.
    entities: Table<DeveloperRef, Table<EntityId, Removal>>,
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
        self.apply_all(std::slice::from_ref(entry));
    }

    /// Takes in what each of `entries` announces, as [`apply`](Self::apply) does.
    pub fn apply_all(&mut self, entries: &[FeedEntry]) {
        entries.iter().for_each(|entry| self.recent.apply(entry));
        if self.recent.len() >= RECENT {
            let recent = std::mem::take(&mut self.recent);
            Arc::make_mut(&mut self.old).absorb(recent);
        }
    }

    /// What revoked `token`, if anything did.
    #[must_use]
    pub fn check(&self, token: &VerifiedToken) -> Option<RevokedBy> {
        // Before anything of the token is read, which may have to come from far.
        if self.is_empty() {
            return None;
        }
        let environment = token.environment();
        let (key, generation) = (token.key(), token.generation());
        let either = |holds: &dyn Fn(&Layer) -> bool| holds(&self.recent) || holds(&self.old);
        let is_revoked = |id: TokenId| either(&|layer| layer.tokens.contains_key(&(environment, id)));
        if is_revoked(token.token()) || token.origin().is_some_and(is_revoked) {
            return Some(RevokedBy::Token);
        }
        if either(&|layer| layer.keys.contains_key(&(environment, key))) {
            return Some(RevokedBy::Key);
        }
        if either(&|layer| layer.generations.contains_key(&(environment, key, generation))) {
            return Some(RevokedBy::Generation);
        }
        if token.epoch() < self.epoch_floor(token.developer()) {
            return Some(RevokedBy::Developer);
        }
        either(&|layer| layer.has_removed_entity_of(token)).then_some(RevokedBy::Entity)
    }

    /// The first epoch of `developer` whose tokens are still good; 0 where none was raised.
    #[must_use]
    pub fn epoch_floor(&self, developer: &DeveloperRef) -> u64 {
        let floor = |layer: &Layer| layer.epochs.get(developer).map_or(0, |epoch| epoch.floor);
        floor(&self.recent).max(floor(&self.old))
    }

    /// Forgets what has ended by `now`: its tokens are over by themselves.
    pub fn prune(&mut self, now: UnixTime) {
        self.recent.prune(now);
        if self.old.holds_ended(now) {
            Arc::make_mut(&mut self.old).prune(now);
        }
    }

    /// How many revocations it holds. One that was announced again after a while counts twice.
    #[must_use]
    pub fn len(&self) -> usize {
        self.old.len() + self.recent.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.recent.is_empty() && self.old.is_empty()
    }
}

impl PartialEq for Revocations {
    /// Whether both revoke the same, for as long, however it came to each.
    fn eq(&self, other: &Self) -> bool {
        let whole = |revocations: &Self| {
            let mut whole = Layer::clone(&revocations.old);
            whole.absorb(revocations.recent.clone());
            whole
        };
        whole(self) == whole(other)
    }
}

impl Eq for Revocations {}

impl Layer {
    fn apply(&mut self, entry: &FeedEntry) {
        let ends_at = entry.ends_at;
        match &entry.announcement {
            Announcement::TokenRevoked { environment, token } => {
                join(&mut self.tokens, (*environment, *token), ends_at, prolong);
            }
            Announcement::KeyRevoked { environment, key } => {
                join(&mut self.keys, (*environment, *key), ends_at, prolong);
            }
            Announcement::GenerationEnded { environment, key, generation } => {
                join(&mut self.generations, (*environment, *key, *generation), ends_at, prolong);
            }
            Announcement::EpochRaised { developer, epoch } => {
                join(&mut self.epochs, developer.clone(), Epoch { floor: *epoch, ends_at }, Epoch::join);
            }
            Announcement::EntityRemoved { entity } => {
                let of_developer = self.entities.entry(entity.developer.clone()).or_default();
                join(of_developer, entity.id.clone(), Removal { at: entry.at, ends_at }, Removal::join);
            }
            Announcement::SigningKeyChanged { .. } => {}
        }
    }

    fn absorb(&mut self, other: Self) {
        join_all(&mut self.tokens, other.tokens, prolong);
        join_all(&mut self.keys, other.keys, prolong);
        join_all(&mut self.generations, other.generations, prolong);
        join_all(&mut self.epochs, other.epochs, Epoch::join);
        for (developer, removals) in other.entities {
            join_all(self.entities.entry(developer).or_default(), removals, Removal::join);
        }
    }

    fn has_removed_entity_of(&self, token: &VerifiedToken) -> bool {
        let removal = token.entity().and_then(|entity| self.entities.get(token.developer())?.get(entity));
        removal.is_some_and(|removal| token.issued_at() <= removal.at)
    }

    fn holds_ended(&self, now: UnixTime) -> bool {
        let ended = |ends_at: &UnixTime| *ends_at <= now;
        self.tokens.values().any(ended)
            || self.keys.values().any(ended)
            || self.generations.values().any(ended)
            || self.epochs.values().any(|epoch| ended(&epoch.ends_at))
            || self.entities.values().flat_map(Table::values).any(|removal| ended(&removal.ends_at))
    }

    fn prune(&mut self, now: UnixTime) {
        self.tokens.retain(|_, ends_at| now < *ends_at);
        self.keys.retain(|_, ends_at| now < *ends_at);
        self.generations.retain(|_, ends_at| now < *ends_at);
        self.epochs.retain(|_, epoch| now < epoch.ends_at);
        self.entities.retain(|_, of_developer| {
            of_developer.retain(|_, removal| now < removal.ends_at);
            !of_developer.is_empty()
        });
    }

    fn is_empty(&self) -> bool {
        let Self { tokens, keys, generations, epochs, entities } = self;
        tokens.is_empty() && keys.is_empty() && generations.is_empty() && epochs.is_empty() && entities.is_empty()
    }

    fn len(&self) -> usize {
        let entities: usize = self.entities.values().map(Table::len).sum();
        self.tokens.len() + self.keys.len() + self.generations.len() + self.epochs.len() + entities
    }
}

impl Epoch {
    fn join(&mut self, other: Self) {
        self.floor = self.floor.max(other.floor);
        self.ends_at = self.ends_at.max(other.ends_at);
    }
}

impl Removal {
    fn join(&mut self, other: Self) {
        self.at = self.at.max(other.at);
        self.ends_at = self.ends_at.max(other.ends_at);
    }
}

fn prolong(ends_at: &mut UnixTime, other: UnixTime) {
    *ends_at = other.max(*ends_at);
}

fn join_all<K: Eq + Hash, V>(map: &mut Table<K, V>, others: Table<K, V>, merge: fn(&mut V, V)) {
    if map.is_empty() {
        *map = others;
        return;
    }
    for (key, new) in others {
        join(map, key, new, merge);
    }
}

/// Puts `new` under `key`, or lets `merge` bring it into what is there.
fn join<K: Eq + Hash, V>(map: &mut Table<K, V>, key: K, new: V, merge: fn(&mut V, V)) {
    match map.entry(key) {
        Entry::Occupied(held) => merge(held.into_mut(), new),
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
