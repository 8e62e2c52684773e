//! What the gate says of a caller: at once, but where the store must be asked first.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::Reply;

/// Who is let in, or the whole [`Reply`] to whoever is not. A future that nearly always is ready when it is made: what
/// it takes to say was in memory. It borrows nothing, and where it has to wait it goes on from where it was.
#[must_use = "a verdict that nobody awaits guards nothing"]
pub struct Verdict<T>(State<T>);

enum State<T> {
    /// `None` once it was said.
    Given(Option<Result<T, Reply>>),
    Waits(Pin<Box<dyn Future<Output = Result<T, Reply>> + Send>>),
}

impl<T> Verdict<T> {
    /// One that waits for nothing: for adapters, which have something to say before they can ask.
    pub fn given(verdict: Result<T, Reply>) -> Self {
        Self(State::Given(Some(verdict)))
    }

    /// One that comes when `verdict` is ready.
    pub fn later(verdict: impl Future<Output = Result<T, Reply>> + Send + 'static) -> Self {
        Self(State::Waits(Box::pin(verdict)))
    }

    /// Whether it has to wait, or was awaited already.
    #[must_use]
    pub fn waits(&self) -> bool {
        !matches!(self.0, State::Given(Some(_)))
    }

    /// The same of what `change` makes of whoever is let in.
    pub fn map<U>(self, change: impl FnOnce(T) -> U + Send + 'static) -> Verdict<U>
    where
        T: 'static,
    {
        match self.0 {
            State::Given(verdict) => Verdict(State::Given(verdict.map(|verdict| verdict.map(change)))),
            State::Waits(verdict) => Verdict::later(async move { verdict.await.map(change) }),
        }
    }
}

// Nothing in it is ever pinned but what the box holds.
impl<T> Unpin for Verdict<T> {}

impl<T> Future for Verdict<T> {
    type Output = Result<T, Reply>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            State::Given(verdict) => verdict.take().map_or(Poll::Pending, Poll::Ready),
            State::Waits(verdict) => verdict.as_mut().poll(context),
        }
    }
}

impl<T> fmt::Debug for Verdict<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verdict").field("waits", &self.waits()).finish_non_exhaustive()
    }
}
