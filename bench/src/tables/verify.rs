//! A token first seen: its signature is checked and its claims are read.

use std::rc::Rc;

use latchbook::Authority;
use latchbook::jose::CompactToken;
use latchbook::token_issuer::TokenIssuer as _;

use crate::bare;
use crate::figure::{Asked, figure};
use crate::harness::{Part, Prepared, Table, Times};
use crate::keys::Algorithm;
use crate::peers::{self, Reads as _, eleven, nine};
use crate::world::{self, Provider, ROOM, authenticate, authority, issuer, numbered_claims, token};

pub const PART: Part = Part { title: "A token first seen", fill, figures };

/// How many tokens an authority sees before another takes its place.
const FRESH: u64 = 40;

fn fill(table: &mut Table) {
    for algorithm in Algorithm::ALL {
        let name = algorithm.name();
        let token = match algorithm {
            Algorithm::Hs256 => peers::hs256_token(),
            ours => token(Provider::Ring, ours, &world::claims()),
        };
        let (message, signature) = parts(&token);
        table.again(format!("verify {name}: bare ring"), || {
            let mut verify = bare::ring_verify(algorithm, message.clone(), signature.clone());
            move || assert!(verify())
        });
        table.again(format!("verify {name}: bare aws-lc-rs"), || {
            let mut verify = bare::aws_verify(algorithm, message, signature);
            move || assert!(verify())
        });
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

/// Tokens that no authority has seen, each shown once to one that has room for them.
pub fn first_seen(provider: Provider, algorithm: Algorithm) -> Fresh {
    let claims = (0..FRESH).map(|number| numbered_claims(number, FRESH));
    let tokens: Rc<Vec<String>> = Rc::new(claims.map(|claims| token(provider, algorithm, &claims)).collect());
    let make = Box::new(move || authority(provider, algorithm, ROOM >> 4));
    Prepared {
        state: make(),
        chunk: FRESH as usize,
        prepare: Box::new(move |authority: &mut Authority| *authority = make()),
        operation: Box::new(move |authority: &mut Authority, number: usize| {
            assert!(authenticate(authority, &tokens[number]).is_ok());
        }),
    }
}

/// What [`first_seen`] makes.
pub type Fresh = Prepared<Authority, Box<dyn FnMut(&mut Authority)>, Box<dyn FnMut(&mut Authority, usize)>>;

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
            if let Some(ratio) = times.ratio(&format!("{ours}, and remembered"), &bare) {
                figure(format!("{name}, the same and remembered, over bare {of}"), Asked::Nothing, ratio, "x");
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
