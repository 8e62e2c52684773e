//! Many at once: a revocation among exchanges, equal creations, one token ten thousand times, a signing key that goes.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread;

use futures_executor::block_on;
use latchbook_core::authority::{NewEntity, Refusal, SandboxActor};
use latchbook_core::model::{AuditAction, ChainId, Record, RecordKey, Rejection, Row};

use crate::sandboxes::kinds;
use crate::support::{
    HOST, Holder, House, LIVE, NOWHERE, SANDBOX, Upkeep, developer, entity, idempotent, new_key, order, pem, rejection,
};

const THREADS: usize = 8;

/// Runs `work` on every thread at once, each with its number.
pub fn at_once<T: Send>(threads: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let barrier = Barrier::new(threads);
    thread::scope(|scope| {
        let run = |number| {
            let (barrier, work) = (&barrier, &work);
            scope.spawn(move || {
                barrier.wait();
                work(number)
            })
        };
        let running: Vec<_> = (0..threads).map(run).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn count(house: &House, wanted: impl Fn(&Record) -> bool) -> usize {
    house.store.rows().iter().filter(|row| matches!(row, Row::Record(stored) if wanted(&stored.record))).count()
}

#[test]
fn r1_no_exchange_that_began_after_the_revocation_was_acknowledged_succeeds() {
    type Revoke = fn(&House, &Holder) -> Result<(), Refusal>;
    for revoke in [House::revoke_key as Revoke, House::suspend] {
        for houses in [vec![House::new()], two_nodes()] {
            let house = &houses[0];
            let holder = house.holder("acme");
            let acknowledged = AtomicBool::new(false);
            let begun = AtomicUsize::new(0);
            let results = at_once(THREADS + 1, |number| {
                if number == THREADS {
                    while begun.load(Ordering::SeqCst) < 500 {
                        thread::yield_now();
                    }
                    revoke(house, &holder).unwrap();
                    acknowledged.store(true, Ordering::SeqCst);
                    return Vec::new();
                }
                let exchange = |_| {
                    begun.fetch_add(1, Ordering::SeqCst);
                    let late = acknowledged.load(Ordering::SeqCst);
                    (late, houses[number % houses.len()].exchange(&holder))
                };
                (0..1_000 / THREADS).map(exchange).collect()
            });
            let results: Vec<_> = results.into_iter().flatten().collect();
            assert_eq!(results.len(), 1_000);
            assert!(results.iter().any(|(_, issued)| issued.is_ok()));
            for (late, issued) in results {
                match issued {
                    Ok(issued) => {
                        assert!(!late, "an exchange that began after the acknowledgement succeeded");
                        rejection(house.admit(issued.token.expose()));
                    }
                    Err(Refusal::Rejected(Rejection::KeyRevoked | Rejection::DeveloperSuspended)) => {}
                    Err(other) => panic!("{other}"),
                }
            }
            houses.iter().for_each(|house| drop(rejection(house.exchange(&holder))));
            // Not one token was made after it, by whichever order the store gave them.
            let events = house.events(&ChainId::Developer(holder.developer.clone()));
            let last = events.last().map(|event| event.action);
            assert!(matches!(last, Some(AuditAction::KeyRevoked | AuditAction::DeveloperSuspended)), "{last:?}");
        }
    }
}

fn two_nodes() -> Vec<House> {
    let house = House::shared();
    let another = house.another(0);
    vec![house, another]
}

#[test]
fn r2_under_load_only_the_retired_keys_tokens_are_refused_and_none_is_made_with_it() {
    for house in [House::new(), House::shared()] {
        let holder = house.holder("acme");
        // Goes up by one before a retirement begins and by one once it is acknowledged.
        let retirements = AtomicUsize::new(0);
        let (done, made) = (AtomicBool::new(false), AtomicUsize::new(0));
        at_once(THREADS + 1, |number| {
            if number == THREADS {
                for _ in 0..20 {
                    retirements.fetch_add(1, Ordering::SeqCst);
                    house.retire(LIVE).unwrap();
                    retirements.fetch_add(1, Ordering::SeqCst);
                    let before = made.load(Ordering::SeqCst);
                    while made.load(Ordering::SeqCst) < before + THREADS {
                        thread::yield_now();
                    }
                }
                done.store(true, Ordering::SeqCst);
                return;
            }
            while !done.load(Ordering::SeqCst) {
                let before = retirements.load(Ordering::SeqCst);
                let token = house.token(&holder);
                made.fetch_add(1, Ordering::SeqCst);
                let answers = [house.admit(&token), house.admit(&token)];
                // No retirement was under way meanwhile: the token is good.
                if before.is_multiple_of(2) && retirements.load(Ordering::SeqCst) == before {
                    assert!(answers.iter().all(Result::is_ok), "a good token was refused");
                } else {
                    let refused = |answer: &Result<_, _>| match answer {
                        Ok(_) | Err(Refusal::Rejected(Rejection::UnknownSigningKey)) => true,
                        Err(_) => false,
                    };
                    assert!(answers.iter().all(refused));
                }
            }
        });
        assert!(house.admit(&house.token(&holder)).is_ok());
    }
}

#[test]
fn r2_while_signing_keys_are_replaced_under_load_no_good_token_is_refused() {
    let houses = two_nodes();
    let holder = houses[0].holder("acme");
    let (done, made) = (AtomicBool::new(false), AtomicUsize::new(0));
    at_once(THREADS + 1, |number| {
        let house = &houses[number % houses.len()];
        if number == THREADS {
            for _ in 0..6 {
                block_on(house.authority.signing_keys().import(LIVE, &pem(Default::default()).0)).unwrap();
                let before = made.load(Ordering::SeqCst);
                while made.load(Ordering::SeqCst) < before + THREADS {
                    thread::yield_now();
                }
            }
            done.store(true, Ordering::SeqCst);
            return;
        }
        let mut tokens = Vec::new();
        while !done.load(Ordering::SeqCst) {
            tokens.push(house.token(&holder));
            made.fetch_add(1, Ordering::SeqCst);
            for token in tokens.iter().rev().take(20) {
                assert!(house.admit(token).is_ok(), "a good token was refused");
            }
        }
    });
}

#[test]
fn r2_a_token_signed_with_a_key_that_another_node_retired_is_not_given_out() {
    let here = House::shared();
    let holder = here.holder("acme");
    let there = here.another(0);
    there.token(&holder);
    for _ in 0..3 {
        // `there` has not read of it yet.
        here.retire(LIVE).unwrap();
        let token = there.token(&holder);
        assert!(here.admit(&token).is_ok() && there.admit(&token).is_ok());
        let sandbox = there.retire(SANDBOX).and_then(|()| here.open_sandbox(&order(&token[token.len() - 20..])));
        assert!(there.admit(sandbox.unwrap().token.expose()).is_ok());
    }
}

#[test]
fn r5_the_same_name_made_twice_at_once_is_one_row() {
    for _ in 0..20 {
        let house = House::new();
        let acme = house.holder("acme");
        let made = at_once(4, |_| {
            let new = NewEntity { id: Some(entity("same")), legal_name: "Same".to_owned() };
            (
                block_on(house.authority.developers().create(&HOST, NOWHERE, &developer(LIVE, "same"), "Same")),
                block_on(house.authority.entities().create(&HOST, NOWHERE, &acme.developer, &new)),
                house.open_sandbox(&order("same")),
            )
        });
        let mut won = [0; 3];
        for (developer, entity, sandbox) in made {
            let results = [developer.map(drop), entity.map(drop), sandbox.map(drop)];
            for (won, result) in won.iter_mut().zip(results) {
                match result {
                    Ok(()) => *won += 1,
                    refused => assert_eq!(rejection(refused), Rejection::Conflict),
                }
            }
        }
        assert_eq!(won, [1; 3]);
        assert_eq!(count(&house, |record| record.key() == RecordKey::Developer(developer(LIVE, "same"))), 1);
        assert_eq!(count(&house, |record| matches!(record, Record::Sandbox(_))), 1);
        assert_eq!(house.events(&ChainId::Developer(developer(LIVE, "same"))).len(), 1);
    }
}

#[test]
fn r5_e18_one_idempotency_key_sent_twice_at_once_opens_one_sandbox_for_both() {
    for _ in 0..20 {
        let house = House::new();
        let opened = at_once(4, |_| house.open_sandbox(&idempotent("acme", 'k')).unwrap());
        assert_eq!(opened.iter().filter(|opened| opened.created).count(), 1);
        let ids: Vec<_> = opened.iter().map(|opened| &opened.entity.reference).collect();
        assert!(ids.iter().all(|id| *id == ids[0]), "the same sandbox for all");
        for (kind, wanted) in [("developer", 1), ("key", 1), ("entity", 1), ("sandbox", 1), ("request", 1)] {
            let found = count(&house, |record| match record {
                Record::Developer(_) => kind == "developer",
                Record::ApiKey(_) => kind == "key",
                Record::Entity(_) => kind == "entity",
                Record::Sandbox(_) => kind == "sandbox",
                Record::SandboxRequest(_) => kind == "request",
                _ => false,
            });
            assert_eq!(found, wanted, "{kind}");
        }
        // Of the texts that were shown, exactly one works: the last.
        let works = opened.iter().filter(|opened| {
            let developer = opened.developer.reference.clone();
            let key = latchbook_core::check::parse_key_text(opened.api_key.expose()).unwrap().id;
            house.exchange(&Holder { developer, key, text: opened.api_key.clone() }).is_ok()
        });
        assert_eq!(works.count(), 1);
    }
}

#[test]
fn r5_a_caller_that_is_limited_is_limited_however_many_ask_at_once() {
    let house = House::with(|builder| builder.limits(latchbook_core::authority::Limits::default()));
    let opened = at_once(THREADS, |number| {
        let actor = SandboxActor::Open;
        let create = |nth: usize| {
            let order = order(&format!("dev-{number}-{nth}"));
            block_on(house.authority.sandboxes().create(&actor, NOWHERE, &order)).is_ok()
        };
        (0..4).filter(|nth| create(*nth)).count()
    });
    assert_eq!(opened.iter().sum::<usize>(), 10);
}

#[test]
fn r6_one_token_sent_ten_thousand_times_at_once_gets_the_same_answer_each_time() {
    let house = House::new();
    let holder = house.holder("acme");
    let (good, dead) = (house.token(&holder), house.token(&holder));
    house.revoke_token(&dead).unwrap();
    let answers = Mutex::new(Vec::new());
    at_once(THREADS, |_| {
        let mut mine = Vec::new();
        for _ in 0..10_000 / THREADS {
            let answer = |token: &str| {
                house.admit(token).map(|principal| principal.token_id()).map_err(|refused| refused.to_string())
            };
            mine.push((answer(&good), answer(&dead)));
        }
        answers.lock().unwrap().extend(mine);
    });
    let answers = answers.into_inner().unwrap();
    assert_eq!(answers.len(), 10_000);
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert!(answers[0].0.is_ok() && answers[0].1.is_err());
}

#[test]
fn nothing_made_while_a_sandbox_is_removed_outlives_it() {
    for _ in 0..40 {
        let house = House::new();
        let opened = house.open_sandbox(&order("acme")).unwrap();
        let owner = opened.developer.reference;
        house.clock.advance(7 * 86_400);
        let made = at_once(2, |number| {
            if number == 0 {
                Upkeep::of(&house.authority).round();
                return Vec::new();
            }
            let create = |nth: usize| {
                let new = NewEntity { id: Some(entity(&format!("e-{nth}"))), legal_name: "New".to_owned() };
                block_on(house.authority.entities().create(&HOST, NOWHERE, &owner, &new)).map(drop)?;
                block_on(house.authority.keys().create(&HOST, NOWHERE, &owner, &new_key("ledger:read")))
            };
            (0..10).map_while(|nth| create(nth).ok()).map(|created| created.text).collect()
        });
        house.clock.advance(60);
        Upkeep::of(&house.authority).round();
        assert_eq!(kinds(&house, "acme"), Vec::<&str>::new());
        house.open_sandbox(&order("acme")).unwrap();
        for text in made.into_iter().flatten() {
            let key = latchbook_core::check::parse_key_text(text.expose()).unwrap().id;
            assert_eq!(
                rejection(house.exchange(&Holder { developer: owner.clone(), key, text })),
                Rejection::KeyUnknown
            );
        }
    }
}
