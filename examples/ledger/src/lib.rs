//! A small ledger API guarded by latchbook: everything that does not depend on a web framework.

pub mod api;
pub mod args;
mod bootstrap;
pub mod certificate;
pub mod instant;
pub mod money;
pub mod openapi;
pub mod posted;
pub mod program;
pub mod request;
pub mod signals;
pub mod start;

latchbook::scopes! {
    /// The ledger's scopes.
    pub mod scopes {
        /// Read accounts, transactions and balances.
        LedgerRead = "ledger:read";
        /// Post transactions.
        LedgerWrite = "ledger:write";
    }
}
