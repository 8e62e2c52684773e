//! Asks whether time tells what was wrong: with a key (K1), and with an entity out of reach (E2).
//!
//! Run it with `cargo run --release --bin key_timing` in this folder, on a machine that does nothing else. Each cause
//! is tried 10,000 times in an authority over a store in memory (or on redb, in a new file that the argument names),
//! all causes in turn and in an order drawn anew each time. Welch's t-test compares every two of them; it fails where
//! |t| is above 4.5, the bound of dudect (Reparaz, Balasch, Verbauwhede: "Dude, is my code constant time?", 2017). As
//! there, the slowest samples are left out, because what delayed them was the machine; the t of all samples stands
//! beside it, and is not judged.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_executor::block_on;
use latchbook::authority::{Exchange, Limits, NewEntity, Presented};
use latchbook::check::{Brand, EntityRule, NewKey, print_key_text};
use latchbook::clock::{Clock, Sleep, SystemClock};
use latchbook::key_store::{KeyStore, MemoryStore};
use latchbook::model::{DeveloperId, EntityId, KeyId, Metadata, Rejection, ScopeSet, SecretText, UnixTime};
use latchbook::{Actor, Authority, DeveloperRef, EnvironmentName, MasterKey, RedbStore, Refusal, Source};

/// How often each cause is tried.
const SAMPLES: usize = 10_000;
/// How many keys, each of its own developer, stand for one cause, so that no place in memory does.
const POOL: usize = 64;
/// How many ids stand for one kind of entity: looking one up takes so short that each has a time of its own.
const ENTITIES: usize = 4_096;
/// The part of the samples that is kept: the slowest are the machine's.
const KEPT: f64 = 0.9;
/// The largest |t| of causes that are not told apart.
const BOUND: f64 = 4.5;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let house = House::open(std::env::args().nth(1).as_deref())?;
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    let keys = house.keys(&mut chance)?;
    let worst_key = compare("K1: what was wrong with a key", &keys, &mut chance, |attempt| house.exchange(attempt))?;
    let entities = house.entities(&mut chance)?;
    let worst_entity = compare("E2: an entity out of reach", &entities, &mut chance, |id| house.reach(id))?;
    let worst = worst_key.max(worst_entity);
    if worst > BOUND {
        return Err(format!("told apart: |t| reaches {worst:.2}, above {BOUND}").into());
    }
    println!("not told apart: |t| reaches {worst:.2}, at most {BOUND}");
    Ok(())
}

/// A cause of a refusal, the reason that the log must have, and the attempts that meet it.
struct Cause<T> {
    name: &'static str,
    reason: &'static str,
    attempts: Vec<T>,
}

/// A key as somebody sends it.
struct Attempt {
    developer: String,
    key: SecretText,
}

/// Times `attempt` on every cause; answers the largest |t| of two of them.
#[expect(clippy::disallowed_methods, reason = "to measure is to read the clock")]
fn compare<T>(
    title: &str,
    causes: &[Cause<T>],
    chance: &mut Chance,
    attempt: impl Fn(&T) -> Result<(), Refusal>,
) -> Result<f64, Failure> {
    let mut nanoseconds = vec![Vec::with_capacity(SAMPLES); causes.len()];
    let mut order: Vec<usize> = (0..causes.len()).collect();
    // The first tenth warms caches up and is not kept.
    for round in 0..SAMPLES + SAMPLES / 10 {
        chance.shuffle(&mut order);
        for &number in &order {
            let cause = &causes[number];
            let sent = &cause.attempts[chance.below(cause.attempts.len())];
            let began = Instant::now();
            let answer = black_box(attempt(black_box(sent)));
            let took = began.elapsed();
            match answer {
                Err(Refusal::Rejected(rejection)) if rejection.reason() == cause.reason => {}
                other => return Err(format!("{}: {other:?}", cause.name).into()),
            }
            if round >= SAMPLES / 10 {
                nanoseconds[number].push(took.as_secs_f64() * 1e9);
            }
        }
    }

    let mut all: Vec<f64> = nanoseconds.iter().flatten().copied().collect();
    all.sort_by(f64::total_cmp);
    let slowest = all[(all.len() as f64 * KEPT) as usize];
    println!("{title}: {SAMPLES} samples of each, those of {slowest:.0} ns and more left out");
    let kept: Vec<Vec<f64>> = nanoseconds
        .iter()
        .map(|samples| samples.iter().copied().filter(|sample| *sample < slowest).collect())
        .collect();
    for (cause, kept) in causes.iter().zip(&kept) {
        let (mean, variance) = moments(kept);
        println!("  {:<28} {mean:>8.0} ns, deviation {:>6.0} ns, {} kept", cause.name, variance.sqrt(), kept.len());
    }
    let mut worst: f64 = 0.0;
    for (first, one) in causes.iter().enumerate() {
        for (second, other) in causes.iter().enumerate().skip(first + 1) {
            let t = welch(&kept[first], &kept[second]);
            let uncropped = welch(&nanoseconds[first], &nanoseconds[second]);
            println!("  {:<28} {:<28} t = {t:>7.2}  (of all samples {uncropped:>7.2})", one.name, other.name);
            worst = worst.max(t.abs());
        }
    }
    println!();
    Ok(worst)
}

