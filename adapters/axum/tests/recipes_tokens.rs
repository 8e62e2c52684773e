//! The published recipes of hostile tokens, at the verifier and over HTTP, for each algorithm.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use std::io::ErrorKind;
use std::net::TcpListener;

use axum::Router;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD as BASE64URL};
use latchbook_axum::{AnyPrincipal, Gate};
use latchbook_core::authority::{Actor, Presented};
use latchbook_core::jose::SigningPair;
use latchbook_core::model::{Algorithm, EnvironmentName, Source, TokenId};
use ring::hmac;
use serde_json::{Map, Value, json};

use support::signing::{can_make, jwk, pair, public_forms};
use support::wire::{OverWire as _, Raw, serve};
use support::{LIVE, SANDBOX, World, vectors};

/// An environment as a recipe sees it: the key that signs there, and the claims of a good token.
struct Signer {
    pair: SigningPair,
    claims: Map<String, Value>,
}

struct Cast {
    algorithm: Algorithm,
    world: World,
    live: Signer,
    sandbox: Signer,
    attacker: SigningPair,
    retired: SigningPair,
    listener: String,
    revoked: TokenId,
}

async fn cast(algorithm: Algorithm, listener: &TcpListener) -> Cast {
    let ((live, live_pem), (sandbox, sandbox_pem)) = (pair(algorithm), pair(algorithm));
    let world = World::open_with(|builder| builder.signing_key(LIVE, live_pem).signing_key(SANDBOX, sandbox_pem)).await;
    let claims = async |environment: EnvironmentName| {
        let holder = world.holder(environment, "acme").await;
        let token = world.token_for(&holder, None, Some("ledger:read")).await;
        let payload = token.split('.').nth(1).expect("a payload");
        serde_json::from_slice(&BASE64URL.decode(payload).expect("base64url")).expect("claims")
    };
    let live = Signer { pair: live, claims: claims(LIVE).await };
    let sandbox = Signer { pair: sandbox, claims: claims(SANDBOX).await };
    let revoked = TokenId::parse("revoked000000000000000").unwrap();
    let developer = latchbook_core::model::DeveloperRef {
        environment: LIVE,
        id: latchbook_core::model::DeveloperId::parse("acme").unwrap(),
    };
    let until = world.authority.now().plus(3600);
    let revocation = world.authority.revocation();
    revocation.token(&Actor::Host, Source::UNKNOWN, &developer, revoked, until).await.unwrap();
    let (attacker, retired) = (pair(algorithm).0, pair(algorithm).0);
    let listener = format!("http://{}", listener.local_addr().unwrap());
    Cast { algorithm, world, live, sandbox, attacker, retired, listener, revoked }
}

/// The claims that a recipe does not name itself, with a comma before each.
fn extra(claims: &Map<String, Value>, environment: Option<&str>) -> String {
    let named = ["iss", "aud", "sub", "iat", "nbf", "exp", "jti"];
    let others = claims.iter().filter(|(name, _)| !named.contains(&name.as_str()));
    others
        .map(|(name, value)| match (name.as_str(), environment) {
            ("env", Some(other)) => format!(",\"env\":\"{other}\""),
            _ => format!(",{}:{value}", json!(name)),
        })
        .collect()
}

