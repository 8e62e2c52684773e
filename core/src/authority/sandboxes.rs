//! Sandboxes: opened as one transaction.

use std::sync::Arc;

use super::change::{Event, Tries, record_as};
use super::limits::SandboxCaller;
use super::{Actor, Fault, Inner, Issued, Principal, Refusal};
use crate::check::{NewKey, PresentedKey, TokenRequest, VerifiedKey, check_api_key, parse_key_text};
use crate::key_store::KeyStoreExt as _;
use crate::model::{
    Announcement, ApiKey, AuditAction, AuditActor, ChainId, ChangeSet, Developer, DeveloperId, DeveloperRef, Entity,
    EntityRef, EnvironmentName, Expectation, Metadata, Record, RecordKey, Rejection, SandboxPreferences, SandboxRecord,
    SandboxRequest, SandboxState, SealedBytes, SecretBytes, SecretText, Source, UnixTime,
};
use crate::random;
use crate::sandbox::{Furnished, SandboxOrigin};
use crate::seal::SealPurpose;

/// How long a sandbox lives, in seconds: 7 days.
const LIFETIME: u64 = 7 * 86_400;
/// How long an `Idempotency-Key` is remembered, in seconds: 24 hours.
const REMEMBERED: u64 = 86_400;
/// How long a reservation keeps others away, in seconds.
const LEASE: u64 = 120;
/// The one set of test data that there is.
const SCENARIO: &str = "user_good";
/// Longest receipt of an outside service, in bytes.
const LONGEST_RECEIPT: usize = 65_536;

/// Sandboxes: opened as one transaction.
#[derive(Clone, Copy)]
pub struct Sandboxes<'a> {
    pub(super) inner: &'a Arc<Inner>,
}

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

/// A sandbox that is open. The key is shown here, once.
#[derive(Clone, Debug)]
pub struct OpenedSandbox {
    /// Whether it was made just now; if not, it is the one of the same `Idempotency-Key`, with a new key.
    pub created: bool,
    /// Its developer.
    pub developer: Developer,
    /// A key with every scope.
    pub api_key: SecretText,
    /// Its first entity.
    pub entity: Entity,
    /// Its test data.
    pub furnished: Furnished,
    /// A developer token.
    pub token: SecretText,
    /// When it ends by itself.
    pub expires_at: UnixTime,
}

/// What an order means, once it is checked.
struct Plan {
    developer: DeveloperRef,
    request: Option<(RecordKey, SandboxRequest)>,
}

impl Sandboxes<'_> {
    /// Opens a sandbox: developer, key with every scope, entity, test data and a token; all of it or nothing.
    ///
    /// # Errors
    /// - [`Rejection::Conflict`] if the developer's id is taken
    /// - [`Rejection::IdempotencyMismatch`] if the same `Idempotency-Key` came with another order
    /// - [`Rejection::InvalidRequest`] if a part of the order is malformed, or the environment has no sandboxes
    /// - [`Rejection::RateLimited`] after too many
    /// - [`Refusal::Fault`] if the store or the outside service failed: there is no sandbox then
    pub async fn create(
        &self,
        actor: &SandboxActor<'_>,
        source: Source,
        order: &SandboxOrder,
    ) -> Result<OpenedSandbox, Refusal> {
        let inner = self.inner;
        let plan = inner.plan(order)?;
        if let Some(repeated) = inner.repeat(&plan, actor, source).await? {
            return Ok(repeated);
        }
        inner.limit_creation(actor, source)?;
        let opened = inner.open_sandbox(&plan, order, actor, source).await;
        if !matches!(opened, Err(Refusal::Rejected(Rejection::Conflict))) {
            return opened;
        }
        // Another came first: perhaps the same order, sent twice at once; perhaps a signing key changed meanwhile.
        inner.read_feed().await?;
        match inner.repeat(&plan, actor, source).await? {
            Some(repeated) => Ok(repeated),
            None => inner.open_sandbox(&plan, order, actor, source).await,
        }
    }

    /// The sandbox of `developer`.
    ///
    /// # Errors
    /// [`Rejection::NotFound`] if there is none that is open.
    pub async fn get(&self, developer: &DeveloperRef) -> Result<SandboxRecord, Refusal> {
        let found = self.inner.store.sandbox(developer).await?.map(|(sandbox, _)| sandbox);
        let open = found.filter(|sandbox| sandbox.state == SandboxState::Open && self.inner.now() < sandbox.expires_at);
        Ok(open.ok_or(Rejection::NotFound)?)
    }
}

