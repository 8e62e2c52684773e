//! A file that redb may repair and write while nothing reaches the disk.

use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

/// The file below, locked as redb locks it, and what was written above it in memory.
#[derive(Debug)]
pub(crate) struct Overlay {
    file: FileBackend,
    /// A file that was opened for reading can be locked with others alone; who writes to it is kept away all the same.
    shares_locks: bool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    length: u64,
    /// How much of the file still shows.
    below: u64,
    pages: BTreeMap<u64, Vec<u8>>,
}

impl Overlay {
    pub(crate) fn new(file: FileBackend) -> io::Result<Self> {
        Self::with(file, false)
    }

    /// Over a file that was opened for reading.
    pub(crate) fn read_only(file: FileBackend) -> io::Result<Self> {
        Self::with(file, true)
    }

    fn with(file: FileBackend, shares_locks: bool) -> io::Result<Self> {
        let length = file.len()?;
        Ok(Self { file, shares_locks, state: Mutex::new(State { length, below: length, pages: BTreeMap::new() }) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Page `number` as the file has it; zeros beyond its end.
    fn below(&self, state: &State, number: u64) -> io::Result<Vec<u8>> {
        let mut page = vec![0; PAGE];
        let start = number * PAGE as u64;
        let shown = usize::try_from(state.below.saturating_sub(start)).unwrap_or(PAGE).min(PAGE);
        if let Some(shown) = page.get_mut(..shown).filter(|shown| !shown.is_empty()) {
            self.file.read(start, shown)?;
        }
        Ok(page)
    }
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().length)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state();
        if offset.saturating_add(out.len() as u64) > state.length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut at = offset;
        let mut rest = out;
        while !rest.is_empty() {
            let (number, within) = split(at);
            let below;
            let page = match state.pages.get(&number) {
                Some(page) => page,
                None => {
                    below = self.below(&state, number)?;
                    &below
                }
            };
            let step = rest.len().min(PAGE - within);
            let (now, later) = rest.split_at_mut(step);
            now.iter_mut().zip(page.iter().skip(within)).for_each(|(to, from)| *to = *from);
            rest = later;
            at += step as u64;
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut state = self.state();
        state.length = length;
        state.below = state.below.min(length);
        let (last, within) = split(length);
        // What a file loses by being cut does not come back when it grows again.
        drop(state.pages.split_off(&(last + u64::from(within > 0))));
        if let Some(page) = state.pages.get_mut(&last) {
            page.iter_mut().skip(within).for_each(|byte| *byte = 0);
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        let mut at = offset;
        let mut rest = data;
        while !rest.is_empty() {
            let (number, within) = split(at);
            if !state.pages.contains_key(&number) {
                let page = self.below(&state, number)?;
                state.pages.insert(number, page);
            }
            let (now, later) = rest.split_at(rest.len().min(PAGE - within));
            if let Some(page) = state.pages.get_mut(&number) {
                page.iter_mut().skip(within).zip(now).for_each(|(to, from)| *to = *from);
            }
            at += now.len() as u64;
            rest = later;
        }
        state.length = state.length.max(at);
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        match self.shares_locks {
            true => self.file.try_lock_shared_range(start, end),
            false => self.file.try_lock_range(start, end),
        }
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        match self.shares_locks {
            true => self.file.lock_shared_range(start, end),
            false => self.file.lock_range(start, end),
        }
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}

/// The page that `offset` lies in, and where in it.
#[expect(clippy::cast_possible_truncation, reason = "the remainder is below the page's size")]
fn split(offset: u64) -> (u64, usize) {
    (offset / PAGE as u64, (offset % PAGE as u64) as usize)
}

const PAGE: usize = 4096;
