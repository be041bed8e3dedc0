//! What the name of a slice says of what its thread does.
//!
//! Names are cut into words at capitals, underscores and dots: `_thread.lock.acquire` is `thread`, `lock`,
//! `acquire`. A name says a phase with any of these words, where the first line that fits decides; or with the
//! name of a phase itself, as its name or its category.
//!
//! | words | phase |
//! | --- | --- |
//! | getresponse, and Python's `wait`, `join` and `result` of threads and futures | waiting, whatever is locked or received meanwhile |
//! | acquire, lock, mutex, semaphore, futex | locked |
//! | sleep, nanosleep, usleep | sleeping |
//! | backoff | backing off |
//! | connect, handshake, getaddrinfo, gethostbyname, dns | connecting |
//! | recv, recvfrom, recvmsg, receive | receiving |
//! | wait, poll, epoll, kevent, select, read, readinto, readline, pread, fetch | waiting |
//! | write, pwrite, writev, flush, fsync, fdatasync | writing |

use crate::event::Phase;

/// What a slice's name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Meaning {
    /// What it is where no task is under way.
    pub(super) role: Role,
    /// What a task does meanwhile.
    pub(super) says: Says,
}

/// What a slice is where no task is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Part of what runs tasks: looked through.
    Around,
    /// Part of what runs tasks, and whatever it calls is a task.
    Starter,
    /// A program's own lines, outside of any function: the functions that it calls are tasks.
    Module,
    /// A function of the program, as its place tells: a task.
    Located,
    /// A function of Python's standard library, as its place tells: a task where the program calls it.
    Library,
    /// Anything else: a task where nothing is around it.
    Bare,
}

/// What a slice says a task does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    /// Nothing: the task goes on with what it does.
    Nothing,
    /// It is in this phase.
    Phase(Phase),
    /// It is in this phase; called by what runs tasks, it is a worker that waits for work.
    ForWork(Phase),
    /// It waits, whatever is called meanwhile.
    Wait,
}

/// The files of Python's standard library whose functions run tasks, or clean up whenever it suits them.
const AROUND: [&str; 11] = [
    "/threading.py",
    "/concurrent/futures/",
    "/asyncio/",
    "/multiprocessing/",
    "/selectors.py",
    "/queue.py",
    "/socketserver.py",
    "/runpy.py",
    "<frozen runpy>",
    "/weakref.py",
    "/_weakrefset.py",
];

fn is_around(place: &str) -> bool {
    let place = place.replace('\\', "/");
    AROUND.iter().any(|file| place.contains(file))
}

/// Whether a place is in Python's standard library, as far as its path tells.
fn is_library(place: &str) -> bool {
    let place = place.replace('\\', "/");
    let installed = place.contains("-packages/");
    place.starts_with("<frozen ") || !installed && (place.contains("/lib/python") || place.contains("/Lib/"))
}

/// What a name, with its category, says.
pub(super) fn meaning(name: &str, category: &str) -> Meaning {
    let (call, place) = parted(name);
    Meaning { role: role(call, place), says: says(name, category, call, place) }
}

fn role(call: &str, place: Option<&str>) -> Role {
    let last = call.rsplit('.').next().unwrap_or(call);
    match place {
        _ if call.ends_with("Context.run") => Role::Starter,
        Some(place) if is_around(place) => match last {
            "run" | "_run" | "mapstar" | "starmapstar" => Role::Starter,
            _ => Role::Around,
        },
        _ if matches!(call, "<module>" | "builtins.exec" | "exec") => Role::Module,
        Some(place) if is_library(place) => Role::Library,
        Some(_) => Role::Located,
        None => Role::Bare,
    }
}

fn says(name: &str, category: &str, call: &str, place: Option<&str>) -> Says {
    let phase = |text: &str| Phase::ALL.into_iter().find(|phase| text.eq_ignore_ascii_case(phase.name()));
    if let Some(phase) = phase(name).or_else(|| phase(category)) {
        return Says::Phase(phase);
    }
    let words = words(call);
    let any = |wanted: &[&str]| words.iter().any(|word| wanted.contains(&word.as_str()));
    let of_python = place.is_some_and(is_around);
    if any(&["getresponse"]) || of_python && any(&["wait", "join", "result", "shutdown"]) {
        Says::Wait
    } else if any(&["release", "unlock"]) {
        Says::Nothing
    } else if any(&["acquire", "lock", "mutex", "semaphore", "futex"]) {
        Says::ForWork(Phase::Locked)
    } else if any(&["sleep", "nanosleep", "usleep"]) {
        Says::Phase(Phase::Sleeping)
    } else if any(&["backoff"]) {
        Says::Phase(Phase::BackingOff)
    } else if any(&["connect", "handshake", "getaddrinfo", "gethostbyname", "dns"]) {
        Says::Phase(Phase::Connecting)
    } else if any(&["recv", "recvfrom", "recvmsg", "receive"]) {
        Says::Phase(Phase::Receiving)
    } else if any(&["wait", "poll", "epoll", "kevent", "select"]) || any(&["queue"]) && any(&["get"]) {
        Says::ForWork(Phase::Waiting)
    } else if any(&["read", "readinto", "readline", "pread", "fetch"]) {
        Says::Phase(Phase::Waiting)
    } else if any(&["write", "pwrite", "writev", "flush", "fsync", "fdatasync"]) {
        Says::Phase(Phase::Writing)
    } else {
        Says::Nothing
    }
}

