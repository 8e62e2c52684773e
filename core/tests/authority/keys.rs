//! API keys: shown once, refused for every cause alike, dead once revoked, no two alike.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use futures_executor::block_on;
use latchbook_core::Actor;
use latchbook_core::authority::{Fault, FoundText};
use latchbook_core::check::{Brand, print_key_text};
use latchbook_core::model::{ChainId, Rejection, RevokedBy, SecretText, Source, UnixTime};
use latchbook_core::random::{self, RandomError, SecureRandom, SystemRandom};

use crate::support::{HOST, Holder, House, LIVE, NOWHERE, SANDBOX, START, YEAR, fault, new_key, rejection, revoked};

/// The text with another secret and the checksum that fits it.
fn with_secret(holder: &Holder, secret: &str) -> SecretText {
    print_key_text(&Brand::default(), holder.developer.environment, holder.key, secret)
}

#[test]
fn k1_every_key_that_does_not_work_is_refused_after_the_same_read() {
    let house = House::new();
    let (acme, other) = (house.holder("acme"), house.holder("other"));
    let (gone, suspended) = (house.key_of(&acme.developer, |_| {}), house.holder("suspended"));
    let over = house.key_of(&acme.developer, |new| new.expires_at = Some(UnixTime::from_seconds(START + 1)));
    let confined = house.key_of(&acme.developer, |new| new.allowed_ips = vec!["10.0.0.0/8".parse().unwrap()]);
    house.revoke_key(&gone).unwrap();
    house.suspend(&suspended).unwrap();
    house.clock.advance(1);
    let holding = |text| Holder { text, ..acme.clone() };
    let unknown =
        print_key_text(&Brand::default(), LIVE, random::key_id(&SystemRandom::new()).unwrap(), &"x".repeat(43));
    let foreign = print_key_text(&Brand::default(), SANDBOX, acme.key, &"x".repeat(43));
    let cases = [
        ("unknown key", holding(unknown), Rejection::KeyUnknown),
        ("wrong secret", holding(with_secret(&acme, &"x".repeat(43))), Rejection::KeyDigest),
        ("wrong environment", holding(foreign), Rejection::KeyUnknown),
        ("another developer's key", holding(other.text), Rejection::KeyUnknown),
        (
            "unknown developer",
            Holder { developer: crate::support::developer(LIVE, "none"), ..acme.clone() },
            Rejection::KeyUnknown,
        ),
        ("revoked", gone, Rejection::KeyRevoked),
        ("expired", over, Rejection::KeyExpired),
        ("suspended", suspended, Rejection::DeveloperSuspended),
        ("wrong address", confined, Rejection::AddressNotAllowed),
    ];
    let before = house.store.rows();
    for (name, holder, want) in cases {
        let asked = house.store.asked();
        assert_eq!(rejection(house.exchange(&holder)), want, "{name}");
        assert_eq!(house.store.asked() - asked, 1, "one read, of both records: {name}");
    }
    assert!(house.store.rows() == before, "no refused exchange writes");
}

#[test]
fn k2_k3_k4_k5_what_is_no_key_is_refused_without_a_storage_read() {
    let house = House::new();
    let acme = house.holder("acme");
    let text = acme.text.expose();
    let last = text.len() - 1;
    let swapped_case: String =
        text.chars().map(|c| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c }).collect();
    let spoilt = [
        String::new(),
        text[..last].to_owned(),
        format!("{text}x"),
        format!("{text} "),
        format!("{text}\n"),
        format!(" {text}"),
        text.to_uppercase(),
        swapped_case,
        text.replacen("live", "sandbox", 1),
        text.replacen("lb", "xy", 1),
        "x".repeat(100 << 10),
        "x".repeat(10 << 20),
        house.token(&acme),
    ];
    for text in spoilt {
        let asked = house.store.asked();
        let holder = Holder { text: SecretText::new(text.clone()), ..acme.clone() };
        assert_eq!(rejection(house.exchange(&holder)), Rejection::KeyText, "{}", text.get(..60).unwrap_or(&text));
        assert_eq!(house.store.asked(), asked, "nothing is read");
    }
    for (developer, reads) in [("", 0), ("..", 0), ("a b", 0), ("none", 1)] {
        let asked = house.store.asked();
        rejection(house.exchange_with(&acme, |exchange| exchange.developer = developer));
        assert_eq!(house.store.asked() - asked, reads, "{developer:?}");
    }
    assert_eq!(rejection(house.admit(acme.text.expose())), Rejection::TokenShape, "a key is no token");
}

