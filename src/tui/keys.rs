//! The one key table: what each key does, on screen in the footer and in the help.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Opens the view of that number, counted from 0.
    View(usize),
    /// Opens the next view.
    NextView,
    /// Opens the view before.
    PreviousView,
    /// Races again.
    Race,
    /// Cancels the race.
    Cancel,
    /// Chooses executors.
    Executors,
    /// One worker fewer in the next race.
    FewerWorkers,
    /// One worker more in the next race.
    MoreWorkers,
    /// Chooses a scenario.
    Scenarios,
    /// The next theme.
    Theme,
    /// The help.
    Help,
    /// Leaves.
    Quit,
    /// Leaves as a signal would.
    Interrupt,
    /// Stops the program until the shell continues it.
    Suspend,
    /// Moves up.
    Up,
    /// Moves down.
    Down,
    /// Moves a page up.
    PageUp,
    /// Moves a page down.
    PageDown,
    /// Moves to the start.
    Home,
    /// Moves to the end.
    End,
    /// Moves the playhead earlier.
    Left,
    /// Moves the playhead later.
    Right,
    /// Moves the playhead one event back.
    EventBack,
    /// Moves the playhead one event on.
    EventOn,
    /// Plays half as fast.
    Slower,
    /// Plays twice as fast.
    Faster,
    /// Shows or hides the interleaving log.
    Log,
    /// Shows or hides the sequential run as a ghost behind the lanes.
    Ghost,
    /// The round before.
    RoundBack,
    /// The next round.
    RoundOn,
    /// Keeps the race in a recording.
    Keep,
    /// Exports the race.
    Export,
    /// Compares the race with the one before.
    Diff,
    /// Races with more and more workers.
    Sweep,
    /// Shows an earlier stretch of time.
    PanLeft,
    /// Shows a later stretch of time.
    PanRight,
    /// Shows a shorter stretch of time.
    ZoomIn,
    /// Shows a longer stretch of time.
    ZoomOut,
    /// Shows all of the time, and keeps up with it.
    Follow,
    /// Moves the cursor earlier.
    CursorLeft,
    /// Moves the cursor later.
    CursorRight,
    /// The next run.
    NextRun,
    /// The run before.
    PreviousRun,
    /// Sorts by the next column.
    Sort,
    /// Turns the order around.
    Reverse,
    /// Types a filter.
    Filter,
    /// Opens what is selected, or agrees.
    Enter,
    /// Freezes the picture, or lets it go on; in a list, turns what is selected on or off.
    Space,
    /// Closes what is open.
    Close,
}

/// A line of the help.
pub struct Binding {
    /// The keys, as people write them.
    pub keys: &'static str,
    /// What they do.
    pub does: &'static str,
    /// Its short form in the footer; empty when it isn't there.
    pub hint: &'static str,
    /// The keys that ask for each action.
    pub codes: &'static [(KeyCode, Action)],
}

const fn key(c: char) -> KeyCode {
    KeyCode::Char(c)
}

