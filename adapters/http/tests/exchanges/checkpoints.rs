//! Checkpoints as a developer sees them: an event of its chain like another, and no credential.

use futures_executor::block_on;
use serde_json::json as object;

use crate::ask::{INVALID_TOKEN, assert_refused, get, json, text};
use crate::house::House;

#[test]
fn a15_a_checkpoint_is_shown_as_an_event_and_refused_as_a_token() {
    let house = House::new();
    let token = house.token(&house.acme);
    block_on(house.authority.shutdown()).expect("written");
    let reply = get("/v1/developers/audit?pageSize=1").bearer(&token).send(&house.gate);
    let event = &json(&reply)["events"][0];
    assert_eq!((&event["action"], &event["outcome"]), (&object!("audit.checkpoint"), &object!("done")));
    assert_eq!((&event["actor"], &event["source"]), (&object!({"kind": "upkeep"}), &object!(null)));
    // Everything that was there is covered; the token's own event is the last of it.
    let count = event["number"].as_u64().expect("a number") - 1;
    assert_eq!(event["details"]["count"], object!(count.to_string()));
    assert_eq!(text(&event["details"]["head"]).len(), 43, "32 bytes in base64url");

    let checkpoint = text(&event["details"]["checkpoint"]);
    let reply = get("/v1/auth/whoami").bearer(&checkpoint).send(&house.gate);
    assert_refused(&reply, 401, "token_invalid", INVALID_TOKEN);
}
