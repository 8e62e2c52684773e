//! The first developer, with a key of every scope and two entities, from a file that outlives any crash of the start.
//!
//! The file is on the disk before anything of it is stored, and the key is stored last: whoever finds the key stored
//! knows that the rest was, and that whatever is gone by now was removed on purpose.

use std::io::{self, Write as _};
use std::path::Path;

use latchbook::authority::NewEntity;
use latchbook::check::{Brand, NewKey, parse_key_text};
use latchbook::model::{DeveloperId, EntityId, KeyId, Metadata, Rejection, SecretText};
use latchbook::program::private_file;
use latchbook::random::{SystemRandom, base62};
use latchbook::{Actor, Authority, DeveloperRef, EnvironmentName, Refusal, Source};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::start::StartError;

/// The legal names of the entities that a new file gets.
const ENTITIES: [&str; 2] = ["First entity", "Second entity"];

/// What the file says.
#[derive(Debug)]
pub(crate) struct Bootstrap {
    developer: DeveloperRef,
    key: KeyId,
    api_key: SecretText,
    entities: Vec<EntityId>,
}

/// The file's JSON.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Form<'a> {
    environment: &'a str,
    developer: &'a str,
    api_key: &'a str,
    #[serde(borrow)]
    entities: Vec<&'a str>,
}

impl Bootstrap {
    /// What the file at `path` says, if it is there and can be used where `environments` are mounted.
    pub(crate) fn read(path: &Path, environments: &[EnvironmentName]) -> Result<Option<Self>, StartError> {
        let content = private_file::read(path).map_err(|error| {
            let advice = "let this user alone read it (`chmod 600`), or name another file";
            unusable(path, format!("cannot be read: {error}; {advice}"))
        })?;
        let Some(content) = content else {
            let folder = private_file::folder(path);
            return if folder.is_dir() || !folder.exists() {
                Ok(None)
            } else {
                Err(unusable(path, "cannot be made: its folder is a file; name another one"))
            };
        };
        let read = Self::parse(&content).map_err(|what| {
            unusable(path, format!("is damaged: {what}; restore it, or move it away to have a new one made"))
        })?;
        if environments.contains(&read.developer.environment) {
            return Ok(Some(read));
        }
        let environment = read.developer.environment;
        let advice = "which is not served here; add it to --environments, or name another file";
        Err(unusable(path, format!("is for the environment `{environment}`, {advice}")))
    }

    /// Draws the developer, the key and the entities, and puts them into the file at `path`, then reads what is there.
    pub(crate) fn draw(path: &Path, authority: &Authority, environment: EnvironmentName) -> Result<Self, StartError> {
        let drawn = |kind: &str| Ok(format!("{kind}_{}", *base62(&SystemRandom::new(), 16)?));
        let failed = |error: Refusal| unusable(path, format!("cannot be made: {error}"));
        let developer = drawn("developer").map_err(failed)?;
        let entities = ENTITIES.iter().map(|_| drawn("entity")).collect::<Result<Vec<_>, _>>().map_err(failed)?;
        let api_key = authority.keys().draw(environment).map_err(failed)?;
        let form = Form {
            environment: environment.as_str(),
            developer: &developer,
            api_key: api_key.expose(),
            entities: entities.iter().map(String::as_str).collect(),
        };
        // Sized for all of it, so that growing leaves no part of the key behind in freed memory.
        let mut content = Zeroizing::new(Vec::with_capacity(1024));
        let printed = serde_json::to_writer_pretty(&mut *content, &form).map_err(io::Error::from);
        let made = printed.and_then(|()| content.write_all(b"\n")).and_then(|()| private_file::make(path, &content));
        made.map_err(|error| unusable(path, format!("cannot be made: {error}; name one in a writable folder")))?;
        let _ = writeln!(
            io::stderr(),
            "wrote the key of a first developer of `{environment}` into {}: whoever reads that file may do everything there",
            path.display()
        );
        // Another process may have been faster: what is in the file counts.
        Self::read(path, &[environment])?.ok_or_else(|| unusable(path, "is gone again; start anew"))
    }

    /// Makes in the store what the file says and the store does not have yet.
    pub(crate) async fn carry_out(&self, path: &Path, authority: &Authority) -> Result<(), StartError> {
        let carried = self.make(authority).await;
        carried.map_err(|refusal| match refusal {
            Refusal::Rejected(Rejection::Conflict) => {
                unusable(path, "holds another key than the store under the same id; restore it, or use another store")
            }
            refusal => unusable(path, format!("is not carried out yet: {refusal}; start again to complete it")),
        })
    }

