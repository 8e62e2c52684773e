//! The cache of verified tokens under attack: what becomes of 1,000 good tokens in use while garbage pours in.
//!
//! Run `cargo run --release --bin attack` in this folder: 9,900,000 tokens that fall before a signature is checked, 100,000
//! whose signature is wrong, and 200,000 distinct good ones of one account, four times what the cache holds. `quick` after
//! `--` shows a hundredth. Meanwhile another thread shows the good tokens in turn. Each wave's line has what a token of it
//! cost, and how many of the good ones had to be verified again.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_executor::block_on;
use latchbook::authority::{Limits, Presented};
use latchbook::jose::SigningPair;
use latchbook::key_store::MemoryStore;
use latchbook::{Authority, EnvironmentName, MasterKey, Source};
use latchbook_bench::Failure;
use latchbook_bench::data::scattered;
use latchbook_bench::figure::{Asked, figure};
use latchbook_bench::prepared::{ISSUER, member, pem, working_keys};
use latchbook_bench::tokens::Maker;

const GOOD: usize = 1_000;
/// How often a good token is shown: one of them every so often, so that each has its turn about six times a second.
const PACE: Duration = Duration::from_micros(100);
/// The default of the builder, said here so that the bound is known.
const CACHE: usize = 32 << 20;

/// The waves: a name, and how many tokens.
const WAVES: [(Wave, usize); 7] = [
    (Wave::Noise, 3_000_000),
    (Wave::ThreeParts, 2_500_000),
    (Wave::UnknownKey, 2_500_000),
    (Wave::NoAlgorithm, 1_800_000),
    (Wave::TooLong, 100_000),
    (Wave::BadSignature, 100_000),
    (Wave::Flood, 200_000),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wave {
    Noise,
    ThreeParts,
    UnknownKey,
    NoAlgorithm,
    TooLong,
    BadSignature,
    Flood,
}

impl Wave {
    fn name(self) -> &'static str {
        match self {
            Self::Noise => "random bytes",
            Self::ThreeParts => "three parts of random base64url",
            Self::UnknownKey => "a right header with an unknown `kid`",
            Self::NoAlgorithm => "a right header but for `alg: none` or `typ: JWT`",
            Self::TooLong => "over 8,192 bytes",
            Self::BadSignature => "a good token's header with a wrong signature, or with another's",
            Self::Flood => "distinct good tokens of one account",
        }
    }
}

