//! What a setting may be: a rule reads a value from text or from TOML, says what is allowed, and writes
//! the value back as TOML.

use std::ffi::OsStr;
use std::fmt::Display;
use std::marker::PhantomData;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use toml::Spanned;
use toml::de::{DeArray, DeValue};

use crate::event::{TimeScale, WorkloadKind};
use crate::scenario::ExecutorList;
use crate::text::shown;

/// Why a rule did not take a value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It is something else than what the rule allows.
    Not {
        /// What it is, in words that are safe to show.
        found: String,
    },
    /// It is of the right kind, but wrong for a reason of its own.
    Because {
        /// The reason, safe to show.
        reason: String,
        /// Which part of the file is meant, when it is not the whole value.
        part: Option<Range<usize>>,
    },
}

impl Refusal {
    fn kind(value: &DeValue<'_>) -> Refusal {
        let found = match value {
            DeValue::String(text) => return Refusal::text(text),
            DeValue::Integer(number) => number.to_string(),
            DeValue::Float(number) => number.to_string(),
            DeValue::Boolean(truth) => truth.to_string(),
            DeValue::Datetime(_) => "a date".to_owned(),
            DeValue::Array(_) => "an array".to_owned(),
            DeValue::Table(_) => "a table".to_owned(),
        };
        Refusal::Not { found: shorter(&shown(&found)) }
    }

    fn text(text: &str) -> Refusal {
        Refusal::Not { found: format!("'{}'", shorter(&shown(text))) }
    }

    /// The refusal in words, of the setting that goes by `name` and may be what `allowed` says.
    pub(crate) fn sentence(&self, name: &str, allowed: &str) -> String {
        match self {
            Refusal::Not { found } => format!("{name} must be {allowed}, not {found}"),
            Refusal::Because { reason, .. } => format!("{name}: {reason}"),
        }
    }
}

fn shorter(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// `text` as a TOML string on one line, with nothing in it that a terminal would obey.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for char in text.chars() {
        match char {
            '"' | '\\' => out.extend(['\\', char]),
            _ if crate::text::is_unsafe(char) => out.push_str(&format!("\\u{:04X}", u32::from(char))),
            _ => out.push(char),
        }
    }
    out.push('"');
    out
}

fn listed<S: AsRef<str>>(items: impl IntoIterator<Item = S>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| quoted(item.as_ref())).collect();
    format!("[{}]", items.join(", "))
}

/// Reads, names and writes the values that a setting may have.
pub(crate) trait Rule<T>: Sync {
    /// What is allowed, to follow "must be".
    fn allowed(&self) -> String;

    /// Reads a flag's or a variable's text.
    fn text(&self, text: &str) -> Result<T, Refusal>;

    /// Reads a variable's text as the system has it.
    fn system_text(&self, text: &OsStr) -> Result<T, Refusal> {
        match text.to_str() {
            Some(text) => self.text(text),
            None => Err(Refusal::Not { found: "text that isn't UTF-8".to_owned() }),
        }
    }

    /// Reads a file's value.
    fn toml(&self, value: &DeValue<'_>) -> Result<T, Refusal> {
        match value {
            DeValue::String(text) => self.text(text),
            _ => Err(Refusal::kind(value)),
        }
    }

    /// Writes a value as TOML, on one line.
    fn write(&self, value: &T) -> String;
}

/// A whole number within bounds, both of them allowed.
pub(crate) struct Whole<T> {
    least: u64,
    most: u64,
    of: PhantomData<fn() -> T>,
}

impl<T> Whole<T> {
    pub(crate) const fn within(least: u64, most: u64) -> Whole<T> {
        Whole { least, most, of: PhantomData }
    }

    fn bounded(&self, number: Option<i128>) -> Option<T>
    where
        T: TryFrom<u64>,
    {
        let number =
            u64::try_from(number?).ok().filter(|number| (self.least..=self.most).contains(number))?;
        T::try_from(number).ok()
    }
}

impl<T: TryFrom<u64> + Display> Rule<T> for Whole<T> {
    fn allowed(&self) -> String {
        format!("a whole number, {} to {}", self.least, self.most)
    }

    fn text(&self, text: &str) -> Result<T, Refusal> {
        self.bounded(text.trim().parse().ok()).ok_or_else(|| Refusal::text(text))
    }

