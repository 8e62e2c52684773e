//! What a refusal costs beside letting in a token first seen.

use latchbook::jose::CompactToken;
use latchbook::model::Rejection;
use latchbook::{Authority, Refusal};

use super::verify::first_seen;
use crate::figure::{Asked, figure};
use crate::harness::{Part, Table, Times};
use crate::keys::Algorithm;
use crate::picks::Picks;
use crate::world::{self, Provider, ROOM, authenticate, authority, developer_claims, token};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

pub const PART: Part = Part { title: "Refusing", fill, figures };

const ACCEPTED: &str = "let in: a token first seen, and remembered";
/// Refused before any signature is looked at.
const CHEAP: [&str; 6] = [
    "refused: text without dots",
    "refused: three parts of garbage",
    "refused: a header of garbage before a good payload",
    "refused: an unknown kid",
    "refused: another typ",
    "refused: 9,000 bytes",
];
const BAD_SIGNATURE: &str = "refused: a bad signature";

fn fill(table: &mut Table) {
    table.add(ACCEPTED, || first_seen(Provider::Ring, Algorithm::EdDsa));
    let good = token(Provider::Ring, Algorithm::EdDsa, &world::claims());
    let (signed, signature) = good.rsplit_once('.').expect("dots");
    let (header, payload) = signed.split_once('.').expect("dots");
    let [without_dots, three_parts, garbage_header, unknown_kid, other_typ, long] = CHEAP;

    let random = garbage(good.len());
    refused(table, without_dots, random.clone(), &Rejection::TokenShape);
    let parts = format!(
        "{}.{}.{}",
        &random[..header.len()],
        &random[header.len()..signed.len() - 1],
        &random[..signature.len()]
    );
    // The last character of a part has spare bits; `A` has none set.
    refused(table, three_parts, ends_in_a(&parts), &Rejection::TokenHeader);
    let parts = format!("{}.{payload}.{signature}", &ends_in_a(&random[..header.len()]));
    refused(table, garbage_header, parts, &Rejection::TokenHeader);

    let kid = CompactToken::parse(&good).expect("a token").key_id().to_owned();
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(header).expect("base64")).expect("text");
    let rewritten = |header: String| format!("{}.{payload}.{signature}", URL_SAFE_NO_PAD.encode(header));
    let unknown = rewritten(text.replace(&kid, &"k".repeat(kid.len())));
    refused(table, unknown_kid, unknown, &Rejection::UnknownSigningKey);
    refused(table, other_typ, rewritten(text.replace("at+jwt", "id+jwt")), &Rejection::TokenType);
    refused(table, long, garbage(9_000), &Rejection::TokenTooLong);

    // A good one, of another token: nothing but the whole check finds out.
    let other = token(Provider::Ring, Algorithm::EdDsa, &developer_claims());
    let (_, other) = other.rsplit_once('.').expect("dots");
    refused(table, BAD_SIGNATURE, format!("{signed}.{other}"), &Rejection::BadSignature);
}

fn refused(table: &mut Table, name: &str, token: String, reason: &Rejection) {
    table.again(name, || {
        let authority = authority(Provider::Ring, Algorithm::EdDsa, ROOM >> 4);
        match authenticate(&authority, &token) {
            Err(Refusal::Rejected(rejection)) => assert_eq!(&rejection, reason, "{name}"),
            other => panic!("{name}: {other:?}"),
        }
        move || assert!(is_refused(&authority, &token))
    });
}

fn is_refused(authority: &Authority, token: &str) -> bool {
    authenticate(authority, token).is_err()
}

/// Characters of base64url.
fn garbage(length: usize) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut picks = Picks::new(7);
    (0..length).map(|_| char::from(ALPHABET[picks.below(64)])).collect()
}

/// `parts` with an `A` at the end of each.
fn ends_in_a(parts: &str) -> String {
    let parts: Vec<String> = parts.split('.').map(|part| format!("{}A", &part[..part.len() - 1])).collect();
    parts.join(".")
}

fn figures(times: &Times) {
    for name in CHEAP {
        if let Some(ratio) = times.ratio(name, ACCEPTED) {
            figure(format!("{name}, over a token first seen"), Asked::AtMost(0.1), ratio, "x");
        }
    }
    if let Some(ratio) = times.ratio(BAD_SIGNATURE, ACCEPTED) {
        figure(format!("{BAD_SIGNATURE}, over a token first seen"), Asked::AtMost(1.0), ratio, "x");
    }
}
