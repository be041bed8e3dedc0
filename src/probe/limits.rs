//! Whether the operating system lets a run have all the threads and open files that it needs at once.
//!
//! Everything is read from `getrlimit(2)`, `/proc` (proc(5), proc_sys_kernel(5), proc_sys_vm(5)) and the
//! control groups (cgroups(7)); a limit that can't be read is none. What there is room for now may be taken by
//! another program a moment later: then a thread can't be had after all, and its task says so.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Resource, getrlimit, getuid};
use thiserror::Error;

use super::proc::field;

/// Mappings of memory that a thread takes: its stack and its signal stack, each with a guard page. Measured
/// with 100, 1,000 and 3,000 threads on Linux 6.18 with glibc.
const MAPPINGS_PER_THREAD: u64 = 4;

/// Threads that come and go beside the workers: look-ups, the collector.
const OTHER_THREADS: u64 = 8;

/// Capabilities (capabilities(7)) with which a user may have more processes than `ulimit -u` says:
/// `CAP_SYS_ADMIN` and `CAP_SYS_RESOURCE`.
const UNLIMITED_PROCESSES: u64 = 1 << 21 | 1 << 24;

/// What a run needs at once, besides what is in use.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// Threads of this process.
    pub threads: u64,
    /// Threads of child processes.
    pub threads_of_children: u64,
    /// Open files of this process, sockets and event queues included.
    pub files: u64,
}

/// Something of which the operating system gives only so much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Limit {
    /// Open files of this process: `ulimit -n`.
    OpenFiles,
    /// Threads of all processes of this user: `ulimit -u`.
    UserThreads,
    /// Threads of the machine: the setting `kernel.threads-max`.
    Threads,
    /// Process and thread ids: the setting `kernel.pid_max`.
    Ids,
    /// Mappings of this process' memory: the setting `vm.max_map_count`.
    Mappings,
    /// Threads of a control group, such as a container: its file `pids.max`.
    ControlGroup(PathBuf),
}

/// A run does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "not begun: it needs {needed} {what} besides the {used} in use, and {name} is {most}; {advice}, or use fewer workers",
    what = limit.counts(),
    name = limit.name(),
    advice = limit.advice(used.saturating_add(*needed))
)]
pub struct NoRoom {
    /// What there is too little of.
    pub limit: Limit,
    /// How much of it there is.
    pub most: u64,
    /// How much of it is in use.
    pub used: u64,
    /// How much more of it is needed.
    pub needed: u64,
}

impl Limit {
    fn counts(&self) -> &'static str {
        match self {
            Limit::OpenFiles => "open files",
            Limit::Mappings => "memory mappings",
            Limit::UserThreads | Limit::Threads | Limit::Ids | Limit::ControlGroup(_) => "threads",
        }
    }

    fn name(&self) -> String {
        match self {
            Limit::OpenFiles => "the limit of open files (ulimit -n)".to_owned(),
            Limit::UserThreads => "the limit of this user's processes and threads (ulimit -u)".to_owned(),
            Limit::Threads => "kernel.threads-max".to_owned(),
            Limit::Ids => "kernel.pid_max".to_owned(),
            Limit::Mappings => "vm.max_map_count".to_owned(),
            Limit::ControlGroup(file) => file.display().to_string(),
        }
    }

    /// What gives room for `wanted` in all.
    fn advice(&self, wanted: u64) -> String {
        let ample = wanted.checked_next_power_of_two().unwrap_or(wanted);
        match self {
            Limit::OpenFiles => format!("allow more with `ulimit -n {ample}`, which may take root"),
            Limit::UserThreads => format!("allow more with `ulimit -u {ample}`, which may take root"),
            Limit::Threads => format!("allow more with `sysctl kernel.threads-max={ample}` as root"),
            Limit::Ids => format!("allow more with `sysctl kernel.pid_max={ample}` as root"),
            Limit::Mappings => format!("allow more with `sysctl vm.max_map_count={ample}` as root"),
            Limit::ControlGroup(_) => {
                format!("allow the container or service more (`--pids-limit {ample}`, `TasksMax={ample}`)")
            }
        }
    }

    fn needed(&self, needs: Needs) -> u64 {
        let threads = match needs.threads.saturating_add(needs.threads_of_children) {
            0 => 0,
            _ => needs.threads.saturating_add(OTHER_THREADS),
        };
        match self {
            Limit::OpenFiles => needs.files,
            Limit::Mappings => threads.saturating_mul(MAPPINGS_PER_THREAD),
            Limit::UserThreads | Limit::Threads | Limit::Ids | Limit::ControlGroup(_) => {
                threads.saturating_add(needs.threads_of_children)
            }
        }
    }
}

