//! The ledger's routes without a framework: who was let in and what they sent, in; the whole reply, out.

use latchbook::authority::NewEntity;
use latchbook::http::Reply;
use latchbook::key_store::StoreError;
use latchbook::model::{Entity, Position, Rejection, SandboxRecord};
use latchbook::random::{SystemRandom, base62};
use latchbook::sandbox::{Account, DecimalText, FixtureSandbox, Posting};
use latchbook::{Actor, EntityContext, Fault, Gate, Principal, Refusal, Source};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::instant::Instant;
use crate::money::{Amount, Total};
use crate::posted::Posted;
use crate::request::{Invalid, Members, PageRequest, is_json, parameter};

/// How many posted transactions are read at a time for a report.
const CHUNK: usize = 1000;

/// Longest body of a route here, in bytes.
pub const MAX_BODY: usize = 65_536;

/// What the pings answer.
pub const PONG: &str = r#"{"pong": true}"#;

/// The ledger behind the guard.
#[derive(Clone, Debug)]
pub struct Api {
    /// The guard.
    pub gate: Gate,
    /// What was posted.
    pub posted: Posted,
}

impl From<Invalid> for Refusal {
    fn from(invalid: Invalid) -> Self {
        Rejection::InvalidRequest { message: invalid.0 }.into()
    }
}

/// One transaction, as it is kept and as it is answered.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Transaction {
    id: String,
    entity_id: String,
    timestamp: String,
    amount: Box<RawValue>,
    currency: String,
    description: Option<String>,
    debit_account_id: String,
    credit_account_id: String,
    status: String,
    metadata: Option<Box<RawValue>>,
}

/// One entity's ledger.
struct Ledger {
    entity: Entity,
    /// The sandbox that the entity came with, if it is such a one.
    sandbox: Option<SandboxRecord>,
}

impl Ledger {
    fn id(&self) -> String {
        match &self.sandbox {
            Some(sandbox) => FixtureSandbox::ledger_id(sandbox),
            None => FixtureSandbox::ledger_id_from(&[0; 32], &self.scope()),
        }
    }

    fn accounts(&self) -> Vec<Account> {
        match &self.sandbox {
            Some(sandbox) => FixtureSandbox::accounts(sandbox),
            None => FixtureSandbox::accounts_from(&[0; 32], &self.scope()),
        }
    }

    fn opening(&self) -> Vec<Posting> {
        self.sandbox.as_ref().map(FixtureSandbox::postings).unwrap_or_default()
    }

    fn currency(&self) -> String {
        self.sandbox.as_ref().map_or_else(|| "USD".to_owned(), |sandbox| sandbox.preferences.currency.clone())
    }

    fn clock_offset(&self) -> i64 {
        self.sandbox.as_ref().map_or(0, |sandbox| sandbox.clock_offset)
    }

    /// An entity made anew under an old id has accounts of its own.
    fn scope(&self) -> String {
        format!("{}/{}", self.entity.reference, self.entity.created_at)
    }

    fn transaction(&self, posting: Posting) -> Result<Transaction, Refusal> {
        Ok(Transaction {
            id: posting.id,
            entity_id: self.entity.reference.id.to_string(),
            timestamp: Instant::from_unix(posting.at, 0).to_string(),
            amount: digits(posting.amount.as_str())?,
            currency: posting.currency,
            description: Some(posting.description.to_owned()),
            debit_account_id: posting.debit,
            credit_account_id: posting.credit,
            status: posting.status.as_str().to_owned(),
            metadata: None,
        })
    }
}

impl Api {
    /// `GET /v1/transactions`: in the order they came, the opening ones first.
    pub async fn transactions(&self, entity: &EntityContext, query: Option<&str>) -> Reply {
        self.reply(200, self.list(entity, query).await)
    }

    /// `POST /v1/transactions`: durable when it answers.
    pub async fn post(&self, entity: &EntityContext, content_type: Option<&[u8]>, body: &[u8]) -> Reply {
        if !is_json(content_type) {
            return self.no_json();
        }
        self.reply(201, self.add(entity, body).await)
    }

