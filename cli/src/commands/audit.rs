//! `audit query|verify`.

use std::fs;
use std::path::Path;

use latchbook::authority::{AuditReport, KeptCheckpoint};
use latchbook::http::instant;
use latchbook::http::objects::EventObject;
use latchbook::model::{AuditAction, AuditActor, AuditEvent, ChainId, DeveloperId, UnixTime};
use serde::Serialize;

use super::{Desk, PAGE, developer_words};
use crate::args::Audit as Command;
use crate::failure::Failure;
use crate::progress::Progress;

pub(super) async fn run(desk: &Desk, command: &Command) -> Result<(), Failure> {
    match command {
        Command::Query { developer, limit, action, since } => {
            let wanted = Wanted { limit: *limit, action: *action, since: *since };
            query(desk, &chain(desk, developer.as_ref()).await?, &wanted).await
        }
        Command::Verify { developer: Some(developer), checkpoint } => {
            let chain = chain(desk, Some(developer)).await?;
            let kept = checkpoint.as_deref().map(read_checkpoint).transpose()?;
            verify(desk, &[chain], kept.as_deref()).await
        }
        Command::Verify { developer: None, .. } => verify(desk, &chains(desk).await?, None).await,
    }
}

/// Which events are wanted.
struct Wanted {
    limit: u64,
    action: Option<AuditAction>,
    since: Option<UnixTime>,
}

async fn query(desk: &Desk, chain: &ChainId, wanted: &Wanted) -> Result<(), Failure> {
    let mut table = desk.output.table(["NUMBER", "AT", "ACTOR", "ACTION", "SUBJECT", "FROM", "DETAILS"]);
    let (mut left, mut after) = (wanted.limit, None);
    let name = chain.to_string();
    loop {
        let page = desk.authority.audit().page(chain, after.as_ref(), PAGE).await;
        let (events, next) = page.map_err(|refusal| Failure::of(refusal, "chain"))?;
        for event in &events {
            // Newest first: what comes now is older still.
            if left == 0 || wanted.since.is_some_and(|since| event.at < since) {
                return table.end();
            }
            if wanted.action.is_none_or(|action| action == event.action) {
                left -= 1;
                table.row(&ChainEvent { chain: &name, event: EventObject::new(event) }, cells(event))?;
            }
        }
        match next {
            Some(next) => after = Some(next),
            None => return table.end(),
        }
    }
}

async fn verify(desk: &Desk, chains: &[ChainId], kept: Option<&str>) -> Result<(), Failure> {
    let audit = desk.authority.audit();
    let mut progress = Progress::beside_lines();
    let mut bad = Vec::new();
    for (chain, done) in chains.iter().zip(1..) {
        let report = match kept {
            Some(kept) => audit.verify_against(chain, kept).await,
            None => audit.verify(chain).await,
        };
        let report = report.map_err(|refusal| Failure::of(refusal, "chain"))?;
        if !report.holds() {
            bad.push(chain.to_string());
        }
        let name = chain.to_string();
        desk.output.said(&ReportObject::new(&name, &report), &format!("{name}: {report}"))?;
        progress.show("verifying chains", done, u64::try_from(chains.len()).ok());
    }
    drop(progress);
    if bad.is_empty() {
        return Ok(());
    }
    Err(Failure::failed(format!("{} of {} audit chains do not hold: {}", bad.len(), chains.len(), bad.join(", "))))
}

/// A developer's chain, or the environment's own.
async fn chain(desk: &Desk, developer: Option<&DeveloperId>) -> Result<ChainId, Failure> {
    let Some(id) = developer else { return Ok(ChainId::System(desk.environment)) };
    let chain = ChainId::Developer(desk.developer(id));
    // A developer that is gone, such as a sandbox's, leaves its chain.
    let first = desk.authority.audit().page(&chain, None, 1).await;
    let (events, _) = first.map_err(|refusal| Failure::of(refusal, "chain"))?;
    if events.is_empty() {
        return Err(Failure::not_found(format!("there is no {}", developer_words(&desk.developer(id)))));
    }
    Ok(chain)
}

/// The environment's own chain, and those of its developers.
async fn chains(desk: &Desk) -> Result<Vec<ChainId>, Failure> {
    let mut chains = vec![ChainId::System(desk.environment)];
    let mut after = None;
    loop {
        let page = desk.authority.developers().list(desk.environment, after.as_ref(), PAGE).await;
        let (developers, next) = page.map_err(|refusal| Failure::of(refusal, "list"))?;
        chains.extend(developers.into_iter().map(|developer| ChainId::Developer(developer.reference)));
        match next {
            Some(next) => after = Some(next),
            None => return Ok(chains),
        }
    }
}

fn read_checkpoint(path: &Path) -> Result<String, Failure> {
    let text = fs::read_to_string(path);
    let text = text.map_err(|error| Failure::failed(format!("`{}` cannot be read: {error}", path.display())))?;
    Ok(text.trim().to_owned())
}

fn cells(event: &AuditEvent) -> [String; 7] {
    let actor = match &event.actor {
        AuditActor::Host => "host".to_owned(),
        AuditActor::Upkeep => "upkeep".to_owned(),
        AuditActor::Anonymous => "anonymous".to_owned(),
        AuditActor::Key { key, .. } => format!("key {key}"),
    };
    // A checkpoint is long, and means nothing to the eye.
    let details = event.details.iter().filter(|_| event.action != AuditAction::AuditCheckpoint);
    let details: Vec<_> = details.map(|(name, value)| format!("{name}={value}")).collect();
    [
        event.number.to_string(),
        instant::print(event.at),
        actor,
        event.action.name().to_owned(),
        event.subject.clone(),
        event.source.map_or_else(|| "-".to_owned(), |address| address.to_string()),
        details.join(" "),
    ]
}

/// An event in JSON, with its chain.
#[derive(Serialize)]
struct ChainEvent<'a> {
    chain: &'a str,
    #[serde(flatten)]
    event: EventObject<'a>,
}

/// What was found of a chain, in JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReportObject<'a> {
    chain: &'a str,
    holds: bool,
    events: u64,
    broken_at: Option<u64>,
    checkpoints: u64,
    bad_checkpoint_at: Option<u64>,
    kept: Option<&'static str>,
    after_last: u64,
    signs: bool,
}

impl<'a> ReportObject<'a> {
    fn new(chain: &'a str, report: &AuditReport) -> Self {
        Self {
            chain,
            holds: report.holds(),
            events: report.events,
            broken_at: report.broken_at,
            checkpoints: report.checkpoints,
            bad_checkpoint_at: report.bad_checkpoint_at,
            kept: report.kept.map(|kept| match kept {
                KeptCheckpoint::Holds => "holds",
                KeptCheckpoint::Cut { .. } => "cut",
                KeptCheckpoint::Contradicted => "contradicted",
                KeptCheckpoint::NotOurs => "notOurs",
            }),
            after_last: report.after_last,
            signs: report.signs,
        }
    }
}
