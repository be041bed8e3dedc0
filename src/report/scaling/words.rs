//! A sweep in words: definitions, the sentence, and lines for the fits.

use crate::event::ExecutorKind;
use crate::report::words::{self, Glyphs, count, percent, ratio, seconds, times};
use crate::stats::Interval;
use crate::stats::scaling::{Amdahl, Knee, Usl};

use super::{Measured, Progress, Scaling, Why};

/// What each figure of a sweep means, a line each.
pub const SCALING_DEFINITIONS: &[(&str, &str)] = &[
    (
        "measured",
        "a round's sequential wall time ÷ that of its run with so many workers; the median of the rounds",
    ),
    (
        "least and most",
        "of the rounds, where there are several: a line up and down from the point; no confidence interval",
    ),
    ("ideal", "as many times as fast as there are workers"),
    (
        "bound",
        "tasks' time ÷ longest of: equal share, longest task, for any k the k+1 shortest of the kN+1 longest",
    ),
    ("Amdahl", "S(N) = 1 ÷ (s + (1 - s) ÷ N): a share s of the work that only one can do; Amdahl 1967"),
    ("USL", "C(N) = N ÷ (1 + σ(N - 1) + κN(N - 1)), the Universal Scalability Law; Gunther 1993, 2007"),
    ("σ, contention", "what workers lose by queueing for what they share, 0 to 1"),
    ("κ, coherency", "what they lose by agreeing pair by pair; above 0, too many make it slower"),
    ("95 %", "confidence interval: estimate ± Student's t × standard error, from the fit's covariance"),
    ("residual", "root of the mean square of measured - fitted, in speedups"),
    (
        "Karp-Flatt",
        "(1/S - 1/N) ÷ (1 - 1/N): the serial share that one point amounts to; rising: a limit or overhead",
    ),
    ("knee", "the fewest workers with 95 % of the best speedup; one run of each tells no smaller gaps"),
];

/// The longest sentence, in characters.
const SENTENCE_CHARS: usize = 200;

impl Scaling {
    /// What more workers bought and why, in one or two sentences of at most 200 characters. None while there are
    /// runs to come, and when there are not two points to compare.
    pub fn sentence(&self) -> Option<String> {
        let (knee, best) = (self.knee?, self.best()?);
        if self.progress == Progress::UnderWay {
            return None;
        }
        match knee {
            Knee::Beyond { workers } => Some(self.growing(workers)),
            Knee::At { workers, speedup } => {
                let last = self.measured.last()?;
                let subject = match workers {
                    1 => "More than one worker".to_owned(),
                    workers => format!("More than {} workers", count(u64::from(workers))),
                };
                let gain = best.speedup / speedup - 1.0;
                let loss = 1.0 - last.speedup.median / speedup;
                let (verb, little) =
                    if workers == 1 { ("buys", "buys little") } else { ("buy", "buy little") };
                let bought = if loss >= 0.05 {
                    let (many, less) = (count(u64::from(last.workers)), percent(loss));
                    format!("{subject} {verb} nothing, and {many} are {less} slower")
                } else if gain < 0.02 {
                    format!("{subject} {verb} nothing")
                } else {
                    format!("{subject} {little}, {} at most", percent(gain))
                };
                let (why, evidence) = self.why_words(workers, last.workers);
                let short = format!("{bought}: {why}.");
                let long = format!("{short} {evidence}");
                let fits = !evidence.is_empty() && long.chars().count() <= SENTENCE_CHARS;
                Some(if fits { long } else { short })
            }
        }
    }

    fn growing(&self, workers: u32) -> String {
        let many = count(u64::from(workers));
        let speedup = self.measured.last().map_or(1.0, |last| last.speedup.median);
        if workers as usize >= self.tasks {
            return format!(
                "The speedup grows up to {many} workers, {} times. Each task has a worker of its own then: more would have nothing to do.",
                ratio(speedup)
            );
        }
        format!(
            "The speedup still grows at {many} workers, the most that were tried: {} times. Where it ends is not known.",
            ratio(speedup)
        )
    }

