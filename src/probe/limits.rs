//! Whether the operating system lets a run have all the threads and open files that it needs at once.
//!
//! Everything is read from `getrlimit(2)`, `/proc` (proc(5), proc_sys_kernel(5), proc_sys_vm(5)) and the
//! control groups (cgroups(7)); a limit that can't be read is none. What there is room for now may be taken by
//! another program a moment later: then a thread can't be had after all, and its task says so.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Resource, getrlimit, getuid};
use thiserror::Error;

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
    /// Threads.
    pub threads: u64,
    /// Open files, sockets and event queues included.
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
        let threads = needs.threads.saturating_add(OTHER_THREADS);
        match self {
            Limit::OpenFiles => needs.files,
            Limit::Mappings => threads.saturating_mul(MAPPINGS_PER_THREAD),
            Limit::UserThreads | Limit::Threads | Limit::Ids | Limit::ControlGroup(_) => threads,
        }
    }
}

/// A limit, and how far it is used up.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Room {
    limit: Limit,
    most: u64,
    used: u64,
}

/// Whether there is room for a run with these needs, now.
///
/// # Errors
/// The first limit that it would break.
pub fn room_for(needs: Needs) -> Result<(), NoRoom> {
    fits(needs, rooms(Path::new("/proc"), Path::new("/sys/fs/cgroup")))
}

fn fits(needs: Needs, rooms: Vec<Room>) -> Result<(), NoRoom> {
    for Room { limit, most, used } in rooms {
        let needed = limit.needed(needs);
        if used.saturating_add(needed) > most {
            return Err(NoRoom { limit, most, used, needed });
        }
    }
    Ok(())
}

/// The limits that there are, below the folders where the kernel tells them.
fn rooms(proc: &Path, cgroups: &Path) -> Vec<Room> {
    let mut rooms = Vec::new();
    let mut add = |limit, most: Option<u64>, used: Option<u64>| {
        if let (Some(most), Some(used)) = (most, used) {
            rooms.push(Room { limit, most, used });
        }
    };
    add(Limit::OpenFiles, getrlimit(Resource::Nofile).current, entries(&proc.join("self/fd")));
    let bound = getrlimit(Resource::Nproc).current.filter(|_| !is_exempt(proc));
    add(Limit::UserThreads, bound, bound.and_then(|_| threads_of(proc, getuid().as_raw())));
    let all = all_threads(proc);
    add(Limit::Threads, number(&proc.join("sys/kernel/threads-max")), all);
    add(Limit::Ids, number(&proc.join("sys/kernel/pid_max")), all);
    let mappings = fs::read_to_string(proc.join("self/maps")).ok();
    let mappings = mappings.and_then(|maps| u64::try_from(maps.lines().count()).ok());
    add(Limit::Mappings, number(&proc.join("sys/vm/max_map_count")), mappings);
    for group in control_groups(proc, cgroups) {
        let file = group.join("pids.max");
        add(Limit::ControlGroup(file.clone()), number(&file), number(&group.join("pids.current")));
    }
    rooms
}

/// The number in a file; none where it says `max`.
fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

fn entries(folder: &Path) -> Option<u64> {
    u64::try_from(fs::read_dir(folder).ok()?.count()).ok()
}

/// The value of a field in the file `status` of a process.
fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().next()
}

/// Whether this process may go beyond the limit of its user's processes.
fn is_exempt(proc: &Path) -> bool {
    let status = fs::read_to_string(proc.join("self/status")).unwrap_or_default();
    let capabilities = field(&status, "CapEff").and_then(|hex| u64::from_str_radix(hex, 16).ok());
    getuid().is_root() || capabilities.unwrap_or(0) & UNLIMITED_PROCESSES != 0
}

