//! Which module may know which: the arrows of the architecture, read from the sources.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What each module may know besides itself. `main` starts everything and may know all.
const MAY_KNOW: &[(&str, &[&str])] = &[
    ("event", &[]),
    ("chance", &[]),
    ("text", &[]),
    ("clock", &["event"]),
    ("model", &["event"]),
    ("stats", &["event", "chance"]),
    ("workload", &["event", "clock", "chance", "text"]),
    ("origin", &["event", "clock", "chance", "text"]),
    ("probe", &["event", "clock", "text"]),
    ("executor", &["workload", "event", "clock", "chance", "text"]),
    ("scenario", &["event", "origin", "text", "config", "workload"]),
    ("config", &["event", "origin", "text", "scenario", "workload"]),
    (
        "race",
        &[
            "config",
            "scenario",
            "executor",
            "workload",
            "origin",
            "probe",
            "recording",
            "event",
            "clock",
            "chance",
            "text",
        ],
    ),
    ("recording", &["event", "model", "stats", "text"]),
    ("report", &["event", "model", "stats", "text"]),
    (
        "plain",
        &["config", "scenario", "event", "model", "stats", "report", "race", "recording", "text", "clock"],
    ),
    (
        "tui",
        &[
            "config",
            "scenario",
            "event",
            "model",
            "stats",
            "report",
            "race",
            "recording",
            "probe",
            "text",
            "clock",
        ],
    ),
    (
        "claims",
        &["config", "scenario", "event", "model", "stats", "report", "race", "plain", "origin", "text"],
    ),
    ("cli", &["config", "recording", "report", "claims", "event"]),
];

/// One file of the sources: where it is below `src`, and its words and marks without comments and texts.
struct Source {
    path: PathBuf,
    tokens: Vec<String>,
}

impl Source {
    /// The top-level module that the file belongs to.
    fn module(&self) -> String {
        let first =
            self.path.components().next().map(|first| first.as_os_str().to_string_lossy().into_owned());
        first.unwrap_or_default().trim_end_matches(".rs").to_owned()
    }

    /// How many modules deep the file's own module is: 1 for `model/mod.rs`, 2 for `model/lane.rs`.
    fn depth(&self) -> usize {
        self.path.components().count() - usize::from(self.path.ends_with("mod.rs"))
    }

    /// The top-level modules that the file names by paths from the crate's root.
    fn knows(&self) -> BTreeSet<String> {
        let mut known = BTreeSet::new();
        let words: Vec<&str> = self.tokens.iter().map(String::as_str).collect();
        for (at, word) in words.iter().enumerate() {
            if *word == "crate" && words.get(at + 1) == Some(&"::") {
                known.extend(heads(&words[at + 2..]));
            }
            let starts = *word == "super" && (at < 2 || words[at - 1] != "::" || words[at - 2] != "super");
            if starts {
                let supers = words[at..].chunks(2).take_while(|pair| *pair == ["super", "::"]).count();
                // A module within the file is one deeper, so this may ask too much, and never too little.
                if supers >= self.depth() {
                    known.extend(heads(&words[at + 2 * supers..]));
                }
            }
        }
        known
    }

    fn names(&self, word: &str) -> bool {
        self.tokens.iter().any(|token| token == word)
    }
}

/// The first names of the paths that go on with `rest`: one, or those of a group in braces.
fn heads(rest: &[&str]) -> BTreeSet<String> {
    let mut heads = BTreeSet::new();
    match rest.first() {
        Some(&"{") => {
            let (mut depth, mut head) = (0, true);
            for word in rest {
                match *word {
                    "{" => depth += 1,
                    "}" => depth -= 1,
                    "," if depth == 1 => head = true,
                    name if depth == 1 && head => {
                        heads.insert(name.to_owned());
                        head = false;
                    }
                    _ => {}
                }
                if depth == 0 {
                    break;
                }
            }
        }
        Some(name) => drop(heads.insert((*name).to_owned())),
        None => {}
    }
    heads
}