impl std::fmt::Debug for Sandboxes<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sandboxes")
    }
}

impl Inner {
    fn plan(&self, order: &SandboxOrder) -> Result<Plan, Refusal> {
        let invalid = |message| Err(Rejection::InvalidRequest { message }.into());
        if order.environment == self.config.home || self.environment(order.environment).is_none() {
            return invalid("This environment has no sandboxes.");
        }
        let Ok(id) = DeveloperId::parse(&order.developer_id) else {
            return invalid("`developer_id` has 1 to 128 characters of `0-9A-Za-z._~-` and is not `.` or `..`.");
        };
        let short = |text: &str| !text.is_empty() && text.len() <= 100 && !text.chars().any(char::is_control);
        let SandboxPreferences { currency, timezone, locale } = &order.preferences;
        if currency.len() != 3 || !currency.bytes().all(|b| b.is_ascii_uppercase()) {
            return invalid("`currency` is a code of three capital letters (ISO 4217), such as `USD`.");
        }
        if !short(timezone) || !short(locale) || !order.industry.as_deref().is_none_or(short) {
            return invalid("`industry`, `timezone` and `locale` have 1 to 100 characters, no control characters.");
        }
        let developer = DeveloperRef { environment: order.environment, id };
        let request = match &order.idempotency_key {
            Some(key) => Some(self.idempotency(order, &developer, key)?),
            None => None,
        };
        Ok(Plan { developer, request })
    }

    fn idempotency(
        &self,
        order: &SandboxOrder,
        developer: &DeveloperRef,
        key: &SecretText,
    ) -> Result<(RecordKey, SandboxRequest), Refusal> {
        let text = key.expose();
        if !(32..=128).contains(&text.len()) || !text.bytes().all(|b| b.is_ascii_graphic()) {
            let message = "`Idempotency-Key` has 32 to 128 visible ASCII characters; it is a secret.";
            return Err(Rejection::InvalidRequest { message }.into());
        }
        let pepper = self.secrets()?.pepper()?;
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
        let request = SandboxRequest {
            environment: developer.environment,
            key_digest,
            body_digest,
            developer: developer.id.clone(),
            ends_at: self.now().plus(REMEMBERED),
        };
        Ok((RecordKey::SandboxRequest(developer.environment, key_digest), request))
    }

    fn limit_creation(&self, actor: &SandboxActor<'_>, source: Source) -> Result<(), Refusal> {
        match actor {
            SandboxActor::Host => Ok(()),
            SandboxActor::Open => self.limit_sandbox(SandboxCaller::Address(crate::check::address_key(&source))),
            SandboxActor::Principal(principal) => {
                self.limit_sandbox(SandboxCaller::Developer(principal.developer().clone()))
            }
        }
    }

    /// The sandbox that was made under the same `Idempotency-Key`, with a new key in place of its first.
    async fn repeat(
        &self,
        plan: &Plan,
        actor: &SandboxActor<'_>,
        source: Source,
    ) -> Result<Option<OpenedSandbox>, Refusal> {
        let Some((name, request)) = &plan.request else { return Ok(None) };
        let mut tries = Tries::default();
        loop {
            let [earlier] = self.gather([name.clone()]).await?;
            let Some(earlier) = record_as!(earlier, SandboxRequest)? else { return Ok(None) };
            if earlier.ends_at <= self.now() {
                return Ok(None);
            }
            if earlier.body_digest != request.body_digest {
                return Err(Rejection::IdempotencyMismatch.into());
            }
            let developer = DeveloperRef { environment: earlier.environment, id: earlier.developer };
            let Some((sandbox, sandbox_revision)) = self.store.sandbox(&developer).await? else { return Ok(None) };
            if sandbox.state != SandboxState::Open || sandbox.expires_at <= self.now() {
                return Ok(None);
            }
            let names = [
                RecordKey::Developer(developer.clone()),
                RecordKey::ApiKey(developer.clone(), sandbox.first_key),
                RecordKey::Entity(EntityRef { developer: developer.clone(), id: sandbox.entity.clone() }),
            ];
            let [owner, key, entity] = self.gather(names).await?;
            let (Some(owner), Some(key), Some(entity)) = (owner, key, record_as!(entity, Entity)?) else {
                return Err(Rejection::Conflict.into());
            };
            let mut set = self.new_set()?;
            set.expect(&owner);
            set.expect(&key);
            set.expect
                .push(Expectation { key: RecordKey::Sandbox(developer.clone()), revision: Some(sandbox_revision) });
            let owner = record_as!(Some(owner), Developer)?.ok_or(Rejection::NotFound)?;
            let key = record_as!(Some(key), ApiKey)?.ok_or(Rejection::NotFound)?;
            let (api_key, key) = self.replace_key(&mut set, &sandbox, key, actor, source)?;
            let furnished = self.sandbox.furnish(&sandbox).await?;
            let issued = self.mint_first(&mut set, &owner, &key, &api_key, source).await?;
            if self.commit(set, &mut tries).await? {
                return Ok(Some(OpenedSandbox {
                    created: false,
                    developer: owner,
                    api_key,
                    entity,
                    furnished,
                    token: issued.token,
                    expires_at: sandbox.expires_at,
                }));
            }
            // A signing key may have changed that is not known here yet.
            self.read_feed().await?;
        }
    }