    /// Why the workers beyond the knee bring nothing, and the figures that say so, the latter as a sentence.
    fn why_words(&self, knee: u32, last: u32) -> (String, String) {
        let (few, many) = (count(u64::from(knee)), count(u64::from(last)));
        let tell = |why: &str, evidence: String| (why.to_owned(), evidence);
        match self.why {
            Some(Why::LinkFull { bytes_per_second, receiving }) => {
                let rate = words::rate(bytes_per_second);
                let evidence = format!(
                    "Of {many}, {receiving:.1} received at a time, and got {rate} together, hardly more than {few} did."
                );
                tell("the link is full", evidence)
            }
            Some(Why::LinkOrProcessors { bytes_per_second, receiving }) => {
                let rate = words::rate(bytes_per_second);
                let evidence = format!(
                    "Of {many}, {receiving:.1} received at a time, and got {rate} together, hardly more than {few} did."
                );
                tell("the link or the processors bring no more bytes", evidence)
            }
            Some(Why::ProcessorsUsedUp { busy, of }) => {
                let evidence = format!("{} of {} were busy on average.", ratio(busy), count(u64::from(of)));
                tell("the processors are used up", evidence)
            }
            Some(Why::Lock { waiting }) => {
                let lock = match self.executor {
                    ExecutorKind::Gil => "they wait for the interpreter lock",
                    _ => "they wait for a lock",
                };
                tell(lock, format!("Of {many}, {waiting:.1} waited for it at a time."))
            }
            Some(Why::LongestTask { longest }) => {
                let why = format!("the longest task alone takes {}", seconds(longest));
                (why, "A task has one worker, and no number of others makes it shorter.".to_owned())
            }
            Some(Why::Schedule) => tell(
                "the tasks are too few to share out better, short of a worker for each",
                format!("A schedule of them for {many} workers is hardly shorter than one for {few}."),
            ),
            Some(Why::EventLoop) => {
                tell("the event loop has one thread", "Each task kept it until it was done.".to_owned())
            }
            Some(Why::Server { waiting }) => tell(
                "the server answers no more in a second",
                format!("Of {many}, {waiting:.1} waited for an answer at a time."),
            ),
            Some(Why::Database) => tell("the database does no more in a second", String::new()),
            Some(Why::Unknown { doing: Some(doing) }) => {
                tell("why, these figures don't tell", format!("Those beyond {few} were mostly {doing}."))
            }
            Some(Why::Unknown { doing: None }) | None => {
                tell("why, these figures don't tell", format!("Those beyond {few} mostly had no task."))
            }
        }
    }

    /// A row for each number of workers that was measured: the workers, the wall time, the speedup, the
    /// efficiency, what the bound and the laws say, and the Karp-Flatt share.
    pub fn rows(&self) -> Vec<[String; 8]> {
        let dash = || "-".to_owned();
        let said =
            |speedup: Option<f64>| speedup.map_or_else(dash, |speedup| times(speedup, Glyphs::Unicode));
        let row = |of: &Measured| {
            let workers = f64::from(of.workers);
            [
                count(u64::from(of.workers)),
                seconds(of.wall),
                times(of.speedup.median, Glyphs::Unicode),
                of.efficiency.map_or_else(dash, percent),
                said(self.bound.as_ref().map(|bound| bound.at(workers))),
                said(self.amdahl.map(|fit| fit.at(workers))),
                said(self.usl.map(|fit| fit.at(workers))),
                of.karp_flatt.map_or_else(dash, share),
            ]
        };
        self.measured.iter().map(row).collect()
    }

