//! Measures latchbook beside what it stands on: every round runs one batch of each case, and medians are printed.
//!
//! Run it with `cargo run --release` in this folder. Read the ratios; single figures move with the machine. A word after
//! `--` runs the cases alone whose name has it, for a profiler.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::{App, web};
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::routing::get;
use futures_executor::block_on;
use latchbook::authority::{Exchange, Limits, Presented};
use latchbook::axum::AnyPrincipal;
use latchbook::check::NewKey;
use latchbook::jose::CompactToken;
use latchbook::key_store::MemoryStore;
use latchbook::model::{DeveloperId, Metadata, PublicKey, ScopeSet};
use latchbook::{Actor, Authority, DeveloperRef, EnvironmentName, Gate, MasterKey, Source};
use ring::signature::{ED25519, UnparsedPublicKey};
use tower::ServiceExt as _;

const ROUNDS: usize = 31;

/// One measured case.
struct Case<'a> {
    name: &'static str,
    batch: u32,
    run: Box<dyn FnMut() + 'a>,
    nanoseconds: Vec<f64>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A cache without room, so that every token counts as first seen; and one with room.
    let forgetful = authority(0)?;
    let mindful = authority(32 << 20)?;
    let (token, key) = token(&forgetful)?;
    let (seen, _) = self::token(&mindful)?;
    let compact = CompactToken::parse(&token).map_err(|rejection| rejection.reason())?;
    let (message, signature) = (compact.signed_part().to_vec(), compact.signature().to_vec());
    let bare = UnparsedPublicKey::new(&ED25519, key);

    let gate = Gate::new(mindful.clone());
    let unguarded: Router =
        Router::new().route("/", get(|State(_): State<Gate>| async { "pong" })).with_state(gate.clone());
    let guarded: Router = Router::new().route("/", get(|_: AnyPrincipal| async { "pong" })).with_state(gate.clone());

    // A route that asks for the gate alone, so that finding it is no part of the difference.
    let on_actix = latchbook::actix::configure(&gate);
    let on_actix = App::new()
        .configure(on_actix)
        .route("/open", web::get().to(async |_: web::Data<Gate>| "pong"))
        .route("/guarded", web::get().to(async |_: latchbook::actix::AnyPrincipal| "pong"));
    let on_actix = block_on(init_service(on_actix));

    let verify = |authority: &Authority, token: &str| {
        let presented = Presented { token: token.as_bytes(), source: Source::UNKNOWN };
        black_box(block_on(authority.authenticate(&presented)).is_ok())
    };
    assert!(verify(&forgetful, &token) && verify(&mindful, &seen), "the tokens are good");
    let field = format!("Bearer {seen}");
    let call = |router: &Router| {
        let request = http::Request::builder().uri("/").header("authorization", &field).body(Body::empty());
        let answer = request.map(|request| block_on(router.clone().oneshot(request)));
        black_box(matches!(answer, Ok(Ok(answer)) if answer.status() == 200))
    };
    let call_actix = |path: &str| {
        let request = TestRequest::with_uri(path).insert_header(("authorization", field.as_str())).to_request();
        black_box(block_on(call_service(&on_actix, request)).status() == 200)
    };
    assert!(call(&unguarded) && call(&guarded), "both routes answer");
    assert!(call_actix("/open") && call_actix("/guarded"), "and both on actix");

    let mut cases = [
        case("bare ring Ed25519 verification", 200, || _ = black_box(bare.verify(&message, &signature))),
        case("a token first seen", 200, || _ = verify(&forgetful, &token)),
        case("a token seen before", 20_000, || _ = verify(&mindful, &seen)),
        case("open route, in process", 5_000, || _ = call(&unguarded)),
        case("guarded route, in process", 5_000, || _ = call(&guarded)),
        case("open route on actix, in process", 5_000, || _ = call_actix("/open")),
        case("guarded route on actix, in process", 5_000, || _ = call_actix("/guarded")),
    ];
    let word = std::env::args().nth(1).unwrap_or_default();
    for _ in 0..ROUNDS {
        for case in cases.iter_mut().filter(|case| case.name.contains(&word)) {
            let began = Instant::now();
            for _ in 0..case.batch {
                (case.run)();
            }
            case.nanoseconds.push(began.elapsed().as_secs_f64() * 1e9 / f64::from(case.batch));
        }
    }
    let medians: Vec<(&str, f64)> = cases
        .iter_mut()
        .map(|case| {
            case.nanoseconds.sort_by(f64::total_cmp);
            (case.name, case.nanoseconds.get(ROUNDS / 2).copied().unwrap_or_default())
        })
        .collect();
    for (name, median) in &medians {
        println!("{name:<34} {median:>10.0} ns");
    }
    if let [(_, bare), (_, first), _, (_, open), (_, guarded), (_, open_actix), (_, guarded_actix)] = medians.as_slice()
    {
        println!("first seen over bare verification  {:>10.3} x", first / bare);
        println!("guarded over unguarded route       {:>10.0} ns more", guarded - open);
        println!("the same on actix                  {:>10.0} ns more", guarded_actix - open_actix);
    }
    Ok(())
}

fn case<'a>(name: &'static str, batch: u32, run: impl FnMut() + 'a) -> Case<'a> {
    Case { name, batch, run: Box::new(run), nanoseconds: Vec::with_capacity(ROUNDS) }
}

fn authority(cache_bytes: usize) -> Result<Authority, latchbook::BuildError> {
    let builder = Authority::builder()
        .shared_store(Arc::new(MemoryStore::new()))
        .issuer("https://api.example.com")
        .master_key(MasterKey::from_bytes([7; 32]))
        .limits(Limits::OFF)
        .cache_bytes(cache_bytes);
    block_on(builder.build())
}

/// A token of a fresh key, and the public key that verifies it.
fn token(authority: &Authority) -> Result<(String, [u8; 32]), Box<dyn std::error::Error>> {
    let developer = DeveloperRef { environment: EnvironmentName::LIVE, id: DeveloperId::parse("bench")? };
    let (host, source) = (Actor::Host, Source::UNKNOWN);
    block_on(authority.developers().create(&host, source, &developer, "Bench"))?;
    let new = NewKey {
        name: "bench".to_owned(),
        scopes: ScopeSet::parse("audit:read keys:manage")?,
        expires_at: None,
        allowed_ips: Vec::new(),
        metadata: Metadata::default(),
    };
    let created = block_on(authority.keys().create(&host, source, &developer, &new))?;
    let exchange = Exchange {
        developer: "bench",
        api_key: &created.text,
        entity: None,
        scope: None,
        lifetime: Some(3_600),
        source,
    };
    let issued = block_on(authority.exchange(&exchange))?;
    let keys = authority.public_keys(EnvironmentName::LIVE).unwrap_or_default();
    match keys.first() {
        Some((_, PublicKey::Ed25519(key))) => Ok((issued.token.expose().to_owned(), *key)),
        _ => Err("no Ed25519 key".into()),
    }
}