    fn toml(&self, value: &DeValue<'_>) -> Result<T, Refusal> {
        let number =
            value.as_integer().and_then(|number| i128::from_str_radix(number.as_str(), number.radix()).ok());
        self.bounded(number).ok_or_else(|| Refusal::kind(value))
    }

    fn write(&self, value: &T) -> String {
        value.to_string()
    }
}

/// A number within bounds, both of them allowed; never nan, infinite or -0.
pub(crate) struct Decimal {
    least: f64,
    most: f64,
}

impl Decimal {
    pub(crate) const fn within(least: f64, most: f64) -> Decimal {
        Decimal { least, most }
    }

    fn bounded(&self, number: Option<f64>) -> Option<f64> {
        // Adding zero turns -0.0 into 0.0; nan is within no bounds.
        number.filter(|number| (self.least..=self.most).contains(number)).map(|number| number + 0.0)
    }
}

impl Rule<f64> for Decimal {
    fn allowed(&self) -> String {
        format!("a number, {} to {}", self.least, self.most)
    }

    fn text(&self, text: &str) -> Result<f64, Refusal> {
        self.bounded(text.trim().parse().ok()).ok_or_else(|| Refusal::text(text))
    }

    fn toml(&self, value: &DeValue<'_>) -> Result<f64, Refusal> {
        let number = match value {
            DeValue::Float(number) => number.as_str().parse().ok(),
            DeValue::Integer(number) => {
                i128::from_str_radix(number.as_str(), number.radix()).ok().map(|number| number as f64)
            }
            _ => None,
        };
        self.bounded(number).ok_or_else(|| Refusal::kind(value))
    }

    fn write(&self, value: &f64) -> String {
        format!("{value:?}")
    }
}

/// A time in seconds, within bounds; kept to the nanosecond.
pub(crate) struct Seconds(Decimal);

impl Seconds {
    pub(crate) const fn within(least: f64, most: f64) -> Seconds {
        Seconds(Decimal::within(least, most))
    }
}

fn duration(seconds: f64) -> Result<Duration, Refusal> {
    Duration::try_from_secs_f64(seconds).map_err(|_| Refusal::Not { found: seconds.to_string() })
}

impl Rule<Duration> for Seconds {
    fn allowed(&self) -> String {
        format!("seconds, {} to {}", self.0.least, self.0.most)
    }

    fn text(&self, text: &str) -> Result<Duration, Refusal> {
        self.0.text(text).and_then(duration)
    }

    fn toml(&self, value: &DeValue<'_>) -> Result<Duration, Refusal> {
        self.0.toml(value).and_then(duration)
    }

    fn write(&self, value: &Duration) -> String {
        self.0.write(&value.as_secs_f64())
    }
}

/// True or false.
pub(crate) struct Switch;

impl Rule<bool> for Switch {
    fn allowed(&self) -> String {
        "true or false".to_owned()
    }

    fn text(&self, text: &str) -> Result<bool, Refusal> {
        match text {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(Refusal::text(text)),
        }
    }

    fn toml(&self, value: &DeValue<'_>) -> Result<bool, Refusal> {
        value.as_bool().ok_or_else(|| Refusal::kind(value))
    }

    fn write(&self, value: &bool) -> String {
        value.to_string()
    }
}

/// One of an enum's names.
pub(crate) struct OneOf;

fn name_of<T: ValueEnum>(value: &T) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

impl<T: ValueEnum> Rule<T> for OneOf {
    fn allowed(&self) -> String {
        alternatives(&T::value_variants().iter().map(name_of).collect::<Vec<_>>())
    }

    fn text(&self, text: &str) -> Result<T, Refusal> {
        T::from_str(text, false).map_err(|_| Refusal::text(text))
    }

    fn write(&self, value: &T) -> String {
        quoted(&name_of(value))
    }
}

/// One of a few values that have names of their own.
pub(crate) struct Among<T: 'static> {
    these: &'static [T],
    name: fn(T) -> &'static str,
}

impl<T: Copy> Among<T> {
    pub(crate) const fn these(these: &'static [T], name: fn(T) -> &'static str) -> Among<T> {
        Among { these, name }
    }
}

impl<T: Copy + Sync> Rule<T> for Among<T> {
    fn allowed(&self) -> String {
        alternatives(&self.these.iter().map(|value| (self.name)(*value).to_owned()).collect::<Vec<_>>())
    }

