//! `key create`.

use latchbook::authority::CreatedKey;
use latchbook::check::{NewKey, key_hint};
use latchbook::http::objects::KeyObject;
use latchbook::model::{Metadata, ScopeSet};
use serde::Serialize;

use super::{Desk, HERE, OPERATOR, developer_words, note};
use crate::args::CreateKey;
use crate::failure::Failure;
use crate::key_file::KeyFile;
use crate::progress::Progress;

pub(super) async fn run(desk: &Desk, command: &CreateKey) -> Result<(), Failure> {
    check_scopes(desk, &command.scopes)?;
    let owner = desk.developer(&command.developer);
    let words = developer_words(&owner);
    let known = desk.authority.developers().get(&owner).await;
    known.map_err(|refusal| Failure::of(refusal, &words))?;
    let new = NewKey {
        name: command.name.clone(),
        scopes: command.scopes.clone(),
        expires_at: command.expires_at,
        allowed_ips: command.allowed_ip.clone(),
        metadata: Metadata::default(),
    };
    // Before any key is made: a text that cannot be put anywhere is lost.
    let mut file = command.out.as_deref().map(KeyFile::make).transpose()?;
    let mut progress = Progress::beside_lines();
    let mut made = 0;
    while made < command.count {
        let created = desk.authority.keys().create(&OPERATOR, HERE, &owner, &new).await;
        let shown = match created {
            Ok(created) => show(desk, &created, file.as_mut()).map_err(|failure| lost(&failure, &created)),
            Err(refusal) => Err(Failure::of(refusal, &words)),
        };
        if let Err(failure) = shown {
            drop(progress);
            if made > 0 {
                note(format!("made {made} of {} keys before it failed; those work", command.count));
            }
            return Err(failure);
        }
        made += 1;
        progress.show("making keys", made, Some(command.count));
    }
    drop(progress);
    if !desk.output.json {
        let texts = match &command.out {
            Some(path) => format!("the texts are in `{}`", path.display()),
            None => "a text is shown this once".to_owned(),
        };
        note(format!("made {made} {} of the {words}; {texts}", if made == 1 { "key" } else { "keys" }));
    }
    Ok(())
}

/// Refuses a scope that nobody declared, by its name.
fn check_scopes(desk: &Desk, scopes: &ScopeSet) -> Result<(), Failure> {
    if scopes.is_empty() {
        return Err(Failure::usage("--scopes names no scope; a key needs at least one"));
    }
    let is_known = |token: &str| {
        let alone = scopes.filtered(|other| *other == token);
        desk.authority.scopes().grant(alone).is_ok()
    };
    match scopes.iter().find(|token| !is_known(token)) {
        None => Ok(()),
        Some(unknown) => Err(Failure::refused(format!(
            "the scope `{unknown}` is none of latchbook's own, nor named in --host-scopes or LATCHBOOK_SCOPES; \
             name there what your server declares"
        ))),
    }
}

/// Shows a key's text, here or in the file, and nowhere else.
fn show(desk: &Desk, created: &CreatedKey, file: Option<&mut KeyFile>) -> Result<(), Failure> {
    let in_file = file.is_some();
    if let Some(file) = file {
        file.put(&created.text)?;
    }
    let text = created.text.expose();
    if desk.output.json {
        desk.output.value(&CreatedObject {
            developer_id: created.key.developer.id.as_str(),
            key: KeyObject::new(&created.key, None),
            api_key: (!in_file).then_some(text),
        })
    } else if in_file {
        desk.output.line(&key_hint(&created.key))
    } else {
        desk.output.line(text)
    }
}

fn lost(failure: &Failure, created: &CreatedKey) -> Failure {
    let (id, developer) = (created.key.id, &created.key.developer.id);
    Failure::failed(format!(
        "{failure}; the key `{id}` was made and could not be shown: revoke it with `latchbook key revoke {developer} {id}`"
    ))
}

/// A key in JSON, with its text where this is the place to show it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CreatedObject<'a> {
    developer_id: &'a str,
    #[serde(flatten)]
    key: KeyObject<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key: Option<&'a str>,
}
