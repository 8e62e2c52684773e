//! What furnishes a sandbox with test data, and clears it.

mod fixture;

use std::error::Error;
use std::fmt::Debug;

use async_trait::async_trait;

pub use fixture::{Account, AccountKind, FixtureSandbox, Posting, PostingStatus};

use crate::model::{SandboxRecord, SecretBytes};

/// Furnishes sandboxes with the host's test data: ledger structure, bank connections, transactions.
#[async_trait]
pub trait Sandbox: Debug + Send + Sync + 'static {
    /// Where the data comes from, which decides how a sandbox is made.
    fn origin(&self) -> SandboxOrigin;

    /// Makes the data of `sandbox`. Idempotent per developer: a repeated call gives the same data.
    ///
    /// # Errors
    /// [`SandboxError`] if it could not be made; the sandbox does not exist then.
    async fn furnish(&self, sandbox: &SandboxRecord) -> Result<Furnished, SandboxError>;

    /// Removes what `furnish` made elsewhere. Idempotent.
    ///
    /// # Errors
    /// [`SandboxError`] if it could not be removed; it will be tried again.
    async fn clear(&self, sandbox: &SandboxRecord) -> Result<(), SandboxError>;
}

/// Where a sandbox's data comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SandboxOrigin {
    /// Computed from the record: one commit makes the sandbox.
    Computed,
    /// Made by another service: reserved under a lease, furnished, then committed.
    Elsewhere,
}

/// What a sandbox is furnished with.
#[derive(Clone, Debug)]
pub struct Furnished {
    /// The ledger's id (`ldgr_…`).
    pub ledger_id: String,
    /// The ledger's name.
    pub ledger_name: String,
    /// The bank accounts of its one connection.
    pub bank_accounts: Vec<BankAccount>,
    /// What must be kept to clear it again; at most 64 KiB, sealed before it is stored.
    pub receipt: Option<SecretBytes>,
}

/// A bank account, as Plaid describes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BankAccount {
    /// Its id: 37 characters.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its official name, where it has one.
    pub official_name: Option<String>,
    /// The last digits of its number.
    pub mask: String,
    /// `depository`, `credit`, `investment` or `loan`.
    pub kind: String,
    /// For example `checking`.
    pub subtype: String,
    /// What can be drawn, where known.
    pub available: Option<DecimalText>,
    /// The balance.
    pub current: DecimalText,
    /// The credit limit, where there is one.
    pub limit: Option<DecimalText>,
    /// ISO 4217 code.
    pub currency: String,
}

/// An amount, in the decimal digits that it was given in; never a float.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecimalText(String);

impl DecimalText {
    /// Accepts an optional minus sign, digits without a leading zero, and an optional fraction; at most 30 characters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let numeric = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let plain = numeric(whole) && numeric(fraction) && (whole.len() == 1 || !whole.starts_with('0'));
        (plain && text.len() <= 30).then(|| Self(text.to_owned()))
    }

    /// The digits: valid JSON as they stand.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A sandbox could not be furnished or cleared.
#[derive(Debug, thiserror::Error)]
#[error("the sandbox's test data could not be made or removed: {0}")]
pub struct SandboxError(#[source] pub Box<dyn Error + Send + Sync>);