impl Cast {
    fn fill(&self, text: &str) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (place, after) = after.split_once("}}").expect("an end of a place");
            filled.push_str(before);
            filled.push_str(&self.place(place));
            rest = after;
        }
        filled + rest
    }

    fn place(&self, place: &str) -> String {
        let claim = |name: &str| self.live.claims[name].as_str().expect("a text").to_owned();
        let count = |text: &str| text.parse::<usize>().expect("a number");
        let now = self.world.authority.now().seconds();
        match place.split_once(':').unwrap_or((place, "")) {
            ("iss" | "aud" | "sub", _) => claim(place),
            ("iss_upper", _) => claim("iss").to_uppercase(),
            ("aud_upper", _) => claim("aud").to_uppercase(),
            ("jti", _) => "recipe0000000000000000".to_owned(),
            ("revoked_jti", _) => self.revoked.to_string(),
            ("typ", _) => "at+jwt".to_owned(),
            ("alg", _) => self.algorithm.name().to_owned(),
            ("alg_lower", _) => self.algorithm.name().to_lowercase(),
            ("kid", _) => self.live.pair.id().to_string(),
            ("kid_upper", _) => self.live.pair.id().to_string().to_uppercase(),
            ("other_env_kid", _) => self.sandbox.pair.id().to_string(),
            ("retired_kid", _) => self.retired.id().to_string(),
            ("entity_claim", _) => "entity".to_owned(),
            ("extra", _) => extra(&self.live.claims, None),
            ("extra_other_env", _) => extra(&self.live.claims, Some("sandbox")),
            ("other_env_payload", _) => Value::Object(self.sandbox.claims.clone()).to_string(),
            ("listener", _) => self.listener.clone(),
            ("attacker_x5c", _) => STANDARD.encode(public_forms(self.attacker.public()).1),
            ("attacker_jwk", _) => jwk(self.attacker.public()),
            ("good_token", _) => {
                let header =
                    json!({"alg": self.algorithm.name(), "typ": "at+jwt", "kid": self.live.pair.id().as_str()});
                let payload = Value::Object(self.live.claims.clone()).to_string();
                self.sign(&header.to_string(), &payload, "right")
            }
            ("fill", n) => "a".repeat(count(n)),
            ("nest", n) => "[".repeat(count(n)) + &"]".repeat(count(n)),
            ("many", n) => (0..count(n)).map(|n| format!("\"m{n}\":0")).collect::<Vec<_>>().join(","),
            _ => match place.split_at(3) {
                ("now", "") => now.to_string(),
                ("now", shift) => now.checked_add_signed(shift.parse().expect("a number")).unwrap().to_string(),
                _ => panic!("no place `{place}`"),
            },
        }
    }

    fn sign(&self, header: &str, payload: &str, by: &str) -> String {
        let text = format!("{}.{}", BASE64URL.encode(header), BASE64URL.encode(payload));
        let mac = |key: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec();
        let sign = |pair: &SigningPair| pair.sign(text.as_bytes()).expect("a signature");
        let (raw, der) = public_forms(self.live.pair.public());
        let signature = match by {
            "right" => sign(&self.live.pair),
            "attacker" => sign(&self.attacker),
            "other_env_key" => sign(&self.sandbox.pair),
            "retired_key" => sign(&self.retired),
            "hmac:public_raw" => mac(&raw),
            "hmac:public_der" => mac(&der),
            "hmac:public_pem" => {
                let body = STANDARD.encode(&der);
                mac(format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n").as_bytes())
            }
            _ => panic!("no signer `{by}`"),
        };
        format!("{text}.{}", BASE64URL.encode(signature))
    }

    /// The finished token, or why there is none.
    fn token(&self, case: &Value) -> Result<String, &'static str> {
        let text = |name: &str| case.get(name).and_then(Value::as_str);
        if text("only_alg").is_some_and(|only| only != self.algorithm.name()) {
            return Err("for another algorithm");
        }
        if text("skip_if_alg") == Some(self.algorithm.name()) {
            return Err("not for this algorithm");
        }
        let (header, payload) = (self.fill(text("header").unwrap()), self.fill(text("payload").unwrap()));
        let token = self.sign(&header, &payload, text("sign").unwrap());
        match text("after") {
            // Whole groups of four characters leave no bit unused: an RSA signature of 384 bytes has none.
            Some("flip_last_bit:signature") if token.rsplit('.').next().is_some_and(|part| part.len() % 4 == 0) => {
                Err("the signature has no unused bit")
            }
            Some(after) => Ok(change(token, after)),
            None => Ok(token),
        }
    }
}

/// Applies the step `after` to a finished token.
fn change(token: String, after: &str) -> String {
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    let (step, rest) = after.split_once(':').unwrap_or((after, ""));
    let (part, amount) = rest.split_once(':').unwrap_or((rest, "0"));
    let at = ["header", "payload", "signature"].iter().position(|name| *name == part).unwrap_or(2);
    let amount: usize = amount.parse().unwrap_or(0);
    let mut bytes = BASE64URL.decode(&parts[at]).expect("base64url");
    match step {
        "set" => return rest.to_owned(),
        "set_repeat" => return rest.split_once('*').map(|(c, n)| c.repeat(n.parse().unwrap())).unwrap(),
        "append" => return token + rest,
        "prepend" => return rest.to_owned() + &token,
        "replace_first" => return rest.split_once('>').map(|(a, b)| token.replacen(a, b, 1)).unwrap(),
        "replace_all" => return rest.split_once('>').map(|(a, b)| token.replace(a, b)).unwrap(),
        // A plus at least, should the token hold none of the characters that differ.
        "std_alphabet" if !token.contains(['-', '_']) => return token.replacen('A', "+", 1),
        "std_alphabet" => return token.replace('-', "+").replace('_', "/"),
        "json_flattened" => {
            return json!({"protected": parts[0], "payload": parts[1], "signature": parts[2]}).to_string();
        }
        "drop" => {
            parts.remove(at);
            return parts.join(".");
        }
        "flip_last_bit" => {
            let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
            let last = parts[at].pop().and_then(|last| alphabet.find(last)).unwrap();
            parts[at].push(alphabet.as_bytes()[last ^ 1].into());
            return parts.join(".");
        }
        "empty" => bytes.clear(),
        "cut" => bytes.truncate(bytes.len() - amount),
        "grow" => bytes.extend(std::iter::repeat_n(0, amount)),
        "zero" => bytes.fill(0),
        "flip_bit" => {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
        }
        "ecdsa_der" => {
            let integer = |half: &[u8]| {
                let mut digits: Vec<u8> = half.iter().copied().skip_while(|&byte| byte == 0).collect();
                if digits[0] > 0x7f {
                    digits.insert(0, 0);
                }
                [&[2, u8::try_from(digits.len()).unwrap()][..], &digits].concat()
            };
            let both = [integer(&bytes[..32]), integer(&bytes[32..])].concat();
            bytes = [&[0x30, u8::try_from(both.len()).unwrap()][..], &both].concat();
        }
        "ed25519_s_plus_l" => {
            let mut order = [0_u8; 32];
            order[..16].copy_from_slice(b"\xed\xd3\xf5\x5c\x1a\x63\x12\x58\xd6\x9c\xf7\xa2\xde\xf9\xde\x14");
            order[31] = 0x10;
            let mut carry = 0;
            for (digit, add) in bytes[32..].iter_mut().zip(order) {
                let sum = u16::from(*digit) + u16::from(add) + carry;
                *digit = (sum & 0xff) as u8;
                carry = sum >> 8;
            }
        }
        _ => panic!("no step `{after}`"),
    }
    parts[at] = BASE64URL.encode(bytes);
    parts.join(".")
}