    /// A new text in place of the first key's; a new key, where the first was revoked.
    fn replace_key(
        &self,
        set: &mut ChangeSet,
        sandbox: &SandboxRecord,
        key: ApiKey,
        actor: &SandboxActor<'_>,
        source: Source,
    ) -> Result<(SecretText, ApiKey), Refusal> {
        let developer = &sandbox.developer;
        let (text, key) = if key.revoked_at.is_some() {
            let created = self.first_key(set, developer, sandbox.expires_at)?;
            let mut moved = sandbox.clone();
            moved.first_key = created.1.id;
            set.update.push(Record::Sandbox(moved));
            created
        } else {
            let mut key = key;
            let ended = Announcement::GenerationEnded {
                environment: developer.environment,
                key: key.id,
                generation: key.current.generation,
            };
            self.announce(set, ended);
            if let Some(previous) = key.previous.take() {
                let ended = Announcement::GenerationEnded {
                    environment: developer.environment,
                    key: key.id,
                    generation: previous.generation,
                };
                self.announce(set, ended);
            }
            let (text, current) = self.new_key_text(developer, key.id, key.current.generation.saturating_add(1))?;
            key.current = current;
            set.update.push(Record::ApiKey(key.clone()));
            (text, key)
        };
        self.audit(
            set,
            Event {
                chain: ChainId::Developer(developer.clone()),
                actor: audit_actor(actor),
                source,
                action: AuditAction::KeyReplaced,
                subject: key.id.as_str(),
                details: &[("reason", "idempotent repeat")],
            },
        )?;
        Ok((text, key))
    }

    async fn open_sandbox(
        &self,
        plan: &Plan,
        order: &SandboxOrder,
        actor: &SandboxActor<'_>,
        source: Source,
    ) -> Result<OpenedSandbox, Refusal> {
        match self.sandbox.origin() {
            SandboxOrigin::Computed => self.open_computed(plan, order, actor, source).await,
            SandboxOrigin::Elsewhere => self.open_elsewhere(plan, order, actor, source).await,
        }
    }

    async fn open_computed(
        &self,
        plan: &Plan,
        order: &SandboxOrder,
        actor: &SandboxActor<'_>,
        source: Source,
    ) -> Result<OpenedSandbox, Refusal> {
        let mut set = self.new_set()?;
        self.check_vacant(&mut set, &plan.developer).await?;
        let record = self.new_record(&set, plan, order, SandboxState::Open)?;
        let furnished = self.sandbox.furnish(&record).await?;
        self.remember_request(&mut set, plan).await?;
        let opened = self.fill(&mut set, record, order, furnished, actor, source).await?;
        self.finish(set, opened).await
    }

