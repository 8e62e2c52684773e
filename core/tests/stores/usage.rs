//! The same use gives the same counts, whatever an authority keeps them in. Shared by every store's tests.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_executor::block_on;
use latchbook_core::authority::{Authority, Exchange, Limits, Presented};
use latchbook_core::check::NewKey;
use latchbook_core::clock::{Clock, Sleep};
use latchbook_core::key_store::{KeyStore, Sharing};
use latchbook_core::model::{Day, DeveloperId, KeyId, Metadata, ScopeSet, SecretText, UnixTime};
use latchbook_core::{Actor, DeveloperRef, EnvironmentName, MasterKey, Source};

/// 2026-11-24T00:00:00Z, and its day.
const START: u64 = 1_795_478_400;
const FIRST: u32 = 20_781;
const DAY: u64 = 86_400;

/// What is read in the end: day, the key's place in the order in which keys were made, requests, exchanges.
const COUNTS: [(u32, usize, u64, u64); 7] = [
    (FIRST, 0, 20, 2),
    (FIRST, 1, 30, 2),
    (FIRST, 2, 40, 2),
    (FIRST + 1, 0, 10, 1),
    (FIRST + 1, 2, 0, 3),
    (FIRST + 31, 1, 200, 1),
    (FIRST + 31, 2, 1, 1),
];

/// Does on `store`, which must be empty, what is counted in [`COUNTS`], and reads it in every way. Each thread calls
/// `enter` first, for a store that needs a runtime around it.
pub fn the_same_use_is_counted_the_same<G>(store: &Arc<dyn KeyStore>, enter: impl Fn() -> G + Sync) {
    let _here = enter();
    let clock = Arc::new(Wall(std::sync::Mutex::new(START)));
    // Several authorities at once, where the store allows that.
    let nodes = if store.sharing() == Sharing::Shared { 3 } else { 1 };
    let nodes: Vec<_> = (0..nodes).map(|_| authority(store, &clock)).collect();
    let keys = make(&nodes[0], "acme");
    let others = make(&nodes[0], "other");
    let write = || {
        std::thread::scope(|scope| {
            for node in &nodes {
                scope.spawn(|| {
                    let _there = enter();
                    block_on(node.shutdown()).unwrap();
                });
            }
        });
    };
    let day = |day: u64| *clock.0.lock().unwrap() = START + day * DAY;

    for round in 0..2 {
        for (place, key) in keys.iter().enumerate() {
            use_it(&nodes, key, 1, 10 + 5 * place);
            use_it(&nodes, &others[place], 1, 3);
        }
        // Once with what was merged before, once without.
        if round == 0 {
            write();
        }
    }
    write();
    day(1);
    use_it(&nodes, &keys[0], 1, 10);
    use_it(&nodes, &keys[2], 3, 0);
    write();
    day(31);
    // From many threads at once.
    let (token, busy) = (token(&nodes[0], &keys[2]), token(&nodes[0], &keys[1]));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (node, busy) = (&nodes[thread % nodes.len()], &busy);
            let enter = &enter;
            scope.spawn(move || {
                let _there = enter();
                (0..50).for_each(|_| admit(node, busy));
            });
        }
    });
    admit(&nodes[0], &token);
    write();

    let places: HashMap<KeyId, usize> = keys.iter().enumerate().map(|(place, key)| (key.id, place)).collect();
    let read = |first: u32, last: u32, limit: usize| {
        let (developer, days) = (&keys[0].developer, Day(first)..=Day(last));
        let whole = block_on(nodes[nodes.len() - 1].usage().between(developer, &days)).unwrap();
        let (mut rows, mut after) = (Vec::new(), None);
        loop {
            let step = nodes[0].usage();
            let (more, next) = block_on(step.page(developer, &days, after.as_ref(), limit)).unwrap();
            rows.extend(more);
            match next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        assert_eq!(rows, whole, "in pages of {limit}");
        let order: Vec<_> = rows.iter().map(|row| (row.day, row.key)).collect();
        assert!(order.is_sorted(), "by day, then by key: {order:?}");
        let mut rows: Vec<_> = rows
            .into_iter()
            .map(|row| (row.day.0, places[&row.key], row.counts.requests, row.counts.exchanges))
            .collect();
        rows.sort_unstable();
        rows
    };
    for limit in [1, 2, 3, 100] {
        assert_eq!(read(0, u32::MAX, limit), COUNTS);
        assert_eq!(read(FIRST, FIRST + 31, limit), COUNTS);
        assert_eq!(read(FIRST + 1, FIRST + 30, limit), COUNTS[3..5]);
        assert_eq!(read(FIRST + 31, FIRST + 31, limit), COUNTS[5..]);
        assert_eq!(read(FIRST + 2, FIRST + 30, limit), []);
    }
}

/// A key in use.
struct Holder {
    developer: DeveloperRef,
    id: KeyId,
    text: SecretText,
}

fn authority(store: &Arc<dyn KeyStore>, clock: &Arc<Wall>) -> Authority {
    let builder = Authority::builder()
        .shared_store(Arc::clone(store))
        .issuer("https://api.example.com")
        .master_key(MasterKey::from_bytes([7; 32]))
        .limits(Limits::OFF)
        .clock(Arc::clone(clock) as Arc<dyn Clock>);
    block_on(builder.build()).unwrap()
}

/// A developer with three keys.
fn make(authority: &Authority, id: &str) -> Vec<Holder> {
    let developer = DeveloperRef { environment: EnvironmentName::LIVE, id: DeveloperId::parse(id).unwrap() };
    let (host, source) = (Actor::Host, Source::UNKNOWN);
    block_on(authority.developers().create(&host, source, &developer, id)).unwrap();
    let new = NewKey {
        name: "a key".to_owned(),
        scopes: ScopeSet::parse("audit:read").unwrap(),
        expires_at: None,
        allowed_ips: Vec::new(),
        metadata: Metadata::default(),
    };
    let make = |_| {
        let made = block_on(authority.keys().create(&host, source, &developer, &new)).unwrap();
        Holder { developer: developer.clone(), id: made.key.id, text: made.text }
    };
    (0..3).map(make).collect()
}

fn token(authority: &Authority, holder: &Holder) -> String {
    let exchange = Exchange {
        developer: holder.developer.id.as_str(),
        api_key: &holder.text,
        entity: None,
        scope: None,
        lifetime: None,
        source: Source::UNKNOWN,
    };
    block_on(authority.exchange(&exchange)).unwrap().token.expose().to_owned()
}

fn admit(authority: &Authority, token: &str) {
    let presented = Presented { token: token.as_bytes(), source: Source::UNKNOWN };
    block_on(authority.authenticate(&presented)).unwrap();
}

/// So many exchanges and requests, spread over the nodes.
fn use_it(nodes: &[Authority], holder: &Holder, exchanges: usize, requests: usize) {
    let tokens: Vec<_> = (0..exchanges).map(|nth| token(&nodes[nth % nodes.len()], holder)).collect();
    (0..requests).for_each(|nth| admit(&nodes[nth % nodes.len()], &tokens[nth % exchanges]));
}

/// A wall clock that the test sets.
#[derive(Debug)]
struct Wall(std::sync::Mutex<u64>);

impl Clock for Wall {
    fn now(&self) -> UnixTime {
        UnixTime::from_seconds(*self.0.lock().unwrap())
    }

    fn monotonic(&self) -> Duration {
        Duration::from_secs(*self.0.lock().unwrap() - START)
    }

    fn sleep(&self, _: Duration) -> Sleep {
        Box::pin(std::future::pending())
    }
}