    /// The bound, the laws with their parameters, and the knee: a line each.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        lines.extend(self.bound_words().map(|words| format!("bound: {words}")));
        if let Some(fit) = &self.amdahl {
            let (limit, residual) = (limit_words(fit), residual_words(fit.residual));
            lines.push(format!("Amdahl's law: {}, {limit}, {residual}", serial_words(fit)));
        }
        if let Some(fit) = &self.usl {
            let (peak, residual) = (peak_words(fit, self.most_workers), residual_words(fit.residual));
            let (contention, coherency) = (contention_words(fit), coherency_words(fit));
            lines.push(format!("Universal Scalability Law: {contention}, {coherency}, {peak}, {residual}"));
        }
        if let Some(words) = self.karp_flatt_words() {
            lines.push(format!("Karp-Flatt serial share: {words}"));
        }
        lines.push(format!("knee: {}", knee_words(self.knee)));
        lines.extend(self.caution());
        lines
    }

    /// What the bound is with the most workers of the sweep, and with any number.
    pub fn bound_words(&self) -> Option<String> {
        let bound = self.bound.as_ref()?;
        let (here, limit) = (bound.at(f64::from(self.most_workers)), bound.limit());
        let limit_words = times(limit, Glyphs::Unicode);
        Some(match here < limit * 0.995 {
            true => {
                let most = count(u64::from(self.most_workers));
                format!("{} with {most}, {limit_words} at most", times(here, Glyphs::Unicode))
            }
            false => format!("{limit_words} by the longest task"),
        })
    }

    /// That small differences mean nothing here: a single worker, which does what the sequential run does, took
    /// another time for it. None where the two are within 5 %, or it was not measured.
    pub fn caution(&self) -> Option<String> {
        let alone = self.measured.iter().find(|of| of.workers == 1)?.speedup.median;
        ((alone - 1.0).abs() > 0.05).then(|| {
            let off = percent((alone - 1.0).abs());
            let way = if alone > 1.0 { "faster" } else { "slower" };
            format!(
                "caution: one worker alone was {off} {way} than sequential; smaller differences tell nothing"
            )
        })
    }

    /// How the Karp-Flatt share goes from the fewest workers above one to the most; none without two points.
    pub fn karp_flatt_words(&self) -> Option<String> {
        let shares = self.measured.iter().filter_map(|of| Some((of.workers, of.karp_flatt?)));
        course(&shares.collect::<Vec<_>>())
    }
}

/// How a share goes with the workers, which are in ascending order.
fn course(shares: &[(u32, f64)]) -> Option<String> {
    // Less tells nothing.
    const TELLING: f64 = 0.02;
    let (&(few, first), &(many, last)) = (shares.first()?, shares.last()?);
    if few == many {
        return None;
    }
    let between = || shares.iter().skip(1).take(shares.len().saturating_sub(2)).map(|&(_, of)| of);
    let (least, most) = (between().fold(f64::MAX, f64::min), between().fold(f64::MIN, f64::max));
    let trend = if least < first.min(last) - TELLING || most > first.max(last) + TELLING {
        format!("from {} to {} between: no fixed share explains it", share(least), share(most))
    } else {
        let trend = match last - first {
            growth if growth > TELLING => "rises: no fixed share explains it",
            growth if growth < -TELLING => "falls",
            // As good as nothing may well double.
            _ if first.max(last) < 2.0 * TELLING => "hardly anything",
            _ => "stays, as a serial share would",
        };
        trend.to_owned()
    };
    Some(format!("{} with {few}, {} with {many}; {trend}", share(first), share(last)))
}

/// A share as a number, with a sign only where it is below zero for good.
fn share(share: f64) -> String {
    let rounded = (share * 1000.0).round() / 1000.0;
    format!("{:.3}", rounded + 0.0)
}

/// A coherency, which is often tiny, in two digits that count: `0.0021`, `3.1e-6`.
fn tiny(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        value if value < 1e-6 => "<0.000001".to_owned(),
        value if value < 0.0095 => {
            let places = usize::try_from(1 - value.log10().floor() as i32).unwrap_or(6).min(7);
            format!("{value:.places$}")
        }
        value => format!("{value:.3}"),
    }
}

/// A parameter with its interval: `0.312 (0.298 to 0.326)`.
fn with_interval(value: f64, interval: Option<Interval>, say: impl Fn(f64) -> String) -> String {
    match interval {
        Some(Interval { low, high }) => format!("{} ({} to {})", say(value), say(low), say(high)),
        None => say(value),
    }
}

/// `s 0.312 (0.298 to 0.326)`.
pub fn serial_words(fit: &Amdahl) -> String {
    format!("s {}", with_interval(fit.serial, fit.interval, share))
}

/// `σ 0.312 (0.298 to 0.326)`.
pub fn contention_words(fit: &Usl) -> String {
    format!("σ {}", with_interval(fit.contention, fit.contention_interval, share))
}

/// `κ 0.0012 (0 to 0.0024)`.
pub fn coherency_words(fit: &Usl) -> String {
    format!("κ {}", with_interval(fit.coherency, fit.coherency_interval, tiny))
}

/// What the law says cannot be exceeded: `at most 3.21×`.
pub fn limit_words(fit: &Amdahl) -> String {
    match fit.limit() {
        Some(limit) if limit < 9_999.5 => format!("at most {}", times(limit, Glyphs::Unicode)),
        _ => "no limit".to_owned(),
    }
}

