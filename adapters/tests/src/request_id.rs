//! The request's id in refusals: from the field that the host named, and only where it is a plain id.

use latchbook_http::Gate;

use crate::stage::opened;
use crate::{Answer, Open, Raw, Stage, World};

/// Asks for `target` with `ids` in the field that the host may name, and more in another.
async fn ask_with_id(stage: &Stage, target: &str, ids: &[&str]) -> Answer {
    let request = Raw::new("GET", target).field("X-Other-Id", "ECHO");
    stage.send(ids.iter().fold(request, |request, id| request.field("X-Request-Id", *id))).await
}

pub async fn h12_refusals_show_the_id_in_the_field_that_the_host_named_and_nothing_else(open: Open) {
    let world = World::open().await;
    let gate = Gate::new(world.authority.clone());
    let (named, unnamed) = (opened(open, gate.clone().request_id_from("X-Request-Id")).await, opened(open, gate).await);
    for target in ["/layered", "/either", "/v1/auth/whoami", "/v1/auth/tokens"] {
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
