//! An authority in memory, with a clock that the test moves.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use latchbook_core::Authority;
use latchbook_core::authority::{Actor, AuthorityBuilder, CreatedKey, Limits, NewEntity, Refusal};
use latchbook_core::check::NewKey;
use latchbook_core::clock::Clock;
use latchbook_core::key_store::MemoryStore;
use latchbook_core::model::{
    DeclaredScope, DeveloperId, DeveloperRef, EntityId, EnvironmentName, Metadata, Rejection, Source, UnixTime,
};
use latchbook_core::seal::MasterKey;

use super::{ActingAs, TestClock};
use crate::Gate;

/// The issuer of the tokens, where the test names none.
const ISSUER: &str = "https://api.example.com";

/// An authority in memory: real keys, real tokens, no limits, and a clock that the test moves. Cheap to clone.
#[derive(Clone)]
pub struct TestAuthority {
    authority: Authority,
    clock: Arc<TestClock>,
    keys: Arc<Mutex<HashMap<DeveloperRef, CreatedKey>>>,
}

/// What a test says of its authority. Made by [`TestAuthority::builder`].
#[derive(Debug)]
pub struct TestAuthorityBuilder {
    builder: AuthorityBuilder,
    start: Option<UnixTime>,
}

impl TestAuthority {
    /// An authority of the environments `live` and `sandbox` that knows `scopes`, the host's own.
    pub async fn new(scopes: &[DeclaredScope]) -> Self {
        Self::builder().scopes(scopes).build().await
    }

    /// An authority that differs in more.
    #[must_use]
    pub fn builder() -> TestAuthorityBuilder {
        let builder = Authority::builder()
            .store(MemoryStore::new())
            .issuer(ISSUER)
            .master_key(MasterKey::from_bytes([7; 32]))
            .limits(Limits::OFF);
        TestAuthorityBuilder { builder, start: None }
    }

    /// A gate with the default policy, for the router of the test.
    #[must_use]
    pub fn gate(&self) -> Gate {
        Gate::new(self.authority.clone())
    }

    /// The authority itself, to suspend, revoke and list as the host would.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Its clock.
    #[must_use]
    pub fn clock(&self) -> &TestClock {
        &self.clock
    }

    /// A token of `developer`, in the home environment unless said otherwise. The developer, its entities and its key
    /// are made when they are first named.
    pub fn acting_as(&self, developer: impl Into<String>) -> ActingAs<'_> {
        ActingAs::new(self, developer.into())
    }

    /// `developer`, made unless it exists.
    pub(super) async fn developer(&self, environment: EnvironmentName, developer: &str) -> DeveloperRef {
        let id = DeveloperId::parse(developer)
            .unwrap_or_else(|error| panic!("`{developer}` cannot be a developer's id: {error}"));
        let reference = DeveloperRef { environment, id };
        let developers = self.authority.developers();
        let made = developers.create(&Actor::Host, Source::UNKNOWN, &reference, developer).await;
        unless_there(made.map(drop), || format!("the developer `{developer}` of `{environment}`"));
        reference
    }

    /// `entity` of `developer`, made unless it exists.
    pub(super) async fn entity(&self, developer: &DeveloperRef, entity: &str) {
        let id = EntityId::parse(entity).unwrap_or_else(|error| panic!("`{entity}` cannot be an entity's id: {error}"));
        let new = NewEntity { id: Some(id), legal_name: entity.to_owned() };
        let made = self.authority.entities().create(&Actor::Host, Source::UNKNOWN, developer, &new).await;
        unless_there(made.map(drop), || format!("the entity `{entity}` of `{}`", developer.id));
    }

    /// The key of `developer` that tokens come from: it holds every scope. Made unless it exists and was not revoked.
    pub(super) async fn key(&self, developer: &DeveloperRef) -> CreatedKey {
        let known = self.keys.lock().unwrap_or_else(PoisonError::into_inner).get(developer).cloned();
        if let Some(known) = known {
            let found = self.authority.keys().get(developer, known.key.id).await;
            if found.is_ok_and(|found| found.key.revoked_at.is_none()) {
                return known;
            }
        }
        let new = NewKey {
            name: "made by a test".to_owned(),
            scopes: self.authority.scopes().scopes().cloned().collect(),
            expires_at: None,
            allowed_ips: Vec::new(),
            metadata: Metadata::default(),
        };
        let made = self.authority.keys().create(&Actor::Host, Source::UNKNOWN, developer, &new).await;
        let made = made.unwrap_or_else(|refusal| panic!("a key of `{}` was not made: {refusal}", developer.id));
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).insert(developer.clone(), made.clone());
        made
    }
}

impl fmt::Debug for TestAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestAuthority").field("now", &self.clock.now()).finish_non_exhaustive()
    }
}

impl TestAuthorityBuilder {
    /// The host's scopes, as [`scopes!`](latchbook_core::scopes) lists them in `ALL`.
    #[must_use]
    pub fn scopes(self, declared: &[DeclaredScope]) -> Self {
        self.configure(|builder| builder.scopes(declared))
    }

    /// The environments, in place of `live` and `sandbox`. The first of them is the home environment.
    #[must_use]
    pub fn environments(self, environments: &[EnvironmentName]) -> Self {
        let home = environments.first().copied().unwrap_or(EnvironmentName::LIVE);
        self.configure(|builder| builder.environments(environments).home(home))
    }

