//! A config file: finding the user's, reading it, checking its keys, and pointing into it.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::error::{ConfigError, hint, line_of};
use super::keys::{NAMES, Section, nearest};
use super::rules::{RESERVED, Rule, ScenarioName, quoted};
use super::{EDITION, EDITION_FAMILY};
use crate::scenario::is_program_name;
use crate::text::shown;

/// The most bytes that a config file may have.
const LONGEST: u64 = 1 << 20;

/// A config file's text.
#[derive(Debug)]
pub(super) struct Text {
    /// Where it is from, as people would name it.
    pub(super) path: PathBuf,
    /// What it says.
    pub(super) text: String,
}

impl Text {
    pub(super) fn built_in() -> Text {
        let text = include_str!("../../config.toml").to_owned();
        Text { path: PathBuf::from("config.toml (built in)"), text }
    }

    /// Reads a file that somebody asked for by name, or that lies in the settings' own folder.
    fn read(path: &Path, from: &Path) -> Result<Text, ConfigError> {
        let mut bytes = Vec::new();
        File::open(from)
            .and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes))
            .map_err(|cause| ConfigError::Unreadable { path: path.to_owned(), cause })?;
        Text::checked(path, bytes)
    }

    fn checked(path: &Path, bytes: Vec<u8>) -> Result<Text, ConfigError> {
        let path = path.to_owned();
        if bytes.len() as u64 > LONGEST {
            return Err(ConfigError::TooLong { path, limit: LONGEST });
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Text { path, text }),
            Err(error) => {
                let line = line_of(error.as_bytes(), error.utf8_error().valid_up_to());
                Err(ConfigError::NotUtf8 { path, line })
            }
        }
    }
}

/// Where the user's file may be.
pub(super) struct Whereabouts<'a> {
    /// The file that a flag or a variable names.
    pub(super) named: Option<&'a Path>,
    /// The current folder.
    pub(super) folder: &'a Path,
    /// `XDG_CONFIG_HOME`.
    pub(super) xdg: Option<&'a OsStr>,
    /// The home folder.
    pub(super) home: Option<&'a Path>,
}

/// Reads the user's file: the named one, or ./config.toml if it is ours, or the one in the configuration
/// folder of the [XDG Base Directory Specification](https://specifications.freedesktop.org/basedir-spec/latest/),
/// which ignores a relative `XDG_CONFIG_HOME`.
pub(super) fn user_file(at: &Whereabouts<'_>) -> Result<Option<Text>, ConfigError> {
    if let Some(path) = at.named {
        return Text::read(path, &at.folder.join(path)).map(Some);
    }
    if let Some(bytes) = regular(&at.folder.join("config.toml")).filter(|bytes| is_ours(bytes)) {
        return Text::checked(Path::new("config.toml"), bytes).map(Some);
    }
    let folder = at
        .xdg
        .map(PathBuf::from)
        .filter(|folder| folder.is_absolute())
        .or_else(|| at.home.map(|home| home.join(".config")));
    let Some(path) = folder.map(|folder| folder.join("threadrace/config.toml")) else {
        return Ok(None);
    };
    match Text::read(&path, &path) {
        Err(ConfigError::Unreadable { cause, .. })
            if matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            Ok(None)
        }
        read => read.map(Some),
    }
}

/// The bytes of a file that nobody named: none unless it is a readable, regular file of a credible length,
/// because a pipe would be waited for, and a huge file is somebody else's.
fn regular(path: &Path) -> Option<Vec<u8>> {
    let about = path.metadata().ok()?;
    if !about.is_file() || about.len() > LONGEST {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(LONGEST + 1).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// Whether a file has threadrace's format line, be the rest of it as broken as it may.
fn is_ours(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let (table, _) = DeTable::parse_recoverable(without_mark(&text));
    format_line(table.get_ref()).is_some_and(|(format, _)| format.starts_with(EDITION_FAMILY))
}

fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

fn format_line<'t>(table: &'t DeTable<'_>) -> Option<(&'t str, Range<usize>)> {
    let value = table.get("format")?;
    Some((value.get_ref().as_str()?, value.span()))
}

/// A config file, parsed, with only known keys in it.
#[derive(Debug)]
pub(super) struct ConfigFile<'t> {
    path: &'t Path,
    text: &'t str,
    table: DeTable<'t>,
}