/// Mappings that this program never has but for its workers: it has a few hundred.
const OTHER_MAPPINGS: u64 = 10_000;

/// Whether there is room for a run with these needs, now.
///
/// # Errors
/// The first limit that it would break.
pub fn room_for(needs: Needs) -> Result<(), NoRoom> {
    fits(needs, Path::new("/proc"), Path::new("/sys/fs/cgroup"))
}

/// Holds the needs against the limits that there are, below the folders where the kernel tells them. What takes
/// long to count is counted only where it may matter.
fn fits(needs: Needs, proc: &Path, cgroups: &Path) -> Result<(), NoRoom> {
    let holds = |limit, most: Option<u64>, used: &dyn Fn() -> Option<u64>| {
        most.map_or(Ok(()), |most| held(needs, limit, most, used()))
    };
    let all = all_threads(proc);
    // Nobody has more threads than all have together.
    let may_break =
        |most: &u64| all.is_none_or(|all| held(needs, Limit::UserThreads, *most, Some(all)).is_err());
    let user = getrlimit(Resource::Nproc).current.filter(may_break).filter(|_| !is_exempt(proc));
    let may_break = |most: &u64| held(needs, Limit::Mappings, *most, Some(OTHER_MAPPINGS)).is_err();
    let mappings = number(&proc.join("sys/vm/max_map_count")).filter(may_break);
    holds(Limit::OpenFiles, getrlimit(Resource::Nofile).current, &|| entries(&proc.join("self/fd")))?;
    holds(Limit::UserThreads, user, &|| threads_of(proc, getuid().as_raw()))?;
    holds(Limit::Threads, number(&proc.join("sys/kernel/threads-max")), &|| all)?;
    holds(Limit::Ids, number(&proc.join("sys/kernel/pid_max")), &|| all)?;
    holds(Limit::Mappings, mappings, &|| lines(&proc.join("self/maps")))?;
    control_groups(proc, cgroups).into_iter().try_for_each(|group| {
        let file = group.join("pids.max");
        let most = number(&file);
        holds(Limit::ControlGroup(file), most, &|| number(&group.join("pids.current")))
    })
}

/// Holds the needs against one limit, of which so much is in use; where that can't be told, it holds.
fn held(needs: Needs, limit: Limit, most: u64, used: Option<u64>) -> Result<(), NoRoom> {
    let needed = limit.needed(needs);
    match used {
        Some(used) if used.saturating_add(needed) > most => Err(NoRoom { limit, most, used, needed }),
        _ => Ok(()),
    }
}

/// The number in a file; none where it says `max`.
fn number(file: &Path) -> Option<u64> {
    read(file)?.trim().parse().ok()
}

fn lines(file: &Path) -> Option<u64> {
    u64::try_from(read(file)?.lines().count()).ok()
}

fn read(file: &Path) -> Option<String> {
    String::from_utf8(super::proc::read(file)?).ok()
}

fn entries(folder: &Path) -> Option<u64> {
    u64::try_from(fs::read_dir(folder).ok()?.count()).ok()
}

/// Whether this process may go beyond the limit of its user's processes.
fn is_exempt(proc: &Path) -> bool {
    let status = read(&proc.join("self/status")).unwrap_or_default();
    let capabilities = field(&status, "CapEff").and_then(|hex| u64::from_str_radix(hex, 16).ok());
    getuid().is_root() || capabilities.unwrap_or(0) & UNLIMITED_PROCESSES != 0
}

