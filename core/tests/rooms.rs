//! The room rule: which room of core may see which, read from the source files as text.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Every room of `core/src` and the rooms that it may see. Rooms look down, never up: a new room is added here.
///
/// Tests may see more, so what stands under `#[cfg(test)]` is not read.
const SEES: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("sync", &[]),
    ("seal", &["model"]),
    ("jose", &["model"]),
    ("check", &["jose", "model"]),
    ("key_store", &["check", "jose", "model"]),
    ("moving", &["key_store", "check", "jose", "model"]),
    ("token_issuer", &["check", "jose", "model"]),
    ("entity_scope", &["key_store", "check", "jose", "model"]),
    ("sandbox", &["check", "jose", "model"]),
    ("clock", &["check", "jose", "model"]),
    ("random", &["check", "jose", "model"]),
    (
        "authority",
        &[
            "entity_scope",
            "moving",
            "key_store",
            "token_issuer",
            "sandbox",
            "clock",
            "random",
            "check",
            "jose",
            "seal",
            "sync",
            "model",
        ],
    ),
];

#[test]
fn rooms_see_only_what_the_table_allows() {
    let mut faults = Vec::new();
    for file in source_files() {
        let text = fs::read_to_string(source_root().join(&file)).unwrap();
        faults.extend(forbidden_imports(&file, &text));
    }
    assert!(faults.is_empty(), "rooms look down, never up (see SEES in this file):\n{}", faults.join("\n"));
}

#[test]
fn the_table_names_the_rooms_that_exist() {
    let listed: BTreeSet<&str> = SEES.iter().map(|(room, _)| *room).collect();
    assert_eq!(listed.len(), SEES.len(), "a room is listed twice");
    for (room, seen) in SEES {
        for other in *seen {
            assert!(listed.contains(other), "`{room}` sees `{other}`, which is no room");
        }
    }
    for file in source_files() {
        if let Some(room) = room_of(&file) {
            assert!(listed.contains(room.as_str()), "`{}` is in a room that SEES does not list", file.display());
        }
    }
}

#[test]
fn the_table_has_no_circle() {
    assert_eq!(circle(SEES), None);
}

#[test]
fn a_circle_would_be_found() {
    assert_eq!(circle(&[("a", &["b"]), ("b", &["c"]), ("c", &[])]), None);
    assert!(circle(&[("a", &["b"]), ("b", &["c"]), ("c", &["a"])]).is_some());
    assert!(circle(&[("a", &["a"])]).is_some());
}

#[test]
fn every_file_begins_by_saying_what_lives_there() {
    for file in source_files() {
        let text = fs::read_to_string(source_root().join(&file)).unwrap();
        assert!(text.starts_with("//! "), "`{}` does not begin with a `//!` line", file.display());
    }
}

#[test]
fn unsafe_code_is_forbidden() {
    let core = Path::new(env!("CARGO_MANIFEST_DIR"));
    let own = fs::read_to_string(core.join("Cargo.toml")).unwrap();
    let workspace = fs::read_to_string(core.join("../Cargo.toml")).unwrap();
    let root = fs::read_to_string(core.join("src/lib.rs")).unwrap();
    let by_lint = own.contains("[lints]\nworkspace = true") && workspace.contains("unsafe_code = \"forbid\"");
    assert!(by_lint || root.contains("#![forbid(unsafe_code)]"));
}

#[test]
fn a_forbidden_import_would_be_found() {
    let bad = [
        ("model/ids.rs", "use crate::jose::CompactToken;"),
        ("check/mod.rs", "pub use crate::key_store::KeyStore;"),
        ("check/grant.rs", "use crate::{\n    model::{ApiKey, Rejection},\n    authority::Authority,\n};"),
        ("check/grant.rs", "use crate::{clock, model};"),
        ("check/grant.rs", "use crate::{self as core, model};"),
        ("check/grant.rs", "use crate as core;"),
        ("check/grant.rs", "use crate::*;"),
        ("check/grant.rs", "use super::super::clock::Clock;"),
        ("check/grant.rs", "use super::{api_key, super::random::SecureRandom};"),
        ("check/grant.rs", "fn now() -> u64 { crate::clock::SystemClock::new().now() }"),
        ("check/grant.rs", "fn now() -> u64 { crate :: clock :: now() }"),
        ("check/grant.rs", "#[cfg(test)]\nmod laws;\nuse crate::clock::Clock;"),
        ("check/grant.rs", "mod inner { use super::super::super::clock::Clock; }"),
        ("check/mod.rs", "use super::clock::Clock;"),
        ("clock.rs", "use super::authority::Authority;"),
        ("clock.rs", "use super::*;"),
        ("jose/header.rs", "#[cfg(feature = \"x\")]\nuse crate::check::check_use;"),
        ("jose/header.rs", "macro_rules! m { () => { $crate::check::check_use() } }"),
        ("jose/header.rs", "pub(in crate::check) fn f() {}"),
        ("jose/header.rs", "use latchbook_core::check::check_use;"),
        ("key_store/memory.rs", "// it's fine\nuse crate::clock::Clock; // \""),
        (
            "key_store/memory.rs",
            "fn f<'a>(x: &'a str) -> char { '\"' }\nuse crate::clock::Clock;\nconst Q: char = '\"';",
        ),
    ];
    for (file, text) in bad {
        assert!(!forbidden_imports(Path::new(file), text).is_empty(), "not found in {file}:\n{text}");
    }
}

