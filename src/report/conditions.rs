//! Conditions on a race's figures, for scripts: `pool.speedup<4`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::event::Round;
use crate::model::RaceState;
use crate::stats::{Latencies, Spread};
use crate::text::shown;

use super::summary::{RunSummary, Summary};
use super::utilisation::Use;

/// A figure of a run: its name in conditions, and its value in seconds, bytes, a ratio or a number.
type Named = (&'static str, fn(&RunSummary) -> Option<f64>);

/// Every figure that a condition can be about. The names are those of the JSON report without their units.
const FIGURES: &[Named] = &[
    ("wall", |run| seconds(run.wall)),
    ("speedup", |run| run.speedup),
    ("improvement", |run| run.improvement),
    ("efficiency", |run| run.efficiency),
    ("latency.mean", |run| latency(run, |latency| latency.mean)),
    ("latency.p50", |run| latency(run, |latency| latency.p50)),
    ("latency.p90", |run| latency(run, |latency| latency.p90)),
    ("latency.p95", |run| latency(run, |latency| latency.p95)),
    ("latency.p99", |run| latency(run, |latency| latency.p99)),
    ("latency.max", |run| latency(run, |latency| latency.max)),
    ("tasks_per_second", |run| run.tasks_per_second),
    ("bytes_per_second", |run| run.bytes_per_second),
    ("bytes", |run| Some(run.bytes as f64)),
    ("peak_concurrency", |run| Some(f64::from(run.peak_concurrency))),
    ("cpu.user", |run| seconds(run.cpu.map(|cpu| cpu.user))),
    ("cpu.system", |run| seconds(run.cpu.map(|cpu| cpu.system))),
    ("processors", |run| run.processors),
    ("peak_memory", |run| run.peak_memory.map(|bytes| bytes as f64)),
    ("counter.expected", |run| run.counter.map(|counter| counter.expected as f64)),
    ("counter.actual", |run| run.counter.map(|counter| counter.actual as f64)),
    ("done", |run| Some(f64::from(run.counts.done))),
    ("failed", |run| Some(f64::from(run.counts.failed))),
    ("cancelled", |run| Some(f64::from(run.counts.cancelled))),
    ("panicked", |run| Some(f64::from(run.counts.panicked))),
    ("abandoned", |run| Some(f64::from(run.counts.abandoned))),
    ("retries", |run| Some(f64::from(run.counts.retries))),
    ("utilisation.waiting", |run| share(run, Use::Waiting)),
    ("utilisation.receiving", |run| share(run, Use::Receiving)),
    ("utilisation.writing", |run| share(run, Use::Writing)),
    ("utilisation.computing", |run| share(run, Use::Computing)),
    ("utilisation.locked", |run| share(run, Use::Locked)),
    ("utilisation.sleeping", |run| share(run, Use::Sleeping)),
    ("utilisation.backing_off", |run| share(run, Use::BackingOff)),
    ("utilisation.idle", |run| share(run, Use::Idle)),
];

fn seconds(time: Option<Duration>) -> Option<f64> {
    time.map(|time| time.as_secs_f64())
}

fn latency(run: &RunSummary, pick: fn(&Latencies) -> Duration) -> Option<f64> {
    seconds(run.latency.as_ref().map(pick))
}

fn share(run: &RunSummary, of: Use) -> Option<f64> {
    let used = run.utilisation();
    (!used.is_empty()).then(|| used.share(of))
}

/// A figure's place in [`FIGURES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Figure(usize);

impl Figure {
    /// The figure of that name; the units that the JSON report's names have may be there or not.
    fn named(name: &str) -> Option<Figure> {
        let bare = |part: &'_ str| {
            let part = part.strip_suffix("_seconds").unwrap_or(part);
            part.strip_suffix("_bytes").unwrap_or(part).to_owned()
        };
        let name = name.split('.').map(bare).collect::<Vec<_>>().join(".");
        FIGURES.iter().position(|(known, _)| *known == name).map(Figure)
    }

    fn of(self, run: &RunSummary) -> Option<f64> {
        FIGURES.get(self.0).and_then(|(_, of)| of(run)).filter(|value| value.is_finite())
    }
}