/// What is called, without the place that some tracers put behind it: `download (/home/me/main.py:12)`.
pub(super) fn called(name: &str) -> &str {
    match parted(name) {
        ("_find_and_load" | "_handle_fromlist", Some(place)) if place.contains("importlib") => "import",
        (call, _) => call,
    }
}

fn parted(name: &str) -> (&str, Option<&str>) {
    let parts = name.strip_suffix(')').and_then(|name| name.rsplit_once(" ("));
    match parts.filter(|(call, place)| !call.is_empty() && place.contains([':', '/', '.'])) {
        Some((call, place)) => (call, Some(place)),
        None => (name, None),
    }
}

/// The words of a name, in small letters.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_small = false;
    for letter in name.chars() {
        if letter.is_uppercase() && was_small || !letter.is_alphanumeric() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| letter.is_alphanumeric()) {
            word.extend(letter.to_lowercase());
        }
        was_small = letter.is_lowercase() || letter.is_numeric();
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_a_task_does() {
        let cases = [
            ("time.sleep", Says::Phase(Phase::Sleeping)),
            ("acquire (_thread.lock)", Says::ForWork(Phase::Locked)),
            ("_thread.lock.acquire", Says::ForWork(Phase::Locked)),
            ("Semaphore.release (/usr/lib/python3/threading.py:487)", Says::Nothing),
            ("_socket.socket.recv_into", Says::Phase(Phase::Receiving)),
            ("HTTPConnection.getresponse (/usr/lib/python3/http/client.py:1300)", Says::Wait),
            ("Condition.wait (/usr/lib/python3.11/threading.py:288)", Says::Wait),
            ("select.epoll.poll", Says::ForWork(Phase::Waiting)),
            ("_queue.SimpleQueue.get", Says::ForWork(Phase::Waiting)),
            ("dict.get", Says::Nothing),
            ("str.join", Says::Nothing),
            ("backing off", Says::Phase(Phase::BackingOff)),
            ("block (main.py:3)", Says::Nothing),
            ("thread (main.py:3)", Says::Nothing),
            ("", Says::Nothing),
        ];
        for (name, expected) in cases {
            assert_eq!(meaning(name, "").says, expected, "{name}");
        }
        assert_eq!(meaning("GET /", "waiting").says, Says::Phase(Phase::Waiting));
    }

    #[test]
    fn what_runs_tasks_is_known_by_its_file() {
        let cases = [
            ("_worker (/usr/lib/python3.11/concurrent/futures/thread.py:69)", Role::Around),
            ("_WorkItem.run (/usr/lib/python3.11/concurrent/futures/thread.py:53)", Role::Starter),
            ("Thread.run (C:\\Python\\Lib\\threading.py:971)", Role::Starter),
            ("_contextvars.Context.run", Role::Starter),
            ("<module> (main.py:1)", Role::Module),
            ("builtins.exec", Role::Module),
            ("urlopen (/usr/lib/python3.11/urllib/request.py:139)", Role::Library),
            ("get (/usr/lib/python3.11/site-packages/requests/api.py:62)", Role::Located),
            ("run (main.py:3)", Role::Located),
            ("time.sleep", Role::Bare),
        ];
        for (name, expected) in cases {
            assert_eq!(meaning(name, "").role, expected, "{name}");
        }
    }

    #[test]
    fn the_place_is_no_part_of_what_is_called() {
        assert_eq!(called("download (/home/me/main.py:12)"), "download");
        assert_eq!(called("_find_and_load (<frozen importlib._bootstrap>:1165)"), "import");
        assert_eq!(called("f (x)"), "f (x)");
        assert_eq!(called(" (a.py:1)"), " (a.py:1)");
    }
}
