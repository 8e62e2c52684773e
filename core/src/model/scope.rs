//! Scopes: single tokens, sets of them, and the grants that keys hold.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::text::Text;

/// Longest scope token, in bytes.
const MAX_TOKEN: usize = 100;
/// Most scope tokens in one set; keeps a token within its size.
const MAX_TOKENS: usize = 100;

/// One scope token, such as `keys:read` (RFC 6749 §3.3; 1 to 100 bytes, case-sensitive).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScopeToken(Arc<str>);

impl ScopeToken {
    /// Accepts `text` when every byte is allowed in a scope token.
    ///
    /// # Errors
    /// [`ScopeError`], which says what is wrong.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        check_token(text)?;
        Ok(Self(text.into()))
    }

    /// The token's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn check_token(text: &str) -> Result<(), ScopeError> {
    let allowed = |b: u8| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    if text.is_empty() {
        return Err(ScopeError::Empty);
    }
    if text.len() > MAX_TOKEN {
        return Err(ScopeError::TooLong);
    }
    match text.bytes().position(|b| !allowed(b)) {
        Some(offset) => Err(ScopeError::ForbiddenByte { offset }),
        None => Ok(()),
    }
}

/// Whether `token` manages latchbook itself: `keys:…`, `audit:…`, `sandbox:…`, `entities:…`.
fn is_built_in_management(token: &str) -> bool {
    ["keys:", "audit:", "sandbox:", "entities:"].iter().any(|resource| token.starts_with(resource))
}

/// For `resource:*`, the text before the star.
fn wildcard_prefix(token: &str) -> Option<&str> {
    token.strip_suffix('*').filter(|prefix| prefix.ends_with(':'))
}

// Ordered, compared and hashed as its text is.
impl Borrow<str> for ScopeToken {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ScopeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ScopeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

/// Why a text is no scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// An empty token, or two spaces in a row.
    #[error("a scope token is empty")]
    Empty,
    /// A token of more than 100 bytes, or more than 100 tokens.
    #[error("a scope has at most 100 tokens of at most 100 characters")]
    TooLong,
    /// A byte that RFC 6749 §3.3 does not allow.
    #[error("character {offset} is not allowed in a scope token")]
    ForbiddenByte {
        /// Its place, counted from 0.
        offset: usize,
    },
    /// A token that the host did not declare.
    #[error("a scope is not known here")]
    Unknown,
}

/// A set of scope tokens, ordered.
///
/// One text, so that it is as cheap to hold and to copy as one scope.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
// INVARIANT: scope tokens in order, none twice, a space between two.
pub struct ScopeSet(Text);

impl ScopeSet {
    /// The empty set.
    pub const EMPTY: Self = Self(Text::EMPTY);

    /// Accepts tokens separated by single spaces (RFC 6749 §3.3); the empty text is the empty set.
    ///
    /// # Errors
    /// [`ScopeError`], which says what is wrong.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        if text.is_empty() {
            return Ok(Self::EMPTY);
        }
        let (mut count, mut last, mut in_order) = (0, "", true);
        for token in text.split(' ') {
            check_token(token)?;
            in_order &= last < token;
            (count, last) = (count + 1, token);
        }
        if count > MAX_TOKENS {
            return Err(ScopeError::TooLong);
        }
        // As we write them ourselves.
        if in_order { Ok(Self(Text::new(text))) } else { Ok(Self::ordered(text.split(' ').collect())) }
    }

    /// Whether `token` is in the set.
    #[must_use]
    pub fn contains(&self, token: &str) -> bool {
        // Empty and spaced texts are no tokens, and in no set.
        self.iter().any(|held| held == token)
    }

    /// Whether every token of this set is in `other`.
    #[must_use]
    pub fn is_subset(&self, other: &Self) -> bool {
        self.iter().all(|token| other.contains(token))
    }

    /// Whether it holds no token.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.as_bytes().is_empty()
    }

    /// The tokens' texts, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.as_str().split(' ').filter(|token| !token.is_empty())
    }

    /// Those of its tokens that `keep` says yes to.
    #[must_use]
    pub fn filtered(&self, keep: impl FnMut(&&str) -> bool) -> Self {
        Self::ordered(self.iter().filter(keep).collect())
    }

    /// How many bytes its tokens have, with a space between two.
    pub(crate) fn text_length(&self) -> usize {
        self.0.as_bytes().len()
    }

    fn ordered(mut tokens: Vec<&str>) -> Self {
        tokens.sort_unstable();
        tokens.dedup();
        Self(Text::new(&tokens.join(" ")))
    }
}

impl Default for ScopeSet {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl FromIterator<ScopeToken> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = ScopeToken>>(tokens: I) -> Self {
        let tokens: Vec<_> = tokens.into_iter().collect();
        Self::ordered(tokens.iter().map(ScopeToken::as_str).collect())
    }
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// What a key holds: scope tokens, and wildcards such as `ledger:*` that live here alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScopeGrant(ScopeSet);

impl ScopeGrant {
    /// The grant of exactly `tokens`; a token `resource:*` stands for every declared scope of the resource.
    #[must_use]
    pub fn new(tokens: ScopeSet) -> Self {
        Self(tokens)
    }

