//! Every statement, as one text each for the schema in use, so that each is prepared once per connection.

use crate::columns::Column;
use crate::events::{AUDIT, FEED, META, USAGE};
use crate::parts::Part;
use crate::records::{KINDS, Kind};

/// The statements for one schema.
#[derive(Debug)]
pub(crate) struct Statements {
    /// In the order of [`KINDS`].
    pub(crate) kinds: Vec<KindStatements>,
    pub(crate) merge_activity: Part,
    pub(crate) usage_page: String,
    pub(crate) merge_usage: Part,
    pub(crate) load_usage: String,
    pub(crate) audit_page: String,
    pub(crate) audit_scan: String,
    pub(crate) insert_audit: Part,
    pub(crate) load_audit: String,
    pub(crate) lock_head: Part,
    pub(crate) make_head: String,
    pub(crate) move_head: Part,
    pub(crate) load_head: String,
    pub(crate) changes_after: String,
    pub(crate) insert_feed: Part,
    pub(crate) load_feed: String,
    pub(crate) feed_scan: String,
    pub(crate) usage_scan: String,
    pub(crate) ended_feed: String,
    pub(crate) prune_feed: String,
    pub(crate) count_up: String,
    pub(crate) meta: String,
    pub(crate) raise_meta: String,
    pub(crate) set_pruned_at: String,
    pub(crate) insert_change: Part,
    pub(crate) notify: String,
    pub(crate) change: String,
    pub(crate) old_changes: String,
    pub(crate) prune_changes: String,
    pub(crate) ended_requests: String,
    pub(crate) prune_requests: String,
}

/// The statements for one kind of record. Each parameter list begins with the key columns.
#[derive(Debug)]
pub(crate) struct KindStatements {
    pub(crate) get: String,
    /// Locks a row against change, and shows its revision, in the columns of a chain's head.
    pub(crate) share: Part,
    /// The same, for a row that is to be changed.
    pub(crate) own: Part,
    pub(crate) insert: Part,
    pub(crate) update: Part,
    pub(crate) remove: Part,
    pub(crate) load: String,
    pub(crate) scan: String,
    /// The place comes last; then the row's place is among the results. Empty for kinds without a list.
    pub(crate) page: String,
}

impl Statements {
    /// The statements for tables in `schema`, which is quoted.
    pub(crate) fn new(schema: &str) -> Self {
        let usage = format!("{schema}.usage");
        let audit = format!("{schema}.audit_events");
        let heads = format!("{schema}.audit_heads");
        let feed = format!("{schema}.feed");
        let meta = format!("{schema}.meta");
        let changes = format!("{schema}.changes");
        let requests = format!("{schema}.sandbox_requests");
        let most = u64::MAX;
        Self {
            kinds: KINDS.iter().map(|kind| KindStatements::new(schema, kind)).collect(),
            merge_activity: format!(
                "INSERT INTO {schema}.key_activity AS held (environment, developer, key_id, last_used_at, revision) \
                 VALUES ($1, $2, $3, $4, $5) ON CONFLICT (environment, developer, key_id) \
                 DO UPDATE SET last_used_at = excluded.last_used_at WHERE held.last_used_at < excluded.last_used_at"
            )
            .into(),
            usage_page: format!(
                "SELECT {} FROM {usage} WHERE environment = $1 AND developer = $2 AND place > $3 \
                 ORDER BY place LIMIT $4",
                shown(USAGE)
            ),
            merge_usage: format!(
                "{} ON CONFLICT (environment, developer, place) DO UPDATE SET \
                 requests = LEAST(held.requests + excluded.requests, {most}), \
                 exchanges = LEAST(held.exchanges + excluded.exchanges, {most})",
                insert(&format!("{usage} AS held"), USAGE)
            )
            .into(),
            load_usage: format!(
                "{} ON CONFLICT (environment, developer, place) DO UPDATE SET {}",
                insert(&usage, USAGE),
                replaced(USAGE)
            ),
            audit_page: format!(
                "SELECT {} FROM {audit} WHERE environment = $1 AND developer = $2 AND number < $3 \
                 ORDER BY number DESC LIMIT $4",
                shown(AUDIT)
            ),
            audit_scan: scan(&audit, AUDIT, 3),
            insert_audit: insert(&audit, AUDIT).into(),
            load_audit: format!(
                "{} ON CONFLICT (environment, developer, number) DO UPDATE SET {}",
                insert(&audit, AUDIT),
                replaced(AUDIT)
            ),
            lock_head: format!("SELECT number, link FROM {heads} WHERE environment = $1 AND developer = $2 FOR UPDATE")
                .into(),
            make_head: format!(
                "INSERT INTO {heads} (environment, developer, number, link) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (environment, developer) DO NOTHING"
            ),
            move_head: format!("UPDATE {heads} SET number = $3, link = $4 WHERE environment = $1 AND developer = $2")
                .into(),
            load_head: format!(
                "INSERT INTO {heads} AS held (environment, developer, number, link) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (environment, developer) DO UPDATE SET number = excluded.number, link = excluded.link \
                 WHERE held.number <= excluded.number"
            ),
            // One statement, so that counters and entries are of one instant.
            changes_after: format!(
                "SELECT {}, {} FROM {meta} LEFT JOIN \
                 (SELECT {} FROM {feed} WHERE position > $1 ORDER BY position LIMIT $2) AS entry ON true \
                 ORDER BY position",
                shown(META),
                shown(FEED),
                names(FEED)
            ),
            insert_feed: insert(&feed, FEED).into(),
            load_feed: format!("{} ON CONFLICT (position) DO UPDATE SET {}", insert(&feed, FEED), replaced(FEED)),
            feed_scan: scan(&feed, FEED, 1),
            usage_scan: scan(&usage, USAGE, 3),
            ended_feed: format!("SELECT position FROM {feed} WHERE ends_at < $1 ORDER BY ends_at, position LIMIT $2"),
            prune_feed: format!("DELETE FROM {feed} WHERE position = ANY($1) RETURNING position"),
            count_up: format!("UPDATE {meta} SET feed_head = feed_head + $1 WHERE id = 1 RETURNING feed_head"),
            meta: format!("SELECT {} FROM {meta} WHERE id = 1", shown(META)),
            raise_meta: format!(
                "UPDATE {meta} SET feed_head = GREATEST(feed_head, $1), pruned_to = GREATEST(pruned_to, $2), \
                 pruned_at = GREATEST(pruned_at, $3) WHERE id = 1"
            ),
            set_pruned_at: format!("UPDATE {meta} SET pruned_at = $1 WHERE id = 1"),
            insert_change: format!("INSERT INTO {changes} (id, at, feed, audit) VALUES ($1, $2, $3, $4)").into(),
            notify: "SELECT pg_catalog.pg_notify($1, '')".to_owned(),
            change: format!("SELECT feed, audit FROM {changes} WHERE id = $1"),
            old_changes: format!("SELECT id FROM {changes} WHERE at < $1 ORDER BY at, id LIMIT $2"),
            prune_changes: format!("DELETE FROM {changes} WHERE id = ANY($1) RETURNING id"),
            ended_requests: format!("SELECT place FROM {requests} WHERE place < $1 ORDER BY place LIMIT $2"),
            prune_requests: format!("DELETE FROM {requests} WHERE place = ANY($1) RETURNING place"),
        }
    }
}

