//! What is asked for, by whom, and whether it can be had.

use super::super::limits::SandboxCaller;
use super::super::{Actor, Inner, Principal, Refusal};
use crate::check::address_key;
use crate::model::{
    AuditActor, DeveloperId, DeveloperRef, EnvironmentName, Rejection, SandboxPreferences, SandboxRequest, SecretText,
    Source,
};

/// How long an `Idempotency-Key` is remembered, in seconds: 24 hours.
const REMEMBERED: u64 = 86_400;

/// Who asks for a sandbox.
#[derive(Clone, Copy, Debug)]
pub enum SandboxActor<'a> {
    /// The host's own code, or its operator: not limited.
    Host,
    /// Anybody, limited by address.
    Open,
    /// A caller by its token, limited by developer.
    Principal(&'a Principal),
}

/// A sandbox as it is asked for.
#[derive(Clone, Debug)]
pub struct SandboxOrder {
    /// The sandbox environment: any mounted one but the home environment.
    pub environment: EnvironmentName,
    /// A name for people, of the developer, the entity and the ledger: 1 to 200 characters.
    pub name: String,
    /// The id that the developer gets.
    pub developer_id: String,
    /// The line of business.
    pub industry: Option<String>,
    /// What the test data should look like.
    pub preferences: SandboxPreferences,
    /// The `Idempotency-Key`, a secret of 32 to 128 visible ASCII characters.
    pub idempotency_key: Option<SecretText>,
}

/// One order, once it is checked.
pub(super) struct Opening<'a> {
    pub(super) inner: &'a Inner,
    pub(super) actor: &'a SandboxActor<'a>,
    pub(super) source: Source,
    pub(super) order: &'a SandboxOrder,
    pub(super) developer: DeveloperRef,
    /// The `Idempotency-Key`, as it is kept.
    pub(super) request: Option<SandboxRequest>,
}

impl<'a> Opening<'a> {
    /// Checks everything that can be told from the order alone.
    pub(super) fn plan(
        inner: &'a Inner,
        actor: &'a SandboxActor<'a>,
        source: Source,
        order: &'a SandboxOrder,
    ) -> Result<Self, Refusal> {
        let invalid = |message| Err(Rejection::InvalidRequest { message }.into());
        if order.environment == inner.config.home || inner.environment(order.environment).is_none() {
            return invalid("This environment has no sandboxes.");
        }
        let Ok(id) = DeveloperId::parse(&order.developer_id) else {
            return invalid("`developer_id` has 1 to 128 characters of `0-9A-Za-z._~-` and is not `.` or `..`.");
        };
        let short = |text: &str| (1..=100).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        let SandboxPreferences { currency, timezone, locale } = &order.preferences;
        if currency.len() != 3 || !currency.bytes().all(|b| b.is_ascii_uppercase()) {
            return invalid("`currency` is a code of three capital letters (ISO 4217), such as `USD`.");
        }
        if !short(timezone) || !short(locale) || !order.industry.as_deref().is_none_or(short) {
            return invalid("`industry`, `timezone` and `locale` have 1 to 100 characters, no control characters.");
        }
        let developer = DeveloperRef { environment: order.environment, id };
        let request = match &order.idempotency_key {
            Some(key) => Some(idempotency(inner, order, &developer, key)?),
            None => None,
        };
        Ok(Self { inner, actor, source, order, developer, request })
    }

    /// Counts this one against what the caller may open.
    pub(super) fn limit(&self) -> Result<(), Refusal> {
        let caller = match self.actor {
            SandboxActor::Host => return Ok(()),
            SandboxActor::Open => SandboxCaller::Address(address_key(&self.source)),
            SandboxActor::Principal(principal) => SandboxCaller::Developer(principal.developer().clone()),
        };
        self.inner.limit_sandbox(caller)
    }

    pub(super) fn audit_actor(&self) -> AuditActor {
        match self.actor {
            SandboxActor::Host => AuditActor::Host,
            SandboxActor::Open => AuditActor::Anonymous,
            SandboxActor::Principal(principal) => Actor::Principal(principal).audit_actor(),
        }
    }
}

fn idempotency(
    inner: &Inner,
    order: &SandboxOrder,
    developer: &DeveloperRef,
    key: &SecretText,
) -> Result<SandboxRequest, Refusal> {
    let text = key.expose();
    if !(32..=128).contains(&text.len()) || !text.bytes().all(|b| b.is_ascii_graphic()) {
        let message = "`Idempotency-Key` has 32 to 128 visible ASCII characters; it is a secret.";
        return Err(Rejection::InvalidRequest { message }.into());
    }
    let pepper = inner.secrets()?.pepper()?;
    let key_digest = pepper.digest_bytes(&joined(&["idempotency key", text]));
    let preferences = &order.preferences;
    let body_digest = pepper.digest_bytes(&joined(&[
        "sandbox order",
        &order.name,
        &order.developer_id,
        order.industry.as_deref().unwrap_or_default(),
        &preferences.currency,
        &preferences.timezone,
        &preferences.locale,
    ]));
    Ok(SandboxRequest {
        environment: developer.environment,
        key_digest,
        body_digest,
        developer: developer.id.clone(),
        ends_at: inner.now().plus(REMEMBERED),
    })
}

/// Texts with their lengths before them, so that no two lists give the same bytes.
fn joined(texts: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for text in texts {
        bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}
