//! Public keys, for whoever verifies tokens elsewhere (RFC 7517 §5).

use latchbook_core::jose;
use latchbook_core::model::{EnvironmentName, Rejection};

use super::failure::Failure;
use crate::reply::content_type;
use crate::{Gate, Reply, Request};

/// `GET /.well-known/jwks.json`: the home environment's keys.
pub(super) fn home_key_set(gate: &Gate) -> Result<Reply, Failure> {
    publish(gate, gate.authority().home())
}

/// `GET /.well-known/jwks/{environment}.json`: the keys of the environment that is named, and of no other.
pub(super) fn key_set(gate: &Gate, request: &Request<'_>) -> Result<Reply, Failure> {
    let name = request.parameter.and_then(|segment| segment.strip_suffix(".json")).ok_or(Rejection::NotFound)?;
    publish(gate, EnvironmentName::parse(name).map_err(|_| Rejection::NotFound)?)
}

fn publish(gate: &Gate, environment: EnvironmentName) -> Result<Reply, Failure> {
    let keys = gate.authority().public_keys(environment).ok_or(Rejection::NotFound)?;
    let headers = vec![content_type("application/jwk-set+json"), cache_control()];
    Ok(Reply { status: 200, headers, body: jose::key_set(&keys).into_bytes() })
}

/// `reply` for everybody's cache, as long as a key set may be kept.
pub(super) fn cached(mut reply: Reply) -> Reply {
    reply.headers.retain(|(name, _)| *name != "cache-control");
    reply.headers.push(cache_control());
    reply
}

fn cache_control() -> (&'static str, String) {
    ("cache-control", format!("public, max-age={}", jose::KEY_SET_MAX_AGE.as_secs()))
}
