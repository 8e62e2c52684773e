//! The laws that the checks keep for all inputs, as properties.

use std::time::Duration;

use ipnet::{IpNet, Ipv4Net};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

use super::access_token::{VerifiedToken, check_identity};
use super::exchange::{Minting, TokenRequest, check_exchange};
use super::grant::{Maker, NewKey, check_new_key};
use super::key_text::{Brand, parse_key_text, print_key_text};
use super::limit::{Limit, LimitTable};
use super::revocation::Revocations;
use super::samples::{
    EXPECTED, ISSUER, NOW, after, developer, developer_ref, entity, for_entity, key, key_id, policy, registry, signed,
    token, token_id, verified_key,
};
use super::token_exchange::{Line, check_token_exchange};
use super::token_use::{TokenUse, check_active, check_use};
use crate::model::{
    Announcement, ApiKey, EntityRef, EnvironmentName, FeedEntry, FeedPosition, KeyId, Metadata, Rejection, ScopeGrant,
    ScopeSet, Source, UnixTime,
};

proptest! {
    #[test]
    fn parsing_a_printed_key_gives_its_parts(key in key_texts()) {
        let parts = parse_key_text(&key.text).expect("a printed key");
        prop_assert_eq!(parts.brand, key.brand);
        prop_assert_eq!(parts.environment, key.environment);
        prop_assert_eq!(parts.id, key.id);
    }

    /// Exactly so: a CRC-32 finds every error within 32 bits in a row, and one character that is replaced by another
    /// ASCII one is such an error; a character beyond ASCII is in no key.
    #[test]
    fn k2_a_key_with_one_character_replaced_is_refused(key in key_texts(), place: Index, by: char) {
        let mut changed: Vec<char> = key.text.chars().collect();
        let place = place.index(changed.len());
        prop_assume!(changed[place] != by);
        changed[place] = by;
        let changed: String = changed.into_iter().collect();
        prop_assert_eq!(parse_key_text(&changed), Err(Rejection::KeyText));
    }

    #[test]
    fn no_text_makes_the_key_parser_panic(text in any::<String>(), tail in "[_0-9A-Za-z]{0,100}") {
        let _ = parse_key_text(&text);
        let _ = parse_key_text(&tail);
    }

    #[test]
    fn k12_e14_an_exchange_never_widens_and_what_it_makes_is_a_good_token(
        grant in grants(),
        scope in option::of(scope_texts()),
        for_entity: bool,
        lifetime in option::of(0..4000_u64),
        key_end in option::of(-10..5000_i64),
    ) {
        let (policy, registry) = (policy(), registry());
        let key = ApiKey { grant: ScopeGrant::new(grant), expires_at: key_end.map(after), ..key() };
        let request = TokenRequest { entity: for_entity.then(|| entity("acme")), scope, lifetime };
        let minting = Minting {
            issuer: ISSUER, audience: ISSUER, token: token_id('0'), now: NOW, policy: &policy, registry: &registry,
        };
        let Ok(claims) = check_exchange(&verified_key(&key), &request, &minting) else { return Ok(()) };

        prop_assert!(claims.scopes.is_subset(&key.grant.spelled_out(&registry)));
        prop_assert!(!for_entity || !claims.scopes.iter().any(|token| registry.is_management(token)));
        if let Some(asked) = &request.scope {
            prop_assert_eq!(&claims.scopes, &ScopeSet::parse(asked).expect("granted"));
        }
        prop_assert!(claims.expires_at > NOW && claims.expires_at.since(NOW) <= 3600);
        prop_assert!(key.expires_at.is_none_or(|end| claims.expires_at <= end));
        let verified = check_identity(signed(claims), &EXPECTED).expect("a token of ours");
        prop_assert_eq!(use_of(&verified, NOW, &Revocations::default()), Ok(()));
    }

    #[test]
    fn e22_a_token_exchange_never_widens_never_outlives_and_ends_with_its_line(
        grant in grants(),
        (issued, life, now) in (-3600..=0_i64, 1..=3600_i64, 0..100_i64),
        origin in option::of(select(vec!['5', '6'])),
        is_entitys: bool,
        scope in option::of(scope_texts()),
        for_entity_asked: bool,
        lifetime in option::of(0..4000_u64),
        entries in vec(entries(), 0..4),
    ) {
        let (policy, registry, now) = (policy(), registry(), after(now));
        let held = ScopeGrant::new(grant).spelled_out(&registry);
        let subject = token(|claims| {
            (claims.issued_at, claims.not_before) = (after(issued), after(issued));
            claims.expires_at = after(issued + life);
            claims.scopes = held.clone();
            claims.origin = origin.map(token_id);
            if is_entitys {
                for_entity(claims, "acme");
            }
        });
        let request = TokenRequest { entity: for_entity_asked.then(|| entity("other")), scope, lifetime };
        let minting = Minting {
            issuer: ISSUER, audience: ISSUER, token: token_id('9'), now, policy: &policy, registry: &registry,
        };
        let (developer, key) = (developer(), key());
        let line = Line { developer: Some(&developer), key: Some(&key) };
        let Ok(claims) = check_token_exchange(&subject, &line, &request, &minting) else { return Ok(()) };

        prop_assert!(!is_entitys && subject.expires_at() > now);
        prop_assert!(claims.scopes.is_subset(&held));
        prop_assert!(!for_entity_asked || !claims.scopes.iter().any(|token| registry.is_management(token)));
        prop_assert!(claims.expires_at > now && claims.expires_at <= subject.expires_at());
        prop_assert_eq!(claims.origin, Some(origin.map_or(subject.token(), token_id)));
        let child = check_identity(signed(claims), &EXPECTED).expect("a token of ours");
        prop_assert_eq!(use_of(&child, now, &Revocations::default()), Ok(()));
        // What ends the first token of the line or what it stands on ends this one. A token in the middle ends alone.
        let revocations = applied(&entries);
        let by_itself = origin.is_some() && entries.iter().any(|entry| matches!(
            &entry.announcement, Announcement::TokenRevoked { token, .. } if *token == subject.token()
        ));
        if revocations.check(&subject).is_some() && !by_itself {
            prop_assert!(revocations.check(&child).is_some());
        }
    }

    #[test]
    fn a_token_that_may_be_used_is_active_and_only_its_ranges_make_the_difference(
        token in tokens(), entries in vec(entries(), 0..6), age in 0..4000_u64,
    ) {
        let (policy, revocations) = (policy(), applied(&entries));
        let now = token.issued_at().minus(10).plus(age);
        prop_assert_eq!(
            check_active(&token, now, &policy, &revocations),
            use_of(&token, now, &revocations),
            "a token without ranges"
        );
    }

    #[test]
    fn time_moving_forward_never_revives_a_token(
        token in tokens(),
        entries in vec(entries(), 0..6),
        age in prop_oneof![0..100_u64, 0..4000_u64],
        step in prop_oneof![0..100_u64, 0..5000_u64],
    ) {
        let mut revocations = applied(&entries);
        let now = token.issued_at().minus(10).plus(age);
        let later = now.plus(step);
        let before = use_of(&token, now, &revocations);
        // Entries are kept until no token that they revoke is alive, so forgetting them revives none.
        revocations.prune(later);
        let afterwards = use_of(&token, later, &revocations);
        match before {
            Ok(()) => prop_assert_ne!(afterwards, Err(Rejection::NotYetValid)),
            Err(Rejection::NotYetValid) => {}
            Err(reason @ (Rejection::Expired | Rejection::LifetimeTooLong)) => {
                prop_assert!(afterwards == Err(reason) || afterwards == Err(Rejection::Expired));
            }
            Err(_) => prop_assert!(afterwards.is_err()),
        }
    }

    #[test]
    fn a_key_made_with_a_token_is_never_wider_than_its_maker(
        held in subsequence(GRANTS.to_vec(), 3..=GRANTS.len()).prop_map(|tokens| scope_set(&tokens)),
        carried in prop_oneof![scope_sets(), Just(scope_set(&SCOPES))],
        wanted in subsequence(GRANTS[..7].to_vec(), 1..=3).prop_map(|tokens| scope_set(&tokens)),
        maker_ranges in vec(ranges(), 0..3),
        wanted_ranges in vec(ranges(), 0..3),
        maker_end in option::of(1..100_i64),
        wanted_end in option::of(1..100_i64),
    ) {
        let registry = registry();
        let maker_key = ApiKey {
            grant: ScopeGrant::new(held),
            allowed_ips: maker_ranges,
            expires_at: maker_end.map(after),
            ..key()
        };
        let new = NewKey {
            name: "New".to_owned(),
            scopes: wanted,
            expires_at: wanted_end.map(after),
            allowed_ips: wanted_ranges,
            metadata: Metadata::default(),
        };
        let maker = Maker { scopes: &carried, key: &maker_key };
        let Ok(granted) = check_new_key(&new, Some(&maker), &registry, NOW) else { return Ok(()) };

        prop_assert_eq!(granted.tokens(), &new.scopes);
        let reached = granted.spelled_out(&registry);
        prop_assert!(reached.is_subset(&carried) && reached.is_subset(&maker_key.grant.spelled_out(&registry)));
        prop_assert!(granted.wildcards().all(|wildcard| maker_key.grant.covers(wildcard)));
        prop_assert!(maker_key.expires_at.is_none_or(|end| new.expires_at.is_some_and(|wanted| wanted <= end)));
        if !maker_key.allowed_ips.is_empty() {
            prop_assert!(!new.allowed_ips.is_empty());
            for range in &new.allowed_ips {
                for address in [range.network(), range.broadcast()] {
                    prop_assert!(maker_key.allowed_ips.iter().any(|outer| outer.contains(&address)));
                }
            }
        }
    }

    #[test]
    fn revocations_are_the_same_in_any_order_and_with_repetitions(
        (entries, shuffled) in vec(entries(), 0..12).prop_flat_map(|entries| {
            let repeated = [entries.clone(), entries.clone()].concat();
            (Just(entries), Just(repeated).prop_shuffle())
        }),
    ) {
        prop_assert_eq!(applied(&shuffled), applied(&entries));
    }

    #[test]
    fn one_more_revocation_never_lets_a_token_in(token in tokens(), entries in vec(entries(), 1..8)) {
        let mut revocations = Revocations::default();
        let mut revoked = false;
        for entry in &entries {
            revocations.apply(entry);
            let by_now = revocations.check(&token).is_some();
            prop_assert!(by_now || !revoked);
            revoked = by_now;
        }
    }

    /// In any span `d` at most `count + d × count / per`: for the span `per` itself, at most twice the count.
    #[test]
    fn k7_a_limit_is_kept_over_every_span(
        count in 1..30_u32,
        per in 1..100_000_u64,
        steps in vec(0..20_000_u64, 1..200),
    ) {
        let mut table = LimitTable::new(Limit { count, per: Duration::from_millis(per) }, 1);
        let mut now = 0;
        let mut passed = Vec::new();
        for step in steps {
            // Half of the steps are none, so that bursts happen.
            now += step.saturating_sub(10_000);
            match table.take((), Duration::from_millis(now)) {
                Ok(()) => passed.push(now),
                Err(seconds) => {
                    prop_assert!(seconds >= 1);
                    let mut waited = LimitTable::new(Limit { count, per: Duration::from_millis(per) }, 1);
                    std::mem::swap(&mut waited, &mut table);
                    now += seconds * 1000;
                    prop_assert_eq!(waited.take((), Duration::from_millis(now)), Ok(()), "after the wait it was told");
                    passed.push(now);
                    table = waited;
                }
            }
        }
        for (first, start) in passed.iter().enumerate() {
            for (last, end) in passed.iter().enumerate().skip(first) {
                let let_through = (last - first + 1) as u64;
                prop_assert!(let_through <= u64::from(count) + (end - start) * u64::from(count) / per);
            }
        }
    }
}

