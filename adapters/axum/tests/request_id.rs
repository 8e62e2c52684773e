//! The request's id in refusals: from the field that the host named, and only where it is a plain id.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use axum::Router;
use axum::routing::get;
use latchbook_axum::{AnyPrincipal, Gate, require_principal, routes};

use support::{Answer, World, request, send};

/// Asks for `target` with `ids` in the field that the host may name, and more in another.
async fn ask_with_id(app: &Router, target: &str, ids: &[&str]) -> Answer {
    let mut request = request("GET", target, None);
    for id in ids {
        request.headers_mut().append("x-request-id", id.parse().unwrap());
    }
    request.headers_mut().append("x-other-id", "ECHO".parse().unwrap());
    send(app, request).await
}

#[tokio::test]
async fn h12_refusals_show_the_id_in_the_field_that_the_host_named_and_nothing_else() {
    let world = World::open().await;
    let gate = Gate::new(world.authority.clone());
    let app = |gate: &Gate| {
        Router::new()
            .route("/behind", get(async || "behind"))
            .route_layer(require_principal(gate))
            .route("/asking", get(async |_: AnyPrincipal| "asking"))
            .merge(routes(gate))
            .with_state(gate.clone())
    };
    let (named, unnamed) = (app(&gate.clone().request_id_from("X-Request-Id")), app(&gate));
    for target in ["/behind", "/asking", "/v1/auth/whoami", "/v1/auth/tokens"] {
        let plain = ask_with_id(&named, target, &[]).await;
        assert_eq!(plain.json().get("request_id"), None, "{target}");
        let shown = ask_with_id(&named, target, &["r-1"]).await;
        assert_eq!(shown.json()["request_id"], "r-1", "{target}");
        for field in ["www-authenticate", "cache-control", "content-type", "allow"] {
            assert_eq!(shown.header(field), plain.header(field), "{target}");
        }
        for ids in [&["ECHO<b>"][..], &["r-1", "r-1"], &["r-1", "r-2"], &["ECHO ECHO"], &[""]] {
            assert_eq!(ask_with_id(&named, target, ids).await, plain, "{target} {ids:?}");
        }
        assert_eq!(ask_with_id(&unnamed, target, &["r-1"]).await, plain, "{target}");
    }
}
