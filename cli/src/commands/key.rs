//! `key list|show|revoke|find`, and the way to `key create`.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _};
use std::path::Path;

use latchbook::DeveloperRef;
use latchbook::authority::{FoundText, KeyView};
use latchbook::http::objects::KeyObject;
use latchbook::model::{ApiKey, DeveloperId, KeyId, SecretText, UnixTime};
use serde::Serialize;
use zeroize::Zeroizing;

use super::{Desk, HERE, OPERATOR, PAGE, developer_words, note, shown};
use crate::args::Key as Command;
use crate::failure::Failure;

pub(super) async fn run(desk: &Desk, command: &Command) -> Result<(), Failure> {
    match command {
        Command::List { developer } => list(desk, developer).await,
        Command::Show { developer, key } => {
            let view = get(desk, &desk.developer(developer), *key).await?;
            show(desk, &view, None)
        }
        Command::Revoke { developer, keys } => revoke(desk, developer, keys).await,
        Command::Find { file } => find(desk, file.as_deref()).await,
        Command::Create(command) => super::key_create::run(desk, command).await,
    }
}

async fn list(desk: &Desk, developer: &DeveloperId) -> Result<(), Failure> {
    let owner = desk.developer(developer);
    let known = desk.authority.developers().get(&owner).await;
    known.map_err(|refusal| Failure::of(refusal, developer_words(&owner)))?;
    let mut table = desk.output.table(["ID", "NAME", "STATUS", "SCOPES", "CREATED", "EXPIRES", "LAST USED"]);
    let mut after = None;
    loop {
        let page = desk.authority.keys().list(&owner, after.as_ref(), PAGE).await;
        let (found, next) = page.map_err(|refusal| Failure::of(refusal, "list"))?;
        for view in &found {
            let key = &view.key;
            let cells = [
                key.id.to_string(),
                key.name.clone(),
                status(key, desk.authority.now()).to_owned(),
                key.grant.tokens().to_string(),
                shown(Some(key.created_at)),
                shown(key.expires_at),
                shown(view.last_used_at),
            ];
            table.row(&OwnedKey::new(view, None), cells)?;
        }
        match next {
            Some(next) => after = Some(next),
            None => return table.end(),
        }
    }
}

async fn revoke(desk: &Desk, developer: &DeveloperId, keys: &[KeyId]) -> Result<(), Failure> {
    let owner = desk.developer(developer);
    for key in keys {
        let revoked = desk.authority.keys().revoke(&OPERATOR, HERE, &owner, *key).await;
        revoked.map_err(|refusal| Failure::of(refusal, words(&owner, *key)))?;
        let view = get(desk, &owner, *key).await?;
        desk.output.said(&OwnedKey::new(&view, None), &format!("revoked the {}", words(&owner, *key)))?;
    }
    Ok(())
}

async fn find(desk: &Desk, file: Option<&Path>) -> Result<(), Failure> {
    let text = match file {
        Some(path) => File::open(path).and_then(|file| read(&file)),
        None => {
            if io::stdin().is_terminal() {
                note("paste the key's text, and end with Ctrl-D");
            }
            read(io::stdin().lock())
        }
    };
    let place = file.map_or_else(|| "standard input".to_owned(), |path| format!("`{}`", path.display()));
    let text = text.map_err(|error| Failure::failed(format!("{place} cannot be read: {error}")))?;
    let found = desk.authority.keys().find(&text).await;
    let found = found.map_err(|refusal| Failure::of(refusal, "key with the id in this text"))?;
    show(desk, &found.view, Some(found.text))
}

async fn get(desk: &Desk, owner: &DeveloperRef, key: KeyId) -> Result<KeyView, Failure> {
    let found = desk.authority.keys().get(owner, key).await;
    found.map_err(|refusal| Failure::of(refusal, words(owner, key)))
}

fn show(desk: &Desk, view: &KeyView, text: Option<FoundText>) -> Result<(), Failure> {
    let key = &view.key;
    let ranges: Vec<_> = key.allowed_ips.iter().map(ToString::to_string).collect();
    let mut fields = vec![
        ("id", key.id.to_string()),
        ("name", key.name.clone()),
        ("developer", key.developer.id.to_string()),
        ("environment", key.developer.environment.to_string()),
        ("status", status(key, desk.authority.now()).to_owned()),
        ("scopes", key.grant.tokens().to_string()),
        ("generation", key.current.generation.to_string()),
        ("created", shown(Some(key.created_at))),
        ("expires", shown(key.expires_at)),
        ("revoked", shown(key.revoked_at)),
        ("last used", shown(view.last_used_at)),
        ("allowed ips", if ranges.is_empty() { "any".to_owned() } else { ranges.join(" ") }),
    ];
    if let Some(text) = text {
        let means = match text {
            FoundText::Current => "the key's current one",
            FoundText::Previous => "the one before the last rotation, in its grace",
            FoundText::Other => "none that works: an older one, or made up around the key's id",
        };
        fields.push(("text", means.to_owned()));
    }
    desk.output.one(&OwnedKey::new(view, text), &fields)
}

/// Reads a key's text, and no more of a wrong file than one could have.
fn read(from: impl io::Read) -> io::Result<SecretText> {
    let mut content = Zeroizing::new(String::with_capacity(LONGEST));
    from.take(LONGEST as u64).read_to_string(&mut content)?;
    Ok(SecretText::new(content.trim().to_owned()))
}

fn status(key: &ApiKey, now: UnixTime) -> &'static str {
    match (key.revoked_at, key.expires_at) {
        (Some(_), _) => "revoked",
        (None, Some(expires_at)) if now >= expires_at => "expired",
        _ => "active",
    }
}

fn words(owner: &DeveloperRef, key: KeyId) -> String {
    format!("key `{key}` of the developer `{}` in the environment `{}`", owner.id, owner.environment)
}

/// A key in JSON, with whose it is.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OwnedKey<'a> {
    developer_id: &'a str,
    #[serde(flatten)]
    key: KeyObject<'a>,
    /// What a text that was looked for is to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'static str>,
}

impl<'a> OwnedKey<'a> {
    fn new(view: &'a KeyView, text: Option<FoundText>) -> Self {
        let text = text.map(|text| match text {
            FoundText::Current => "current",
            FoundText::Previous => "previous",
            FoundText::Other => "other",
        });
        Self { developer_id: view.key.developer.id.as_str(), key: KeyObject::of_view(view), text }
    }
}

/// Longest text that is read, in bytes.
const LONGEST: usize = 1_024;
