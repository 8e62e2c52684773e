//! What random lists of operations consist of.

use std::ops::Range;

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any};
use proptest::prop_oneof;
use proptest::sample::select;

use super::pool::{IDS, KINDS, LISTS, Look, OWNERS, Slot};
use crate::model::UnixTime;

/// One operation.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// A change with an id of its own.
    Change(Change),
    /// The change made so many changes ago, word for word.
    Again(usize),
    /// Another change under the id of the one made so many changes ago.
    Under(usize, Change),
    /// Pruning, in steps until nothing is left.
    Prune { before: UnixTime, limit: usize },
    /// Records read together.
    Get(Vec<Slot>),
    /// A list read to its end.
    Page { list: u8, limit: usize },
    /// A stretch of the feed.
    Feed { after: u64, limit: usize },
    /// Everything, in steps.
    Scan { limit: usize },
    /// Everything copied into a new store, which is used from then on.
    Copy { limit: usize },
}

/// What a change set is made from, once it is known what is there.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) at: UnixTime,
    pub(super) acts: Vec<Act>,
    pub(super) counts: Vec<(Slot, u32, u64)>,
    pub(super) uses: Vec<(Slot, UnixTime)>,
    pub(super) said: Vec<(Slot, u64, UnixTime)>,
    pub(super) events: Vec<(u8, String)>,
    pub(super) pruned_at: Option<UnixTime>,
}

/// What is done with one record.
#[derive(Clone, Debug)]
pub(super) struct Act {
    pub(super) slot: Slot,
    pub(super) deed: Deed,
    pub(super) expected: Expected,
    pub(super) look: Look,
}

/// What is done, whether or not it can be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Deed {
    /// An insertion where there is nothing, else an update.
    Put,
    /// A removal where there is something, else an insertion.
    Toggle,
    Insert,
    Update,
    Remove,
    Nothing,
}

/// What is expected of the record before.
#[derive(Clone, Copy, Debug)]
pub(super) enum Expected {
    Anything,
    AsItIs,
    Absent,
    /// The revision that the change made so many changes ago would have given it.
    Older(usize),
}

/// Lists of operations.
pub(super) fn lists() -> impl Strategy<Value = Vec<Step>> {
    vec(step(), 1..25)
}

fn step() -> impl Strategy<Value = Step> {
    let back = 0..4_usize;
    prop_oneof![
        12 => change().prop_map(Step::Change),
        2 => back.clone().prop_map(Step::Again),
        1 => (back, change()).prop_map(|(back, change)| Step::Under(back, change)),
        2 => (instant(), limit()).prop_map(|(before, limit)| Step::Prune { before, limit }),
        2 => vec(slot(KINDS), 0..6).prop_map(Step::Get),
        4 => (0..LISTS, limit()).prop_map(|(list, limit)| Step::Page { list, limit }),
        2 => (0..20_u64, limit()).prop_map(|(after, limit)| Step::Feed { after, limit }),
        1 => limit().prop_map(|limit| Step::Scan { limit }),
        1 => limit().prop_map(|limit| Step::Copy { limit }),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    let counts = vec((slot(1), select(DAYS), number()), few());
    let uses = vec((slot(1), instant()), few());
    let said = vec((slot(6), number(), instant()), few());
    let events = vec((0..OWNERS + 2, text()), few());
    let pruned_at = prop_oneof![9 => Just(None), 1 => instant().prop_map(Some)];
    (instant(), vec(act(), 0..4), counts, uses, said, events, pruned_at).prop_map(
        |(at, acts, counts, uses, said, events, pruned_at)| Change { at, acts, counts, uses, said, events, pruned_at },
    )
}

fn act() -> impl Strategy<Value = Act> {
    let deed = prop_oneof![
        12 => Just(Deed::Put),
        6 => Just(Deed::Toggle),
        1 => Just(Deed::Insert),
        1 => Just(Deed::Update),
        1 => Just(Deed::Remove),
        1 => Just(Deed::Nothing),
    ];
    let expected = prop_oneof![
        8 => Just(Expected::AsItIs),
        4 => Just(Expected::Anything),
        1 => Just(Expected::Absent),
        1 => (0..4_usize).prop_map(Expected::Older),
    ];
    (slot(KINDS), deed, expected, look()).prop_map(|(slot, deed, expected, look)| Act { slot, deed, expected, look })
}

fn slot(kinds: u8) -> impl Strategy<Value = Slot> {
    (0..kinds, 0..OWNERS, 0..IDS).prop_map(|(kind, owner, id)| Slot { kind, owner, id })
}

fn look() -> impl Strategy<Value = Look> {
    let is_large = prop_oneof![7 => Just(false), 1 => Just(true)];
    (instant(), number(), text(), is_large).prop_map(|(at, number, text, is_large)| Look { at, number, text, is_large })
}

/// Names are 1 to 200 characters without control characters, as the authority lets through.
fn text() -> impl Strategy<Value = String> {
    let character = any::<char>().prop_filter("a control character", |sign| !sign.is_control());
    prop_oneof![
        8 => select(TEXTS).prop_map(str::to_owned),
        2 => vec(character, 1..12).prop_map(String::from_iter),
        1 => Just("😀".repeat(200)),
    ]
}

fn instant() -> impl Strategy<Value = UnixTime> {
    select(INSTANTS).prop_map(UnixTime::from_seconds)
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![6 => 0..4_u64, 1 => Just(u64::MAX)]
}

fn limit() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 1..4_usize, 1 => Just(100)]
}

/// Mostly none.
fn few() -> Range<usize> {
    0..3
}

const TEXTS: &[&str] =
    &["a", "A", "á", "a\u{301}", "ﷺ", "\u{1f468}\u{200d}\u{1f469}", "'; drop table", "%_\\", " ", "\u{202e}x"];
const INSTANTS: &[u64] = &[0, 1, 49, 50, 51, 255, 256, 86_450, 86_451, 200_000, u64::MAX];
const DAYS: &[u32] = &[0, 1, 255, 256, u32::MAX];