impl<'t> ConfigFile<'t> {
    /// Parses a file, and checks its edition, its keys and its scenarios' names; not yet its values.
    pub(super) fn parse(from: &'t Text) -> Result<ConfigFile<'t>, ConfigError> {
        let text = without_mark(&from.text);
        let (table, errors) = DeTable::parse_recoverable(text);
        let file = ConfigFile { path: &from.path, text, table: table.into_inner() };
        if let Some((format, span)) = format_line(&file.table).filter(|(format, _)| *format != EDITION) {
            let format = shown(format);
            return Err(file.error(
                span,
                format!("this is a file of edition '{format}', and this program reads {EDITION}"),
            ));
        }
        if let Some(error) = errors.first() {
            let end = text.len();
            let message = format!("this is not TOML: {}", shown(error.message()));
            return Err(file.error(error.span().unwrap_or(end..end), message));
        }
        file.check(&file.table, Section::Top)?;
        for (name, scenario) in file.scenarios() {
            let table = file.table_of(&format!("scenarios.{}", shown(name.get_ref())), scenario)?;
            file.check_name(name)?;
            file.check(table, Section::Scenario)?;
        }
        for (name, program) in file.executors() {
            let table = file.table_of(&format!("executors.{}", shown(name.get_ref())), program)?;
            if !is_program_name(name.get_ref()) {
                let message = "a program's name must be lower-case letters, digits and -, starting with a \
                               letter, at most 32, and no built-in executor's";
                return Err(file.error(name.span(), message.to_owned()));
            }
            file.check(table, Section::Executor)?;
        }
        Ok(file)
    }

    /// The value of a key, below the tables of `path`.
    pub(super) fn get(&self, path: &[&str], key: &str) -> Option<&Spanned<DeValue<'t>>> {
        let mut table = &self.table;
        for name in path {
            table = table.get(*name)?.get_ref().as_table()?;
        }
        table.get(key)
    }

    /// The names of its scenarios, in the file's order.
    pub(super) fn scenario_names(&self) -> Vec<&str> {
        self.scenarios().into_iter().map(|(name, _)| name.get_ref().as_ref()).collect()
    }

    /// The names of its programs, in the file's order.
    pub(super) fn executor_names(&self) -> Vec<&str> {
        self.executors().into_iter().map(|(name, _)| name.get_ref().as_ref()).collect()
    }

    /// Whether it says anything about a scenario that the file `base` does not say as well.
    pub(super) fn says_otherwise(&self, base: &ConfigFile<'_>, scenario: &str) -> bool {
        let said = self.get(&["scenarios"], scenario);
        let base = base.get(&["scenarios"], scenario);
        said.is_some_and(|said| base.is_none_or(|base| !is_among(said.get_ref(), base.get_ref())))
    }

    /// An error at `span`, a range of bytes of the file.
    pub(super) fn error(&self, span: Range<usize>, message: String) -> ConfigError {
        let start = boundary(self.text, span.start);
        let end = boundary(self.text, span.end).max(start);
        let line_start = self.text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = self.text[start..].find('\n').map_or(self.text.len(), |newline| start + newline);
        let line = self.text[line_start..line_end].trim_end_matches('\r');
        let number = line_of(self.text.as_bytes(), start);
        let marked = start - line_start..end.min(line_end) - line_start;
        ConfigError::InFile {
            path: self.path.to_owned(),
            line: number,
            column: 1 + self.text[line_start..start].chars().count(),
            message,
            excerpt: excerpt(number, line, marked),
        }
    }

    fn scenarios(&self) -> Vec<(&Spanned<Cow<'t, str>>, &Spanned<DeValue<'t>>)> {
        self.named_tables("scenarios")
    }