#[test]
fn k9_a_keys_text_is_nowhere_once_it_was_shown() {
    let house = House::new();
    let acme = house.holder("acme");
    let caller = house.admit(&house.token(&acme)).unwrap();
    let keys = house.authority.keys();
    let made = block_on(keys.create(&Actor::Principal(&caller), NOWHERE, &acme.developer, &new_key("ledger:read")));
    let made = made.unwrap();
    let listed = block_on(keys.list(&acme.developer, None, 10)).unwrap().0;
    assert_eq!(listed.len(), 2);
    let shown =
        format!("{listed:?} {:?} {made:?} {:?} {:?}", house.key_view(&acme), house.store.rows(), house.authority);
    for text in [&acme.text, &made.text] {
        let secret = text.expose().rsplit('_').next().unwrap();
        assert!(!shown.contains(secret));
    }
}

#[test]
fn k10_after_a_revocation_was_acknowledged_no_exchange_succeeds_anywhere_ever() {
    let house = House::shared();
    let acme = house.holder("acme");
    let there = house.another(0);
    let token = house.token(&acme);
    assert!(there.exchange(&acme).is_ok());
    house.revoke_key(&acme).unwrap();
    assert_eq!(revoked(house.admit(&token)), RevokedBy::Key);
    for node in [house.restarted(START), house.restarted(START - YEAR), house.restarted(START + YEAR), there, house] {
        for _ in 0..3 {
            assert_eq!(rejection(node.exchange(&acme)), Rejection::KeyRevoked);
            node.clock.advance(1_000);
        }
    }
}

#[test]
fn a_key_made_by_a_caller_is_never_wider_than_its_maker_and_dies_with_nobody_elses() {
    let house = House::new();
    let acme = house.holder("acme");
    let narrow = house.key_of(&acme.developer, |new| new.scopes = new_key("keys:manage ledger:read").scopes);
    let caller = house.admit(&house.token(&narrow)).unwrap();
    let create = |scopes| {
        block_on(house.authority.keys().create(&Actor::Principal(&caller), NOWHERE, &acme.developer, &new_key(scopes)))
    };
    assert_eq!(rejection(create("ledger:write")), Rejection::InvalidScope);
    assert_eq!(rejection(create("ledger:*")), Rejection::InvalidScope);
    assert_eq!(create("ledger:read").unwrap().key.made_by, Some(narrow.key));
    house.revoke_key(&narrow).unwrap();
    assert_eq!(rejection(create("ledger:read")), Rejection::Revoked { by: RevokedBy::Key }, "its maker is gone by now");
}

#[test]
fn k14_revoking_twice_gives_the_same_answer_and_one_event() {
    let house = House::new();
    let (acme, other) = (house.holder("acme"), house.holder("other"));
    let chain = ChainId::Developer(acme.developer.clone());
    house.revoke_key(&acme).unwrap();
    let events = house.events(&chain);
    for _ in 0..3 {
        house.revoke_key(&acme).unwrap();
    }
    assert_eq!(house.events(&chain), events);
    let foreign = Holder { key: other.key, ..acme.clone() };
    let absent = Holder { key: random::key_id(&SystemRandom::new()).unwrap(), ..acme };
    for holder in [foreign, absent] {
        assert_eq!(rejection(house.revoke_key(&holder)), Rejection::NotFound);
    }
}

#[test]
fn a_key_works_from_its_own_addresses_alone_and_so_do_its_tokens() {
    let house = House::new();
    let acme = house.holder("acme");
    let confined = house.key_of(&acme.developer, |new| new.allowed_ips = vec!["10.0.0.0/8".parse().unwrap()]);
    let at = |address: &str| Source::at(address.parse().unwrap());
    let issued = house.exchange_with(&confined, |exchange| exchange.source = at("10.1.2.3")).unwrap();
    let token = issued.token.expose();
    for (source, lets_in) in
        [(at("10.9.9.9"), true), (at("::ffff:10.9.9.9"), true), (at("11.0.0.1"), false), (NOWHERE, false)]
    {
        let presented = latchbook_core::authority::Presented { token: token.as_bytes(), source };
        assert_eq!(block_on(house.authority.authenticate(&presented)).is_ok(), lets_in, "{source:?}");
        assert_eq!(house.exchange_with(&confined, |exchange| exchange.source = source).is_ok(), lets_in, "{source:?}");
    }
}

/// Counts the bytes that are drawn, and fails when it is told to.
#[derive(Debug)]
struct CountedRandom {
    system: SystemRandom,
    drawn: AtomicUsize,
    left: AtomicUsize,
}

impl SecureRandom for CountedRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        self.left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
            .map_err(|_| RandomError)?;
        self.drawn.fetch_add(bytes.len(), Ordering::SeqCst);
        self.system.fill(bytes)
    }
}