    /// The tokens as granted, wildcards included.
    #[must_use]
    pub fn tokens(&self) -> &ScopeSet {
        &self.0
    }

    /// The scopes that this grant stands for, of those that `registry` declares; undeclared ones fall away.
    #[must_use]
    pub fn spelled_out(&self, registry: &ScopeRegistry) -> ScopeSet {
        registry.scopes().filter(|scope| self.covers(scope.as_str())).cloned().collect()
    }

    /// Whether the grant holds `token`, by itself or by a wildcard.
    #[must_use]
    pub fn covers(&self, token: &str) -> bool {
        self.0.contains(token) || self.0.iter().filter_map(wildcard_prefix).any(|prefix| token.starts_with(prefix))
    }

    /// Whether a token of the grant is a wildcard.
    pub fn wildcards(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|token| wildcard_prefix(token).is_some())
    }
}

/// One scope as the host declares it; `scopes!` writes these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeclaredScope {
    /// The scope token's text.
    pub token: &'static str,
    /// Whether it manages rather than uses: an entity token never carries it.
    pub management: bool,
}

/// The scopes that exist: latchbook's own and those that the host declared.
#[derive(Clone, Debug, Default)]
pub struct ScopeRegistry(BTreeMap<ScopeToken, bool>);

impl ScopeRegistry {
    /// The registry of `declared`.
    ///
    /// # Errors
    /// [`ScopeError`] for a token that RFC 6749 §3.3 does not allow, or one that ends with `*`.
    pub fn new<'a>(declared: impl IntoIterator<Item = &'a DeclaredScope>) -> Result<Self, ScopeError> {
        let mut scopes = BTreeMap::new();
        for scope in declared {
            let token = ScopeToken::parse(scope.token)?;
            if scope.token.ends_with('*') {
                return Err(ScopeError::ForbiddenByte { offset: scope.token.len().saturating_sub(1) });
            }
            let management = scope.management || is_built_in_management(token.as_str());
            scopes.insert(token, management);
        }
        Ok(Self(scopes))
    }

    /// Every declared scope, in order.
    pub fn scopes(&self) -> impl Iterator<Item = &ScopeToken> {
        self.0.keys()
    }

    /// Whether `token` is declared.
    #[must_use]
    pub fn declares(&self, token: &str) -> bool {
        self.0.contains_key(token)
    }

    /// Whether an entity token must not carry `token`.
    #[must_use]
    pub fn is_management(&self, token: &str) -> bool {
        is_built_in_management(token) || self.0.get(token).copied().unwrap_or(false)
    }

    /// The grant of `tokens`, each a declared scope or a wildcard that covers at least one.
    ///
    /// # Errors
    /// [`ScopeError::Empty`] for no token, [`ScopeError::Unknown`] for one that is neither.
    pub fn grant(&self, tokens: ScopeSet) -> Result<ScopeGrant, ScopeError> {
        if tokens.is_empty() {
            return Err(ScopeError::Empty);
        }
        let known = |token: &str| match wildcard_prefix(token) {
            Some(prefix) => self.scopes().any(|scope| scope.as_str().starts_with(prefix)),
            None => self.declares(token),
        };
        if tokens.iter().all(known) { Ok(ScopeGrant(tokens)) } else { Err(ScopeError::Unknown) }
    }

    /// The grant of every declared scope, spelled out.
    #[must_use]
    pub fn everything(&self) -> ScopeGrant {
        ScopeGrant(self.scopes().cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> ScopeSet {
        ScopeSet::parse(text).expect("a scope")
    }

    fn registry() -> ScopeRegistry {
        let declared = [
            DeclaredScope { token: "ledger:read", management: false },
            DeclaredScope { token: "ledger:write", management: false },
            DeclaredScope { token: "keys:manage", management: false },
            DeclaredScope { token: "ledgerx", management: true },
        ];
        ScopeRegistry::new(&declared).expect("declared")
    }

    #[test]
    fn a_scope_is_tokens_between_single_spaces() {
        assert_eq!(set("b a b").to_string(), "a b");
        assert!(set("").is_empty());
        let bad =
            [("a  b", ScopeError::Empty), (" a", ScopeError::Empty), ("a\"", ScopeError::ForbiddenByte { offset: 1 })];
        for (text, want) in bad {
            assert_eq!(ScopeSet::parse(text), Err(want), "{text:?}");
        }
    }

    #[test]
    fn a_wildcard_is_spelled_out_from_what_is_declared() {
        let grant = registry().grant(set("ledger:*")).expect("known");
        assert_eq!(grant.spelled_out(&registry()), set("ledger:read ledger:write"));
        assert_eq!(registry().grant(set("nothing:*")), Err(ScopeError::Unknown));
        assert_eq!(registry().grant(set("*")), Err(ScopeError::Unknown));
        assert_eq!(registry().grant(ScopeSet::EMPTY), Err(ScopeError::Empty));
    }

    #[test]
    fn built_in_resources_and_marked_scopes_are_management() {
        let registry = registry();
        for (token, want) in [("keys:manage", true), ("ledgerx", true), ("ledger:read", false), ("audit:unknown", true)]
        {
            assert_eq!(registry.is_management(token), want, "{token}");
        }
    }
}