    fn executors(&self) -> Vec<(&Spanned<Cow<'t, str>>, &Spanned<DeValue<'t>>)> {
        self.named_tables("executors")
    }

    fn named_tables(&self, table: &str) -> Vec<(&Spanned<Cow<'t, str>>, &Spanned<DeValue<'t>>)> {
        in_order(self.table.get(table).and_then(|tables| tables.get_ref().as_table()))
    }

    fn check_name(&self, name: &Spanned<Cow<'t, str>>) -> Result<(), ConfigError> {
        let text = name.get_ref();
        if let Err(refusal) = ScenarioName.text(text) {
            let message = refusal.sentence("a scenario's name", &ScenarioName.allowed());
            return Err(self.error(name.span(), message));
        }
        if RESERVED.contains(&text.as_ref()) {
            let message =
                format!("no scenario can be called {text}: on the command line that means something else");
            return Err(self.error(name.span(), message));
        }
        Ok(())
    }

    /// Checks that `table` has only keys of `section`, and goes on into its tables.
    fn check(&self, table: &DeTable<'t>, section: Section) -> Result<(), ConfigError> {
        for (key, value) in in_order(Some(table)) {
            let name = key.get_ref().as_ref();
            if section.tables().contains(&name) {
                let inner = self.table_of(name, value)?;
                match (section, name) {
                    (Section::Top, "download") => self.check(inner, Section::Download)?,
                    (Section::Top, "origin") => self.check(inner, Section::Origin)?,
                    (Section::Top, "dashboard") => self.check(inner, Section::Dashboard)?,
                    (Section::Scenario, _) => self.check(inner, Section::ScenarioOrigin)?,
                    _ => {}
                }
            } else if !NAMES.iter().any(|known| known.section == section && known.key == name) {
                return Err(self.error(key.span(), unknown(name, section)));
            }
        }
        Ok(())
    }

    fn table_of<'v>(
        &self,
        name: &str,
        value: &'v Spanned<DeValue<'t>>,
    ) -> Result<&'v DeTable<'t>, ConfigError> {
        value.get_ref().as_table().ok_or_else(|| {
            let message =
                format!("{name} must be a table, [{name}], not {}", with_article(value.get_ref().type_str()));
            self.error(value.span(), message)
        })
    }
}

/// Whether all that is in a value is in another as well, written alike.
fn is_among(value: &DeValue<'_>, other: &DeValue<'_>) -> bool {
    match (value, other) {
        (DeValue::Table(table), DeValue::Table(other)) => table.iter().all(|(key, value)| {
            other.get(key.get_ref().as_ref()).is_some_and(|other| is_among(value.get_ref(), other.get_ref()))
        }),
        (DeValue::Array(array), DeValue::Array(other)) => {
            let alike = |(one, other): (&Spanned<DeValue<'_>>, &Spanned<DeValue<'_>>)| {
                is_among(one.get_ref(), other.get_ref())
            };
            array.len() == other.len() && array.iter().zip(other.iter()).all(alike)
        }
        (DeValue::String(text), DeValue::String(other)) => text == other,
        (DeValue::Integer(number), DeValue::Integer(other)) => {
            (number.radix(), number.as_str()) == (other.radix(), other.as_str())
        }
        (DeValue::Float(number), DeValue::Float(other)) => number.as_str() == other.as_str(),
        (DeValue::Boolean(value), DeValue::Boolean(other)) => value == other,
        (DeValue::Datetime(time), DeValue::Datetime(other)) => time == other,
        _ => false,
    }
}

/// The end of the last character that is wholly within the first `index` bytes.
fn boundary(text: &str, index: usize) -> usize {
    (0..=index.min(text.len())).rev().find(|&index| text.is_char_boundary(index)).unwrap_or(0)
}

fn with_article(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {noun}")
}

