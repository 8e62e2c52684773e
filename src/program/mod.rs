//! What programs over latchbook share: where the store is, and the secrets that lie beside it.

pub mod master_key;
mod open_store;
pub mod private_file;
mod store_url;

pub use open_store::OpenStore;
pub use store_url::{NoStoreUrl, OpenError, StoreUrl};
