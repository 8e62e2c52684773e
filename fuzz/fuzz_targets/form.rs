//! A form: read whole or refused, and what was read comes back when it is written again.
#![no_main]

use latchbook_http::form::{Form, FormError};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let Ok(form) = Form::parse(body, &["resource"]) else { return };
    let Some(scope) = form.text("scope") else { return };
    assert!(!scope.is_empty());
    // Every byte coded, it is the same value.
    let coded: String = scope.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let again = Form::parse(format!("scope={coded}").as_bytes(), &[]).expect("a form");
    assert_eq!(again.text("scope"), Some(scope));
    // Once more, also in disguise, and it is refused.
    let twice = [body, b"&%73cope=a"].concat();
    assert_eq!(Form::parse(&twice, &["resource"]).map(|_| ()), Err(FormError::Repeated));
    // One that may repeat keeps its first value.
    let resource = form.text("resource").map(str::to_owned);
    let more = [body, b"&resource=other"].concat();
    let more = Form::parse(&more, &["resource"]).expect("a form");
    assert!(resource.is_none() || more.text("resource") == resource.as_deref());
});
