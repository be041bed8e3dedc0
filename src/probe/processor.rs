//! The processor time of a run: all of the process's, less that of the threads that were there before.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::proc::{Proc, Process, Stat};

/// Processor time, by where it was spent.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spent {
    /// In user mode.
    pub(super) user: Duration,
    /// In the kernel.
    pub(super) system: Duration,
}

/// What was spent up to a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Counted {
    /// In user mode and in the kernel, to the nanosecond where that is counted.
    all: Duration,
    /// In the kernel.
    system: Duration,
}

impl Counted {
    fn since(self, earlier: Counted) -> Counted {
        Counted {
            all: self.all.saturating_sub(earlier.all),
            system: self.system.saturating_sub(earlier.system),
        }
    }
}

/// A thread that was there before the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bystander {
    id: u32,
    started: u64,
    spent: Counted,
}

impl Bystander {
    fn read(proc: &Proc, id: u32) -> Option<Bystander> {
        let stat = proc.thread_stat(id)?;
        // A kernel that does not count to the nanosecond says zero.
        let exact = proc.thread_time(id).unwrap_or_default();
        let spent = Counted { all: exact.max(stat.user + stat.system), system: stat.system };
        Some(Bystander { id, started: stat.started, spent })
    }

    /// What it spent since this reading; nothing is known of one that is gone.
    fn spent_since(&self, proc: &Proc) -> Option<Counted> {
        let now = Bystander::read(proc, self.id).filter(|now| now.started == self.started)?;
        Some(now.spent.since(self.spent))
    }
}

/// What the process, its children and each of its threads had spent at a moment.
#[derive(Debug)]
pub(super) struct Reading {
    own: Counted,
    children: Spent,
    threads: Vec<Bystander>,
}

impl Reading {
    /// What was spent until now; none where the system does not tell.
    pub(super) fn of_all(proc: &Proc) -> Option<Reading> {
        let threads = proc.threads(Process::Own)?.filter_map(|id| Bystander::read(proc, id)).collect();
        let (own, children) = of_process(proc)?;
        Some(Reading { own, children, threads })
    }

    /// What was spent since then by threads that were not there then, and by children that were waited for
    /// since; none where the system does not tell.
    pub(super) fn spent_since(&self, proc: &Proc) -> Option<Spent> {
        let (own, children) = of_process(proc)?;
        let by_others = self.threads.iter().filter_map(|thread| thread.spent_since(proc));
        let of_run = by_others.fold(own.since(self.own), Counted::since);
        // The kernel's share is told less exactly than the sum, so it may seem to be more.
        let system = of_run.system.min(of_run.all);
        Some(Spent {
            user: of_run.all - system + children.user.saturating_sub(self.children.user),
            system: system + children.system.saturating_sub(self.children.system),
        })
    }
}

/// What this process spent until now, and what its children did.
fn of_process(proc: &Proc) -> Option<(Counted, Spent)> {
    let Stat { user, system, children_user, children_system, .. } = proc.stat()?;
    let exact = clock_gettime(ClockId::ProcessCPUTime);
    let exact = Duration::try_from(exact).unwrap_or_default();
    let own = Counted { all: exact.max(user + system), system };
    Some((own, Spent { user: children_user, system: children_system }))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::hint::black_box;
    use std::process::Command;
    use std::sync::mpsc;
    use std::thread;

    use super::super::{Family, Probe};
    use super::*;

    /// The least that the system counts of user and system time.
    const TICK: Duration = Duration::from_millis(10);

    /// Uses the processor until the calling thread has used so much of it.
    fn burn(time: Duration) {
        let used = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap();
        let until = used() + time;
        let mut sum = 0_u64;
        while used() < until {
            sum = (0..10_000_u64).fold(sum, |sum, i| black_box(sum.wrapping_mul(31).wrapping_add(i)));
        }
        black_box(sum);
    }

    /// What a thread that is there before burns, told to do so, and what one that is not does.
    fn measured(bystanders: Duration, runs: Duration) -> Spent {
        let proc = Proc::default();
        let (burnt, done) = mpsc::channel();
        let (ask, asked) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(move || {
                burnt.send(()).unwrap();
                for time in asked {
                    burn(time);
                    burnt.send(()).unwrap();
                }
            });
            done.recv().unwrap();
            let before = Reading::of_all(&proc).unwrap();
            scope.spawn(|| burn(runs)).join().unwrap();
            ask.send(bystanders).unwrap();
            done.recv().unwrap();
            let spent = before.spent_since(&proc).unwrap();
            drop(ask);
            spent
        })
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_new_threads_time_is_counted() {
        let spent = measured(Duration::ZERO, 20 * TICK);
        assert!(spent.user + spent.system >= 20 * TICK - TICK, "{spent:?}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    #[ignore = "wants a process in which no other test runs: the test below gives it one"]
    fn alone_in_its_process() {
        let spent = measured(60 * TICK, 20 * TICK);
        let all = spent.user + spent.system;
        assert!((19 * TICK..40 * TICK).contains(&all), "{spent:?}");

        // What comes after the last task is no part of the run, where its threads do it.
        for (family, least, most) in [(Family::Alone, 19, 40), (Family::WithChildren, 79, 100)] {
            let probe = Probe::default();
            let mut measuring = probe.begin(family);
            let measured = thread::scope(|scope| {
                let run = move || {
                    burn(20 * TICK);
                    measuring.tasks_are_done();
                    burn(60 * TICK);
                    measuring
                };
                scope.spawn(run).join().unwrap().end()
            });
            let nanos = measured.user_nanos.unwrap() + measured.system_nanos.unwrap();
            assert!((least * TICK..most * TICK).contains(&Duration::from_nanos(nanos)), "{measured:?}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_time_of_a_thread_that_was_there_before_is_not() {
        let name = format!("{}::alone_in_its_process", module_path!().split_once("::").unwrap().1);
        let test = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", &name, "--test-threads", "1"])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&test.stdout);
        assert!(test.status.success() && said.contains("1 passed"), "{said}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_child_counts_when_it_was_waited_for() {
        let proc = Proc::default();
        let before = Reading::of_all(&proc).unwrap();
        let script = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
        assert!(Command::new("sh").args(["-c", script]).status().unwrap().success());
        let (_, children) = of_process(&proc).unwrap();
        assert!(children.user + children.system > before.children.user + before.children.system);
    }

    #[test]
    fn where_nothing_is_told_there_is_no_figure() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Reading::of_all(&Proc::at(folder.path())).is_none());
    }
}