    /// `GET /v1/categories`.
    pub async fn categories(&self, entity: &EntityContext) -> Reply {
        let categories = self.ledger(entity).await.map(|ledger| {
            let (entity, id) = (ledger.entity.reference.id.as_str(), ledger.id());
            let shown = |account: Account| {
                json!({"id": account.id, "name": account.name, "type": account.kind.as_str(), "code": account.code,
                       "entityId": entity, "ledgerId": id})
            };
            json!({"categories": ledger.accounts().into_iter().map(shown).collect::<Vec<_>>()})
        });
        self.reply(200, categories)
    }

    /// `GET /v1/banks/accounts`.
    pub async fn bank_accounts(&self, entity: &EntityContext) -> Reply {
        #[derive(Serialize)]
        struct Balance {
            available: Option<Box<RawValue>>,
            current: Box<RawValue>,
        }
        #[derive(Serialize)]
        struct Shown {
            id: String,
            name: String,
            mask: String,
            #[serde(rename = "type")]
            kind: String,
            subtype: String,
            balance: Balance,
        }
        #[derive(Serialize)]
        struct Answer {
            accounts: Vec<Shown>,
        }
        let accounts = self.ledger(entity).await.and_then(|ledger| {
            let accounts = ledger.sandbox.as_ref().map(FixtureSandbox::bank_accounts).unwrap_or_default();
            let shown = accounts.into_iter().map(|account| {
                let available = account.available.as_ref().map(DecimalText::as_str).map(digits).transpose()?;
                let balance = Balance { available, current: digits(account.current.as_str())? };
                let (id, name, mask, kind, subtype) =
                    (account.id, account.name, account.mask, account.kind, account.subtype);
                Ok(Shown { id, name, mask, kind, subtype, balance })
            });
            Ok(Answer { accounts: shown.collect::<Result<_, Refusal>>()? })
        });
        self.reply(200, accounts)
    }

    /// `GET /v1/reports/balances`: of what is posted, in one currency (`currency=`, by default the ledger's).
    pub async fn balances(&self, entity: &EntityContext, query: Option<&str>) -> Reply {
        self.reply(200, self.report(entity, query).await)
    }

    /// `GET /v1/entities` without `entityId`.
    pub async fn entities(&self, principal: &Principal, query: Option<&str>) -> Reply {
        self.reply(200, self.list_entities(principal, query).await)
    }

    /// `GET /v1/entities?entityId=`.
    pub async fn entity(&self, entity: &EntityContext) -> Reply {
        let found = self.ledger(entity).await.map(|ledger| json!({"entity": shown(&ledger.entity)}));
        self.reply(200, found)
    }

    /// `POST /v1/entities`.
    pub async fn create_entity(
        &self,
        principal: &Principal,
        source: Source,
        content_type: Option<&[u8]>,
        body: &[u8],
    ) -> Reply {
        if !is_json(content_type) {
            return self.no_json();
        }
        self.reply(201, self.make_entity(principal, source, body).await)
    }

    /// `DELETE /v1/entities?entityId=`.
    pub async fn remove_entity(&self, entity: &EntityContext, source: Source) -> Reply {
        let removed = async {
            let reference = entity.entity_ref();
            let found = self.gate.authority().entities().get(&reference).await?;
            let actor = Actor::Principal(entity.principal());
            self.gate.authority().entities().remove(&actor, source, &reference).await?;
            self.posted.clear(&found).await.map_err(fault)?;
            Ok(json!({"message": "The entity was removed."}))
        };
        self.reply(200, removed.await)
    }

    /// `GET /healthz`.
    pub async fn health(&self) -> Reply {
        let health = self.gate.authority().health().await;
        self.reply(
            200,
            health.map(|health| {
                json!({"status": "ok", "store": "ok", "feedAgeSeconds": health.feed_age.as_secs_f64(),
                       "revocations": health.revocations, "cachedTokens": health.cached_tokens})
            }),
        )
    }

