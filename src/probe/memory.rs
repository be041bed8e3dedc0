//! The most memory that a run had in use at once, from looks at it.

use std::collections::BTreeSet;

use crate::event::At;

use super::Family;
use super::proc::{Proc, Process};

/// A look is followed by at least so many times its own cost without one.
const REST: u32 = 100;

/// The looks at one run's memory.
#[derive(Debug, Default)]
pub(super) enum Watch {
    /// There is no run.
    #[default]
    Idle,
    /// There is one.
    Watching {
        family: Family,
        /// The most that was seen; none where the system does not tell.
        peak: Option<u64>,
        /// No look before that.
        next: At,
    },
}

impl Watch {
    /// Begins with a look.
    pub(super) fn begin(proc: &Proc, family: Family) -> Watch {
        Watch::Watching { family, peak: resident(proc, family), next: At::ZERO }
    }

    /// Looks, unless it is too early.
    pub(super) fn look(&mut self, proc: &Proc, now: impl Fn() -> At) {
        let Watch::Watching { family, peak: Some(peak), next } = self else { return };
        let before = now();
        if before < *next {
            return;
        }
        *peak = resident(proc, *family).unwrap_or(0).max(*peak);
        let after = now();
        *next = after.plus(after.since(before).saturating_mul(REST));
    }

    /// Looks for the last time; the most that was seen.
    pub(super) fn end(self, proc: &Proc) -> Option<u64> {
        let Watch::Watching { family, peak, .. } = self else { return None };
        Some(peak?.max(resident(proc, family).unwrap_or(0)))
    }
}

/// How many bytes are in memory; none where the system does not tell.
fn resident(proc: &Proc, family: Family) -> Option<u64> {
    let own = proc.resident(Process::Own)?;
    match family {
        Family::Alone => Some(own),
        Family::WithChildren => {
            let descendants = descendants(proc)?;
            // One that ended since has nothing in memory.
            let theirs = descendants.into_iter().filter_map(|child| proc.resident(child));
            Some(theirs.fold(own, u64::saturating_add))
        }
    }
}

/// The processes below this one; none where the system does not tell.
fn descendants(proc: &Proc) -> Option<BTreeSet<Process>> {
    let mut found = BTreeSet::new();
    let mut next: Vec<u32> = {
        let mut told =
            proc.threads(Process::Own)?.filter_map(|id| proc.children(Process::Own, id)).peekable();
        // This very thread is there, so a kernel that tells of children tells of its.
        told.peek()?;
        told.flatten().collect()
    };
    while let Some(pid) = next.pop() {
        let child = Process::Other(pid);
        if found.insert(child) {
            let threads = proc.threads(child).into_iter().flatten();
            next.extend(threads.filter_map(|id| proc.children(child, id)).flatten());
        }
    }
    Some(found)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::cell::Cell;
    use std::fs;
    use std::path::Path;
    use std::time::Duration;

    use super::*;

    /// A process as `/proc` shows it: its pages, and the children of its one thread, if they are told.
    fn process(root: &Path, name: &str, pages: u64, children: Option<&str>) {
        let task = root.join(name).join("task/7");
        fs::create_dir_all(&task).unwrap();
        fs::write(root.join(name).join("statm"), format!("9999 {pages} 3 0 0 0 0\n")).unwrap();
        if let Some(children) = children {
            fs::write(task.join("children"), children).unwrap();
        }
    }

    fn pages(count: u64) -> u64 {
        count * rustix::param::page_size() as u64
    }

    #[test]
    fn descendants_count_and_each_one_once() {
        let folder = tempfile::tempdir().unwrap();
        let (root, proc) = (folder.path(), Proc::at(folder.path()));
        process(root, "self", 100, Some("20 21 22 "));
        process(root, "20", 10, Some("30 "));
        process(root, "21", 5, Some(""));
        process(root, "30", 1, Some("20 "));
        assert_eq!(resident(&proc, Family::WithChildren), Some(pages(116)));
        assert_eq!(resident(&proc, Family::Alone), Some(pages(100)));
    }

    #[test]
    fn where_children_are_not_told_there_is_no_figure_for_a_family() {
        let folder = tempfile::tempdir().unwrap();
        let proc = Proc::at(folder.path());
        assert_eq!(resident(&proc, Family::Alone), None);
        process(folder.path(), "self", 100, None);
        assert_eq!(resident(&proc, Family::WithChildren), None);
        assert_eq!(Watch::begin(&proc, Family::WithChildren).end(&proc), None);
        assert_eq!(Watch::begin(&proc, Family::Alone).end(&proc), Some(pages(100)));
    }

    #[test]
    fn the_peak_is_the_most_that_was_seen_and_a_dear_look_is_followed_by_a_rest() {
        let folder = tempfile::tempdir().unwrap();
        let (root, proc) = (folder.path(), Proc::at(folder.path()));
        let (time, asked) = (Cell::new(At::ZERO), Cell::new(0));
        // Each second question is asked after a look, which takes a millisecond.
        let now = || {
            asked.set(asked.get() + 1);
            let took = if asked.get() % 2 == 0 { Duration::from_millis(1) } else { Duration::ZERO };
            time.set(time.get().plus(took));
            time.get()
        };
        process(root, "self", 100, None);
        let mut watch = Watch::begin(&proc, Family::Alone);
        process(root, "self", 300, None);
        watch.look(&proc, now);
        process(root, "self", 700, None);
        time.set(time.get().plus(Duration::from_millis(50)));
        watch.look(&proc, now);
        asked.set(0);
        process(root, "self", 200, None);
        time.set(time.get().plus(Duration::from_millis(51)));
        watch.look(&proc, now);
        process(root, "self", 100, None);
        assert_eq!(watch.end(&proc), Some(pages(300)));
        assert_eq!(asked.get(), 2);
    }

    #[test]
    fn what_is_taken_is_seen_until_it_is_given_back() {
        let proc = Proc::default();
        let Some(before) = resident(&proc, Family::WithChildren) else { return };
        let mut watch = Watch::begin(&proc, Family::WithChildren);
        let taken = vec![1_u8; 64 << 20];
        watch.look(&proc, || At::ZERO);
        drop(std::hint::black_box(taken));
        let peak = watch.end(&proc).unwrap();
        assert!(before > 0 && peak >= 64 << 20, "{before} {peak}");
    }
}
