//! A sandbox whose data another service makes: its id reserved under a lease, its data made, then all of it committed.

use super::super::change::{Event, Tries};
use super::super::{Fault, Refusal};
use super::OpenedSandbox;
use super::opening::Place;
use super::order::Opening;
use crate::model::{
    AuditAction, ChainId, Record, Rejection, SandboxRecord, SandboxState, SealedBytes, SecretBytes, Stored,
};
use crate::seal::SealPurpose;

/// How long a reservation keeps others away, in seconds.
const LEASE: u64 = 120;
/// Longest receipt of an outside service, in bytes.
const LONGEST_RECEIPT: usize = 65_536;

impl Opening<'_> {
    pub(super) async fn open_elsewhere(&self) -> Result<OpenedSandbox, Refusal> {
        let inner = self.inner;
        let reserved = self.reserve().await?;
        let furnished = match inner.sandbox.furnish(&reserved).await {
            Ok(furnished) => furnished,
            Err(error) => {
                // The lease stays, so that whoever takes it over clears what this try may have left behind.
                if let Err(cleared) = inner.sandbox.clear(&reserved).await {
                    let error = cleared.to_string();
                    tracing::warn!(?error, "a half-made sandbox could not be cleared; its lease will run out");
                }
                return Err(error.into());
            }
        };
        let record = SandboxRecord {
            state: SandboxState::Open,
            receipt: self.sealed_receipt(furnished.receipt.as_ref())?,
            ..reserved.clone()
        };
        let mut tries = Tries::default();
        loop {
            let mut set = inner.new_set()?;
            // Somebody else's by now, where the lease has run out.
            if sandbox(self.held(&mut set).await?) != Some(reserved.clone()) {
                return Err(Rejection::Conflict.into());
            }
            let opened = self.fill(&mut set, Place::Reserved, record.clone(), furnished.clone()).await?;
            if inner.commit(set, &mut tries).await? {
                return Ok(opened);
            }
            inner.read_again().await?;
        }
    }

    /// Keeps the developer's id while another service makes the data.
    async fn reserve(&self) -> Result<SandboxRecord, Refusal> {
        let inner = self.inner;
        let mut set = inner.new_set()?;
        let record = self.new_record(set.at, SandboxState::Reserved { lease_ends_at: set.at.plus(LEASE) })?;
        match sandbox(self.held(&mut set).await?) {
            None => set.insert.push(Record::Sandbox(record.clone())),
            Some(held) => {
                match held.state {
                    SandboxState::Reserved { lease_ends_at } if lease_ends_at <= set.at => {}
                    _ => return Err(Rejection::Conflict.into()),
                }
                inner.sandbox.clear(&held).await?;
                set.update.push(Record::Sandbox(record.clone()));
            }
        }
        inner.audit(
            &mut set,
            Event {
                chain: ChainId::System(self.developer.environment),
                actor: self.audit_actor(),
                source: self.source,
                action: AuditAction::SandboxReserved,
                subject: self.developer.id.as_str(),
                details: &[],
            },
        )?;
        match inner.commit(set, &mut Tries::default()).await? {
            true => Ok(record),
            false => Err(Rejection::Conflict.into()),
        }
    }

    fn sealed_receipt(&self, receipt: Option<&SecretBytes>) -> Result<Option<SealedBytes>, Refusal> {
        let Some(receipt) = receipt else { return Ok(None) };
        if receipt.expose().len() > LONGEST_RECEIPT {
            return Err(Fault::Internal("a sandbox's receipt is longer than 64 KiB").into());
        }
        let context = self.developer.to_string();
        let inner = self.inner;
        Ok(Some(inner.secrets()?.seal(&*inner.random, SealPurpose::Receipt, context.as_bytes(), receipt)?))
    }
}

fn sandbox(stored: Option<Stored>) -> Option<SandboxRecord> {
    match stored?.record {
        Record::Sandbox(sandbox) => Some(sandbox),
        _ => None,
    }
}
