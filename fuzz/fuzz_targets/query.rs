//! The query's entity: found once, or not at all, and then a good id or none.
#![no_main]

use latchbook_core::model::EntityId;
use latchbook_http::query::{self, QueryError};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let found = query::find(Some(text), "entityId");
    assert_eq!(query::contains(text, "entityId"), found != Ok(None));
    if let Ok(Some(value)) = &found
        && let Ok(entity) = EntityId::parse(value)
    {
        assert_eq!(entity.as_str(), value);
        let again = format!("entityId={entity}");
        assert_eq!(query::find(Some(&again), "entityId"), Ok(Some(entity.as_str().into())));
        // Once more, and it is refused.
        let twice = format!("{text}&%65ntityId={entity}");
        assert_eq!(query::find(Some(&twice), "entityId"), Err(QueryError::Repeated));
    }
});