    fn text(&self, text: &str) -> Result<T, Refusal> {
        let found = self.these.iter().find(|value| (self.name)(**value) == text);
        found.copied().ok_or_else(|| Refusal::text(text))
    }

    fn write(&self, value: &T) -> String {
        quoted((self.name)(*value))
    }
}

/// Words in a sentence: `a, b or c`.
fn alternatives(names: &[String]) -> String {
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => "nothing".to_owned(),
    }
}

/// What every simulated delay is multiplied with.
pub(crate) struct Scale;

impl Scale {
    const BOUNDS: Decimal = Decimal::within(0.001, 100.0);

    fn of(factor: f64) -> TimeScale {
        TimeScale((factor * 1e6).round() as u32)
    }
}

impl Rule<TimeScale> for Scale {
    fn allowed(&self) -> String {
        Scale::BOUNDS.allowed()
    }

    fn text(&self, text: &str) -> Result<TimeScale, Refusal> {
        Scale::BOUNDS.text(text).map(Scale::of)
    }

    fn toml(&self, value: &DeValue<'_>) -> Result<TimeScale, Refusal> {
        Scale::BOUNDS.toml(value).map(Scale::of)
    }

    fn write(&self, value: &TimeScale) -> String {
        Scale::BOUNDS.write(&value.factor())
    }
}

/// How long tasks sleep, each in its turn; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SleepTimes(Vec<Duration>);

impl SleepTimes {
    pub(crate) fn one(duration: Duration) -> SleepTimes {
        SleepTimes(vec![duration])
    }

    pub(crate) fn durations(&self) -> &[Duration] {
        &self.0
    }
}

/// One time for all tasks, or a list of times.
pub(crate) struct Sleeps;

impl Sleeps {
    const EACH: Seconds = Seconds::within(0.0, 3600.0);
    const MOST: usize = 1000;
}

impl Rule<SleepTimes> for Sleeps {
    fn allowed(&self) -> String {
        format!("{}, or an array of 1 to {} such numbers", Sleeps::EACH.allowed(), Sleeps::MOST)
    }

    fn text(&self, text: &str) -> Result<SleepTimes, Refusal> {
        Sleeps::EACH.text(text).map(SleepTimes::one)
    }

    fn toml(&self, value: &DeValue<'_>) -> Result<SleepTimes, Refusal> {
        let Some(array) = value.as_array() else {
            return Sleeps::EACH.toml(value).map(SleepTimes::one);
        };
        if array.is_empty() || array.len() > Sleeps::MOST {
            return Err(Refusal::Not { found: format!("{} of them", array.len()) });
        }
        let time = |item: &Spanned<DeValue<'_>>| {
            Sleeps::EACH.toml(item.get_ref()).map_err(|refusal| Refusal::Because {
                reason: refusal.sentence("each", &Sleeps::EACH.allowed()),
                part: Some(item.span()),
            })
        };
        array.iter().map(time).collect::<Result<_, _>>().map(SleepTimes)
    }

    fn write(&self, value: &SleepTimes) -> String {
        match value.durations() {
            [one] => Sleeps::EACH.write(one),
            many => {
                let times: Vec<String> = many.iter().map(|time| Sleeps::EACH.write(time)).collect();
                format!("[{}]", times.join(", "))
            }
        }
    }
}

/// A command: the program and its arguments.
pub(crate) struct Words;

impl Rule<Vec<String>> for Words {
    fn allowed(&self) -> String {
        "an array of texts, the program first".to_owned()
    }

    fn text(&self, text: &str) -> Result<Vec<String>, Refusal> {
        Err(Refusal::text(text))
    }

    fn toml(&self, value: &DeValue<'_>) -> Result<Vec<String>, Refusal> {
        let words = texts(value.as_array().ok_or_else(|| Refusal::kind(value))?, "word of a command")?;
        if let Some((_, span)) = words.iter().find(|(word, _)| word.contains('\0')) {
            let reason = "no word of a command can have a NUL in it".to_owned();
            return Err(Refusal::Because { reason, part: Some(span.clone()) });
        }
        match words.first() {
            Some((program, _)) if !program.is_empty() => {
                Ok(words.into_iter().map(|(word, _)| word.to_owned()).collect())
            }
            _ => Err(Refusal::Not { found: "an empty one".to_owned() }),
        }
    }

    fn write(&self, value: &Vec<String>) -> String {
        listed(value)
    }
}

/// Workloads by name.
pub(crate) struct Workloads;