    async fn make(&self, authority: &Authority) -> Result<(), Refusal> {
        let (host, source, developer) = (Actor::Host, Source::UNKNOWN, &self.developer);
        let stored = match authority.keys().get(developer, self.key).await {
            Ok(view) => Some(view.key),
            Err(Refusal::Rejected(Rejection::NotFound)) => None,
            Err(refusal) => return Err(refusal),
        };
        if stored.is_none() {
            unless_there(authority.developers().create(&host, source, developer, "First developer").await)?;
            for (place, id) in self.entities.iter().enumerate() {
                let legal_name = ENTITIES.get(place).copied().unwrap_or("Another entity").to_owned();
                let new = NewEntity { id: Some(id.clone()), legal_name };
                unless_there(authority.entities().create(&host, source, developer, &new).await)?;
            }
        }
        let new = NewKey {
            name: "First key".to_owned(),
            scopes: authority.scopes().everything().tokens().clone(),
            expires_at: None,
            allowed_ips: Vec::new(),
            metadata: Metadata::default(),
        };
        match authority.keys().import(&host, source, developer, &self.api_key, &new).await {
            // Rotated since: the text in the file is over, and must not come back.
            Err(Refusal::Rejected(Rejection::Conflict)) if stored.is_some_and(|key| key.current.generation > 1) => {
                Ok(())
            }
            imported => imported.map(drop),
        }
    }

    /// What is wrong with the file is said without showing any of it.
    fn parse(content: &[u8]) -> Result<Self, String> {
        let form: Form<'_> = serde_json::from_slice(content).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            format!("it is no JSON with environment, developer, apiKey and entities (line {line}, column {column})")
        })?;
        let environment = EnvironmentName::parse(form.environment).map_err(|_| "its environment is none")?;
        let id = DeveloperId::parse(form.developer).map_err(|_| "its developer is no id")?;
        let entities = form.entities.iter().map(|id| EntityId::parse(id)).collect::<Result<_, _>>();
        let entities = entities.map_err(|_| "one of its entities is no id")?;
        let parts = parse_key_text(form.api_key).map_err(|_| "its apiKey is no key")?;
        if parts.brand != Brand::default().as_str() || parts.environment != environment {
            return Err("its apiKey is of another environment or program".to_owned());
        }
        let developer = DeveloperRef { environment, id };
        Ok(Self { developer, key: parts.id, api_key: SecretText::new(form.api_key.to_owned()), entities })
    }
}

fn unless_there<T>(created: Result<T, Refusal>) -> Result<(), Refusal> {
    match created {
        Ok(_) | Err(Refusal::Rejected(Rejection::Conflict)) => Ok(()),
        Err(refusal) => Err(refusal),
    }
}

fn unusable(path: &Path, what: impl std::fmt::Display) -> StartError {
    StartError::new(format!("the bootstrap file `{}` {what}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "lb_live_0123456789abcdEF_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA0V6vms";

    #[test]
    fn a_file_is_read_whole_or_refused_without_showing_its_key() {
        let good =
            format!(r#"{{"environment": "live", "developer": "acme", "apiKey": "{KEY}", "entities": ["a", "b"]}}"#);
        let read = Bootstrap::parse(good.as_bytes()).unwrap();
        assert_eq!(read.developer.to_string(), "live/acme");
        assert_eq!((read.api_key.expose(), read.key.as_str(), read.entities.len()), (KEY, "0123456789abcdEF", 2));
        for (part, spoilt) in [
            ("live\", \"d", "sandbox\", \"d"),
            ("live\", \"d", "Live\", \"d"),
            ("acme", "a/b"),
            ("\"b\"", "\"\""),
            ("\"b\"", "2"),
            ("0V6vms", "0V6vmt"),
            ("lb_", "bl_"),
            ("\"entities\"", "\"more\": 1, \"entities\""),
            ("\"environment\": \"live\",", ""),
            ("}", ""),
            ("}", "} {}"),
            ("\"developer\": \"acme\"", "\"developer\": [\"lb_live\"]"),
            ("[\"a\", \"b\"]", KEY),
            ("[\"a\", \"b\"]", "\"lb_live\""),
        ] {
            let text = good.replacen(part, spoilt, 1);
            assert_ne!(text, good, "{part}");
            let what = Bootstrap::parse(text.as_bytes()).expect_err(spoilt);
            assert!(!what.contains("lb_live") && !what.contains('\n'), "{what}");
        }
    }
}
