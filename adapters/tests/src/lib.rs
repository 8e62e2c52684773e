//! The tests that every adapter for a web framework plays: written once, and asked of each framework by itself.
//!
//! An adapter sets the [`stage`] up, in process and on a socket, and lists the tests by [`play_everywhere`],
//! [`play_in_process`] and [`play_over_sockets`].

#![allow(
    missing_docs,
    missing_debug_implementations,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod answer;
pub mod contract;
pub mod examples;
pub mod extract;
pub mod layer;
mod log;
pub mod oauth;
mod raw;
pub mod recipes_http;
pub mod recipes_tokens;
pub mod request_id;
pub mod routes;
mod signing;
pub mod stage;
pub mod threats;
mod vectors;
mod world;

pub use answer::{Answer, assert_endpoint_refused, assert_oauth_refused, assert_refused};
pub use log::Log;
pub use raw::Raw;
pub use stage::{Open, Runs, Stage};
pub use world::{EVERY_SCOPE, Holder, ISSUER, LIVE, SANDBOX, TestClock, World, scopes};

/// Runs one of the tests to its end, on a thread that a framework may use for itself alone.
pub fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, test);
}

/// Lists tests: `play! { open => room::{test, …} … }`.
#[macro_export]
macro_rules! play {
    ($open:expr => $($room:ident::{$($name:ident),+ $(,)?})+) => {
        $($(
            #[test]
            fn $name() {
                $crate::run($crate::$room::$name($open));
            }
        )+)+
    };
}

/// The tests that ask the same in process and over a socket.
#[macro_export]
macro_rules! play_everywhere {
    ($open:expr) => {
        $crate::play! { $open =>
            extract::{
                h1_no_credential_is_refused_everywhere_but_where_it_may_be_missing,
                a_developer_token_is_let_in_with_what_it_holds,
                e21_an_entity_token_is_let_in_where_either_kind_is_and_nowhere_else,
                e11_a_token_of_another_environment_is_refused_by_the_route,
                an_entity_context_checks_credential_environment_scope_and_entity_in_this_order,
                separate_extractors_answer_in_the_order_of_arguments,
                an_extractor_that_waits_answers_before_those_after_it,
                l1_extractors_clone_and_print_without_the_token,
            }
            layer::{
                h15_nothing_behind_the_guard_runs_without_a_token,
                guarded_routes_leave_unknown_paths_at_404_and_other_routes_open,
                tokens_of_either_kind_pass_and_nothing_is_passed_on_in_extensions,
                the_guard_serves_the_home_environment_unless_it_says_otherwise,
                a_revoked_token_stops_passing_at_once,
                the_hosts_realm_and_style_are_on_every_refusal,
            }
            oauth::{
                the_whole_way_of_a_client_that_has_never_heard_of_us,
                h3_h5_h7_a_client_shows_itself_in_one_field_however_that_is_written,
                h8_h10_h16_k6_credentials_and_tokens_are_read_nowhere_else,
            }
            request_id::{
                h12_refusals_show_the_id_in_the_field_that_the_host_named_and_nothing_else,
            }
            routes::{
                every_endpoint_of_the_contract_is_mounted,
                h14_other_methods_get_405_with_allow_and_a_problem,
                the_whole_way_from_a_key_to_a_guarded_answer,
                e17_a_parameter_is_decoded_once_and_names_nothing_where_it_is_no_id,
                h18_the_contracts_paths_are_answered_as_they_are_spelled_alone,
                sandbox_routes_are_there_only_where_the_host_opens_them,
                k4_a_body_beyond_the_limit_is_refused,
            }
        }
    };
}

/// The tests that name the caller's address themselves.
#[macro_export]
macro_rules! play_in_process {
    ($open:expr) => {
        $crate::play! { $open => extract::{the_callers_address_is_the_sockets} }
    };
}

/// The tests that send what only a socket takes.
#[macro_export]
macro_rules! play_over_sockets {
    ($open:expr) => {
        $crate::play! { $open =>
            oauth::{
                h14_k4_other_methods_media_types_and_lengths_have_the_form_of_oauth,
                k7_refused_clients_are_limited_by_the_sockets_address,
            }
            recipes_http::{
                every_recipe_gets_the_status_the_code_and_the_challenge_that_it_asks_for,
                e2_an_entity_out_of_reach_and_one_that_is_not_there_get_the_same_bytes,
                k1_k2_k3_e12_every_failed_exchange_gets_the_same_bytes,
            }
            recipes_tokens::{
                hostile_tokens_are_refused_alike_by_verifier_and_route_under_ed25519,
                hostile_tokens_are_refused_alike_by_verifier_and_route_under_es256,
                hostile_tokens_are_refused_alike_by_verifier_and_route_under_rs256,
            }
            routes::{
                h15_head_is_answered_like_get_without_the_body,
                k4_a_chunked_body_beyond_the_limit_is_refused,
            }
            threats::{
                a7_nobody_is_called_for_a_key,
                e4_e10_h16_an_entity_outside_the_query_is_not_read,
                h16_an_address_is_the_sockets_whatever_the_fields_say,
                h18_no_spelling_of_a_path_leads_around_the_guard,
                k6_l2_a_key_or_token_in_a_url_is_neither_read_nor_logged,
                k7_wrong_keys_are_limited_by_the_sockets_address_and_lock_nobody_out,
            }
        }
    };
}
