//! Whether an audit chain is whole: its links, its checkpoints, and the checkpoint that the host kept elsewhere.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::jose::{VerifyingKey, read_checkpoint};
use crate::model::{AuditAction, AuditEvent, AuditKey, CHECKPOINT_DETAIL, ChainId, FIRST_LINK, PepperId};

/// What a chain is checked against.
#[derive(Clone, Copy, Debug)]
pub struct ChainProof<'a> {
    /// The chain.
    pub chain: &'a ChainId,
    /// The issuer of its environment (`iss`).
    pub issuer: &'a str,
    /// Every audit key that an event may name.
    pub audit_keys: &'a HashMap<PepperId, Arc<AuditKey>>,
    /// Every signing key that the environment ever had here, retired ones included.
    pub signing_keys: &'a [VerifyingKey],
    /// Whether checkpoints are signed here; not where the host brought an issuer of its own.
    pub signs: bool,
    /// The last checkpoint of the chain that the host's sink was given, in compact form.
    pub kept: Option<&'a str>,
}

/// What a look through a chain found.
///
/// Links show that no event was changed, moved or taken out between others. They cannot show a tail that was cut off:
/// what is left of the chain holds. A checkpoint in the chain is cut off with its tail, so only one that was kept
/// elsewhere shows that; and nothing shows it for events that came after the last checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditReport {
    /// Events looked at: all that there are.
    pub events: u64,
    /// The number of the newest event whose link does not hold; `None` if all do.
    pub broken_at: Option<u64>,
    /// Checkpoints in the chain whose signature is right and whose count and head are the chain's.
    pub checkpoints: u64,
    /// The number of the newest checkpoint of which that is not so; `None` if all are right.
    pub bad_checkpoint_at: Option<u64>,
    /// What became of the checkpoint that was kept elsewhere; `None` if none was given.
    pub kept: Option<KeptCheckpoint>,
    /// Events, checkpoints apart, that came after the last right checkpoint: no checkpoint shows that they were there, or
    /// whether there were more of them.
    pub after_last: u64,
    /// Whether checkpoints are signed here. Where the host brought an issuer of its own there are none, unless they were
    /// written before it did, and no tail that is cut off is found.
    pub signs: bool,
}

/// What became of a checkpoint that was kept elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptCheckpoint {
    /// The chain still holds what it says.
    Holds,
    /// The chain is shorter than it says: its tail was cut off.
    Cut {
        /// How many events are missing, at least.
        missing: u64,
    },
    /// The chain went on otherwise than it says: its tail was cut off, and others took its place.
    Contradicted,
    /// It is no checkpoint of this chain that a key of this environment signed.
    NotOurs,
}

impl AuditReport {
    /// Whether nothing wrong was found. What cannot be seen is in [`after_last`](Self::after_last) and
    /// [`signs`](Self::signs).
    #[must_use]
    pub fn holds(&self) -> bool {
        self.broken_at.is_none()
            && self.bad_checkpoint_at.is_none()
            && matches!(self.kept, None | Some(KeptCheckpoint::Holds))
    }
}

impl fmt::Display for AuditReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} events, ", self.events)?;
        match self.broken_at {
            None => f.write_str("every link holds")?,
            Some(number) => write!(f, "the link of event {number} does not hold")?,
        }
        write!(f, "; {} checkpoints are right", self.checkpoints)?;
        if let Some(number) = self.bad_checkpoint_at {
            write!(f, ", the one at {number} is not")?;
        }
        match self.kept {
            None => {}
            Some(KeptCheckpoint::Holds) => f.write_str("; the one kept elsewhere holds")?,
            Some(KeptCheckpoint::Cut { missing }) => write!(f, "; the tail was cut off: {missing} events are missing")?,
            Some(KeptCheckpoint::Contradicted) => f.write_str("; the tail was cut off, and others took its place")?,
            Some(KeptCheckpoint::NotOurs) => f.write_str("; the one kept elsewhere is none of this chain")?,
        }
        if !self.signs {
            f.write_str("; the host's own issuer signs here, so no checkpoints are written")?;
        }
        write!(
            f,
            "; {} events came after the last checkpoint: whether there were more cannot be seen",
            self.after_last
        )?;
        if self.kept.is_none() {
            f.write_str(", nor, without a checkpoint kept elsewhere, whether one was cut off")?;
        }
        Ok(())
    }
}

