//! Lets one ask what several want to know at the same time.

use std::collections::HashMap;
use std::future::poll_fn;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// Which questions are being asked, and who waits for them.
#[derive(Debug)]
pub(super) struct Asking<Q>(Mutex<HashMap<Q, Vec<Waker>>>);

/// Who asks. Dropped, with an answer or without, it lets the others go on.
#[derive(Debug)]
pub(super) struct Turn<'a, Q: Eq + Hash> {
    asking: &'a Asking<Q>,
    question: Q,
}

impl<Q: Clone + Eq + Hash> Asking<Q> {
    pub(super) fn new() -> Self {
        Self(Mutex::default())
    }

    /// The turn to ask, if nobody is at it; otherwise nothing, after whoever was at it has done. That one's answer may
    /// be of no use to this one, and it may have been given up: then each asks by itself, so that nobody waits twice.
    pub(super) async fn turn(&self, question: &Q) -> Option<Turn<'_, Q>> {
        if self.begin(question) {
            return Some(Turn { asking: self, question: question.clone() });
        }
        poll_fn(|context| match self.lock().get_mut(question) {
            Some(waiting) => {
                if !waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                    waiting.push(context.waker().clone());
                }
                Poll::Pending
            }
            None => Poll::Ready(()),
        })
        .await;
        None
    }

    fn begin(&self, question: &Q) -> bool {
        let mut asking = self.lock();
        let begins = !asking.contains_key(question);
        if begins {
            asking.insert(question.clone(), Vec::new());
        }
        begins
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Q, Vec<Waker>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<Q: Eq + Hash> Drop for Turn<'_, Q> {
    fn drop(&mut self) {
        let waiting = self.asking.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.question);
        waiting.into_iter().flatten().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Wake};

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn one_asks_and_the_others_wait_until_it_has_done_or_was_given_up() {
        let (asking, woken) = (Asking::new(), Arc::new(Woken::default()));
        let waker = Waker::from(Arc::clone(&woken));
        let mut context = Context::from_waker(&waker);
        let mut first = pin!(asking.turn(&"a"));
        let Poll::Ready(Some(turn)) = first.as_mut().poll(&mut context) else { panic!("nobody asks yet") };
        let mut second = pin!(asking.turn(&"a"));
        assert!(second.as_mut().poll(&mut context).is_pending());
        assert!(second.as_mut().poll(&mut context).is_pending());
        let mut other = pin!(asking.turn(&"b"));
        assert!(matches!(other.as_mut().poll(&mut context), Poll::Ready(Some(_))), "another question");
        drop(turn);
        assert_eq!(woken.0.load(Ordering::Relaxed), 1, "woken once, however often it was polled");
        assert!(matches!(second.as_mut().poll(&mut context), Poll::Ready(None)), "it asks by itself");
        assert!(asking.lock().is_empty());
        let mut third = pin!(asking.turn(&"a"));
        assert!(matches!(third.as_mut().poll(&mut context), Poll::Ready(Some(_))));
    }
}
