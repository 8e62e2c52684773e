//! The routes that are measured, on each framework: how they are guarded, and what they are shown.

use crate::keys::Algorithm;
use crate::peers;
use crate::world::{Provider, claims, developer_claims, token};

/// A route, and what it is asked.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub name: &'static str,
    pub guard: Guard,
    /// With its query.
    pub path: &'static str,
    pub shows: Shows,
    /// What it answers.
    pub status: u16,
}

/// What stands before a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// Nothing.
    Open,
    /// latchbook, with room for the tokens that it has seen.
    Ours,
    /// latchbook without room, so that every token is one first seen.
    Forgetful,
    /// An extractor or a middleware around jsonwebtoken 9.
    Nine(Algorithm),
    /// The same around jsonwebtoken 11.
    Eleven(Algorithm),
}

/// What a request carries as bearer token. Open routes get it too, so that reading it is no part of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shows {
    /// A token for an entity, signed with EdDSA.
    Entity,
    /// A developer's, likewise.
    Developer,
    /// The claims of the first, signed with ES256.
    Es256,
    /// The claims of the first, signed with HS256.
    Hs256,
    /// No token.
    Garbage,
}

impl Shows {
    /// The value of the `Authorization` field.
    pub fn field(self) -> String {
        let signed = |claims| token(Provider::Ring, Algorithm::EdDsa, &claims);
        let token = match self {
            Self::Entity => signed(claims()),
            Self::Developer => signed(developer_claims()),
            Self::Es256 => token(Provider::Ring, Algorithm::Es256, &claims()),
            Self::Hs256 => peers::hs256_token(),
            Self::Garbage => "A".repeat(signed(claims()).len()),
        };
        format!("Bearer {token}")
    }
}

/// The rows of axum 0.8 and of actix.
pub const ROWS: &[Row] = &[
    row("open", Guard::Open, "/", Shows::Entity),
    row("open, with state", Guard::Ours, "/open", Shows::Entity),
    row("guarded", Guard::Ours, "/any", Shows::Entity),
    row("guarded, scope and entity token", Guard::Ours, "/entity", Shows::Entity),
    row("guarded, developer token", Guard::Ours, "/maybe-entity", Shows::Developer),
    row(
        "guarded, developer token with entityId",
        Guard::Ours,
        "/maybe-entity?entityId=entity_7f3a9c",
        Shows::Developer,
    ),
    row("guarded, token first seen each time", Guard::Forgetful, "/any", Shows::Entity),
    Row { status: 401, ..row("refused, garbage", Guard::Ours, "/any", Shows::Garbage) },
    row("jsonwebtoken 9 (ring) EdDSA", Guard::Nine(Algorithm::EdDsa), "/", Shows::Entity),
    row("jsonwebtoken 11 (aws-lc-rs) EdDSA", Guard::Eleven(Algorithm::EdDsa), "/", Shows::Entity),
    row("jsonwebtoken 9 (ring) ES256", Guard::Nine(Algorithm::Es256), "/", Shows::Es256),
    row("jsonwebtoken 11 (aws-lc-rs) ES256", Guard::Eleven(Algorithm::Es256), "/", Shows::Es256),
    row("jsonwebtoken 9 (ring) HS256", Guard::Nine(Algorithm::Hs256), "/", Shows::Hs256),
    row("jsonwebtoken 11 (aws-lc-rs) HS256", Guard::Eleven(Algorithm::Hs256), "/", Shows::Hs256),
];

const fn row(name: &'static str, guard: Guard, path: &'static str, shows: Shows) -> Row {
    Row { name, guard, path, shows, status: 200 }
}