impl Workloads {
    const ONE: Among<WorkloadKind> = Among::these(&WorkloadKind::ALL, WorkloadKind::name);
}

impl Rule<Vec<WorkloadKind>> for Workloads {
    fn allowed(&self) -> String {
        format!("an array of workloads, each of them {}", Workloads::ONE.allowed())
    }

    fn text(&self, text: &str) -> Result<Vec<WorkloadKind>, Refusal> {
        Err(Refusal::text(text))
    }

    fn toml(&self, value: &DeValue<'_>) -> Result<Vec<WorkloadKind>, Refusal> {
        let names = texts(value.as_array().ok_or_else(|| Refusal::kind(value))?, "workload")?;
        let kind = |(name, span): (&str, Range<usize>)| {
            Workloads::ONE.text(name).map_err(|refusal| Refusal::Because {
                reason: refusal.sentence("each", &Workloads::ONE.allowed()),
                part: Some(span),
            })
        };
        names.into_iter().map(kind).collect()
    }

    fn write(&self, value: &Vec<WorkloadKind>) -> String {
        listed(value.iter().map(|kind| kind.name()))
    }
}

/// One line of text.
pub(crate) struct Line;

impl Line {
    const LONGEST: usize = 200;
}

impl Rule<String> for Line {
    fn allowed(&self) -> String {
        format!("one line of at most {} characters", Line::LONGEST)
    }

    fn text(&self, text: &str) -> Result<String, Refusal> {
        if text.chars().count() > Line::LONGEST || text.chars().any(char::is_control) {
            return Err(Refusal::text(text));
        }
        Ok(text.to_owned())
    }

    fn write(&self, value: &String) -> String {
        quoted(value)
    }
}

/// The name of a scenario that may exist. Whether it does is another question.
pub(crate) struct ScenarioName;

/// Names that no scenario may have: on the command line they mean something else.
pub(crate) const RESERVED: [&str; 14] = [
    "origin",
    "replay",
    "export",
    "import",
    "diff",
    "scenarios",
    "claims",
    "config",
    "sweep",
    "completions",
    "man",
    "help",
    "worker",
    super::URLS_SCENARIO,
];

impl Rule<String> for ScenarioName {
    fn allowed(&self) -> String {
        "letters, digits, - and _, starting with a letter or a digit, at most 64".to_owned()
    }

    fn text(&self, text: &str) -> Result<String, Refusal> {
        let plain = text.chars().all(|char| char.is_alphanumeric() || matches!(char, '-' | '_'));
        if !plain || !text.starts_with(char::is_alphanumeric) || text.chars().count() > 64 {
            return Err(Refusal::text(text));
        }
        Ok(text.to_owned())
    }

    fn write(&self, value: &String) -> String {
        quoted(value)
    }
}

/// The path of a folder.
pub(crate) struct Folder;

impl Rule<PathBuf> for Folder {
    fn allowed(&self) -> String {
        "the path of a folder".to_owned()
    }

    fn text(&self, text: &str) -> Result<PathBuf, Refusal> {
        if text.is_empty() || text.contains('\0') { Err(Refusal::text(text)) } else { Ok(text.into()) }
    }

    fn system_text(&self, text: &OsStr) -> Result<PathBuf, Refusal> {
        match text.to_str() {
            Some(text) => self.text(text),
            None => Ok(text.into()),
        }
    }

    fn write(&self, value: &PathBuf) -> String {
        quoted(&Path::to_string_lossy(value))
    }
}

/// An address to listen on.
pub(crate) struct Address;

impl Rule<SocketAddr> for Address {
    fn allowed(&self) -> String {
        "an IP address and a port, such as 127.0.0.1:8080 or [::1]:0".to_owned()
    }

    fn text(&self, text: &str) -> Result<SocketAddr, Refusal> {
        text.parse().map_err(|_| Refusal::text(text))
    }

    fn write(&self, value: &SocketAddr) -> String {
        quoted(&value.to_string())
    }
}

/// Names of hosts; a comma between them, where they are text.
pub(crate) struct HostNames;

impl HostNames {
    /// Reads one name.
    pub(crate) fn one(text: &str) -> Result<String, Refusal> {
        let text = text.trim();
        let name = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '.' | '_');
        let fits = (1..=253).contains(&text.len());
        if fits && (text.chars().all(name) || text.parse::<IpAddr>().is_ok()) {
            Ok(text.to_ascii_lowercase())
        } else {
            Err(Refusal::Because {
                reason: format!("'{}' is no host name (leave the port out)", shorter(&shown(text))),
                part: None,
            })
        }
    }
}

