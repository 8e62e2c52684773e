//! Tokens whose signature was found right before, so that it need not be checked again.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use quick_cache::sync::Cache;
use quick_cache::{Equivalent, Weighter};

use super::usage::UsageCell;
use crate::check::VerifiedToken;

/// A token that was verified once: its identity, never its authority. Lifetime, address, scope and revocation are
/// checked on every use.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) token: VerifiedToken,
    /// Which set of signing keys verified it; with another set it must be verified anew.
    pub(super) issuers: u64,
    pub(super) usage: Arc<UsageCell>,
}

/// A bounded map from a token's whole text to what it proved. Only tokens with a right signature get in.
#[derive(Debug)]
pub(super) struct TokenCache {
    entries: Cache<TokenText, Arc<Seen>, Weigh>,
}

impl TokenCache {
    /// A cache of at most about `bytes` bytes.
    pub(super) fn new(bytes: usize) -> Self {
        Self { entries: Cache::with_weighter(bytes / TYPICAL_ENTRY, bytes as u64, Weigh) }
    }

    /// What `token` proved, if the signing keys are still those of `issuers`.
    pub(super) fn get(&self, token: &[u8], issuers: u64) -> Option<Arc<Seen>> {
        self.entries.get(&Borrowed(token)).filter(|seen| seen.issuers == issuers)
    }

    pub(super) fn insert(&self, token: &[u8], seen: Arc<Seen>) {
        self.entries.insert(TokenText(token.into()), seen);
    }

    pub(super) fn remove(&self, token: &[u8]) {
        self.entries.remove(&Borrowed(token));
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}

/// What an entry takes besides its text: claims, map slot, allocator.
const OVERHEAD: usize = 600;
const TYPICAL_ENTRY: usize = OVERHEAD + 450;

#[derive(Clone, Debug)]
struct Weigh;

impl Weighter<TokenText, Arc<Seen>> for Weigh {
    fn weight(&self, token: &TokenText, _: &Arc<Seen>) -> u64 {
        (token.0.len() + OVERHEAD) as u64
    }
}

/// Compared whole, hashed by its end: that is signature, which nobody can choose, and the hash is keyed besides.
#[derive(PartialEq, Eq)]
struct TokenText(Box<[u8]>);

impl Hash for TokenText {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(tail(&self.0));
    }
}

struct Borrowed<'a>(&'a [u8]);

impl Hash for Borrowed<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(tail(self.0));
    }
}

impl Equivalent<TokenText> for Borrowed<'_> {
    fn equivalent(&self, key: &TokenText) -> bool {
        *self.0 == *key.0
    }
}

fn tail(token: &[u8]) -> &[u8] {
    token.get(token.len().saturating_sub(16)..).unwrap_or(token)
}
