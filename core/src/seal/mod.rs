//! What the master key is for: secrets sealed for the store, and digests of secrets.

mod master_key;
mod pepper;
mod vault;

pub use master_key::{MasterKey, MasterKeyError, Place};
pub use pepper::KeyPepper;
pub use vault::{SealError, SealPurpose, Vault};
