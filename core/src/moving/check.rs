//! Every invariant of a store that can be seen without the master key.

use std::collections::{BTreeMap, HashMap, HashSet};

use ring::digest::{SHA256, digest as hash};

use super::findings::CheckReport;
use super::rows::{PAGE, Progress, Rows, Stage};
use crate::jose::VerifyingKey;
use crate::key_store::StoreError;
use crate::model::{
    ApiKey, AuditAction, AuditEvent, ChainId, DeveloperId, DeveloperRef, EnvironmentName, KeyId, PepperId,
    PepperPurpose, Record, RecordKey, Row, SandboxState, Settings, SigningKey, SigningKeyState, StoreMeta, UsageRow,
};

/// Reads everything, and looks for what cannot be in a whole store.
///
/// It finds rows that cannot be read, records that name what is not there (owners, keys, peppers, environments), a second
/// active signing key or one under another's id, gaps in the change feed and in audit chains, and missing settings.
/// Developers whose sandbox ended may be named by what outlives them. The links of audit chains need the audit key:
/// [`Audit::verify_all`](crate::authority::Audit::verify_all) checks those.
///
/// Takes memory for 16 bytes per record. The store must not change meanwhile, or be given as a snapshot: else what was
/// made or removed between two pages can look wrong.
///
/// # Errors
/// [`StoreError::Unavailable`] if the store did not answer. Damage is a finding; after a row that cannot be read, nothing
/// more is checked.
pub async fn check<R: Rows + ?Sized>(
    rows: &R,
    progress: &mut (dyn FnMut(&Progress) + Send),
) -> Result<CheckReport, StoreError> {
    let mut look = Look::default();
    let (mut after, mut limit) = (None, PAGE);
    loop {
        match rows.scan(after.as_ref(), limit).await {
            Ok(page) => {
                page.rows.iter().for_each(|row| look.at(row));
                progress(&Progress { stage: Stage::Checking, rows: look.report.rows, position: None });
                match page.next {
                    Some(next) => after = Some(next),
                    None => return Ok(look.finish()),
                }
            }
            // One by one, up to the row itself.
            Err(StoreError::Corrupt(_) | StoreError::Newer(_)) if limit > 1 => limit = 1,
            Err(error @ (StoreError::Corrupt(_) | StoreError::Newer(_))) => {
                let read = look.report.rows;
                look.report.add(format!("the row after the first {read} cannot be read, nor what follows: {error}"));
                return Ok(look.report);
            }
            Err(error) => return Err(error),
        }
    }
}

/// What was seen so far. Rows come in any order.
#[derive(Default)]
struct Look {
    report: CheckReport,
    settings: Option<Settings>,
    meta: StoreMeta,
    /// Every record.
    seen: HashSet<Name>,
    /// What was named before it was seen.
    wanted: HashMap<Name, Wanted>,
    /// Developers that ended once, with their sandbox. What is counted and audited of them stays.
    ended: HashSet<Name>,
    /// Environments, and the first that was seen in each.
    environments: BTreeMap<EnvironmentName, String>,
    peppers: HashMap<PepperId, PepperPurpose>,
    /// The peppers that are named, for what, and by whom first.
    pepper_uses: HashMap<(PepperId, PepperPurpose), String>,
    active: BTreeMap<EnvironmentName, u64>,
    chains: HashMap<ChainId, Chain>,
    feed: Vec<u64>,
}

/// A record's key in little room.
type Name = [u8; 16];

struct Wanted {
    what: RecordKey,
    by: String,
    others: u64,
    /// It need not be there if this developer has ended.
    owner: Name,
}

#[derive(Default)]
struct Chain {
    count: u64,
    last: u64,
    /// Of the numbers, so that one that is missing is not hidden by one that is there twice.
    sum: u128,
}

impl Look {
    fn at(&mut self, row: &Row) {
        self.report.rows += 1;
        match row {
            Row::Record(stored) => self.record(&stored.record),
            Row::Usage(UsageRow { developer, key, .. }) => self.want_key(developer, *key, "usage of"),
            Row::Audit(event) => self.event(event),
            Row::Feed(entry) => self.feed.push(entry.position.0),
            Row::Meta(meta) => self.meta = self.meta.raised_to(*meta),
        }
    }

