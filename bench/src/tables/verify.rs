//! A token first seen: its signature is checked and its claims are read.

use std::rc::Rc;

use latchbook::Authority;
use latchbook::jose::CompactToken;
use latchbook::token_issuer::TokenIssuer as _;

use crate::bare::{self, Verify};
use crate::figure::{Asked, figure};
use crate::harness::{Part, Prepared, Table, Times, Work};
use crate::keys::Algorithm;
use crate::peers::{self, Reads as _, eleven, nine};
use crate::world::{self, Provider, ROOM, authenticate, authority, issuer, numbered_claims, token};

pub const PART: Part = Part { title: "A token first seen", fill, figures };

/// How many tokens an authority sees before another takes its place.
const POOL: u64 = 1_000;
/// How many are shown one after the other, at most.
const CHUNK: usize = 50;

fn fill(table: &mut Table) {
    for algorithm in Algorithm::ALL {
        let name = algorithm.name();
        let token = match algorithm {
            Algorithm::Hs256 => peers::hs256_token(),
            ours => token(Provider::Ring, ours, &world::claims()),
        };
        for (provider, bare) in
            [("ring", bare::ring_verify as fn(Algorithm) -> Verify), ("aws-lc-rs", bare::aws_verify)]
        {
            let (message, signature) = parts(&token);
            table.again(format!("verify {name}: bare {provider}"), || {
                let verify = bare(algorithm);
                move || assert!(verify(&message, &signature))
            });
            if algorithm != Algorithm::Hs256 {
                table.again(format!("verify {name}: bare {provider}, another token each time"), || {
                    let verify = bare(algorithm);
                    let tokens: Vec<_> = pool(Provider::Ring, algorithm).iter().map(|token| parts(token)).collect();
                    let mut next = (0..tokens.len()).cycle();
                    move || {
                        let (message, signature) = &tokens[next.next().unwrap_or_default()];
                        assert!(verify(message, signature));
                    }
                });
            }
        }
        if algorithm != Algorithm::Hs256 {
            Provider::ALL.iter().for_each(|provider| ours(table, *provider, algorithm, &token));
        }
        let shown = token.clone();
        table.again(format!("verify {name}: {}", nine::NAME), || {
            let reader = nine::Reader::new(algorithm);
            move || reader.read(&shown).expect("a good token")
        });
        let shown = token.clone();
        table.again(format!("verify {name}: {}", eleven::NAME), || {
            let reader = eleven::Reader::new(algorithm);
            move || reader.read(&shown).expect("a good token")
        });
        table.again(format!("verify {name}: {}", peers::SIMPLE), || {
            let mut verify = peers::simple_verify(algorithm, token);
            move || assert!(verify())
        });
    }
}

fn ours(table: &mut Table, provider: Provider, algorithm: Algorithm, token: &str) {
    let (name, of) = (algorithm.name(), provider.name());
    let shown = token.to_owned();
    table.again(format!("verify {name}: latchbook ({of}), issuer alone"), || {
        let issuer = issuer(provider, algorithm);
        move || {
            let token = CompactToken::parse(&shown).expect("a token");
            issuer.verify(&token).expect("a good token").claims.expires_at
        }
    });
    let shown = token.to_owned();
    table.again(format!("verify {name}: latchbook ({of})"), || {
        // Without room for it, so that the token counts as first seen each time.
        let forgetful = authority(provider, algorithm, 0);
        move || authenticate(&forgetful, &shown).expect("a good token")
    });
    table.add(format!("verify {name}: latchbook ({of}), and remembered"), || first_seen(provider, algorithm));
}

/// Tokens that no authority has seen, each shown once to one that remembers it, and that has seen others before.
pub fn first_seen(provider: Provider, algorithm: Algorithm) -> impl Work + use<> {
    let tokens = pool(provider, algorithm);
    let show = move |authority: &Authority, number: usize| assert!(authenticate(authority, &tokens[number]).is_ok());
    let show = Rc::new(show);
    let shown = Rc::clone(&show);
    Prepared {
        // The authority, and how many tokens it has seen.
        state: None,
        chunk: CHUNK,
        prepare: move |state: &mut Option<(Authority, usize)>| match state {
            Some((_, seen)) if *seen + 2 * CHUNK <= POOL as usize => *seen += CHUNK,
            _ => {
                let fresh = authority(provider, algorithm, ROOM >> 4);
                (0..CHUNK).for_each(|number| shown(&fresh, number));
                *state = Some((fresh, CHUNK));
            }
        },
        operation: move |state: &mut Option<(Authority, usize)>, number: usize| {
            let (authority, seen) = state.as_ref().expect("prepared");
            show(authority, seen + number);
        },
    }
}

/// Distinct tokens. The same one again and again is verified faster, since the processor learns the way through it.
fn pool(provider: Provider, algorithm: Algorithm) -> Vec<String> {
    (0..POOL).map(|number| token(provider, algorithm, &numbered_claims(number, POOL))).collect()
}

fn parts(token: &str) -> (Vec<u8>, Vec<u8>) {
    let token = CompactToken::parse(token).expect("a token");
    (token.signed_part().to_vec(), token.signature().to_vec())
}

fn figures(times: &Times) {
    for algorithm in Algorithm::OURS {
        let name = algorithm.name();
        let bound = if algorithm == Algorithm::Rs256 { 1.08 } else { 1.03 };
        for provider in Provider::ALL {
            let of = provider.name();
            let (ours, bare) = (format!("verify {name}: latchbook ({of})"), format!("verify {name}: bare {of}"));
            if let Some(ratio) = times.ratio(&ours, &bare) {
                figure(format!("{name}, a token first seen, over bare {of}"), Asked::AtMost(bound), ratio, "x");
            }
            let (ours_each, bare_each) =
                (format!("{ours}, and remembered"), format!("{bare}, another token each time"));
            if let Some(ratio) = times.ratio(&ours_each, &bare_each) {
                let what = format!("{name}, tokens first seen and remembered, another each time, over bare {of}");
                figure(what, Asked::AtMost(bound), ratio, "x");
            }
            for peer in [nine::NAME, eleven::NAME, peers::SIMPLE] {
                if let Some(ratio) = times.ratio(&format!("verify {name}: {peer}"), &ours) {
                    let what = format!("{name}, a token first seen on {of}, times as fast as {peer}");
                    figure(what, Asked::Nothing, ratio, "x");
                }
            }
        }
    }
}