fn main() -> Result<(), Failure> {
    let part = if std::env::args().any(|word| word == "quick") { 100 } else { 1 };
    let pem = pem()?;
    let builder = Authority::builder()
        .store(MemoryStore::new())
        .issuer(ISSUER)
        .master_key(MasterKey::from_bytes([7; 32]))
        .signing_key(EnvironmentName::LIVE, pem.clone())
        .cache_bytes(CACHE)
        .limits(Limits::OFF);
    let authority = block_on(builder.build())?;
    let lines = block_on(working_keys(&authority, 11))?;
    let members = lines.lines().map(member).collect::<Result<Vec<_>, _>>()?;
    let (owners, attacker) = members.split_at(10);
    let maker = |members| Maker::new(members, SigningPair::from_pem(&pem)?.0, ISSUER);
    let many = |members, count| -> Result<Vec<String>, Failure> {
        let maker = maker(members)?;
        (0..count).map(|number| maker.token(number)).collect()
    };
    let good = many(owners, GOOD)?;
    let flood = WAVES.iter().find(|(wave, _)| *wave == Wave::Flood).map_or(0, |(_, count)| count / part);
    let mut enemy = Enemy::new(&good, many(attacker, flood)?);

    let shown = Arc::new(AtomicU64::new(0));
    let over = Arc::new(AtomicBool::new(false));
    if good.iter().any(|token| !show(&authority, token.as_bytes())) {
        return Err("a good token was refused".into());
    }
    let owner = thread::spawn({
        let (authority, shown, over) = (authority.clone(), Arc::clone(&shown), Arc::clone(&over));
        move || {
            let mut refused = 0_u64;
            for token in good.iter().cycle().take_while(|_| !over.load(Ordering::Relaxed)) {
                refused += u64::from(!show(&authority, token.as_bytes()));
                shown.fetch_add(1, Ordering::Relaxed);
                thread::sleep(PACE);
            }
            refused
        }
    });

    let before = resident()?;
    let mut most = before;
    let (mut worst, mut tokens, mut all_shown, mut all_forgotten) = (1.0_f64, 0, 0, 0);
    for (wave, count) in WAVES {
        let count = count / part;
        let (verified, began_at, began) =
            (authority.statistics().verified, shown.load(Ordering::Relaxed), Instant::now());
        let mut accepted = 0;
        for number in 0..count {
            accepted += usize::from(show(&authority, enemy.token(wave, number)));
            if number % 16_384 == 0 {
                most = most.max(resident()?);
            }
        }
        let nanoseconds = began.elapsed().as_secs_f64() * 1e9 / count as f64;
        let expected = if wave == Wave::Flood { count } else { 0 };
        if accepted != expected {
            return Err(format!("{}: {accepted} of {count} were let in", wave.name()).into());
        }
        // Whatever was verified beyond the flood were good tokens that had been forgotten.
        let forgotten = authority.statistics().verified - verified - accepted as u64;
        let uses = shown.load(Ordering::Relaxed) - began_at;
        worst = worst.min(rate(forgotten, uses));
        (tokens, all_shown, all_forgotten) = (tokens + count, all_shown + uses, all_forgotten + forgotten);
        println!(
            "{count:>9} of {}: {nanoseconds:.0} ns each; good tokens shown {uses} times, verified again {forgotten}",
            wave.name()
        );
    }
    most = most.max(resident()?);
    over.store(true, Ordering::Relaxed);
    let refused = owner.join().map_err(|_| "the owner's thread panicked")?;
    if refused > 0 {
        return Err(format!("{refused} good tokens were refused").into());
    }
    let cached = authority.statistics().cached_tokens;
    println!("{tokens} hostile tokens; {cached} tokens are cached at the end");
    let percent = |rate: f64| rate * 100.0;
    figure(
        "attack: good tokens recognised, over all waves",
        Asked::AtLeast(99.0),
        percent(rate(all_forgotten, all_shown)),
        "%",
    );
    figure("attack: good tokens recognised, in the worst wave", Asked::AtLeast(99.0), percent(worst), "%");
    let grown = (most - before).max(0.0);
    figure(
        "attack: resident memory more than before, cache of 33.6 MB",
        Asked::AtMost(CACHE as f64 / 1e6),
        grown,
        "MB",
    );
    Ok(())
}

fn show(authority: &Authority, token: &[u8]) -> bool {
    block_on(authority.authenticate(&Presented { token, source: Source::UNKNOWN })).is_ok()
}

fn rate(forgotten: u64, uses: u64) -> f64 {
    1.0 - forgotten as f64 / uses.max(1) as f64
}

/// What has a token of each kind at hand without allocating, so that what grows is the authority's.
struct Enemy {
    noise: Vec<u8>,
    letters: Vec<u8>,
    /// Headers whose `kid` is unknown, and those that are refused for what else they say, each with a dot at its end.
    unknown: Vec<String>,
    unsigned: Vec<String>,
    /// A good token's parts.
    header: String,
    payload: String,
    signature: String,
    flood: Vec<String>,
    buffer: Vec<u8>,
}

