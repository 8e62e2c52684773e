//! The line in which a handler's extractors stand, so that they answer in the order of its arguments.
//!
//! actix polls all extractors of a handler at once, and takes the first error that comes. Most of ours answer at once; one
//! that has to wait for the store takes a place in its request's line, and those after it wait until it has left. So the
//! same request gets the same answer whatever is in a cache, and as on every other framework.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::ptr;
use std::task::{Context, Poll, Waker};

use actix_web::HttpRequest;
use latchbook_http::Verdict;

use crate::reply::Refused;

thread_local! {
    /// Everybody who waits on this thread, in the order of arrival. Not in the request's extensions: a borrow of those
    /// panics where other code holds one, and an application's own state is none of ours.
    static WAITING: RefCell<Vec<Waiting>> = const { RefCell::new(Vec::new()) };
}

/// One extractor that waits, for the store or for those before it.
struct Waiting {
    request: RequestId,
    number: u64,
    behind: Option<Waker>,
}

/// Which request this is: no other one has the same while a copy of it is held, as by each that waits for the store.
#[derive(Clone, Copy, PartialEq, Eq)]
struct RequestId(usize);

impl RequestId {
    fn of(request: &HttpRequest) -> Self {
        Self(ptr::from_ref(request.head()).addr())
    }
}

/// A place in the line of a request, left when this is dropped.
struct Place {
    request: RequestId,
    number: u64,
}

impl Place {
    /// The place at the end of the line.
    fn take(request: RequestId) -> Self {
        WAITING.with_borrow_mut(|waiting| {
            let number = waiting.last().map_or(0, |last| last.number.wrapping_add(1));
            waiting.push(Waiting { request, number, behind: None });
            Self { request, number }
        })
    }

    /// The same, where anybody of `request` waits already.
    fn take_behind(request: RequestId) -> Option<Self> {
        let busy = WAITING.with_borrow(|waiting| waiting.iter().any(|one| one.request == request));
        busy.then(|| Self::take(request))
    }

    fn is_first(&self) -> bool {
        WAITING.with_borrow(|waiting| {
            let first = waiting.iter().find(|one| one.request == self.request);
            first.is_none_or(|first| first.number == self.number)
        })
    }

    /// Has `waker` called once somebody in this line leaves.
    fn wait(&self, waker: &Waker) {
        let waker = Some(waker.clone());
        let before = WAITING.with_borrow_mut(|waiting| {
            let this = waiting.iter_mut().find(|one| one.number == self.number);
            this.map(|this| mem::replace(&mut this.behind, waker))
        });
        // The one before is dropped here: that may run anything, even this file.
        drop(before);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What a waker does is not ours: none is called, and none dropped, while the line is borrowed.
        let left = WAITING.try_with(|waiting| {
            let mut waiting = waiting.borrow_mut();
            let gone: Vec<Waiting> = waiting.extract_if(.., |one| one.number == self.number).collect();
            let line = waiting.iter_mut().filter(|one| one.request == self.request);
            (gone, line.filter_map(|one| one.behind.take()).collect::<Vec<Waker>>())
        });
        if let Ok((_, behind)) = left {
            behind.into_iter().for_each(Waker::wake);
        }
    }
}

/// What the gate says to an extractor, passed on in its turn: an extractor answers once those before it in the handler's
/// arguments have.
pub struct InTurn<T> {
    verdict: Verdict<T>,
    request: RequestId,
    place: Option<Place>,
    /// Held while the line has a place of it.
    _waits: Option<HttpRequest>,
}

impl<T> InTurn<T> {
    pub(crate) fn new(request: &HttpRequest, verdict: Verdict<T>) -> Self {
        let waits = verdict.waits().then(|| request.clone());
        Self { verdict, request: RequestId::of(request), place: None, _waits: waits }
    }
}

impl<T> fmt::Debug for InTurn<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InTurn").field("waits", &self.place.is_some()).finish_non_exhaustive()
    }
}

impl<T> Future for InTurn<T> {
    type Output = Result<T, Refused>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if this.place.is_none() {
            this.place = Place::take_behind(this.request);
        }
        if let Some(place) = this.place.as_ref().filter(|place| !place.is_first()) {
            place.wait(context.waker());
            return Poll::Pending;
        }
        let polled = Pin::new(&mut this.verdict).poll(context);
        if polled.is_ready() {
            this.place = None;
        } else {
            this.place.get_or_insert_with(|| Place::take(this.request));
        }
        polled.map_err(Refused::from)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::Wake;

    use actix_web::test::TestRequest;

    use super::*;

    /// Lets `answer` in once `open` is set.
    fn gated(request: &HttpRequest, open: &Arc<AtomicBool>, answer: u8) -> InTurn<u8> {
        let open = Arc::clone(open);
        let opened = move || if open.load(Ordering::SeqCst) { Poll::Ready(Ok(answer)) } else { Poll::Pending };
        InTurn::new(request, Verdict::later(poll_fn(move |_| opened())))
    }

    fn ready(request: &HttpRequest, answer: u8) -> InTurn<u8> {
        InTurn::new(request, Verdict::given(Ok(answer)))
    }

    fn poll(turn: &mut InTurn<u8>) -> Poll<u8> {
        Pin::new(turn).poll(&mut Context::from_waker(Waker::noop())).map(|verdict| verdict.expect("let in"))
    }

    #[test]
    fn who_comes_later_waits_for_who_waits() {
        let request = TestRequest::default().to_http_request();
        let open = Arc::new(AtomicBool::new(false));
        let mut first = gated(&request, &open, 1);
        let mut second = ready(&request, 2);
        let mut third = ready(&request, 3);
        for _ in 0..2 {
            assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending() && poll(&mut third).is_pending());
        }
        open.store(true, Ordering::SeqCst);
        assert!(poll(&mut second).is_pending(), "before the first has answered");
        assert_eq!(poll(&mut first), Poll::Ready(1));
        assert!(poll(&mut third).is_pending(), "before the second has answered");
        assert_eq!((poll(&mut second), poll(&mut third)), (Poll::Ready(2), Poll::Ready(3)));
    }

    #[test]
    fn who_is_dropped_leaves_the_line_and_another_request_has_its_own() {
        let request = TestRequest::default().to_http_request();
        let never = Arc::new(AtomicBool::new(false));
        let mut first = gated(&request, &never, 1);
        let mut second = ready(&request, 2);
        assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending());
        let other = TestRequest::default().to_http_request();
        assert_eq!(poll(&mut ready(&other, 9)), Poll::Ready(9));
        drop(first);
        assert_eq!(poll(&mut second), Poll::Ready(2));
        assert_eq!(poll(&mut ready(&request, 3)), Poll::Ready(3));
    }

    #[test]
    fn leaving_wakes_those_behind() {
        struct Flag(AtomicBool);
        impl Wake for Flag {
            fn wake(self: Arc<Self>) {
                self.0.store(true, Ordering::SeqCst);
            }
        }
        let request = TestRequest::default().to_http_request();
        let never = Arc::new(AtomicBool::new(false));
        let mut first = gated(&request, &never, 1);
        let mut second = ready(&request, 2);
        assert!(poll(&mut first).is_pending());
        let woken = Arc::new(Flag(false.into()));
        let waker = Waker::from(Arc::clone(&woken));
        assert!(Pin::new(&mut second).poll(&mut Context::from_waker(&waker)).is_pending());
        drop(first);
        assert!(woken.0.load(Ordering::SeqCst));
        assert_eq!(poll(&mut second), Poll::Ready(2));
    }
}