/// Every key there is, in the order of the help.
pub const BINDINGS: &[Binding] = &[
    Binding {
        keys: "1 2 3 4",
        does: "the views: race, timeline, tasks, results",
        hint: "",
        codes: &[
            (key('1'), Action::View(0)),
            (key('2'), Action::View(1)),
            (key('3'), Action::View(2)),
            (key('4'), Action::View(3)),
        ],
    },
    Binding {
        keys: "Tab Shift-Tab",
        does: "the next view, the one before",
        hint: "",
        codes: &[(KeyCode::Tab, Action::NextView), (KeyCode::BackTab, Action::PreviousView)],
    },
    Binding { keys: "r", does: "race (again)", hint: "race", codes: &[(key('r'), Action::Race)] },
    Binding { keys: "c", does: "cancel the race", hint: "cancel", codes: &[(key('c'), Action::Cancel)] },
    Binding {
        keys: "?",
        does: "this help",
        hint: "help",
        codes: &[(key('?'), Action::Help), (KeyCode::F(1), Action::Help)],
    },
    Binding { keys: "q Ctrl-C", does: "quit", hint: "quit", codes: &[(key('q'), Action::Quit)] },
    Binding {
        keys: "e",
        does: "choose the executors of the next race",
        hint: "executors",
        codes: &[(key('e'), Action::Executors)],
    },
    Binding {
        keys: "w W",
        does: "one worker more, one fewer, in the next race",
        hint: "workers",
        codes: &[(key('w'), Action::MoreWorkers), (key('W'), Action::FewerWorkers)],
    },
    Binding {
        keys: "s",
        does: "choose a scenario",
        hint: "scenarios",
        codes: &[(key('s'), Action::Scenarios)],
    },
    Binding { keys: "t", does: "the next theme", hint: "theme", codes: &[(key('t'), Action::Theme)] },
    Binding {
        keys: "Space",
        does: "freeze the picture, and go on; in a list: on or off",
        hint: "freeze",
        codes: &[(key(' '), Action::Space)],
    },
    Binding {
        keys: "Left Right , .",
        does: "go back and on in time: a hundredth of what is shown; event by event",
        hint: "",
        codes: &[
            (KeyCode::Left, Action::Left),
            (KeyCode::Right, Action::Right),
            (key(','), Action::EventBack),
            (key('.'), Action::EventOn),
        ],
    },
    Binding {
        keys: "< >",
        does: "play half as fast, twice as fast",
        hint: "",
        codes: &[(key('<'), Action::Slower), (key('>'), Action::Faster)],
    },
    Binding {
        keys: "Home End",
        does: "the race’s start, its end or now; in a list: its ends",
        hint: "",
        codes: &[(KeyCode::Home, Action::Home), (KeyCode::End, Action::End)],
    },
    Binding {
        keys: "i",
        does: "the interleaving log: the events around the moment that is shown",
        hint: "log",
        codes: &[(key('i'), Action::Log)],
    },
    Binding {
        keys: "k",
        does: "keep the race: write a recording",
        hint: "",
        codes: &[(key('k'), Action::Keep)],
    },
    Binding {
        keys: "x",
        does: "export the race: page, picture, trace, cast, tables",
        hint: "export",
        codes: &[(key('x'), Action::Export)],
    },
    Binding {
        keys: "d",
        does: "compare the race with the one before",
        hint: "",
        codes: &[(key('d'), Action::Diff)],
    },
    Binding {
        keys: "S",
        does: "sweep: race with more and more workers",
        hint: "",
        codes: &[(key('S'), Action::Sweep)],
    },
    Binding {
        keys: "[ ]",
        does: "repeated races: the round before, the next one",
        hint: "",
        codes: &[(key('['), Action::RoundBack), (key(']'), Action::RoundOn)],
    },
    Binding {
        keys: "↑ ↓",
        does: "select a run, a task or an entry",
        hint: "",
        codes: &[(KeyCode::Up, Action::Up), (KeyCode::Down, Action::Down)],
    },
    Binding {
        keys: "PgUp PgDn",
        does: "scroll the tasks, the lanes or the results",
        hint: "",
        codes: &[(KeyCode::PageUp, Action::PageUp), (KeyCode::PageDown, Action::PageDown)],
    },
    Binding {
        keys: "n p",
        does: "tasks: the next run, the one before",
        hint: "",
        codes: &[(key('n'), Action::NextRun), (key('p'), Action::PreviousRun)],
    },
    Binding {
        keys: "+ -",
        does: "timeline: zoom in and out",
        hint: "",
        codes: &[(key('+'), Action::ZoomIn), (key('='), Action::ZoomIn), (key('-'), Action::ZoomOut)],
    },
    Binding {
        keys: "h l H L",
        does: "timeline: move the cursor, a click puts it there; pan",
        hint: "",
        codes: &[
            (key('h'), Action::CursorLeft),
            (key('l'), Action::CursorRight),
            (key('H'), Action::PanLeft),
            (key('L'), Action::PanRight),
        ],
    },
    Binding {
        keys: "g",
        does: "timeline: the sequential run as a ghost behind the lanes",
        hint: "",
        codes: &[(key('g'), Action::Ghost)],
    },
    Binding {
        keys: "f",
        does: "timeline: show all, and follow the race",
        hint: "",
        codes: &[(key('f'), Action::Follow)],
    },
    Binding {
        keys: "o O",
        does: "tasks: sort by the next column, turn the order around",
        hint: "",
        codes: &[(key('o'), Action::Sort), (key('O'), Action::Reverse)],
    },
    Binding { keys: "/", does: "tasks: type a filter", hint: "", codes: &[(key('/'), Action::Filter)] },
    Binding {
        keys: "Enter",
        does: "tasks: one task's whole story; in a list: take it",
        hint: "",
        codes: &[(KeyCode::Enter, Action::Enter)],
    },
    Binding { keys: "Esc", does: "close what is open", hint: "", codes: &[(KeyCode::Esc, Action::Close)] },
    Binding { keys: "Ctrl-Z", does: "stop until the shell continues it", hint: "", codes: &[] },
];

/// What a key asks for; none when it means nothing.
pub fn action(key: &KeyEvent) -> Option<Action> {
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return match key.code {
            KeyCode::Char('c') => Some(Action::Interrupt),
            KeyCode::Char('z') => Some(Action::Suspend),
            _ => None,
        };
    }
    let mut codes = BINDINGS.iter().flat_map(|binding| binding.codes);
    codes.find(|(code, _)| *code == key.code).map(|(_, action)| *action)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_key_means_two_things() {
        let codes: Vec<KeyCode> = BINDINGS.iter().flat_map(|b| b.codes).map(|(code, _)| *code).collect();
        assert_eq!(codes.iter().collect::<HashSet<_>>().len(), codes.len());
    }
}
