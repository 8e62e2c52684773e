//! What writers do in a process that is killed under them, and what must be found afterwards. Shared by every store.
#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

mod found;
mod process;
mod work;

pub use found::Tally;
pub use process::{Process, cycles, moment, told};
pub use work::{BlockOn, write_until_told};
