//! The arguments; none of them is a secret.

use std::path::PathBuf;

use clap::{Args as Options, Parser, Subcommand};
use ipnet::IpNet;
use latchbook::EnvironmentName;
use latchbook::check::Brand;
use latchbook::model::{AuditAction, Day, DeveloperId, EntityId, KeyId, ScopeSet, UnixTime};

use crate::values;

/// The operator's command of latchbook: developers, keys, entities, audit, usage, stores.
///
/// The master key comes from LATCHBOOK_MASTER_KEY_FILE or LATCHBOOK_MASTER_KEY, else from `master.key` beside the store (for
/// PostgreSQL: `ledger-data/master.key`). PostgreSQL's password comes from PGPASSWORD.
///
/// Exit codes: 0 done, 1 a failure of the store or a file, 2 wrong arguments, 3 refused, 4 not found.
#[derive(Debug, Parser)]
#[command(name = "latchbook", version)]
pub(crate) struct Args {
    #[command(flatten, next_help_heading = "Of every command")]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Options)]
pub(crate) struct Global {
    /// The store: `redb:PATH`, `sqlite:PATH` or `postgres://USER@HOST/DATABASE` [env: LATCHBOOK_STORE] [default:
    /// redb:ledger-data/auth.redb].
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) store: Option<String>,
    /// The environment.
    #[arg(long, global = true, value_name = "NAME", default_value = "live", value_parser = EnvironmentName::parse)]
    pub(crate) environment: EnvironmentName,
    /// The issuer URL. A store that is set up remembers its own; with this a new one is set up.
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) issuer: Option<String>,
    /// Answer in JSON: one value, or a list with one value a line.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// How long the store may take for one read or change.
    #[arg(long, global = true, value_name = "MILLISECONDS", default_value_t = 10_000)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=600_000))]
    pub(crate) store_timeout: u64,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Developers, who hold keys.
    #[command(subcommand)]
    Developer(Developer),
    /// API keys.
    #[command(subcommand)]
    Key(Key),
    /// Entities, whose data it is.
    #[command(subcommand)]
    Entity(Entity),
    /// Audit chains.
    #[command(subcommand)]
    Audit(Audit),
    /// How often a developer's keys were used, by day and key.
    Usage(Usage),
    /// The store as a whole: brought up to date, copied, checked, pruned, backed up.
    #[command(subcommand)]
    Store(Store),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Developer {
    /// Makes a developer.
    Create {
        /// Its id: 1 to 128 characters of `0-9A-Za-z._~-`.
        #[arg(value_parser = DeveloperId::parse)]
        id: DeveloperId,
        /// Its name, for people; the id unless said.
        #[arg(long)]
        name: Option<String>,
    },
    /// Lists the environment's developers, by id.
    List,
    /// Shows a developer.
    Show {
        /// The developer's id.
        #[arg(value_parser = DeveloperId::parse)]
        id: DeveloperId,
    },
    /// Suspends a developer: its keys and tokens are refused until it is resumed; its tokens for good.
    Suspend {
        /// The developer's id.
        #[arg(value_parser = DeveloperId::parse)]
        id: DeveloperId,
    },
    /// Resumes a suspended developer: its keys work again.
    Resume {
        /// The developer's id.
        #[arg(value_parser = DeveloperId::parse)]
        id: DeveloperId,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Makes keys, and shows their texts this once.
    Create(CreateKey),
    /// Lists a developer's keys, newest first.
    List {
        /// The developer's id.
        #[arg(value_parser = DeveloperId::parse)]
        developer: DeveloperId,
    },
    /// Shows a key, without its text.
    Show {
        /// The developer's id.
        #[arg(value_parser = DeveloperId::parse)]
        developer: DeveloperId,
        /// The key's id: the third part of its text.
        #[arg(value_parser = KeyId::parse)]
        key: KeyId,
    },
    /// Revokes keys: they are refused at once, and their tokens within each server's `--max-staleness`.
    Revoke {
        /// The developer's id.
        #[arg(value_parser = DeveloperId::parse)]
        developer: DeveloperId,
        /// The keys' ids.
        #[arg(required = true, value_name = "KEY", value_parser = KeyId::parse)]
        keys: Vec<KeyId>,
    },
    /// Says whose key a text is. The text comes from standard input, unless --file names a file.
    Find {
        /// A file that holds the key's text.
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
}

#[derive(Debug, Options)]
pub(crate) struct CreateKey {
    /// The developer's id.
    #[arg(value_parser = DeveloperId::parse)]
    pub(crate) developer: DeveloperId,
    /// What the key may do: scopes separated by spaces or commas; `ledger:*` is every scope of the resource.
    #[arg(long, value_parser = values::scopes)]
    pub(crate) scopes: ScopeSet,
    /// The scopes that your server declares, beside latchbook's own; a store does not know them.
    #[arg(long, value_name = "SCOPES", env = "LATCHBOOK_SCOPES", value_parser = values::scopes, default_value = "")]
    pub(crate) host_scopes: ScopeSet,
    /// A name, for people.
    #[arg(long, default_value = "made by the operator")]
    pub(crate) name: String,
    /// How many keys to make.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: u64,
    /// From when on the key is over.
    #[arg(long, value_name = "INSTANT", value_parser = values::instant)]
    pub(crate) expires_at: Option<UnixTime>,
    /// An address or range that its caller must come from; may be repeated.
    #[arg(long, value_name = "RANGE", value_parser = values::range)]
    pub(crate) allowed_ip: Vec<IpNet>,
    /// The first part of the key's text: the brand that your server was built with.
    #[arg(long, default_value = "lb", value_parser = Brand::parse)]
    pub(crate) brand: Brand,
    /// Writes the texts into a new file that you alone can read, one a line, in place of standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Entity {
    /// Makes an entity of a developer.
    Create {
        /// The developer's id.
        #[arg(value_parser = DeveloperId::parse)]
        developer: DeveloperId,
        /// Its legal name.
        #[arg(long)]
        legal_name: String,
        /// Its id; a random one unless said.
        #[arg(long, value_parser = EntityId::parse)]
        id: Option<EntityId>,
    },
    /// Lists a developer's entities, newest first.
    List {
        /// The developer's id.
        #[arg(value_parser = DeveloperId::parse)]
        developer: DeveloperId,
    },
    /// Removes an entity: nothing reaches it any more, and its tokens are refused.
    Remove {
        /// The developer's id.
        #[arg(value_parser = DeveloperId::parse)]
        developer: DeveloperId,
        /// The entity's id.
        #[arg(value_parser = EntityId::parse)]
        entity: EntityId,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Lists events, newest first: a developer's, or those of the environment's own chain.
    Query {
        /// The developer's id.
        #[arg(value_parser = DeveloperId::parse)]
        developer: Option<DeveloperId>,
        /// How many at most.
        #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
        limit: u64,
        /// Only this action, such as `key.created`.
        #[arg(long, value_parser = values::action)]
        action: Option<AuditAction>,
        /// Only from this instant on.
        #[arg(long, value_name = "INSTANT", value_parser = values::instant)]
        since: Option<UnixTime>,
    },
    /// Checks every link and checkpoint: of a developer's chain, or of all chains of the environment.
    Verify {
        /// The developer's id.
        #[arg(value_parser = DeveloperId::parse)]
        developer: Option<DeveloperId>,
        /// A file with the last checkpoint of this chain that was kept elsewhere, which shows a tail that was cut off.
        #[arg(long, value_name = "FILE", requires = "developer")]
        checkpoint: Option<PathBuf>,
    },
}

#[derive(Debug, Options)]
pub(crate) struct Usage {
    /// The developer's id.
    #[arg(value_parser = DeveloperId::parse)]
    pub(crate) developer: DeveloperId,
    /// The first day, UTC; 29 days before the last one unless said.
    #[arg(long, value_name = "DATE", value_parser = values::day)]
    pub(crate) from: Option<Day>,
    /// The last day, UTC; today unless said.
    #[arg(long, value_name = "DATE", value_parser = values::day)]
    pub(crate) to: Option<Day>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Store {
    /// Brings the store's tables to this version, and says what the store is.
    Migrate,
    /// Copies the store into another, which is empty or holds a part of the same copy. What servers change after it began is
    /// not in the copy: stop them first.
    Copy(Copy),
    /// Checks every invariant that can be seen, and every audit chain.
    Check,
    /// Copies the store as it is at this instant into a new one, while the servers go on.
    Backup {
        /// The new store: a URL as --store takes it.
        #[arg(env = "LATCHBOOK_TARGET", hide_env_values = true)]
        target: String,
    },
    /// Removes what has ended, as the servers do every minute.
    Prune,
    /// Says that an older copy of the store was put back: every token that was made before is refused from now on. Stop
    /// the servers first.
    Restored {
        /// Lists each key, developer and entity that is live: one may have been ended after the copy was made.
        #[arg(long)]
        list: bool,
    },
}

#[derive(Debug, Options)]
pub(crate) struct Copy {
    /// The store to copy into: a URL as --store takes it.
    #[arg(env = "LATCHBOOK_TARGET", hide_env_values = true)]
    pub(crate) target: String,
    /// Keeps in this file how far the copy is, and goes on from there if it is there; removed when the copy is done.
    #[arg(long, value_name = "FILE")]
    pub(crate) resume: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Args::command().debug_assert();
    }
}