    /// `GET /metrics`, in the text format of Prometheus.
    #[must_use]
    pub fn metrics(&self) -> Reply {
        let now = self.gate.authority().statistics();
        let counters = [
            ("latchbook_tokens_verified_total", now.verified),
            ("latchbook_tokens_recognised_total", now.recognised),
            ("latchbook_tokens_refused_total", now.refused),
            ("latchbook_tokens_issued_total", now.issued),
            ("latchbook_exchanges_refused_total", now.exchanges_refused),
        ];
        let gauges = [("latchbook_cached_tokens", now.cached_tokens), ("latchbook_revocations", now.revocations)];
        let counters = counters.iter().map(|(name, value)| format!("# TYPE {name} counter\n{name} {value}\n"));
        let gauges = gauges.iter().map(|(name, value)| format!("# TYPE {name} gauge\n{name} {value}\n"));
        let body = counters.chain(gauges).collect::<String>().into_bytes();
        Reply { status: 200, headers: vec![("content-type", "text/plain; version=0.0.4".to_owned())], body }
    }

    async fn ledger(&self, entity: &EntityContext) -> Result<Ledger, Refusal> {
        let authority = self.gate.authority();
        // Removed between the guard and here: out of reach, as the next request will hear.
        let gone = |refusal| match refusal {
            Refusal::Rejected(Rejection::NotFound) => Rejection::EntityForbidden.into(),
            other => other,
        };
        let found = authority.entities().get(&entity.entity_ref()).await.map_err(gone)?;
        let sandbox = match authority.sandboxes().get(entity.developer()).await {
            Ok(sandbox) => Some(sandbox).filter(|sandbox| sandbox.entity == *entity.entity_id()),
            Err(Refusal::Rejected(Rejection::NotFound)) => None,
            Err(refusal) => return Err(refusal),
        };
        Ok(Ledger { entity: found, sandbox })
    }

