//! Claims and what became of them, as a table for people, as Markdown and as JSON.

use std::io::{self, Write};
use std::time::Duration;

use clap::ValueEnum;
use serde_json::{Value, json};

use super::measure::Measured;
use super::published::{Claim, Published, Seconds};
use crate::event::TimeScale;
use crate::report::words::{self, Glyphs};
use crate::stats::Spread;
use crate::text;

/// How claims are written.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ClaimsFormat {
    /// For people, a block for each claim
    #[default]
    Table,
    /// A table for documents
    Markdown,
    /// For programs
    Json,
}

/// Writes what became of `claims`.
///
/// # Errors
/// When `out` can't be written.
pub fn write(
    format: ClaimsFormat,
    claims: &[(&Claim, Measured)],
    scale: TimeScale,
    out: &mut dyn Write,
) -> io::Result<()> {
    match format {
        ClaimsFormat::Table => table(claims, scale, out),
        ClaimsFormat::Markdown => markdown(claims, scale, out),
        ClaimsFormat::Json => {
            let rows: Vec<Value> =
                claims.iter().map(|(claim, measured)| row(claim, measured, scale)).collect();
            let all = json!({
                "format": "threadrace-claims", "version": 1, "time_scale": scale.factor(), "claims": rows,
            });
            writeln!(out, "{all:#}")
        }
    }
}

fn times(factor: f64) -> String {
    words::times(factor, Glyphs::Unicode)
}

fn factors((least, most): (f64, f64)) -> String {
    if most - least < 0.005 { times(least) } else { format!("{} to {}", words::ratio(least), times(most)) }
}

fn seconds(time: Seconds) -> String {
    if time.least == time.most {
        format!("{:.2} s", time.least)
    } else {
        format!("{}–{} s", time.least, time.most)
    }
}

fn quoted(said: &[&str]) -> String {
    said.iter().map(|words| format!("“{words}”")).collect::<Vec<_>>().join(", ")
}

fn published(claim: &Claim) -> String {
    let figures = match claim.published {
        Published::Walls { sequential, concurrent } => {
            format!("{} → {}", seconds(sequential), seconds(concurrent))
        }
        Published::Sequential(time) => format!("{time:.1} s"),
        Published::Improvement(_) | Published::Nothing => String::new(),
    };
    match (figures.is_empty(), claim.said.is_empty()) {
        (false, false) => format!("{figures}, {}", quoted(claim.said)),
        (false, true) => figures,
        (true, _) => quoted(claim.said),
    }
}

fn median_seconds(times: &[Duration]) -> Option<Spread> {
    Spread::of(&times.iter().map(Duration::as_secs_f64).collect::<Vec<_>>())
}

fn wall(figures: Spread) -> String {
    words::seconds(Duration::try_from_secs_f64(figures.median).unwrap_or_default())
}

fn measured_speedup(measured: &Measured) -> Option<(Spread, String)> {
    let figures = Spread::of(&measured.speedups())?;
    let spread = format!("{}–{}", words::ratio(figures.least), words::ratio(figures.most));
    Some((figures, format!("{} ({spread})", times(figures.median))))
}

/// The wall times of the race with the median speedup, of two in the middle the lower one: so that who divides them
/// gets that speedup.
fn walls(measured: &Measured) -> String {
    let mut races: Vec<_> = measured.sequential.iter().zip(&measured.concurrent).collect();
    races.sort_by(|(a, b), (c, d)| {
        (a.as_secs_f64() / b.as_secs_f64()).total_cmp(&(c.as_secs_f64() / d.as_secs_f64()))
    });
    match races.get(races.len().saturating_sub(1) / 2) {
        Some((sequential, concurrent)) => {
            format!("{} → {}", words::seconds(**sequential), words::seconds(**concurrent))
        }
        None => median_seconds(&measured.sequential).map_or_else(String::new, wall),
    }
}

/// Two factors are the same to the eye when they differ by less than this share.
const SAME: f64 = 0.05;

