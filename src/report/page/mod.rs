//! A race as one page of HTML that needs nothing else: no script, style, font or picture from elsewhere, and
//! nothing that it can't say without its own script.

mod data;
mod figures;
mod gantt;
mod tasks;

use std::io::{self, BufWriter, Write};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};

use crate::event::{At, Order};
use crate::model::RaceState;

use super::markup::{Text, base64, cut};
use super::rows::tasks_line;
use super::summary::{DEFINITIONS, SHARED, Summary};
use super::timeline::{DARK, LIGHT, Theme, Timeline, write_pattern};
use super::words::{self, count, listed};

const STYLE: &str = include_str!("../../../assets/page/page.css");
/// Draws the timeline again at any zoom, and says what is under the pointer. The page is whole without it.
const SCRIPT: &str = concat!(
    "(() => {\n'use strict';\n",
    include_str!("../../../assets/page/draw.js"),
    include_str!("../../../assets/page/words.js"),
    include_str!("../../../assets/page/page.js"),
    "})();\n"
);

/// The pixels that the timeline is made for; on the page it is as wide as there is room.
const PIXELS: usize = 1_000;

/// A chart of another report, to stand on the page.
#[derive(Debug, Clone, Copy)]
pub struct Chart<'a> {
    /// What it is called.
    pub title: &'a str,
    /// What it shows, in words: for who can't see it, and as its caption.
    pub about: &'a str,
    /// A whole SVG document. It is shown as a picture, so nothing in it acts on the page.
    pub svg: &'a str,
}

/// What else than the race decides how its page is made.
#[derive(Debug, Default, Clone, Copy)]
pub struct Page<'a> {
    /// On what ground it is shown; paper is always light.
    pub theme: Theme,
    /// The version of the program that raced, where it is not this one; from a recording, foreign text.
    pub raced_with: Option<&'a str>,
    /// Charts to show after the timeline.
    pub charts: &'a [Chart<'a>],
}

