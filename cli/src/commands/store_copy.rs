//! `store copy`.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use latchbook::model::{Position, Row};
use latchbook::moving::{self, Copied, MoveError, Stage};
use serde::Serialize;

use crate::args::{Copy, Global};
use crate::failure::Failure;
use crate::open;
use crate::output::Output;
use crate::progress::Progress;

pub(super) async fn run(global: &Global, command: &Copy) -> Result<(), Failure> {
    let (from, to) = (open::url(global)?, open::parse_url(&command.target)?);
    if from == to {
        return Err(Failure::usage("the store cannot be copied into itself; name another one"));
    }
    let mark = command.resume.as_deref().map(Mark);
    let mut after = mark.as_ref().map(Mark::read).transpose()?.flatten();
    let source = open::store(&from, open::timeout(global)).await?;
    let snapshot = source.snapshot().await?;
    let target = to.open(open::timeout(global)).await?;
    if target.scan(None, 2).await?.rows.iter().all(|row| matches!(row, Row::Meta(_))) {
        // Nothing was copied yet, whatever a mark that was left lying about says.
        after = None;
    }
    let mut progress = Progress::new();
    let mut kept = Ok(());
    let mut tell = |told: &moving::Progress| {
        progress.stage(told);
        if let (Some(mark), Stage::Copying, Some(position)) = (&mark, told.stage, &told.position)
            && kept.is_ok()
        {
            kept = mark.write(position);
        }
    };
    let copied = moving::copy(&*snapshot, &target, after, &mut tell).await.map_err(failure)?;
    drop(progress);
    // The copy is done, so how far it had come does not matter any more.
    kept.or_else(|failure| say(&failure))?;
    if let Some(mark) = &mark {
        mark.remove()?;
    }
    show(global, &copied)
}

/// Says what a copy is.
pub(super) fn show(global: &Global, copied: &Copied) -> Result<(), Failure> {
    let object = CopiedObject::new(copied);
    Output { json: global.json }.one(
        &object,
        &[
            ("digest", object.digest.clone()),
            ("rows", object.rows.to_string()),
            ("written now", object.written.to_string()),
        ],
    )
}

/// The file that says how far a copy is.
struct Mark<'a>(&'a Path);

impl Mark<'_> {
    /// Where to go on; `None` where there is no file, which is the beginning.
    fn read(&self) -> Result<Option<Position>, Failure> {
        let path = self.0.display();
        let text = match fs::read_to_string(self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(|error| Failure::failed(format!("`{path}` cannot be read: {error}")))?,
        };
        let digits = text.trim().strip_prefix(HEAD).map(str::trim);
        let position = digits.and_then(from_hex).map(Position).map(Some);
        position.ok_or_else(|| {
            Failure::failed(format!("`{path}` is no mark of a copy; name another file, or move it away to begin anew"))
        })
    }

    /// Puts `position` in place of what was there, whole.
    fn write(&self, position: &Position) -> Result<(), Failure> {
        let digits: String = position.0.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut aside = self.0.as_os_str().to_owned();
        aside.push(".new");
        let aside = PathBuf::from(aside);
        let written = fs::write(&aside, format!("{HEAD} {digits}\n")).and_then(|()| fs::rename(&aside, self.0));
        written.map_err(|error| Failure::failed(format!("`{}` cannot be written: {error}", self.0.display())))
    }

    fn remove(&self) -> Result<(), Failure> {
        match fs::remove_file(self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Failure::failed(format!("`{}` cannot be removed: {error}", self.0.display())))
            }
            _ => Ok(()),
        }
    }
}

fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    pairs.map(|pair| if pair.len() == 2 { byte(pair) } else { None }).collect()
}

pub(super) fn failure(error: MoveError) -> Failure {
    match error {
        MoveError::Occupied { .. } => Failure::refused(error),
        MoveError::Source(_) | MoveError::Target(_) => {
            Failure::failed(format!("{error}; give the same command again to go on"))
        }
        error => Failure::failed(error),
    }
}

fn say(failure: &Failure) -> Result<(), Failure> {
    let _ = writeln!(io::stderr(), "latchbook: {failure}; the copy is whole all the same");
    Ok(())
}

/// A copy that is done, in JSON.
#[derive(Serialize)]
struct CopiedObject {
    digest: String,
    rows: u64,
    written: u64,
    counts: serde_json::Map<String, serde_json::Value>,
}

impl CopiedObject {
    fn new(copied: &Copied) -> Self {
        Self {
            digest: copied.digest.to_string(),
            rows: copied.digest.rows(),
            written: copied.written,
            counts: copied.digest.counts().map(|(kind, count)| (member(kind), count.into())).collect(),
        }
    }
}

/// Words as the name of a JSON member: `audit events` as `auditEvents`.
fn member(words: &str) -> String {
    let mut upper = false;
    let letters = words.chars().filter_map(|letter| {
        let starts = std::mem::replace(&mut upper, letter == ' ');
        (letter != ' ').then(|| if starts { letter.to_ascii_uppercase() } else { letter })
    });
    letters.collect()
}

/// What a mark begins with.
const HEAD: &str = "latchbook copy 1:";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_named_as_elsewhere_in_json() {
        assert_eq!((member("keys").as_str(), member("audit events").as_str()), ("keys", "auditEvents"));
    }

    #[test]
    fn a_mark_is_read_back_or_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mark");
        let mark = Mark(&path);
        assert_eq!(mark.read().unwrap(), None);
        for bytes in [vec![], vec![0, 255, 16], vec![7; 300]] {
            mark.write(&Position(bytes.clone())).unwrap();
            assert_eq!(mark.read().unwrap(), Some(Position(bytes)));
        }
        for bad in ["", "00ff", "latchbook copy 1: 0", "latchbook copy 1: xy", "latchbook copy 1: é0"] {
            fs::write(&path, bad).unwrap();
            assert!(mark.read().is_err(), "{bad}");
        }
        mark.remove().unwrap();
        mark.remove().unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