#[test]
fn allowed_imports_are_let_through() {
    let good = [
        ("check/grant.rs", "use crate::model::{ApiKey, Rejection};\nuse super::address;"),
        ("check/grant.rs", "use crate::{jose, model};"),
        ("check/grant.rs", "use crate::check::Revocations;"),
        ("check/grant.rs", "// use crate::clock::Clock;\n/// [`crate::authority::Authority`]\n/* crate::clock */"),
        ("check/grant.rs", "const TEXT: &str = \"crate::clock::Clock\"; const RAW: &str = r#\"crate::\"clock\"#;"),
        ("check/grant.rs", "fn f() {}\n#[cfg(test)]\nmod tests {\n    use crate::clock::Clock;\n    use super::*;\n}"),
        ("check/mod.rs", "mod grant;\nuse super::model::ApiKey;"),
        ("model/scope_rule.rs", "macro_rules! scopes { () => { $crate::scopes!(); $crate::model::Scope } }"),
        ("lib.rs", "pub mod authority;\npub use crate::authority::Authority;"),
        ("key_store/mod.rs", "pub(crate) use crate::model::UnixTime;"),
        ("key_store/memory.rs", "mod inner { use super::super::MemoryStore; use super::super::super::model::Row; }"),
    ];
    for (file, text) in good {
        assert_eq!(forbidden_imports(Path::new(file), text), Vec::<String>::new(), "in {file}:\n{text}");
    }
}

/// The paths in `text` that lead from the room of `file` to one that it may not see.
fn forbidden_imports(file: &Path, text: &str) -> Vec<String> {
    let Some(room) = room_of(file) else { return Vec::new() };
    let Some((_, seen)) = SEES.iter().find(|(name, _)| *name == room) else {
        return vec![format!("`{}`: room `{room}` is not in the table", file.display())];
    };
    let mut faults = Vec::new();
    for path in rooted_paths(file, text) {
        // Items that `#[macro_export]` puts at the crate's root are called with `!`.
        let is_allowed = match path.as_str() {
            "crate" | "*" | "self" => false,
            first => first == room || first.ends_with('!') || seen.contains(&first),
        };
        if !is_allowed {
            faults.push(format!("`{}`: `{room}` may not see `crate::{path}`", file.display()));
        }
    }
    faults
}

