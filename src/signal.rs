//! A signal that one part raises and others look at or wait for: a stop that was asked for, a device that was lost.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

/// Raised by one part of a program, seen by others; clones are the same signal.
#[derive(Debug, Clone, Default)]
pub struct Signal(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    raised: AtomicBool,
    wakers: Mutex<Vec<Waker>>,
}

impl Signal {
    /// Raises it; whoever waits hears at once.
    pub fn raise(&self) {
        self.0.raised.store(true, Ordering::SeqCst);
        let waiting = self.0.wakers.lock().map(|mut wakers| std::mem::take(&mut *wakers)).unwrap_or_default();
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Whether it is raised.
    #[must_use]
    pub fn is_raised(&self) -> bool {
        self.0.raised.load(Ordering::SeqCst)
    }

    /// Whether it was raised; it is lowered by the question.
    pub fn take(&self) -> bool {
        self.0.raised.swap(false, Ordering::SeqCst)
    }

    /// Waits for `work`, or gives nothing as soon as this is raised: the work is then dropped where it waits.
    pub async fn unless_raised<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        poll_fn(|context| {
            // Before the work is looked at: a signal raised meanwhile finds somebody to wake.
            if let Ok(mut wakers) = self.0.wakers.lock() {
                wakers.retain(|waker| !waker.will_wake(context.waker()));
                wakers.push(context.waker().clone());
            }
            match work.as_mut().poll(context) {
                Poll::Ready(done) => Poll::Ready(Some(done)),
                Poll::Pending if self.is_raised() => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::Signal;

    #[test]
    fn work_that_never_ends_is_dropped_when_the_signal_is_raised_from_elsewhere() {
        let signal = Signal::default();
        let raiser = signal.clone();
        let thread = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(20));
            raiser.raise();
        });
        assert_eq!(pollster::block_on(signal.unless_raised(pending::<()>())), None);
        thread.join().expect("the raiser ends");
    }

    #[test]
    fn work_that_is_done_counts_even_if_the_signal_is_raised() {
        let signal = Signal::default();
        signal.raise();
        assert_eq!(pollster::block_on(signal.unless_raised(async { 7 })), Some(7));
        assert!(signal.take());
        assert!(!signal.is_raised(), "a question that was answered is forgotten");
    }

    #[test]
    fn several_may_wait_for_one_signal() {
        let signal = Signal::default();
        let wait =
            |signal: Signal| std::thread::spawn(move || pollster::block_on(signal.unless_raised(pending::<()>())));
        let waiting = [wait(signal.clone()), wait(signal.clone())];
        std::thread::sleep(std::time::Duration::from_millis(20));
        signal.raise();
        for thread in waiting {
            assert_eq!(thread.join().expect("it ends"), None);
        }
    }
}