impl KindStatements {
    fn new(schema: &str, kind: &Kind) -> Self {
        let table = format!("{schema}.{}", kind.table);
        let read: Vec<Column> = kind.key.iter().chain(kind.rest).copied().chain([REVISION]).collect();
        let place = kind.list.map(|_| PLACE);
        let written: Vec<Column> = kind.key.iter().chain(kind.rest).copied().chain(place).chain([REVISION]).collect();
        let this = equal(kind.key.iter().map(|column| column.name));
        let changed: Vec<_> = written
            .iter()
            .zip(1..)
            .skip(kind.key.len())
            .map(|(column, number)| format!("{} = {}", column.name, column.parameter(number)))
            .collect();
        let insert = insert(&table, &written);
        let key = names(kind.key);
        let page = kind.list.map(|list| {
            let number = list.len() + 1;
            let this: String = list.iter().zip(1..).map(|(name, number)| format!("{name} = ${number} AND ")).collect();
            format!(
                "SELECT {} FROM {table} WHERE {this}place > ${number} ORDER BY place LIMIT ${}",
                shown(&read),
                number + 1
            )
        });
        let lock = format!("SELECT NULL::bigint AS number, revision AS link FROM {table} WHERE {this}");
        Self {
            get: format!("SELECT {} FROM {table} WHERE {this}", shown(&read)),
            share: format!("{lock} FOR SHARE").into(),
            own: format!("{lock} FOR UPDATE").into(),
            update: format!("UPDATE {table} SET {} WHERE {this}", changed.join(", ")).into(),
            remove: format!("DELETE FROM {table} WHERE {this}").into(),
            load: format!("{insert} ON CONFLICT ({key}) DO UPDATE SET {}", replaced(&written)),
            insert: insert.into(),
            scan: scan(&table, &read, kind.key.len()),
            page: page.unwrap_or_default(),
        }
    }
}

/// The rows after the one whose first `keys` columns are the parameters.
fn scan(table: &str, columns: &[Column], keys: usize) -> String {
    let key: Vec<_> = columns.iter().take(keys).map(|column| column.name).collect();
    let key = key.join(", ");
    let numbers: Vec<_> = (1..=keys).map(|number| format!("${number}")).collect();
    let (shown, numbers, limit) = (shown(columns), numbers.join(", "), keys + 1);
    format!("SELECT {shown} FROM {table} WHERE ({key}) > ({numbers}) ORDER BY {key} LIMIT ${limit}")
}

fn insert(table: &str, columns: &[Column]) -> String {
    let values: Vec<_> = columns.iter().zip(1..).map(|(column, number)| column.parameter(number)).collect();
    format!("INSERT INTO {table} ({}) VALUES ({})", names(columns), values.join(", "))
}

fn replaced(columns: &[Column]) -> String {
    let each: Vec<_> = columns.iter().map(|column| format!("{0} = excluded.{0}", column.name)).collect();
    each.join(", ")
}

fn names(columns: &[Column]) -> String {
    columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ")
}

fn shown(columns: &[Column]) -> String {
    columns.iter().map(|column| column.shown()).collect::<Vec<_>>().join(", ")
}

fn equal<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.zip(1..).map(|(name, number)| format!("{name} = ${number}")).collect::<Vec<_>>().join(" AND ")
}

const PLACE: Column = Column { name: "place", holds: crate::columns::Holds::Bytes };
const REVISION: Column = Column { name: "revision", holds: crate::columns::Holds::Bytes };