/// The first part after the crate's root of every path that begins at the root, in whichever way it is written.
fn rooted_paths(file: &Path, text: &str) -> Vec<String> {
    let words = without_tests(words(text));
    let mut found = Vec::new();
    // How deep the file's own module lies below the root, then how many inline modules are open, and at which braces.
    let depth = module_depth(file);
    let (mut braces, mut inline): (usize, Vec<usize>) = (0, Vec::new());
    let mut groups: Vec<(usize, usize)> = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let word = words[at].as_str();
        match word {
            "{" => {
                braces += 1;
                if at >= 2 && words[at - 2] == "mod" {
                    inline.push(braces);
                }
            }
            "}" => {
                if inline.last() == Some(&braces) {
                    inline.pop();
                }
                if groups.last().is_some_and(|(_, opened)| *opened == braces) {
                    groups.pop();
                }
                braces = braces.saturating_sub(1);
            }
            "crate" | "latchbook_core" if !is_visibility(&words, at) => {
                heads(&words, at + 1, &mut found);
            }
            "super" => {
                // `a::super` goes on from an earlier `super`, which has counted it.
                let continues = at >= 2 && words[at - 1] == "::" && words[at - 2] == "super";
                if !continues && !is_visibility(&words, at) {
                    let outer = groups.last().map_or(0, |(ups, _)| *ups);
                    let (mut ups, mut next) = (outer + 1, at + 1);
                    while words.get(next).is_some_and(|word| word == "::")
                        && words.get(next + 1).is_some_and(|word| word == "super")
                    {
                        (ups, next) = (ups + 1, next + 2);
                    }
                    if ups >= depth + inline.len() {
                        heads(&words, next, &mut found);
                    } else if words.get(next).is_some_and(|word| word == "::")
                        && words.get(next + 1).is_some_and(|word| word == "{")
                    {
                        groups.push((ups, braces + 1));
                    }
                }
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// What stands after a root at `at`: one name, each name at the front of a group, or nothing, which is the root itself.
fn heads(words: &[String], at: usize, found: &mut Vec<String>) {
    if words.get(at).is_none_or(|word| word != "::") {
        found.push("crate".to_owned());
        return;
    }
    let named = |at: usize| {
        let is_macro = words.get(at + 1).is_some_and(|word| word == "!");
        words.get(at).map(|word| if is_macro { format!("{word}!") } else { word.clone() })
    };
    if words.get(at + 1).is_none_or(|word| word != "{") {
        found.extend(named(at + 1));
        return;
    }
    let mut depth = 0;
    for place in at + 1..words.len() {
        match words[place].as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return;
        }
        if depth == 1 && matches!(words[place].as_str(), "{" | ",") && words[place + 1] != "}" {
            found.extend(named(place + 1));
        }
    }
}

/// `pub(crate)` and `pub(super)` name how far an item is seen, and import nothing.
fn is_visibility(words: &[String], at: usize) -> bool {
    let is = |place: Option<usize>, wanted: &str| {
        place.and_then(|place| words.get(place)).is_some_and(|word| word == wanted)
    };
    is(at.checked_sub(2), "pub") && is(at.checked_sub(1), "(") && is(Some(at + 1), ")")
}

/// The words without the items that `#[cfg(test)]` stands before.
fn without_tests(words: Vec<String>) -> Vec<String> {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::with_capacity(words.len());
    let mut at = 0;
    while at < words.len() {
        let is_mark = MARK.iter().enumerate().all(|(offset, mark)| words.get(at + offset).is_some_and(|w| w == mark));
        if !is_mark {
            kept.push(words[at].clone());
            at += 1;
            continue;
        }
        // The item ends with its first `;` outside of braces, or with the brace that closes its body.
        let mut depth = 0;
        while at < words.len() {
            match words[at].as_str() {
                "{" => depth += 1,
                "}" => depth -= 1,
                _ => {}
            }
            let ends = depth == 0 && matches!(words[at].as_str(), ";" | "}");
            at += 1;
            if ends {
                break;
            }
        }
    }
    kept
}

/// Names, `::` and single signs; comments, texts and characters are left out.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some(length) = raw_text(rest) {
            length
        } else if first == '"' {
            quoted(rest)
        } else if first == '\'' {
            character(rest)
        } else if first.is_alphanumeric() || first == '_' {
            let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            words.push(rest[..length].to_owned());
            length
        } else if rest.starts_with("::") {
            words.push("::".to_owned());
            2
        } else {
            if !first.is_whitespace() {
                words.push(first.to_string());
            }
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    words
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest.starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// The length of `r"…"`, `r#"…"#`, `br"…"` and so on, if `text` begins with one.
fn raw_text(text: &str) -> Option<usize> {
    let after = ["r", "br", "cr"].iter().find_map(|mark| text.strip_prefix(mark))?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let body = after[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = body.find(&end).map_or(body.len(), |place| place + end.len());
    Some(text.len() - body.len() + length)
}

fn quoted(text: &str) -> usize {
    let mut is_escaped = false;
    for (place, sign) in text.char_indices().skip(1) {
        match sign {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return place + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of a character such as `'"'` or `'\''`, or 1 where the quote begins a lifetime.
fn character(text: &str) -> usize {
    let mut signs = text.char_indices().skip(1);
    match signs.next() {
        Some((_, '\\')) => {
            signs.next();
            signs.find(|(_, sign)| *sign == '\'').map_or(1, |(place, _)| place + 1)
        }
        Some(_) => match signs.next() {
            Some((place, '\'')) => place + 1,
            _ => 1,
        },
        None => 1,
    }
}

/// The room that a file lies in; `lib.rs` is the house, which lets in whom it likes.
fn room_of(file: &Path) -> Option<String> {
    let first = file.iter().next()?.to_str()?;
    (first != "lib.rs").then(|| first.trim_end_matches(".rs").to_owned())
}

/// How many modules a file lies below the crate's root: 1 for `clock.rs` and `model/mod.rs`, 2 for `model/ids.rs`.
fn module_depth(file: &Path) -> usize {
    let parts = file.iter().count();
    if file.ends_with("lib.rs") || file.ends_with("mod.rs") { parts - 1 } else { parts }
}

/// Some room that reaches itself, if one does.
fn circle(sees: &[(&str, &[&str])]) -> Option<String> {
    let mut reached: BTreeMap<&str, BTreeSet<&str>> =
        sees.iter().map(|(room, seen)| (*room, seen.iter().copied().collect())).collect();
    for _ in sees {
        let before = reached.clone();
        for seen in reached.values_mut() {
            let further: Vec<&str> = seen.iter().filter_map(|room| before.get(room)).flatten().copied().collect();
            seen.extend(further);
        }
    }
    reached.iter().find(|(room, seen)| seen.contains(*room)).map(|(room, _)| (*room).to_owned())
}

fn source_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every source file, relative to `core/src`.
fn source_files() -> Vec<PathBuf> {
    let root = source_root();
    let (mut folders, mut files) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path.strip_prefix(&root).unwrap().to_owned());
            }
        }
    }
    assert!(files.len() > 10, "the source files were not found");
    files.sort();
    files
}