    async fn open_elsewhere(
        &self,
        plan: &Plan,
        order: &SandboxOrder,
        actor: &SandboxActor<'_>,
        source: Source,
    ) -> Result<OpenedSandbox, Refusal> {
        let reserved = self.reserve(plan, order, actor, source).await?;
        let furnished = match self.sandbox.furnish(&reserved).await {
            Ok(furnished) => furnished,
            Err(error) => {
                // The lease stays, so that whoever takes it over clears what this try may have left behind.
                if let Err(cleared) = self.sandbox.clear(&reserved).await {
                    let error = cleared.to_string();
                    tracing::warn!(?error, "a half-made sandbox could not be cleared; its lease will run out");
                }
                return Err(error.into());
            }
        };
        let mut tries = Tries::default();
        loop {
            let mut set = self.new_set()?;
            let (held, revision) =
                self.store.sandbox(&plan.developer).await?.ok_or(Refusal::Rejected(Rejection::Conflict))?;
            if held != reserved {
                return Err(Rejection::Conflict.into());
            }
            set.expect.push(Expectation { key: RecordKey::Sandbox(plan.developer.clone()), revision: Some(revision) });
            set.expect_none(RecordKey::Developer(plan.developer.clone()));
            let record = SandboxRecord {
                state: SandboxState::Open,
                receipt: self.sealed_receipt(&plan.developer, furnished.receipt.as_ref())?,
                ..held
            };
            self.remember_request(&mut set, plan).await?;
            let opened = self.fill(&mut set, record, order, furnished.clone(), actor, source).await?;
            if self.commit(set, &mut tries).await? {
                return Ok(opened);
            }
            // A signing key may have changed that is not known here yet.
            self.read_feed().await?;
        }
    }

    fn sealed_receipt(
        &self,
        developer: &DeveloperRef,
        receipt: Option<&SecretBytes>,
    ) -> Result<Option<SealedBytes>, Refusal> {
        let Some(receipt) = receipt else { return Ok(None) };
        if receipt.expose().len() > LONGEST_RECEIPT {
            return Err(Fault::Internal("a sandbox's receipt is longer than 64 KiB").into());
        }
        let context = developer.to_string();
        Ok(Some(self.secrets()?.seal(&*self.random, SealPurpose::Receipt, context.as_bytes(), receipt)?))
    }

    /// Keeps the developer's id while another service makes the data.
    async fn reserve(
        &self,
        plan: &Plan,
        order: &SandboxOrder,
        actor: &SandboxActor<'_>,
        source: Source,
    ) -> Result<SandboxRecord, Refusal> {
        let mut set = self.new_set()?;
        let state = SandboxState::Reserved { lease_ends_at: set.at.plus(LEASE) };
        let name = RecordKey::Developer(plan.developer.clone());
        if self.store.get_one(name.clone()).await?.is_some() {
            return Err(Rejection::Conflict.into());
        }
        set.expect_none(name);
        let record = self.new_record(&set, plan, order, state)?;
        match self.store.sandbox(&plan.developer).await? {
            None => set.insert.push(Record::Sandbox(record.clone())),
            Some((held, revision)) => {
                match held.state {
                    SandboxState::Reserved { lease_ends_at } if lease_ends_at <= set.at => {}
                    _ => return Err(Rejection::Conflict.into()),
                }
                self.sandbox.clear(&held).await?;
                set.expect.push(Expectation { key: RecordKey::Sandbox(held.developer), revision: Some(revision) });
                set.update.push(Record::Sandbox(record.clone()));
            }
        }
        self.audit(
            &mut set,
            Event {
                chain: ChainId::System(plan.developer.environment),
                actor: audit_actor(actor),
                source,
                action: AuditAction::SandboxReserved,
                subject: plan.developer.id.as_str(),
                details: &[],
            },
        )?;
        match self.commit(set, &mut Tries::default()).await? {
            true => Ok(record),
            false => Err(Rejection::Conflict.into()),
        }
    }

    async fn check_vacant(&self, set: &mut ChangeSet, developer: &DeveloperRef) -> Result<(), Refusal> {
        let names = [RecordKey::Developer(developer.clone()), RecordKey::Sandbox(developer.clone())];
        let found = self.gather(names.clone()).await?;
        if found.iter().any(Option::is_some) {
            return Err(Rejection::Conflict.into());
        }
        names.into_iter().for_each(|name| set.expect_none(name));
        Ok(())
    }

    fn new_record(
        &self,
        set: &ChangeSet,
        plan: &Plan,
        order: &SandboxOrder,
        state: SandboxState,
    ) -> Result<SandboxRecord, Refusal> {
        Ok(SandboxRecord {
            developer: plan.developer.clone(),
            entity: self.new_entity_id()?,
            // Replaced by the key's own, once it is made.
            first_key: random::key_id(&*self.random)?,
            name: order.name.clone(),
            industry: order.industry.clone(),
            preferences: order.preferences.clone(),
            scenario: SCENARIO.to_owned(),
            seed: random::bytes(&*self.random)?,
            clock_offset: 0,
            receipt: None,
            state,
            created_at: set.at,
            expires_at: set.at.plus(LIFETIME),
        })
    }

