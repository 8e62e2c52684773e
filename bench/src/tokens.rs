//! Many access tokens, signed here with the key that a program was given: to exchange for a million would take long.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use futures_executor::block_on;
use latchbook::EnvironmentName;
use latchbook::model::{AccessClaims, ScopeSet, UnixTime};
use latchbook::random::{SystemRandom, token_id};
use latchbook::token_issuer::{JwtIssuer, TokenIssuer as _};

use crate::Failure;
use crate::prepared::{ISSUER, Member, Prepared};

/// How long they live: the longest that a program allows.
const LIFETIME: u64 = 3_600;

/// Tokens in memory and in a file, one a line, all of one length.
#[derive(Debug)]
pub struct Tokens {
    /// The file, for wrk.
    pub path: PathBuf,
    lines: Vec<u8>,
    /// The length of a line, with its end.
    line: usize,
}

impl Tokens {
    /// Signs `count` tokens of the keys that `prepared` has, one key after the other, into the file at `path`.
    pub fn sign(prepared: &Prepared, count: usize, path: &Path) -> Result<Self, Failure> {
        let maker = Maker::new(&prepared.members, prepared.pair()?, ISSUER)?;
        let halves = thread::scope(|scope| {
            let maker = &maker;
            let middle = count / 2;
            let parts = [0..middle, middle..count].map(|part| scope.spawn(move || maker.lines(part)));
            parts.map(|part| part.join().unwrap_or_else(|_| Err("a thread that signs panicked".into())))
        });
        let [first, rest] = halves;
        let mut lines = first?;
        lines.append(&mut rest?);
        let line = lines.iter().position(|byte| *byte == b'\n').ok_or("no token")? + 1;
        if lines.len() != line * count || !lines.chunks(line).all(|line| line.ends_with(b"\n")) {
            return Err("the tokens are not of one length".into());
        }
        fs::write(path, &lines)?;
        Ok(Self { path: path.to_owned(), lines, line })
    }

    /// The token at `place`.
    #[must_use]
    pub fn get(&self, place: usize) -> &[u8] {
        self.lines.get(place * self.line..(place + 1) * self.line - 1).unwrap_or_default()
    }

    /// The length of a token.
    #[must_use]
    pub fn length(&self) -> usize {
        self.line - 1
    }

    #[must_use]
    pub fn count(&self) -> usize {
        self.lines.len() / self.line
    }
}

/// Signs developer tokens as an authority does that issues them.
#[derive(Debug)]
pub struct Maker {
    issuer: JwtIssuer,
    claims: Vec<AccessClaims<'static>>,
}

impl Maker {
    /// For tokens of `members` in the environment `live` of the authority whose issuer is `issuer`.
    pub fn new(members: &[Member], pair: latchbook::jose::SigningPair, issuer: &str) -> Result<Self, Failure> {
        let random = SystemRandom::new();
        let now = UnixTime::from_seconds(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs());
        let claims = members.iter().map(|member| {
            Ok(AccessClaims {
                issuer: format!("{issuer}/live").into(),
                audience: format!("{issuer}/live").into(),
                subject: member.developer.to_string().into(),
                key: member.key,
                issued_at: now,
                not_before: now,
                expires_at: UnixTime::from_seconds(now.seconds() + LIFETIME),
                token: token_id(&random)?,
                scopes: ScopeSet::parse("audit:read keys:manage")?,
                developer: member.developer.clone(),
                entity: None,
                environment: EnvironmentName::LIVE,
                generation: 1,
                // As an authority begins to count them.
                epoch: now.seconds(),
                allowed_ips: Vec::new(),
                delegation: None,
                origin: None,
            })
        });
        let claims = claims.collect::<Result<_, Failure>>()?;
        Ok(Self { issuer: JwtIssuer::new(Vec::new(), Some(Arc::new(pair)))?, claims })
    }

    /// Another token, of the key whose turn `number` is.
    pub fn token(&self, number: usize) -> Result<String, Failure> {
        let random = SystemRandom::new();
        let claims = self.claims.get(number % self.claims.len().max(1)).ok_or("no key")?;
        let claims = AccessClaims { token: token_id(&random)?, ..claims.clone() };
        Ok(block_on(self.issuer.issue(&claims))?.expose().to_owned())
    }

    fn lines(&self, part: std::ops::Range<usize>) -> Result<Vec<u8>, Failure> {
        let mut lines = Vec::with_capacity(part.len() * 600);
        for number in part {
            lines.extend_from_slice(self.token(number)?.as_bytes());
            lines.push(b'\n');
        }
        Ok(lines)
    }
}
