//! `store migrate|check|prune|restored`.

use latchbook::authority::{ChainsReport, MayHaveEnded, Restored};
use latchbook::http::instant;
use latchbook::key_store::{KeyStoreExt as _, Sharing};
use latchbook::moving::{self, CheckReport};
use serde::Serialize;
use serde_json::json;

use super::{Desk, shown};
use crate::args::{Global, Store as Command};
use crate::failure::Failure;
use crate::open;
use crate::output::Output;
use crate::progress::Progress;

/// Opening a store is what brings it to this version.
pub(super) async fn migrate(global: &Global) -> Result<(), Failure> {
    let store = open::store(&open::url(global)?, open::timeout(global)).await?.shared();
    let held = store.settings().await?;
    let settings = held.as_ref().map(|(settings, _)| settings);
    let names = |settings: &latchbook::model::Settings| {
        settings.environments.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let environments = settings.map(names).unwrap_or_default();
    let is_shared = store.sharing() == Sharing::Shared;
    let value = json!({
        "current": true,
        "issuer": settings.map(|settings| &settings.issuer),
        "environments": environments,
        "createdAt": settings.map(|settings| instant::print(settings.created_at)),
        "shared": is_shared,
    });
    Output { json: global.json }.one(
        &value,
        &[
            ("version", "this command's".to_owned()),
            ("issuer", settings.map_or_else(|| "none: the store is not set up".to_owned(), |held| held.issuer.clone())),
            ("environments", environments.join(", ")),
            ("created", shown(settings.map(|settings| settings.created_at))),
            ("for", if is_shared { "several processes" } else { "one process" }.to_owned()),
        ],
    )
}

pub(super) async fn run(desk: &Desk, global: &Global, command: &Command) -> Result<(), Failure> {
    match command {
        Command::Check => check(desk).await,
        Command::Prune => prune(desk).await,
        Command::Restored { list } => restored(desk, *list).await,
        Command::Migrate => migrate(global).await,
        Command::Copy(command) => super::store_copy::run(global, command).await,
        Command::Backup { target } => super::store_backup::run(global, target).await,
    }
}

async fn check(desk: &Desk) -> Result<(), Failure> {
    let mut progress = Progress::new();
    let mut tell = |told: &moving::Progress| progress.stage(told);
    // Servers may go on: what they change meanwhile is not looked at. Chains grow at their newest end alone.
    let snapshot = desk.store.snapshot().await?;
    let rows = moving::check(&*snapshot, &mut tell).await?;
    drop(snapshot);
    let chains = desk.authority.audit().verify_all(&mut tell).await;
    let chains = chains.map_err(|refusal| Failure::of(refusal, "chain"))?;
    drop(progress);
    let broken: Vec<_> = chains.broken.iter().map(|(chain, report)| format!("{chain}: {report}")).collect();
    let text = format!(
        "{rows}\n{} audit chains with {} events, {}",
        chains.chains,
        chains.events,
        if chains.holds() { "every one holds".to_owned() } else { format!("wrong:\n{}", broken.join("\n")) }
    );
    desk.output.said(&CheckObject::new(&rows, &chains, broken), &text)?;
    if rows.holds() && chains.holds() {
        return Ok(());
    }
    Err(Failure::failed("the store is not whole: restore a backup, or find out what changed it"))
}

async fn prune(desk: &Desk) -> Result<(), Failure> {
    let mut progress = Progress::new();
    let removed = desk.authority.prune(&mut |told| progress.stage(told)).await;
    drop(progress);
    let removed = removed.map_err(|refusal| Failure::of(refusal, "store"))?;
    desk.output.said(&json!({"removed": removed}), &format!("removed {removed} rows that had ended"))
}

async fn restored(desk: &Desk, list: bool) -> Result<(), Failure> {
    let mut progress = Progress::beside_lines();
    let mut table = desk.output.table(["KIND", "ENVIRONMENT", "DEVELOPER", "ID"]);
    let mut written = Ok(());
    let mut listed = |live| {
        if list && written.is_ok() {
            written = show_live(&mut table, &live);
        }
    };
    let report = desk.authority.restored(&mut listed, &mut |told| progress.stage(told)).await;
    drop(progress);
    let report = report.map_err(|refusal| Failure::of(refusal, "store"))?;
    written?;
    table.end()?;
    let object = RestoredObject::new(&report);
    desk.output.one(
        &object,
        &[
            ("newest event", shown(report.newest_event_at)),
            ("retired signing keys", report.retired.len().to_string()),
            ("live developers", report.developers.to_string()),
            ("live keys", report.keys.to_string()),
            ("entities", report.entities.to_string()),
            (
                "look through",
                "what was revoked or removed after the newest event is live again: --list shows it".to_owned(),
            ),
        ],
    )
}

fn show_live(table: &mut crate::output::Table<4>, live: &MayHaveEnded) -> Result<(), Failure> {
    let (kind, developer, id) = match live {
        MayHaveEnded::Developer(developer) => ("developer", developer, developer.id.to_string()),
        MayHaveEnded::Key(developer, key) => ("key", developer, key.to_string()),
        MayHaveEnded::Entity(entity) => ("entity", &entity.developer, entity.id.to_string()),
    };
    let (environment, owner) = (developer.environment.to_string(), developer.id.to_string());
    let value = json!({"kind": kind, "environment": environment, "developerId": owner, "id": id});
    table.row(&value, [kind.to_owned(), environment, owner, id])
}

/// What a check found, in JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CheckObject<'a> {
    holds: bool,
    rows: u64,
    findings: &'a [String],
    more_findings: u64,
    chains: u64,
    events: u64,
    broken_chains: Vec<String>,
    more_broken_chains: u64,
}

impl<'a> CheckObject<'a> {
    fn new(rows: &'a CheckReport, chains: &ChainsReport, broken_chains: Vec<String>) -> Self {
        Self {
            holds: rows.holds() && chains.holds(),
            rows: rows.rows,
            findings: &rows.findings,
            more_findings: rows.more,
            chains: chains.chains,
            events: chains.events,
            broken_chains,
            more_broken_chains: chains.more,
        }
    }
}

/// What was done after an older copy was put back, in JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RestoredObject {
    newest_event_at: Option<String>,
    retired_signing_keys: Vec<String>,
    live_developers: u64,
    live_keys: u64,
    entities: u64,
}

impl RestoredObject {
    fn new(report: &Restored) -> Self {
        Self {
            newest_event_at: report.newest_event_at.map(instant::print),
            retired_signing_keys: report.retired.iter().map(ToString::to_string).collect(),
            live_developers: report.developers,
            live_keys: report.keys,
            entities: report.entities,
        }
    }
}
