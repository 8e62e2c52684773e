//! The commands, one file for each noun.

mod audit;
mod developer;
mod entity;
mod key;
mod key_create;
mod store;
mod store_backup;
mod store_copy;
mod usage;

use std::fmt::Display;
use std::io::{self, Write as _};

use latchbook::model::{DeveloperId, UnixTime};
use latchbook::program::OpenStore;
use latchbook::{Actor, Authority, DeveloperRef, EnvironmentName, Source};

use crate::args::{Args, Command, Global, Key, Store};
use crate::failure::Failure;
use crate::open::{self, Host};
use crate::output::Output;

/// What a command works with.
#[derive(Debug)]
struct Desk {
    store: OpenStore,
    authority: Authority,
    environment: EnvironmentName,
    output: Output,
}

/// Who changes things here, in audit events.
const OPERATOR: Actor<'static> = Actor::Host;
/// Where from.
const HERE: Source = Source::UNKNOWN;
/// How much of a list is read at once.
const PAGE: usize = 100;

/// Does what the arguments say.
pub(crate) async fn run(args: &Args) -> Result<(), Failure> {
    let (global, command) = (&args.global, &args.command);
    let desk = match command {
        // These need no master key.
        Command::Store(Store::Migrate) => return store::migrate(global).await,
        Command::Store(Store::Copy(command)) => return store_copy::run(global, command).await,
        Command::Store(Store::Backup { target }) => return store_backup::run(global, target).await,
        Command::Store(_) => Desk::of_whole_store(global).await?,
        Command::Key(Key::Create(command)) => {
            let host = Host { scopes: command.host_scopes.clone(), brand: command.brand.clone() };
            Desk::open(global, host).await?
        }
        _ => Desk::open(global, Host::default()).await?,
    };
    let done = match command {
        Command::Developer(command) => developer::run(&desk, command).await,
        Command::Key(command) => key::run(&desk, command).await,
        Command::Entity(command) => entity::run(&desk, command).await,
        Command::Audit(command) => audit::run(&desk, command).await,
        Command::Usage(command) => usage::run(&desk, command).await,
        Command::Store(command) => store::run(&desk, global, command).await,
    };
    desk.leave(done).await
}

impl Desk {
    /// A desk for work in the environment that the arguments name.
    async fn open(global: &Global, host: Host) -> Result<Self, Failure> {
        let desk = Self::with(global, host).await?;
        let held = desk.authority.environments();
        if held.contains(&desk.environment) {
            return Ok(desk);
        }
        let names: Vec<_> = held.iter().map(EnvironmentName::as_str).collect();
        let (asked, held) = (desk.environment, names.join(", "));
        Err(Failure::not_found(format!("there is no environment `{asked}` in this store; it holds {held}")))
    }

    /// A desk for work on all of the store, whatever its environments are.
    async fn of_whole_store(global: &Global) -> Result<Self, Failure> {
        Self::with(global, Host::default()).await
    }

    async fn with(global: &Global, host: Host) -> Result<Self, Failure> {
        let (store, authority) = open::authority(global, host).await?;
        Ok(Self { store, authority, environment: global.environment, output: Output { json: global.json } })
    }

    /// Writes the checkpoints of the chains that were written to. What was done is done without them as well.
    async fn leave(&self, done: Result<(), Failure>) -> Result<(), Failure> {
        let flushed = self.authority.shutdown().await;
        if let (Ok(()), Err(refusal)) = (&done, flushed) {
            note(format!("it is done; the checkpoint of its audit chain comes with the next change, since {refusal}"));
        }
        done
    }

    fn developer(&self, id: &DeveloperId) -> DeveloperRef {
        DeveloperRef { environment: self.environment, id: id.clone() }
    }
}

/// A developer in words.
fn developer_words(developer: &DeveloperRef) -> String {
    format!("developer `{}` in the environment `{}`", developer.id, developer.environment)
}

/// An instant for people; `-` for none.
fn shown(at: Option<UnixTime>) -> String {
    at.map_or_else(|| "-".to_owned(), latchbook::http::instant::print)
}

/// Says on standard error what was done, where standard output is for what was made.
fn note(text: impl Display) {
    let _ = writeln!(io::stderr(), "latchbook: {text}");
}
