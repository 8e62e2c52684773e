//! The words of the library as plain data; nothing here decides, stores or signs.

mod api_key;
mod audit;
mod change;
mod checkpoint;
mod claims;
mod developer;
mod entity;
mod environment;
mod ids;
mod index;
mod named;
mod rejection;
mod sandbox;
mod scope;
mod scope_rule;
mod secret;
mod settings;
mod signing_key;
mod source;
mod text;
mod time;

pub use api_key::{
    ApiKey, KeyActivity, KeyDigest, KeyText, MAX_ALLOWED_IPS, Metadata, MetadataError, NameError, checked_name,
};
pub use audit::{AuditAction, AuditActor, AuditDraft, AuditEvent, AuditKey, AuditOutcome, ChainId, FIRST_LINK};
pub use change::{
    Announcement, ChangeSet, Committed, Expectation, FeedEntry, FeedPage, FeedPosition, Merge, Pruned, Record,
    RecordKey, Revision, Stored, UsageCounts, UsageRow,
};
pub use checkpoint::{CHECKPOINT_DETAIL, Checkpoint, SignedCheckpoint};
pub use claims::{AccessClaims, Delegation, SignedClaims};
pub use developer::{Developer, DeveloperStatus};
pub use entity::Entity;
pub use environment::{EnvironmentError, EnvironmentName};
pub use ids::{
    ChangeId, DeveloperId, DeveloperRef, EntityId, EntityRef, IdError, KeyId, PepperId, SigningKeyId, TokenId,
};
pub use index::{Index, Page, Position, Row, StoreMeta};
pub use rejection::{Rejection, RevokedBy};
pub use sandbox::{SandboxPreferences, SandboxRecord, SandboxRequest, SandboxState};
pub use scope::{DeclaredScope, ScopeError, ScopeGrant, ScopeRegistry, ScopeSet, ScopeToken};
pub use scope_rule::{
    AnyOf, AnyScope, AuditRead, BUILT_IN, EntitiesManage, KeysManage, SandboxManage, Scope, ScopeRule,
};
pub use secret::{SealedBytes, SecretBytes, SecretText};
pub use settings::{Pepper, PepperPurpose, Settings};
pub use signing_key::{Algorithm, Provenance, PublicKey, SigningKey, SigningKeyState};
pub use source::Source;
pub use time::{Day, Leeway, Lifetime, UnixTime};