    async fn list(&self, entity: &EntityContext, query: Option<&str>) -> Result<impl Serialize + use<>, Refusal> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Answer {
            transactions: Vec<Transaction>,
            next_cursor: Option<String>,
            has_more: bool,
        }
        let page = PageRequest::parse(query)?;
        let from = match page.cursor.as_deref() {
            None => 0,
            Some(cursor) => cursor_number(cursor).ok_or(Invalid("`cursor` must be a `nextCursor` of this list"))?,
        };
        let ledger = self.ledger(entity).await?;
        let opening = ledger.opening();
        let held = opening.len();
        let skipped = usize::try_from(from).unwrap_or(usize::MAX);
        // One more than is shown tells whether there is more.
        let wanted = page.size + 1;
        let mut transactions = Vec::with_capacity(wanted);
        for posting in opening.into_iter().skip(skipped).take(wanted) {
            transactions.push(ledger.transaction(posting)?);
        }
        if transactions.len() < wanted {
            let first = from.saturating_sub(held as u64);
            transactions.extend(self.read(&ledger, first, wanted - transactions.len())?);
        }
        let has_more = transactions.len() > page.size;
        transactions.truncate(page.size);
        let next_cursor = has_more.then(|| format!("t{}", from.saturating_add(page.size as u64)));
        Ok(Answer { transactions, next_cursor, has_more })
    }

    fn read(&self, ledger: &Ledger, from: u64, limit: usize) -> Result<Vec<Transaction>, Refusal> {
        let rows = self.posted.read(&ledger.entity, from, limit).map_err(fault)?;
        rows.iter().map(|row| serde_json::from_slice(row).map_err(|error| StoreError::corrupt(error).into())).collect()
    }

    async fn add(&self, entity: &EntityContext, body: &[u8]) -> Result<impl Serialize + use<>, Refusal> {
        #[derive(Serialize)]
        struct Answer {
            transaction: Transaction,
        }
        let body = Members::parse(body)?;
        let ledger = self.ledger(entity).await?;
        let amount = Amount::parse(body.raw("amount").map_or("", RawValue::get))?;
        let accounts = ledger.accounts();
        let account = |name, otherwise| {
            let id = body.text(name, otherwise)?.filter(|id| accounts.iter().any(|account| account.id == *id));
            id.ok_or(otherwise)
        };
        let debit = account("debitAccountId", Invalid("`debitAccountId` must be the id of one of the categories"))?;
        let credit = account("creditAccountId", Invalid("`creditAccountId` must be the id of one of the categories"))?;
        if debit == credit {
            return Err(Invalid("`debitAccountId` and `creditAccountId` must differ").into());
        }
        let currency = body.text("currency", CURRENCY)?.unwrap_or_else(|| ledger.currency());
        check_currency(&currency)?;
        let description = body.text("description", DESCRIPTION)?;
        if description.as_ref().is_some_and(|text| text.chars().count() > 500) {
            return Err(DESCRIPTION.into());
        }
        let instant = Invalid("`date` and `timestamp` must be strings");
        let timestamp = match (body.text("date", instant)?, body.text("timestamp", instant)?) {
            (Some(_), Some(_)) => return Err(Invalid("give `date` or `timestamp`, not both").into()),
            (Some(text), None) | (None, Some(text)) => Instant::parse(&text)?,
            (None, None) => Instant::from_unix(self.gate.authority().now(), ledger.clock_offset()),
        };
        let status = match body.text("status", STATUS)?.as_deref() {
            None | Some("CLEARED") => "POSTED",
            Some("PENDING") => "PENDING",
            Some(_) => return Err(STATUS.into()),
        };
        let id = base62(&SystemRandom::new(), 20).map_err(Fault::from)?;
        let transaction = Transaction {
            id: format!("txn_{}", *id),
            entity_id: ledger.entity.reference.id.to_string(),
            timestamp: timestamp.to_string(),
            amount: digits(amount.as_str())?,
            currency,
            description,
            debit_account_id: debit,
            credit_account_id: credit,
            status: status.to_owned(),
            metadata: metadata(&body)?,
        };
        let row = serde_json::to_vec(&transaction).map_err(|_| Fault::Internal("a transaction that is no JSON"))?;
        self.posted.append(&ledger.entity, row).await.map_err(fault)?;
        Ok(Answer { transaction })
    }

    async fn report(&self, entity: &EntityContext, query: Option<&str>) -> Result<impl Serialize + use<>, Refusal> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Row {
            account_id: String,
            code: u16,
            name: &'static str,
            #[serde(rename = "type")]
            kind: &'static str,
            debit: Total,
            credit: Total,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Answer {
            balances: Vec<Row>,
            currency: String,
            total_debit: Total,
            total_credit: Total,
        }
        let ledger = self.ledger(entity).await?;
        let currency = parameter(query, "currency")?.unwrap_or_else(|| ledger.currency());
        check_currency(&currency)?;
        let row = |account: Account| Row {
            account_id: account.id,
            code: account.code,
            name: account.name,
            kind: account.kind.as_str(),
            debit: Total::default(),
            credit: Total::default(),
        };
        let balances = ledger.accounts().into_iter().map(row).collect();
        let mut answer = Answer { balances, currency, total_debit: Total::default(), total_credit: Total::default() };
        let mut count = |transaction: &Transaction| {
            if transaction.status != "POSTED" || transaction.currency != answer.currency {
                return;
            }
            let Ok(amount) = Amount::parse(transaction.amount.get()) else { return };
            for row in &mut answer.balances {
                if row.account_id == transaction.debit_account_id {
                    row.debit.add(&amount);
                    answer.total_debit.add(&amount);
                }
                if row.account_id == transaction.credit_account_id {
                    row.credit.add(&amount);
                    answer.total_credit.add(&amount);
                }
            }
        };
        for posting in ledger.opening() {
            count(&ledger.transaction(posting)?);
        }
        let mut from = 0;
        loop {
            let rows = self.read(&ledger, from, CHUNK)?;
            rows.iter().for_each(&mut count);
            if rows.len() < CHUNK {
                return Ok(answer);
            }
            from += CHUNK as u64;
        }
    }

    async fn list_entities(&self, principal: &Principal, query: Option<&str>) -> Result<Value, Refusal> {
        let page = PageRequest::parse(query)?;
        // A place in this list is the last entity's id, which is safe in a query.
        let after = page.cursor.map(|cursor| match latchbook::model::EntityId::parse(&cursor) {
            Ok(_) => Ok(Position(cursor.into_bytes())),
            Err(_) => Err(Invalid("`cursor` must be a `nextCursor` of this list")),
        });
        let after = after.transpose()?;
        let entities = self.gate.authority().entities();
        let (rows, next) = entities.list(principal.developer(), after.as_ref(), page.size).await?;
        let cursor = next.map(|position| String::from_utf8_lossy(&position.0).into_owned());
        let more = cursor.is_some();
        Ok(json!({"entities": rows.iter().map(shown).collect::<Vec<_>>(), "nextCursor": cursor, "hasMore": more}))
    }

    async fn make_entity(&self, principal: &Principal, source: Source, body: &[u8]) -> Result<Value, Refusal> {
        const NAME: Invalid = Invalid("`legalName` must have 1 to 200 characters, no control characters");
        let body = Members::parse(body)?;
        let developer = body.text("developerId", Invalid("`developerId` must be a string"))?;
        if developer.is_some_and(|id| id != principal.developer().id.as_str()) {
            return Err(Rejection::EntityForbidden.into());
        }
        let legal_name = body.text("legalName", NAME)?.ok_or(NAME)?;
        let actor = Actor::Principal(principal);
        let new = NewEntity { id: None, legal_name };
        let made = self.gate.authority().entities().create(&actor, source, principal.developer(), &new).await?;
        Ok(json!({"entity": shown(&made)}))
    }

    fn no_json(&self) -> Reply {
        let mut reply =
            self.gate.refuse(&Invalid("the body must be JSON: send `Content-Type: application/json`").into());
        reply.status = 415;
        reply.body = br#"{"type":"urn:latchbook:problem:unsupported_media_type","title":"Unsupported Media Type","status":415,"error":"unsupported_media_type","message":"The body must be JSON: send `Content-Type: application/json`."}"#.to_vec();
        reply
    }

    fn reply(&self, status: u16, answer: Result<impl Serialize, Refusal>) -> Reply {
        let body = answer.and_then(|answer| {
            serde_json::to_vec(&answer).map_err(|_| Fault::Internal("an answer that is no JSON").into())
        });
        let field = |name, value: &str| (name, value.to_owned());
        match body {
            Ok(body) => {
                let headers = vec![field("content-type", "application/json"), field("cache-control", "no-store")];
                Reply { status, headers, body }
            }
            Err(refusal) => self.gate.refuse(&refusal),
        }
    }
}

