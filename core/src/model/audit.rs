//! Audit events, linked to chains that cannot be changed unnoticed.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ring::hmac;

use super::{DeveloperRef, EnvironmentName, KeyId, PepperId, SecretBytes, TokenId, UnixTime};

/// The link before a chain's first event.
pub const FIRST_LINK: [u8; 32] = [0; 32];

/// A chain of audit events: one per developer, and one per environment for what has no developer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChainId {
    /// The environment's own.
    System(EnvironmentName),
    /// A developer's.
    Developer(DeveloperRef),
}

impl ChainId {
    /// The environment that the chain belongs to.
    #[must_use]
    pub fn environment(&self) -> EnvironmentName {
        match self {
            Self::System(environment) => *environment,
            Self::Developer(developer) => developer.environment,
        }
    }
}

impl fmt::Display for ChainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(environment) => write!(f, "{environment}"),
            Self::Developer(developer) => write!(f, "{developer}"),
        }
    }
}

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditActor {
    /// The host's own code, or its operator.
    Host,
    /// latchbook itself, in `upkeep`.
    Upkeep,
    /// A caller without credentials (an open sandbox).
    Anonymous,
    /// A key, at exchange; or a token made from it.
    Key {
        /// The key.
        key: KeyId,
        /// The token, where one was shown.
        token: Option<TokenId>,
    },
}

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $outcome:ident;)+) => {
        /// What was done.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum AuditAction {
            $($(#[$doc])* $name),+
        }

        impl AuditAction {
            /// Every action.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Its name in a store and on the wire.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text),+
                }
            }

            /// Whether it was done or refused.
            #[must_use]
            pub const fn outcome(self) -> AuditOutcome {
                match self {
                    $(Self::$name => AuditOutcome::$outcome),+
                }
            }

            /// The action of that name.
            #[must_use]
            pub fn parse(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|action| action.name() == name)
            }
        }
    };
}

actions! {
    /// The store was set up.
    StoreCreated = "store.created", Done;
    /// Something ended and was removed.
    StorePruned = "store.pruned", Done;
    /// An older copy of the store was put back: every signing key was retired.
    StoreRestored = "store.restored", Done;
    /// A developer was made.
    DeveloperCreated = "developer.created", Done;
    /// A developer was suspended, and its epoch raised.
    DeveloperSuspended = "developer.suspended", Done;
    /// A suspended developer was resumed.
    DeveloperResumed = "developer.resumed", Done;
    /// Every token of a developer was revoked by raising its epoch.
    DeveloperTokensRevoked = "developer.tokens_revoked", Done;
    /// A key was made.
    KeyCreated = "key.created", Done;
    /// A key was made for a text that existed already.
    KeyImported = "key.imported", Done;
    /// A key was revoked.
    KeyRevoked = "key.revoked", Done;
    /// A key's text was replaced.
    KeyReplaced = "key.replaced", Done;
    /// An entity was made.
    EntityCreated = "entity.created", Done;
    /// An entity was removed.
    EntityRemoved = "entity.removed", Done;
    /// A key was exchanged for a token, or a token for a narrower one: then the actor names that token.
    TokenIssued = "token.issued", Done;
    /// A token was revoked.
    TokenRevoked = "token.revoked", Done;
    /// Exchanges were refused; counted and merged.
    ExchangesRefused = "exchanges.refused", Refused;
    /// A sandbox was reserved while it is furnished elsewhere.
    SandboxReserved = "sandbox.reserved", Done;
    /// A sandbox was opened.
    SandboxCreated = "sandbox.created", Done;
    /// A sandbox ended and was removed.
    SandboxEnded = "sandbox.ended", Done;
    /// A signing key was generated: to sign at once, or as the successor of the one that signs.
    SigningKeyCreated = "signing_key.created", Done;
    /// A signing key was imported, and signs from now on.
    SigningKeyImported = "signing_key.imported", Done;
    /// A signing key that was known before signs from now on.
    SigningKeyActivated = "signing_key.activated", Done;
    /// A signing key signs no more, and verifies until its last token is over.
    SigningKeyRetiring = "signing_key.retiring", Done;
    /// A signing key neither signs nor verifies any more.
    SigningKeyRetired = "signing_key.retired", Done;
    /// A signed checkpoint of the chain that it stands in.
    AuditCheckpoint = "audit.checkpoint", Done;
}

/// Whether an action was done or refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditOutcome {
    /// It was done.
    Done,
    /// It was refused.
    Refused,
}

/// An event before it has a place in its chain. The store gives it one inside `commit`.
#[derive(Clone, Debug)]
pub struct AuditDraft {
    /// The chain that it goes into.
    pub chain: ChainId,
    /// When.
    pub at: UnixTime,
    /// Who.
    pub actor: AuditActor,
    /// What.
    pub action: AuditAction,
    /// To what: an id, never a secret.
    pub subject: String,
    /// Where from, where known.
    pub source: Option<IpAddr>,
    /// More of it, in order; names and values are never secret.
    pub details: Vec<(String, String)>,
    /// The key that links it. It shows no more than its id.
    pub key: Arc<AuditKey>,
}