    /// Keeps the `Idempotency-Key`; one that has ended is replaced.
    async fn remember_request(&self, set: &mut ChangeSet, plan: &Plan) -> Result<(), Refusal> {
        let Some((name, request)) = &plan.request else { return Ok(()) };
        let record = Record::SandboxRequest(request.clone());
        match self.store.get_one(name.clone()).await? {
            None => set.insert.push(record),
            Some(ended) => {
                set.expect(&ended);
                set.update.push(record);
            }
        }
        Ok(())
    }

    /// Adds everything that a sandbox is made of to `set`, its record last.
    async fn fill(
        &self,
        set: &mut ChangeSet,
        mut record: SandboxRecord,
        order: &SandboxOrder,
        furnished: Furnished,
        actor: &SandboxActor<'_>,
        source: Source,
    ) -> Result<OpenedSandbox, Refusal> {
        let reference = record.developer.clone();
        let developer = self.new_developer(set, &reference, &order.name)?;
        let entity = self.new_entity(set, &reference, record.entity.clone(), &order.name)?;
        let (api_key, key) = self.first_key(set, &reference, record.expires_at)?;
        record.first_key = key.id;
        self.audit(
            set,
            Event {
                chain: ChainId::Developer(reference.clone()),
                actor: audit_actor(actor),
                source,
                action: AuditAction::SandboxCreated,
                subject: reference.id.as_str(),
                details: &[("key", key.id.as_str()), ("entity", entity.reference.id.as_str())],
            },
        )?;
        let issued = self.mint_first(set, &developer, &key, &api_key, source).await?;
        let expires_at = record.expires_at;
        let reserved = set
            .expect
            .iter()
            .any(|expected| expected.revision.is_some() && expected.key == RecordKey::Sandbox(reference.clone()));
        if reserved { &mut set.update } else { &mut set.insert }.push(Record::Sandbox(record));
        Ok(OpenedSandbox { created: true, developer, api_key, entity, furnished, token: issued.token, expires_at })
    }

    async fn finish(&self, set: ChangeSet, opened: OpenedSandbox) -> Result<OpenedSandbox, Refusal> {
        match self.commit(set, &mut Tries::default()).await? {
            true => Ok(opened),
            false => Err(Rejection::Conflict.into()),
        }
    }

    /// A key with every scope, added to `set`.
    fn first_key(
        &self,
        set: &mut ChangeSet,
        developer: &DeveloperRef,
        expires_at: UnixTime,
    ) -> Result<(SecretText, ApiKey), Refusal> {
        let grant = self.config.registry.everything();
        let new = NewKey {
            name: "first key".to_owned(),
            scopes: grant.tokens().clone(),
            expires_at: Some(expires_at),
            allowed_ips: Vec::new(),
            metadata: Metadata::default(),
        };
        let created = self.new_key(set, developer, &new, grant, None)?;
        Ok((created.text, created.key))
    }

    /// A developer token for a key that `set` makes or replaces.
    async fn mint_first(
        &self,
        set: &mut ChangeSet,
        developer: &Developer,
        key: &ApiKey,
        text: &SecretText,
        source: Source,
    ) -> Result<Issued, Refusal> {
        let verified = self.verified_key(developer, key, text, source, set.at)?;
        let request = TokenRequest { entity: None, scope: None, lifetime: None };
        let (issued, claims) = self.mint(set, &verified, &request).await?;
        self.audit_issue(set, &claims, source)?;
        Ok(issued)
    }

    fn verified_key(
        &self,
        developer: &Developer,
        key: &ApiKey,
        text: &SecretText,
        source: Source,
        now: UnixTime,
    ) -> Result<VerifiedKey, Refusal> {
        let parts = parse_key_text(text.expose())?;
        let digests = self.secrets()?.digests(text);
        let presented = PresentedKey { developer: &developer.reference, parts: &parts, digests: &digests, source };
        Ok(check_api_key(&presented, Some(developer), Some(key), now)?)
    }
}

fn audit_actor(actor: &SandboxActor<'_>) -> AuditActor {
    match actor {
        SandboxActor::Host => AuditActor::Host,
        SandboxActor::Open => AuditActor::Anonymous,
        SandboxActor::Principal(principal) => Actor::Principal(principal).audit_actor(),
    }
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
