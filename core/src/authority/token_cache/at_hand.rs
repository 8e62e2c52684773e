//! The tokens that one processor sees again and again, kept apart from the others' so that a hit writes nothing shared.

use super::{Place, Seen};
use crate::authority::in_force::Known;
use crate::model::Rejection;
use crate::sync::Arc;

/// What one processor has at hand for a token seen before, behind a lock that it takes alone but for upkeep.
#[derive(Debug, Default)]
pub(in crate::authority) struct AtHand {
    pub(in crate::authority) tokens: HotTokens,
    pub(in crate::authority) revocations: Known,
    /// How many tokens were recognised.
    pub(in crate::authority) recognised: u64,
}

/// A small table in front of the cache.
///
/// It counts requests by itself until [`settle`](Self::settle). A token that is seen often gets a copy of its own here, for
/// reference counts are written at each use.
#[derive(Debug, Default)]
pub(in crate::authority) struct HotTokens {
    /// In pairs: a token may stand in either place of its pair.
    slots: Box<[Slot]>,
    offers: u32,
}

#[derive(Debug, Default)]
struct Slot {
    place: Place,
    requests: u32,
    /// Whether what stands here is a copy of its own.
    own: bool,
    seen: Option<Arc<Seen>>,
}

impl HotTokens {
    pub(super) fn new(slots: usize) -> Self {
        Self { slots: (0..slots).map(|_| Slot::default()).collect(), offers: 0 }
    }

    /// The token, if it stands here, verified by the signing keys of `issuers`: one more request, where `check` lets it
    /// pass. What is over leaves.
    pub(in crate::authority) fn find(
        &mut self,
        place: Place,
        token: &[u8],
        issuers: u64,
        check: impl FnOnce(&Seen) -> Result<(), Rejection>,
    ) -> Option<Result<Arc<Seen>, Rejection>> {
        let slot = self.pair(place).iter_mut().find(|slot| slot.place == place)?;
        let seen = slot.seen.as_ref().filter(|seen| seen.is(token, issuers))?;
        match check(seen) {
            Ok(()) => {
                let found = Arc::clone(seen);
                slot.requests = slot.requests.saturating_add(1);
                if slot.requests >= OFTEN && !slot.own {
                    slot.seen = Some(Arc::new(Seen::clone(&found)));
                    slot.own = true;
                }
                Some(Ok(found))
            }
            Err(Rejection::Expired) => {
                slot.clear();
                None
            }
            Err(rejection) => Some(Err(rejection)),
        }
    }

    /// Keeps a token that was not found here, if there is room for it, and sometimes if there is none: so what is asked
    /// for oftener stands here most of the time.
    pub(in crate::authority) fn offer(&mut self, place: Place, seen: &Arc<Seen>) {
        self.offers = self.offers.wrapping_add(1);
        let turn = self.offers;
        let pair = self.pair(place);
        let free = pair.iter().position(|slot| slot.is_free(seen.issuers));
        let other = usize::from(turn.is_multiple_of(2 * ONE_IN));
        let taken = turn.is_multiple_of(ONE_IN).then_some(other);
        if let Some(slot) = free.or(taken).and_then(|chosen| pair.get_mut(chosen)) {
            slot.clear();
            *slot = Slot { place, requests: 0, own: false, seen: Some(Arc::clone(seen)) };
        }
    }

    /// Hands over what was counted, and lets go of the tokens that were not asked for since the last time, and of those
    /// that `keep` does not say yes to.
    pub(super) fn settle(&mut self, mut keep: impl FnMut(&Seen) -> bool) {
        for slot in &mut self.slots {
            let idle = slot.requests == 0;
            slot.settle();
            if slot.seen.as_ref().is_some_and(|seen| idle || !keep(seen)) {
                slot.seen = None;
            }
        }
    }

    fn pair(&mut self, place: Place) -> &mut [Slot] {
        let first = place.among(self.slots.len() / 2) * 2;
        self.slots.get_mut(first..first + 2).unwrap_or_default()
    }
}

impl Slot {
    fn clear(&mut self) {
        self.settle();
        self.seen = None;
    }

    fn settle(&mut self) {
        let requests = std::mem::take(&mut self.requests);
        if let Some(seen) = self.seen.as_ref().filter(|_| requests > 0) {
            seen.usage.count_requests(requests.into());
        }
    }

    /// Whether nothing stands here that is still of use.
    fn is_free(&self, issuers: u64) -> bool {
        self.seen.as_ref().is_none_or(|seen| seen.issuers != issuers)
    }
}

/// One in so many tokens that find no room takes another's.
const ONE_IN: u32 = 16;
/// So many requests between two times that upkeep comes by are worth a copy.
const OFTEN: u32 = 256;