fn use_of(token: &VerifiedToken, now: UnixTime, revocations: &Revocations) -> Result<(), Rejection> {
    let policy = policy();
    check_use(token, &TokenUse { now, policy: &policy, source: Source::UNKNOWN, revocations })
}

fn applied(entries: &[FeedEntry]) -> Revocations {
    let mut revocations = Revocations::default();
    entries.iter().for_each(|entry| revocations.apply(entry));
    revocations
}

#[derive(Clone, Debug)]
struct PrintedKey {
    brand: String,
    environment: EnvironmentName,
    id: KeyId,
    text: String,
}

fn key_texts() -> impl Strategy<Value = PrintedKey> {
    ("[0-9a-z]{2,8}", "[0-9a-z]{1,16}", "[0-9A-Za-z]{16}", "[0-9A-Za-z]{43}").prop_map(
        |(brand, environment, id, secret)| {
            let environment = EnvironmentName::parse(&environment).expect("a name");
            let id = KeyId::parse(&id).expect("an id");
            let text = print_key_text(&Brand::parse(&brand).expect("a brand"), environment, id, &secret);
            PrintedKey { brand, environment, id, text: text.expose().to_owned() }
        },
    )
}

const SCOPES: [&str; 7] =
    ["ledger:read", "ledger:write", "ledger:close", "keys:manage", "audit:read", "sandbox:manage", "entities:manage"];