    fn record(&mut self, record: &Record) {
        let key = record.key();
        if !self.seen.insert(name(&key)) {
            self.report.add(format!("{} is there twice", shown(&key)));
        }
        match record {
            Record::Settings(settings) => self.settings = Some(settings.clone()),
            Record::Developer(developer) => self.environment(developer.reference.environment, || shown(&key)),
            Record::ApiKey(held) => self.api_key(held, &key),
            Record::KeyActivity(activity) => self.want_key(&activity.developer, activity.key, "the last use of"),
            Record::Entity(entity) => self.want_owner(&entity.reference.developer, || shown(&key)),
            Record::SigningKey(held) => self.signing_key(held, &key),
            Record::Pepper(pepper) => _ = self.peppers.insert(pepper.id, pepper.purpose),
            Record::Sandbox(sandbox) => {
                self.environment(sandbox.developer.environment, || shown(&key));
                // Until it is open there is nothing in it.
                if sandbox.state == SandboxState::Open {
                    self.want_owner(&sandbox.developer, || shown(&key));
                    self.want_key(&sandbox.developer, sandbox.first_key, "a sandbox, as its first key,");
                }
            }
            Record::SandboxRequest(request) => self.environment(request.environment, || shown(&key)),
        }
    }

    fn api_key(&mut self, held: &ApiKey, key: &RecordKey) {
        self.want_owner(&held.developer, || shown(key));
        for text in [Some(&held.current), held.previous.as_ref()].into_iter().flatten() {
            self.use_pepper(text.digest.pepper, PepperPurpose::KeyDigest, || shown(key));
        }
        if let Some(maker) = held.made_by {
            self.want_key(&held.developer, maker, "a key that it made, of");
        }
    }

    fn signing_key(&mut self, held: &SigningKey, key: &RecordKey) {
        self.environment(held.environment, || shown(key));
        if held.state == SigningKeyState::Active {
            *self.active.entry(held.environment).or_default() += 1;
        }
        match VerifyingKey::new(&held.public) {
            Ok(public) if *public.id() == held.id => {}
            Ok(_) => self.report.add(format!("{} has another key's id", shown(key))),
            Err(error) => self.report.add(format!("{} is no public key: {error}", shown(key))),
        }
    }

    fn event(&mut self, event: &AuditEvent) {
        if event.action == AuditAction::SandboxEnded
            && let Ok(id) = DeveloperId::parse(&event.subject)
        {
            let developer = DeveloperRef { environment: event.chain.environment(), id };
            self.ended.insert(name(&RecordKey::Developer(developer)));
        }
        self.use_pepper(event.key, PepperPurpose::AuditLink, || format!("the audit chain `{}`", event.chain));
        if !self.chains.contains_key(&event.chain) {
            match &event.chain {
                ChainId::System(environment) => {
                    self.environment(*environment, || format!("the audit chain `{environment}`"));
                }
                ChainId::Developer(developer) => {
                    self.want_owner(developer, || format!("the audit chain `{developer}`"));
                }
            }
        }
        let chain = self.chains.entry(event.chain.clone()).or_default();
        chain.count += 1;
        chain.last = chain.last.max(event.number);
        chain.sum += u128::from(event.number);
    }

    fn environment(&mut self, environment: EnvironmentName, by: impl FnOnce() -> String) {
        self.environments.entry(environment).or_insert_with(by);
    }

    fn use_pepper(&mut self, id: PepperId, purpose: PepperPurpose, by: impl FnOnce() -> String) {
        self.pepper_uses.entry((id, purpose)).or_insert_with(by);
    }

    fn want_owner(&mut self, developer: &DeveloperRef, by: impl FnOnce() -> String) {
        self.environment(developer.environment, || format!("the developer `{developer}`"));
        let owner = RecordKey::Developer(developer.clone());
        let place = name(&owner);
        self.want(owner, place, by);
    }

    fn want_key(&mut self, developer: &DeveloperRef, key: KeyId, by: &str) {
        let owner = name(&RecordKey::Developer(developer.clone()));
        self.want(RecordKey::ApiKey(developer.clone(), key), owner, || {
            format!("{by} the key `{key}` of `{developer}`")
        });
    }

    fn want(&mut self, what: RecordKey, owner: Name, by: impl FnOnce() -> String) {
        let place = name(&what);
        if self.seen.contains(&place) {
            return;
        }
        match self.wanted.get_mut(&place) {
            Some(wanted) => wanted.others += 1,
            None => _ = self.wanted.insert(place, Wanted { what, by: by(), others: 0, owner }),
        }
    }

