//! How often something may be tried; kept in bounded memory.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::{Inner, Refusal};
use crate::check::{Limit, LimitTable, address_key};
use crate::model::{DeveloperRef, KeyId, Rejection, Source};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const CAPACITY: usize = 65_536;

/// What is limited, and how much; `None` is no limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Failed exchanges per client address. A right key is never refused for them.
    pub failed_exchanges: Option<Limit>,
    /// Tokens per API key.
    pub issued_tokens: Option<Limit>,
    /// New sandboxes per client address, or per developer where a token is needed.
    pub sandboxes: Option<Limit>,
}

impl Limits {
    /// No limits.
    pub const OFF: Self = Self { failed_exchanges: None, issued_tokens: None, sandboxes: None };
}

impl Default for Limits {
    /// 20 failed exchanges and 60 tokens a minute, 10 sandboxes an hour.
    fn default() -> Self {
        Self {
            failed_exchanges: Some(Limit { count: 20, per: MINUTE }),
            issued_tokens: Some(Limit { count: 60, per: MINUTE }),
            sandboxes: Some(Limit { count: 10, per: HOUR }),
        }
    }
}

/// Who is limited in making sandboxes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum SandboxCaller {
    Address(Option<IpAddr>),
    Developer(DeveloperRef),
}

#[derive(Debug)]
pub(super) struct LimitTables {
    failed_exchanges: Option<Mutex<LimitTable<Option<IpAddr>>>>,
    issued_tokens: Option<Mutex<LimitTable<(DeveloperRef, KeyId)>>>,
    sandboxes: Option<Mutex<LimitTable<SandboxCaller>>>,
}

impl LimitTables {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            failed_exchanges: limits.failed_exchanges.map(table),
            issued_tokens: limits.issued_tokens.map(table),
            sandboxes: limits.sandboxes.map(table),
        }
    }
}

impl Inner {
    /// Counts a failed exchange: `rejection`, or [`Rejection::RateLimited`] where there were too many.
    pub(super) fn limit_failure(&self, source: Source, rejection: Rejection) -> Rejection {
        match self.take(self.limits.failed_exchanges.as_ref(), address_key(&source)) {
            Ok(()) => rejection,
            Err(limited) => limited,
        }
    }

    pub(super) fn limit_issue(&self, developer: &DeveloperRef, key: KeyId) -> Result<(), Refusal> {
        Ok(self.take(self.limits.issued_tokens.as_ref(), (developer.clone(), key))?)
    }

    pub(super) fn limit_sandbox(&self, caller: SandboxCaller) -> Result<(), Refusal> {
        Ok(self.take(self.limits.sandboxes.as_ref(), caller)?)
    }

    fn take<K: std::hash::Hash + Eq + Clone>(
        &self,
        table: Option<&Mutex<LimitTable<K>>>,
        key: K,
    ) -> Result<(), Rejection> {
        let Some(table) = table else { return Ok(()) };
        let mut table = table.lock().unwrap_or_else(PoisonError::into_inner);
        table.take(key, self.time.monotonic()).map_err(|retry_after| Rejection::RateLimited { retry_after })
    }
}

fn table<K: std::hash::Hash + Eq + Clone>(limit: Limit) -> Mutex<LimitTable<K>> {
    Mutex::new(LimitTable::new(limit, CAPACITY))
}
