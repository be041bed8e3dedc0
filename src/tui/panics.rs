//! Who may spoil the screen when it panics.

use std::panic;
use std::sync::Once;

use super::house::{Role, live};

/// Puts a hook in front of the one that reports panics now (so install that one, color-eyre's say, first).
///
/// While a dashboard is up: a panic of the thread that runs it, or of its painter, restores the terminal
/// and is then reported; a panic of any other thread prints nothing, because a task's panic is caught and
/// becomes an event. While none is up, every panic is reported as before. One that is `expected`, which is
/// asked on the thread that panics, is never reported. Calling this again does nothing.
pub fn install_panic_hook(expected: fn() -> bool) {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if expected() {
                return;
            }
            match (live(), Role::here()) {
                (None, _) => report(info),
                (Some(house), Role::Dashboard | Role::Painter) => {
                    house.leave();
                    report(info);
                }
                (Some(_), Role::Other) => {}
            }
        }));
    });
}
