//! Test data that is computed from a sandbox's record alone.

mod tables;

use async_trait::async_trait;
use ring::hmac;

use tables::{CHART, OPENING, Opening, USER_GOOD, UserGood};

use super::{BankAccount, DecimalText, Furnished, Sandbox, SandboxError, SandboxOrigin};
use crate::model::{SandboxRecord, UnixTime};

/// Furnishes a sandbox with a chart of accounts, Plaid's `user_good` bank accounts and opening transactions.
///
/// All of it is a pure function of the record: equal records have equal data, in every process and after every
/// restart, and nothing has to be stored or cleared. The functions below give the parts that an answer to a client
/// does not hold.
#[derive(Clone, Copy, Debug, Default)]
pub struct FixtureSandbox;

impl FixtureSandbox {
    /// The furnisher; it has no settings.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }

    /// The ledger's id: `ldgr_` and 20 characters of `0-9A-Za-z`.
    #[must_use]
    pub fn ledger_id(sandbox: &SandboxRecord) -> String {
        Ids::of(sandbox).ledger()
    }

    /// The ledger's name, for people.
    #[must_use]
    pub fn ledger_name(sandbox: &SandboxRecord) -> String {
        format!("{} ledger", sandbox.name)
    }

    /// The chart of accounts, by code.
    #[must_use]
    pub fn accounts(sandbox: &SandboxRecord) -> Vec<Account> {
        Ids::of(sandbox).accounts()
    }

    /// The chart of accounts that `seed` gives to `scope`, for a ledger that has no sandbox record: another pair has
    /// the same accounts under other ids.
    #[must_use]
    pub fn accounts_from(seed: &[u8; 32], scope: &str) -> Vec<Account> {
        Ids::new(seed, scope).accounts()
    }

    /// The id of the ledger that `seed` gives to `scope`, for a ledger that has no sandbox record.
    #[must_use]
    pub fn ledger_id_from(seed: &[u8; 32], scope: &str) -> String {
        Ids::new(seed, scope).ledger()
    }

    /// The bank accounts of Plaid's test user `user_good` at First Platypus Bank (`ins_109508`), in US dollars.
    #[must_use]
    pub fn bank_accounts(sandbox: &SandboxRecord) -> Vec<BankAccount> {
        let ids = Ids::of(sandbox);
        USER_GOOD.iter().map(|account| account.with_id(ids.text("bank account", account.mask, 37))).collect()
    }

    /// The opening transactions, oldest first, in the currency of the sandbox's preferences and before its `now`.
    /// Each debits and credits the same amount, so that the books balance.
    #[must_use]
    pub fn postings(sandbox: &SandboxRecord) -> Vec<Posting> {
        let ids = Ids::of(sandbox);
        let opened_at = match u64::try_from(sandbox.clock_offset) {
            Ok(ahead) => sandbox.created_at.plus(ahead),
            Err(_) => sandbox.created_at.minus(sandbox.clock_offset.unsigned_abs()),
        };
        OPENING.iter().enumerate().map(|(place, entry)| entry.posting(place, &ids, opened_at, sandbox)).collect()
    }
}

#[async_trait]
impl Sandbox for FixtureSandbox {
    fn origin(&self) -> SandboxOrigin {
        SandboxOrigin::Computed
    }

    async fn furnish(&self, sandbox: &SandboxRecord) -> Result<Furnished, SandboxError> {
        Ok(Furnished {
            ledger_id: Self::ledger_id(sandbox),
            ledger_name: Self::ledger_name(sandbox),
            bank_accounts: Self::bank_accounts(sandbox),
            receipt: None,
        })
    }

    async fn clear(&self, _: &SandboxRecord) -> Result<(), SandboxError> {
        Ok(())
    }
}

/// An account of the ledger's chart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its id: `acct_` and 20 characters of `0-9A-Za-z`.
    pub id: String,
    /// Its number in the chart, such as 1001.
    pub code: u16,
    /// Its name.
    pub name: &'static str,
    /// What kind it is.
    pub kind: AccountKind,
}

/// The kinds of accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountKind {
    /// What is owned.
    Asset,
    /// What is owed.
    Liability,
    /// What belongs to the owner.
    Equity,
    /// What was earned.
    Revenue,
    /// What was spent.
    Expense,
}

impl AccountKind {
    /// Its name in an answer: `ASSET` and so on.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asset => "ASSET",
            Self::Liability => "LIABILITY",
            Self::Equity => "EQUITY",
            Self::Revenue => "REVENUE",
            Self::Expense => "EXPENSE",
        }
    }
}

/// One transaction: an amount that is debited to one account and credited to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posting {
    /// Its id: `txn_` and 20 characters of `0-9A-Za-z`.
    pub id: String,
    /// When it took place, by the sandbox's clock.
    pub at: UnixTime,
    /// How much; more than nothing.
    pub amount: DecimalText,
    /// ISO 4217 code.
    pub currency: String,
    /// What for.
    pub description: &'static str,
    /// The id of the account that is debited.
    pub debit: String,
    /// The id of the account that is credited.
    pub credit: String,
    /// Whether it is settled.
    pub status: PostingStatus,
}

