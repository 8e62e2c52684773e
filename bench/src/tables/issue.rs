//! A token is made: claims written, signed with a key that is ready.

use latchbook::jose::CompactToken;
use latchbook::token_issuer::TokenIssuer as _;

use crate::bare;
use crate::figure::{Asked, figure};
use crate::harness::{Part, Table, Times};
use crate::keys::Algorithm;
use crate::peers::{self, eleven, nine};
use crate::world::{self, Provider, issuer, ready, token};

pub const PART: Part = Part { title: "Issuing a token", fill, figures };

fn fill(table: &mut Table) {
    for algorithm in Algorithm::ALL {
        let name = algorithm.name();
        let token = match algorithm {
            Algorithm::Hs256 => peers::hs256_token(),
            ours => token(Provider::Ring, ours, &world::claims()),
        };
        let message = CompactToken::parse(&token).expect("a token").signed_part().to_vec();
        let signed = message.clone();
        table.again(format!("issue {name}: bare ring"), || bare::ring_sign(algorithm, signed));
        table.again(format!("issue {name}: bare aws-lc-rs"), || bare::aws_sign(algorithm, message));
        if algorithm != Algorithm::Hs256 {
            for provider in Provider::ALL {
                table.again(format!("issue {name}: latchbook ({})", provider.name()), || {
                    let (issuer, claims) = (issuer(*provider, algorithm), world::claims());
                    move || ready(issuer.issue(&claims)).expect("issued")
                });
            }
        }
        table.again(format!("issue {name}: {}", nine::NAME), || nine::issue(algorithm));
        table.again(format!("issue {name}: {}", eleven::NAME), || eleven::issue(algorithm));
        table.again(format!("issue {name}: {}", peers::SIMPLE), || peers::simple_issue(algorithm));
    }
}

fn figures(times: &Times) {
    for algorithm in Algorithm::OURS {
        let name = algorithm.name();
        for provider in Provider::ALL {
            let of = provider.name();
            let ours = format!("issue {name}: latchbook ({of})");
            if let Some(ratio) = times.ratio(&ours, &format!("issue {name}: bare {of}")) {
                figure(format!("{name}, issuing, over bare {of} with its key ready"), Asked::AtMost(1.05), ratio, "x");
            }
            for peer in [nine::NAME, eleven::NAME, peers::SIMPLE] {
                if let Some(ratio) = times.ratio(&format!("issue {name}: {peer}"), &ours) {
                    let what = format!("{name}, issuing on {of}, times as fast as {peer}");
                    figure(what, asked(algorithm, of, peer), ratio, "x");
                }
            }
        }
    }
}

/// Bounds are for the provider that the peer stands on.
fn asked(algorithm: Algorithm, provider: &str, peer: &str) -> Asked {
    match (algorithm, provider) {
        (Algorithm::EdDsa, "ring") if peer == nine::NAME => Asked::AtLeast(1.9),
        (Algorithm::EdDsa, "aws-lc-rs") if peer == eleven::NAME => Asked::AtLeast(1.8),
        _ => Asked::Nothing,
    }
}