    /// The issuer URL, in place of `https://api.example.com`.
    #[must_use]
    pub fn issuer(self, url: impl Into<String>) -> Self {
        self.configure(|builder| builder.issuer(url))
    }

    /// Where the clock starts; at the system's present unless said.
    #[must_use]
    pub fn starts_at(self, start: UnixTime) -> Self {
        Self { start: Some(start), ..self }
    }

    /// Whatever else an authority can be told, such as limits, a policy or an entity scope of the host's own.
    #[must_use]
    pub fn configure(self, change: impl FnOnce(AuthorityBuilder) -> AuthorityBuilder) -> Self {
        Self { builder: change(self.builder), ..self }
    }

    /// The authority.
    ///
    /// # Panics
    /// If it cannot be built as it was described.
    pub async fn build(self) -> TestAuthority {
        let clock = Arc::new(self.start.map_or_else(TestClock::new, TestClock::at));
        let built = self.builder.clock(Arc::<TestClock>::clone(&clock)).build().await;
        let authority = built.unwrap_or_else(|error| panic!("the test's authority cannot be built: {error}"));
        TestAuthority { authority, clock, keys: Arc::default() }
    }
}

/// That something exists by now is all that is wanted.
fn unless_there(made: Result<(), Refusal>, what: impl FnOnce() -> String) {
    match made {
        Ok(()) | Err(Refusal::Rejected(Rejection::Conflict)) => {}
        Err(refusal) => panic!("{} could not be made: {refusal}", what()),
    }
}

#[cfg(test)]
mod tests {
    use futures_executor::block_on;
    use latchbook_core::authority::Presented;

    use super::*;

    async fn authority() -> TestAuthority {
        TestAuthority::new(&[DeclaredScope { token: "ledger:read", management: false }]).await
    }

    async fn let_in(test: &TestAuthority, token: &str) -> Result<String, Refusal> {
        let presented = Presented { token: token.as_bytes(), source: Source::UNKNOWN };
        let principal = test.authority().authenticate(&presented).await?;
        Ok(format!(
            "{} {} {} [{}]",
            principal.environment(),
            principal.developer().id,
            principal.entity().map_or("-", EntityId::as_str),
            principal.scopes()
        ))
    }

    #[test]
    fn a_token_is_whose_it_was_asked_for() {
        block_on(async {
            let test = authority().await;
            let token = test.acting_as("acme").token().await;
            let every = "audit:read entities:manage keys:manage ledger:read sandbox:manage";
            assert_eq!(let_in(&test, token.text()).await.expect("let in"), format!("live acme - [{every}]"));
            let token = test.acting_as("acme").entity("e").environment(EnvironmentName::SANDBOX).token().await;
            assert_eq!(let_in(&test, token.text()).await.expect("let in"), "sandbox acme e [ledger:read]");
            let token = test.acting_as("other").scopes("audit:read ledger:read").token().await;
            assert_eq!(let_in(&test, token.text()).await.expect("let in"), "live other - [audit:read ledger:read]");
        });
    }

    #[test]
    fn developers_entities_and_keys_are_made_once() {
        block_on(async {
            let test = authority().await;
            for _ in 0..3 {
                test.acting_as("acme").entity("e").bearer().await;
            }
            let acme = test.developer(EnvironmentName::LIVE, "acme").await;
            let (keys, _) = test.authority().keys().list(&acme, None, 10).await.expect("a list");
            assert_eq!(keys.len(), 1);
        });
    }

    #[test]
    fn a_token_is_over_when_the_clock_says_so_or_when_it_is_revoked() {
        block_on(async {
            let test = authority().await;
            let (short, long) =
                (test.acting_as("acme").lifetime(60).token().await, test.acting_as("acme").token().await);
            test.clock().advance(59);
            let_in(&test, short.text()).await.expect("not over yet");
            test.clock().advance(1);
            let rejected = |rejection| Refusal::Rejected(rejection).to_string();
            let refusal = let_in(&test, short.text()).await.expect_err("over").to_string();
            assert_eq!(refusal, rejected(Rejection::Expired));
            let_in(&test, long.text()).await.expect("not over yet");
            long.revoke().await;
            let refusal = let_in(&test, long.text()).await.expect_err("revoked");
            assert!(matches!(refusal, Refusal::Rejected(Rejection::Revoked { .. })), "{refusal}");
            let_in(&test, test.acting_as("acme").token().await.text()).await.expect("another one is not");
        });
    }

    #[test]
    fn where_the_test_revoked_the_key_another_one_is_made() {
        block_on(async {
            let test = authority().await;
            let key = test.acting_as("acme").key().await;
            let acme = test.developer(EnvironmentName::LIVE, "acme").await;
            test.authority().keys().revoke(&Actor::Host, Source::UNKNOWN, &acme, key.key.id).await.expect("revoked");
            let_in(&test, test.acting_as("acme").token().await.text()).await.expect("let in");
        });
    }

    #[test]
    #[should_panic(expected = "acting as `acme`: no token was issued")]
    fn what_cannot_be_issued_is_said() {
        block_on(async { authority().await.acting_as("acme").entity("e").scopes("keys:manage").bearer().await });
    }
}