const GRANTS: [&str; 9] = [
    "ledger:read",
    "ledger:write",
    "ledger:close",
    "keys:manage",
    "audit:read",
    "ledger:*",
    "keys:*",
    "unknown:*",
    "unknown:read",
];

fn scope_sets() -> impl Strategy<Value = ScopeSet> {
    subsequence(SCOPES.to_vec(), 0..=SCOPES.len()).prop_map(|tokens| scope_set(&tokens))
}

fn grants() -> impl Strategy<Value = ScopeSet> {
    subsequence(GRANTS.to_vec(), 0..=4).prop_map(|tokens| scope_set(&tokens))
}

fn scope_texts() -> impl Strategy<Value = String> {
    prop_oneof![4 => scope_sets().prop_map(|set| set.to_string()), 1 => grants().prop_map(|set| set.to_string()), 1 => any::<String>()]
}

fn scope_set(tokens: &[&str]) -> ScopeSet {
    ScopeSet::parse(&tokens.join(" ")).expect("scopes")
}

fn ranges() -> impl Strategy<Value = IpNet> {
    (0..4_u32, 6..=10_u8).prop_map(|(block, length)| {
        let address = (10 << 24 | block << 22).into();
        IpNet::V4(Ipv4Net::new(address, length).expect("at most 32").trunc())
    })
}