/// A table's entries in the file's order.
fn in_order<'v, 't>(
    table: Option<&'v DeTable<'t>>,
) -> Vec<(&'v Spanned<Cow<'t, str>>, &'v Spanned<DeValue<'t>>)> {
    let mut entries: Vec<_> = table.into_iter().flatten().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

fn unknown(key: &str, section: Section) -> String {
    let here = NAMES.iter().filter(|name| name.section == section).map(|name| name.key);
    let allowed: Vec<&str> = here.chain(section.tables().iter().copied()).collect();
    let elsewhere = NAMES.iter().find(|name| name.key == key).map(|name| name.section.path("NAME").join("."));
    let hint = match elsewhere {
        Some(table) if table.is_empty() => " (it belongs above all tables)".to_owned(),
        Some(table) => format!(" (it belongs under [{table}])"),
        None => hint(nearest(key, allowed.iter().copied())),
    };
    format!("there is no key {} here{hint}\nallowed here: {}", quoted(key), allowed.join(", "))
}

/// The line with a mark below the bytes of `marked`, both cut to what a terminal can show.
fn excerpt(number: usize, line: &str, marked: Range<usize>) -> String {
    const WIDEST: usize = 72;
    let (start, end) = (marked.start.min(line.len()), marked.end.min(line.len()));
    let [before, inside, after] = [&line[..start], &line[start..end], &line[end..]].map(shown);
    let before = last_columns(&before, WIDEST / 2);
    let inside = first_columns(&inside, WIDEST - before.width());
    let after = first_columns(&after, WIDEST.saturating_sub(before.width() + inside.width()));
    let gutter = " ".repeat(number.to_string().len());
    let indent = " ".repeat(before.width());
    let carets = "^".repeat(inside.width().max(1));
    format!(" {number} | {before}{inside}{after}\n {gutter} | {indent}{carets}")
}

fn first_columns(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut width = 1;
    for char in text.chars() {
        width += char.width().unwrap_or(0);
        if width > columns {
            break;
        }
        out.push(char);
    }
    if columns > 0 {
        out.push('…');
    }
    out
}

fn last_columns(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut width = 1;
    let kept = text.char_indices().rev().take_while(|(_, char)| {
        width += char.width().unwrap_or(0);
        width <= columns
    });
    let start = kept.last().map_or(text.len(), |(start, _)| start);
    format!("…{}", &text[start..])
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;

    fn refused(text: &str) -> String {
        let text = Text { path: PathBuf::from("my.toml"), text: text.to_owned() };
        match ConfigFile::parse(&text) {
            Ok(_) => "fine".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_built_in_file_has_only_known_keys() -> Result<(), ConfigError> {
        let text = Text::built_in();
        let file = ConfigFile::parse(&text)?;
        assert_eq!(file.scenario_names().first(), Some(&"images-20"));
        Ok(())
    }

    #[test]
    fn an_unknown_key_is_pointed_at_with_the_nearest_known_one() {
        assert_eq!(
            refused("seed = 3\n[download]\n  retires = 4\n"),
            "my.toml:3:3: there is no key \"retires\" here (did you mean retries?)\n\
             allowed here: timeout_seconds, stall_seconds, connect_seconds, retries, backoff_seconds, \
             backoff_cap_seconds, retry_after_cap_seconds, max_bytes, redirects\n\
             \x203 |   retires = 4\n\
             \x20  |   ^^^^^^^"
        );
    }

    #[test]
    fn a_key_in_the_wrong_table_is_sent_home() {
        assert!(refused("retries = 4").contains("it belongs under [download])\n"));
        assert!(refused("[dashboard]\nseed = 4").contains("it belongs above all tables)\n"));
        assert!(
            refused("[scenarios.x]\nbandwidth = 4").contains("it belongs under [scenarios.NAME.origin])\n")
        );
        assert!(refused("[download.inner]\n").starts_with("my.toml:1:11: there is no key \"inner\" here"));
    }

    #[test]
    fn a_table_must_be_one() {
        for (text, place) in [
            ("download = 3", "1:12: download must be a table, [download], not an integer"),
            ("\nscenarios = []", "2:13: scenarios must be a table, [scenarios], not an array"),
            ("[scenarios]\nx = 1", "2:5: scenarios.x must be a table, [scenarios.x], not an integer"),
            ("[scenarios.x]\norigin = 'no'", "2:10: origin must be a table, [origin], not a string"),
        ] {
            let told = refused(text);
            assert!(told.starts_with(&format!("my.toml:{place}")), "{told}");
        }
    }

    #[test]
    fn scenario_names_are_checked() {
        for name in RESERVED {
            assert!(
                refused(&format!("[scenarios.{name}]"))
                    .starts_with("my.toml:1:12: no scenario can be called")
            );
        }
        for name in ["''", "'a b'", "'-x'", "\"\\u202e\"", "\"\\u001b\""] {
            let told = refused(&format!("[scenarios.{name}]"));
            assert!(told.contains("a scenario's name must be letters"), "{told}");
            assert!(!told.contains(['\u{202e}', '\u{1b}']), "{told:?}");
        }
    }

    #[test]
    fn broken_toml_is_pointed_at() {
        let told = refused("seed = 1\nworkers = = 2\n");
        assert!(told.starts_with("my.toml:2:11: this is not TOML: "), "{told}");
        let told = refused("seed = 1\r\nseed = 2\r\n");
        assert!(told.starts_with("my.toml:2:1: this is not TOML: duplicate key"), "{told}");
        assert!(told.ends_with("\n 2 | seed = 2\n   | ^^^^"), "{told}");
    }

    #[test]
    fn another_edition_is_told_before_anything_else() {
        let told = refused("new_key = 3\nformat = \"threadrace-config-2\"\nbroken");
        assert!(
            told.starts_with("my.toml:2:10: this is a file of edition 'threadrace-config-2', and"),
            "{told}"
        );
        assert!(refused("format = \"x\"").contains("edition 'x'"));
    }

    #[test]
    fn a_byte_order_mark_and_a_wide_line_do_not_move_the_mark() {
        assert!(refused("\u{feff}sed = 1").starts_with("my.toml:1:1: there is no key \"sed\""));
        let told = refused(&format!("output = \"{}\"; sed", "界\t\u{202e}".repeat(300)));
        assert!(told.starts_with("my.toml:1:"), "{told}");
        assert!(told.lines().all(|line| line.width() < 81), "{told}");
        assert!(!told.contains(['\t', '\u{202e}']), "{told:?}");
    }

    #[test]
    fn the_mark_is_below_what_is_meant() {
        assert_eq!(excerpt(12, "a\t界 = x", 8..9), " 12 | a\\t界 = x\n    |         ^");
        let long = "y".repeat(200);
        assert_eq!(
            excerpt(1, &long, 100..102),
            format!(" 1 | …{}…\n   | {}^^", "y".repeat(35 + 2 + 33), " ".repeat(36))
        );
    }

    fn look(
        folder: &Path,
        named: Option<&str>,
        xdg: Option<&Path>,
        home: Option<&Path>,
    ) -> Result<Option<PathBuf>, ConfigError> {
        let at = Whereabouts { named: named.map(Path::new), folder, xdg: xdg.map(Path::as_os_str), home };
        Ok(user_file(&at)?.map(|text| text.path))
    }

    #[test]
    fn a_strangers_config_toml_is_left_alone() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("config.toml");
        let strangers: [&[u8]; 8] = [
            b"",
            b"seed = 1\nformat = 3",
            b"[[[ not toml",
            b"format = \"other-1\"",
            b"[package]\nformat = \"threadrace-config-1\"",
            b"# format = \"threadrace-config-1\"",
            b"text = '''\nformat = \"threadrace-config-1\"\n'''",
            b"\xff\xfe\x00",
        ];
        for stranger in strangers {
            fs::write(&path, stranger)?;
            assert_eq!(look(folder.path(), None, None, None)?, None, "{}", String::from_utf8_lossy(stranger));
        }
        fs::remove_file(&path)?;
        fs::create_dir(&path)?;
        assert_eq!(look(folder.path(), None, None, None)?, None);
        Ok(())
    }

    #[test]
    fn our_own_config_toml_is_taken_even_when_broken() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("config.toml");
        for ours in ["format = \"threadrace-config-1\"", "seed = = 2\nformat = 'threadrace-config-9'\n[["] {
            fs::write(&path, ours)?;
            assert_eq!(look(folder.path(), None, None, None)?, Some(PathBuf::from("config.toml")), "{ours}");
        }
        fs::write(&path, b"format = \"threadrace-config-1\"\noutput = \"\xff\"")?;
        let told = look(folder.path(), None, None, None).map_err(|error| error.to_string());
        assert_eq!(told, Err("config.toml:2: this line isn't UTF-8; save the file as UTF-8".to_owned()));
        Ok(())
    }

    #[test]
    fn files_are_looked_for_in_their_order() -> Result<(), Box<dyn std::error::Error>> {
        let place = tempfile::tempdir()?;
        let [folder, xdg, home] = ["here", "xdg", "home"].map(|name| place.path().join(name));
        let find = |named, xdg: Option<&Path>| look(&folder, named, xdg, Some(&home));
        let in_xdg = xdg.join("threadrace/config.toml");
        let in_home = home.join(".config/threadrace/config.toml");
        for path in [&in_xdg, &in_home] {
            fs::create_dir_all(path.parent().ok_or("no parent")?)?;
        }
        fs::create_dir(&folder)?;
        assert_eq!(find(None, Some(&xdg))?, None);
        fs::write(&in_home, "")?;
        assert_eq!(find(None, None)?, Some(in_home.clone()));
        assert_eq!(find(None, Some(Path::new("relative")))?, Some(in_home.clone()));
        assert_eq!(find(None, Some(Path::new("")))?, Some(in_home));
        assert_eq!(find(None, Some(&xdg))?, None, "a set XDG_CONFIG_HOME replaces ~/.config");
        fs::write(&in_xdg, "")?;
        assert_eq!(find(None, Some(&xdg))?, Some(in_xdg));
        fs::write(folder.join("config.toml"), "format = 'threadrace-config-1'")?;
        assert_eq!(find(None, Some(&xdg))?, Some(PathBuf::from("config.toml")));
        fs::write(folder.join("other.toml"), "")?;
        assert_eq!(find(Some("other.toml"), Some(&xdg))?, Some(PathBuf::from("other.toml")));
        let told = find(Some("none\u{202e}.toml"), Some(&xdg)).map_err(|error| error.to_string());
        assert!(told.is_err_and(|told| told.contains("can't be read") && !told.contains('\u{202e}')));
        fs::write(folder.join("long.toml"), vec![b'\n'; LONGEST as usize + 1])?;
        assert!(matches!(find(Some("long.toml"), None), Err(ConfigError::TooLong { .. })));
        Ok(())
    }

    #[test]
    fn deep_nesting_is_survived() {
        assert!(refused(&format!("seed = {}", "[".repeat(200_000))).contains("this is not TOML"));
        assert!(refused(&format!("{} = 1", vec!["a"; 100_000].join("."))) != "fine");
    }

    proptest! {
        #[test]
        fn no_bytes_upset_the_parser(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = is_ours(&bytes);
            if let Ok(text) = Text::checked(Path::new("x"), bytes) {
                let _ = ConfigFile::parse(&text).map_err(|error| error.to_string());
            }
        }

        #[test]
        fn no_text_like_toml_upsets_the_parser(
            parts in proptest::collection::vec(
                prop_oneof![
                    Just("format = \"threadrace-config-1\"\n"), Just("[scenarios."), Just("]"), Just("\n"),
                    Just("seed"), Just(" = "), Just("\"\\u202e"), Just("'"), Just("é界"), Just("."), Just("{"),
                    Just("}"), Just("[["), Just(","), Just("1e999"), Just("\r\n"), Just("\t"), Just("\"\"\""), Just("#"),
                ],
                0..40,
            )
        ) {
            let text = parts.concat();
            let _ = is_ours(text.as_bytes());
            let told = refused(&text);
            prop_assert!(!told.contains(['\t', '\r', '\u{202e}']), "{:?}", told);
        }
    }
}