const CURRENCY: Invalid = Invalid("`currency` must be a code of three capital letters (ISO 4217), such as USD");
const DESCRIPTION: Invalid = Invalid("`description` must be a string of at most 500 characters");
const STATUS: Invalid = Invalid("`status` must be PENDING or CLEARED");

fn check_currency(text: &str) -> Result<(), Invalid> {
    let code = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase());
    if code { Ok(()) } else { Err(CURRENCY) }
}

/// `metadata` as it was sent: one object, at most 16 KiB, that every reader can read back.
fn metadata(body: &Members) -> Result<Option<Box<RawValue>>, Invalid> {
    let otherwise = Invalid("`metadata` must be an object of at most 16 KiB");
    let Some(raw) = body.raw("metadata") else { return Ok(None) };
    let object: Result<Value, _> = serde_json::from_str(raw.get());
    let fits = object.is_ok_and(|value| value.is_object()) && raw.get().len() <= 16_384;
    if fits { Ok(Some(raw.to_owned())) } else { Err(otherwise) }
}

fn shown(entity: &Entity) -> Value {
    json!({"id": entity.reference.id.as_str(), "name": entity.legal_name, "legalName": entity.legal_name,
           "developerId": entity.reference.developer.id.as_str(),
           "createdAt": Instant::from_unix(entity.created_at, 0)})
}

fn cursor_number(cursor: &str) -> Option<u64> {
    let number = cursor.strip_prefix('t')?;
    number.bytes().all(|byte| byte.is_ascii_digit()).then(|| number.parse().ok())?
}

fn digits(text: &str) -> Result<Box<RawValue>, Refusal> {
    RawValue::from_string(text.to_owned()).map_err(|_| Fault::Internal("an amount that is no JSON number").into())
}

fn fault(error: Box<dyn std::error::Error + Send + Sync>) -> Refusal {
    StoreError::unavailable(error).into()
}
