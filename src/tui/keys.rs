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
    /// Moves earlier in time, or to the left.
    Left,
    /// Moves later in time, or to the right.
    Right,
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
    /// Turns what is selected on or off.
    Toggle,
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
        keys: "↑ ↓ k j",
        does: "select a run, a task or an entry",
        hint: "",
        codes: &[
            (KeyCode::Up, Action::Up),
            (key('k'), Action::Up),
            (KeyCode::Down, Action::Down),
            (key('j'), Action::Down),
        ],
    },
    Binding {
        keys: "PgUp PgDn Home End",
        does: "scroll the tasks or the lanes",
        hint: "",
        codes: &[
            (KeyCode::PageUp, Action::PageUp),
            (KeyCode::PageDown, Action::PageDown),
            (KeyCode::Home, Action::Home),
            (KeyCode::End, Action::End),
        ],
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
        keys: "← →",
        does: "timeline: pan; a counter’s reads and writes, one by one",
        hint: "",
        codes: &[(KeyCode::Left, Action::Left), (KeyCode::Right, Action::Right)],
    },
    Binding {
        keys: "h l",
        does: "timeline: move the cursor; a click puts it there",
        hint: "",
        codes: &[(key('h'), Action::CursorLeft), (key('l'), Action::CursorRight)],
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
    Binding {
        keys: "Space",
        does: "in the list of executors: on or off",
        hint: "",
        codes: &[(key(' '), Action::Toggle)],
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
