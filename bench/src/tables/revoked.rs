//! What looking for revocations costs, with none and with a million of them.

use std::rc::Rc;
use std::sync::Arc;

use futures_executor::block_on;
use latchbook::key_store::{KeyStore as _, MemoryStore};
use latchbook::model::{Announcement, ChangeId, ChangeSet, DeveloperId, DeveloperRef, KeyId, TokenId, UnixTime};
use latchbook::{Authority, EnvironmentName};

use crate::claims::now;
use crate::figure::{Asked, figure};
use crate::harness::{Part, Table, Times};
use crate::keys::Algorithm;
use crate::shown::seen_before;
use crate::world::{Provider, ROOM, authority, authority_over, tokens};

pub const PART: Part = Part { title: "Looking for revocations", fill, figures };

const REVOKED: u64 = 1_000_000;
const LIVE: [(u64, &str); 2] = [(1_000, "1,000 live tokens"), (100_000, "100,000 live tokens")];

fn fill(table: &mut Table) {
    for (count, live) in LIVE {
        // Shared, and made once where either is wanted.
        let made = std::cell::OnceCell::new();
        let tokens = || Rc::clone(made.get_or_init(|| Rc::new(tokens(count, 1_000))));
        table.add(format!("revocations: none, {live}"), || {
            seen_before(authority(Provider::Ring, Algorithm::EdDsa, ROOM), tokens())
        });
        table.add(format!("revocations: 1,000,000, {live}"), || seen_before(with_revocations(), tokens()));
    }
}

/// An authority that knows of a million revocations: mostly of tokens, and of keys, generations and developers.
fn with_revocations() -> Authority {
    let store = Arc::new(MemoryStore::new());
    // Sets the store up.
    drop(authority_over(Arc::clone(&store) as _, Provider::Ring, Algorithm::EdDsa, ROOM));
    let (at, until) = (UnixTime::from_seconds(now()), UnixTime::from_seconds(now() + 7_200));
    for page in 0..REVOKED / 1_000 {
        let mut set = ChangeSet::new(ChangeId::from_bytes(u128::from(page).to_be_bytes()), at);
        set.feed = (0..1_000).map(|number| (announcement(page * 1_000 + number), until)).collect();
        block_on(store.commit(set)).expect("committed");
    }
    let authority = authority_over(store, Provider::Ring, Algorithm::EdDsa, ROOM);
    assert_eq!(authority.statistics().revocations, REVOKED as usize);
    authority
}

/// None of a token that is live here.
fn announcement(number: u64) -> Announcement {
    let environment = EnvironmentName::LIVE;
    let key = KeyId::parse(&format!("{number:015}R")).expect("an id");
    match number % 10 {
        0 => Announcement::KeyRevoked { environment, key },
        1 => Announcement::GenerationEnded { environment, key, generation: 0 },
        2 => {
            let id = DeveloperId::parse(&format!("gone{number}")).expect("an id");
            Announcement::EpochRaised { developer: DeveloperRef { environment, id }, epoch: 1 }
        }
        _ => {
            let token = TokenId::parse(&format!("{number:021}R")).expect("an id");
            Announcement::TokenRevoked { environment, token }
        }
    }
}

fn figures(times: &Times) {
    for (_, live) in LIVE {
        if let Some(more) =
            times.more(&format!("revocations: 1,000,000, {live}"), &format!("revocations: none, {live}"))
        {
            figure(format!("1,000,000 revocations, more than none, {live}"), Asked::AtMost(200.0), more, "ns");
        }
    }
}