/// Whether a transaction is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PostingStatus {
    /// Not yet.
    Pending,
    /// It is in the books.
    Posted,
}

impl PostingStatus {
    /// Its name in an answer: `PENDING` or `POSTED`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Posted => "POSTED",
        }
    }
}

/// Draws ids that look random and are always the same for one seed and scope.
struct Ids<'a> {
    key: hmac::Key,
    scope: &'a str,
}

impl<'a> Ids<'a> {
    fn of(sandbox: &'a SandboxRecord) -> Self {
        Self::new(&sandbox.seed, sandbox.entity.as_str())
    }

    fn new(seed: &[u8; 32], scope: &'a str) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, seed), scope }
    }

    fn ledger(&self) -> String {
        format!("ldgr_{}", self.text("ledger", "", 20))
    }

    fn accounts(&self) -> Vec<Account> {
        CHART.iter().map(|&(code, kind, name)| Account { id: self.account(code), code, name, kind }).collect()
    }

    fn account(&self, code: u16) -> String {
        format!("acct_{}", self.text("account", &code.to_string(), 20))
    }

    fn posting(&self, place: usize) -> String {
        format!("txn_{}", self.text("transaction", &place.to_string(), 20))
    }

    /// `length` characters of `0-9A-Za-z` for one `item` of a `kind`.
    fn text(&self, kind: &str, item: &str, length: usize) -> String {
        const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let mut text = String::with_capacity(length);
        for block in 0_u64.. {
            let mut context = hmac::Context::with_key(&self.key);
            for part in ["latchbook fixture 1", kind, item, self.scope] {
                context.update(part.as_bytes());
                context.update(&[0]);
            }
            context.update(&block.to_be_bytes());
            // As for random ids: values above 61 are thrown away, so that no character is likelier.
            let drawn = context.sign();
            let characters = drawn.as_ref().iter().filter_map(|byte| ALPHABET.get(usize::from(byte >> 2)));
            text.extend(characters.take(length - text.len()).map(|&byte| char::from(byte)));
            if text.len() == length {
                break;
            }
        }
        text
    }
}

impl UserGood {
    fn with_id(&self, id: String) -> BankAccount {
        // INVARIANT: the table's texts are decimals; a test reads them all.
        let decimal = |text: &str| DecimalText(text.to_owned());
        BankAccount {
            id,
            name: self.name.to_owned(),
            official_name: self.official_name.map(str::to_owned),
            mask: self.mask.to_owned(),
            kind: self.kind.to_owned(),
            subtype: self.subtype.to_owned(),
            available: self.available.map(decimal),
            current: decimal(self.current),
            limit: self.limit.map(decimal),
            currency: "USD".to_owned(),
        }
    }
}

impl Opening {
    fn posting(&self, place: usize, ids: &Ids<'_>, opened_at: UnixTime, sandbox: &SandboxRecord) -> Posting {
        Posting {
            id: ids.posting(place),
            at: opened_at.minus(self.days_ago * 86_400),
            amount: amount_in(&sandbox.preferences.currency, self.amount),
            currency: sandbox.preferences.currency.clone(),
            description: self.description,
            debit: ids.account(self.debit),
            credit: ids.account(self.credit),
            status: self.status,
        }
    }
}