/// The threads of all processes of a user, as far as they can be seen.
fn threads_of(proc: &Path, user: u32) -> Option<u64> {
    let processes = fs::read_dir(proc).ok()?.flatten();
    let threads = processes.filter_map(|process| {
        // `self` and `thread-self` name this process once more each.
        process.file_name().to_str()?.parse::<u32>().ok()?;
        let status = fs::read_to_string(process.path().join("status")).ok()?;
        let owner: u32 = field(&status, "Uid")?.parse().ok()?;
        (owner == user).then(|| field(&status, "Threads")?.parse::<u64>().ok())?
    });
    Some(threads.sum())
}

/// The threads of the machine: what `/proc/loadavg` tells behind the slash.
fn all_threads(proc: &Path) -> Option<u64> {
    let line = fs::read_to_string(proc.join("loadavg")).ok()?;
    line.split_whitespace().nth(3)?.split_once('/')?.1.parse().ok()
}

/// The folders of the control groups that this process is in, from its own up, as far as they count threads.
fn control_groups(proc: &Path, cgroups: &Path) -> Vec<PathBuf> {
    let text = fs::read_to_string(proc.join("self/cgroup")).unwrap_or_default();
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

    fn room(limit: Limit, most: u64, used: u64) -> Room {
        Room { limit, most, used }
    }

    #[test]
    fn what_fits_exactly_fits_and_one_more_does_not() {
        let files = |files| Needs { threads: 0, files };
        let tight = || vec![room(Limit::OpenFiles, 100, 40)];
        assert_eq!(fits(files(60), tight()), Ok(()));
        let no_room = fits(files(61), tight()).err();
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
        let needs = Needs { threads: 92, files: 0 };
        for limit in [Limit::UserThreads, Limit::Threads, Limit::Ids, Limit::ControlGroup("a".into())] {
            assert_eq!(fits(needs, vec![room(limit.clone(), 101, 1)]), Ok(()));
            assert!(fits(needs, vec![room(limit, 100, 1)]).is_err());
        }
        assert_eq!(fits(needs, vec![room(Limit::Mappings, 400, 0)]), Ok(()));
        assert!(fits(needs, vec![room(Limit::Mappings, 399, 0)]).is_err());
        assert!(fits(Needs { threads: u64::MAX, files: u64::MAX }, Vec::new()).is_ok());
    }

    #[test]
    fn limits_are_read_where_the_kernel_tells_them() -> Fallible {
        let (proc, cgroups) = (tempfile::tempdir()?, tempfile::tempdir()?);
        let write = |root: &Path, name: &str, text: &str| -> std::io::Result<()> {
            let file = root.join(name);
            fs::create_dir_all(file.parent().unwrap_or(root))?;
            fs::write(file, text)
        };
        write(proc.path(), "loadavg", "0.1 0.2 0.3 2/345 6789\n")?;
        write(proc.path(), "sys/kernel/threads-max", "1000\n")?;
        write(proc.path(), "sys/vm/max_map_count", "65530\n")?;
        write(proc.path(), "self/maps", "a\nb\nc\n")?;
        write(proc.path(), "self/cgroup", "8:pids:/box\n4:memory:/box/deep\n0::/box/deep\n")?;
        write(cgroups.path(), "box/pids.max", "50\n")?;
        write(cgroups.path(), "box/pids.current", "7\n")?;
        write(cgroups.path(), "box/deep/pids.max", "max\n")?;
        write(cgroups.path(), "box/deep/pids.current", "7\n")?;
        write(cgroups.path(), "pids/box/pids.max", "60\n")?;
        write(cgroups.path(), "pids/box/pids.current", "8\n")?;
        let found = rooms(proc.path(), cgroups.path());
        let group = |name: &str| Limit::ControlGroup(cgroups.path().join(name));
        let expected = [
            room(Limit::Threads, 1000, 345),
            room(Limit::Mappings, 65530, 3),
            room(group("pids/box/pids.max"), 60, 8),
            room(group("box/pids.max"), 50, 7),
        ];
        let found: Vec<_> = found.into_iter().filter(|room| room.limit != Limit::UserThreads).collect();
        assert_eq!(found, expected);
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
