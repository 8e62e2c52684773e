//! `entity create|list|remove`.

use latchbook::EntityRef;
use latchbook::Refusal;
use latchbook::authority::NewEntity;
use latchbook::http::instant;
use latchbook::model::{DeveloperId, Entity, EntityId, Rejection};
use serde::Serialize;
use serde_json::json;

use super::{Desk, HERE, OPERATOR, PAGE, developer_words};
use crate::args::Entity as Command;
use crate::failure::Failure;

pub(super) async fn run(desk: &Desk, command: &Command) -> Result<(), Failure> {
    match command {
        Command::Create { developer, legal_name, id } => create(desk, developer, legal_name, id.as_ref()).await,
        Command::List { developer } => list(desk, developer).await,
        Command::Remove { developer, entity } => remove(desk, developer, entity).await,
    }
}

async fn create(desk: &Desk, developer: &DeveloperId, legal_name: &str, id: Option<&EntityId>) -> Result<(), Failure> {
    let owner = desk.developer(developer);
    let new = NewEntity { id: id.cloned(), legal_name: legal_name.to_owned() };
    let made = desk.authority.entities().create(&OPERATOR, HERE, &owner, &new).await;
    let made = made.map_err(|refusal| match (&refusal, id) {
        (Refusal::Rejected(Rejection::Conflict), Some(id)) => Failure::of(refusal, words(id, developer)),
        _ => Failure::of(refusal, developer_words(&owner)),
    })?;
    let object = EntityObject::new(&made);
    desk.output.one(
        &object,
        &[
            ("id", object.id.to_owned()),
            ("legal name", object.legal_name.to_owned()),
            ("developer", object.developer_id.to_owned()),
            ("environment", object.environment.to_owned()),
            ("created", object.created_at.clone()),
        ],
    )
}

async fn list(desk: &Desk, developer: &DeveloperId) -> Result<(), Failure> {
    let owner = desk.developer(developer);
    let known = desk.authority.developers().get(&owner).await;
    known.map_err(|refusal| Failure::of(refusal, developer_words(&owner)))?;
    let mut table = desk.output.table(["ID", "LEGAL NAME", "CREATED"]);
    let mut after = None;
    loop {
        let page = desk.authority.entities().list(&owner, after.as_ref(), PAGE).await;
        let (found, next) = page.map_err(|refusal| Failure::of(refusal, "list"))?;
        for entity in &found {
            let object = EntityObject::new(entity);
            let cells = [object.id, object.legal_name, &object.created_at].map(str::to_owned);
            table.row(&object, cells)?;
        }
        match next {
            Some(next) => after = Some(next),
            None => return table.end(),
        }
    }
}

async fn remove(desk: &Desk, developer: &DeveloperId, id: &EntityId) -> Result<(), Failure> {
    let entity = EntityRef { developer: desk.developer(developer), id: id.clone() };
    let removed = desk.authority.entities().remove(&OPERATOR, HERE, &entity).await;
    removed.map_err(|refusal| Failure::of(refusal, words(id, developer)))?;
    let value = json!({
        "id": id.as_str(), "developerId": developer.as_str(), "environment": desk.environment.as_str(), "removed": true
    });
    desk.output.said(&value, &format!("removed the {}", words(id, developer)))
}

fn words(id: &EntityId, developer: &DeveloperId) -> String {
    format!("entity `{id}` of the developer `{developer}`")
}

/// An entity in JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EntityObject<'a> {
    id: &'a str,
    legal_name: &'a str,
    developer_id: &'a str,
    environment: &'a str,
    created_at: String,
}

impl<'a> EntityObject<'a> {
    fn new(entity: &'a Entity) -> Self {
        Self {
            id: entity.reference.id.as_str(),
            legal_name: &entity.legal_name,
            developer_id: entity.reference.developer.id.as_str(),
            environment: entity.reference.developer.environment.as_str(),
            created_at: instant::print(entity.created_at),
        }
    }
}
