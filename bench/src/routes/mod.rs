//! What guards of routes cost, in process: one room for each framework.

pub mod actix;
pub mod authorizer;
pub mod axum;

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
use crate::peers::{self, eleven, nine};
use crate::world::{Provider, authority_over, claims, developer_claims, token};

/// In the order that they are printed in.
pub const PARTS: &[Part] = &[axum::PART, authorizer::PART, actix::PART];

/// A gate whose store knows the developer and the entity of the tokens, with `cache` bytes for verified tokens.
pub fn gate(cache: usize) -> Gate {
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

/// The value of the `Authorization` field, by what the token is.
pub struct Fields {
    /// An entity token.
    pub entity: String,
    /// A developer token.
    pub developer: String,
    /// The entity token's claims, signed with HS256.
    pub hs256: String,
    /// No token.
    pub garbage: String,
}

impl Fields {
    pub fn new() -> Self {
        let entity = token(Provider::Ring, Algorithm::EdDsa, &claims());
        let developer = token(Provider::Ring, Algorithm::EdDsa, &developer_claims());
        Self {
            garbage: format!("Bearer {}", "A".repeat(entity.len())),
            entity: format!("Bearer {entity}"),
            developer: format!("Bearer {developer}"),
            hs256: format!("Bearer {}", peers::hs256_token()),
        }
    }

    /// The entity token for a peer.
    pub fn of(&self, algorithm: Algorithm) -> &str {
        if algorithm == Algorithm::Hs256 { &self.hs256 } else { &self.entity }
    }
}

impl Default for Fields {
    fn default() -> Self {
        Self::new()
    }
}

/// The route of a developer token that names an entity.
pub fn with_entity() -> String {
    format!("/maybe-entity?entityId={ENTITY}")
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
    if let Some(ratio) = times.ratio(&without, &with) {
        figure(format!("{framework} in process, without entity over with entityId"), Asked::AtLeast(0.97), ratio, "x");
    }
    for (peer, asked) in [
        (format!("{} EdDSA", nine::NAME), Asked::AtLeast(6.5)),
        (format!("{} EdDSA", eleven::NAME), Asked::AtLeast(6.5)),
        (format!("{} HS256", nine::NAME), Asked::AtLeast(1.4)),
        (format!("{} HS256", eleven::NAME), Asked::AtLeast(1.4)),
    ] {
        if let Some(ratio) = times.ratio(&row(&peer), &row("guarded, scope and entity token")) {
            figure(format!("{framework} in process, requests a second over {peer}"), asked, ratio, "x");
        }
    }
}