impl Rule<Vec<String>> for HostNames {
    fn allowed(&self) -> String {
        "host names without ports".to_owned()
    }

    fn text(&self, text: &str) -> Result<Vec<String>, Refusal> {
        text.split(',').map(HostNames::one).collect()
    }

    fn toml(&self, value: &DeValue<'_>) -> Result<Vec<String>, Refusal> {
        let array = value.as_array().ok_or_else(|| Refusal::kind(value))?;
        texts(array, "host name")?
            .into_iter()
            .map(|(text, span)| {
                HostNames::one(text).map_err(|refusal| match refusal {
                    Refusal::Because { reason, .. } => Refusal::Because { reason, part: Some(span) },
                    other => other,
                })
            })
            .collect()
    }

    fn write(&self, value: &Vec<String>) -> String {
        listed(value)
    }
}

/// The texts of an array, each with its place in the file.
fn texts<'a>(array: &'a DeArray<'_>, what: &str) -> Result<Vec<(&'a str, Range<usize>)>, Refusal> {
    array
        .iter()
        .map(|item| match item.get_ref() {
            DeValue::String(text) => Ok((text.as_ref(), item.span())),
            other => Err(Refusal::Because {
                reason: format!("each {what} must be text in quotes, not a {}", other.type_str()),
                part: Some(item.span()),
            }),
        })
        .collect()
}

/// Executors by name; a comma between them, where they are text.
pub(crate) struct Executors;

impl Rule<ExecutorList> for Executors {
    fn allowed(&self) -> String {
        "names of executors: sequential, threads, pool, async, processes, gil, that of a program or all, \
         with workers and a variant where need be (pool:10, threads:daemon)"
            .to_owned()
    }

    fn text(&self, text: &str) -> Result<ExecutorList, Refusal> {
        ExecutorList::from_names(text.split(',')).map_err(|(_, error)| Refusal::Because {
            reason: shown(&error.to_string()).into_owned(),
            part: None,
        })
    }

    fn toml(&self, value: &DeValue<'_>) -> Result<ExecutorList, Refusal> {
        let array = value.as_array().ok_or_else(|| match value {
            DeValue::String(_) => Refusal::Because {
                reason: "executors are an array here, such as [\"sequential\", \"pool:10\"]".to_owned(),
                part: None,
            },
            _ => Refusal::kind(value),
        })?;
        let names = texts(array, "executor")?;
        ExecutorList::from_names(names.iter().map(|(name, _)| *name)).map_err(|(index, error)| {
            Refusal::Because {
                reason: shown(&error.to_string()).into_owned(),
                part: names.get(index).map(|(_, span)| span.clone()),
            }
        })
    }

