//! latchbook on axum: extractors, layer, routes.
