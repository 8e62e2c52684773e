//! Where the shared test vectors lie.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// The JSON of `name`, or `None` where the vectors are absent; then it says so.
pub(crate) fn read(name: &str) -> Option<Value> {
    let folder = std::env::var_os("LATCHBOOK_VECTORS").map_or_else(beside_the_workspace, PathBuf::from);
    if !folder.is_dir() {
        println!("skipped: no vectors at {}", folder.display());
        return None;
    }
    let file = folder.join(name);
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    Some(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display())))
}

fn beside_the_workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors")
}
