//! Panics that are expected: they are caught and told as events, so nobody needs to report them, least of
//! all on the worker's own time.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};

thread_local! {
    static EXPECTED: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic of the calling thread, now, would be caught and told as an event: then a panic hook has
/// nothing to say.
pub fn panic_is_expected() -> bool {
    // A panic can come from what the thread drops last of all.
    EXPECTED.try_with(Cell::get).unwrap_or(false)
}

/// While this lives, a panic of this thread is expected.
pub(super) struct ExpectingPanic {
    before: bool,
}

impl ExpectingPanic {
    pub(super) fn here() -> ExpectingPanic {
        ExpectingPanic { before: EXPECTED.replace(true) }
    }
}

impl Drop for ExpectingPanic {
    fn drop(&mut self) {
        EXPECTED.set(self.before);
    }
}

/// What `body` returns; none when it panics, which nobody reports.
pub(super) fn caught<T>(body: impl FnOnce() -> T) -> Option<T> {
    let _expecting = ExpectingPanic::here();
    panic::catch_unwind(AssertUnwindSafe(body)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_expected_within_and_not_after() {
        assert_eq!(caught(panic_is_expected), Some(true));
        assert_eq!(caught(|| (caught(|| ()), panic_is_expected()).1), Some(true));
        assert_eq!(caught(|| panic!("on purpose")), None::<()>);
        assert!(!panic_is_expected());
    }
}