/// The threads of all processes of a user, as far as they can be seen.
fn threads_of(proc: &Path, user: u32) -> Option<u64> {
    let processes = fs::read_dir(proc).ok()?.flatten();
    let threads = processes.filter_map(|process| {
        // `self` and `thread-self` name this process once more each.
        process.file_name().to_str()?.parse::<u32>().ok()?;
        let status = read(&process.path().join("status"))?;
        let owner: u32 = field(&status, "Uid")?.parse().ok()?;
        (owner == user).then(|| field(&status, "Threads")?.parse::<u64>().ok())?
    });
    Some(threads.sum())
}

/// The threads of the machine: what `/proc/loadavg` tells behind the slash.
fn all_threads(proc: &Path) -> Option<u64> {
    let line = read(&proc.join("loadavg"))?;
    line.split_whitespace().nth(3)?.split_once('/')?.1.parse().ok()
}

/// The folders of the control groups that this process is in, from its own up, as far as they count threads.
fn control_groups(proc: &Path, cgroups: &Path) -> Vec<PathBuf> {
    let text = read(&proc.join("self/cgroup")).unwrap_or_default();
    let mut groups = Vec::new();
    for line in text.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let root = match controllers {
            "" => cgroups.to_owned(),
            names if names.split(',').any(|name| name == "pids") => cgroups.join("pids"),
            _ => continue,
        };
        for group in Path::new(path.trim_start_matches('/')).ancestors() {
            groups.push(root.join(group));
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    type Fallible = Result<(), Box<dyn std::error::Error>>;

    #[test]
    fn what_fits_exactly_fits_and_one_more_does_not() {
        let held = |files| held(Needs { files, ..Needs::default() }, Limit::OpenFiles, 100, Some(40));
        assert_eq!(held(60), Ok(()));
        let no_room = held(61).err();
        assert_eq!(no_room, Some(NoRoom { limit: Limit::OpenFiles, most: 100, used: 40, needed: 61 }));
        assert_eq!(
            no_room.map(|error| error.to_string()).as_deref(),
            Some(
                "not begun: it needs 61 open files besides the 40 in use, and the limit of open files \
                 (ulimit -n) is 100; allow more with `ulimit -n 128`, which may take root, or use fewer workers"
            )
        );
    }

    #[test]
    fn a_thread_counts_against_every_limit_of_threads_and_by_its_mappings() {
        let needs = Needs { threads: 92, ..Needs::default() };
        for limit in [Limit::UserThreads, Limit::Threads, Limit::Ids, Limit::ControlGroup("a".into())] {
            assert_eq!(held(needs, limit.clone(), 101, Some(1)), Ok(()));
            assert!(held(needs, limit, 100, Some(1)).is_err());
        }
        assert_eq!(held(needs, Limit::Mappings, 400, Some(0)), Ok(()));
        assert!(held(needs, Limit::Mappings, 399, Some(0)).is_err());
        // Those of children count where they are.
        let needs = Needs { threads_of_children: 50, ..needs };
        assert_eq!(held(needs, Limit::Mappings, 400, Some(0)), Ok(()));
        assert_eq!(held(needs, Limit::Threads, 151, Some(1)), Ok(()));
        assert!(held(needs, Limit::Threads, 150, Some(1)).is_err());
        // Who needs no thread breaks no limit of theirs.
        assert_eq!(held(Needs { files: 9, ..Needs::default() }, Limit::Threads, 100, Some(100)), Ok(()));
        assert!(
            held(
                Needs { threads: u64::MAX, threads_of_children: u64::MAX, files: u64::MAX },
                Limit::Ids,
                0,
                None
            )
            .is_ok()
        );
    }

    /// The folders `/proc` and `/sys/fs/cgroup` of a machine that tells all of its limits.
    struct Machine {
        proc: tempfile::TempDir,
        cgroups: tempfile::TempDir,
    }

    impl Machine {
        fn new() -> std::io::Result<Machine> {
            let machine = Machine { proc: tempfile::tempdir()?, cgroups: tempfile::tempdir()? };
            machine.tells("loadavg", "0.1 0.2 0.3 2/345 6789\n")?;
            machine.tells("sys/kernel/threads-max", "100000\n")?;
            machine.tells("sys/kernel/pid_max", "100000\n")?;
            machine.tells("sys/vm/max_map_count", "400000\n")?;
            machine.tells("self/maps", "a\nb\nc\n")?;
            machine.tells("self/cgroup", "8:pids:/box\n4:memory:/box/deep\n0::/box/deep\n")?;
            Ok(machine)
        }

        fn tells(&self, name: &str, text: &str) -> std::io::Result<()> {
            Machine::write(self.proc.path(), name, text)
        }

        fn groups(&self, name: &str, text: &str) -> std::io::Result<()> {
            Machine::write(self.cgroups.path(), name, text)
        }

        fn write(root: &Path, name: &str, text: &str) -> std::io::Result<()> {
            let file = root.join(name);
            fs::create_dir_all(file.parent().unwrap_or(root))?;
            fs::write(file, text)
        }

        /// The limit that so many more threads would break, with how much there is of it and in use.
        fn broken_by(&self, threads: u64) -> Option<(Limit, u64, u64)> {
            let no_room =
                fits(Needs { threads, ..Needs::default() }, self.proc.path(), self.cgroups.path()).err()?;
            Some((no_room.limit, no_room.most, no_room.used))
        }
    }

    #[test]
    fn limits_are_read_where_the_kernel_tells_them() -> Fallible {
        let machine = Machine::new()?;
        assert_eq!(machine.broken_by(1000), None);
        machine.groups("pids/box/pids.max", "60\n")?;
        machine.groups("pids/box/pids.current", "8\n")?;
        machine.groups("box/pids.max", "50\n")?;
        machine.groups("box/pids.current", "7\n")?;
        machine.groups("box/deep/pids.max", "max\n")?;
        machine.groups("box/deep/pids.current", "7\n")?;
        let group = |name: &str| Limit::ControlGroup(machine.cgroups.path().join(name));
        assert_eq!(machine.broken_by(1000), Some((group("pids/box/pids.max"), 60, 8)));
        assert_eq!(machine.broken_by(40), Some((group("box/pids.max"), 50, 7)));
        assert_eq!(machine.broken_by(10), None);
        machine.tells("sys/vm/max_map_count", "3999\n")?;
        assert_eq!(machine.broken_by(992), Some((Limit::Mappings, 3999, 3)));
        machine.tells("sys/kernel/pid_max", "1344\n")?;
        assert_eq!(machine.broken_by(992), Some((Limit::Ids, 1344, 345)));
        machine.tells("sys/kernel/threads-max", "1343\n")?;
        assert_eq!(machine.broken_by(992), Some((Limit::Threads, 1343, 345)));
        Ok(())
    }

    #[test]
    fn mappings_are_counted_where_they_may_not_fit() -> Fallible {
        let machine = Machine::new()?;
        // As many as fit into none but its own.
        machine.tells("sys/vm/max_map_count", "14000\n")?;
        assert_eq!(machine.broken_by(3489), None);
        machine.tells("self/maps", &"a\n".repeat(13))?;
        assert_eq!(machine.broken_by(3489), Some((Limit::Mappings, 14000, 13)));
        Ok(())
    }

    #[test]
    fn the_threads_of_one_user_are_added_up() -> Fallible {
        let proc = tempfile::tempdir()?;
        for (process, user, threads) in [("10", 7, 3), ("11", 7, 4), ("12", 8, 100)] {
            fs::create_dir(proc.path().join(process))?;
            let status = format!("Name:\tx\nUid:\t{user}\t0\t0\t0\nThreads:\t{threads}\n");
            fs::write(proc.path().join(process).join("status"), status)?;
        }
        assert_eq!(threads_of(proc.path(), 7), Some(7));
        Ok(())
    }
}
