//! What the documents say of this repository: links lead somewhere, and code is that of the files that it names.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};

/// Every page of `docs`, and what stands at the top.
fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found: Vec<PathBuf> = ["README.md", "CONTRIBUTING.md", "SECURITY.md"].map(|name| root.join(name)).into();
    let mut folders = vec![root.join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found
}

/// The targets of the links in `text`.
fn links(text: &str) -> Vec<&str> {
    text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target).collect()
}

/// The lines of `text` as one, without what marks module documentation in Rust.
fn plain(text: &str) -> String {
    text.lines().map(|line| line.strip_prefix("//! ").unwrap_or(line).replace("//!", "")).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_link_within_the_repository_leads_to_a_file() {
    let mut followed = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        let folder = page.parent().unwrap();
        for link in links(&text).into_iter().filter(|link| !link.contains("://") && !link.starts_with('#')) {
            let file = link.split('#').next().unwrap();
            assert!(folder.join(file).exists(), "{}: {link}", page.display());
            followed += 1;
        }
    }
    assert!(followed > 50, "{followed}");
}

#[test]
fn code_in_a_how_to_is_that_of_the_file_that_it_names() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let facade = fs::read_to_string(root.join("src/lib.rs")).unwrap();
    let mut compared = 0;
    for page in pages().into_iter().filter(|page| page.parent().unwrap().ends_with("how-to")) {
        let text = fs::read_to_string(&page).unwrap();
        // A page that the facade includes is compiled and run by itself.
        if page.file_name().is_some_and(|name| facade.contains(&format!("docs/how-to/{}", name.to_string_lossy()))) {
            continue;
        }
        let mut parts = text.split("```");
        while let (Some(prose), Some(block)) = (parts.next(), parts.next()) {
            let (language, code) = block.split_once('\n').expect("a block with a language");
            let named = prose.trim_end().rsplit_once("<!-- from ").and_then(|(_, rest)| rest.strip_suffix(" -->"));
            let Some(file) = named else {
                assert_ne!(language, "rust", "{}: say which file this is from:\n{code}", page.display());
                continue;
            };
            let source = fs::read_to_string(root.join(file)).unwrap_or_else(|_| panic!("{}: {file}", page.display()));
            let found = plain(&source).contains(&plain(code.trim_end()));
            assert!(found, "{}: this is not in {file}:\n{code}", page.display());
            compared += 1;
        }
    }
    assert!(compared > 8, "{compared}");
}
