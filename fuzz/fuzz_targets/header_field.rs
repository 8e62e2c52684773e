//! The `Authorization` fields of a request: at most one bearer token comes out, and it is a plain one.
#![no_main]

use latchbook_http::credential::{self, MAX_TOKEN};
use libfuzzer_sys::fuzz_target;

// Fields are lines; what follows an empty line is the query.
fuzz_target!(|data: &[u8]| {
    let mut lines = data.split(|&byte| byte == b'\n');
    let fields: Vec<&[u8]> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
    let query = lines.next().and_then(|line| std::str::from_utf8(line).ok());
    if let Ok(Some(token)) = credential::parse(&fields, query) {
        assert_eq!(fields.len(), 1);
        assert!(!token.is_empty() && token.len() <= MAX_TOKEN);
        assert!(token.bytes().all(|byte| byte.is_ascii_graphic()));
        assert!(fields[0].windows(token.len()).any(|window| window == token.as_bytes()));
        assert!(fields[0].trim_ascii_start()[..6].eq_ignore_ascii_case(b"Bearer"));
    }
});
