//! The few lines of `/proc` that are read, and how they read (proc(5)).

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The folder in which the kernel tells of processes; another one in tests.
#[derive(Debug)]
pub(super) struct Proc(PathBuf);

impl Default for Proc {
    fn default() -> Proc {
        Proc(PathBuf::from("/proc"))
    }
}

/// A process, as its folder is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Process {
    /// This one.
    Own,
    /// The one with that id.
    Other(u32),
}

/// What a `stat` file says of a process or a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    /// In user mode.
    pub(super) user: Duration,
    /// In the kernel.
    pub(super) system: Duration,
    /// In user mode, of the children that were waited for.
    pub(super) children_user: Duration,
    /// In the kernel, of the children that were waited for.
    pub(super) children_system: Duration,
    /// When it started, in clock ticks since the machine did: tells it from a later one with its id.
    pub(super) started: u64,
}

impl Proc {
    #[cfg(test)]
    pub(super) fn at(root: &Path) -> Proc {
        Proc(root.to_owned())
    }

    fn folder(&self, process: Process) -> PathBuf {
        match process {
            Process::Own => self.0.join("self"),
            Process::Other(pid) => self.0.join(pid.to_string()),
        }
    }

    fn thread(&self, process: Process, thread: u32) -> PathBuf {
        self.folder(process).join("task").join(thread.to_string())
    }

    /// This process.
    pub(super) fn stat(&self) -> Option<Stat> {
        stat(&read(&self.folder(Process::Own).join("stat"))?)
    }

    /// The threads of a process; none when it is gone.
    pub(super) fn threads(&self, process: Process) -> Option<impl Iterator<Item = u32> + use<>> {
        let entries = fs::read_dir(self.folder(process).join("task")).ok()?;
        Some(entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()))
    }

    /// A thread of this process.
    pub(super) fn thread_stat(&self, thread: u32) -> Option<Stat> {
        stat(&read(&self.thread(Process::Own, thread).join("stat"))?)
    }

    /// How long a thread of this process was on a processor, to the nanosecond; zero where it is not counted.
    pub(super) fn thread_time(&self, thread: u32) -> Option<Duration> {
        schedstat(&read(&self.thread(Process::Own, thread).join("schedstat"))?)
    }

    /// How many bytes of a process are in memory.
    pub(super) fn resident(&self, process: Process) -> Option<u64> {
        let pages = resident_pages(&read(&self.folder(process).join("statm"))?)?;
        Some(pages.saturating_mul(u64::try_from(rustix::param::page_size()).unwrap_or(4096)))
    }

    /// The children that a thread of a process started; none when the thread is gone, or the kernel does not
    /// tell.
    pub(super) fn children(&self, process: Process, thread: u32) -> Option<Vec<u32>> {
        Some(ids(&read(&self.thread(process, thread).join("children"))?))
    }
}

/// The whole of a file that the kernel makes up: in as few pieces as can be, for it makes each anew, and
/// without asking for the length, which is zero.
pub(super) fn read(path: &Path) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(4096);
    File::open(path).ok()?.take(u64::MAX).read_to_end(&mut text).ok()?;
    Some(text)
}

/// The value of a field in the file `status` of a process.
pub(super) fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().next()
}

/// The signals that this process ignores, a bit for each from signal 1 on.
pub(super) fn ignored_signals() -> u64 {
    let status = read(Path::new("/proc/self/status")).unwrap_or_default();
    let mask = field(&String::from_utf8_lossy(&status), "SigIgn").map(|hex| u64::from_str_radix(hex, 16));
    mask.and_then(Result::ok).unwrap_or(0)
}

/// The fields of a `stat` file. The second is the command's name in parentheses, in which anything may
/// stand, spaces and parentheses too; what follows the last parenthesis has numbers only.
fn stat(text: &[u8]) -> Option<Stat> {
    let name_ends = text.iter().rposition(|&byte| byte == b')')?;
    let fields: Vec<&[u8]> = words(&text[name_ends + 1..]).collect();
    // proc(5) counts from 1, and the first word here is field 3.
    let field = |number: usize| fields.get(number - 3).and_then(|word| number_of(word));
    Some(Stat {
        user: of_ticks(field(14)?),
        system: of_ticks(field(15)?),
        children_user: of_ticks(field(16)?),
        children_system: of_ticks(field(17)?),
        started: field(22)?,
    })
}

fn schedstat(text: &[u8]) -> Option<Duration> {
    words(text).next().and_then(number_of).map(Duration::from_nanos)
}

fn resident_pages(text: &[u8]) -> Option<u64> {
    words(text).nth(1).and_then(number_of)
}

fn ids(text: &[u8]) -> Vec<u32> {
    words(text).filter_map(|word| u32::try_from(number_of(word)?).ok()).collect()
}

fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

fn number_of(word: &[u8]) -> Option<u64> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

fn of_ticks(ticks: u64) -> Duration {
    let nanos_each = 1_000_000_000 / rustix::param::clock_ticks_per_second().max(1);
    Duration::from_nanos(ticks.saturating_mul(nanos_each))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const AFTER_NAME: &str =
        " S 1 2 3 0 -1 4194304 99 0 0 0 12 34 56 78 20 0 1 0 1478615 3133440 360 18446744073709551615 0\n";

    fn with_name(name: &[u8]) -> Vec<u8> {
        [b"4711 (", name, b")", AFTER_NAME.as_bytes()].concat()
    }

    #[test]
    fn a_stat_file_is_read_whatever_the_commands_name() {
        let expected = Stat {
            user: of_ticks(12),
            system: of_ticks(34),
            children_user: of_ticks(56),
            children_system: of_ticks(78),
            started: 1_478_615,
        };
        for name in [&b"cat"[..], b"a b", b") S 1 2 3 (", b"\n)))((( 9 9", b"\xff\xfe", b""] {
            assert_eq!(stat(&with_name(name)), Some(expected), "{name:?}");
        }
        assert_eq!(stat(b"4711 (cat) S 1 2 3"), None);
        assert_eq!(stat(b"4711 cat S 1 2 3"), None);
    }

    #[test]
    fn the_short_files_are_read() {
        assert_eq!(schedstat(b"844764 5583887 3\n"), Some(Duration::from_nanos(844_764)));
        assert_eq!(resident_pages(b"765 404 376 5 0 123 0\n"), Some(404));
        assert_eq!(ids(b"32483 32490 "), [32_483, 32_490]);
        assert_eq!((schedstat(b""), resident_pages(b"765"), ids(b"")), (None, None, Vec::new()));
    }

    proptest! {
        #[test]
        fn no_text_makes_reading_panic(text in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = (stat(&text), schedstat(&text), resident_pages(&text), ids(&text));
        }

        #[test]
        fn no_name_changes_what_follows_it(name in prop::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(stat(&with_name(&name)), stat(&with_name(b"cat")));
        }

        #[test]
        fn no_numbers_make_reading_panic(numbers in prop::collection::vec(any::<i128>(), 0..60)) {
            let text: String = numbers.iter().map(|number| format!("{number} ")).collect();
            let text = [b"1 (a) R ".as_slice(), text.as_bytes()].concat();
            let _ = (stat(&text), schedstat(&text), resident_pages(&text), ids(&text));
        }
    }
}
