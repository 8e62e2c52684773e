//! A token seen before: its lifetime, revocation and counting, without its signature.

use std::rc::Rc;

use crate::figure::{Asked, figure};
use crate::harness::{Part, Table, Times};
use crate::keys::Algorithm;
use crate::peers::{self, Reads as _, eleven, nine};
use crate::shown::seen_before;
use crate::world::{self, Provider, ROOM, authority, token, tokens};

pub const PART: Part = Part { title: "A token seen before", fill, figures };

fn fill(table: &mut Table) {
    // As many keys as a large service has callers at once, so that tokens share keys where there are more.
    for (count, keys, name) in [
        (1, 1, "again: 1 live token"),
        (1_000, 1_000, "again: 1,000 live tokens"),
        (100_000, 1_000, "again: 100,000 live tokens"),
        (100_000, 100_000, "again: 100,000 live tokens, each of its own key"),
    ] {
        table
            .add(name, || seen_before(authority(Provider::Ring, Algorithm::EdDsa, ROOM), Rc::new(tokens(count, keys))));
    }
    for algorithm in [Algorithm::EdDsa, Algorithm::Hs256] {
        let token = match algorithm {
            Algorithm::Hs256 => peers::hs256_token(),
            ours => token(Provider::Ring, ours, &world::claims()),
        };
        let shown = token.clone();
        table.again(format!("again {}: {}", algorithm.name(), nine::NAME), || {
            let reader = nine::Reader::new(algorithm);
            move || reader.read(&shown).expect("a good token")
        });
        table.again(format!("again {}: {}", algorithm.name(), eleven::NAME), || {
            let reader = eleven::Reader::new(algorithm);
            move || reader.read(&token).expect("a good token")
        });
    }
}

fn figures(times: &Times) {
    for (name, asked) in [
        ("again: 1 live token", Asked::Nothing),
        // 75 ns, and 100 with counting; there is no way in without it.
        ("again: 1,000 live tokens", Asked::AtMost(100.0)),
        ("again: 100,000 live tokens", Asked::AtMost(400.0)),
        ("again: 100,000 live tokens, each of its own key", Asked::Nothing),
    ] {
        if let Some(nanoseconds) = times.of(name) {
            let (_, what) = name.split_once(": ").unwrap_or_default();
            figure(format!("a token seen before, {what}, counted"), asked, nanoseconds, "ns");
        }
    }
    for (peer, asked) in [
        (format!("again EdDSA: {}", nine::NAME), Asked::AtLeast(480.0)),
        (format!("again HS256: {}", nine::NAME), Asked::Nothing),
        (format!("again EdDSA: {}", eleven::NAME), Asked::Nothing),
        (format!("again HS256: {}", eleven::NAME), Asked::Nothing),
    ] {
        if let Some(ratio) = times.ratio(&peer, "again: 1,000 live tokens") {
            let peer = peer.trim_start_matches("again ");
            figure(format!("a token seen before, times as fast as {peer}"), asked, ratio, "x");
        }
    }
}
