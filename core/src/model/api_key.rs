//! The API key's record: what is kept of a key whose text was shown once.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::{DeveloperRef, KeyId, PepperId, ScopeGrant, UnixTime};

/// Most IP ranges that one key may have.
pub const MAX_ALLOWED_IPS: usize = 16;

/// Free text pairs that a developer attaches to a key: at most 20, names up to 40 and values up to 500 characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata(BTreeMap<String, String>);

impl Metadata {
    /// Accepts `pairs` within the limits above; control characters are refused.
    ///
    /// # Errors
    /// [`MetadataError`] where a limit is passed.
    pub fn parse(pairs: BTreeMap<String, String>) -> Result<Self, MetadataError> {
        let fits = |text: &str, longest| text.chars().count() <= longest && !text.chars().any(char::is_control);
        let good = pairs.len() <= 20
            && pairs.iter().all(|(name, value)| !name.is_empty() && fits(name, 40) && fits(value, 500));
        if good { Ok(Self(pairs)) } else { Err(MetadataError) }
    }

    /// The pairs, ordered by name.
    #[must_use]
    pub fn pairs(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

/// The pairs pass a limit of [`Metadata`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`metadata` has at most 20 pairs, names of 1 to 40 and values of up to 500 characters, no control characters")]
pub struct MetadataError;

/// An API key's record. It holds digests, never the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// The developer that holds it.
    pub developer: DeveloperRef,
    /// Its id, part of its text.
    pub id: KeyId,
    /// The host's brand when the key was made, part of its text: 2 to 8 characters of `0-9a-z`.
    pub brand: String,
    /// A name for people; 1 to 200 characters, no control characters.
    pub name: String,
    /// What it may do.
    pub grant: ScopeGrant,
    /// The ranges that its caller's address must lie in; empty is anywhere.
    pub allowed_ips: Vec<IpNet>,
    /// The developer's own pairs.
    pub metadata: Metadata,
    /// The text that works now.
    pub current: KeyText,
    /// The text before it, while a rotation's grace runs.
    pub previous: Option<KeyText>,
    /// When it was made.
    pub created_at: UnixTime,
    /// From when on it is over, if ever.
    pub expires_at: Option<UnixTime>,
    /// When it was revoked, if it was.
    pub revoked_at: Option<UnixTime>,
    /// The key whose token made it, if one did.
    pub made_by: Option<KeyId>,
}

/// One text of a key: its digest and how long it works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyText {
    /// Counts the key's rotations from 1 (`gen`).
    pub generation: u64,
    /// What the text is recognised by.
    pub digest: KeyDigest,
    /// The end of its grace, for a text that was rotated away.
    pub ends_at: Option<UnixTime>,
}

/// HMAC-SHA-256 of a key's whole text under a pepper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyDigest {
    /// The pepper.
    pub pepper: PepperId,
    /// The digest.
    pub value: [u8; 32],
}

/// When a key was last used; kept apart from its record, since merging it must not change the record's revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyActivity {
    /// The developer that holds the key.
    pub developer: DeveloperRef,
    /// The key.
    pub key: KeyId,
    /// The latest use that was merged.
    pub last_used_at: UnixTime,
}

/// Accepts a name for people: 1 to 200 characters, no control characters.
///
/// # Errors
/// [`NameError`] for any other text.
pub fn checked_name(text: &str) -> Result<String, NameError> {
    let count = text.chars().count();
    if (1..=200).contains(&count) && !text.chars().any(char::is_control) { Ok(text.to_owned()) } else { Err(NameError) }
}

/// The text is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to 200 characters and no control characters")]
pub struct NameError;