/// Welch's t of two samples.
fn welch(one: &[f64], other: &[f64]) -> f64 {
    let ((mean, variance), (other_mean, other_variance)) = (moments(one), moments(other));
    (mean - other_mean) / (variance / one.len() as f64 + other_variance / other.len() as f64).sqrt()
}

/// Mean and variance.
fn moments(samples: &[f64]) -> (f64, f64) {
    let count = samples.len() as f64;
    let mean = samples.iter().sum::<f64>() / count;
    (mean, samples.iter().map(|sample| (sample - mean).powi(2)).sum::<f64>() / (count - 1.0))
}

const LIVE: EnvironmentName = EnvironmentName::LIVE;
const HOST: Actor<'static> = Actor::Host;
const SOMEWHERE: Source = Source::UNKNOWN;

/// An authority, and the clock that makes keys expire.
struct House {
    authority: Authority,
    clock: Arc<ShiftedClock>,
    token: SecretText,
    asker: DeveloperRef,
}

impl House {
    fn open(path: Option<&str>) -> Result<Self, Failure> {
        let store: Arc<dyn KeyStore> = match path {
            Some(path) => Arc::new(RedbStore::open(path)?),
            None => Arc::new(MemoryStore::new()),
        };
        let clock = Arc::new(ShiftedClock::default());
        let builder = Authority::builder()
            .shared_store(store)
            .issuer("https://api.example.com")
            .master_key(MasterKey::from_bytes([7; 32]))
            .clock(Arc::<ShiftedClock>::clone(&clock))
            .limits(Limits { failed_exchanges: None, ..Limits::default() });
        let authority = block_on(builder.build())?;
        let asker = DeveloperRef { environment: LIVE, id: DeveloperId::parse("asker")? };
        let mut house = Self { authority, clock, token: SecretText::new(String::new()), asker: asker.clone() };
        house.developer(&asker)?;
        let (_, key) = house.key(&asker, None)?;
        let lifetime = Some(3_600);
        let exchange =
            Exchange { developer: "asker", api_key: &key, entity: None, scope: None, lifetime, source: SOMEWHERE };
        house.token = block_on(house.authority.exchange(&exchange))?.token;
        Ok(house)
    }

    /// The five causes of K1, and two more that clients must not tell apart from them.
    fn keys(&self, chance: &mut Chance) -> Result<Vec<Cause<Attempt>>, Failure> {
        let names = [
            ("unknown key", "key_unknown"),
            ("right id, wrong secret", "key_digest"),
            ("revoked", "key_revoked"),
            ("expired", "key_expired"),
            ("developer suspended", "developer_suspended"),
            ("unknown developer", "key_unknown"),
            ("key of another developer", "key_unknown"),
        ];
        let mut causes: Vec<Cause<Attempt>> =
            names.map(|(name, reason)| Cause { name, reason, attempts: Vec::new() }).into();
        // Drawn, so that no cause has the first or the last of the records.
        let mut numbers: Vec<usize> = (0..names.len() * POOL).collect();
        chance.shuffle(&mut numbers);
        let soon = self.authority.now().plus(60);
        let mut others = None;
        for (place, number) in numbers.into_iter().enumerate() {
            let name = format!("developer-{number:04}");
            let reference = DeveloperRef { environment: LIVE, id: DeveloperId::parse(&name)? };
            self.developer(&reference)?;
            let (id, text) = self.key(&reference, (place % names.len() == 3).then_some(soon))?;
            let wrong = |id: KeyId, secret: &str| print_key_text(&Brand::default(), LIVE, id, secret);
            let secret = chance.base62(43);
            let attempt = match place % names.len() {
                0 => Attempt { developer: name, key: wrong(KeyId::parse(&chance.base62(16))?, &secret) },
                1 => Attempt { developer: name, key: wrong(id, &secret) },
                2 => {
                    block_on(self.authority.keys().revoke(&HOST, SOMEWHERE, &reference, id))?;
                    Attempt { developer: name, key: text }
                }
                3 => Attempt { developer: name, key: text },
                4 => {
                    block_on(self.authority.developers().suspend(&HOST, SOMEWHERE, &reference))?;
                    Attempt { developer: name, key: text }
                }
                5 => Attempt { developer: format!("nobody-at-{number:04}"), key: text },
                _ => Attempt { developer: name, key: others.replace(text.clone()).unwrap_or(text) },
            };
            causes[place % names.len()].attempts.push(attempt);
        }
        // The very first has nobody else's key to show.
        causes[6].attempts.remove(0);
        self.clock.ahead.store(120, Ordering::Relaxed);
        Ok(causes)
    }

