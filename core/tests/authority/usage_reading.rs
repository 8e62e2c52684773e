//! Usage as it is read: whole and in pages, between two days, and of the present developer alone.

use std::ops::RangeInclusive;
use std::sync::Arc;

use futures_executor::block_on;
use latchbook_core::authority::{Authority, UsageReading};
use latchbook_core::key_store::KeyStore as _;
use latchbook_core::model::{
    ChangeId, ChangeSet, Day, DeveloperRef, KeyId, Merge, Rejection, UnixTime, UsageCounts, UsageRow,
};

use crate::sandboxes::holder;
use crate::support::{
    ALL_SCOPES, HOST, Holder, House, LIVE, NOWHERE, SANDBOX, START, TestClock, TestStore, Upkeep, developer, new_key,
    order, rejection,
};

const DAY: u64 = 86_400;
const FIRST: u32 = 20_781;
const LIFETIME: u64 = 7 * DAY;

fn counts(rows: Vec<UsageRow>) -> Vec<(u32, KeyId, u64, u64)> {
    rows.into_iter().map(|row| (row.day.0, row.key, row.counts.requests, row.counts.exchanges)).collect()
}

fn days(first: u32, last: u32) -> RangeInclusive<Day> {
    Day(first)..=Day(last)
}

/// All of it, whole, and the same in pages of every size.
fn read(authority: &Authority, developer: &DeveloperRef, days: &RangeInclusive<Day>) -> Vec<(u32, KeyId, u64, u64)> {
    let whole = block_on(authority.usage().between(developer, days)).unwrap();
    for limit in 1..=5 {
        let (mut rows, mut after) = (Vec::new(), None);
        loop {
            let (more, next) = block_on(authority.usage().page(developer, days, after.as_ref(), limit)).unwrap();
            assert!(more.len() <= limit);
            rows.extend(more);
            match next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        assert_eq!(rows, whole, "in pages of {limit}");
    }
    counts(whole)
}

/// One exchange with `holder`'s key, and `requests` requests with its token; then everything that was counted is written.
fn use_it(house: &House, holder: &Holder, requests: u64) {
    let token = house.token(holder);
    (0..requests).for_each(|_| drop(house.admit(&token).unwrap()));
    block_on(house.authority.shutdown()).unwrap();
}

#[test]
fn counts_are_read_by_day_then_by_key_and_both_days_are_included() {
    let house = House::new();
    assert_eq!(UnixTime::from_seconds(START).day(), Day(FIRST));
    let one = house.holder("acme");
    let two = house.key_of(&one.developer, |_| {});
    let (one, two) = if one.key < two.key { (one, two) } else { (two, one) };
    let other = house.holder("other");
    for day in 0..4 {
        use_it(&house, &two, day);
        use_it(&house, &one, 1);
        use_it(&house, &other, 9);
        // Two keys at every second day's end, one at its start.
        if day % 2 == 0 {
            use_it(&house, &one, 2);
        }
        house.clock.advance(DAY);
    }
    let of = |first, last| read(&house.authority, &one.developer, &days(first, last));
    let (a, b) = (one.key, two.key);
    let all = [
        (FIRST, a, 3, 2),
        (FIRST, b, 0, 1),
        (FIRST + 1, a, 1, 1),
        (FIRST + 1, b, 1, 1),
        (FIRST + 2, a, 3, 2),
        (FIRST + 2, b, 2, 1),
        (FIRST + 3, a, 1, 1),
        (FIRST + 3, b, 3, 1),
    ];
    assert_eq!(of(0, u32::MAX), all);
    assert_eq!(of(FIRST, FIRST + 3), all);
    assert_eq!(of(FIRST + 1, FIRST + 2), all[2..6]);
    assert_eq!(of(FIRST + 3, FIRST + 3), all[6..]);
    assert_eq!(of(FIRST + 4, u32::MAX), []);
    assert_eq!(of(0, FIRST - 1), []);
    assert_eq!(of(FIRST + 3, FIRST), [], "days in the wrong order are no days");
    let others = read(&house.authority, &other.developer, &days(0, u32::MAX));
    assert_eq!(others.iter().map(|row| row.2).sum::<u64>(), 36);
}

#[test]
fn a_revoked_keys_counts_are_still_read() {
    let house = House::new();
    let acme = house.holder("acme");
    use_it(&house, &acme, 2);
    house.revoke_key(&acme).unwrap();
    assert_eq!(read(&house.authority, &acme.developer, &days(0, u32::MAX)), [(FIRST, acme.key, 2, 1)]);
}

#[test]
fn l7_counts_of_an_earlier_developer_with_the_same_id_are_not_shown() {
    let house = House::new();
    let opened = house.open_sandbox(&order("acme")).unwrap();
    let earlier = holder(&opened);
    use_it(&house, &earlier, 5);
    let ever = days(0, u32::MAX);
    assert_eq!(read(&house.authority, &earlier.developer, &ever), [(FIRST, earlier.key, 5, 1)]);
    house.clock.advance(LIFETIME);
    Upkeep::of(&house.authority).round();
    assert_eq!(gone(&house, &earlier.developer), [Rejection::NotFound, Rejection::NotFound]);

    // The next one, of the same day as the end of the first, has keys of its own.
    let later = holder(&house.open_sandbox(&order("acme")).unwrap());
    assert_eq!(later.developer, earlier.developer);
    assert_eq!(read(&house.authority, &later.developer, &ever), []);
    use_it(&house, &later, 2);
    let of_the_later = [(FIRST + 7, later.key, 2, 1)];
    assert_eq!(read(&house.authority, &later.developer, &ever), of_the_later);

    // Also where the host gives it the very key that the first one had.
    let keys = house.authority.keys();
    let new = new_key(ALL_SCOPES);
    block_on(keys.import(&HOST, NOWHERE, &later.developer, &earlier.text, &new)).unwrap();
    assert_eq!(read(&house.authority, &later.developer, &ever), of_the_later);
    use_it(&house, &earlier, 1);
    let mut both = vec![(FIRST + 7, later.key, 2, 1), (FIRST + 7, earlier.key, 1, 1)];
    both.sort_unstable();
    assert_eq!(read(&house.authority, &later.developer, &ever), both);
}

#[test]
fn a_use_that_was_written_after_its_developer_had_gone_is_not_shown_to_the_next() {
    let house = House::new();
    let earlier = holder(&house.open_sandbox(&order("acme")).unwrap());
    house.clock.advance(LIFETIME - 1);
    house.exchange(&earlier).unwrap();
    let elsewhere = house.another(1);
    Upkeep::of(&elsewhere.authority).round();
    let later = holder(&elsewhere.open_sandbox(&order("acme")).unwrap());
    block_on(house.authority.shutdown()).unwrap();
    assert_eq!(read(&elsewhere.authority, &later.developer, &days(0, u32::MAX)), []);
}

#[test]
fn a_use_just_before_midnight_by_the_clock_of_another_node_is_shown() {
    let house = House::shared();
    let acme = house.holder("acme");
    let behind =
        House::open(TestStore::over(Arc::clone(house.store.inner())), Arc::new(TestClock::at(START - 5)), |builder| {
            builder
        });
    use_it(&behind, &acme, 0);
    assert_eq!(read(&house.authority, &acme.developer, &days(0, u32::MAX)), [(FIRST - 1, acme.key, 0, 1)]);
}

/// Why there is nothing to read of `developer`.
fn gone(house: &House, developer: &DeveloperRef) -> [Rejection; 2] {
    let (usage, ever) = (house.authority.usage(), days(0, u32::MAX));
    [rejection(block_on(usage.between(developer, &ever))), rejection(block_on(usage.page(developer, &ever, None, 10)))]
}

#[test]
fn a_developer_that_is_not_there_is_not_found() {
    let house = House::new();
    house.holder("acme");
    for none in [developer(LIVE, "none"), developer(SANDBOX, "acme")] {
        assert_eq!(gone(&house, &none), [Rejection::NotFound, Rejection::NotFound]);
    }
}

#[test]
fn as_many_rows_as_are_promised_are_read_whole_and_more_are_refused() {
    let house = House::new();
    let acme = house.holder("acme");
    let most = u32::try_from(UsageReading::MOST_ROWS).unwrap();
    let mut set = ChangeSet::new(ChangeId::from_bytes([1; 16]), UnixTime::from_seconds(START));
    set.merge.extend((0..=most).map(|day| {
        let counts = UsageCounts { requests: u64::from(day), exchanges: 1 };
        Merge::Usage(UsageRow { developer: acme.developer.clone(), key: acme.key, day: Day(FIRST + day), counts })
    }));
    block_on(house.store.commit(set)).unwrap();
    let of = |last| block_on(house.authority.usage().between(&acme.developer, &days(0, last)));
    let rows = of(FIRST + most - 1).unwrap();
    assert_eq!((rows.len(), rows.last().map(|row| row.counts.requests)), (10_000, Some(u64::from(most) - 1)));
    let refused = rejection(of(FIRST + most));
    assert!(matches!(refused, Rejection::InvalidRequest { message } if message.contains("fewer days")), "{refused:?}");
    let ever = days(0, u32::MAX);
    let (rows, next) = block_on(house.authority.usage().page(&acme.developer, &ever, None, 10_001)).unwrap();
    assert_eq!((rows.len(), next), (10_001, None), "in pages there is no such bound");
}
