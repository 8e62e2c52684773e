//! The text of an API key: whatever is parsed is exactly what would be printed.
#![no_main]

use latchbook_core::check::{Brand, parse_key_text, print_key_text};
use latchbook_core::model::{EnvironmentName, KeyId};
use libfuzzer_sys::fuzz_target;

const SECRET: usize = 43;
const CHECKSUM: usize = 6;

fuzz_target!(|text: &str| {
    if let Ok(parts) = parse_key_text(text) {
        let secret = &text[text.len() - SECRET - CHECKSUM..text.len() - CHECKSUM];
        let brand = Brand::parse(&parts.brand).expect("a brand");
        assert_eq!(print_key_text(&brand, parts.environment, parts.id, secret).expose(), text);
    }

    // The same input with its checksum put right, which the fuzzer would not find by itself.
    let Some((head, secret)) = text.rsplit_once('_') else { return };
    let mut head = head.split('_');
    let (Some(brand), Some(environment), Some(id), None) = (head.next(), head.next(), head.next(), head.next()) else {
        return;
    };
    let (Ok(brand), Ok(environment), Ok(id)) =
        (Brand::parse(brand), EnvironmentName::parse(environment), KeyId::parse(id))
    else {
        return;
    };
    let printed = print_key_text(&brand, environment, id, secret);
    let is_secret = secret.len() == SECRET && secret.bytes().all(|byte| byte.is_ascii_alphanumeric());
    match parse_key_text(printed.expose()) {
        Ok(parts) => {
            assert!(is_secret);
            assert_eq!((parts.brand.as_str(), parts.environment, parts.id), (brand.as_str(), environment, id));
        }
        Err(_) => assert!(!is_secret),
    }
});
