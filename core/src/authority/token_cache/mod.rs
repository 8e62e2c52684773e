//! Tokens whose signature was found right before, so that it need not be checked again.

mod at_hand;

use std::hash::{BuildHasher, Hash, Hasher};

use foldhash::quality::RandomState;
use quick_cache::Weighter;
use quick_cache::sync::{Cache, DefaultLifecycle};

pub(super) use self::at_hand::AtHand;
use self::at_hand::HotTokens;
use super::lanes::Lanes;
use super::usage::UsageCell;
use crate::check::VerifiedToken;
use crate::model::Rejection;
use crate::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A token that was verified once: its identity, never its authority. Lifetime, address, scope and revocation are
/// checked on every use.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) token: VerifiedToken,
    /// Which set of signing keys verified it; with another set it must be verified anew.
    pub(super) issuers: u64,
    pub(super) usage: Arc<UsageCell>,
    text: Arc<[u8]>,
    /// How many bytes it takes, as weighed when it was made: what it shares with others changes.
    weight: u64,
}

impl Seen {
    pub(super) fn new(text: &[u8], token: VerifiedToken, issuers: u64, usage: Arc<UsageCell>) -> Self {
        let weight = (text.len() + token.heap_bytes() + OVERHEAD) as u64;
        Self { token, issuers, usage, text: text.into(), weight }
    }

    /// Whether it is `token`, the whole of it, verified by the signing keys of `issuers`.
    fn is(&self, token: &[u8], issuers: u64) -> bool {
        self.issuers == issuers && *self.text == *token
    }
}

/// A token's number in the cache: a keyed hash of the end of its signature, which nobody can choose. Two tokens with one
/// number push each other out, and are never taken for each other, since the whole text is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place(u64);

impl Place {
    fn among(self, places: usize) -> usize {
        usize::try_from(self.0 & 0xffff_ffff).unwrap_or_default().checked_rem(places).unwrap_or_default()
    }
}

impl Hash for Place {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0);
    }
}

/// A bounded map from a token's whole text to what it proved. Only tokens with a right signature get in.
///
/// In front of it, each processor has the tokens at hand that it sees most: there a hit writes nothing that another
/// processor reads. A token is looked for there, and then here.
#[derive(Debug)]
pub(super) struct TokenCache {
    key: RandomState,
    at_hand: Lanes<Mutex<AtHand>>,
    entries: Cache<Place, Arc<Seen>, Weigh, AsItIs>,
}

impl TokenCache {
    /// A cache of at most about `bytes` bytes.
    pub(super) fn new(bytes: usize) -> Self {
        // What stands at hand, and nowhere else any more, is within the bound too.
        let at_hand = bytes / 8;
        let slots = |lanes: usize| (at_hand / SLOT / lanes).min(MOST_SLOTS) & !1;
        let bytes = bytes - at_hand;
        Self {
            key: RandomState::default(),
            at_hand: Lanes::new(|lanes| {
                Mutex::new(AtHand { tokens: HotTokens::new(slots(lanes)), ..AtHand::default() })
            }),
            entries: Cache::with(bytes / TYPICAL_ENTRY, bytes as u64, Weigh, AsItIs, DefaultLifecycle::default()),
        }
    }

    pub(super) fn place(&self, token: &[u8]) -> Place {
        let tail = token.get(token.len().saturating_sub(HASHED)..).unwrap_or(token);
        let mut hasher = self.key.build_hasher();
        hasher.write(tail);
        Place(hasher.finish())
    }

    /// What the calling thread's processor has at hand.
    pub(super) fn at_hand(&self) -> MutexGuard<'_, AtHand> {
        lock(self.at_hand.mine())
    }

    /// What `token` proved, if it is here, verified by the signing keys of `issuers`, and where `check` lets it pass.
    ///
    /// What is over leaves, and counts as not here: its signing key may be over too, which would be the answer to it.
    pub(super) fn find(
        &self,
        place: Place,
        token: &[u8],
        issuers: u64,
        check: impl FnOnce(&Seen) -> Result<(), Rejection>,
    ) -> Option<Result<Arc<Seen>, Rejection>> {
        let seen = self.entries.get(&place).filter(|seen| seen.is(token, issuers))?;
        match check(&seen) {
            Ok(()) => Some(Ok(seen)),
            Err(Rejection::Expired) => {
                self.entries.remove(&place);
                None
            }
            Err(rejection) => Some(Err(rejection)),
        }
    }

    pub(super) fn insert(&self, place: Place, seen: Arc<Seen>) {
        self.entries.insert(place, seen);
    }

    /// Hands over what was counted at hand, and lets go there of what `keep` does not say yes to.
    pub(super) fn settle(&self, mut keep: impl FnMut(&Seen) -> bool) {
        self.at_hand.iter().for_each(|at_hand| lock(at_hand).tokens.settle(&mut keep));
    }

    /// Lets go of what `keep` does not say yes to.
    pub(super) fn retain(&self, keep: impl Fn(&Seen) -> bool) {
        self.entries.retain(|_, seen| keep(seen));
    }

    /// How many tokens were recognised with what a processor has at hand: there, or here.
    pub(super) fn recognised(&self) -> u64 {
        self.at_hand.iter().map(|at_hand| lock(at_hand).recognised).sum()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}

fn lock(at_hand: &Mutex<AtHand>) -> MutexGuard<'_, AtHand> {
    // Whatever the panic was about, the table is whole: each slot is written as one.
    at_hand.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many bytes at the end of a token are hashed: 96 bits of its signature.
const HASHED: usize = 16;
/// What an entry takes besides its text and what its claims have on the heap: itself, two pairs of reference counts, and its
/// place in the map.
const OVERHEAD: usize = size_of::<Seen>() + 32 + 64;
const TYPICAL_ENTRY: usize = OVERHEAD + 450;
/// What a slot at hand takes, with the copy of an entry that it holds.
const SLOT: usize = size_of::<Seen>() + 16 + 24;
/// More than the processor's own cache holds would be no quicker at hand.
const MOST_SLOTS: usize = 4_096;

#[derive(Clone, Debug)]
struct Weigh;

impl Weighter<Place, Arc<Seen>> for Weigh {
    fn weight(&self, _: &Place, seen: &Arc<Seen>) -> u64 {
        seen.weight
    }
}

/// A [`Place`] is a hash already.
#[derive(Clone, Debug)]
struct AsItIs;

#[derive(Default)]
struct Itself(u64);

impl BuildHasher for AsItIs {
    type Hasher = Itself;

    fn build_hasher(&self) -> Itself {
        Itself::default()
    }
}

impl Hasher for Itself {
    fn write_u64(&mut self, place: u64) {
        self.0 = place;
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.0 = self.0.rotate_left(8) ^ u64::from(byte));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