/// What became of a claim, in sentences.
pub fn verdict(claim: &Claim, measured: &Measured, scale: TimeScale) -> String {
    let mut sentences = Vec::new();
    let arithmetic = claim.arithmetic();
    if let (Some((said, _)), Some((least, most))) = (claim.said_factor, arithmetic)
        && (said < least * (1.0 - SAME) || said > most * (1.0 + SAME))
    {
        sentences.push(format!("Its own times give {}, not {}.", factors((least, most)), times(said)));
    }
    let reached = Spread::of(&measured.speedups());
    let workers = words::workers(measured.workers);
    // What the tasks of one race allow is measured, and small where they are short; this bound is sure.
    let most = f64::from(measured.workers);
    if let Some((least, _)) = arithmetic
        && least > most * (1.0 + SAME)
    {
        let words = format!(
            "{} is more than {workers} can give ({}), so it can't come from them alone.",
            times(least),
            times(most)
        );
        sentences.push(words);
    }
    if let Some(reached) = reached {
        let of_bound = measured.bound.filter(|bound| *bound > 0.0).map(|bound| reached.median / bound);
        sentences.push(match of_bound {
            Some(share) if share > 1.0 + SAME => format!(
                "Here {workers} reach {}, more than the tasks of the sequential run allow: they are too short to tell.",
                times(reached.median)
            ),
            Some(share) if share >= 0.995 => {
                format!("Here {workers} reach {}, all that the tasks allow.", times(reached.median))
            }
            Some(share) => format!(
                "Here {workers} reach {}, {} of what the tasks allow.",
                times(reached.median),
                words::percent(share)
            ),
            None => format!("Here {workers} reach {}.", times(reached.median)),
        });
    }
    if let Some(link) = &measured.link {
        let through = Spread::of(&link.speedups).map(|figures| times(figures.median));
        sentences.push(format!(
            "A link that all share would explain it: one of {}, chosen so, gives {}, whatever the pool could do.",
            words::rate(link.rate as f64),
            through.unwrap_or_default()
        ));
    }
    if let (Published::Sequential(_), Some(took)) = (claim.published, median_seconds(&measured.sequential)) {
        let with = words::delays(scale).map_or_else(String::new, |delays| format!(", with its {delays}"));
        sentences.push(format!("Here it takes {}{with}.", wall(took)));
    }
    if claim.said.iter().any(|said| said.starts_with("finishing")) && !measured.finish_order.is_empty() {
        let order: Vec<String> = measured.finish_order.iter().map(ToString::to_string).collect();
        sentences.push(format!("Here they finish {}.", order.join(", ")));
    }
    sentences.extend(claim.remark.map(str::to_owned));
    sentences.join(" ")
}

/// How it was measured.
fn headline(claims: &[(&Claim, Measured)], scale: TimeScale) -> String {
    let races = claims.iter().map(|(_, measured)| measured.sequential.len()).max().unwrap_or(0);
    let shrunk = words::delays(scale).map_or_else(String::new, |delays| format!(", simulated {delays}"));
    let races = words::counted(races as u64, "race", "races");
    format!("Published claims, checked here: {races} each{shrunk}")
}

fn table(claims: &[(&Claim, Measured)], scale: TimeScale, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}\n", headline(claims, scale))?;
    for (claim, measured) in claims {
        writeln!(out, "{}  {}", claim.scenario, claim.executor)?;
        writeln!(out, "  published   {}", published(claim))?;
        if let Some(arithmetic) = claim.arithmetic() {
            writeln!(out, "  arithmetic  {}", factors(arithmetic))?;
        }
        if let Some(bound) = measured.bound {
            writeln!(out, "  bound       {} with {} workers", times(bound), measured.workers)?;
        }
        match measured_speedup(measured) {
            Some((_, words)) => writeln!(out, "  measured    {words}, {}", walls(measured))?,
            None => writeln!(out, "  measured    {}", walls(measured))?,
        }
        let mut lines = text::wrap(&verdict(claim, measured, scale), 66).into_iter();
        writeln!(out, "  verdict     {}", lines.next().unwrap_or_default())?;
        for line in lines {
            writeln!(out, "              {line}")?;
        }
        writeln!(out)?;
    }
    writeln!(
        out,
        "arithmetic  T1 / Tn of the published times, or 1 / (1 - improvement)\n\
         bound       work of all tasks / the longest of an equal share, the longest task, and for each k\n\
         \x20           the k+1 shortest of the k x workers+1 longest, from the sequential run\n\
         measured    median speedup (least-most), that race's wall times: sequential -> this executor"
    )
}

fn markdown(claims: &[(&Claim, Measured)], scale: TimeScale, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}.\n", headline(claims, scale))?;
    writeln!(out, "| scenario | published | arithmetic | bound | measured here | verdict |")?;
    writeln!(out, "| --- | --- | --: | --: | --: | --- |")?;
    for (claim, measured) in claims {
        writeln!(
            out,
            "| `{}` with {} | {} | {} | {} | {} | {} |",
            claim.scenario,
            claim.executor,
            published(claim),
            claim.arithmetic().map(factors).unwrap_or_default(),
            measured.bound.map(times).unwrap_or_default(),
            measured_speedup(measured).map_or_else(|| walls(measured), |(_, words)| words),
            verdict(claim, measured, scale)
        )?;
    }
    Ok(())
}