impl AuditDraft {
    /// The event with its number (from 1) and its link: HMAC-SHA-256 under the audit key over number, previous link and
    /// content. The store calls this under the chain's lock.
    #[must_use]
    pub fn link(self, number: u64, previous: &[u8; 32]) -> AuditEvent {
        let mut event = AuditEvent {
            chain: self.chain,
            number,
            at: self.at,
            actor: self.actor,
            action: self.action,
            subject: self.subject,
            source: self.source,
            details: self.details,
            key: self.key.id,
            link: FIRST_LINK,
        };
        event.link = self.key.link_of(&event, previous);
        event
    }
}

/// An event in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEvent {
    /// The chain that it stands in.
    pub chain: ChainId,
    /// Its number there, from 1 without gaps.
    pub number: u64,
    /// When.
    pub at: UnixTime,
    /// Who.
    pub actor: AuditActor,
    /// What.
    pub action: AuditAction,
    /// To what.
    pub subject: String,
    /// Where from, where known.
    pub source: Option<IpAddr>,
    /// More of it, in order.
    pub details: Vec<(String, String)>,
    /// The audit key that linked it.
    pub key: PepperId,
    /// HMAC-SHA-256 over number, previous link and content.
    pub link: [u8; 32],
}

impl AuditEvent {
    /// The bytes under the link: every field with its length before it, so that no two events share them.
    fn content(&self, previous: &[u8; 32]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(256);
        let mut put = |field: &[u8]| {
            bytes.extend_from_slice(&(field.len() as u64).to_be_bytes());
            bytes.extend_from_slice(field);
        };
        put(b"latchbook audit 1");
        put(&self.number.to_be_bytes());
        put(previous);
        match &self.chain {
            ChainId::System(environment) => {
                put(b"system");
                put(environment.as_str().as_bytes());
            }
            ChainId::Developer(developer) => {
                put(b"developer");
                put(developer.environment.as_str().as_bytes());
                put(developer.id.as_str().as_bytes());
            }
        }
        put(&self.at.seconds().to_be_bytes());
        match &self.actor {
            AuditActor::Host => put(b"host"),
            AuditActor::Upkeep => put(b"upkeep"),
            AuditActor::Anonymous => put(b"anonymous"),
            AuditActor::Key { key, token } => {
                put(b"key");
                put(key.as_str().as_bytes());
                put(token.as_ref().map_or("", TokenId::as_str).as_bytes());
            }
        }
        put(self.action.name().as_bytes());
        put(self.subject.as_bytes());
        put(self.source.map(|address| address.to_string()).unwrap_or_default().as_bytes());
        put(&(self.details.len() as u64).to_be_bytes());
        for (name, value) in &self.details {
            put(name.as_bytes());
            put(value.as_bytes());
        }
        put(self.key.as_bytes());
        bytes
    }
}

/// The key under which a chain is linked: random, and sealed where it is kept.
pub struct AuditKey {
    id: PepperId,
    key: hmac::Key,
}

impl AuditKey {
    /// The key `id` with these 32 bytes.
    #[must_use]
    pub fn new(id: PepperId, secret: &SecretBytes) -> Self {
        Self { id, key: hmac::Key::new(hmac::HMAC_SHA256, secret.expose()) }
    }

    /// Its id, which every event names.
    #[must_use]
    pub fn id(&self) -> PepperId {
        self.id
    }

    /// Whether `event` carries the link that this key gives it after `previous`.
    #[must_use]
    pub fn verifies(&self, event: &AuditEvent, previous: &[u8; 32]) -> bool {
        event.key == self.id && hmac::verify(&self.key, &event.content(previous), &event.link).is_ok()
    }

    fn link_of(&self, event: &AuditEvent, previous: &[u8; 32]) -> [u8; 32] {
        let mut link = FIRST_LINK;
        let tag = hmac::sign(&self.key, &event.content(previous));
        link.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
        link
    }
}

impl fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuditKey({})", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(subject: &str, details: &[(&str, &str)], key: &Arc<AuditKey>) -> AuditDraft {
        AuditDraft {
            chain: ChainId::System(EnvironmentName::LIVE),
            at: UnixTime::from_seconds(1),
            actor: AuditActor::Host,
            action: AuditAction::KeyCreated,
            subject: subject.into(),
            source: None,
            details: details.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect(),
            key: Arc::clone(key),
        }
    }

    #[test]
    fn a_link_covers_number_predecessor_and_every_field() {
        let key = Arc::new(AuditKey::new(PepperId::from_bytes([1; 16]), &SecretBytes::new(vec![7; 32])));
        let event = draft("k", &[("a", "bc")], &key).link(3, &[9; 32]);
        assert!(key.verifies(&event, &[9; 32]));
        assert!(!key.verifies(&event, &FIRST_LINK));
        let changes: [fn(&mut AuditEvent); 7] = [
            |e| e.number = 4,
            |e| e.subject.push('x'),
            |e| e.at = UnixTime::from_seconds(2),
            |e| e.details = vec![("ab".into(), "c".into())],
            |e| e.actor = AuditActor::Upkeep,
            |e| e.action = AuditAction::KeyRevoked,
            |e| e.source = Some(IpAddr::from([127, 0, 0, 1])),
        ];
        for (number, change) in changes.iter().enumerate() {
            let mut changed = event.clone();
            change(&mut changed);
            assert!(!key.verifies(&changed, &[9; 32]), "change {number}");
        }
    }

    #[test]
    fn every_action_is_found_by_its_name() {
        for action in AuditAction::ALL {
            assert_eq!(AuditAction::parse(action.name()), Some(*action));
        }
    }
}