impl Enemy {
    fn new(good: &[String], flood: Vec<String>) -> Self {
        let pool = || (0..1 << 17).flat_map(|number| scattered(number, 21).to_be_bytes());
        let letter =
            |byte: u8| b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[usize::from(byte % 64)];
        let mut parts = good.first().map_or("", String::as_str).split('.').map(str::to_owned);
        let mut next = || parts.next().unwrap_or_default();
        let (header, payload, signature) = (next(), next(), next());
        let known = URL_SAFE_NO_PAD.decode(&header).map(|json| String::from_utf8_lossy(&json).into_owned());
        let known = known.unwrap_or_default();
        let encoded = |json: &str| format!("{}.", URL_SAFE_NO_PAD.encode(json));
        let unknown = |number: usize| {
            let id: String = pool().skip(number * 43).take(43).map(|byte| char::from(letter(byte))).collect();
            encoded(&format!(r#"{{"alg":"EdDSA","typ":"at+jwt","kid":"{id}"}}"#))
        };
        Self {
            noise: pool().collect(),
            letters: pool().map(letter).collect(),
            unknown: (0..1_024).map(unknown).collect(),
            unsigned: vec![encoded(&known.replace("EdDSA", "none")), encoded(&known.replace("at+jwt", "JWT"))],
            header: format!("{header}."),
            payload,
            signature,
            flood,
            buffer: Vec::with_capacity(16_384),
        }
    }

    /// Another token for each `number`.
    fn token(&mut self, wave: Wave, number: usize) -> &[u8] {
        let chance = usize::try_from(scattered(number as u64, 22) >> 32).unwrap_or_default();
        let from = |pool: &[u8], length: usize| {
            let start = chance % (pool.len() - length);
            start..start + length
        };
        let unique = scattered(number as u64, 23).to_be_bytes().map(|byte| self.letters[usize::from(byte)]);
        self.buffer.clear();
        match wave {
            Wave::Noise => return &self.noise[from(&self.noise, 1 + chance % 600)],
            Wave::Flood => return self.flood[number].as_bytes(),
            Wave::ThreeParts => {
                self.buffer.extend_from_slice(&self.letters[from(&self.letters, 100)]);
                self.buffer.push(b'.');
                self.buffer.extend_from_slice(&self.letters[from(&self.letters, 300)]);
                self.buffer.push(b'.');
                self.buffer.extend_from_slice(&unique);
                self.buffer.extend_from_slice(&self.signature.as_bytes()[8..]);
            }
            Wave::UnknownKey | Wave::NoAlgorithm => {
                let headers = if wave == Wave::UnknownKey { &self.unknown } else { &self.unsigned };
                self.buffer.extend_from_slice(headers[number % headers.len()].as_bytes());
                self.spoil(unique, number.is_multiple_of(2));
            }
            Wave::BadSignature => {
                self.buffer.extend_from_slice(self.header.as_bytes());
                self.spoil(unique, number.is_multiple_of(2));
            }
            Wave::TooLong => {
                self.buffer.extend_from_slice(self.header.as_bytes());
                self.buffer.extend_from_slice(&self.letters[from(&self.letters, 8_200)]);
                self.spoil(unique, true);
            }
        }
        &self.buffer
    }

    /// The rest of a good token, with eight characters of the signature or, under the signature that was given, of the
    /// payload replaced.
    fn spoil(&mut self, unique: [u8; 8], signature: bool) {
        let (payload, signed) = if signature { (0, 8) } else { (8, 0) };
        self.buffer.extend_from_slice(&unique[..payload]);
        self.buffer.extend_from_slice(&self.payload.as_bytes()[payload..]);
        self.buffer.push(b'.');
        self.buffer.extend_from_slice(&unique[..signed]);
        self.buffer.extend_from_slice(&self.signature.as_bytes()[signed..]);
    }
}

/// Megabytes of this process that are in memory.
fn resident() -> Result<f64, Failure> {
    let text = fs::read_to_string("/proc/self/status")?;
    let value = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no /proc here")?;
    Ok(value.trim().trim_end_matches("kB").trim().parse::<f64>()? * 1_024.0 / 1e6)
}