/// Rust's tokens, roughly: names, `::`, and single marks. Comments and literals are left out.
fn tokens(text: &str) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    let at = |index: usize| letters.get(index).copied().unwrap_or('\0');
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let (mut tokens, mut here) = (Vec::new(), 0);
    while here < letters.len() {
        let hashes = (here + 1..).take_while(|&index| at(index) == '#').count();
        match (at(here), at(here + 1)) {
            ('/', '/') => {
                while here < letters.len() && at(here) != '\n' {
                    here += 1
                }
            }
            ('/', '*') => {
                while here < letters.len() && (at(here), at(here + 1)) != ('*', '/') {
                    here += 1;
                }
                here += 2;
            }
            ('r', _) if at(here + 1 + hashes) == '"' && !(here > 0 && is_word(at(here - 1))) => {
                let end: String = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
                here += 2 + hashes;
                while here < letters.len() && !end.chars().enumerate().all(|(i, c)| at(here + i) == c) {
                    here += 1;
                }
                here += end.len();
            }
            ('"', _) => {
                here += 1;
                while here < letters.len() && at(here) != '"' {
                    here += if at(here) == '\\' { 2 } else { 1 };
                }
                here += 1;
            }
            ('\'', '\\') => {
                here += 3;
                while here < letters.len() && at(here) != '\'' {
                    here += 1;
                }
                here += 1;
            }
            ('\'', _) if at(here + 2) == '\'' => here += 3,
            (':', ':') => {
                tokens.push("::".to_owned());
                here += 2;
            }
            (letter, _) if is_word(letter) => {
                let end = (here..).find(|&index| !is_word(at(index))).unwrap_or(letters.len());
                tokens.push(letters[here..end].iter().collect());
                here = end;
            }
            (letter, _) => {
                if !letter.is_whitespace() {
                    tokens.push(letter.to_string());
                }
                here += 1;
            }
        }
    }
    tokens
}

fn sources() -> io::Result<Vec<Source>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut sources, mut folders) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let tokens = tokens(&fs::read_to_string(&path)?);
                let path = path.strip_prefix(&root).map_err(io::Error::other)?.to_owned();
                sources.push(Source { path, tokens });
            }
        }
    }
    Ok(sources)
}

/// What of `sources` breaks the rules of [`MAY_KNOW`].
fn broken_rules(sources: &[Source]) -> Vec<String> {
    let modules: BTreeSet<String> = sources.iter().map(Source::module).collect();
    let mut broken = Vec::new();
    for source in sources {
        let module = source.module();
        if ["main", "lib"].contains(&module.as_str()) {
            continue;
        }
        let Some((_, may)) = MAY_KNOW.iter().find(|(name, _)| *name == module) else {
            broken.push(format!("{module} has no rule: say here what it may know"));
            continue;
        };
        for known in source.knows().intersection(&modules) {
            if *known != module && !may.contains(&known.as_str()) {
                broken.push(format!("{}: {module} may not know {known}", source.path.display()));
            }
        }
    }
    broken
}

#[test]
fn modules_know_only_whom_they_may() -> io::Result<()> {
    let sources = sources()?;
    assert!(sources.len() > 50, "the sources are somewhere else");
    let broken = broken_rules(&sources);
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    Ok(())
}

#[test]
fn what_breaks_a_rule_is_found() {
    let source = |path: &str, text| Source { path: path.into(), tokens: tokens(text) };
    let with = |path, text| {
        let all = [
            source("tui/mod.rs", ""),
            source("event.rs", ""),
            source("model/mod.rs", ""),
            source(path, text),
        ];
        broken_rules(&all).len()
    };
    assert_eq!(with("stats/mod.rs", "use crate::event::{At, Phase};"), 0);
    assert_eq!(with("stats/mod.rs", "/// crate::tui\nconst A: &str = \"crate::tui\"; // crate::tui"), 0);
    assert_eq!(with("stats/mod.rs", "use crate::{event::At, tui::{self, model}};"), 1);
    assert_eq!(with("stats/mod.rs", "fn a(a: &'a str, b: char) { b == '\"'; crate::tui::run() }"), 1);
    assert_eq!(with("stats/mod.rs", "const A: &str = r#\"\"#; fn a() { super::tui::run() }"), 1);
    assert_eq!(with("stats/more.rs", "use super::tui; use super::super::tui;"), 1);
    assert_eq!(with("stats/more.rs", "use crate::{model, tui};"), 2);
    assert_eq!(with("news.rs", ""), 1);
}

#[test]
fn the_dashboard_is_named_by_the_program_alone() -> io::Result<()> {
    for source in sources()? {
        let path = source.path.display();
        let of_dashboard = source.module() == "tui";
        assert!(
            of_dashboard
                || ["main.rs", "lib.rs"].contains(&path.to_string().as_str())
                || !source.names("tui"),
            "{path}"
        );
        for terminal in ["ratatui", "crossterm"] {
            assert!(of_dashboard || !source.names(terminal), "{path} names {terminal}");
        }
    }
    Ok(())
}

#[test]
fn what_is_unsafe_is_in_one_file_and_no_lint_is_switched_off() -> io::Result<()> {
    for source in sources()? {
        let path = source.path.display();
        assert!(source.path == Path::new("probe/fault.rs") || !source.names("unsafe"), "{path}");
        let allows = source.tokens.windows(3).any(|three| three[0] == "[" && three[1] == "allow");
        assert!(!allows, "{path}: expect a lint with a reason instead of allowing it");
    }
    Ok(())
}