/// Plays every recipe under `algorithm`; `want` is how many are accepted, refused and skipped.
async fn play(algorithm: Algorithm, want: (usize, usize, usize)) {
    let Some(file) = vectors::read("own/hostile_tokens.json") else { return };
    if !can_make(algorithm) {
        println!("skipped: {}: no openssl command", algorithm.name());
        return;
    }
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.set_nonblocking(true).expect("a listener");
    let cast = cast(algorithm, &listener).await;
    let authority = &cast.world.authority;
    let app = Router::new().route("/guarded", get(|_: AnyPrincipal| async {}));
    let server = serve(app.with_state(Gate::new(authority.clone())));
    let cases = file["cases"].as_array().expect("a list");
    let (mut accepted, mut refused, mut skipped) = (0, 0, 0);
    for case in cases {
        let what = format!("{} {} {} {}", algorithm.name(), case["id"], case["row"], case["name"]);
        let token = match cast.token(case) {
            Ok(token) => token,
            Err(reason) => {
                println!("skipped: {what}: {reason}");
                skipped += 1;
                continue;
            }
        };
        // The verifier lets in what is whole in any mounted environment; which of them is served, the route says.
        let presented = Presented { token: token.as_bytes(), source: Source::UNKNOWN };
        let first = authority.authenticate(&presented).await.is_ok_and(|p| p.environment() == LIVE);
        let second = authority.authenticate(&presented).await.is_ok_and(|p| p.environment() == LIVE);
        assert_eq!(first, second, "{what}: twice");
        match case["expect"].as_str() {
            Some("accept") => assert!(first, "{what}"),
            Some("reject") => assert!(!first, "{what}"),
            Some("either") => println!("either: {what}: {}", if first { "accepted" } else { "refused" }),
            other => panic!("{what}: {other:?}"),
        }
        *(if first { &mut accepted } else { &mut refused }) += 1;
        if ["O018", "O019", "O020"].iter().any(|id| case["id"] == *id) {
            println!("skipped over HTTP: {what}: HTTP trims a field's ends");
            continue;
        }
        let answer = Raw::new("GET", "/guarded").header("Authorization", format!("Bearer {token}")).send(server).await;
        let challenge = answer.challenge().unwrap_or_default();
        // Where the field's own syntax fails first, that is the answer; a server may refuse a field for its length.
        let stray = |part: &str| {
            !part.trim_end_matches('=').bytes().all(|b| b.is_ascii_alphanumeric() || b"-_~+/".contains(&b))
        };
        let malformed = token.split('.').any(stray);
        match answer.status {
            200 => assert!(first, "{what}: {answer:?}"),
            401 => assert!(!first && challenge.contains("error=\"invalid_token\""), "{what}: {answer:?}"),
            400 => {
                assert!(token.is_empty() || malformed, "{what}: {answer:?}");
                assert!(!first && challenge.contains("error=\"invalid_request\""), "{what}: {answer:?}");
            }
            431 => assert!(!first && token.len() > 8192, "{what}: {answer:?}"),
            _ => panic!("{what}: {answer:?}"),
        }
    }
    let heard = listener.accept().expect_err("A7: nobody may call the listener");
    assert_eq!(heard.kind(), ErrorKind::WouldBlock);
    println!("{}: {accepted} accepted, {refused} refused, {skipped} skipped", algorithm.name());
    assert_eq!(accepted + refused + skipped, cases.len());
    assert_eq!((accepted, refused, skipped), want, "accepted, refused, skipped under {}", algorithm.name());
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_tokens_are_refused_alike_by_verifier_and_route_under_ed25519() {
    play(Algorithm::EdDsa, (4, 167, 3)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_tokens_are_refused_alike_by_verifier_and_route_under_es256() {
    play(Algorithm::Es256, (4, 168, 2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_tokens_are_refused_alike_by_verifier_and_route_under_rs256() {
    play(Algorithm::Rs256, (4, 165, 5)).await;
}
