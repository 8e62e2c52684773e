//! Finds and reads the published test vectors, which are not part of this repository.
#![allow(dead_code, unreachable_pub, reason = "every test crate takes what it needs")]

pub mod ours;

use std::env;
use std::fs;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// The JSON of a file of the vectors, or `None`, said plainly, where there are none: `LATCHBOOK_VECTORS`, else
/// `../shared/vectors` beside the workspace.
pub fn vectors(name: &str) -> Option<Value> {
    let root = env::var_os("LATCHBOOK_VECTORS")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors"), PathBuf::from);
    if !root.is_dir() {
        println!("skipped: no vectors at {}", root.display());
        return None;
    }
    let path = root.join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Some(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

/// The items of a list.
pub fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("no list: {value}"))
}

/// A text.
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

/// Bytes written in hexadecimal.
pub fn hex(value: &Value) -> Vec<u8> {
    let digits = text(value);
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal")).collect()
}

/// base64url without padding.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