/// Tokens of a few developers, keys and entities, with windows of every shape around `NOW`.
fn tokens() -> impl Strategy<Value = VerifiedToken> {
    let window = (-4000..100_i64, -10..10_i64, -100..4000_i64);
    let names = (select(vec!['0', '1']), select(vec!['0', '1']), option::of(select(vec!['0', '1'])));
    (window, names, option::of(select(vec!["acme", "other"])), 1..4_u64, 1..4_u64).prop_map(
        |((issued, delay, life), (key, id, origin), entity, generation, epoch)| {
            token(|claims| {
                claims.issued_at = after(issued);
                claims.not_before = after(issued + delay);
                claims.expires_at = after(issued + life);
                claims.key = key_id(key);
                claims.token = token_id(id);
                claims.origin = origin.map(token_id);
                claims.generation = generation;
                claims.epoch = epoch;
                if let Some(entity) = entity {
                    for_entity(claims, entity);
                }
            })
        },
    )
}

/// Entries about the names in [`tokens`], each remembered until every token that it can revoke is over.
fn entries() -> impl Strategy<Value = FeedEntry> {
    let environment = EnvironmentName::LIVE;
    let first = || select(vec!['0', '1']);
    let announcement = prop_oneof![
        first().prop_map(move |id| Announcement::TokenRevoked { environment, token: token_id(id) }),
        first().prop_map(move |id| Announcement::KeyRevoked { environment, key: key_id(id) }),
        (first(), 1..4_u64).prop_map(move |(id, generation)| Announcement::GenerationEnded {
            environment,
            key: key_id(id),
            generation
        }),
        (1..5_u64).prop_map(|epoch| Announcement::EpochRaised { developer: developer_ref("dev"), epoch }),
        select(vec!["acme", "other"]).prop_map(|id| Announcement::EntityRemoved {
            entity: EntityRef { developer: developer_ref("dev"), id: entity(id) }
        }),
    ];
    (announcement, -4000..100_i64, 4200..9000_i64).prop_map(|(announcement, at, ends_at)| FeedEntry {
        position: FeedPosition(1),
        at: after(at),
        ends_at: after(ends_at),
        announcement,
    })
}