/// `amount`, which has two decimal places, with as many as `currency` has (ISO 4217).
fn amount_in(currency: &str, amount: &str) -> DecimalText {
    let whole = amount.split_once('.').map_or(amount, |(whole, _)| whole);
    DecimalText(match currency {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "UYI" | "VND"
        | "VUV" | "XAF" | "XOF" | "XPF" => whole.to_owned(),
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => format!("{amount}0"),
        _ => amount.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use super::*;
    use crate::model::{DeveloperId, DeveloperRef, EntityId, EnvironmentName, KeyId, SandboxPreferences, SandboxState};

    fn sandbox(seed: u8) -> SandboxRecord {
        let id = DeveloperId::parse("acme").expect("an id");
        SandboxRecord {
            developer: DeveloperRef { environment: EnvironmentName::SANDBOX, id },
            entity: EntityId::parse("entity_1").expect("an id"),
            first_key: KeyId::parse("0123456789abcdef").expect("an id"),
            name: "Platypus Trading".to_owned(),
            industry: None,
            preferences: SandboxPreferences::default(),
            scenario: "default".to_owned(),
            seed: [seed; 32],
            clock_offset: 0,
            receipt: None,
            state: SandboxState::Open,
            created_at: UnixTime::from_seconds(1_800_000_000),
            expires_at: UnixTime::from_seconds(1_800_604_800),
        }
    }

    fn ids_of(sandbox: &SandboxRecord) -> Vec<String> {
        let mut ids = vec![FixtureSandbox::ledger_id(sandbox)];
        ids.extend(FixtureSandbox::accounts(sandbox).into_iter().map(|account| account.id));
        ids.extend(FixtureSandbox::bank_accounts(sandbox).into_iter().map(|account| account.id));
        ids.extend(FixtureSandbox::postings(sandbox).into_iter().map(|posting| posting.id));
        ids
    }

    /// The amount in ten-thousandths.
    fn units(amount: &DecimalText) -> i64 {
        let (whole, fraction) = amount.as_str().split_once('.').unwrap_or((amount.as_str(), ""));
        format!("{whole}{fraction:0<4}").parse().expect("digits")
    }

    #[test]
    fn e18_the_same_record_has_the_same_data() {
        let (one, again) = (sandbox(7), sandbox(7));
        assert_eq!(ids_of(&one), ids_of(&again));
        assert_eq!(FixtureSandbox::accounts(&one), FixtureSandbox::accounts(&again));
        assert_eq!(FixtureSandbox::bank_accounts(&one), FixtureSandbox::bank_accounts(&again));
        assert_eq!(FixtureSandbox::postings(&one), FixtureSandbox::postings(&again));
        let furnished = futures_executor::block_on(FixtureSandbox.furnish(&one)).expect("computed");
        assert_eq!(furnished.bank_accounts, FixtureSandbox::bank_accounts(&one));
        assert_eq!(furnished.ledger_id, FixtureSandbox::ledger_id(&one));
    }

    #[test]
    fn no_two_ids_are_alike_within_a_sandbox_or_between_two() {
        let mut other_entity = sandbox(1);
        other_entity.entity = EntityId::parse("entity_2").expect("an id");
        let ids: Vec<_> = [sandbox(1), sandbox(2), other_entity].iter().flat_map(ids_of).collect();
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
    }

    #[test]
    fn debits_equal_credits_and_every_account_is_in_the_chart() {
        let sandbox = sandbox(3);
        let mut balances: BTreeMap<String, i64> =
            FixtureSandbox::accounts(&sandbox).into_iter().map(|account| (account.id, 0)).collect();
        assert_eq!(balances.len(), 16);
        let postings = FixtureSandbox::postings(&sandbox);
        assert!(postings.len() >= 12);
        for posting in &postings {
            assert_ne!(posting.debit, posting.credit);
            assert!(units(&posting.amount) > 0);
            *balances.get_mut(&posting.debit).expect("in the chart") += units(&posting.amount);
            *balances.get_mut(&posting.credit).expect("in the chart") -= units(&posting.amount);
        }
        assert_eq!(balances.values().sum::<i64>(), 0);
        let cash = &FixtureSandbox::accounts(&sandbox)[0];
        assert!(cash.name == "Cash" && balances[&cash.id] > 0);
        assert!(postings.is_sorted_by_key(|posting| posting.at));
        assert!(postings.iter().all(|posting| posting.at < sandbox.created_at));
    }

    #[test]
    fn every_amount_is_a_decimal() {
        for currency in ["USD", "JPY", "KWD"] {
            let mut sandbox = sandbox(4);
            sandbox.preferences.currency = currency.to_owned();
            let amounts = FixtureSandbox::postings(&sandbox).into_iter().map(|posting| posting.amount);
            let balances = FixtureSandbox::bank_accounts(&sandbox)
                .into_iter()
                .flat_map(|account| [account.available, Some(account.current), account.limit]);
            for amount in amounts.chain(balances.flatten()) {
                assert_eq!(DecimalText::parse(amount.as_str()), Some(amount));
            }
        }
        assert_eq!(amount_in("USD", "1249.50").as_str(), "1249.50");
        assert_eq!(amount_in("JPY", "1249.50").as_str(), "1249");
        assert_eq!(amount_in("KWD", "1249.05").as_str(), "1249.050");
    }

    #[test]
    fn the_bank_accounts_are_those_of_plaids_test_user() {
        let accounts = FixtureSandbox::bank_accounts(&sandbox(5));
        let masks: Vec<_> = accounts.iter().map(|account| account.mask.as_str()).collect();
        assert_eq!(masks, ["0000", "1111", "2222", "3333", "4444", "5555", "6666", "7777", "8888"]);
        for account in &accounts {
            assert_eq!(account.id.len(), 37, "{}", account.id);
            assert!(account.id.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        }
    }

    #[test]
    fn a_sandbox_clock_moves_its_transactions_either_way() {
        let at = |clock_offset| FixtureSandbox::postings(&SandboxRecord { clock_offset, ..sandbox(6) })[0].at;
        assert_eq!(at(3600), at(0).plus(3600));
        assert_eq!(at(-3600), at(0).minus(3600));
        assert_eq!(at(i64::MIN), UnixTime::EPOCH);
    }
}
