//! Every decision of the library as a pure function: what it reads, the time included, comes as arguments.

mod access_token;
mod address;
mod api_key;
mod chain;
mod entity;
mod exchange;
mod grant;
mod key_text;
mod limit;
mod revocation;
mod token_exchange;
mod token_use;
mod turnover;

#[cfg(test)]
mod laws;
#[cfg(test)]
pub(crate) mod samples;

pub(crate) use access_token::Holder;
pub use access_token::{Expected, VerifiedToken, check_identity};
pub use api_key::{PresentedKey, VerifiedKey, check_api_key};
pub use chain::{AuditReport, ChainCheck, ChainProof, KeptCheckpoint};
pub use entity::{EntityRule, check_entity};
pub use exchange::{Minting, TokenPolicy, TokenRequest, check_exchange};
pub use grant::{Maker, NewKey, check_new_key};
pub use key_text::{Brand, BrandError, KeyTextParts, key_hint, parse_key_text, print_key_text};
pub use limit::{Limit, LimitTable, address_key};
pub use revocation::Revocations;
pub use token_exchange::{Line, check_token_exchange};
pub use token_use::{TokenUse, check_active, check_use};
pub use turnover::{TurnoverPolicy, TurnoverStep, check_turnover};