/// Where the law has its peak: `peak 5.12× at 14 workers`. A peak far beyond what was measured is only said to be
/// there.
pub fn peak_words(fit: &Usl, most_measured: u32) -> String {
    match fit.peak() {
        Some(peak) if peak <= 2.0 * f64::from(most_measured) => {
            let peak = peak.round();
            format!("peak {} at {peak:.0}", times(fit.at(peak), Glyphs::Unicode))
        }
        Some(_) => "peak far beyond".to_owned(),
        None => "no peak".to_owned(),
    }
}

/// `residual 0.021`.
pub fn residual_words(residual: f64) -> String {
    format!("residual {residual:.3}")
}

/// Where the knee is: `8 workers`, `none up to 32 workers`.
pub fn knee_words(knee: Option<Knee>) -> String {
    match knee {
        Some(Knee::At { workers: 1, .. }) => "1 worker".to_owned(),
        Some(Knee::At { workers, .. }) => format!("{} workers", count(u64::from(workers))),
        Some(Knee::Beyond { workers }) => format!("none up to {} workers", count(u64::from(workers))),
        None => "not known yet".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_fit_a_line() {
        for (term, definition) in SCALING_DEFINITIONS {
            assert!(definition.chars().count() <= 100, "{term}: {}", definition.chars().count());
        }
    }

    #[test]
    fn small_numbers_keep_their_digits() {
        assert_eq!(
            [0.0, 1e-9, 0.000_021_4, 0.0021, 0.0149, 1.5].map(tiny),
            ["0", "<0.000001", "0.000021", "0.0021", "0.015", "1.500"]
        );
        assert_eq!([-0.0001, 0.0, 0.3123, -0.05].map(share), ["0.000", "0.000", "0.312", "-0.050"]);
    }

    #[test]
    fn a_share_that_swings_does_not_stay() {
        let said = |shares: &[f64]| {
            let course = course(&(2..).zip(shares.iter().copied()).collect::<Vec<_>>());
            course.unwrap_or_default()
        };
        assert_eq!(said(&[0.1]), "");
        assert_eq!(said(&[0.1, 0.11, 0.105]), "0.100 with 2, 0.105 with 4; stays, as a serial share would");
        assert_eq!(said(&[0.014, 0.029]), "0.014 with 2, 0.029 with 3; hardly anything");
        assert!(said(&[0.1, 0.11, 0.15]).ends_with("rises: no fixed share explains it"));
        assert!(said(&[0.1, 0.05]).ends_with("; falls"));
        assert_eq!(
            said(&[0.003, 0.099, 0.068, 0.001]),
            "0.003 with 2, 0.001 with 5; from 0.068 to 0.099 between: no fixed share explains it"
        );
    }

    #[test]
    fn a_worker_alone_shows_how_times_scatter() {
        let alone = |speedup: f64| {
            let measured = Measured {
                workers: 1,
                wall: std::time::Duration::from_secs(1),
                speedup: crate::stats::Spread { median: speedup, least: speedup, most: speedup },
                efficiency: None,
                karp_flatt: None,
            };
            let scaling = Scaling {
                executor: ExecutorKind::Pool,
                tasks: 8,
                planned: 3,
                most_workers: 8,
                progress: Progress::Over,
                measured: vec![measured],
                bound: None,
                amdahl: None,
                usl: None,
                knee: None,
                why: None,
            };
            scaling.caution()
        };
        assert_eq!([0.96, 1.0, 1.04].map(alone), [None, None, None]);
        assert!(alone(1.26).is_some_and(|words| words.contains("26 % faster")));
        assert!(alone(0.8).is_some_and(|words| words.contains("20 % slower")));
    }

    #[test]
    fn a_peak_far_away_is_no_number() {
        let fit = Usl {
            contention: 0.0,
            contention_interval: None,
            coherency: 0.01,
            coherency_interval: None,
            residual: 0.0,
        };
        assert_eq!(peak_words(&fit, 32), "peak 5.26× at 10");
        assert_eq!(peak_words(&fit, 4), "peak far beyond");
        assert_eq!(peak_words(&Usl { coherency: 0.0, ..fit }, 4), "no peak");
    }
}