/// How a figure is compared with a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Less,
    AtMost,
    More,
    AtLeast,
    Equal,
    Unequal,
}

impl Comparison {
    /// Each with how it is written; what begins like another comes before it.
    const WRITTEN: [(&'static str, Comparison); 6] = [
        ("<=", Comparison::AtMost),
        (">=", Comparison::AtLeast),
        ("==", Comparison::Equal),
        ("!=", Comparison::Unequal),
        ("<", Comparison::Less),
        (">", Comparison::More),
    ];

    fn holds(self, value: f64, bound: f64) -> bool {
        match self {
            Comparison::Less => value < bound,
            Comparison::AtMost => value <= bound,
            Comparison::More => value > bound,
            Comparison::AtLeast => value >= bound,
            Comparison::Equal => value == bound,
            Comparison::Unequal => value != bound,
        }
    }
}

/// A text is no condition, or its run is none of the race's. What it holds is foreign text, made safe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    /// There is nothing to compare with.
    #[error(
        "it compares nothing: write RUN.FIGURE, one of < <= > >= == !=, and a number, like pool.speedup<4"
    )]
    NoComparison,
    /// There is no figure.
    #[error("'{0}' names no figure of a run: write RUN.FIGURE, like pool.speedup")]
    NoFigure(String),
    /// The figure is unknown.
    #[error("there is no figure '{0}'; there are: {all}", all = names())]
    UnknownFigure(String),
    /// There is no number.
    #[error("'{0}' is no number: write one like 4, 0.25 or 1e6; times are in seconds")]
    NoNumber(String),
    /// No run has that label.
    #[error("--fail-if: this race has no run '{label}'; it has: {runs}")]
    NoRun {
        /// The label that is asked for.
        label: String,
        /// Those that there are.
        runs: String,
    },
}

/// The names of all figures: `wall, speedup, …`.
fn names() -> String {
    FIGURES.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

/// Something that a figure of a run must not be: a run's label, a figure, a comparison and a number.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    text: String,
    label: String,
    figure: Figure,
    comparison: Comparison,
    bound: f64,
}

/// What the figures say of a condition.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Judgement {
    /// It is not true.
    Untrue,
    /// It is true.
    True {
        /// The value measured.
        value: f64,
    },
    /// It can't be told.
    Unmeasured,
}

impl FromStr for Condition {
    type Err = ConditionError;

