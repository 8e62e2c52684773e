//! Locks and atomics of what many threads share: the system's, and in a build with `--cfg shuttle` those that take turns
//! as a test wants.

pub(crate) use std::sync::{Arc, PoisonError};

#[cfg(shuttle)]
pub(crate) use shuttle::{
    sync::atomic::{AtomicU64, Ordering},
    sync::{Mutex, MutexGuard, RwLock},
    thread_local,
};
#[cfg(not(shuttle))]
pub(crate) use std::{
    sync::atomic::{AtomicU64, Ordering},
    sync::{Mutex, MutexGuard, RwLock},
    thread_local,
};