    fn write(&self, value: &ExecutorList) -> String {
        listed(value.choices().iter().map(ToString::to_string))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn toml<T>(rule: &dyn Rule<T>, text: &str) -> Result<T, String> {
        let value = DeValue::parse(text).map_err(|error| error.to_string())?;
        rule.toml(value.get_ref()).map_err(|refusal| refusal.sentence("it", &rule.allowed()))
    }

    #[test]
    fn whole_numbers_keep_to_their_bounds() {
        let rule = Whole::<usize>::within(1, 1_000_000);
        for (right, number) in [("1", 1), ("1_000_000", 1_000_000), ("0x10", 16), ("+7", 7)] {
            assert_eq!(toml(&rule, right), Ok(number), "{right}");
        }
        for wrong in
            ["0", "-1", "1000001", "1000000000000", "99999999999999999999999999", "2.0", "true", "nan"]
        {
            let told = toml(&rule, wrong);
            assert_eq!(told, Err(format!("it must be a whole number, 1 to 1000000, not {wrong}")));
        }
        assert_eq!(rule.text(" 12 "), Ok(12));
        assert_eq!(rule.text("twelve"), Err(Refusal::Not { found: "'twelve'".to_owned() }));
        assert!(rule.text("").is_err());
        assert!(toml(&Whole::<u8>::within(0, 1000), "256").is_err(), "a bound wider than the type");
    }

    #[test]
    fn seconds_are_finite_and_never_negative() {
        let rule = Seconds::within(0.0, 3600.0);
        assert_eq!(toml(&rule, "0.25"), Ok(Duration::from_millis(250)));
        assert_eq!(toml(&rule, "3"), Ok(Duration::from_secs(3)));
        assert_eq!(toml(&rule, "-0.0"), Ok(Duration::ZERO));
        for wrong in ["nan", "-nan", "inf", "-inf", "-1.0", "-1", "3600.1", "1e300", "1e999", "1000000000000"]
        {
            assert!(toml(&rule, wrong).is_err_and(|told| told.contains("seconds, 0 to 3600")), "{wrong}");
            assert!(rule.text(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn texts_are_checked() {
        assert_eq!(toml(&Switch, "true"), Ok(true));
        assert!(toml(&Switch, "1").is_err());
        assert_eq!(Switch.text("0"), Ok(false));
        assert!(Switch.text("yes").is_err());
        assert!(Line.text("two\nlines").is_err());
        assert!(Line.text(&"x".repeat(201)).is_err());
        assert!(Folder.text("").is_err());
        assert!(Folder.text("a\0b").is_err());
        assert!(Address.text("localhost:80").is_err());
        assert!(Address.text("[::1]:0").is_ok());
        for wrong in ["", "-x", "a b", "a/b", "a.b", "x\u{202e}", "\u{7}", &"x".repeat(65)] {
            assert!(ScenarioName.text(wrong).is_err(), "{wrong:?}");
        }
        assert!(ScenarioName.text("löwe-2_b").is_ok());
    }

    #[test]
    fn hosts_are_names_without_ports() {
        assert_eq!(
            toml(&HostNames, r#"["Example.org", "::1"]"#),
            Ok(vec!["example.org".into(), "::1".into()])
        );
        assert_eq!(toml(&HostNames, "[]"), Ok(vec![]));
        assert_eq!(HostNames.text("a, b"), Ok(vec!["a".into(), "b".into()]));
        for wrong in [r#"["a:80"]"#, r#"[""]"#, r#"["a b"]"#, "[1]", r#""a""#] {
            assert!(toml(&HostNames, wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_wrong_executor_is_pointed_at() {
        let value = DeValue::parse(r#"["pool", "Fibers"]"#).map(|value| Executors.toml(value.get_ref()));
        let Ok(Err(Refusal::Because { reason, part })) = value else { panic!("not refused: {value:?}") };
        assert!(reason.contains("'Fibers'"), "{reason}");
        assert_eq!(part, Some(9..17));
        assert!(toml(&Executors, "[]").is_err());
        assert!(toml(&Executors, "[3]").is_err());
        assert!(toml(&Executors, r#""pool""#).is_err_and(|told| told.contains("array")));
    }

    #[test]
    fn what_is_found_is_shown_short_and_harmless() {
        let told = toml(&OneOf as &dyn Rule<super::super::ThemeName>, "\"\\u001b[31m\\u202e\"");
        let told = told.err().unwrap_or_default();
        assert!(!told.contains(['\u{1b}', '\u{202e}']), "{told:?}");
        assert!(told.starts_with("it must be dark, light, high-contrast or monochrome, not '"), "{told}");
        let told = Switch.text(&"x".repeat(1000)).map_err(|refusal| refusal.sentence("it", ""));
        assert!(told.is_err_and(|told| told.len() < 200));
    }

    proptest! {
        #[test]
        fn a_quoted_text_reads_back_and_is_safe(text in any::<String>()) {
            let quoted = quoted(&text);
            prop_assert!(!quoted.contains(crate::text::is_unsafe));
            let value = DeValue::parse(&quoted).map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert_eq!(value.get_ref().as_str(), Some(text.as_str()));
        }

        #[test]
        fn seconds_read_back_as_written(nanos in 0_u64..3_600_000_000_000) {
            let rule = Seconds::within(0.0, 3600.0);
            let time = Duration::from_nanos(nanos);
            prop_assert_eq!(toml(&rule, &rule.write(&time)), Ok(time));
        }

        #[test]
        fn no_text_upsets_a_rule(text in any::<String>()) {
            let _ = Whole::<u8>::within(1, 60).text(&text);
            let _ = Seconds::within(0.0, 1e12).text(&text);
            let _ = Executors.text(&text);
            let _ = HostNames.text(&text);
            let _ = Address.text(&text);
            let _ = ScenarioName.text(&text);
        }
    }
}
