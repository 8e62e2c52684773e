//! `developer create|list|show|suspend|resume`.

use latchbook::http::instant;
use latchbook::model::{Developer, DeveloperStatus};
use serde::Serialize;

use super::{Desk, HERE, OPERATOR, PAGE, developer_words};
use crate::args::Developer as Command;
use crate::failure::Failure;

pub(super) async fn run(desk: &Desk, command: &Command) -> Result<(), Failure> {
    let developers = desk.authority.developers();
    let (Command::Create { id, .. } | Command::Show { id } | Command::Suspend { id } | Command::Resume { id }) =
        command
    else {
        return list(desk).await;
    };
    let developer = desk.developer(id);
    let done = match command {
        Command::Create { name, .. } => {
            let name = name.as_deref().unwrap_or(id.as_str());
            developers.create(&OPERATOR, HERE, &developer, name).await.map(drop)
        }
        Command::Suspend { .. } => developers.suspend(&OPERATOR, HERE, &developer).await,
        Command::Resume { .. } => developers.resume(&OPERATOR, HERE, &developer).await,
        Command::List | Command::Show { .. } => Ok(()),
    };
    let words = developer_words(&developer);
    done.map_err(|refusal| Failure::of(refusal, &words))?;
    let found = developers.get(&developer).await.map_err(|refusal| Failure::of(refusal, &words))?;
    let object = DeveloperObject::new(&found);
    desk.output.one(
        &object,
        &[
            ("id", object.id.to_owned()),
            ("name", object.name.to_owned()),
            ("environment", object.environment.to_owned()),
            ("status", object.status.to_owned()),
            ("created", object.created_at.clone()),
        ],
    )
}

async fn list(desk: &Desk) -> Result<(), Failure> {
    let mut table = desk.output.table(["ID", "NAME", "STATUS", "CREATED"]);
    let mut after = None;
    loop {
        let page = desk.authority.developers().list(desk.environment, after.as_ref(), PAGE).await;
        let (found, next) = page.map_err(|refusal| Failure::of(refusal, "list"))?;
        for developer in &found {
            let object = DeveloperObject::new(developer);
            let cells = [object.id, object.name, object.status, &object.created_at].map(str::to_owned);
            table.row(&object, cells)?;
        }
        match next {
            Some(next) => after = Some(next),
            None => return table.end(),
        }
    }
}

/// A developer in JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeveloperObject<'a> {
    id: &'a str,
    name: &'a str,
    environment: &'a str,
    status: &'static str,
    created_at: String,
}

impl<'a> DeveloperObject<'a> {
    fn new(developer: &'a Developer) -> Self {
        Self {
            id: developer.reference.id.as_str(),
            name: &developer.name,
            environment: developer.reference.environment.as_str(),
            status: match developer.status {
                DeveloperStatus::Active => "active",
                DeveloperStatus::Suspended => "suspended",
            },
            created_at: instant::print(developer.created_at),
        }
    }
}