    /// Entities of another developer, and ids that nobody has.
    fn entities(&self, chance: &mut Chance) -> Result<Vec<Cause<EntityId>>, Failure> {
        let another = DeveloperRef { environment: LIVE, id: DeveloperId::parse("developer-0000")? };
        let mut numbers: Vec<usize> = (0..2 * ENTITIES).collect();
        chance.shuffle(&mut numbers);
        let name = |number: usize| EntityId::parse(&format!("entity-{number:06}"));
        for number in &numbers[..ENTITIES] {
            let new = NewEntity { id: Some(name(*number)?), legal_name: "An entity".to_owned() };
            block_on(self.authority.entities().create(&HOST, SOMEWHERE, &another, &new))?;
        }
        let mut causes = ["another developer's", "nobody's"].map(|name| {
            let attempts = Vec::new();
            Cause { name, reason: "entity_forbidden", attempts }
        });
        // Read anew and mixed, so that the ids of one kind do not lie together in memory, nor in the store's.
        let mut places: Vec<usize> = (0..2 * ENTITIES).collect();
        chance.shuffle(&mut places);
        for place in places {
            causes[place / ENTITIES].attempts.push(name(numbers[place])?);
        }
        Ok(causes.into())
    }

    fn developer(&self, reference: &DeveloperRef) -> Result<(), Refusal> {
        block_on(self.authority.developers().create(&HOST, SOMEWHERE, reference, "A developer")).map(|_| ())
    }

    fn key(&self, developer: &DeveloperRef, expires_at: Option<UnixTime>) -> Result<(KeyId, SecretText), Failure> {
        let new = NewKey {
            name: "A key".to_owned(),
            scopes: ScopeSet::parse("audit:read keys:manage")?,
            expires_at,
            allowed_ips: Vec::new(),
            metadata: Metadata::default(),
        };
        let made = block_on(self.authority.keys().create(&HOST, SOMEWHERE, developer, &new))?;
        Ok((made.key.id, made.text))
    }

    fn exchange(&self, attempt: &Attempt) -> Result<(), Refusal> {
        let exchange = Exchange {
            developer: &attempt.developer,
            api_key: &attempt.key,
            entity: None,
            scope: None,
            lifetime: None,
            source: SOMEWHERE,
        };
        block_on(self.authority.exchange(&exchange)).map(|_| ())
    }

    /// As the guard does it: the token, then the entity.
    fn reach(&self, entity: &EntityId) -> Result<(), Refusal> {
        let presented = Presented { token: self.token.expose().as_bytes(), source: SOMEWHERE };
        let principal = block_on(self.authority.authenticate(&presented))?;
        if *principal.developer() != self.asker {
            return Err(Rejection::NotFound.into());
        }
        block_on(self.authority.entity(&principal, Some(entity), EntityRule::default())).map(|_| ())
    }
}

/// The system's clock, moved ahead.
#[derive(Debug, Default)]
struct ShiftedClock {
    system: SystemClock,
    ahead: AtomicU64,
}

impl Clock for ShiftedClock {
    fn now(&self) -> UnixTime {
        self.system.now().plus(self.ahead.load(Ordering::Relaxed))
    }

    fn monotonic(&self) -> Duration {
        self.system.monotonic() + Duration::from_secs(self.ahead.load(Ordering::Relaxed))
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        self.system.sleep(duration)
    }
}

/// Xorshift: the order of trials need not be secret, only unlike any pattern.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let bits = (self.0 >> 16) as usize;
        bits % end
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            items.swap(end, self.below(end + 1));
        }
    }

    fn base62(&mut self, length: usize) -> String {
        const DIGITS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        (0..length).map(|_| char::from(DIGITS[self.below(DIGITS.len())])).collect()
    }
}