    fn from_str(text: &str) -> Result<Condition, ConditionError> {
        let found = Comparison::WRITTEN.iter().filter_map(|(sign, comparison)| {
            text.split_once(sign).map(|(figure, number)| (figure, *comparison, number))
        });
        // The first sign in the text is the one that counts; where `<=` and `<` begin at the same place, `<=` does.
        let found = found.min_by_key(|(figure, _, _)| figure.len());
        let (left, comparison, right) = found.ok_or(ConditionError::NoComparison)?;
        let safe = |text: &str| shown(text.trim()).into_owned();
        let (label, figure) =
            left.trim().split_once('.').ok_or_else(|| ConditionError::NoFigure(safe(left)))?;
        if label.is_empty() || figure.is_empty() {
            return Err(ConditionError::NoFigure(safe(left)));
        }
        let figure = Figure::named(figure).ok_or_else(|| ConditionError::UnknownFigure(safe(figure)))?;
        let bound = right.trim().parse().ok().filter(|bound: &f64| bound.is_finite());
        let bound = bound.ok_or_else(|| ConditionError::NoNumber(safe(right)))?;
        Ok(Condition { text: safe(text), label: label.to_owned(), figure, comparison, bound })
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Condition {
    /// Whether a race with runs of these labels has the condition's run.
    ///
    /// # Errors
    /// It has none.
    pub fn check(&self, labels: &[String]) -> Result<(), ConditionError> {
        if labels.contains(&self.label) {
            return Ok(());
        }
        let runs = labels.iter().map(|label| shown(label)).collect::<Vec<_>>().join(", ");
        Err(ConditionError::NoRun { label: shown(&self.label).into_owned(), runs })
    }

    /// What the values of the figure in the counted rounds say: their median is compared. A single value that is
    /// missing leaves it untold, and so does having none.
    pub fn judge(&self, values: &[Option<f64>]) -> Judgement {
        let known: Option<Vec<f64>> = values.iter().copied().collect();
        match known.and_then(|known| Spread::of(&known)).map(|spread| spread.median) {
            None => Judgement::Unmeasured,
            Some(value) if self.comparison.holds(value, self.bound) => Judgement::True { value },
            Some(_) => Judgement::Untrue,
        }
    }

    /// Why a race that is over fails the condition, in a line that is safe to show: it is true, or it could
    /// not be measured. None when it is not true.
    pub fn failure(&self, race: &RaceState) -> Option<String> {
        let summary = Summary::of(race, race.last_moment());
        let counted = race.runs().iter().zip(&summary.runs).filter(|(run, _)| {
            run.plan().label == self.label && matches!(run.plan().round, Round::Counted(_))
        });
        let runs: Vec<&RunSummary> = counted.map(|(_, figures)| figures).collect();
        let values: Vec<Option<f64>> = runs.iter().map(|run| self.figure.of(run)).collect();
        match self.judge(&values) {
            Judgement::Untrue => None,
            Judgement::True { value } => {
                let of = match values.len() {
                    1 => "measured".to_owned(),
                    rounds => format!("the median of {rounds} rounds is"),
                };
                Some(format!("{self} is true: {of} {}", self.told(value)))
            }
            Judgement::Unmeasured => {
                let unmeasured = runs.iter().zip(&values).find(|(_, value)| value.is_none());
                let why = match unmeasured.map(|(run, _)| run.comparable.reason()) {
                    None => "the race had no such run".to_owned(),
                    Some(Some(reason)) => reason.to_string(),
                    Some(None) => "there is nothing to compare with, or the system did not tell".to_owned(),
                };
                Some(format!("{self} could not be measured: {why}"))
            }
        }
    }

    /// The value with six decimals at most, unless rounding would make the condition untrue.
    fn told(&self, value: f64) -> f64 {
        let rounded = (value * 1e6).round() / 1e6;
        if self.comparison.holds(rounded, self.bound) { rounded } else { value }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn error(text: &str) -> Option<String> {
        text.parse::<Condition>().err().map(|error| error.to_string())
    }

    fn judged(text: &str, values: &[Option<f64>]) -> Result<Judgement, ConditionError> {
        Ok(text.parse::<Condition>()?.judge(values))
    }

    #[test]
    fn a_condition_is_a_figure_a_comparison_and_a_number() -> Result<(), ConditionError> {
        let condition: Condition = "pool-10.latency.p95 >= 0.5".parse()?;
        let parts = (condition.label.as_str(), FIGURES[condition.figure.0].0, condition.comparison);
        assert_eq!(parts, ("pool-10", "latency.p95", Comparison::AtLeast));
        assert_eq!((condition.bound, condition.to_string().as_str()), (0.5, "pool-10.latency.p95 >= 0.5"));
        for (text, value, holds) in [
            ("a.wall<1", 0.9, true),
            ("a.wall<1", 1.0, false),
            ("a.wall<=1", 1.0, true),
            ("a.wall>1", 1.0, false),
            ("a.wall>=1e0", 1.0, true),
            ("a.failed==2", 2.0, true),
            ("a.failed!=2", 2.0, false),
            ("a.improvement < -0.5", -0.6, true),
        ] {
            let expected = if holds { Judgement::True { value } } else { Judgement::Untrue };
            assert_eq!(judged(text, &[Some(value)])?, expected, "{text}");
        }
        Ok(())
    }

    #[test]
    fn figures_have_the_reports_names_with_units_and_without() {
        for (long, short) in [
            ("wall_seconds", "wall"),
            ("latency_seconds.p95", "latency.p95"),
            ("cpu_seconds.user", "cpu.user"),
            ("peak_memory_bytes", "peak_memory"),
            ("bytes_per_second", "bytes_per_second"),
            ("bytes", "bytes"),
        ] {
            assert!(Figure::named(long).is_some() && Figure::named(long) == Figure::named(short), "{long}");
        }
        assert_eq!(Figure::named("wall_seconds_seconds"), None);
    }

    #[test]
    fn what_is_no_condition_is_told_with_what_is_allowed() {
        for (text, said) in [
            ("", "it compares nothing"),
            ("pool.speedup", "one of < <= > >= == !="),
            ("pool.speedup=4", "one of < <= > >= == !="),
            ("speedup<4", "'speedup' names no figure of a run"),
            (".speedup<4", "names no figure"),
            ("pool.<4", "names no figure"),
            ("pool.luck<4", "there is no figure 'luck'; there are: wall, speedup"),
            ("pool.speedup<", "'' is no number"),
            ("pool.speedup<nan", "'nan' is no number"),
            ("pool.speedup<inf", "is no number"),
            ("pool.speedup<4x", "'4x' is no number"),
            ("pool.speedup<=<4", "'<4' is no number"),
            ("pool.speedup<4\u{1b}[2J", "\\u{1b}"),
        ] {
            let told = error(text).unwrap_or_default();
            assert!(told.contains(said) && !told.contains('\u{1b}'), "{text}: {told}");
        }
    }

    #[test]
    fn the_median_of_the_rounds_counts_and_each_must_be_measured() -> Result<(), ConditionError> {
        let rounds = [Some(1.0), Some(9.0), Some(3.0)];
        assert_eq!(judged("a.wall>2", &rounds)?, Judgement::True { value: 3.0 });
        assert_eq!(judged("a.wall>3", &rounds)?, Judgement::Untrue);
        assert_eq!(judged("a.wall>2", &[Some(3.0), None])?, Judgement::Unmeasured);
        assert_eq!(judged("a.wall>2", &[])?, Judgement::Unmeasured);
        Ok(())
    }

    #[test]
    fn a_value_is_never_rounded_to_where_the_condition_does_not_hold() -> Result<(), ConditionError> {
        let condition: Condition = "pool.speedup<4".parse()?;
        assert_eq!(condition.told(3.712_345_678), 3.712_346);
        assert_eq!(condition.told(3.999_999_99), 3.999_999_99);
        Ok(())
    }

    #[test]
    fn the_runs_that_there_are_are_told() -> Result<(), ConditionError> {
        let condition: Condition = "pol.speedup<4".parse()?;
        let labels = ["sequential".to_owned(), "pool".to_owned()];
        let told = condition.check(&labels).err().map(|error| error.to_string());
        assert_eq!(told.as_deref(), Some("--fail-if: this race has no run 'pol'; it has: sequential, pool"));
        assert_eq!("pool.wall>1".parse::<Condition>()?.check(&labels), Ok(()));
        Ok(())
    }

    proptest! {
        #[test]
        fn no_text_panics(text in any::<String>(), value: f64) {
            if let Ok(condition) = text.parse::<Condition>() {
                condition.judge(&[Some(value)]);
            }
        }

        #[test]
        fn what_looks_like_a_condition_is_one_or_is_refused(
            text in "[a-z.]{0,8}(speedup|wall|latency[.]p95)?[<>=! ]{0,3}[-+0-9.e]{0,6}", value: f64,
        ) {
            match text.parse::<Condition>() {
                Ok(condition) => {
                    let again = condition.to_string().parse::<Condition>();
                    prop_assert_eq!(again.as_ref(), Ok(&condition));
                    condition.judge(&[Some(value), None]);
                }
                Err(error) => prop_assert!(!error.to_string().is_empty()),
            }
        }
    }
}
