//! The document of every route, for whoever wants to know what is served.

use crate::reply::content_type;
use crate::{Gate, Reply};

/// `GET /openapi.json`.
pub(super) fn document(gate: &Gate) -> Reply {
    let headers = vec![content_type("application/json"), ("cache-control", "public, max-age=300".to_owned())];
    Reply { status: 200, headers, body: gate.printed_document().to_vec() }
}