#[test]
fn k13_without_randomness_nothing_is_made() {
    let random = Arc::new(CountedRandom {
        system: SystemRandom::new(),
        drawn: AtomicUsize::new(0),
        left: AtomicUsize::new(usize::MAX),
    });
    let house = House::with(|builder| builder.random(Arc::clone(&random) as Arc<dyn SecureRandom>));
    let acme = house.holder("acme");
    let before = (house.store.rows(), random.drawn.load(Ordering::SeqCst));
    let create = || block_on(house.authority.keys().create(&HOST, NOWHERE, &acme.developer, &new_key("ledger:read")));
    for draws in 0.. {
        random.left.store(draws, Ordering::SeqCst);
        match create() {
            Ok(_) => {
                assert!(draws >= 3, "the set's id, the key's id and its secret are drawn");
                break;
            }
            failed => assert!(matches!(fault(failed), Fault::Random(_))),
        }
        assert!(house.store.rows() == before.0, "draw {draws}");
    }
    assert!(random.drawn.load(Ordering::SeqCst) - before.1 >= 16 + 16 + 43);
}

/// Ids, and the heads of secrets: 21 characters are 125 bits, so if no two heads are alike, no two secrets are.
type Drawn = (Vec<[u8; 16]>, Vec<[u8; 21]>);

fn draw(keys: usize) -> Drawn {
    let random = SystemRandom::new();
    let head = |secret: &str| <[u8; 21]>::try_from(&secret.as_bytes()[..21]).unwrap();
    let id = || <[u8; 16]>::try_from(random::key_id(&random).unwrap().as_str().as_bytes()).unwrap();
    (0..keys).map(|_| (id(), head(&random::base62(&random, 43).unwrap()))).unzip()
}

#[test]
fn k13_a_million_keys_have_no_two_ids_and_no_two_secrets_alike() {
    const KEYS: usize = 1_000_000;
    let halves = thread::scope(|scope| {
        let drawing = [(); 2].map(|()| scope.spawn(|| draw(KEYS / 2)));
        drawing.map(|half| half.join().unwrap())
    });
    let (mut ids, mut secrets): Drawn = (Vec::new(), Vec::new());
    for (more_ids, more_secrets) in halves {
        ids.extend(more_ids);
        secrets.extend(more_secrets);
    }
    ids.sort_unstable();
    secrets.sort_unstable();
    assert!(ids.windows(2).all(|pair| pair[0] != pair[1]) && ids.len() == KEYS);
    assert!(secrets.windows(2).all(|pair| pair[0] != pair[1]) && secrets.len() == KEYS);
}

#[test]
fn k13_every_character_of_a_secret_is_as_likely_as_any_other() {
    const KEYS: u32 = 20_000;
    let random = SystemRandom::new();
    let mut seen = vec![[0_u32; 128]; 43];
    for _ in 0..KEYS {
        let secret = random::base62(&random, 43).unwrap();
        secret.bytes().enumerate().for_each(|(place, byte)| seen[place][usize::from(byte)] += 1);
    }
    // 43 places of 62 characters are 256 bits. Chi-square with 61 degrees of freedom: above 150 once in 10^9 times.
    let expected = f64::from(KEYS) / 62.0;
    for (place, counts) in seen.iter().enumerate() {
        let counts: Vec<_> = counts.iter().filter(|count| **count > 0).collect();
        let chi: f64 = counts.iter().map(|count| (f64::from(**count) - expected).powi(2) / expected).sum();
        assert!(counts.len() == 62 && chi < 150.0, "place {place}: {chi}");
    }
}

#[test]
fn a_text_that_was_found_names_its_key_and_whose_it_is_whether_it_works_or_not() {
    let house = House::new();
    let (_, acme, gone) = (house.holder("aaa"), house.holder("acme"), house.holder("gone"));
    house.revoke_key(&gone).unwrap();
    let find = |text: &SecretText| block_on(house.authority.keys().find(text));
    for holder in [&acme, &gone] {
        let found = find(&holder.text).unwrap();
        assert_eq!((found.view.key.developer, found.view.key.id), (holder.developer.clone(), holder.key));
        assert_eq!((found.text, found.view.key.revoked_at.is_some()), (FoundText::Current, holder.key == gone.key));
    }
    let made_up = find(&with_secret(&acme, &"x".repeat(43))).unwrap();
    assert_eq!((made_up.view.key.id, made_up.text), (acme.key, FoundText::Other));
    let unknown = random::key_id(&SystemRandom::new()).unwrap();
    let unknown = print_key_text(&Brand::default(), LIVE, unknown, &"x".repeat(43));
    assert_eq!(rejection(find(&unknown)), Rejection::NotFound);
    let elsewhere = print_key_text(&Brand::default(), SANDBOX, acme.key, &"x".repeat(43));
    assert_eq!(rejection(find(&elsewhere)), Rejection::NotFound);
    assert_eq!(rejection(find(&SecretText::new("lb_live_hunter2".to_owned()))), Rejection::KeyText);
}
