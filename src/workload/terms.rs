//! What a task has to heed while it keeps its worker's thread to itself.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};

use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::interpreter::InterpreterLock;

/// What a task has to heed while it keeps its worker's thread to itself. Made once for many tasks: a clone
/// is cheap, and stands for the same terms.
#[derive(Debug, Clone)]
pub struct Terms {
    cancel: CancellationToken,
    sign: Arc<Sign>,
    lock: Option<Arc<InterpreterLock>>,
}

/// Stands once the token is cancelled. Asking the token itself takes a mutex that all workers share.
#[derive(Debug)]
struct Sign {
    raised: Arc<Raised>,
    /// Raises the sign for as long as it lives; nobody polls it again.
    _watch: Mutex<Pin<Box<WaitForCancellationFutureOwned>>>,
}

#[derive(Debug, Default)]
struct Raised(AtomicBool);

impl Wake for Raised {
    fn wake(self: Arc<Raised>) {
        self.0.store(true, Ordering::Release);
    }
}

impl Default for Terms {
    /// Terms that leave a task alone.
    fn default() -> Terms {
        Terms::new(CancellationToken::new())
    }
}

impl Terms {
    /// To stop when `cancel` says so.
    pub fn new(cancel: CancellationToken) -> Terms {
        let raised = Arc::<Raised>::default();
        let mut watch = Box::pin(cancel.clone().cancelled_owned());
        let waker = Waker::from(raised.clone());
        if watch.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            raised.0.store(true, Ordering::Release);
        }
        Terms { cancel, sign: Arc::new(Sign { raised, _watch: Mutex::new(watch) }), lock: None }
    }

    /// And to run only with `lock` in hand.
    #[must_use]
    pub fn with_lock(self, lock: Arc<InterpreterLock>) -> Terms {
        Terms { lock: Some(lock), ..self }
    }

    /// What tells a task to stop.
    pub fn cancel(&self) -> &CancellationToken {
        &self.cancel
    }

    /// Whether the task is to stop. Costs a load while it is not, and may be a moment late: the token itself, which
    /// takes a mutex that all workers share, knows before word of it has come to all that wait for it.
    pub fn is_stopped(&self) -> bool {
        self.sign.raised.0.load(Ordering::Acquire) && self.cancel.is_cancelled()
    }

    pub(super) fn lock(&self) -> Option<&InterpreterLock> {
        self.lock.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{OnceLock, PoisonError};

    use super::*;

    #[test]
    fn terms_tell_at_once_that_the_token_was_cancelled() {
        let token = CancellationToken::new();
        let (early, child) = (Terms::new(token.clone()), Terms::new(token.child_token()));
        let clone = early.clone();
        assert!(!early.is_stopped() && !child.is_stopped());
        token.cancel();
        let late = Terms::new(token);
        assert!([early, clone, child, late].iter().all(Terms::is_stopped));
    }

    #[test]
    fn who_hears_of_it_first_can_tell_that_it_was_cancelled() {
        struct First {
            terms: OnceLock<Terms>,
            told: Mutex<Vec<bool>>,
        }
        impl Wake for First {
            fn wake(self: Arc<First>) {
                let terms = self.terms.get().map(|terms| terms.cancel().is_cancelled());
                self.told.lock().unwrap_or_else(PoisonError::into_inner).extend(terms);
            }
        }
        let token = CancellationToken::new();
        let first = Arc::new(First { terms: OnceLock::new(), told: Mutex::default() });
        let mut waits = Box::pin(token.clone().cancelled_owned());
        let waker = Waker::from(first.clone());
        assert!(waits.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        // Waits for the token as well, behind the one above.
        assert!(first.terms.set(Terms::new(token.clone())).is_ok());
        token.cancel();
        assert_eq!(*first.told.lock().unwrap_or_else(PoisonError::into_inner), [true]);
    }

    #[test]
    fn a_child_stops_alone() {
        let token = CancellationToken::new();
        let (parent, child) = (Terms::new(token.clone()), Terms::new(token.child_token()));
        child.cancel().cancel();
        assert!(child.is_stopped() && !parent.is_stopped());
    }
}
