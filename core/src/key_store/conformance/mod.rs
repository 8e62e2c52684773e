//! Checks that every store must pass: give them a way to make a fresh one, and run them all.
//!
//! ```
//! use std::sync::Arc;
//! use latchbook_core::key_store::{MemoryStore, conformance};
//!
//! # futures_executor::block_on(async {
//! let fresh = async || Ok(Arc::new(MemoryStore::new()));
//! conformance::run(fresh).await?;
//! conformance::model(fresh, 50).await?;
//! # Ok::<(), conformance::Failure>(())
//! # }).expect("a store that conforms");
//! ```
//!
//! [`run`] goes through every rule, [`model`] plays random lists of operations beside
//! [`MemoryStore`](super::MemoryStore). Run both on the store as a value, and [`run`] behind `Arc<dyn KeyStore>` too.
//! [`Faulty`] fails at any step, to test what uses a store.
//! They need neither a test framework nor a runtime, and ask for many things at once within one task. A bug that is found in one store becomes a check here.

mod audit;
mod bench;
mod beside;
mod commits;
mod copies;
mod faulty;
mod feed;
mod merges;
mod model_test;
mod pages;
mod prune;
pub mod samples;
mod sizes;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bench::Bench;
pub use faulty::{Calls, Faulty, Operation, Trouble};
pub use model_test::model;

use super::{KeyStore, StoreError};
use crate::model::IdError;

/// Runs every check, each on a store of its own that `fresh` makes, empty.
///
/// # Errors
/// [`Failure`] of the first check that a store did not pass.
pub async fn run<S: KeyStore>(fresh: impl AsyncFn() -> Result<S, StoreError>) -> Result<(), Failure> {
    for (name, check) in CHECKS {
        let failed = |what: Problem| Failure { check: name, what: what.0 };
        let store = fresh().await.map_err(Problem::from).map_err(failed)?;
        check(Bench::new(Arc::new(store))).await.map_err(failed)?;
    }
    Ok(())
}

/// A check that a store did not pass.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a store must hold to this: {check}: {what}")]
pub struct Failure {
    /// What was checked.
    pub check: &'static str,
    /// What was found.
    pub what: String,
}

type Check = fn(Bench) -> Pin<Box<dyn Future<Output = Result<(), Problem>>>>;

/// Names each check after its function.
macro_rules! checks {
    ($($room:ident: $($check:ident),+;)+) => {
        const CHECKS: &[(&str, Check)] = &[
            $($((stringify!($check), |bench| Box::pin($room::$check(bench)))),+),+
        ];
    };
}

checks! {
    commits: a_new_store_is_empty, every_kind_is_read_back_as_it_was_written, a_revision_is_the_change_that_wrote,
        a_stale_revision_conflicts, an_insert_of_what_exists_conflicts, an_update_of_what_is_missing_conflicts,
        a_removal_of_what_is_missing_conflicts, a_record_that_should_not_exist_conflicts,
        what_is_expected_alone_is_checked_too, a_lost_change_leaves_nothing_behind, one_of_many_racers_wins,
        a_removed_record_can_be_made_again_with_another_revision, another_owner_finds_nothing,
        a_repeated_change_is_answered_and_not_done, a_repeated_change_is_answered_when_its_expectations_are_gone,
        the_same_change_at_once_is_done_once, an_empty_change_is_remembered, texts_and_sizes_at_their_limits_are_kept;
    pages: every_list_keeps_its_order, every_page_size_gives_the_same_list, the_last_page_says_so,
        insertions_and_removals_between_pages_move_nothing_else, an_update_moves_a_record_in_its_list,
        lists_of_others_do_not_show, the_place_of_a_removed_row_still_works, usage_is_listed_by_day_then_key;
    feed: positions_have_no_gaps, changes_without_announcements_take_no_position, a_lost_change_takes_no_position,
        a_reader_beside_writers_misses_nothing, a_limit_is_kept_and_the_head_is_told;
    audit: events_are_numbered_and_linked_from_the_first, each_developer_has_a_chain_of_its_own,
        concurrent_changes_make_one_unbroken_chain, several_events_of_one_change_keep_their_order,
        a_lost_change_leaves_no_event;
    merges: counts_add_up, last_use_only_rises, a_merge_keeps_the_revision, a_merge_never_conflicts,
        several_merges_of_one_change_all_count, counts_stop_at_the_largest_number,
        counts_of_many_keys_and_days_add_up_from_many_at_once;
    prune: only_what_has_ended_goes, a_step_is_bounded_and_says_whether_there_is_more, the_instant_never_goes_back,
        the_instant_goes_back_where_a_set_says_so,
        positions_stay_after_a_prune, ids_are_kept_for_a_day, ended_idempotency_keys_leave_their_list;
    copies: a_copy_holds_everything, a_copy_goes_on_where_the_first_left_off, a_step_of_loading_can_be_repeated,
        a_loaded_row_replaces_one_that_is_there;
    beside: a_reader_at_any_cursor_misses_no_later_commit, a_list_is_read_whole_while_others_insert_and_remove,
        records_are_read_together_as_of_one_instant, a_reader_beside_a_prune_misses_nothing_that_still_holds;
    sizes: lists_of_the_longest_ids_are_paged_through, announcements_and_events_at_their_limits_are_kept,
        a_change_of_a_thousand_records_is_done_whole;
}

/// What a check found wrong.
struct Problem(String);

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self(format!("the store failed: {error}"))
    }
}

impl From<IdError> for Problem {
    fn from(error: IdError) -> Self {
        Self(format!("a sample is wrong: {error}"))
    }
}

impl From<fmt::Arguments<'_>> for Problem {
    fn from(text: fmt::Arguments<'_>) -> Self {
        Self(text.to_string())
    }
}

/// Demands that two values are equal.
macro_rules! same {
    ($found:expr, $want:expr) => {
        same!($found, $want, "")
    };
    ($found:expr, $want:expr, $($text:tt)+) => {{
        let (found, want) = (&$found, &$want);
        if found != want {
            return Err(Problem::from(format_args!(
                "{} {}: found {found:?}, want {want:?}", stringify!($found), format_args!($($text)+)
            )));
        }
    }};
}

/// Demands that an answer is a conflict.
macro_rules! conflict {
    ($answer:expr) => {
        match $answer {
            Err(crate::key_store::StoreError::Conflict) => {}
            other => {
                return Err(Problem::from(format_args!("{}: found {other:?}, want a conflict", stringify!($answer))))
            }
        }
    };
}

use {conflict, same};
