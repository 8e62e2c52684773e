//! Tokens as requests bring them: picked uniformly, and copied into memory that was just written.
//!
//! A token that a request shows was just read from a socket, so it is in the processor's cache whatever the number of
//! live tokens. What is remembered of it is not.

use std::rc::Rc;

use latchbook::Authority;

use crate::harness::Prepared;
use crate::picks::Picks;
use crate::world::authenticate;

const CHUNK: usize = 64;

/// Tokens, and those of them that are shown next.
pub struct Shown {
    tokens: Rc<Vec<String>>,
    picks: Picks,
    next: Vec<String>,
}

/// Shows tokens that `authority` has seen to it, and asserts that it has.
pub fn seen_before(
    authority: Authority,
    tokens: Rc<Vec<String>>,
) -> Prepared<Shown, impl FnMut(&mut Shown), impl FnMut(&mut Shown, usize)> {
    for token in tokens.iter() {
        authenticate(&authority, token).expect("a good token");
    }
    let before = authority.statistics();
    for token in tokens.iter() {
        authenticate(&authority, token).expect("a good token");
    }
    let recognised = authority.statistics().recognised - before.recognised;
    assert_eq!(recognised, tokens.len() as u64, "every token is remembered");
    Prepared {
        state: Shown { tokens, picks: Picks::new(42), next: vec![String::new(); CHUNK] },
        chunk: CHUNK,
        prepare: |shown: &mut Shown| {
            for next in &mut shown.next {
                next.clone_from(&shown.tokens[shown.picks.below(shown.tokens.len())]);
            }
        },
        operation: move |shown: &mut Shown, number: usize| {
            assert!(authenticate(&authority, &shown.next[number]).is_ok());
        },
    }
}