    fn finish(mut self) -> CheckReport {
        self.check_settings();
        self.check_names();
        self.check_peppers();
        for (environment, count) in self.active.iter().filter(|(_, count)| **count > 1) {
            self.report.add(format!("`{environment}` has {count} active signing keys; exactly one may sign"));
        }
        self.check_feed();
        let mut chains: Vec<_> = self.chains.iter().filter(|(_, chain)| !chain.is_whole()).collect();
        chains.sort_unstable_by_key(|(id, _)| *id);
        for (id, chain) in chains {
            let Chain { count, last, .. } = chain;
            self.report.add(format!("the audit chain `{id}` has gaps: {count} events, the last is number {last}"));
        }
        self.report
    }

    fn check_settings(&mut self) {
        let Some(settings) = &self.settings else {
            self.report.add("there are no settings: it is new, or a copy that was not finished".to_owned());
            return;
        };
        for (environment, by) in &self.environments {
            if !settings.environments.contains(environment) {
                self.report.add(format!("{by} is in `{environment}`, which the settings do not name"));
            }
        }
    }

    fn check_names(&mut self) {
        let missing =
            |(place, wanted): &(&Name, &Wanted)| !self.seen.contains(*place) && !self.ended.contains(&wanted.owner);
        let mut missing: Vec<_> = self.wanted.iter().filter(missing).map(|(_, wanted)| wanted).collect();
        missing.sort_unstable_by(|one, other| one.what.cmp(&other.what));
        for Wanted { what, by, others, .. } in missing {
            let others = if *others > 0 { format!(" (and {others} more)") } else { String::new() };
            self.report.add(format!("{} is not there, and is named by {by}{others}", shown(what)));
        }
    }

    fn check_peppers(&mut self) {
        let mut uses: Vec<_> = self.pepper_uses.iter().collect();
        uses.sort_unstable_by_key(|(_, by)| *by);
        for ((id, purpose), by) in uses {
            match self.peppers.get(id) {
                Some(held) if held == purpose => {}
                Some(_) => self.report.add(format!("{by} names the pepper `{id}`, which has another purpose")),
                None => self.report.add(format!("{by} names the pepper `{id}`, which is not there")),
            }
        }
    }

    fn check_feed(&mut self) {
        self.feed.sort_unstable();
        let StoreMeta { feed_head, pruned_to, .. } = self.meta;
        if pruned_to > feed_head {
            let (pruned_to, head) = (pruned_to.0, feed_head.0);
            self.report.add(format!("the change feed was pruned to {pruned_to}, past its head at {head}"));
        }
        // Before that, what has not ended yet may have stayed.
        let after = self.feed.partition_point(|position| *position <= pruned_to.0);
        let mut expected = pruned_to.0.saturating_add(1);
        for position in self.feed.iter().skip(after) {
            if *position != expected {
                self.report.add(format!("the change feed has {position} where {expected} should come next"));
            }
            expected = position.saturating_add(1);
        }
        if expected != feed_head.0.max(pruned_to.0).saturating_add(1) {
            let (last, head) = (expected - 1, feed_head.0);
            self.report.add(format!("the change feed ends at {last}, and its head is at {head}"));
        }
    }
}

impl Chain {
    /// Numbers from 1 to the last, each once.
    fn is_whole(&self) -> bool {
        let count = u128::from(self.count);
        self.count == self.last && self.sum == count * (count + 1) / 2
    }
}

fn name(key: &RecordKey) -> Name {
    let hashed = hash(&SHA256, &key.to_bytes());
    let mut name = [0; 16];
    name.iter_mut().zip(hashed.as_ref()).for_each(|(to, from)| *to = *from);
    name
}

fn shown(key: &RecordKey) -> String {
    match key {
        RecordKey::Settings => "the settings".to_owned(),
        RecordKey::Developer(developer) => format!("the developer `{developer}`"),
        RecordKey::ApiKey(developer, key) => format!("the key `{key}` of `{developer}`"),
        RecordKey::KeyActivity(developer, key) => format!("the last use of the key `{key}` of `{developer}`"),
        RecordKey::Entity(entity) => format!("the entity `{entity}`"),
        RecordKey::SigningKey(environment, key) => format!("the signing key `{key}` of `{environment}`"),
        RecordKey::Pepper(id) => format!("the pepper `{id}`"),
        RecordKey::Sandbox(developer) => format!("the sandbox of `{developer}`"),
        RecordKey::SandboxRequest(environment, _) => format!("an idempotency key of `{environment}`"),
    }
}
