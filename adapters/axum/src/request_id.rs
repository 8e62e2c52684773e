//! The id of a request, from the field that the host named.

use axum::http::request::Parts;
use latchbook_http::Gate;

use crate::head::values;

/// `gate` as it answers the request of `parts`: its refusals show the request's id, where the host named a field for it
/// and that came once.
#[inline]
pub(crate) fn for_request(gate: Gate, parts: &Parts) -> Gate {
    if gate.request_id_field().is_none() { gate } else { identified(gate, parts) }
}

// Apart, so that a host without ids pays for a look at one flag.
#[cold]
fn identified(gate: Gate, parts: &Parts) -> Gate {
    let id = gate.request_id_field().and_then(|field| {
        let mut found = values(&parts.headers, field);
        found.next().filter(|_| found.next().is_none())
    });
    match id {
        Some(id) => gate.with_request_id(id),
        None => gate,
    }
}