fn row(claim: &Claim, measured: &Measured, scale: TimeScale) -> Value {
    let list = |times: &[Duration]| times.iter().map(Duration::as_secs_f64).collect::<Vec<_>>();
    let pair = |pair: Option<(f64, f64)>| pair.map(|(least, most)| json!({ "least": least, "most": most }));
    let figures = |values: &[f64]| {
        Spread::of(values).map(|f| json!({ "median": f.median, "least": f.least, "most": f.most }))
    };
    let span = |time: Seconds| json!({ "least": time.least, "most": time.most });
    let published = match claim.published {
        Published::Walls { sequential, concurrent } => {
            json!({ "sequential_seconds": span(sequential), "concurrent_seconds": span(concurrent) })
        }
        Published::Improvement(percent) => json!({ "improvement_percent": percent }),
        Published::Sequential(time) => json!({ "sequential_seconds": { "least": time, "most": time } }),
        Published::Nothing => json!({}),
    };
    json!({
        "scenario": claim.scenario,
        "executor": claim.executor,
        "workers": measured.workers,
        "published": published,
        "said": claim.said,
        "said_speedup": pair(claim.said_factor),
        "arithmetic_speedup": pair(claim.arithmetic()),
        "bound_speedup": measured.bound,
        "measured_speedup": figures(&measured.speedups()),
        "sequential_seconds": list(&measured.sequential),
        "concurrent_seconds": list(&measured.concurrent),
        "finish_order": measured.finish_order,
        "link": measured.link.as_ref().map(|link| json!({
            "bytes_per_second": link.rate, "measured_speedup": figures(&link.speedups),
        })),
        "verdict": verdict(claim, measured, scale),
    })
}

#[cfg(test)]
mod tests {
    use super::super::measure::Link;
    use super::super::published::CLAIMS;
    use super::*;

    fn claim(scenario: &str) -> &'static Claim {
        CLAIMS.iter().find(|claim| claim.scenario == scenario).unwrap_or(&CLAIMS[0])
    }

    fn measured(workers: u32, sequential: u64, concurrent: u64, bound: f64) -> Measured {
        Measured {
            workers,
            sequential: vec![Duration::from_millis(sequential); 3],
            concurrent: vec![Duration::from_millis(concurrent); 3],
            bound: Some(bound),
            finish_order: vec![3, 1, 2],
            link: None,
        }
    }

    #[test]
    fn a_claim_that_its_own_times_refute_is_told_so() {
        let link = Some(Link { rate: 559_000, speedups: vec![2.47, 2.48, 2.49] });
        let told =
            verdict(claim("images-20"), &Measured { link, ..measured(5, 960, 200, 5.0) }, TimeScale::ONE);
        assert_eq!(
            told,
            "Its own times give 2.48×, not 5.00×. Here 5 workers reach 4.80×, 96 % of what the tasks allow. A \
             link that all share would explain it: one of 559.0 kB/s, chosen so, gives 2.48×, whatever the pool could do."
        );
    }

    #[test]
    fn more_than_the_workers_can_give_is_told_so() {
        let told = verdict(claim("crud"), &measured(5, 1000, 900, 5.0), TimeScale::ONE);
        assert!(told.starts_with("22.73× is more than 5 workers can give (5.00×), so it can't"), "{told}");
        assert!(told.contains("Here 5 workers reach 1.11×, 22 % of what the tasks allow."), "{told}");
    }

    #[test]
    fn tasks_that_are_too_short_accuse_nobody() {
        let told = verdict(claim("posts-5"), &measured(5, 434, 100, 3.82), TimeScale(1_000));
        assert!(
            told.starts_with(
                "Here 5 workers reach 4.34×, more than the tasks of the sequential run allow: they are"
            ),
            "{told}"
        );
    }

    #[test]
    fn every_format_has_every_claim() -> io::Result<()> {
        let all: Vec<_> = CLAIMS.iter().map(|claim| (claim, measured(5, 1000, 250, 5.0))).collect();
        for format in [ClaimsFormat::Table, ClaimsFormat::Markdown, ClaimsFormat::Json] {
            let mut text = Vec::new();
            write(format, &all, TimeScale(100_000), &mut text)?;
            let text = String::from_utf8_lossy(&text).into_owned();
            for claim in CLAIMS {
                assert!(text.contains(claim.scenario), "{format:?}: {}", claim.scenario);
            }
            // What is a tenth as long says so, wherever it stands.
            let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(words.contains("Here it takes 1.00 s, with its delays × 0.1."), "{format:?}: {text}");
            if format != ClaimsFormat::Json {
                assert!(
                    text.starts_with("Published claims, checked here: 3 races each, simulated delays × 0.1")
                );
            }
            if format == ClaimsFormat::Table {
                assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
            }
            if format == ClaimsFormat::Json {
                let value: Value = serde_json::from_str(&text)?;
                assert_eq!(value["claims"].as_array().map(Vec::len), Some(CLAIMS.len()));
            }
        }
        Ok(())
    }
}