/// Writes a race as of `now`, which matters only while the race goes on, as one page of HTML.
///
/// The page is bounded however many tasks there are, and says where it leaves something out. Foreign text in
/// it is no markup, and its policy (Content Security Policy, level 3) lets only the page's own script run.
/// Writes through a buffer and flushes it.
///
/// # Errors
/// What `out` answers.
pub fn html(
    race: &RaceState,
    summary: &Summary,
    now: At,
    page: &Page<'_>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(64 * 1024, out);
    let timeline = Timeline::of(race, summary, now, PIXELS);
    write_head(race, page.theme, &mut out)?;
    write!(out, r#"<body><svg class="defs" width="0" height="0" aria-hidden="true"><defs>"#)?;
    for phase in &timeline.phases {
        write_pattern(*phase, &mut out)?;
    }
    write!(out, "</defs></svg>")?;
    write_verdict(race, summary, &mut out)?;
    write!(out, "<main>")?;
    figures::write_gauges(race, summary, &mut out)?;
    tasks::write_failures(race, &mut out)?;
    gantt::write(race, &timeline, &mut out)?;
    figures::write_time(race, summary, &mut out)?;
    for chart in page.charts {
        write_chart(chart, &mut out)?;
    }
    figures::write_results(race, summary, &mut out)?;
    tasks::write_tables(race, now, &mut out)?;
    write_definitions(&mut out)?;
    write_origin(race, page, &mut out)?;
    write!(
        out,
        r#"</main><div id="tip" role="tooltip" hidden></div><script type="application/json" id="data">"#
    )?;
    data::write(race, &timeline, &mut out)?;
    writeln!(out, "</script><script>{SCRIPT}</script></body></html>")?;
    out.flush()
}

fn write_head(race: &RaceState, theme: Theme, out: &mut dyn Write) -> io::Result<()> {
    let script = base64(&Sha256::digest(SCRIPT.as_bytes()));
    let schemes = match theme {
        Theme::Auto => "light dark",
        Theme::Dark => "dark",
        Theme::Light => "light",
    };
    write!(
        out,
        r#"<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{script}'; base-uri 'none'; form-action 'none'"><meta name="referrer" content="no-referrer"><meta name="color-scheme" content="{schemes}"><meta name="generator" content="threadrace {}"><title>{} · threadrace</title><style>"#,
        env!("CARGO_PKG_VERSION"),
        Text(&cut(&race.plan().scenario, 60)),
    )?;
    write!(out, ":root{{")?;
    if theme == Theme::Dark { DARK } else { LIGHT }.write_variables(out)?;
    write!(out, "}}")?;
    if theme == Theme::Auto {
        write!(out, "@media (prefers-color-scheme:dark){{:root{{")?;
        DARK.write_variables(out)?;
        write!(out, "}}}}")?;
    }
    if theme != Theme::Light {
        write!(out, "@media print{{:root{{color-scheme:light;")?;
        LIGHT.write_variables(out)?;
        write!(out, "}}}}")?;
    }
    for phase in crate::event::Phase::ALL {
        let i = phase.index();
        write!(out, ".p{i}{{fill:url(#t{i})}}.f-g{i}{{fill:var(--g{i})}}.s-l{i}{{stroke:var(--l{i})}}")?;
    }
    write!(out, "{STYLE}</style></head>")
}

/// The sentence that says what happened comes first, as large as it deserves.
fn write_verdict(race: &RaceState, summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    let (plan, verdict) = (race.plan(), summary.verdict());
    let (first, rest) = match verdict.find(". ") {
        Some(end) => (&verdict[..=end], verdict[end + 2..].trim()),
        None => (verdict.as_str(), ""),
    };
    write!(
        out,
        r#"<header><p class="brand"><svg width="22" height="16" aria-hidden="true"><rect class="b0" width="22" height="4" rx="1"/><rect class="b1" y="6" width="13" height="4" rx="1"/><rect class="b2" y="12" width="8" height="4" rx="1"/></svg>threadrace<span><bdi>{}</bdi></span></p><h1>{}</h1>"#,
        Text(&cut(&plan.scenario, 60)),
        Text(first)
    )?;
    if !rest.is_empty() {
        write!(out, r#"<p class="lead">{}</p>"#, Text(rest))?;
    }
    write!(
        out,
        r#"<p class="about"><bdi>{}</bdi> <span class="source"><bdi>{}</bdi></span></p>"#,
        Text(&sentence(&cut(&plan.about, 300))),
        Text(&sentence(&cut(&tasks_line(plan), 300)))
    )?;
    if plan.order == Order::Together && !verdict.contains("a show, not a measurement") {
        write!(out, r#"<p class="note">{}</p>"#, Text(SHARED))?;
    }
    if !race.is_over() {
        write!(out, r#"<p class="note">The race was under way when this page was made.</p>"#)?;
    }
    if race.misfits() > 0 {
        let events = count(race.misfits());
        write!(
            out,
            r#"<p class="note">{events} events did not fit what came before them and were left out.</p>"#
        )?;
    }
    write!(out, "</header>")
}

/// The words as a sentence: begun with a capital, and ended.
fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let Some(first) = letters.next() else { return String::new() };
    let end = if words.ends_with(['.', '!', '?', '…']) { "" } else { "." };
    first.to_uppercase().chain(letters).chain(end.chars()).collect()
}

fn write_chart(chart: &Chart<'_>, out: &mut dyn Write) -> io::Result<()> {
    write!(
        out,
        r#"<section class="chart"><h2>{}</h2><figure><img alt="{}" src="data:image/svg+xml;base64,{}"><figcaption>{}</figcaption></figure></section>"#,
        Text(&cut(chart.title, 100)),
        Text(&cut(chart.about, 500)),
        base64(chart.svg.as_bytes()),
        Text(&cut(chart.about, 500)),
    )
}

fn write_definitions(out: &mut dyn Write) -> io::Result<()> {
    write!(out, r#"<section id="definitions"><h2>What the figures mean</h2><dl class="terms">"#)?;
    for (term, definition) in DEFINITIONS.iter().chain(figures::MORE) {
        write!(
            out,
            "<div><dt>{}</dt><dd>{}.</dd></div>",
            Text(term),
            Text(sentence(definition).trim_end_matches('.'))
        )?;
    }
    write!(out, "</dl></section>")
}

/// Where all of it came from: enough to race it again.
fn write_origin(race: &RaceState, page: &Page<'_>, out: &mut dyn Write) -> io::Result<()> {
    let (plan, machine) = (race.plan(), &race.plan().machine);
    let this = env!("CARGO_PKG_VERSION");
    let versions = match page.raced_with {
        Some(version) if version != this => format!("raced with {}, page made by {this}", cut(version, 40)),
        _ => this.to_owned(),
    };
    let order = match plan.order {
        Order::OneByOne => "one after the other",
        Order::Together => "all at once",
    };
    let runs: Vec<String> = plan.runs.iter().take(24).map(|run| cut(&run.name(), 40)).collect();
    let more = plan.runs.len().saturating_sub(24);
    let runs = match more {
        0 => listed(&runs),
        more => format!("{} and {} more", runs.join(", "), count(more as u64)),
    };
    let mut rows = vec![
        ("scenario", format!("{}: {}", cut(&plan.scenario, 60), cut(&plan.about, 300))),
        ("tasks", cut(&tasks_line(plan), 300)),
        ("runs", format!("{runs}; {order}")),
        ("seed", plan.seed.to_string()),
    ];
    if let Some(delays) = words::delays(plan.time_scale) {
        rows.push(("time", delays));
    }
    rows.push((
        "machine",
        format!("{} {}, {} processors", cut(&machine.os, 40), cut(&machine.arch, 40), machine.cpus),
    ));
    // A race that was never on a calendar says nothing of it.
    if plan.zero.unix_nanos > 0 {
        let began = SystemTime::UNIX_EPOCH + Duration::from_nanos(plan.zero.unix_nanos);
        rows.push(("raced on", httpdate::fmt_http_date(began)));
    }
    rows.push(("threadrace", versions));
    write!(out, r#"<section id="origin"><h2>Where this came from</h2><dl class="facts">"#)?;
    for (term, words) in rows {
        write!(out, "<div><dt>{term}</dt><dd><bdi>{}</bdi></dd></div>", Text(&words))?;
    }
    write!(out, "</dl></section>")
}
