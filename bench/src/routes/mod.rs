//! What guards of routes cost, in process and over sockets: one room for each framework.

pub mod actix;
pub mod authorizer;
pub mod axum;
pub mod rows;
pub mod sockets;

use std::sync::Arc;

use futures_executor::block_on;
use latchbook::authority::NewEntity;
use latchbook::key_store::MemoryStore;
use latchbook::model::{DeveloperId, EntityId};
use latchbook::{Actor, Authority, DeveloperRef, EnvironmentName, Gate, Source};

use crate::claims::{DEVELOPER, ENTITY};
use crate::figure::{Asked, figure};
use crate::harness::{Part, Times};
use crate::keys::Algorithm;
use crate::world::{Provider, ROOM, authority_over};

/// What is measured in process, in the order that it is printed in.
pub const PARTS: &[Part] = &[axum::PART, authorizer::PART, actix::PART];

/// A gate whose store knows the developer and the entity of the tokens.
fn gate(guard: rows::Guard) -> Gate {
    let cache = if guard == rows::Guard::Forgetful { 0 } else { ROOM >> 4 };
    let authority = authority_over(Arc::new(MemoryStore::new()), Provider::Ring, Algorithm::EdDsa, cache);
    block_on(furnish(&authority)).expect("made");
    Gate::new(authority)
}

async fn furnish(authority: &Authority) -> Result<(), Box<dyn std::error::Error>> {
    let developer = DeveloperRef { environment: EnvironmentName::LIVE, id: DeveloperId::parse(DEVELOPER)? };
    let (host, source) = (Actor::Host, Source::UNKNOWN);
    authority.developers().create(&host, source, &developer, "Platypus Trading").await?;
    let new = NewEntity { id: Some(EntityId::parse(ENTITY)?), legal_name: "Platypus Trading".to_owned() };
    authority.entities().create(&host, source, &developer, &new).await?;
    Ok(())
}

/// What the rows of a framework say.
fn figures(framework: &str, times: &Times) {
    let row = |name: &str| format!("{framework}: {name}");
    let open = row("open, with state");
    for (name, asked) in [
        ("guarded", Asked::AtMost(150.0)),
        ("guarded, scope and entity token", Asked::Nothing),
        ("guarded, developer token", Asked::Nothing),
        ("guarded, developer token with entityId", Asked::Nothing),
        ("guarded, token first seen each time", Asked::Nothing),
    ] {
        if let Some(more) = times.more(&row(name), &open) {
            figure(format!("{framework} in process, {name}, more than open"), asked, more, "ns");
        }
    }
    let (without, with) = (row("guarded, developer token"), row("guarded, developer token with entityId"));
    if let Some(more) = times.more(&with, &without) {
        figure(format!("{framework} in process, entityId, more than without"), Asked::Nothing, more, "ns");
    }
}