/// A check that is given a chain's events, newest first, and then asked.
#[derive(Debug)]
pub struct ChainCheck<'a> {
    proof: ChainProof<'a>,
    /// The one that was kept elsewhere, until its place in the chain is reached.
    kept: Option<Claim>,
    /// Those of the chain whose places are not reached yet.
    claims: Vec<(u64, Claim)>,
    newer: Option<AuditEvent>,
    /// Whether a right checkpoint was found, so that no older event came after the last one.
    vouched: bool,
    report: AuditReport,
}

/// What a signed checkpoint says of its chain.
#[derive(Clone, Copy, Debug)]
struct Claim {
    count: u64,
    head: [u8; 32],
}

impl<'a> ChainCheck<'a> {
    /// A check that has seen nothing yet.
    #[must_use]
    pub fn new(proof: ChainProof<'a>) -> Self {
        let kept = proof.kept.and_then(|compact| Claim::read(compact, &proof));
        let report = AuditReport {
            events: 0,
            broken_at: None,
            checkpoints: 0,
            bad_checkpoint_at: None,
            kept: (proof.kept.is_some() && kept.is_none()).then_some(KeptCheckpoint::NotOurs),
            after_last: 0,
            signs: proof.signs,
        };
        Self { proof, kept, claims: Vec::new(), newer: None, vouched: false, report }
    }

    /// Takes in the next event, which the store says is the one before the last that was given.
    pub fn look(&mut self, event: AuditEvent) {
        self.report.events += 1;
        match self.newer.take() {
            Some(newer) => {
                let follows = newer.number == event.number.saturating_add(1);
                self.check_link(&newer, &event.link, follows);
            }
            None => self.check_length(event.number),
        }
        self.settle(&event);
        if event.action == AuditAction::AuditCheckpoint {
            let compact = event.details.iter().find(|(name, _)| name == CHECKPOINT_DETAIL);
            match compact.and_then(|(_, compact)| Claim::read(compact, &self.proof)) {
                Some(claim) if claim.count < event.number => self.claims.push((event.number, claim)),
                _ => self.distrust(event.number),
            }
        } else if !self.vouched {
            self.report.after_last += 1;
        }
        self.newer = Some(event);
    }

    /// What was found, once the chain's first event was given.
    #[must_use]
    pub fn finish(mut self) -> AuditReport {
        match self.newer.take() {
            Some(first) => self.check_link(&first, &FIRST_LINK, first.number == 1),
            None => self.check_length(0),
        }
        // A place that was never reached is not in the chain.
        for (number, _) in std::mem::take(&mut self.claims) {
            self.distrust(number);
        }
        if self.kept.take().is_some() {
            self.report.kept = Some(KeptCheckpoint::Contradicted);
        }
        self.report
    }

    fn check_link(&mut self, event: &AuditEvent, previous: &[u8; 32], follows: bool) {
        let key = self.proof.audit_keys.get(&event.key);
        let right = event.chain == *self.proof.chain && follows && key.is_some_and(|key| key.verifies(event, previous));
        if !right && self.report.broken_at.is_none() {
            self.report.broken_at = Some(event.number);
        }
    }

    /// Compares the number of the newest event with the count of the checkpoint that was kept.
    fn check_length(&mut self, newest: u64) {
        if let Some(missing) = self.kept.map(|kept| kept.count.saturating_sub(newest)).filter(|missing| *missing > 0) {
            self.report.kept = Some(KeptCheckpoint::Cut { missing });
            self.kept = None;
        }
    }

    /// Judges the checkpoints whose last event is `event`.
    fn settle(&mut self, event: &AuditEvent) {
        let holds = |claim: &Claim| claim.head == event.link;
        if let Some(kept) = self.kept.take_if(|kept| kept.count == event.number) {
            self.vouched |= holds(&kept);
            self.report.kept = Some(if holds(&kept) { KeptCheckpoint::Holds } else { KeptCheckpoint::Contradicted });
        }
        let settled: Vec<_> = self.claims.extract_if(.., |(_, claim)| claim.count == event.number).collect();
        for (number, claim) in settled {
            if holds(&claim) {
                self.vouched = true;
                self.report.checkpoints += 1;
            } else {
                self.distrust(number);
            }
        }
    }

    fn distrust(&mut self, number: u64) {
        self.report.bad_checkpoint_at = self.report.bad_checkpoint_at.max(Some(number));
    }
}

impl Claim {
    /// What `compact` says, where it is a checkpoint of this chain that a key of its environment signed.
    fn read(compact: &str, proof: &ChainProof<'_>) -> Option<Self> {
        let checkpoint = read_checkpoint(compact, proof.signing_keys).ok()?;
        let ours = checkpoint.chain == *proof.chain && checkpoint.issuer == proof.issuer && checkpoint.count > 0;
        ours.then_some(Self { count: checkpoint.count, head: checkpoint.head })
    }
}
