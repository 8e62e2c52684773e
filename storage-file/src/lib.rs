//! What stores in one file share: the file, made and watched, and the threads that work on it.

mod file;
mod worker;

pub use file::{
    Identity, StoreFile, beside, damaged, foreign, identity, make_whole, missing, read_only, unmade, unreadable,
};
pub use worker::{Batches, Reply, Worker};
