//! Every kind of row there and back, and every kind of damage.

use crate::key_store::conformance::samples;
use crate::model::{
    AuditEvent, ChainId, ChangeId, Committed, FIRST_LINK, FeedEntry, FeedPosition, Revision, Row, StoreMeta, Stored,
    UnixTime, UsageRow,
};
use proptest::prelude::*;

use super::*;

fn stored() -> Vec<Stored> {
    let revision = Revision(ChangeId::from_bytes([3; 16]));
    samples::one_of_each().unwrap().into_iter().map(|record| Stored { record, revision }).collect()
}

fn entries() -> Vec<FeedEntry> {
    let said = samples::announcements().unwrap().into_iter();
    said.map(|announcement| FeedEntry {
        position: FeedPosition(u64::MAX),
        at: UnixTime::EPOCH,
        ends_at: UnixTime::MAX,
        announcement,
    })
    .collect()
}

fn events() -> Vec<AuditEvent> {
    let chain = ChainId::Developer(samples::developer_ref("ada").unwrap());
    samples::events(&chain).unwrap().into_iter().map(|draft| draft.link(7, &FIRST_LINK)).collect()
}

fn same<T: Coded + PartialEq + std::fmt::Debug>(values: &[T]) {
    for value in values {
        assert_eq!(&decode::<T>(b"key", &encode(b"key", value)).unwrap(), value);
    }
}

#[test]
fn every_kind_of_row_is_read_as_it_was_written() {
    same(&stored());
    same(&entries());
    same(&events());
    same(&[Committed { id: ChangeId::from_bytes([1; 16]), feed: Some(FeedPosition(1)), audit: vec![1, u64::MAX] }]);
    same(&[StoreMeta { feed_head: FeedPosition(3), pruned_to: FeedPosition(2), pruned_at: UnixTime::MAX }]);
    let rows = stored().into_iter().map(Row::Record).chain(events().into_iter().map(Row::Audit));
    same(
        &rows.chain(entries().into_iter().map(Row::Feed)).chain([Row::Meta(StoreMeta::default())]).collect::<Vec<_>>(),
    );
    let ada = samples::developer_ref("ada").unwrap();
    same(&[samples::usage(&ada, samples::key_id(1).unwrap(), u32::MAX, u64::MAX, 0)]);
}

#[test]
fn a_revision_is_read_without_its_record() {
    for stored in stored() {
        assert_eq!(decode_first::<Revision>(b"k", &encode(b"k", &stored)).unwrap(), stored.revision);
    }
}

#[test]
fn s7_a_row_with_a_flipped_bit_or_under_another_key_is_damaged() {
    for stored in stored().into_iter().filter(|stored| encode(b"", stored).len() < 1000) {
        let row = encode(b"key", &stored);
        assert!(matches!(decode::<Stored>(b"kez", &row), Err(StoreError::Corrupt(_))));
        for bit in 0..row.len() * 8 {
            let mut flipped = row.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(decode::<Stored>(b"key", &flipped), Err(StoreError::Corrupt(_))), "bit {bit}");
        }
        for length in 0..row.len() {
            assert!(decode::<Stored>(b"key", &row[..length]).is_err(), "cut to {length}");
        }
    }
}

#[test]
fn s8_a_row_of_a_newer_version_is_refused_as_newer() {
    let mut row = vec![VERSION + 1, 1, 2, 3];
    let checksum = checksum(b"key", &row);
    row.extend_from_slice(&checksum);
    assert!(matches!(decode::<Stored>(b"key", &row), Err(StoreError::Newer(_))));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(fields in proptest::collection::vec(any::<u8>(), 0..300)) {
        // With a right version and checksum, so that the fields themselves are reached.
        let mut row = vec![VERSION];
        row.extend_from_slice(&fields);
        let checksum = checksum(b"", &row);
        row.extend_from_slice(&checksum);
        if let Ok(value) = decode::<Stored>(b"", &row) {
            prop_assert_eq!(decode::<Stored>(b"", &encode(b"", &value)).unwrap(), value);
        }
        let _ = decode::<AuditEvent>(b"", &row);
        let _ = decode::<FeedEntry>(b"", &row);
        let _ = decode::<Committed>(b"", &row);
        let _ = decode::<UsageRow>(b"", &row);
        let _ = decode::<Stored>(b"", &fields);
    }

    #[test]
    fn a_row_with_any_byte_changed_is_read_or_refused(which in 0..18_usize, at in any::<prop::sample::Index>(), byte: u8) {
        let rows = stored();
        let mut row = encode(b"", &rows[which % rows.len()]);
        let length = row.len() - CHECKSUM;
        row.truncate(length);
        let at = 1 + at.index(length - 1);
        row[at] = byte;
        let checksum = checksum(b"", &row);
        row.extend_from_slice(&checksum);
        let _ = decode::<Stored>(b"", &row);
    }
}
